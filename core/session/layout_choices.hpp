#pragma once
// Which layouts a recipe's model gets, and why.

#include "core/session/recipe.hpp"
#include "core/session/stages.hpp"
#include "core/transform/layout_costs.hpp"
#include "core/transform/layout_plan.hpp"
#include "core/tuning/measurer.hpp"

namespace orrery::session {

/// What the recipe's first AlterOpLayout chose. Errors: UnknownName where the recipe has none that is on, or it was not
/// reached; those of the pass.
[[nodiscard]] Result<transform::LayoutReport> layout_report(const Recipe& recipe, const Steps& steps);
/// A line for each choice, and one for all.
[[nodiscard]] std::string to_text(const transform::LayoutReport& report);

class Compiler;

/// Times of the kernels that a recipe's convolutions would be in, for the option `costs` of AlterOpLayout and Winograd.
struct LayoutTimes {
    transform::KernelTimes times;
    std::size_t kernels = 0; ///< different ones, in all layouts and tiles that were tried
    std::size_t known = 0;   ///< of these, those with a time: of records, or measured
};
/// The recipe's model is lowered in several variants: each convolution's own layouts and blocks of two registers, the
/// plain sum and tiles. Of each kernel with one convolution, the least time that records of this machine have for the
/// recipe's target and threads, whatever the schedule; what has none is measured with the schedule it would have, where
/// `measure` says how. Errors: those of the stages before; of Measurer::measure.
[[nodiscard]] Result<LayoutTimes> layout_times(const Recipe& recipe, Compiler& compiler, tuning::Measurer& measurer,
                                               const std::optional<tuning::MeasureOptions>& measure,
                                               const Progress& progress);
/// The recipe with layouts chosen by these times. Undoable as any edit.
[[nodiscard]] Recipe with_layout_times(Recipe recipe, const transform::KernelTimes& times);

} // namespace orrery::session
