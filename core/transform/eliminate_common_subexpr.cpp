#include "core/graph/builder.hpp"
#include "core/transform/passes.hpp"

#include <unordered_map>

namespace orrery::transform {

namespace {

/// A key equal for expressions that compute the same value from the same variables; nullopt for those never merged.
std::optional<Hash> value_key(const graph::Expr& value) {
    Hasher hasher;
    hasher.add(static_cast<int>(value->kind));
    if (const auto* call = graph::as<graph::CallOp>(value)) {
        if (call->op.random) return std::nullopt;
        hasher.add(call->op.name);
        call->attrs.hash_into(hasher);
    } else if (const auto* constant = graph::as<graph::Constant>(value)) {
        hasher.add(constant->value.content_hash());
    } else if (const auto* project = graph::as<graph::Project>(value)) {
        hasher.add(static_cast<std::uint64_t>(project->index));
    } else if (const auto* apply = graph::as<graph::CallFunction>(value)) {
        hasher.add(graph::structural_hash(apply->function));
    } else if (value->kind != graph::ExprKind::Tuple) {
        return std::nullopt;
    }
    for (const graph::Var& operand : graph::operands(value))
        hasher.add(static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(operand.get())));
    return hasher.finish();
}

class Merger final : public graph::Rewriter {
  public:
    using Rewriter::Rewriter;

  protected:
    graph::Var rewrite_binding(const graph::Binding& binding) override {
        const std::optional<Hash> key = value_key(binding.value);
        if (!key) return keep(binding);
        if (const auto it = seen_.find(*key); it != seen_.end()) return alias(binding, it->second, "computed before");
        const graph::Var var = keep(binding);
        seen_.emplace(*key, var);
        return var;
    }

  private:
    std::unordered_map<Hash, graph::Var> seen_;
};

} // namespace

Result<graph::Module> eliminate_common_subexpr(const graph::Module& module, const pass::Context& context) {
    graph::Module out = module;
    out.main = Merger(context.recorder).run(module.main);
    return out;
}

} // namespace orrery::transform
