#pragma once
// The panes of a model and how they are arranged: graph, tensor program, code; below what it costs.

#include "app/window_memory_panel.hpp"
#include "app/window_settings.hpp"
#include "app/window_tune_panel.hpp"
#include "views/model/screen.hpp"
#include "views/qt/access_panel.hpp"
#include "views/qt/diff_panel.hpp"
#include "views/qt/edit_panel.hpp"
#include "views/qt/graph_view.hpp"
#include "views/qt/history_panel.hpp"
#include "views/qt/inspector_panel.hpp"
#include "views/qt/loop_panel.hpp"
#include "views/qt/measure_panel.hpp"
#include "views/qt/pane.hpp"
#include "views/qt/profile_panel.hpp"
#include "views/qt/run_panel.hpp"
#include "views/qt/sides_panel.hpp"
#include "views/qt/table_panel.hpp"
#include "views/qt/text_view.hpp"

#include <QMainWindow>
#include <QTimer>

#include <array>
#include <vector>

class QDockWidget;
class QSplitter;
class QStackedWidget;

namespace orrery::app {

/// Arrangements shipped with the program; each is kept as the user left it until it is reset.
enum class Arrangement : std::uint8_t { Explore, Passes, Schedule, Run, Compare, Scratch, Profile, Tune };
inline constexpr int kArrangements = 8;
[[nodiscard]] QString arrangement_name(Arrangement arrangement);
/// By its name, any case; Schedule when unknown.
[[nodiscard]] Arrangement arrangement_named(const QString& name);

enum class PaneId : std::uint8_t { Graph, Tensor, Code, Bottom, Inspector, Loops };

class Workspace : public QMainWindow {
    Q_OBJECT
  public:
    explicit Workspace(Settings& settings, QWidget* parent = nullptr);

    /// Shows the tensor program of `next`, the selection's lines marked, those of the chosen loop where they are there;
    /// false when it is shown already or nobody sees it. The rest of `show_programs` follows.
    bool show_tensor(const views::Screen& next, const views::Selection& selection);
    /// Shows loops, trace, tensor program and code, with the lines of the selection marked: what is looked at after an
    /// edit, and nothing else.
    void show_programs(const views::Screen& next, const views::Selection& selection);
    /// Shows what else of `next` is not that of `before`.
    void show_screen(const views::Screen& before, const views::Screen& next);
    /// Marks a selection everywhere but in `source`.
    void show_selection(const views::Selection& selection, const QObject* source);
    void set_sink(const views::CommandSink& sink);

    void arrange(Arrangement arrangement);
    void reset_arrangement();
    void keep_arrangement();
    [[nodiscard]] Arrangement arrangement() const { return arrangement_; }
    void focus_pane(PaneId pane);
    void cycle_focus(bool forward);
    void show_pane(PaneId pane, bool on);
    [[nodiscard]] bool pane_shown(PaneId pane) const;
    void show_bottom_tab(int tab);
    enum BottomTab {
        MemoryTab,
        RunTab,
        ProblemsTab,
        DiffTab,
        HistoryTab,
        OperatorsTab,
        ScriptTab,
        TextTab,
        MachineTab,
        MeasureTab,
        AccessTab,
        ProfileTab
    };
    enum CodeTab { LlvmTab, AssemblyTab };
    void show_code_tab(int tab);

