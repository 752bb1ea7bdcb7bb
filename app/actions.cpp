#include "app/actions.hpp"

#include <QCoreApplication>
#include <QWidget>

#include <algorithm>

namespace orrery::app {
namespace {

constexpr ActionRow kRows[] = {
    {ActionId::Open, "File", "Open a model or recipe…", "Ctrl+O"},
    {ActionId::NewScratchpad, "File", "New scratchpad: type a tensor program", "Ctrl+N"},
    {ActionId::Reload, "File", "Reload the model from its file", "F5"},
    {ActionId::SaveRecipe, "File", "Save the recipe…", "Ctrl+S"},
    {ActionId::Export, "File", "Export code…", "Ctrl+E"},
    {ActionId::CloseModel, "File", "Close the model", "Ctrl+W"},
    {ActionId::Quit, "File", "Quit", "Ctrl+Q"},
    {ActionId::Undo, "Edit", "Undo", "Ctrl+Z"},
    {ActionId::Redo, "Edit", "Redo", "Ctrl+Shift+Z"},
    {ActionId::InsertPass, "Edit", "Insert a pass after the selected one…", "Ctrl+I"},
    {ActionId::RemovePass, "Edit", "Remove the selected pass", "Ctrl+Delete"},
    {ActionId::SwitchPass, "Edit", "Switch the selected pass off or on", "Ctrl+D"},
    {ActionId::MoveEarlier, "Edit", "Move the selected pass earlier", "Ctrl+Shift+Left"},
    {ActionId::MoveLater, "Edit", "Move the selected pass later", "Ctrl+Shift+Right"},
    {ActionId::PassOptions, "Edit", "Options of the selected pass…", "F2"},
    {ActionId::EditText, "Edit", "Edit the graph's text by hand", "Ctrl+Shift+T"},
    {ActionId::CopyCommand, "Edit", "Copy the command line that makes this", "Ctrl+Shift+C"},
    {ActionId::Run, "Run", "Run the model", "Ctrl+R"},
    {ActionId::Profile, "Run", "Profile the model: where its time goes", "Ctrl+Shift+R"},
    {ActionId::Tune, "Run", "Tune the kernels, or watch that", "Ctrl+Shift+U"},
    {ActionId::Check, "Run", "Check against the reference", "Ctrl+K"},
    {ActionId::CheckSteps, "Run", "Check the numbers after every pass", "Ctrl+Shift+K"},
    {ActionId::Bisect, "Run", "Find the first wrong pass", "Ctrl+Shift+B"},
    {ActionId::Cancel, "Run", "Cancel what is running", "Ctrl+."},
    {ActionId::Find, "Go", "Find in this pane", "Ctrl+F"},
    {ActionId::FindNext, "Go", "Next hit", "F3"},
    {ActionId::FindPrevious, "Go", "Previous hit", "Shift+F3"},
    {ActionId::GoTo, "Go", "Go to anything…", "Ctrl+P"},
    {ActionId::GoToFunction, "Go", "Go to a tensor program…", "Ctrl+T"},
    {ActionId::Palette, "Go", "All actions…", "Ctrl+Shift+P"},
    {ActionId::Keys, "Go", "List of keys", "?"},
    {ActionId::Back, "Go", "Back to the selection before", "Alt+Left"},
    {ActionId::Forward, "Go", "Forward again", "Alt+Right"},
    {ActionId::NextStage, "Go", "Next stage", "N", true},
    {ActionId::PreviousStage, "Go", "Previous stage", "B", true},
    {ActionId::NextChanged, "Go", "Next stage that changed something", "Shift+N", true},
    {ActionId::PreviousChanged, "Go", "Previous stage that changed something", "Shift+B", true},
    {ActionId::FocusStages, "Go", "To the stages", "Alt+S"},
    {ActionId::FilterStages, "Go", "Filter the stages", "Ctrl+Shift+F"},
    {ActionId::ChangedOnly, "Go", "Only stages that changed something", "", false, true},
    {ActionId::NextPane, "Go", "Next pane", "F6"},
    {ActionId::PreviousPane, "Go", "Previous pane", "Shift+F6"},
    {ActionId::FocusGraph, "Go", "To the graph", "Alt+G"},
    {ActionId::FocusTensor, "Go", "To the tensor program", "Alt+T"},
    {ActionId::FocusLoops, "Go", "To the loops", "Alt+P"},
    {ActionId::FocusCode, "Go", "To the code", "Alt+C"},
    {ActionId::FocusBottom, "Go", "To memory, run, problems", "Alt+B"},
    {ActionId::FocusInspector, "Go", "To the inspector", "Alt+I"},
    {ActionId::FocusScratch, "Go", "To the scratchpad's text", "Alt+E"},
    {ActionId::CompareFile, "Compare", "Compare with a model or recipe…", "Ctrl+Shift+O"},
    {ActionId::CompareFrozen, "Compare", "Compare with this recipe as it is now", ""},
    {ActionId::CompareUnscheduled, "Compare", "Compare with this recipe without schedules", ""},
    {ActionId::CompareUnoptimized, "Compare", "Compare with this recipe at -O0", ""},
    {ActionId::StopComparing, "Compare", "Stop comparing with a second recipe", ""},
    {ActionId::PinLeft, "Compare", "Pin this stage as the left side", "Ctrl+L", false, true},
    {ActionId::SwapSides, "Compare", "Swap the sides", "Ctrl+Shift+L"},
    {ActionId::NextChange, "Compare", "Next change", "F7"},
    {ActionId::PreviousChange, "Compare", "Change before this one", "Shift+F7"},
    {ActionId::ExportDiff, "Compare", "Export the comparison…", "Ctrl+Shift+E"},
    {ActionId::History, "Graph", "History of this value", "H", true},
    {ActionId::FitAll, "Graph", "Fit the whole graph", "Space", true},
    {ActionId::FitSelection, "Graph", "Fit the selection", "F", true},
    {ActionId::ZoomIn, "Graph", "Zoom in", "+", true},
    {ActionId::ZoomOut, "Graph", "Zoom out", "-", true},
    {ActionId::ZoomReset, "Graph", "Zoom to 100 %", "0", true},
    {ActionId::Inputs, "Graph", "Select what this node reads", "I", true},
    {ActionId::Readers, "Graph", "Select what reads this node", "O", true},
    {ActionId::ToggleGroup, "Graph", "Open or close this group", "Return", true},
    {ActionId::OpenGroups, "Graph", "Open all groups", ""},
    {ActionId::CloseGroups, "Graph", "Close all groups", ""},
    {ActionId::GroupRepeats, "Graph", "Group repeated blocks", "", false, true},
    {ActionId::ShowConstants, "Graph", "Draw weights as nodes", "", false, true},
    {ActionId::Heat, "Graph", "Colour the graph by what nodes cost", "Ctrl+H", false, true},
    {ActionId::OverlayLatency, "Graph", "Colour by time (after a run)", "", false, true},
    {ActionId::OverlayFlops, "Graph", "Colour by floating-point operations", "", false, true},
    {ActionId::OverlayBytes, "Graph", "Colour by bytes read and written", "", false, true},
    {ActionId::OverlayIntensity, "Graph", "Colour by FLOP for each byte", "", false, true},
    {ActionId::OverlayError, "Graph", "Colour by error (after a check)", "", false, true},
    {ActionId::GroupBlocks, "Graph", "Group by modules and repeated blocks", "", false, true},
    {ActionId::GroupModules, "Graph", "Group by modules", "", false, true},
    {ActionId::GroupOnlyRepeats, "Graph", "Group by repeated blocks", "", false, true},
    {ActionId::GroupKernels, "Graph", "Group by kernels (what is fused)", "", false, true},
    {ActionId::GroupBackends, "Graph", "Group by backends (partitions)", "", false, true},
    {ActionId::ExportGraph, "Graph", "Export the graph as a picture or table…", "Ctrl+Shift+X"},
    {ActionId::ApplyPrimitive, "Schedule", "Apply a primitive to the selected loop…", "Ctrl+M"},
    {ActionId::EditStep, "Schedule", "Change the selected step of the trace", ""},
    {ActionId::RemoveStep, "Schedule", "Remove the selected step of the trace", ""},
    {ActionId::NextStep, "Schedule", "Show the program one step later", "Ctrl+Alt+Right"},
    {ActionId::PreviousStep, "Schedule", "Show the program one step earlier", "Ctrl+Alt+Left"},
    {ActionId::KeepTrace, "Schedule", "Keep this trace as a branch", ""},
    {ActionId::ResetSchedule, "Schedule", "Back to the default schedule", ""},
    {ActionId::Measure, "Schedule", "Measure this kernel alone", "Ctrl+Shift+M"},
    {ActionId::AttSyntax, "Text", "Assembly in AT&T syntax", "", false, true},
    {ActionId::FoldAll, "Text", "Fold everything in this pane", "Ctrl+Shift+["},
    {ActionId::UnfoldAll, "Text", "Unfold everything in this pane", "Ctrl+Shift+]"},
    {ActionId::LargerCode, "Text", "Larger code", "Ctrl+="},
    {ActionId::SmallerCode, "Text", "Smaller code", "Ctrl+-"},
    {ActionId::LayoutExplore, "View", "Layout: Explore", "Alt+1"},
    {ActionId::LayoutPasses, "View", "Layout: Passes", "Alt+2"},
    {ActionId::LayoutSchedule, "View", "Layout: Schedule", "Alt+3"},
    {ActionId::LayoutRun, "View", "Layout: Run", "Alt+4"},
    {ActionId::LayoutCompare, "View", "Layout: Compare, recipes side by side", "Alt+5"},
    {ActionId::LayoutScratch, "View", "Layout: Scratch, a typed program beside its code", "Alt+6"},
    {ActionId::LayoutProfile, "View", "Layout: Profile, where the time goes", "Alt+7"},
    {ActionId::LayoutTune, "View", "Layout: Tune, faster schedules looked for", "Alt+8"},
    {ActionId::LayoutVta, "View", "Layout: VTA, the accelerator's pipeline", "Alt+V", false, true},
    {ActionId::ResetLayout, "View", "Reset this layout", ""},
    {ActionId::ShowGraph, "View", "Show the graph", "", false, true},
    {ActionId::ShowCode, "View", "Show the code", "", false, true},
    {ActionId::ShowBottom, "View", "Show memory, run, problems", "", false, true},
    {ActionId::ShowInspector, "View", "Show the inspector", "", false, true},
    {ActionId::ShowOperators, "View", "Show the table of operators", "Alt+O"},
    {ActionId::ShowScript, "View", "Show the script of what was done", "Alt+L"},
    {ActionId::ShowMachine, "View", "Show what bounds the machine code", "Alt+K"},
    {ActionId::ShowMeasurements, "View", "Show what was measured, under the roofline", "Alt+R"},
    {ActionId::ShowAccess, "View", "Show what loops touch of buffers and caches", "Alt+A"},
    {ActionId::ExpandStages, "View", "Show stages that changed nothing", "", false, true},
    {ActionId::DarkTheme, "View", "Dark theme, or light", "Ctrl+Shift+D", false, true},
    {ActionId::ColourBlind, "View", "Colours for colour-blind eyes", "", false, true},
};

} // namespace

std::span<const ActionRow> action_rows() { return kRows; }

Actions::Actions(QWidget* window) {
    for (const ActionRow& row : kRows) {
        auto* action = new QAction(QCoreApplication::translate("actions", row.text), window);
        action->setCheckable(row.checkable);
        // Keys of canvases are handled by the canvases: as shortcuts they would eat letters typed elsewhere.
        if (!row.canvas && row.keys[0] != '\0') action->setShortcut(QKeySequence::fromString(QLatin1String(row.keys)));
        action->setToolTip(action->text());
        window->addAction(action);
        actions_.emplace(static_cast<int>(row.id), action);
    }
}

void Actions::on(ActionId id, std::function<void()> run) {
    QObject::connect((*this)[id], &QAction::triggered, (*this)[id], [run = std::move(run)] { run(); });
}

void Actions::on_toggled(ActionId id, std::function<void(bool)> run) {
    QObject::connect((*this)[id], &QAction::toggled, (*this)[id],
                     [run = std::move(run)](bool checked) { run(checked); });
}

void Actions::enable(ActionId id, bool on, const QString& why_not) {
    QAction* action = (*this)[id];
    action->setEnabled(on);
    action->setStatusTip(on ? QString() : why_not);
    action->setToolTip(on || why_not.isEmpty() ? action->text() : action->text() + QStringLiteral("\n") + why_not);
}

std::vector<QAction*> Actions::all() const {
    std::vector<QAction*> found;
    for (const ActionRow& row : kRows) found.push_back((*this)[row.id]);
    return found;
}

std::vector<qt::PaletteEntry> Actions::palette() const {
    std::vector<qt::PaletteEntry> entries;
    for (const ActionRow& row : kRows) {
        QAction* action = (*this)[row.id];
        qt::PaletteEntry entry;
        entry.text = action->text();
        entry.detail = action->isEnabled()
                           ? QLatin1String(row.section) +
                                 (action->isCheckable() && action->isChecked() ? QStringLiteral(" · on") : QString())
                           : action->statusTip();
        entry.keys = QKeySequence::fromString(QLatin1String(row.keys)).toString(QKeySequence::NativeText);
        entry.enabled = action->isEnabled();
        entry.run = [action] { action->trigger(); };
        entries.push_back(std::move(entry));
    }
    return entries;
}

std::vector<qt::KeyRow> Actions::keys() const {
    std::vector<qt::KeyRow> rows;
    for (const ActionRow& row : kRows)
        if (row.keys[0] != '\0')
            rows.push_back({QLatin1String(row.section),
                            QKeySequence::fromString(QLatin1String(row.keys)).toString(QKeySequence::NativeText),
                            (*this)[row.id]->text()});
    rows.push_back({QStringLiteral("File"), QStringLiteral("Ctrl+1 … 9"),
                    QCoreApplication::translate("actions", "Open a recent file")});
    std::stable_sort(rows.begin(), rows.end(), [](const qt::KeyRow& a, const qt::KeyRow& b) {
        const auto rank = [](const QString& section) {
            return QStringList{QStringLiteral("File"),  QStringLiteral("Edit"),    QStringLiteral("Run"),
                               QStringLiteral("Go"),    QStringLiteral("Compare"), QStringLiteral("Schedule"),
                               QStringLiteral("Graph"), QStringLiteral("Text"),    QStringLiteral("View")}
                .indexOf(section);
        };
        return rank(a.section) < rank(b.section);
    });
    return rows;
}

} // namespace orrery::app
