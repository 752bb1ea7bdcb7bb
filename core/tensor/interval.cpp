// Intervals from the leaves up. Sums are taken apart first, so that what cancels (`i * 4 + j - i * 4`) is not counted
// twice. A result that may leave its dtype is the dtype's whole range, or unknown for i64 and u64.

#include "core/tensor/interval.hpp"

#include "core/tensor/affine.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace orrery::tensor {

namespace {

using Wide = __int128;
using Maybe = std::optional<Interval>;

constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

Maybe narrow(Wide min, Wide max) {
    if (min < kLeast || max > kMost) return std::nullopt;
    return Interval{static_cast<std::int64_t>(min), static_cast<std::int64_t>(max)};
}

/// [min, max] when the dtype holds it all, else everything the dtype may hold.
Maybe within(DType dtype, Wide min, Wide max) {
    const Maybe range = range_of(dtype);
    if (range && (min < range->min || max > range->max)) return range;
    if (dtype == DType::U64 && min < 0) return std::nullopt;
    return narrow(min, max);
}

Interval from_corners(const Interval& a, const Interval& b, std::int64_t (*f)(std::int64_t, std::int64_t)) {
    const auto [min, max] = std::minmax({f(a.min, b.min), f(a.min, b.max), f(a.max, b.min), f(a.max, b.max)});
    return {min, max};
}

/// Of a Div or FloorDiv.
Maybe quotient(BinaryOp op, const Interval& a, const Interval& b) {
    if (b.min >= 1)
        return from_corners(
            a, b, op == BinaryOp::FloorDiv ? divide_floor : [](std::int64_t x, std::int64_t y) { return x / y; });
    if (a.min == kLeast) return std::nullopt;
    const std::int64_t magnitude = std::max(std::abs(a.min), std::abs(a.max));
    return Interval{-magnitude, magnitude};
}

Maybe floor_remainder(const Interval& a, const Interval& b) {
    if (b.min >= 1 && a.min >= 0) return a.max < b.min ? a : Interval{0, std::min(a.max, b.max - 1)};
    return Interval{b.min < 0 ? b.min + 1 : 0, b.max > 0 ? b.max - 1 : 0};
}

Maybe remainder(const Interval& a, const Interval& b) {
    if (a.min == kLeast || b.min == kLeast) return std::nullopt;
    const std::int64_t most = std::max<std::int64_t>(0, std::max(std::abs(b.min), std::abs(b.max)) - 1);
    return Interval{a.min < 0 ? -std::min(-a.min, most) : 0, a.max > 0 ? std::min(a.max, most) : 0};
}

Maybe shifted(BinaryOp op, DType dtype, const Interval& a, const Interval& b) {
    const int width = bit_width(dtype);
    if (b.min != b.max || b.min < 0 || b.min >= width) return range_of(dtype);
    if (op == BinaryOp::Shr) return Interval{a.min >> b.min, a.max >> b.min};
    return within(dtype, Wide{a.min} * (Wide{1} << b.min), Wide{a.max} * (Wide{1} << b.min));
}

Maybe bitwise(BinaryOp op, DType dtype, const Interval& a, const Interval& b) {
    if (op == BinaryOp::BitAnd && a.min >= 0 && b.min >= 0) return Interval{0, std::min(a.max, b.max)};
    if (op == BinaryOp::BitAnd && (a.min >= 0 || b.min >= 0)) return Interval{0, a.min >= 0 ? a.max : b.max};
    if (op == BinaryOp::BitAnd || a.min < 0 || b.min < 0) return range_of(dtype);
    const auto bits = std::bit_width(static_cast<std::uint64_t>(std::max(a.max, b.max)));
    return Interval{0, static_cast<std::int64_t>((std::uint64_t{1} << bits) - 1)};
}

/// The truth of `a op b`, when it is the same for all values.
std::optional<bool> decided(BinaryOp op, const Interval& a, const Interval& b) {
    const bool single = a.min == a.max && b.min == b.max && a.min == b.min, apart = a.max < b.min || b.max < a.min;
    const auto pick = [](bool yes, bool no) -> std::optional<bool> {
        if (yes) return true;
        if (no) return false;
        return std::nullopt;
    };
    switch (op) {
    case BinaryOp::Eq: return pick(single, apart);
    case BinaryOp::Ne: return pick(apart, single);
    case BinaryOp::Lt: return pick(a.max < b.min, a.min >= b.max);
    case BinaryOp::Le: return pick(a.max <= b.min, a.min > b.max);
    case BinaryOp::Gt: return pick(a.min > b.max, a.max <= b.min);
    default: return pick(a.min >= b.max, a.max < b.min);
    }
}

Interval truth(std::optional<bool> known) {
    if (!known) return {0, 1};
    return {*known, *known};
}

} // namespace

