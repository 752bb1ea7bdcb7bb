#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "core/transform/canonicalize_recurrent.hpp"
#include "core/transform/passes.hpp"

#include <numeric>

namespace orrery::transform {

namespace {

class Canonicalizer final : public graph::Rewriter {
  public:
    using Rewriter::Rewriter;

  protected:
    graph::Var rewrite_binding(const graph::Binding& binding) override {
        const auto* call = graph::as<graph::CallOp>(binding.value);
        if (!call) return keep(binding);
        const graph::Expr steps = split_recurrent(
            *call, [this](const graph::Var& var) { return constant_of(var) != nullptr; },
            [&](const graph::Expr& value, const char* name) { return emit(binding, value, name); });
        if (steps) return replace(binding, steps, "a product for all steps, then the steps");
        if (call->op.name != "matmul" || !call->attrs.flag("transpose_b") || !constant_of(call->args[1]))
            return keep(binding);
        const graph::Var weight = call->args[1];
        graph::Ints perm(graph::as_tensor(weight->type)->dims.size());
        std::iota(perm.begin(), perm.end(), 0);
        if (perm.size() < 2) return keep(binding);
        std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
        const graph::Var turned =
            emit(binding,
                 make_ref<const graph::CallOp>(ops::op("transpose"), std::vector{weight}, graph::Attrs{{"perm", perm}}),
                 weight->name);
        const graph::Attrs attrs = call->attrs.with("transpose_b", false);
        return replace(binding, make_ref<const graph::CallOp>(call->op, std::vector{call->args[0], turned}, attrs),
                       "a constant matrix stored as it is read");
    }
};

} // namespace

Result<graph::Module> canonicalize_ops(const graph::Module& module, const pass::Context& context) {
    graph::Module out = module;
    out.main = Canonicalizer(context.recorder).run(module.main);
    return out;
}

} // namespace orrery::transform
