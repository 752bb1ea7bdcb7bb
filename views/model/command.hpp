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

using Command = std::variant<OpenFile, OpenSample, CloseModel, Reload, SelectStage, SelectFunction, Select, ToggleGroup,
                             OpenAllGroups, GroupRepeats, ShowConstants, ShowHeat, EnablePass, SetThreads, RunModel,
                             CheckModel, ExportCode, SaveRecipe, CancelJobs, Undo, Redo, ClearProblems>;
using CommandSink = std::function<void(const Command&)>;

} // namespace orrery::views
