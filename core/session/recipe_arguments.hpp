#pragma once
// Recipes as words of a command line, both ways: what the window does can be done without it.

#include "core/session/recipe.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace orrery::session {

/// Changes of a recipe as `orrery --pass ...` takes them, in the order in which they apply. A pass that stands more
/// than once is named "NAME#2".
struct RecipeArguments {
    int level = -1;                   ///< -O: the pipeline of that level first; -1 for the recipe's own
    std::vector<std::string> passes;  ///< --pass: exactly these, in this order; "none" alone for no pass
    std::vector<std::string> without; ///< --without: switched off
    std::vector<std::string> options; ///< --pass-option: "NAME.KEY=VALUE"; "@FILE" as value is read, "@@" is "@"
    std::vector<std::string>
        schedules;              ///< --schedule: "WORKLOAD=TRACE", the hash of a workload and its trace; "@FILE" is read
    int codegen_level = -1;     ///< --codegen-level: of the backend
    bool no_contract = false;   ///< --no-contract
    bool bounds_checks = false; ///< --bounds-checks
};

/// Errors: UnknownName for a pass that does not exist or stands less often in the recipe, or has no such option;
/// BadArgument for words of another form; FileMissing; BadText for a trace.
[[nodiscard]] Result<void> apply(const RecipeArguments& arguments, Recipe& recipe);

/// The words after "orrery VERB" that make `recipe`: the model first, then what differs from `fresh`, the recipe that
/// a command without options has for that model. apply() of them gives the same stages.
[[nodiscard]] std::vector<std::string> words_of(const Recipe& recipe, const Recipe& fresh);
/// "orrery VERB MODEL ..." as one line (or more, when a text in it has more) for a POSIX shell.
[[nodiscard]] std::string command_line(const Recipe& recipe, const Recipe& fresh, std::string_view verb = "run");
/// One word, quoted where a shell would take it apart.
[[nodiscard]] std::string shell_word(std::string_view word);

/// "FoldConstant#2" for the pass at `index` when an earlier one has its name, else "FoldConstant".
[[nodiscard]] std::string pass_reference(const std::vector<transform::PassStep>& passes, std::size_t index);

} // namespace orrery::session
