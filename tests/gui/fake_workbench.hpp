#pragma once
// A workbench with invented data: opens samples, toggles groups, "runs" at once.

#include "app/window_workbench.hpp"
#include "tests/gui/fake_data.hpp"
#include "views/layout/engine.hpp"

#include <vector>

namespace orrery::gui_test {

class FakeWorkbench : public app::Workbench {
    Q_OBJECT
  public:
    FakeWorkbench();
    void submit(const views::Command& command) override;
    [[nodiscard]] std::shared_ptr<const views::Screen> screen() const override { return screen_; }
    [[nodiscard]] bool idle() const override { return true; }
    /// Shows another screen, as a session would.
    void publish(views::Screen screen);
    std::vector<views::Command> received;
    template <class T> [[nodiscard]] const T* last() const {
        for (auto it = received.rbegin(); it != received.rend(); ++it)
            if (const T* found = std::get_if<T>(&*it)) return found;
        return nullptr;
    }

  private:
    void open(const std::string& title);
    void rebuild_graph(views::Screen& screen);
    std::shared_ptr<const views::Screen> screen_;
    views::GraphDescription graph_;
    views::GraphOptions options_;
    layout::LayoutEngine engine_;
};

} // namespace orrery::gui_test