    [[nodiscard]] qt::GraphView* graph() const { return graph_; }
    /// The graph that is meant: of those side by side the one with the focus, else the graph's pane.
    [[nodiscard]] qt::GraphView* current_graph() const;
    /// Graphs that come are other steps of those that are there: they are exchanged in place.
    void hold_graphs();
    /// Whether recipes stand side by side: in the Compare arrangement.
    [[nodiscard]] bool sides_shown() const { return arrangement_ == Arrangement::Compare; }
    [[nodiscard]] qt::SidesPanel* sides() const { return sides_; }
    /// Whether the middle shows a comparison: in the Passes arrangement.
    [[nodiscard]] bool diff_shown() const;
    [[nodiscard]] qt::DiffPanel* diff() const { return diff_; }
    [[nodiscard]] qt::TablePanel* figures() const { return figures_; }
    [[nodiscard]] qt::TablePanel* changes() const { return changes_; }
    [[nodiscard]] qt::HistoryPanel* history() const { return history_; }
    [[nodiscard]] qt::LoopPanel* loops() const { return loops_; }
    /// The loops of the machine code and what bounds each; beside it the ports of the hot one.
    [[nodiscard]] qt::TablePanel* machine() const { return machine_; }
    [[nodiscard]] qt::TablePanel* ports() const { return ports_; }
    [[nodiscard]] qt::MeasurePanel* measure() const { return measure_; }
    [[nodiscard]] qt::AccessPanel* access() const { return access_; }
    /// The tuning dashboard: in the Tune arrangement.
    [[nodiscard]] TunePanel* tune() const { return tune_; }
    [[nodiscard]] qt::ProfilePanel* profile() const { return profile_; }
    [[nodiscard]] qt::TextView* tensor() const { return tensor_; }
    [[nodiscard]] qt::TextView* llvm() const { return llvm_; }
    [[nodiscard]] qt::TextView* assembly() const { return assembly_; }
    [[nodiscard]] MemoryPanel* memory() const { return memory_; }
    [[nodiscard]] qt::RunPanel* run() const { return run_; }
    [[nodiscard]] qt::TablePanel* problems() const { return problems_; }
    [[nodiscard]] qt::TablePanel* operators() const { return operators_; }
    [[nodiscard]] qt::TablePanel* script() const { return script_; }
    [[nodiscard]] qt::EditPanel* editor() const { return editor_; }
    /// The text of a scratchpad, beside what is made of it: in the Scratch arrangement.
    [[nodiscard]] qt::EditPanel* scratch() const { return scratch_; }
    [[nodiscard]] int bottom_tab() const;
    [[nodiscard]] qt::InspectorPanel* inspector() const { return inspector_; }
    /// The text view that has the focus, else the tensor program.
    [[nodiscard]] qt::TextView* current_text() const;

  signals:
    void selection_requested(const orrery::views::Selection& selection, QObject* source);
    void function_requested(const QString& name);
    void function_list_requested();
    void heat_requested(bool on);
    void overlay_menu_requested(const QPoint& at);
    void history_requested(int entry);
    /// The text of the shown step is to be seen, or no longer.
    void editor_shown(bool on);
    void access_wanted(const orrery::views::ShowAccess& what);
    void panes_changed();
    void diff_shown_changed(bool shown);
    void history_shown_changed(bool shown);
    void measurements_shown_changed(bool shown);
    void sides_shown_changed(bool shown);

  protected:
    void showEvent(QShowEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    QDockWidget* add_dock(const QString& name, qt::PaneHeader* header, QWidget* content, Qt::DockWidgetArea area);
    void build_graph();
    void build_texts();
    void build_bottom();
    void build_comparison();
    void connect_selection();
    void default_sizes();
    void show_notes(const views::Screen& screen);
    void show_code_note();

    Settings& settings_;
    Arrangement arrangement_ = Arrangement::Schedule;
    bool shipped_sizes_ = true; ///< the user has not changed this arrangement yet
    qt::GraphView* graph_ = nullptr;
    qt::LoopPanel* loops_ = nullptr;
    QSplitter* schedule_ = nullptr; ///< a scratchpad's text, loops, the tensor program
    qt::TablePanel *machine_ = nullptr, *ports_ = nullptr;
    qt::MeasurePanel* measure_ = nullptr;
    qt::AccessPanel* access_ = nullptr;
    qt::ProfilePanel* profile_ = nullptr;
    TunePanel* tune_ = nullptr;
    qt::TextView *tensor_ = nullptr, *llvm_ = nullptr, *assembly_ = nullptr;
    MemoryPanel* memory_ = nullptr;
    qt::RunPanel* run_ = nullptr;
    qt::TablePanel* problems_ = nullptr;
    qt::TablePanel *operators_ = nullptr, *script_ = nullptr;
    qt::EditPanel *editor_ = nullptr, *scratch_ = nullptr;
    qt::Pane* scratch_pane_ = nullptr;
    qt::InspectorPanel* inspector_ = nullptr;
    qt::DiffPanel* diff_ = nullptr;
    qt::SidesPanel* sides_ = nullptr;
    qt::TablePanel *figures_ = nullptr, *changes_ = nullptr;
    qt::HistoryPanel* history_ = nullptr;
    qt::PaneHeader *graph_header_ = nullptr, *tensor_header_ = nullptr, *code_header_ = nullptr,
                   *bottom_header_ = nullptr, *inspector_header_ = nullptr;
    QStackedWidget *code_stack_ = nullptr, *bottom_stack_ = nullptr, *middle_ = nullptr;
    QDockWidget *graph_dock_ = nullptr, *code_dock_ = nullptr, *bottom_dock_ = nullptr, *inspector_dock_ = nullptr;
    QToolButton *heat_button_ = nullptr, *overlay_button_ = nullptr;
    std::array<QString, 2> code_notes_;
    QTimer code_wait_;         ///< runs while the code shown is that of the program before
    bool code_is_old_ = false; ///< for long enough that it is said
    std::array<QString, 12> bottom_notes_;
};

} // namespace orrery::app
