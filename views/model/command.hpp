#pragma once
// What a view asks for; the window's workbench carries it out.

#include "views/model/selection.hpp"

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
/// Opens a second recipe: a file, a built-in network, or a variant of the one that is open.
struct CompareWith {
    enum class What : std::uint8_t { File, Sample, Frozen, Unscheduled, Unoptimized };
    What what = What::Frozen;
    std::string name; ///< of the file or network
};
struct StopComparing {};
/// Shows where the selected value came from and what became of it.
struct ShowHistory {
    bool on = true;
    std::string value; ///< name of the node; empty: what fits the selection best
};
struct ExportDiff {
    std::string path; ///< .html, .json or .txt
};

using Command = std::variant<OpenFile, OpenSample, CloseModel, Reload, SelectStage, SelectFunction, Select, ToggleGroup,
                             OpenAllGroups, GroupRepeats, ShowConstants, ShowHeat, EnablePass, SetThreads, RunModel,
                             CheckModel, ExportCode, SaveRecipe, CancelJobs, Undo, Redo, ClearProblems, ShowDiff,
                             PinLeft, SwapSides, CompareWith, StopComparing, ShowHistory, ExportDiff>;
using CommandSink = std::function<void(const Command&)>;

} // namespace orrery::views
