#pragma once
// What a view asks for; the window's workbench carries it out.

#include "core/session/trace_edit.hpp"
#include "views/model/graph_view.hpp"
#include "views/model/selection.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <variant>

namespace orrery::views {

struct OpenFile {
    std::string path;
};
struct OpenSample {
    std::string name;
};
struct CloseModel {};
struct Reload {};
struct SelectStage {
    int id = 0;
};
struct SelectFunction {
    std::string name;
};
struct Select {
    Selection selection;
};
struct ToggleGroup {
    std::string name;
};
struct OpenAllGroups {
    bool open = true;
};
struct GroupRepeats {
    bool on = true;
};
struct ShowConstants {
    bool on = false;
};
struct ShowHeat {
    bool on = false;
};
struct EnablePass {
    int stage = 0;
    bool on = true;
};
/// Of the recipe's list of passes, as it is when the command arrives.
struct InsertPass {
    int at = 0; ///< index it will have
    std::string name;
};
struct RemovePass {
    int pass = 0;
};
struct MovePass {
    int from = 0, to = 0; ///< index before, index afterwards
};
struct SetPassOption {
    int pass = 0;            ///< -1: the import, whose options are the shapes of its inputs
    std::string name, value; ///< an empty value where the option's own is not empty: back to the fallback
};
struct SetLevel {
    int level = 3; ///< the whole list becomes the pipeline of that level
};
/// Goes on from this text after a graph step; that of a step which is such an edit replaces it.
struct ApplyText {
    int stage = 0;
    std::string text;
};
struct ShowEditor {
    bool on = true; ///< the shown step's text is wanted
};
struct CheckSteps {};
struct Bisect {};
/// Undoes or redoes up to an entry of the script.
struct GoToEdit {
    int entry = 0;
};
struct ChooseOverlay {
    Overlay overlay = Overlay::Latency;
};
struct ChooseGroups {
    GroupBy by = GroupBy::Blocks;
};
/// The graph as .svg or .dot, its table as .csv; .png is the window's.
struct ExportView {
    std::string path;
};
struct SetThreads {
    int count = 1;
};
struct RunModel {};
struct CheckModel {};
struct ExportCode {
    std::string path;
}; ///< .o, .s or .ll
struct SaveRecipe {
    std::string path;
};
struct CancelJobs {};
struct Undo {};
struct Redo {};
struct ClearProblems {};

/// Whether comparisons are computed and shown.
struct ShowDiff {
    bool on = true;
};
/// Keeps the selected stage as the left side, or lets it go.
struct PinLeft {
    bool on = true;
};
struct SwapSides {};
/// Opens another recipe beside the open one: a file, a built-in network, or a variant of it.
struct CompareWith {
    enum class What : std::uint8_t { File, Sample, Frozen, Unscheduled, Unoptimized, Target, Branch };
    What what = What::Frozen;
    std::string name; ///< of the file, network or branch; the target as the command line has it
};
/// Closes all of them.
struct StopComparing {};
/// Whether recipes are shown side by side.
struct ShowSides {
    bool on = true;
};
/// Compares the texts with another of them: an index into Screen::other_titles.
struct ChooseOther {
    int index = 0;
};
struct CloseOther {
    int index = 0;
};
/// Shows where the selected value came from and what became of it.
struct ShowHistory {
    bool on = true;
    std::string value; ///< name of the node; empty: what fits the selection best
};
struct ExportDiff {
    std::string path; ///< .html, .json or .txt
};

/// Changes the schedule of the shown function.
struct EditTrace {
    session::TraceEdit edit;
};
/// What can be done at a place of the shown program is wanted; nothing any more when it is empty.
struct ShowMenu {
    std::string place;
};
/// What a step, as text, would make of the shown program is wanted; nothing any more when it is empty.
struct PreviewStep {
    std::string step;
};
/// What the shown program's blocks touch is wanted, or no longer; see AccessOptions.
struct ShowAccess {
    bool on = true;
    std::string place, buffer;
};
/// Assembly in AT&T's syntax, or in Intel's.
struct AttSyntax {
    bool on = true;
};

/// Measures the shown function's schedule alone.
struct MeasureFunction {};
/// Stops a measurement that is under way, nothing else.
struct CancelMeasuring {};
/// Runs the model many times to see where its time goes; or stops that, and nothing else.
struct ProfileModel {
    bool on = true;
};
/// Whether what was measured of the shown function is wanted.
struct ShowMeasurements {
    bool on = true;
};

/// What is told to a tuning, and what is looked at of one.
struct Tune {
    enum class What : std::uint8_t {
        Start, ///< `number` trials by the search of that name; of the shown function alone where `only_shown`
        Pause,
        Resume,
        Stop,
        Seed,         ///< the shown function's schedule is tried next
        Pin,          ///< of `knob`, no value but `value` is tried
        Free,         ///< all of `knob` again
        Apply,        ///< traces that are faster become the recipe's
        Show,         ///< whether it is shown at all: `number` 1 or 0
        ShowTask,     ///< the kernel of `workload`
        ShowTrial,    ///< the trial `number`
        CompareTrial, ///< beside that one
        ShowPair,     ///< both trials' programs: 0, LLVM IR: 1, assembly: 2; nothing of them: -1
        ByTime,       ///< the curve over seconds: `number` 1 or 0
    };
    What what = What::Start;
    int number = 0;
    std::string workload = {}, knob = {}, search = {};
    std::int64_t value = 0;
    bool only_shown = false;
};

using Command =
    std::variant<OpenFile, OpenSample, CloseModel, Reload, SelectStage, SelectFunction, Select, ToggleGroup,
                 OpenAllGroups, GroupRepeats, ShowConstants, ShowHeat, EnablePass, InsertPass, RemovePass, MovePass,
                 SetPassOption, SetLevel, ApplyText, ShowEditor, CheckSteps, Bisect, GoToEdit, ChooseOverlay,
                 ChooseGroups, ExportView, SetThreads, RunModel, CheckModel, ExportCode, SaveRecipe, CancelJobs, Undo,
                 Redo, ClearProblems, ShowDiff, PinLeft, SwapSides, CompareWith, StopComparing, ShowSides, ChooseOther,
                 CloseOther, ShowHistory, ExportDiff, EditTrace, ShowMenu, PreviewStep, AttSyntax, MeasureFunction,
                 CancelMeasuring, ShowMeasurements, ShowAccess, ProfileModel, Tune>;
using CommandSink = std::function<void(const Command&)>;

} // namespace orrery::views