std::int64_t divide_floor(std::int64_t a, std::int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

Maybe range_of(DType dtype) {
    switch (dtype) {
    case DType::Bool: return Interval{0, 1};
    case DType::I4: return Interval{-8, 7};
    case DType::U4: return Interval{0, 15};
    case DType::I8: return Interval{-128, 127};
    case DType::U8: return Interval{0, 255};
    case DType::I16: return Interval{-32768, 32767};
    case DType::U16: return Interval{0, 65535};
    case DType::I32:
        return Interval{std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
    case DType::U32: return Interval{0, std::numeric_limits<std::uint32_t>::max()};
    default: return std::nullopt;
    }
}

Maybe Intervals::of(const Expr& expr) {
    if (is_float(expr->dtype)) return std::nullopt;
    if (const auto found = known_.find(expr); found != known_.end()) return found->second;
    Maybe interval = compute(expr);
    if (!interval) interval = range_of(expr->dtype);
    known_.emplace(expr, interval);
    return interval;
}

Maybe Intervals::of(const Affine& sum) {
    Wide min = sum.constant, max = sum.constant;
    for (const Affine::Term& term : sum.terms) {
        const Maybe inner = of(term.term);
        if (!inner) return std::nullopt;
        const Wide x = Wide{inner->min} * term.coefficient, y = Wide{inner->max} * term.coefficient;
        min += std::min(x, y);
        max += std::max(x, y);
    }
    return narrow(min, max);
}

Maybe Intervals::compute(const Expr& expr) {
    switch (expr->kind) {
    case NodeKind::IntImm: {
        const std::int64_t value = as<IntImm>(expr)->value;
        if (expr->dtype == DType::U64 && value < 0) return std::nullopt; // at least 2^63
        return Interval{value, value};
    }
    case NodeKind::Var: {
        const auto found = bounds_.find(VarRef(as<Var>(expr)));
        return found == bounds_.end() ? std::nullopt : Maybe(found->second);
    }
    case NodeKind::Binary: return of_binary(*as<Binary>(expr), expr);
    case NodeKind::Call: return of_call(*as<Call>(expr));
    case NodeKind::Cast: return of_cast(*as<Cast>(expr));
    case NodeKind::Select: {
        const Select& node = *as<Select>(expr);
        const Maybe condition = of(node.condition);
        if (condition && condition->min == condition->max)
            return of(condition->min ? node.then_value : node.else_value);
        const Maybe a = of(node.then_value), b = of(node.else_value);
        if (!a || !b) return std::nullopt;
        return Interval{std::min(a->min, b->min), std::max(a->max, b->max)};
    }
    default: return std::nullopt;
    }
}

Maybe Intervals::of_binary(const Binary& node, const Expr& expr) {
    const bool sum = node.op == BinaryOp::Add || node.op == BinaryOp::Sub || node.op == BinaryOp::Mul;
    if (sum && node.dtype == DType::I64) {
        const Affine affine = affine_of(expr);
        const bool itself = affine.terms.size() == 1 && affine.constant == 0 && affine.terms[0].term == expr;
        if (!itself) return of(affine);
    }
    const Maybe a = of(node.a), b = of(node.b);
    if (is_comparison(node.op)) return truth(a && b ? decided(node.op, *a, *b) : std::nullopt);
    if (node.op == BinaryOp::And && ((a && a->max == 0) || (b && b->max == 0))) return Interval{0, 0};
    if (node.op == BinaryOp::Or && ((a && a->min == 1) || (b && b->min == 1))) return Interval{1, 1};
    if (node.op == BinaryOp::FloorMod && b && b->min >= 1 && !a) return Interval{0, b->max - 1};
    if (!a || !b || (node.dtype == DType::Bool && node.op != BinaryOp::And && node.op != BinaryOp::Or))
        return std::nullopt;
    switch (node.op) {
    case BinaryOp::Add: return within(node.dtype, Wide{a->min} + b->min, Wide{a->max} + b->max);
    case BinaryOp::Sub: return within(node.dtype, Wide{a->min} - b->max, Wide{a->max} - b->min);
    case BinaryOp::Mul: {
        const auto [min, max] =
            std::minmax({Wide{a->min} * b->min, Wide{a->min} * b->max, Wide{a->max} * b->min, Wide{a->max} * b->max});
        return within(node.dtype, min, max);
    }
    case BinaryOp::Div:
    case BinaryOp::FloorDiv: {
        const Maybe q = quotient(node.op, *a, *b);
        return q ? within(node.dtype, q->min, q->max) : std::nullopt;
    }
    case BinaryOp::Rem: return remainder(*a, *b);
    case BinaryOp::FloorMod: return floor_remainder(*a, *b);
    case BinaryOp::Min: return Interval{std::min(a->min, b->min), std::min(a->max, b->max)};
    case BinaryOp::Max: return Interval{std::max(a->min, b->min), std::max(a->max, b->max)};
    case BinaryOp::And: return Interval{a->min & b->min, a->max & b->max};
    case BinaryOp::Or: return Interval{a->min | b->min, a->max | b->max};
    case BinaryOp::Shl:
    case BinaryOp::Shr: return shifted(node.op, node.dtype, *a, *b);
    default: return bitwise(node.op, node.dtype, *a, *b);
    }
}

Maybe Intervals::of_call(const Call& node) {
    const Maybe a = of(node.args[0]);
    switch (node.intrinsic) {
    case Intrinsic::Sign:
        if (!a) return node.dtype == DType::U64 ? Interval{0, 1} : Interval{-1, 1};
        return Interval{a->min > 0 ? 1 : a->min < 0 ? -1 : 0, a->max > 0 ? 1 : a->max < 0 ? -1 : 0};
    case Intrinsic::CountOnes: return Interval{0, byte_size(node.dtype) * 8};
    case Intrinsic::Not:
        if (a) return Interval{1 - a->max, 1 - a->min};
        return std::nullopt;
    case Intrinsic::Neg:
        if (a && node.dtype != DType::Bool) return within(node.dtype, -Wide{a->max}, -Wide{a->min});
        return std::nullopt;
    case Intrinsic::Abs:
        if (!a) return std::nullopt;
        if (a->min >= 0) return a;
        return within(node.dtype, a->max <= 0 ? -Wide{a->max} : Wide{0}, std::max(-Wide{a->min}, Wide{a->max}));
    default: return std::nullopt;
    }
}

Maybe Intervals::of_cast(const Cast& node) {
    if (is_float(node.value->dtype)) return std::nullopt;
    const Maybe a = of(node.value);
    if (!a) return std::nullopt;
    if (node.dtype != DType::Bool) return within(node.dtype, a->min, a->max);
    return truth(a->min == 0 && a->max == 0 ? std::optional(false)
                 : a->min > 0 || a->max < 0 ? std::optional(true)
                                            : std::nullopt);
}

Maybe interval_of(const Expr& expr, const Bounds& bounds) { return Intervals(bounds).of(expr); }

} // namespace orrery::tensor
