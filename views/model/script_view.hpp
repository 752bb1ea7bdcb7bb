#pragma once
// What was done to the recipe, and the text of a step to be edited by hand.

#include "core/base/origin.hpp"
#include "views/model/table.hpp"

#include <string>
#include <vector>

namespace orrery::views {

/// Every action as a command line that makes the same of the model.
struct ScriptViewData {
    Table table;         ///< step, action, command line; row i is entry i, its details are the command line
    int current = -1;    ///< the row in force; later ones were undone
    std::string command; ///< of the row in force
    friend bool operator==(const ScriptViewData&, const ScriptViewData&) = default;
};

/// What a line of a typed text defines: the model's nodes that stand for it.
struct EditLink {
    int line = 0; ///< from 1
    OriginSet origins;
    int tint = -1; ///< of the block it became, as the tensor program is tinted; -1 for none
};

/// The graph text after the shown step, or the text of a scratchpad.
struct EditViewData {
    int stage = -1;       ///< the step it is of; -1 when nothing is to be edited
    std::string title;    ///< "after FoldConstant", "HandEdit"
    std::string text;     ///< as print_module writes it, or as it was typed
    bool is_edit = false; ///< the step is an edit: applying replaces its text
    bool live = false;    ///< a scratchpad: what is typed is applied by itself
    std::string opened;   ///< the text a scratchpad was opened with: another one is another scratchpad
    std::vector<EditLink> links;
    int error_line = 0; ///< from 1; 0 for none
    int error_column = 0;
    std::string error;
    std::string empty_reason = "Open a model: the text of the graph that is shown can be edited here.";
};

[[nodiscard]] std::string to_text(const ScriptViewData& data);
[[nodiscard]] std::string to_json(const ScriptViewData& data);
[[nodiscard]] std::string to_text(const EditViewData& data);
[[nodiscard]] std::string to_json(const EditViewData& data);

} // namespace orrery::views
