#pragma once
// The tuning dashboard: what can be told to a tuning, its plots and roofline, and the same as tables.

#include "app/window_imgui_host.hpp"
#include "views/imgui/tune_canvas.hpp"
#include "views/model/diff_view.hpp"
#include "views/qt/diff_panel.hpp"
#include "views/qt/pane.hpp"
#include "views/qt/roofline_view.hpp"
#include "views/qt/table_panel.hpp"

#include <QElapsedTimer>
#include <QTimer>
#include <QWidget>

class QCheckBox;
class QComboBox;
class QLabel;
class QProgressBar;
class QPushButton;
class QSpinBox;
class QStackedWidget;

namespace orrery::app {

class TunePanel : public QWidget {
    Q_OBJECT
  public:
    enum Tab { TasksTab, TrialsTab, KnobsTab, FailuresTab, PairTab };
    enum PairLevel { ProgramLevel, LlvmLevel, AssemblyLevel };
    explicit TunePanel(QWidget* parent = nullptr);
    void set_sink(views::CommandSink sink) { sink_ = std::move(sink); }
    void set_data(std::shared_ptr<const views::TuneViewData> data);
    void set_pair(std::shared_ptr<const views::DiffViewData> pair);
    [[nodiscard]] ImGuiHost* canvas() const { return canvas_; }
    [[nodiscard]] const imgui::TuneUiState& state() const { return state_; }
    [[nodiscard]] qt::RooflineView* roofline() const { return roofline_; }
    [[nodiscard]] qt::TablePanel* table(Tab tab) const { return tables_[static_cast<std::size_t>(tab)]; }
    [[nodiscard]] qt::DiffPanel* pair() const { return diff_; }
    [[nodiscard]] int tab() const { return tabs_->selected_tab(); }
    void show_tab(Tab tab) { tabs_->select_tab(tab); }
    enum Button { StartButton, PauseButton, StopButton, SeedButton, PinButton, ApplyButton, TimeButton, kButtons };
    [[nodiscard]] QPushButton* button(Button which) const { return buttons_[static_cast<std::size_t>(which)]; }
    [[nodiscard]] QSpinBox* trials() const { return trials_; }
    [[nodiscard]] QComboBox* search() const { return search_; }
    [[nodiscard]] QCheckBox* only_shown() const { return only_; }
    [[nodiscard]] QString said() const;

  signals:
    void selection_requested(const orrery::views::Selection& selection);

  protected:
    void changeEvent(QEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

  private:
    QWidget* build_line();
    QWidget* build_plots();
    QWidget* build_tables();
    QWidget* build_pair();
    void connect_buttons();
    void connect_tables();
    void tell(const views::Tune& what) const;
    void apply_data(std::shared_ptr<const views::TuneViewData> data);
    void show_state();
    void show_tables();
    void fill(Tab tab, const views::Table& table, int row);
    void set_style();

    views::CommandSink sink_;
    std::shared_ptr<const views::TuneViewData> data_, next_; ///< shown; soon to be
    QTimer pace_;
    QElapsedTimer shown_;
    imgui::TuneUiState state_;
    std::array<QPushButton*, kButtons> buttons_{};
    QSpinBox* trials_ = nullptr;
    QComboBox* search_ = nullptr;
    QCheckBox* only_ = nullptr;
    QLabel *said_ = nullptr, *note_ = nullptr;
    QProgressBar* progress_ = nullptr;
    ImGuiHost* canvas_ = nullptr;
    qt::RooflineView* roofline_ = nullptr;
    qt::PaneHeader *tabs_ = nullptr, *levels_ = nullptr;
    QStackedWidget* stack_ = nullptr;
    std::array<qt::TablePanel*, 5> tables_{};
    qt::DiffPanel* diff_ = nullptr;
    bool filling_ = false; ///< tables are being filled: what they select was not asked for
};

} // namespace orrery::app
