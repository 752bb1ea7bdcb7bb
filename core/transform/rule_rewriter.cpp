#include "core/transform/rule_rewriter.hpp"

#include "core/ops/ops.hpp"

namespace orrery::transform {

using graph::Binding;
using graph::Expr;
using graph::Var;

RuleRewriter::RuleRewriter(const Rules& rules, const graph::Function& function, pass::Recorder* recorder)
    : Rewriter(recorder), uses_(graph::use_counts(function)) {
    for (const Rule& rule : rules) {
        const std::vector<std::string> roots = rule.pattern.root_operators();
        ORRERY_ASSERT(!roots.empty(), std::string(rule.name) + ": a rule's root is a call of an operator");
        for (const std::string& root : roots) by_root_[root].push_back(&rule);
    }
}

int RuleRewriter::use_count(const Var& var) const {
    const auto it = uses_.find(var);
    return it == uses_.end() ? 0 : it->second;
}

void RuleRewriter::count(const Expr& value, int change) {
    for (const Var& operand : graph::operands(value))
        if (operand) uses_[operand] += change;
}

Var RuleRewriter::rewrite_binding(const Binding& binding) {
    const Var var = rewritten(binding);
    // Whoever used the old variable uses this one now.
    if (var != binding.var) uses_[var] += use_count(binding.var);
    return var;
}

/// The first rule that applies to `current`, with what it gives.
const Rule* RuleRewriter::step(Binding& current, Replacement& out, std::vector<Var>& consumed) {
    const auto* call = graph::as<graph::CallOp>(current.value);
    const auto rules = call ? by_root_.find(call->op.name) : by_root_.end();
    if (rules == by_root_.end()) return nullptr;
    for (const Rule* rule : rules->second) {
        const std::optional<graph::Match> match = graph::match(rule->pattern, current, *this);
        if (!match) continue;
        Site site(*this, current, *match);
        out = rule->apply(site);
        if (!out.value && !out.existing) continue;
        // Extents that are not known may come out otherwise: what users see must stay.
        const Result<graph::Type> type = out.value ? graph::infer_expr(out.value) : out.existing->type;
        if (!type || !graph::equal(*type, current.var->type)) continue;
        consumed.insert(consumed.end(), match->calls.begin(), match->calls.end());
        consumed.insert(consumed.end(), match->constants.begin(), match->constants.end());
        return rule;
    }
    return nullptr;
}

Var RuleRewriter::rewritten(const Binding& binding) {
    Binding current = binding;
    const Rule* last = nullptr;
    std::vector<Var> consumed;
    for (int i = 0; i < kMostSteps; ++i) {
        Replacement out;
        const Rule* rule = step(current, out, consumed);
        if (!rule) break;
        count(current.value, -1);
        if (out.existing) return alias(binding, out.existing, rule->name, rule->where);
        count(out.value, 1);
        current.value = out.value;
        last = rule;
    }
    return last ? replace(binding, current.value, last->name, consumed, last->where) : keep(binding);
}

const graph::CallOp* Site::call_of(const Var& var) const {
    const Expr value = var ? rewriter_.Rewriter::value_of(var) : Expr();
    return value ? graph::as<graph::CallOp>(value) : nullptr; // the builder keeps the node alive
}

const NDArray* Site::constant_of(const Var& var) const { return rewriter_.constant_of(var); }

bool Site::used_once(const Var& var) const { return rewriter_.use_count(var) == 1; }

Var Site::emit(const Expr& value, const std::string& name) {
    rewriter_.count(value, 1);
    return rewriter_.emit(binding_, value, name);
}

Var Site::emit(NDArray constant, const std::string& name) {
    return emit(make_ref<const graph::Constant>(std::move(constant)), name);
}

Expr make_call(const char* op, std::vector<Var> args, graph::Attrs attrs) {
    return make_ref<const graph::CallOp>(ops::op(op), std::move(args), std::move(attrs));
}

std::optional<Shape> shape_of(const Var& var) {
    const graph::TensorType* type = graph::as_tensor(var->type);
    if (!type || !graph::is_static(*type)) return std::nullopt;
    return graph::static_shape(*type);
}

bool all_equal(const NDArray& array, double value) {
    constexpr std::int64_t kMost = 65536;
    if (array.size() > kMost) return false;
    for (std::int64_t i = 0; i < array.size(); ++i)
        if (array.as_double(i) != value) return false;
    return true;
}

} // namespace orrery::transform
