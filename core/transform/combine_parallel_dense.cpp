#include "core/transform/combine_parallel.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/rule_rewriter.hpp"

namespace orrery::transform {

Result<graph::Module> combine_parallel_dense(const graph::Module& module, const pass::Context& context) {
    static const ParallelKind kind{
        .rule = "products of one matrix with constants joined",
        .constant_weights = true,
        .followed_by_bias = true,
        .min_branches = "2",
        .max_width = "1024",
        .shape = [](const graph::CallOp& call, const graph::Var& result) -> std::optional<BranchShape> {
            if (call.op.name != "matmul" || !shape_of(result) || !shape_of(call.args[1]) ||
                shape_of(call.args[1])->size() != 2 || graph::as_tensor(call.args[0]->type)->dims.size() < 2)
                return std::nullopt;
            return BranchShape{call.attrs.flag("transpose_b") ? 0u : 1u, shape_of(result)->size() - 1};
        }};
    return combine_parallel(module, context, kind);
}

} // namespace orrery::transform
