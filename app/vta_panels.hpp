#pragma once
// The canvases of the VTA page inside Qt: pipeline timeline, roofline, memories while stepping.

#include "app/vta_job.hpp"
#include "app/window_imgui_host.hpp"
#include "views/imgui/vta_roofline_canvas.hpp"
#include "views/imgui/vta_sram_canvas.hpp"
#include "views/imgui/vta_timeline_canvas.hpp"
#include "views/qt/table_panel.hpp"

#include <QWidget>

class QLabel;
class QLineEdit;
class QSpinBox;
class QToolButton;

namespace orrery::app {

/// The pipeline; its table twin is the instruction list.
class VtaTimelinePanel : public QWidget {
    Q_OBJECT
  public:
    explicit VtaTimelinePanel(QWidget* parent = nullptr);
    /// Another run keeps the zoom when it is as long as the one before.
    void set_data(views::VtaTimelineData data);
    void set_selected(std::uint32_t instruction);
    void set_range(std::uint64_t begin, std::uint64_t end);
    void set_colouring(imgui::VtaColouring colouring);
    void set_tokens(bool on);
    void go_to_stall(int direction);
    void fit();
    [[nodiscard]] ImGuiHost* canvas() const { return canvas_; }
    [[nodiscard]] imgui::VtaTimelineUiState& state() { return state_; }
    [[nodiscard]] const views::VtaTimelineData& data() const { return data_; }

  signals:
    void commanded(const orrery::views::VtaCommand& command);

  protected:
    void changeEvent(QEvent* event) override;

  private:
    [[nodiscard]] views::VtaSink sink();
    views::VtaTimelineData data_;
    imgui::VtaTimelineUiState state_;
    ImGuiHost* canvas_ = nullptr;
};

/// What bounds the run: a sentence, the roofline; its table twin is the list of origins.
class VtaBoundPanel : public QWidget {
    Q_OBJECT
  public:
    explicit VtaBoundPanel(QWidget* parent = nullptr);
    void set_statistics(std::shared_ptr<const views::VtaStatistics> a, std::shared_ptr<const views::VtaStatistics> b);
    void set_origin(int origin);
    [[nodiscard]] ImGuiHost* canvas() const { return canvas_; }
    [[nodiscard]] QString sentence() const;

  signals:
    void commanded(const orrery::views::VtaCommand& command);

  protected:
    void changeEvent(QEvent* event) override;

  private:
    std::shared_ptr<const views::VtaStatistics> a_, b_;
    imgui::VtaRooflineUiState state_;
    QLabel *sentence_ = nullptr, *figures_ = nullptr;
    ImGuiHost* canvas_ = nullptr;
};

/// Stepping: memories as grids, the values of a tile, tokens, queues, breakpoints.
class VtaStepPanel : public QWidget {
    Q_OBJECT
  public:
    explicit VtaStepPanel(QWidget* parent = nullptr);
    void set_run(std::shared_ptr<const views::VtaRun> run);
    /// The answer to the move of that serial number.
    void set_view(std::shared_ptr<const views::VtaStepView> view, std::uint64_t serial);
    void toggle_breakpoint(std::uint32_t instruction);
    [[nodiscard]] const std::vector<views::VtaBreakpoint>& breakpoints() const { return breakpoints_; }
    [[nodiscard]] const views::VtaStepView& view() const { return *view_; }
    [[nodiscard]] ImGuiHost* canvas() const { return canvas_; }
    [[nodiscard]] QLineEdit* breakpoint_field() const { return breakpoint_; }
    [[nodiscard]] QToolButton* button(int index) const { return buttons_[static_cast<std::size_t>(index)]; }
    enum Button { Start, Back, Forward, BreakBack, BreakForward };

  signals:
    void moved(const orrery::app::VtaMove& move);
    void breakpoints_changed();
    void refused(const QString& why);

  protected:
    void changeEvent(QEvent* event) override;

  private:
    QWidget* build_controls();
    void go(std::uint64_t position);
    void run_to_break(int direction);
    void add_breakpoint();
    void show_tile(const views::VtaTile& tile);
    void show_breakpoints();

    std::shared_ptr<const views::VtaRun> run_;
    std::shared_ptr<const views::VtaStepView> view_;
    std::vector<views::VtaBreakpoint> breakpoints_;
    imgui::VtaSramUiState state_;
    views::VtaTile tile_;
    std::uint64_t wanted_ = 0; ///< the position asked for; the view follows
    std::uint64_t serial_ = 0; ///< of the last move asked for
    ImGuiHost* canvas_ = nullptr;
    QLabel *headline_ = nullptr, *values_ = nullptr, *breaks_ = nullptr;
    QLineEdit *breakpoint_ = nullptr, *tile_field_ = nullptr;
    QSpinBox* position_ = nullptr;
    std::array<QToolButton*, 5> buttons_{};
    qt::TablePanel *queues_ = nullptr, *tokens_ = nullptr;
    bool filling_ = false;
};

} // namespace orrery::app
