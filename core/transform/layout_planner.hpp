#pragma once
// Layouts chosen over a whole graph: a part of AlterOpLayout.

#include "core/transform/layout_converter.hpp"
#include "core/transform/layout_costs.hpp"
#include "core/transform/layout_plan.hpp"

#include <unordered_map>

namespace orrery::transform {

/// What choices are made by.
struct LayoutPlanner {
    ChooseLayouts by_rule; ///< each convolution for itself
    /// The layouts in blocks of the input and of the result, 1 for none; nullopt where a convolution cannot lie so.
    std::function<std::optional<ConvLayouts>(const ConvFacts&, std::int64_t, std::int64_t)> realized;
    std::function<Registers(const ConvFacts&)> registers;
    std::int64_t bits = 128; ///< of a register
    Caches caches;
    KernelTimes times;
};

struct LayoutPlan {
    struct Blocks {
        std::int64_t in = 1, out = 1; ///< 1: not split; `in` of convolutions only
    };
    std::unordered_map<graph::Var, Blocks> blocks; ///< by variables of the function; empty: each for itself
    bool settled = false;                          ///< all layouts were chosen before, and stay
    LayoutReport report;

    [[nodiscard]] bool follows() const { return !blocks.empty(); }
    /// How the function is converted by this plan. Pre: follows(). Both live as long as the rules.
    [[nodiscard]] LayoutRules rules(const LayoutPlanner& planner) const;
};

/// Layouts for all convolutions and all that is carried along, which cost least together: kernels, as measured or
/// estimated, and transforms where layouts meet. Each value has one layout it is computed in; who wants it in another
/// one pays for a transform, once for all who want the same. What each convolution would choose for itself is among
/// what is compared, and is taken when nothing costs less (an empty plan). Of a function with layouts already, only
/// says whether it is settled. Cost: that of two conversions, and of choose_least.
[[nodiscard]] LayoutPlan plan_layouts(const graph::Module& module, const LayoutPlanner& planner);

/// The block of channels of a layout in that order; 1 for none, 0 for axes in another order.
[[nodiscard]] std::int64_t block_in(const std::string& layout);
[[nodiscard]] std::string layout_in(std::int64_t block);

} // namespace orrery::transform
