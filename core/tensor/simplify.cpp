#include "core/tensor/simplify.hpp"

#include "core/tensor/build.hpp"

#include <algorithm>

namespace orrery::tensor {

namespace {

/// Rules that may fire in one `run`. Source: our choice, far beyond what any expression seen needs; it ends what two
/// rules that undo each other would not.
constexpr int kFuel = 100'000;

bool is_leaf(const Expr& expr) {
    return expr->kind == NodeKind::IntImm || expr->kind == NodeKind::FloatImm || expr->kind == NodeKind::Var;
}

/// The sum `a - b + offset`, which refine_sum takes to be at most 0.
Affine difference(const Expr& a, const Expr& b, std::int64_t offset) {
    Affine sum = affine_of(a - b);
    sum.constant += offset;
    return sum;
}

} // namespace

ExprSimplifier::ExprSimplifier(Bounds bounds, RuleTrace trace)
    : bounds_(std::move(bounds)), trace_(std::move(trace)), intervals_(bounds_) {}

Expr ExprSimplifier::run(const Expr& expr) {
    fuel_ = kFuel;
    return visit(expr);
}

void ExprSimplifier::bind(const VarRef& var, std::optional<Interval> interval) {
    if (interval)
        bounds_[var] = *interval;
    else
        bounds_.erase(var);
    intervals_.forget();
    done_.clear();
}

void ExprSimplifier::set_bounds(Bounds bounds) {
    bounds_ = std::move(bounds);
    intervals_.forget();
    done_.clear();
}

void ExprSimplifier::replace(const VarRef& var, Expr value) {
    replaced_[var] = std::move(value);
    intervals_.forget();
    done_.clear();
}

Expr ExprSimplifier::visit(const Expr& expr) {
    if (const auto found = done_.find(expr); found != done_.end()) return found->second;
    Expr result = improve(rebuild(expr));
    done_[expr] = result;
    done_[result] = result;
    return result;
}

/// The first rule that fits, then all of them again on what it gave.
Expr ExprSimplifier::improve(const Expr& expr) {
    for (const Rule& rule : simplify_rules()) {
        Expr next = rule.apply(expr, *this);
        if (next == nullptr || next == expr || structural_equal(next, expr)) continue;
        if (--fuel_ < 0) return expr;
        if (trace_) trace_(rule.name);
        return visit(next);
    }
    return expr;
}

/// With simplified operands; the same handle when they are the old ones and nothing folds.
Expr ExprSimplifier::rebuild(const Expr& expr) {
    switch (expr->kind) {
    case NodeKind::Var: {
        const auto found = replaced_.find(VarRef(as<Var>(expr)));
        return found == replaced_.end() ? expr : visit(found->second);
    }
    case NodeKind::Binary: return rebuild_binary(*as<Binary>(expr), expr);
    case NodeKind::Select: return rebuild_select(*as<Select>(expr), expr);
    case NodeKind::Cast: {
        const Cast& node = *as<Cast>(expr);
        Expr made = cast(node.dtype, visit(node.value));
        const Cast* same = as<Cast>(made);
        return same && same->value == node.value ? expr : made;
    }
    case NodeKind::Call: {
        const Call& node = *as<Call>(expr);
        const Expr a = visit(node.args[0]);
        Expr made = node.args.size() == 2 ? call(node.intrinsic, a, visit(node.args[1])) : call(node.intrinsic, a);
        const Call* same = as<Call>(made);
        return same && same->intrinsic == node.intrinsic && same->args == node.args ? expr : made;
    }
    case NodeKind::Load: {
        const Load& node = *as<Load>(expr);
        std::vector<Expr> indices;
        for (const Expr& index : node.indices) indices.push_back(visit(index));
        return indices == node.indices ? expr : Load::make(node.buffer, std::move(indices));
    }
    default: return expr;
    }
}

Expr ExprSimplifier::rebuild_binary(const Binary& node, const Expr& expr) {
    const Expr a = visit(node.a);
    // The right side counts only where the left does not decide.
    const bool lazy = node.op == BinaryOp::And || node.op == BinaryOp::Or;
    const Expr b = lazy ? visit_where(node.b, a, node.op == BinaryOp::And) : visit(node.b);
    Expr made = binary(node.op, a, b);
    const Binary* same = as<Binary>(made);
    return same && same->op == node.op && same->a == node.a && same->b == node.b ? expr : made;
}

Expr ExprSimplifier::rebuild_select(const Select& node, const Expr& expr) {
    const Expr condition = visit(node.condition);
    if (const IntImm* known = as<IntImm>(condition)) return visit(known->value ? node.then_value : node.else_value);
    const Expr then_value = visit_where(node.then_value, condition, true);
    const Expr else_value = visit_where(node.else_value, condition, false);
    if (condition == node.condition && then_value == node.then_value && else_value == node.else_value) return expr;
    return Select::make(condition, then_value, else_value);
}

Expr ExprSimplifier::visit_where(const Expr& expr, const Expr& condition, bool truth) {
    if (is_leaf(expr) || is_leaf(condition)) return visit(expr);
    const Bounds narrower = refined(condition, truth);
    const bool gains = std::any_of(narrower.begin(), narrower.end(), [this](const auto& entry) {
        const Interval& old = bounds_.at(entry.first);
        return entry.second.min != old.min || entry.second.max != old.max;
    });
    if (!gains) return visit(expr);
    ExprSimplifier inner(narrower, trace_);
    inner.replaced_ = replaced_;
    inner.fuel_ = fuel_;
    Expr result = inner.visit(expr);
    fuel_ = inner.fuel_;
    return result;
}

Bounds ExprSimplifier::refined(const Expr& condition, bool truth) {
    Bounds bounds = bounds_;
    refine(bounds, condition, truth);
    return bounds;
}

void ExprSimplifier::refine(Bounds& bounds, const Expr& condition, bool truth) {
    if (const Call* node = as<Call>(condition); node && node->intrinsic == Intrinsic::Not)
        return refine(bounds, node->args[0], !truth);
    const Binary* node = as<Binary>(condition);
    if (!node) return;
    if (node->op == (truth ? BinaryOp::And : BinaryOp::Or)) {
        refine(bounds, node->a, truth);
        return refine(bounds, node->b, truth);
    }
    if (!is_comparison(node->op) || node->a->dtype != DType::I64) return;
    const auto at_most = [&](std::int64_t offset) { refine_sum(bounds, difference(node->a, node->b, offset)); };
    const auto at_least = [&](std::int64_t offset) { refine_sum(bounds, difference(node->b, node->a, offset)); };
    switch (node->op) {
    case BinaryOp::Lt: return truth ? at_most(1) : at_least(0);
    case BinaryOp::Le: return truth ? at_most(0) : at_least(1);
    case BinaryOp::Gt: return truth ? at_least(1) : at_most(0);
    case BinaryOp::Ge: return truth ? at_least(0) : at_most(1);
    default:
        if ((node->op == BinaryOp::Eq) != truth) return;
        at_most(0);
        return at_least(0);
    }
}

/// Knowing sum <= 0, bounds each variable in it by what the rest is at least.
void ExprSimplifier::refine_sum(Bounds& bounds, const Affine& sum) {
    constexpr std::int64_t kTame = std::int64_t{1} << 62;
    for (std::size_t i = 0; i < sum.terms.size(); ++i) {
        const Affine::Term& term = sum.terms[i];
        const Var* var = as<Var>(term.term);
        if (!var || term.coefficient == INT64_MIN) continue;
        const auto known = bounds.find(VarRef(var));
        if (known == bounds.end()) continue;
        Affine rest = sum;
        rest.terms.erase(rest.terms.begin() + static_cast<std::ptrdiff_t>(i));
        const std::optional<Interval> interval = Intervals(bounds).of(rest);
        if (!interval || interval->min < -kTame) continue;
        Interval narrower = known->second;
        const std::int64_t most = -interval->min; // term.coefficient * var <= most
        if (term.coefficient > 0)
            narrower.max = std::min(narrower.max, divide_floor(most, term.coefficient));
        else
            narrower.min = std::max(narrower.min, -divide_floor(most, -term.coefficient));
        if (narrower.min <= narrower.max) known->second = narrower;
    }
}

// ------------------------------------------------------------------------------------- sums

/// k*c * (x // c) + k * (x % c) -> k * x
namespace {

/// Whether two sums differ by a multiple of `divisor`, whatever their variables are.
bool congruent(const Expr& a, const Expr& b, std::int64_t divisor) {
    const Affine difference = affine_of(a - b);
    return difference.constant % divisor == 0 && std::ranges::all_of(difference.terms, [&](const Affine::Term& term) {
               return term.coefficient % divisor == 0;
           });
}

} // namespace

void ExprSimplifier::merge_remainders(Affine& sum) {
    for (std::size_t r = 0; r < sum.terms.size(); ++r) {
        const Binary* mod = as<Binary>(sum.terms[r].term);
        const std::optional<std::int64_t> c = mod && mod->op == BinaryOp::FloorMod ? as_int(mod->b) : std::nullopt;
        if (!c || *c <= 0 || sum.terms.size() < 2) continue;
        const Expr quotient = visit(floor_div(mod->a, mod->b));
        const Affine wanted = affine_of(quotient);
        if (wanted.terms.size() != 1 || wanted.constant != 0) continue;
        const std::int64_t k = sum.terms[r].coefficient;
        std::int64_t product = 0;
        if (__builtin_mul_overflow(k, *c, &product) ||
            __builtin_mul_overflow(product, wanted.terms[0].coefficient, &product))
            continue;
        for (std::size_t q = 0; q < sum.terms.size(); ++q) {
            if (q == r || sum.terms[q].coefficient != product ||
                !structural_equal(sum.terms[q].term, wanted.terms[0].term))
                continue;
            sum.terms[std::min(q, r)] = {mod->a * imm(k), 1}; // taken apart again below
            sum.terms.erase(sum.terms.begin() + static_cast<std::ptrdiff_t>(std::max(q, r)));
            sum = affine_of(to_expr(sum));
            return merge_remainders(sum);
        }
        // (a * 10 + i) // 7 * 7 + (a * 3 + i) % 7: the remainder is that of the whole dividend.
        for (std::size_t q = 0; q < sum.terms.size(); ++q) {
            const Binary* div = as<Binary>(sum.terms[q].term);
            std::int64_t whole = 0;
            if (!div || div->op != BinaryOp::FloorDiv || as_int(div->b) != c || __builtin_mul_overflow(k, *c, &whole) ||
                sum.terms[q].coefficient != whole || !congruent(div->a, mod->a, *c))
                continue;
            sum.terms[std::min(q, r)] = {div->a * imm(k), 1};
            sum.terms.erase(sum.terms.begin() + static_cast<std::ptrdiff_t>(std::max(q, r)));
            sum = affine_of(to_expr(sum));
            return merge_remainders(sum);
        }
    }
}

Expr ExprSimplifier::canonical(Affine sum) {
    if (!sum.terms.empty()) sum = affine_of(to_expr(sum)); // like terms, and terms that are sums
    merge_remainders(sum);
    std::stable_partition(sum.terms.begin(), sum.terms.end(),
                          [](const Affine::Term& term) { return term.coefficient > 0; });
    const bool negative = !sum.terms.empty() && sum.terms[0].coefficient < 0;
    if (!negative || sum.constant <= 0) return to_expr(sum);
    Expr result = imm(sum.constant);
    for (const Affine::Term& term : sum.terms)
        result = term.coefficient == INT64_MIN ? result + term.term * imm(INT64_MIN)
                                               : result - term.term * imm(-term.coefficient);
    return result;
}

Expr simplify(const Expr& expr, const Bounds& bounds) { return ExprSimplifier(bounds).run(expr); }

} // namespace orrery::tensor
