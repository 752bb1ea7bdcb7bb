#include "core/graph/builder.hpp"
#include "core/transform/passes.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace orrery::transform {

namespace {

/// Of a constant: its type and first elements, which tell most apart without a look at all of their bytes.
void add_constant(Hasher& hasher, const NDArray& value) {
    constexpr std::int64_t kSample = 16; // our choice
    const std::int64_t count = std::min(kSample, value.size());
    std::array<std::byte, kSample * 8> sample{};
    if (count > 0) value.read(0, count, sample.data());
    hasher.add(static_cast<int>(value.dtype())).add(std::span<const std::int64_t>(value.shape()));
    hasher.bytes(sample.data(), sample.size());
}

/// A key equal for expressions that compute the same value from the same variables, constants apart, of which equal
/// ones have equal keys; nullopt for those never merged.
std::optional<Hash> value_key(const graph::Expr& value) {
    Hasher hasher;
    hasher.add(static_cast<int>(value->kind));
    if (const auto* call = graph::as<graph::CallOp>(value)) {
        if (call->op.random) return std::nullopt;
        hasher.add(call->op.name);
        call->attrs.hash_into(hasher);
    } else if (const auto* constant = graph::as<graph::Constant>(value)) {
        add_constant(hasher, constant->value);
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
        const NDArray* constant = constant_in(binding.value);
        const auto [begin, end] = seen_.equal_range(*key);
        for (auto it = begin; it != end; ++it)
            if (!constant || graph::same_constant(*constant, *constant_of(it->second)))
                return alias(binding, it->second, "computed before");
        const graph::Var var = keep(binding);
        seen_.emplace(*key, var);
        return var;
    }

  private:
    static const NDArray* constant_in(const graph::Expr& value) {
        const auto* constant = graph::as<graph::Constant>(value);
        return constant ? &constant->value : nullptr;
    }

    std::unordered_multimap<Hash, graph::Var> seen_;
};

} // namespace

Result<graph::Module> eliminate_common_subexpr(const graph::Module& module, const pass::Context& context) {
    graph::Module out = module;
    out.main = Merger(context.recorder).run(module.main);
    return out;
}

} // namespace orrery::transform
