#pragma once
// The window over a real session, for tests that click in it.

#include "app/main_window.hpp"
#include "app/window_session.hpp"
#include "tests/gui/driver.hpp"

#include <memory>
#include <string>

namespace orrery::gui_test {

/// One compiler for all tests of the program, the region backends of the program with it.
[[nodiscard]] std::shared_ptr<session::Compiler> shared_compiler();

struct LiveWindow {
    app::SessionWorkbench workbench;
    app::MainWindow window;

    /// Shows the start page at a size.
    explicit LiveWindow(int width = 1680, int height = 1050);
    [[nodiscard]] const views::Screen& screen() const { return *workbench.screen(); }
    [[nodiscard]] qt::GraphView& graph() const { return *window.workspace()->graph(); }
    /// Waits until nothing is under way and the window shows it.
    void settle();
    void open(const char* sample);
    void open_file(const QString& path);
    void trigger(app::ActionId id);
    void submit(const views::Command& command);
    /// The step of the graph with that name that changed something, or the import; -1 when there is none.
    [[nodiscard]] int stage(const std::string& name) const;
    /// The first node of the shown graph with that in its title; -1 when there is none.
    [[nodiscard]] int node(const std::string& part) const;
    /// Pictures of the window, <name>_dark and <name>_light.
    void both_themes(const QString& name);
};

} // namespace orrery::gui_test
