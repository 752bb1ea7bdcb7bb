#include "core/graph/builder.hpp"
#include "core/target/region.hpp"
#include "core/transform/passes.hpp"

namespace orrery::transform {

namespace {

using graph::Binding;
using graph::Var;

class Defuser final : public graph::Rewriter {
  public:
    using Rewriter::Rewriter;

  protected:
    Var rewrite_binding(const Binding& binding) override {
        const auto* call = graph::as<graph::CallFunction>(binding.value);
        if (!call || !call->function->primitive() || !region_of(call->function).empty()) return keep(binding);
        std::unordered_map<Var, Var> outside;
        for (std::size_t i = 0; i < call->args.size(); ++i) outside.emplace(call->function->params[i], call->args[i]);
        for (const Binding& inner : call->function->bindings) {
            std::vector<Var> operands = graph::operands(inner.value);
            for (Var& operand : operands)
                if (operand) operand = outside.at(operand);
            const graph::Expr value = graph::with_operands(inner.value, operands);
            outside.emplace(inner.var, builder().emit(value, inner.var->name, inner.origin));
        }
        return alias(binding, outside.at(call->function->result), "a kernel's operators");
    }
};

} // namespace

Result<graph::Module> defuse_ops(const graph::Module& module, const pass::Context& context) {
    graph::Module out = module;
    out.main = Defuser(context.recorder).run(module.main);
    return out;
}

} // namespace orrery::transform
