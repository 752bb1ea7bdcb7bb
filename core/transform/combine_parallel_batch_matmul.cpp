#include "core/transform/combine_parallel.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/rule_rewriter.hpp"

namespace orrery::transform {

Result<graph::Module> combine_parallel_batch_matmul(const graph::Module& module, const pass::Context& context) {
    static const ParallelKind kind{
        .rule = "products of one batch of matrices joined",
        .constant_weights = false,
        .followed_by_bias = false,
        .min_branches = "2",
        .max_width = "64",
        .shape = [](const graph::CallOp& call, const graph::Var& result) -> std::optional<BranchShape> {
            if (call.op.name != "matmul") return std::nullopt;
            const std::optional<Shape> out = shape_of(result), a = shape_of(call.args[0]), b = shape_of(call.args[1]);
            if (!out || !a || !b || a->size() < 3 || b->size() < 3) return std::nullopt;
            return BranchShape{b->size() - (call.attrs.flag("transpose_b") ? 2 : 1), out->size() - 1};
        }};
    return combine_parallel(module, context, kind);
}

} // namespace orrery::transform
