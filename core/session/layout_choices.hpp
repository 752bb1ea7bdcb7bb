#pragma once
// Which layouts a recipe's model gets, and why.

#include "core/session/recipe.hpp"
#include "core/session/stages.hpp"
#include "core/transform/layout_plan.hpp"

namespace orrery::session {

/// What the recipe's first AlterOpLayout chose. Errors: UnknownName where the recipe has none that is on, or it was not
/// reached; those of the pass.
[[nodiscard]] Result<transform::LayoutReport> layout_report(const Recipe& recipe, const Steps& steps);
/// A line for each choice, and one for all.
[[nodiscard]] std::string to_text(const transform::LayoutReport& report);

} // namespace orrery::session
