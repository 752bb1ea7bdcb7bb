// Constants are folded with the rules of core/tensor/node.hpp; what they say about wrapping, division and NaN is
// said once, in fold_int and fold_float.

#include "core/tensor/build.hpp"

#include <cmath>
#include <limits>

namespace orrery::tensor {

namespace {

/// The value modulo 2^bits, as the dtype reads it. A u64 above 2^63 is held as the negative of equal bits.
std::int64_t wrap(DType dtype, std::uint64_t value) {
    const int unused = 64 - bit_width(dtype);
    if (unused == 0) return static_cast<std::int64_t>(value);
    if (is_signed_int(dtype)) return static_cast<std::int64_t>(value << unused) >> unused;
    return static_cast<std::int64_t>(value << unused >> unused);
}

std::int64_t least_int(DType dtype) {
    return is_signed_int(dtype) ? wrap(dtype, std::uint64_t{1} << (bit_width(dtype) - 1)) : 0;
}

std::int64_t greatest_int(DType dtype) {
    if (is_signed_int(dtype)) return -(least_int(dtype) + 1);
    return wrap(dtype, ~std::uint64_t{0});
}

/// Rounds a result computed in double, which holds every f32 result of + - * / sqrt exactly enough to round once.
double round_to(DType dtype, double value) { return rounded_to(dtype, value); }

bool less_int(DType dtype, std::int64_t a, std::int64_t b) {
    return dtype == DType::U64 ? static_cast<std::uint64_t>(a) < static_cast<std::uint64_t>(b) : a < b;
}

struct Divided {
    std::int64_t quotient = 0, remainder = 0; ///< truncating
};

Divided divide(DType dtype, std::int64_t a, std::int64_t b) {
    if (b == 0 || (is_signed_int(dtype) && b == -1 && a == least_int(dtype))) return {};
    if (dtype != DType::U64) return {a / b, a % b};
    const auto x = static_cast<std::uint64_t>(a), y = static_cast<std::uint64_t>(b);
    return {static_cast<std::int64_t>(x / y), static_cast<std::int64_t>(x % y)};
}

std::int64_t shift(BinaryOp op, DType dtype, std::int64_t a, std::int64_t count) {
    const int width = bit_width(dtype);
    const bool beyond = static_cast<std::uint64_t>(count) >= static_cast<std::uint64_t>(width);
    if (op == BinaryOp::Shl) return beyond ? 0 : wrap(dtype, static_cast<std::uint64_t>(a) << count);
    if (is_signed_int(dtype)) return beyond ? (a < 0 ? -1 : 0) : a >> count;
    return beyond ? 0 : static_cast<std::int64_t>(static_cast<std::uint64_t>(a) >> count);
}

std::int64_t fold_int(BinaryOp op, DType dtype, std::int64_t a, std::int64_t b) {
    const auto x = static_cast<std::uint64_t>(a), y = static_cast<std::uint64_t>(b);
    const Divided d = divide(dtype, a, b);
    const bool floor_differs = d.remainder != 0 && is_signed_int(dtype) && (d.remainder < 0) != (b < 0);
    switch (op) {
    case BinaryOp::Add: return wrap(dtype, x + y);
    case BinaryOp::Sub: return wrap(dtype, x - y);
    case BinaryOp::Mul: return wrap(dtype, x * y);
    case BinaryOp::Div: return d.quotient;
    case BinaryOp::Rem: return d.remainder;
    case BinaryOp::FloorDiv: return floor_differs ? d.quotient - 1 : d.quotient;
    case BinaryOp::FloorMod: return floor_differs ? d.remainder + b : d.remainder;
    case BinaryOp::Min: return less_int(dtype, b, a) ? b : a;
    case BinaryOp::Max: return less_int(dtype, a, b) ? b : a;
    case BinaryOp::And: return a != 0 && b != 0;
    case BinaryOp::Or: return a != 0 || b != 0;
    case BinaryOp::BitAnd: return a & b;
    case BinaryOp::BitOr: return a | b;
    case BinaryOp::BitXor: return a ^ b;
    case BinaryOp::Shl:
    case BinaryOp::Shr: return shift(op, dtype, a, b);
    case BinaryOp::Eq: return a == b;
    case BinaryOp::Ne: return a != b;
    case BinaryOp::Lt: return less_int(dtype, a, b);
    case BinaryOp::Le: return !less_int(dtype, b, a);
    case BinaryOp::Gt: return less_int(dtype, b, a);
    case BinaryOp::Ge: return !less_int(dtype, a, b);
    }
    fail_internal("every operator folds");
}

bool compare_floats(BinaryOp op, double a, double b) {
    switch (op) {
    case BinaryOp::Eq: return a == b;
    case BinaryOp::Ne: return a != b;
    case BinaryOp::Lt: return a < b;
    case BinaryOp::Le: return a <= b;
    case BinaryOp::Gt: return a > b;
    default: return a >= b;
    }
}

/// Null for operators that floats do not have.
Expr fold_float(BinaryOp op, DType dtype, double a, double b) {
    if (is_comparison(op)) return boolean(compare_floats(op, a, b));
    switch (op) {
    case BinaryOp::Add: return FloatImm::make(dtype, round_to(dtype, a + b));
    case BinaryOp::Sub: return FloatImm::make(dtype, round_to(dtype, a - b));
    case BinaryOp::Mul: return FloatImm::make(dtype, round_to(dtype, a * b));
    case BinaryOp::Div: return FloatImm::make(dtype, round_to(dtype, a / b));
    case BinaryOp::Min: return FloatImm::make(dtype, std::isnan(a) || b < a ? b : a);
    case BinaryOp::Max: return FloatImm::make(dtype, std::isnan(a) || a < b ? b : a);
    default: return nullptr;
    }
}

const FloatImm* float_constant(const Expr& expr) { return as<FloatImm>(expr); }
bool is_float_value(const Expr& expr, double value) {
    const FloatImm* imm = float_constant(expr);
    return imm && imm->value == value && std::signbit(imm->value) == std::signbit(value);
}

/// Identities that hold for every float, signed zeros and NaN included.
Expr float_identity(BinaryOp op, const Expr& a, const Expr& b) {
    switch (op) {
    case BinaryOp::Add: return is_float_value(b, -0.0) ? a : is_float_value(a, -0.0) ? b : nullptr;
    case BinaryOp::Sub: return is_float_value(b, 0.0) ? a : nullptr;
    case BinaryOp::Mul: return is_float_value(b, 1.0) ? a : is_float_value(a, 1.0) ? b : nullptr;
    case BinaryOp::Div: return is_float_value(b, 1.0) ? a : nullptr;
    case BinaryOp::Min:
    case BinaryOp::Max: return a == b ? a : nullptr;
    default: return nullptr;
    }
}

Expr bool_identity(BinaryOp op, const Expr& a, const Expr& b) {
    const IntImm* x = as<IntImm>(a);
    const IntImm* y = as<IntImm>(b);
    if (op == BinaryOp::And && x) return x->value ? b : a;
    if (op == BinaryOp::And && y) return y->value ? a : b;
    if (op == BinaryOp::Or && x) return x->value ? a : b;
    if (op == BinaryOp::Or && y) return y->value ? b : a;
    return (op == BinaryOp::And || op == BinaryOp::Or) && a == b ? a : nullptr;
}

/// (x + c1) + c2 -> x + (c1 + c2), (x * c1) * c2 -> x * (c1 * c2): integers wrap, so the sum of constants may too.
Expr merge_constants(BinaryOp op, const Expr& a, std::int64_t c) {
    const Binary* inner = as<Binary>(a);
    if (!inner) return nullptr;
    const IntImm* c1 = as<IntImm>(inner->b);
    if (!c1) return nullptr;
    const bool sum = op == BinaryOp::Add || op == BinaryOp::Sub;
    if (sum && (inner->op == BinaryOp::Add || inner->op == BinaryOp::Sub)) {
        const DType type = a->dtype;
        const std::int64_t left = inner->op == BinaryOp::Add ? c1->value : fold_int(BinaryOp::Sub, type, 0, c1->value);
        const std::int64_t total = fold_int(op, type, left, c);
        if (is_signed_int(type) && total < 0 && total != least_int(type)) return inner->a - constant_int(type, -total);
        return inner->a + constant_int(type, total);
    }
    if (op == BinaryOp::Mul && inner->op == BinaryOp::Mul)
        return inner->a * constant_int(a->dtype, fold_int(BinaryOp::Mul, a->dtype, c1->value, c));
    return nullptr;
}

/// Identities with an integer constant on the right.
Expr int_right_identity(BinaryOp op, const Expr& a, const Expr& b, std::int64_t c) {
    switch (op) {
    case BinaryOp::Add:
    case BinaryOp::Sub: return c == 0 ? a : merge_constants(op, a, c);
    case BinaryOp::BitOr:
    case BinaryOp::BitXor:
    case BinaryOp::Shl:
    case BinaryOp::Shr: return c == 0 ? a : nullptr;
    case BinaryOp::Mul: return c == 1 ? a : c == 0 ? b : merge_constants(op, a, c);
    case BinaryOp::BitAnd: return c == 0 ? b : nullptr;
    case BinaryOp::Div:
    case BinaryOp::FloorDiv: return c == 1 ? a : nullptr;
    case BinaryOp::Rem:
    case BinaryOp::FloorMod: return c == 1 ? constant_int(a->dtype, 0) : nullptr;
    default: return nullptr;
    }
}

Expr int_identity(BinaryOp op, const Expr& a, const Expr& b) {
    if (const IntImm* c = as<IntImm>(b)) return int_right_identity(op, a, b, c->value);
    if (const IntImm* c = as<IntImm>(a)) {
        if (c->value == 0 && (op == BinaryOp::Add || op == BinaryOp::BitOr || op == BinaryOp::BitXor)) return b;
        if (c->value == 0 && (op == BinaryOp::Mul || op == BinaryOp::BitAnd)) return a;
        if (c->value == 1 && op == BinaryOp::Mul) return b;
        return nullptr;
    }
    if (a != b) return nullptr;
    switch (op) {
    case BinaryOp::Min:
    case BinaryOp::Max:
    case BinaryOp::BitAnd:
    case BinaryOp::BitOr: return a;
    case BinaryOp::Sub:
    case BinaryOp::BitXor: return constant_int(a->dtype, 0);
    case BinaryOp::Eq:
    case BinaryOp::Le:
    case BinaryOp::Ge: return boolean(true);
    case BinaryOp::Ne:
    case BinaryOp::Lt:
    case BinaryOp::Gt: return boolean(false);
    default: return nullptr;
    }
}

Expr fold_cast(DType to, const Expr& value) {
    if (const IntImm* imm = as<IntImm>(value)) {
        if (to == DType::Bool) return boolean(imm->value != 0);
        if (!is_float(to)) return constant_int(to, imm->value);
        // One rounding: integers go to f32 directly, not through double.
        if (value->dtype == DType::U64) {
            const auto bits = static_cast<std::uint64_t>(imm->value);
            return FloatImm::make(to, to == DType::F64 ? static_cast<double>(bits) : static_cast<float>(bits));
        }
        return FloatImm::make(to, to == DType::F64 ? static_cast<double>(imm->value) : static_cast<float>(imm->value));
    }
    const FloatImm* imm = as<FloatImm>(value);
    if (!imm) return nullptr;
    if (is_float(to)) return FloatImm::make(to, imm->value);
    if (to == DType::Bool) return boolean(imm->value != 0);
    if (std::isnan(imm->value)) return constant_int(to, 0);
    // 2^bits as a double is exact, while the greatest integer itself may not be.
    const double past = std::ldexp(1.0, is_signed_int(to) ? bit_width(to) - 1 : bit_width(to));
    const double truncated = std::trunc(imm->value);
    if (truncated >= past) return constant_int(to, greatest_int(to));
    if (truncated < (is_signed_int(to) ? -past : 0.0)) return constant_int(to, least_int(to));
    if (to == DType::U64) return constant_int(to, static_cast<std::int64_t>(static_cast<std::uint64_t>(truncated)));
    return constant_int(to, static_cast<std::int64_t>(truncated));
}

Expr fold_int_call(Intrinsic intrinsic, DType dtype, std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    switch (intrinsic) {
    case Intrinsic::Neg: return constant_int(dtype, static_cast<std::int64_t>(0 - bits));
    case Intrinsic::Not: return boolean(value == 0);
    case Intrinsic::BitNot: return constant_int(dtype, ~value);
    case Intrinsic::Abs:
        return constant_int(dtype, is_signed_int(dtype) && value < 0 ? static_cast<std::int64_t>(0 - bits) : value);
    case Intrinsic::Sign:
        if (is_signed_int(dtype)) return constant_int(dtype, value > 0 ? 1 : value < 0 ? -1 : 0);
        return constant_int(dtype, value != 0);
    default: return nullptr;
    }
}

/// Only functions whose result does not depend on a math library.
Expr fold_float_call(Intrinsic intrinsic, DType dtype, double value) {
    switch (intrinsic) {
    case Intrinsic::Neg: return FloatImm::make(dtype, -value);
    case Intrinsic::Abs: return FloatImm::make(dtype, std::fabs(value));
    case Intrinsic::Sqrt: return FloatImm::make(dtype, round_to(dtype, std::sqrt(value)));
    case Intrinsic::Floor: return FloatImm::make(dtype, std::floor(value));
    case Intrinsic::Ceil: return FloatImm::make(dtype, std::ceil(value));
    case Intrinsic::Round: return FloatImm::make(dtype, std::nearbyint(value));
    case Intrinsic::Trunc: return FloatImm::make(dtype, std::trunc(value));
    case Intrinsic::IsNan: return boolean(std::isnan(value));
    case Intrinsic::IsInf: return boolean(std::isinf(value));
    default: return nullptr;
    }
}

} // namespace

Expr constant(DType dtype, double value) {
    if (is_float(dtype)) return FloatImm::make(dtype, value);
    return fold_cast(dtype, FloatImm::make(DType::F64, value));
}

Expr constant_int(DType dtype, std::int64_t value) {
    if (is_float(dtype)) return fold_cast(dtype, IntImm::make(DType::I64, value));
    if (dtype == DType::Bool) return boolean(value != 0);
    return IntImm::make(dtype, wrap(dtype, static_cast<std::uint64_t>(value)));
}

Expr boolean(bool value) { return IntImm::make(DType::Bool, value ? 1 : 0); }

Expr lowest(DType dtype) {
    if (is_float(dtype)) return FloatImm::make(dtype, -std::numeric_limits<double>::infinity());
    return IntImm::make(dtype, least_int(dtype));
}

Expr highest(DType dtype) {
    if (is_float(dtype)) return FloatImm::make(dtype, std::numeric_limits<double>::infinity());
    return IntImm::make(dtype, greatest_int(dtype));
}

std::optional<std::int64_t> as_int(const Expr& expr) {
    const IntImm* imm = as<IntImm>(expr);
    return imm ? std::optional(imm->value) : std::nullopt;
}

bool is_zero(const Expr& expr) {
    if (const FloatImm* imm = as<FloatImm>(expr)) return imm->value == 0;
    return as_int(expr) == 0;
}

bool is_one(const Expr& expr) {
    if (const FloatImm* imm = as<FloatImm>(expr)) return imm->value == 1;
    return as_int(expr) == 1;
}

Expr binary(BinaryOp op, const Expr& a, const Expr& b) {
    ORRERY_ASSERT(a != nullptr && b != nullptr, "operands are given");
    Expr folded;
    if (a->dtype == b->dtype && is_float(a->dtype)) {
        const FloatImm* x = float_constant(a);
        const FloatImm* y = float_constant(b);
        folded = x && y ? fold_float(op, a->dtype, x->value, y->value) : float_identity(op, a, b);
    } else if (a->dtype == b->dtype) {
        const IntImm* x = as<IntImm>(a);
        const IntImm* y = as<IntImm>(b);
        const bool boolean_result = is_comparison(op) || a->dtype == DType::Bool;
        if (x && y) {
            const std::int64_t value = fold_int(op, a->dtype, x->value, y->value);
            folded = boolean_result ? boolean(value != 0) : IntImm::make(a->dtype, value);
        } else {
            folded = a->dtype == DType::Bool ? bool_identity(op, a, b) : int_identity(op, a, b);
        }
    }
    return folded ? folded : Binary::make(op, a, b);
}

Expr operator+(const Expr& a, const Expr& b) { return binary(BinaryOp::Add, a, b); }
Expr operator-(const Expr& a, const Expr& b) { return binary(BinaryOp::Sub, a, b); }
Expr operator*(const Expr& a, const Expr& b) { return binary(BinaryOp::Mul, a, b); }
Expr operator/(const Expr& a, const Expr& b) { return binary(BinaryOp::Div, a, b); }
Expr floor_div(const Expr& a, const Expr& b) { return binary(BinaryOp::FloorDiv, a, b); }
Expr floor_mod(const Expr& a, const Expr& b) { return binary(BinaryOp::FloorMod, a, b); }
Expr min(const Expr& a, const Expr& b) { return binary(BinaryOp::Min, a, b); }
Expr max(const Expr& a, const Expr& b) { return binary(BinaryOp::Max, a, b); }
Expr operator&&(const Expr& a, const Expr& b) { return binary(BinaryOp::And, a, b); }
Expr operator||(const Expr& a, const Expr& b) { return binary(BinaryOp::Or, a, b); }
Expr operator!(const Expr& a) { return call(Intrinsic::Not, a); }
Expr eq(const Expr& a, const Expr& b) { return binary(BinaryOp::Eq, a, b); }
Expr ne(const Expr& a, const Expr& b) { return binary(BinaryOp::Ne, a, b); }
Expr lt(const Expr& a, const Expr& b) { return binary(BinaryOp::Lt, a, b); }
Expr le(const Expr& a, const Expr& b) { return binary(BinaryOp::Le, a, b); }
Expr gt(const Expr& a, const Expr& b) { return binary(BinaryOp::Gt, a, b); }
Expr ge(const Expr& a, const Expr& b) { return binary(BinaryOp::Ge, a, b); }

Expr select(const Expr& condition, const Expr& then_value, const Expr& else_value) {
    if (const IntImm* imm = as<IntImm>(condition); imm && then_value->dtype == else_value->dtype)
        return imm->value ? then_value : else_value;
    return then_value == else_value ? then_value : Select::make(condition, then_value, else_value);
}

Expr cast(DType dtype, const Expr& value) {
    if (value->dtype == dtype) return value;
    Expr folded = fold_cast(dtype, value);
    return folded ? folded : Cast::make(dtype, value);
}

Expr call(Intrinsic intrinsic, const Expr& a) {
    Expr folded;
    const bool has_it = intrinsic != Intrinsic::Not || a->dtype == DType::Bool;
    if (const IntImm* imm = as<IntImm>(a); imm && has_it && (a->dtype != DType::Bool || intrinsic == Intrinsic::Not))
        folded = fold_int_call(intrinsic, a->dtype, imm->value);
    if (const FloatImm* imm = as<FloatImm>(a)) folded = fold_float_call(intrinsic, a->dtype, imm->value);
    if (const Call* inner = as<Call>(a);
        inner && inner->intrinsic == intrinsic &&
        (intrinsic == Intrinsic::Not || intrinsic == Intrinsic::Neg || intrinsic == Intrinsic::BitNot))
        folded = inner->args.front();
    return folded ? folded : Call::make(intrinsic, {a});
}

Expr call(Intrinsic intrinsic, const Expr& a, const Expr& b) { return Call::make(intrinsic, {a, b}); }

Expr load(const Buffer& buffer, std::vector<Expr> indices) { return Load::make(buffer, std::move(indices)); }

} // namespace orrery::tensor
