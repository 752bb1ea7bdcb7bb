#include "core/tensor/affine.hpp"

#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"

#include <algorithm>

namespace orrery::tensor {

namespace {

/// Untrusted text may overflow: wrapping keeps that harmless.
std::int64_t add(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
std::int64_t multiply(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

void add_term(Affine& sum, const Expr& term, std::int64_t coefficient) {
    for (Affine::Term& known : sum.terms)
        if (known.term == term || (term->kind != NodeKind::Var && structural_equal(known.term, term))) {
            known.coefficient = add(known.coefficient, coefficient);
            return;
        }
    sum.terms.push_back({term, coefficient});
}

/// Adds factor * expr.
void accumulate(Affine& sum, const Expr& expr, std::int64_t factor) {
    if (const IntImm* imm = as<IntImm>(expr)) {
        sum.constant = add(sum.constant, multiply(factor, imm->value));
        return;
    }
    if (const Binary* node = as<Binary>(expr)) {
        if (node->op == BinaryOp::Add || node->op == BinaryOp::Sub) {
            accumulate(sum, node->a, factor);
            return accumulate(sum, node->b, node->op == BinaryOp::Add ? factor : multiply(factor, -1));
        }
        if (node->op == BinaryOp::Mul) {
            if (const IntImm* c = as<IntImm>(node->b)) return accumulate(sum, node->a, multiply(factor, c->value));
            if (const IntImm* c = as<IntImm>(node->a)) return accumulate(sum, node->b, multiply(factor, c->value));
        }
    }
    if (const Call* node = as<Call>(expr); node && node->intrinsic == Intrinsic::Neg)
        return accumulate(sum, node->args.front(), multiply(factor, -1));
    add_term(sum, expr, factor);
}

} // namespace

Affine affine_of(const Expr& expr) {
    ORRERY_ASSERT(expr->dtype == DType::I64, "an index is i64");
    Affine sum;
    accumulate(sum, expr, 1);
    std::erase_if(sum.terms, [](const Affine::Term& term) { return term.coefficient == 0; });
    return sum;
}

Expr to_expr(const Affine& affine) {
    Expr sum;
    for (const Affine::Term& term : affine.terms) {
        const bool subtract = sum != nullptr && term.coefficient < 0 && term.coefficient != INT64_MIN;
        Expr product = term.term * imm(subtract ? -term.coefficient : term.coefficient);
        sum = sum == nullptr ? product : subtract ? sum - product : sum + product;
    }
    if (sum == nullptr) return imm(affine.constant);
    if (affine.constant < 0 && affine.constant != INT64_MIN) return sum - imm(-affine.constant);
    return sum + imm(affine.constant);
}

std::optional<std::int64_t> constant_difference(const Expr& a, const Expr& b) {
    if (a == b) return 0;
    Affine difference;
    accumulate(difference, a, 1);
    accumulate(difference, b, -1);
    for (const Affine::Term& term : difference.terms)
        if (term.coefficient != 0) return std::nullopt;
    return difference.constant;
}

} // namespace orrery::tensor
