#include "core/transform/combine_parallel.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/rule_rewriter.hpp"

namespace orrery::transform {

Result<graph::Module> combine_parallel_conv2d(const graph::Module& module, const pass::Context& context) {
    static const ParallelKind kind{
        .rule = "convolutions of one input joined",
        .constant_weights = true,
        .followed_by_bias = true,
        .min_branches = "2",
        .max_width = "64",
        .shape = [](const graph::CallOp& call, const graph::Var&) -> std::optional<BranchShape> {
            if (call.op.name != "conv2d" || call.attrs.integer("groups", 1) != 1) return std::nullopt;
            return BranchShape{0, 1};
        }};
    return combine_parallel(module, context, kind);
}

} // namespace orrery::transform
