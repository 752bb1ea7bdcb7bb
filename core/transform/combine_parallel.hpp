#pragma once
// What the passes CombineParallel... share: operators of one kind on one input become one, whose result is sliced.

#include "core/graph/node.hpp"
#include "core/pass/pass.hpp"

#include <functional>
#include <optional>

namespace orrery::transform {

/// How a branch takes part.
struct BranchShape {
    std::size_t weight_axis = 0; ///< of operand 1: the axis branches are joined along
    std::size_t result_axis = 0; ///< of the result: likewise
};

struct ParallelKind {
    const char* rule;         ///< as the record of rewrites names it
    bool constant_weights;    ///< operand 1 is a constant; otherwise it is none
    bool followed_by_bias;    ///< a constant sum after every branch is joined too
    const char* min_branches; ///< defaults of the options
    const char* max_width;
    /// nullopt for a call of another kind.
    std::function<std::optional<BranchShape>(const graph::CallOp& call, const graph::Var& result)> shape;
};

/// Options: `min_branches`, the fewest that are joined; `max_width`, the most channels a branch may have: wider ones
/// fill the machine by themselves, and joining costs a copy of each result.
[[nodiscard]] Result<graph::Module> combine_parallel(const graph::Module& module, const pass::Context& context,
                                                     const ParallelKind& kind);

} // namespace orrery::transform
