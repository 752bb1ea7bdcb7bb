#include "core/transform/simplify_rules.hpp"

#include <cmath>
#include <limits>

namespace orrery::transform {

namespace {

using graph::any;
using graph::any_of;
using graph::Attrs;
using graph::CallOp;
using graph::commutative;
using graph::constant;
using graph::op;
using graph::Pattern;
using graph::Var;

Pattern x() { return any().as("x"); }
Pattern c() { return constant().as("c"); }
Pattern inner(const char* name) { return op(name).as("inner"); }

Replacement operand_of_inner(Site& site) {
    const Var from = site.call_of(site["inner"])->args[0];
    return site.same_type(from) ? Replacement::by(from) : Replacement::none();
}

// ------------------------------------------------------------------------------ neutral elements

/// x itself where the constant is `value` throughout and broadcasting changes nothing.
Replacement neutral(Site& site, double value) {
    if (!site.same_type(site["x"]) || !all_equal(*site.constant_of(site["c"]), value)) return Replacement::none();
    return Replacement::by(site["x"]);
}
Replacement neutral_one(Site& site) { return neutral(site, 1); }
Replacement neutral_zero(Site& site) { return neutral(site, 0); }

/// -0 + 0 is 0, so that adding 0 to floats may turn the sign of a zero; -0 + x is x.
Replacement neutral_sum(Site& site) {
    const NDArray& value = *site.constant_of(site["c"]);
    if (is_float(value.dtype()))
        for (std::int64_t i = 0; i < value.size(); ++i)
            if (!std::signbit(value.as_double(i))) return Replacement::none();
    return neutral_zero(site);
}

/// -0 - -0 is 0.
Replacement neutral_difference(Site& site) {
    const NDArray& value = *site.constant_of(site["c"]);
    if (!all_equal(value, 0)) return Replacement::none();
    for (std::int64_t i = 0; i < value.size(); ++i)
        if (std::signbit(value.as_double(i))) return Replacement::none();
    return neutral_zero(site);
}

Replacement zero_product(Site& site) {
    const NDArray& value = *site.constant_of(site["c"]);
    if (!is_int(site.type().dtype) || !all_equal(value, 0) || !graph::is_static(site.type()))
        return Replacement::none();
    const Var zero = site.emit(NDArray::zeros(site.type().dtype, {}));
    return Replacement::by(make_call("broadcast_to", {zero}, {{"shape", graph::static_shape(site.type())}}));
}

Replacement product_with_minus_one(Site& site) {
    const DType dtype = site.type().dtype;
    if (!site.same_type(site["x"]) || is_unsigned_int(dtype) || !all_equal(*site.constant_of(site["c"]), -1))
        return Replacement::none();
    return Replacement::by(make_call("negative", {site["x"]}));
}

/// The exponent of a power of two that, like its reciprocal, is a normal number of the type; nullopt otherwise.
std::optional<int> exponent_of(double value, DType dtype) {
    int exponent = 0;
    const int most = dtype == DType::F16 ? 13 : dtype == DType::F64 ? 1021 : 125;
    if (std::frexp(std::abs(value), &exponent) != 0.5 || std::abs(exponent) > most) return std::nullopt;
    return exponent - 1;
}

Replacement division_by_power_of_two(Site& site) {
    const NDArray& value = *site.constant_of(site["c"]);
    constexpr std::int64_t kMost = 65536;
    if (!is_float(value.dtype()) || value.size() > kMost) return Replacement::none();
    NDArray reciprocal = NDArray::allocate(value.dtype(), value.shape());
    for (std::int64_t i = 0; i < value.size(); ++i) {
        if (!exponent_of(value.as_double(i), value.dtype())) return Replacement::none();
        reciprocal.set(i, 1 / value.as_double(i));
    }
    return Replacement::by(make_call("multiply", {site["x"], site.emit(std::move(reciprocal))}));
}

Replacement square(Site& site) {
    if (!is_float(site.type().dtype) || !site.same_type(site["x"]) || !all_equal(*site.constant_of(site["c"]), 2))
        return Replacement::none();
    return Replacement::by(make_call("multiply", {site["x"], site["x"]}));
}

// ------------------------------------------------------------------------------ repeated work

Replacement inner_itself(Site& site) { return Replacement::by(site["inner"]); }

Replacement same_operands(Site& site) {
    return site.same_type(site["x"]) ? Replacement::by(site["x"]) : Replacement::none();
}

Replacement difference_with_itself(Site& site) {
    if (!is_int(site.type().dtype) || !graph::is_static(site.type())) return Replacement::none();
    const Var zero = site.emit(NDArray::zeros(site.type().dtype, {}));
    return Replacement::by(make_call("broadcast_to", {zero}, {{"shape", graph::static_shape(site.type())}}));
}

Replacement magnitude_of_negative(Site& site) {
    return Replacement::by(make_call("abs", {site.call_of(site["inner"])->args[0]}));
}

Replacement add_of_negative(Site& site) {
    return Replacement::by(make_call("subtract", {site["x"], site.call_of(site["inner"])->args[0]}));
}
Replacement subtract_of_negative(Site& site) {
    return Replacement::by(make_call("add", {site["x"], site.call_of(site["inner"])->args[0]}));
}

/// [min, max] of a clip or relu; a missing bound is infinite.
std::pair<double, double> bounds_of(const CallOp& call) {
    constexpr double kInfinite = std::numeric_limits<double>::infinity();
    if (call.op.name == "relu") return {0, kInfinite};
    return {call.attrs.number("min", -kInfinite), call.attrs.number("max", kInfinite)};
}

/// Two intervals that meet are one. A NaN becomes the first lower bound there is, which must be the inner one or both
/// be missing for the result to be the same.
Replacement clip_of_clip(Site& site) {
    const CallOp& first = *site.call_of(site["inner"]);
    const auto [a, b] = bounds_of(first);
    const auto [c, d] = bounds_of(site.root());
    const double low = std::max(a, c), high = std::min(b, d);
    if (low > high || a > b || c > d || (std::isinf(a) && !std::isinf(c))) return Replacement::none();
    if (low == 0 && std::isinf(high)) return Replacement::by(make_call("relu", {first.args[0]}));
    Attrs attrs;
    if (!std::isinf(low)) attrs = attrs.with("min", low);
    if (!std::isinf(high)) attrs = attrs.with("max", high);
    return Replacement::by(make_call("clip", {first.args[0]}, attrs));
}

// ------------------------------------------------------------------------------ casts

/// Bits of magnitude a type holds exactly; floats: of their significand.
int exact_bits(DType dtype) {
    switch (dtype) {
    case DType::Bool: return 1;
    case DType::BF16: return 8;
    case DType::F16: return 11;
    case DType::F32: return 24;
    case DType::F64: return 53;
    default: return is_float(dtype) ? 0 : bit_width(dtype) - (is_signed_int(dtype) ? 1 : 0);
    }
}

/// True when every value of `from` is one of `to`.
bool holds_all(DType from, DType to) {
    if (from == to) return true;
    if (to == DType::Bool) return false;
    if (is_float(from)) {
        if (!is_float(to)) return false;
        return to == DType::F64 || (to == DType::F32 && from != DType::F64);
    }
    if (is_float(to)) {
        // 65,504 is the largest f16.
        if (to == DType::F16) return exact_bits(from) <= 11;
        return exact_bits(from) <= exact_bits(to);
    }
    if (is_signed_int(from) && is_unsigned_int(to)) return false;
    return exact_bits(from) <= exact_bits(to);
}

Replacement cast_to_itself(Site& site) {
    return site.same_type(site["x"]) ? Replacement::by(site["x"]) : Replacement::none();
}

/// A cast that loses nothing leaves what comes after the same. To bool everything but zero is true.
Replacement cast_of_cast(Site& site) {
    const CallOp& first = *site.call_of(site["inner"]);
    const Var from = first.args[0];
    const DType a = graph::as_tensor(from->type)->dtype, b = first.attrs.dtype("dtype"), last = site.type().dtype;
    if (!holds_all(a, b)) return Replacement::none();
    // Floats saturate where integers wrap.
    if (!is_float(a) && is_float(b) && !is_float(last) && !holds_all(a, last)) return Replacement::none();
    return a == last ? Replacement::by(from) : Replacement::by(make_call("cast", {from}, {{"dtype", last}}));
}

// ------------------------------------------------------------------------------ chains of constants

/// f(f(x, a), b) = f(x, g(a, b)), when the types stay.
Replacement joined(Site& site, const char* outer, const char* between) {
    const graph::Expr both = make_call(between, {site["a"], site["b"]});
    const Result<graph::Type> type = graph::infer_expr(both);
    if (!type) return Replacement::none();
    const Result<graph::Type> whole = graph::infer_expr(make_call(outer, {site["x"], graph::make_var("c", *type)}));
    if (!whole || !graph::equal(*whole, site.result_type())) return Replacement::none();
    return Replacement::by(make_call(outer, {site["x"], site.emit(both)}));
}
Replacement joined_sums(Site& site) { return joined(site, "add", "add"); }
Replacement joined_products(Site& site) { return joined(site, "multiply", "multiply"); }

Replacement joined_integer_sums(Site& site) {
    return is_int(site.type().dtype) ? joined_sums(site) : Replacement::none();
}

/// Products with integers wrap; with powers of two of at least one they are exact until both ways overflow.
Replacement joined_exact_products(Site& site) {
    if (is_int(site.type().dtype)) return joined_products(site);
    for (const char* name : {"a", "b"}) {
        const NDArray& value = *site.constant_of(site[name]);
        if (value.size() != 1) return Replacement::none();
        const std::optional<int> exponent = exponent_of(value.as_double(0), value.dtype());
        if (!exponent || *exponent < 0) return Replacement::none();
    }
    return joined_products(site);
}

Pattern chain(const char* name) {
    return commutative(name, commutative(name, x(), constant().as("a")), constant().as("b"));
}

} // namespace

Rules algebra_rules() {
    return {
        {"x + 0", commutative("add", x(), c()), neutral_sum},
        {"x - 0", op("subtract", {x(), c()}), neutral_difference},
        {"x * 1", commutative("multiply", x(), c()), neutral_one},
        {"x / 1", op("divide", {x(), c()}), neutral_one},
        {"x to the power of 1", op("power", {x(), c()}), neutral_one},
        {"integers times 0", commutative("multiply", x(), c()), zero_product},
        {"x * -1", commutative("multiply", x(), c()), product_with_minus_one},
        {"division by a power of two", op("divide", {x(), c()}), division_by_power_of_two},
        {"x to the power of 2", op("power", {x(), c()}), square},
        {"negative of a negative", op("negative", {inner("negative")}), operand_of_inner},
        {"not of a not", op("logical_not", {inner("logical_not")}), operand_of_inner},
        {"complement of a complement", op("bitwise_not", {inner("bitwise_not")}), operand_of_inner},
        {"absolute value of one", op("abs", {any_of({inner("abs"), inner("relu")})}), inner_itself},
        {"absolute value of a negative", op("abs", {inner("negative")}), magnitude_of_negative},
        {"sum with a negative", commutative("add", x(), inner("negative")), add_of_negative},
        {"difference with a negative", op("subtract", {x(), inner("negative")}), subtract_of_negative},
        {"integers minus themselves", op("subtract", {x(), x()}), difference_with_itself},
        {"greater of equals", any_of({op("maximum", {x(), x()}), op("minimum", {x(), x()})}), same_operands},
        {"intervals that meet",
         any_of({op("clip", {any_of({inner("clip"), inner("relu")})}),
                 op("relu", {any_of({inner("clip"), inner("relu")})})}),
         clip_of_clip},
        {"cast to the same type", op("cast", {x()}), cast_to_itself},
        {"cast of a cast that loses nothing", op("cast", {inner("cast")}), cast_of_cast},
        {"integer sums joined", chain("add"), joined_integer_sums},
        {"exact products joined", chain("multiply"), joined_exact_products},
    };
}

Rules reassociation_rules() {
    return {
        {"sums of constants joined", chain("add"), joined_sums},
        {"products of constants joined", chain("multiply"), joined_products},
        {"x + 0, whatever the zeros' signs", commutative("add", x(), c()), neutral_zero},
    };
}

} // namespace orrery::transform
