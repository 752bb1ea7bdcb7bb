#pragma once
// The memory plan: the canvas and its table twin, one selection.

#include "app/window_imgui_host.hpp"
#include "views/imgui/memory_canvas.hpp"
#include "views/qt/table_panel.hpp"

#include <QWidget>

namespace orrery::app {

class MemoryPanel : public QWidget {
    Q_OBJECT
  public:
    explicit MemoryPanel(QWidget* parent = nullptr);
    void set_data(std::shared_ptr<const views::MemoryViewData> data);
    void set_selection(const views::Selection& selection);
    [[nodiscard]] ImGuiHost* canvas() const { return canvas_; }
    [[nodiscard]] qt::TablePanel* table() const { return table_; }
    [[nodiscard]] const imgui::MemoryUiState& state() const { return state_; }

  signals:
    void selection_requested(const orrery::views::Selection& selection);

  protected:
    void changeEvent(QEvent* event) override;

  private:
    void select_box(int box);
    void set_style();
    std::shared_ptr<const views::MemoryViewData> data_;
    imgui::MemoryUiState state_;
    ImGuiHost* canvas_ = nullptr;
    qt::TablePanel* table_ = nullptr;
};

} // namespace orrery::app
