#pragma once
// The VTA page of the window: programs of the accelerator, their pipeline cycle by cycle, and what bounds them.
// Needs no model.

#include "app/vta_job.hpp"
#include "app/vta_panels.hpp"
#include "views/qt/pane.hpp"
#include "views/qt/vta_config_panel.hpp"
#include "views/qt/vta_instruction_list.hpp"

#include <QTimer>
#include <QWidget>

#include <optional>
#include <vector>

class QMenu;
class QSplitter;
class QStackedWidget;
class QToolButton;

namespace orrery::app {

class VtaPage : public QWidget {
    Q_OBJECT
  public:
    explicit VtaPage(QWidget* parent = nullptr);

    /// An example or a program file, under the configuration in use. False with a hint when it cannot be read.
    bool open(const QString& program);
    void set_threads(int threads);
    void set_preset(const QString& name);
    void set_config(const vta::Config& config);
    /// One thread beside two: the same program, twice.
    void compare_threads();
    /// Keeps what is shown as B; A is free to change.
    void keep_as_b();
    void swap();
    void drop_b();
    void edit_instruction(std::uint32_t index, const vta::Instruction& instruction);
    void select_instruction(std::uint32_t index);
    void select_range(std::uint64_t begin, std::uint64_t end);
    /// A run simulated elsewhere; for measurements.
    void show_run(std::shared_ptr<const views::VtaRun> run);
    void export_trace(const QString& path);
    /// Ends what is computed; the choices go back to those of what is shown.
    void cancel();
    [[nodiscard]] bool busy() const { return !doing_.isEmpty(); } ///< long enough to say so
    void undo() { travel(-1); }
    void redo() { travel(1); }
    /// True when nothing is computed and everything computed is shown.
    [[nodiscard]] bool idle() const { return job_->idle(); }

    [[nodiscard]] const views::VtaRequest& request() const { return history_[at_]; }
    [[nodiscard]] const std::shared_ptr<const views::VtaRun>& run() const { return data_.a; }
    [[nodiscard]] const std::shared_ptr<const views::VtaRun>& other_run() const { return data_.b; }
    [[nodiscard]] const std::shared_ptr<const views::VtaStatistics>& statistics() const { return statistics_[0]; }
    [[nodiscard]] VtaTimelinePanel* timeline() const { return timeline_; }
    [[nodiscard]] VtaBoundPanel* bound() const { return bound_; }
    [[nodiscard]] VtaStepPanel* stepping() const { return step_; }
    [[nodiscard]] qt::VtaInstructionList* instructions() const { return list_; }
    [[nodiscard]] qt::VtaConfigPanel* config_panel() const { return config_; }
    [[nodiscard]] qt::TablePanel* table(int tab) const { return tables_[static_cast<std::size_t>(tab)]; }
    [[nodiscard]] QString hint() const { return hint_; }
    enum BottomTab { InstructionsTab, StepTab, UtilizationTab, MemoryTab, OriginsTab, CompareTab, FindingsTab };
    enum SideTab { BoundTab, MachineTab };
    void show_bottom_tab(int tab);
    void show_side_tab(int tab);
    enum TableId { Modules, Causes, Memory, Energy, Origins, Compare, Findings, Fields, kTables };

  signals:
    void title_changed(const QString& title);
    void hint_changed(const QString& hint);
    void busy_changed(bool busy); ///< something takes long, and can be cancelled; or no longer

  protected:
    void showEvent(QShowEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    QWidget* build_bar();
    void fill_program_menu(QMenu* menu);
    QWidget* build_timeline();
    QWidget* build_side();
    QWidget* build_bottom();
    void connect_job();
    void connect_views();
    void obey(const views::VtaCommand& command);
    /// Makes it the request of A, undoably, and simulates.
    void request(views::VtaRequest next);
    void travel(int direction);
    void refresh();
    void show_statistics();
    void show_fields();
    void say(const QString& hint);
    void show_note();
    void show_progress();
    void default_sizes();

    VtaJob* job_ = nullptr;
    std::vector<views::VtaRequest> history_{views::VtaRequest{}};
    std::size_t at_ = 0;
    std::optional<views::VtaRequest> request_b_;
    views::VtaTimelineData data_;
    std::array<std::shared_ptr<const views::VtaStatistics>, 2> statistics_;
    bool started_ = false;
    bool sized_ = false; ///< the user has moved a splitter
    QString hint_, doing_;
    QTimer busy_; ///< first after what is long, then while it lasts

    QToolButton *program_ = nullptr, *preset_ = nullptr, *one_ = nullptr, *two_ = nullptr, *hide_ = nullptr,
                *keep_ = nullptr, *swap_ = nullptr, *drop_ = nullptr;
    QSplitter *rows_ = nullptr, *top_ = nullptr;
    QToolButton* stop_ = nullptr;
    qt::PaneHeader *timeline_header_ = nullptr, *side_header_ = nullptr, *bottom_header_ = nullptr;
    QStackedWidget *side_stack_ = nullptr, *bottom_stack_ = nullptr;
    VtaTimelinePanel* timeline_ = nullptr;
    VtaBoundPanel* bound_ = nullptr;
    VtaStepPanel* step_ = nullptr;
    qt::VtaInstructionList* list_ = nullptr;
    qt::VtaConfigPanel* config_ = nullptr;
    std::array<qt::TablePanel*, kTables> tables_{};
};

} // namespace orrery::app
