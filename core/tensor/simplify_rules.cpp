// The rules of the simplifier, as data: a name and what it does, with an example. Constants fold and identities
// (x + 0, x * 1, ...) vanish in build.hpp, before any rule is tried. Floats have only rules that keep every bit.

#include "core/tensor/build.hpp"
#include "core/tensor/simplify.hpp"

#include <algorithm>

namespace orrery::tensor {

namespace {

const Binary* binary_of(const Expr& expr, BinaryOp op) {
    const Binary* node = as<Binary>(expr);
    return node && node->op == op ? node : nullptr;
}
const Call* call_of(const Expr& expr, Intrinsic intrinsic) {
    const Call* node = as<Call>(expr);
    return node && node->intrinsic == intrinsic ? node : nullptr;
}
bool is_constant(const Expr& expr) { return as<IntImm>(expr) != nullptr; }
bool is_bool(const Expr& expr, bool value) {
    const IntImm* imm = as<IntImm>(expr);
    return imm && expr->dtype == DType::Bool && (imm->value != 0) == value;
}
bool same(const Expr& a, const Expr& b) { return a == b || structural_equal(a, b); }

// ------------------------------------------------------------------------------------- any dtype

Expr single_value(const Expr& expr, ExprSimplifier& under) {
    if (is_float(expr->dtype) || is_constant(expr)) return nullptr;
    const std::optional<Interval> interval = under.interval(expr);
    if (!interval || interval->min != interval->max) return nullptr;
    return constant_int(expr->dtype, interval->min);
}

Expr same_operands(const Expr& expr, ExprSimplifier&) {
    const Binary* node = as<Binary>(expr);
    if (!node) return nullptr;
    switch (node->op) {
    case BinaryOp::Min:
    case BinaryOp::Max:
    case BinaryOp::And:
    case BinaryOp::Or:
    case BinaryOp::BitAnd:
    case BinaryOp::BitOr: return same(node->a, node->b) ? node->a : nullptr;
    case BinaryOp::Sub:
    case BinaryOp::BitXor:
        return !is_float(expr->dtype) && same(node->a, node->b) ? constant_int(expr->dtype, 0) : nullptr;
    default: return nullptr;
    }
}

Expr same_compared(const Expr& expr, ExprSimplifier&) {
    const Binary* node = as<Binary>(expr);
    if (!node || !is_comparison(node->op) || is_float(node->a->dtype) || !same(node->a, node->b)) return nullptr;
    return boolean(node->op == BinaryOp::Eq || node->op == BinaryOp::Le || node->op == BinaryOp::Ge);
}

// ------------------------------------------------------------------------------------- integers

Expr sum(const Expr& expr, ExprSimplifier& under) {
    if (expr->dtype != DType::I64) return nullptr;
    const Binary* node = as<Binary>(expr);
    const bool sums = node && (node->op == BinaryOp::Add || node->op == BinaryOp::Sub || node->op == BinaryOp::Mul);
    return sums || call_of(expr, Intrinsic::Neg) ? under.canonical(affine_of(expr)) : nullptr;
}

Expr constant_out(const Expr& expr, ExprSimplifier&) {
    const Binary* node = binary_of(expr, BinaryOp::Mul);
    if (!node || is_float(expr->dtype) || is_constant(node->a) || is_constant(node->b)) return nullptr;
    if (const Binary* a = binary_of(node->a, BinaryOp::Mul); a && is_constant(a->b)) return (a->a * node->b) * a->b;
    if (const Binary* b = binary_of(node->b, BinaryOp::Mul); b && is_constant(b->b)) return (node->a * b->a) * b->b;
    return nullptr;
}

/// The dividend and divisor of an i64 `op` by a constant above 1.
const Binary* by_constant(const Expr& expr, BinaryOp op, std::int64_t& c) {
    const Binary* node = binary_of(expr, op);
    if (!node || expr->dtype != DType::I64) return nullptr;
    c = as_int(node->b).value_or(0);
    return c > 1 ? node : nullptr;
}

Expr floor_div_sum(const Expr& expr, ExprSimplifier& under) {
    std::int64_t c = 0;
    const Binary* node = by_constant(expr, BinaryOp::FloorDiv, c);
    return node ? divide_sum(node->a, c, under) : nullptr;
}

Expr floor_mod_sum(const Expr& expr, ExprSimplifier& under) {
    std::int64_t c = 0;
    const Binary* node = by_constant(expr, BinaryOp::FloorMod, c);
    return node ? reduce_sum(node->a, c, under) : nullptr;
}

/// Truncation is flooring where nothing is negative.
Expr nonnegative_as(const Expr& expr, BinaryOp from, BinaryOp to, ExprSimplifier& under) {
    const Binary* node = binary_of(expr, from);
    if (!node || expr->dtype != DType::I64) return nullptr;
    const std::optional<Interval> a = under.interval(node->a), b = under.interval(node->b);
    return a && b && a->min >= 0 && b->min >= 1 ? binary(to, node->a, node->b) : nullptr;
}

Expr decided_extreme(const Expr& expr, BinaryOp op, ExprSimplifier& under) {
    const Binary* node = binary_of(expr, op);
    if (!node || is_float(expr->dtype)) return nullptr;
    const bool least = op == BinaryOp::Min;
    if (expr->dtype == DType::I64) {
        const std::optional<Interval> difference = under.interval(affine_of(node->a - node->b));
        if (difference && difference->max <= 0) return least ? node->a : node->b;
        if (difference && difference->min >= 0) return least ? node->b : node->a;
        return nullptr;
    }
    const std::optional<Interval> a = under.interval(node->a), b = under.interval(node->b);
    if (a && b && a->max <= b->min) return least ? node->a : node->b;
    if (a && b && b->max <= a->min) return least ? node->b : node->a;
    return nullptr;
}

/// min(min(x, c), d)
Expr nested_extreme(const Expr& expr, BinaryOp op) {
    const Binary* node = binary_of(expr, op);
    const Binary* inner = node && is_constant(node->b) ? binary_of(node->a, op) : nullptr;
    return inner && is_constant(inner->b) ? binary(op, inner->a, binary(op, inner->b, node->b)) : nullptr;
}

/// min(3, x)
Expr constant_right(const Expr& expr, ExprSimplifier&) {
    const Binary* node = as<Binary>(expr);
    if (!node || is_float(expr->dtype) || !is_constant(node->a) || is_constant(node->b)) return nullptr;
    switch (node->op) {
    case BinaryOp::Add:
    case BinaryOp::Mul:
    case BinaryOp::Min:
    case BinaryOp::Max:
    case BinaryOp::BitAnd:
    case BinaryOp::BitOr:
    case BinaryOp::BitXor: return binary(node->op, node->b, node->a);
    default: return nullptr;
    }
}

/// min(x, max(x, y)), on integers: with NaN the two differ.
Expr absorbed(const Expr& expr, BinaryOp outer, BinaryOp inner) {
    const Binary* node = binary_of(expr, outer);
    if (!node || is_float(expr->dtype)) return nullptr;
    const auto holds = [inner](const Expr& whole, const Expr& part) {
        const Binary* other = binary_of(whole, inner);
        return other && (same(other->a, part) || same(other->b, part));
    };
    if (holds(node->b, node->a)) return node->a;
    return holds(node->a, node->b) ? node->b : nullptr;
}

Expr sums_compared(const Expr& expr, ExprSimplifier& under) {
    const Binary* node = as<Binary>(expr);
    if (!node || !is_comparison(node->op) || node->a->dtype != DType::I64) return nullptr;
    return compare_sums(*node, under);
}

Expr nonnegative_abs(const Expr& expr, ExprSimplifier& under) {
    const Call* node = call_of(expr, Intrinsic::Abs);
    if (!node || is_float(expr->dtype)) return nullptr;
    const std::optional<Interval> a = under.interval(node->args[0]);
    return a && a->min >= 0 ? node->args[0] : nullptr;
}

// ------------------------------------------------------------------------------------- truth

bool opposite(const Expr& a, const Expr& b) {
    const Call *x = call_of(a, Intrinsic::Not), *y = call_of(b, Intrinsic::Not);
    return (x && same(x->args[0], b)) || (y && same(y->args[0], a));
}

Expr opposites(const Expr& expr, BinaryOp op) {
    const Binary* node = binary_of(expr, op);
    return node && opposite(node->a, node->b) ? boolean(op == BinaryOp::Or) : nullptr;
}

BinaryOp negated(BinaryOp op) {
    switch (op) {
    case BinaryOp::Eq: return BinaryOp::Ne;
    case BinaryOp::Ne: return BinaryOp::Eq;
    case BinaryOp::Lt: return BinaryOp::Ge;
    case BinaryOp::Le: return BinaryOp::Gt;
    case BinaryOp::Gt: return BinaryOp::Le;
    default: return BinaryOp::Lt;
    }
}

/// Not of a comparison; of floats only = and !=, which NaN does not make both false.
Expr negated_comparison(const Expr& expr, ExprSimplifier&) {
    const Call* node = call_of(expr, Intrinsic::Not);
    const Binary* inner = node ? as<Binary>(node->args[0]) : nullptr;
    if (!inner || !is_comparison(inner->op)) return nullptr;
    const bool equality = inner->op == BinaryOp::Eq || inner->op == BinaryOp::Ne;
    return equality || !is_float(inner->a->dtype) ? binary(negated(inner->op), inner->a, inner->b) : nullptr;
}

/// b == true, b != false are b; the other two are !b.
Expr compared_to_truth(const Expr& expr, ExprSimplifier&) {
    const Binary* node = as<Binary>(expr);
    if (!node || (node->op != BinaryOp::Eq && node->op != BinaryOp::Ne) || node->a->dtype != DType::Bool)
        return nullptr;
    const IntImm* right = as<IntImm>(node->b);
    const IntImm* truth = right ? right : as<IntImm>(node->a);
    if (!truth) return nullptr;
    const Expr& other = right ? node->a : node->b;
    return (truth->value != 0) == (node->op == BinaryOp::Eq) ? other : !other;
}

// ------------------------------------------------------------------------------------- select, calls, casts

Expr select_same(const Expr& expr, ExprSimplifier&) {
    const Select* node = as<Select>(expr);
    return node && same(node->then_value, node->else_value) ? node->then_value : nullptr;
}

Expr select_not(const Expr& expr, ExprSimplifier&) {
    const Select* node = as<Select>(expr);
    const Call* inner = node ? call_of(node->condition, Intrinsic::Not) : nullptr;
    return inner ? select(inner->args[0], node->else_value, node->then_value) : nullptr;
}

Expr select_truth(const Expr& expr, ExprSimplifier&) {
    const Select* node = as<Select>(expr);
    if (!node) return nullptr;
    if (is_bool(node->then_value, true) && is_bool(node->else_value, false)) return node->condition;
    return is_bool(node->then_value, false) && is_bool(node->else_value, true) ? !node->condition : nullptr;
}

/// f(f(x)) for a function that changes nothing the second time.
Expr twice(const Expr& expr, Intrinsic intrinsic) {
    const Call* node = call_of(expr, intrinsic);
    return node && call_of(node->args[0], intrinsic) ? node->args[0] : nullptr;
}

/// Whether `wide` holds every value of `narrow`.
bool holds_all(DType wide, DType narrow) {
    if (wide == narrow) return true;
    if (is_float8(wide)) return narrow == DType::Bool;
    if (is_float(narrow)) return wide == DType::F64 || (wide == DType::F32 && narrow != DType::F64);
    if (is_float(wide)) {
        const int bits = bit_width(narrow) - is_signed_int(narrow);
        // Precision of each format, IEEE 754-2008 table 3.1; bfloat16 has 8 bits. The exponents suffice at these
        // widths.
        const int precision = wide == DType::F64 ? 53 : wide == DType::F32 ? 24 : wide == DType::F16 ? 11 : 8;
        return bits <= precision;
    }
    if (wide == DType::Bool) return false;
    const std::optional<Interval> values = range_of(narrow), room = range_of(wide);
    if (!values) return false;
    if (wide == DType::I64) return true;
    if (wide == DType::U64) return values->min >= 0;
    return room->min <= values->min && values->max <= room->max;
}

Expr cast_through_wider(const Expr& expr, ExprSimplifier&) {
    const Cast* node = as<Cast>(expr);
    const Cast* inner = node ? as<Cast>(node->value) : nullptr;
    if (!inner || !holds_all(inner->dtype, inner->value->dtype)) return nullptr;
    // A float saturates on the way to an integer, an integer wraps: the same only where neither happens.
    const DType from = inner->value->dtype;
    if (is_float(inner->dtype) && !is_float(from) && is_int(expr->dtype) && !holds_all(expr->dtype, from))
        return nullptr;
    return cast(expr->dtype, inner->value);
}

/// A narrowing between integers that loses nothing under the bounds.
Expr cast_within_bounds(const Expr& expr, ExprSimplifier& under) {
    const Cast* node = as<Cast>(expr);
    const Cast* inner = node ? as<Cast>(node->value) : nullptr;
    if (!inner || !is_int(inner->dtype) || !is_int(inner->value->dtype)) return nullptr;
    const std::optional<Interval> value = under.interval(inner->value), room = range_of(inner->dtype);
    if (!value || !room || value->min < room->min || value->max > room->max) return nullptr;
    return cast(expr->dtype, inner->value);
}

#define ORRERY_RULE(expression) [](const Expr& e, [[maybe_unused]] ExprSimplifier& under) -> Expr { return expression; }

// clang-format off
constexpr Rule kRules[] = {
    {"value.single", single_value}, // x -> 3 if 3 <= x <= 3
    {"operands.same", same_operands}, // min(x, x) -> x; x - x -> 0
    {"operands.constant_right", constant_right}, // min(3, x) -> min(x, 3)
    {"sum.canonical", sum}, // x + y*2 + x -> x*2 + y*2
    {"mul.constant_out", constant_out}, // (x*2) * y -> (x*y) * 2
    {"floor_div.sum", floor_div_sum}, // (x*4 + y) // 4 -> x if 0 <= y < 4
    {"floor_mod.sum", floor_mod_sum}, // (x*4 + y) % 4 -> y if 0 <= y < 4
    {"div.nonnegative", ORRERY_RULE(nonnegative_as(e, BinaryOp::Div, BinaryOp::FloorDiv, under))}, // x / y -> x // y
    {"rem.nonnegative", ORRERY_RULE(nonnegative_as(e, BinaryOp::Rem, BinaryOp::FloorMod, under))}, // rem(x, y) -> x % y
    {"min.decided", ORRERY_RULE(decided_extreme(e, BinaryOp::Min, under))}, // min(x, x + 2) -> x
    {"max.decided", ORRERY_RULE(decided_extreme(e, BinaryOp::Max, under))}, // max(x, x + 2) -> x + 2
    {"min.nested", ORRERY_RULE(nested_extreme(e, BinaryOp::Min))}, // min(min(x, 5), 3) -> min(x, 3)
    {"max.nested", ORRERY_RULE(nested_extreme(e, BinaryOp::Max))}, // max(max(x, 5), 3) -> max(x, 5)
    {"min.absorbs", ORRERY_RULE(absorbed(e, BinaryOp::Min, BinaryOp::Max))}, // min(x, max(x, y)) -> x
    {"max.absorbs", ORRERY_RULE(absorbed(e, BinaryOp::Max, BinaryOp::Min))}, // max(x, min(x, y)) -> x
    {"and.absorbs", ORRERY_RULE(absorbed(e, BinaryOp::And, BinaryOp::Or))}, // p && (p || q) -> p
    {"or.absorbs", ORRERY_RULE(absorbed(e, BinaryOp::Or, BinaryOp::And))}, // p || (p && q) -> p
    {"and.opposites", ORRERY_RULE(opposites(e, BinaryOp::And))}, // p && !p -> false
    {"or.opposites", ORRERY_RULE(opposites(e, BinaryOp::Or))}, // p || !p -> true
    {"compare.same", same_compared}, // x <= x -> true
    {"compare.truth", compared_to_truth}, // p == true -> p
    {"compare.sums", sums_compared}, // x + 3 < y + 5 -> x < y + 2
    {"not.comparison", negated_comparison}, // !(x < y) -> x >= y
    {"abs.abs", ORRERY_RULE(twice(e, Intrinsic::Abs))}, // abs(abs(x)) -> abs(x)
    {"floor.floor", ORRERY_RULE(twice(e, Intrinsic::Floor))}, // floor(floor(x)) -> floor(x)
    {"abs.nonnegative", nonnegative_abs}, // abs(x) -> x if x >= 0
    {"select.same", select_same}, // select(p, x, x) -> x
    {"select.not", select_not}, // select(!p, x, y) -> select(p, y, x)
    {"select.truth", select_truth}, // select(p, true, false) -> p
    {"cast.through_wider", cast_through_wider}, // i8(i32(x: u8)) -> i8(x)
    {"cast.within_bounds", cast_within_bounds}, // i64(i32(x)) -> x if it fits i32
};
// clang-format on

#undef ORRERY_RULE

} // namespace

std::span<const Rule> simplify_rules() { return kRules; }

} // namespace orrery::tensor
