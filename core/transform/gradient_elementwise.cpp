// Derivatives of operators that work element by element. `o` is the value itself where it gives the derivative cheaper
// than the operand does.

#include "core/transform/gradient_rules.hpp"

#include <cmath>
#include <numbers>

namespace orrery::transform::gradient_rules {

namespace {

using Back = std::vector<Var>;

// ------------------------------------------------------------------------------------------ one operand

Back negative(const Request& r) { return {r.emit.neg(r.g())}; }
Back identity(const Request& r) { return {r.g()}; }
Back none(const Request&) { return {}; }
Back absolute(const Request& r) { return {r.emit.mul(r.g(), r.emit.call("sign", {r.x()}))}; }
Back exponential(const Request& r) { return {r.emit.mul(r.g(), r.out)}; }
Back logarithm(const Request& r) { return {r.emit.div(r.g(), r.x())}; }
Back root(const Request& r) { return {r.emit.div(r.emit.scaled(r.g(), 0.5), r.out)}; }
Back reciprocal(const Request& r) { return {r.emit.neg(r.emit.mul(r.g(), r.emit.square(r.out)))}; }
Back sine(const Request& r) { return {r.emit.mul(r.g(), r.emit.call("cos", {r.x()}))}; }
Back cosine(const Request& r) { return {r.emit.neg(r.emit.mul(r.g(), r.emit.call("sin", {r.x()})))}; }
Back tangent(const Request& r) { return {r.emit.mul(r.g(), r.emit.shifted(r.emit.square(r.out), 1))}; }
Back sinh(const Request& r) { return {r.emit.mul(r.g(), r.emit.call("cosh", {r.x()}))}; }
Back cosh(const Request& r) { return {r.emit.mul(r.g(), r.emit.call("sinh", {r.x()}))}; }

Var one_less_square(Emitter& e, const Var& a) { return e.shifted(e.neg(e.square(a)), 1); }
Back tanh(const Request& r) { return {r.emit.mul(r.g(), one_less_square(r.emit, r.out))}; }
Back asin(const Request& r) { return {r.emit.div(r.g(), r.emit.call("sqrt", {one_less_square(r.emit, r.x())}))}; }
Back acos(const Request& r) { return {r.emit.neg(asin(r)[0])}; }
Back atan(const Request& r) { return {r.emit.div(r.g(), r.emit.shifted(r.emit.square(r.x()), 1))}; }
Back asinh(const Request& r) {
    return {r.emit.div(r.g(), r.emit.call("sqrt", {r.emit.shifted(r.emit.square(r.x()), 1)}))};
}
Back acosh(const Request& r) {
    return {r.emit.div(r.g(), r.emit.call("sqrt", {r.emit.shifted(r.emit.square(r.x()), -1)}))};
}
Back atanh(const Request& r) { return {r.emit.div(r.g(), one_less_square(r.emit, r.x()))}; }
Back erf(const Request& r) {
    const Var bell = r.emit.call("exp", {r.emit.neg(r.emit.square(r.x()))});
    return {r.emit.mul(r.g(), r.emit.scaled(bell, 2 * std::numbers::inv_sqrtpi))};
}
Back cast(const Request& r) {
    return {is_float(dtype(r.x())) ? r.emit.call("cast", {r.g()}, {{"dtype", dtype(r.x())}}) : Var()};
}

// ----------------------------------------------------------------------------------------- two operands

Back fitted(const Request& r, const Var& a, const Var& b) {
    return {r.emit.fit(a, shape(r.x(0))), r.emit.fit(b, shape(r.x(1)))};
}
Back addition(const Request& r) { return fitted(r, r.g(), r.g()); }
Back subtraction(const Request& r) { return fitted(r, r.g(), r.emit.neg(r.g())); }
Back product(const Request& r) { return fitted(r, r.emit.mul(r.g(), r.x(1)), r.emit.mul(r.g(), r.x(0))); }
Back quotient(const Request& r) {
    const Var over = r.emit.div(r.g(), r.x(1));
    return fitted(r, over, r.emit.neg(r.emit.mul(over, r.out)));
}
/// The exponent's derivative is 0 where the base is not positive: there the power is no function of real exponents.
Back power(const Request& r) {
    const Var lower = r.emit.call("power", {r.x(0), r.emit.shifted(r.x(1), -1)});
    const Var positive = r.emit.call("greater", {r.x(0), r.emit.number(r.x(0), 0)});
    const Var safe = r.emit.call("where", {positive, r.x(0), r.emit.number(r.x(0), 1)});
    const Var log = r.emit.mul(r.out, r.emit.call("log", {safe}));
    return fitted(r, r.emit.mul(r.g(), r.emit.mul(r.x(1), lower)), r.emit.mul(r.g(), log));
}
Back chosen(const Request& r, const char* first) {
    const Var condition = r.emit.call(first, {r.x(0), r.x(1)});
    const Var nothing = r.emit.number(r.g(), 0);
    return fitted(r, r.emit.call("where", {condition, r.g(), nothing}),
                  r.emit.call("where", {condition, nothing, r.g()}));
}
Back maximum(const Request& r) { return chosen(r, "greater_equal"); }
Back minimum(const Request& r) { return chosen(r, "less_equal"); }
/// a - n b with n whole: n = (a - rest) / b.
Back modulo(const Request& r) {
    const Var times = r.emit.div(r.emit.sub(r.x(0), r.out), r.x(1));
    return fitted(r, r.g(), r.emit.neg(r.emit.mul(r.g(), times)));
}
Back where(const Request& r) {
    const Var nothing = r.emit.number(r.g(), 0);
    return {nullptr, r.emit.fit(r.emit.call("where", {r.x(0), r.g(), nothing}), shape(r.x(1))),
            r.emit.fit(r.emit.call("where", {r.x(0), nothing, r.g()}), shape(r.x(2)))};
}
Back bias_add(const Request& r) {
    const std::size_t rank = shape(r.x()).size();
    const std::int64_t attr = r.call.attrs.integer("axis", 1);
    Ints axes = axes_from(0, rank);
    axes.erase(axes.begin() + (attr < 0 ? attr + static_cast<std::int64_t>(rank) : attr));
    return {r.g(), axes.empty() ? r.g() : r.emit.sum(r.g(), axes, false)};
}
Back prelu(const Request& r) {
    const Var below = r.emit.call("less", {r.x(), r.emit.number(r.x(), 0)});
    return {r.emit.call("where", {below, r.emit.mul(r.g(), r.x(1)), r.g()}),
            r.emit.fit(r.emit.only_where(below, r.emit.mul(r.g(), r.x())), shape(r.x(1)))};
}

// ------------------------------------------------------------------------------------------ activations

Var above(const Request& r, double bound) { return r.emit.call("greater", {r.x(), r.emit.number(r.x(), bound)}); }
Var below(const Request& r, double bound) { return r.emit.call("less", {r.x(), r.emit.number(r.x(), bound)}); }

Back relu(const Request& r) { return {r.emit.only_where(above(r, 0), r.g())}; }
Back leaky_relu(const Request& r) {
    const Var slope = r.emit.scaled(r.g(), r.call.attrs.number("alpha", 0.01));
    return {r.emit.call("where", {below(r, 0), slope, r.g()})};
}
Back elu(const Request& r) { // alpha e^x is the value plus alpha
    const Var raised = r.emit.shifted(r.out, r.call.attrs.number("alpha", 1));
    return {r.emit.call("where", {below(r, 0), r.emit.mul(r.g(), raised), r.g()})};
}
Back selu(const Request& r) {
    const double alpha = r.call.attrs.number("alpha", 1.67326319217681884765625),
                 gamma = r.call.attrs.number("gamma", 1.05070102214813232421875);
    const Var raised = r.emit.mul(r.g(), r.emit.shifted(r.out, alpha * gamma));
    return {r.emit.call("where", {above(r, 0), r.emit.scaled(r.g(), gamma), raised})};
}
Back celu(const Request& r) {
    const Var raised = r.emit.call("exp", {r.emit.scaled(r.x(), 1 / r.call.attrs.number("alpha", 1))});
    return {r.emit.call("where", {above(r, 0), r.g(), r.emit.mul(r.g(), raised)})};
}
Back thresholded_relu(const Request& r) {
    return {r.emit.only_where(above(r, r.call.attrs.number("alpha", 1)), r.g())};
}
Back sigmoid(const Request& r) { return {r.emit.mul(r.g(), r.emit.mul(r.out, r.emit.shifted(r.emit.neg(r.out), 1)))}; }
Back hard_sigmoid(const Request& r) {
    const Var low = r.emit.call("greater", {r.out, r.emit.number(r.out, 0)}),
              high = r.emit.call("less", {r.out, r.emit.number(r.out, 1)});
    return {r.emit.only_where(r.emit.call("logical_and", {low, high}),
                              r.emit.scaled(r.g(), r.call.attrs.number("alpha", 0.2)))};
}
/// x h with h = x / 6 + 1/2 between -3 and 3.
Back hard_swish(const Request& r) {
    const Var gate = r.emit.call("hard_sigmoid", {r.x()}, {{"alpha", 1.0 / 6}, {"beta", 0.5}});
    const Var inside = r.emit.call("logical_and", {above(r, -3), below(r, 3)});
    const Var slope = r.emit.only_where(inside, r.emit.scaled(r.x(), 1.0 / 6));
    return {r.emit.mul(r.g(), r.emit.add(gate, slope))};
}
Back softplus(const Request& r) { return {r.emit.mul(r.g(), r.emit.call("sigmoid", {r.x()}))}; }
Back softsign(const Request& r) {
    return {r.emit.div(r.g(), r.emit.square(r.emit.shifted(r.emit.call("abs", {r.x()}), 1)))};
}
Back mish(const Request& r) {
    const Var t = r.emit.call("tanh", {r.emit.call("softplus", {r.x()})});
    const Var slope = r.emit.mul(one_less_square(r.emit, t), r.emit.call("sigmoid", {r.x()}));
    return {r.emit.mul(r.g(), r.emit.add(t, r.emit.mul(r.x(), slope)))};
}
Back gelu(const Request& r) {
    Emitter& e = r.emit;
    const Var& x = r.x();
    if (!r.call.attrs.flag("approximate")) {
        const Var share = e.shifted(e.scaled(e.call("erf", {e.scaled(x, 1 / std::numbers::sqrt2)}), 0.5), 0.5);
        const Var bell =
            e.scaled(e.call("exp", {e.scaled(e.square(x), -0.5)}), std::numbers::inv_sqrtpi / std::numbers::sqrt2);
        return {e.mul(r.g(), e.add(share, e.mul(x, bell)))};
    }
    const double scale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi, cubic = 0.044715; // as gelu's definition
    const Var inner = e.scaled(e.mul(x, e.shifted(e.scaled(e.square(x), cubic), 1)), scale);
    const Var t = e.call("tanh", {inner});
    const Var slope = e.scaled(e.shifted(e.scaled(e.square(x), 3 * cubic), 1), scale);
    const Var rise = e.scaled(e.mul(e.mul(x, one_less_square(e, t)), slope), 0.5);
    return {e.mul(r.g(), e.add(e.shifted(e.scaled(t, 0.5), 0.5), rise))};
}
Back clip(const Request& r) {
    Var g = r.g();
    if (r.call.attrs.has("min"))
        g = r.emit.call("where", {below(r, r.call.attrs.number("min")), r.emit.number(g, 0), g});
    if (r.call.attrs.has("max"))
        g = r.emit.call("where", {above(r, r.call.attrs.number("max")), r.emit.number(g, 0), g});
    return {g};
}
Back shrink(const Request& r) {
    const Var size = r.emit.call("abs", {r.x()});
    const Var moved = r.emit.call("greater", {size, r.emit.number(size, r.call.attrs.number("lambda", 0.5))});
    return {r.emit.only_where(moved, r.g())};
}

constexpr Row kElementwise[] = {
    {"abs", absolute},    {"acos", acos},        {"acosh", acosh},
    {"add", addition},    {"asin", asin},        {"asinh", asinh},
    {"atan", atan},       {"atanh", atanh},      {"bias_add", bias_add},
    {"cast", cast},       {"ceil", none},        {"cos", cosine},
    {"cosh", cosh},       {"divide", quotient},  {"erf", erf},
    {"exp", exponential}, {"floor", none},       {"identity", identity},
    {"log", logarithm},   {"maximum", maximum},  {"minimum", minimum},
    {"modulo", modulo},   {"multiply", product}, {"negative", negative},
    {"power", power},     {"prelu", prelu},      {"reciprocal", reciprocal},
    {"round", none},      {"sign", none},        {"sin", sine},
    {"sinh", sinh},       {"sqrt", root},        {"subtract", subtraction},
    {"tan", tangent},     {"tanh", tanh},        {"where", where},
};

constexpr Row kActivations[] = {
    {"celu", celu},
    {"clip", clip},
    {"elu", elu},
    {"gelu", gelu},
    {"hard_sigmoid", hard_sigmoid},
    {"hard_swish", hard_swish},
    {"leaky_relu", leaky_relu},
    {"mish", mish},
    {"relu", relu},
    {"selu", selu},
    {"shrink", shrink},
    {"sigmoid", sigmoid},
    {"softplus", softplus},
    {"softsign", softsign},
    {"thresholded_relu", thresholded_relu},
};

} // namespace

std::span<const Row> elementwise_rows() { return kElementwise; }
std::span<const Row> activation_rows() { return kActivations; }

} // namespace orrery::transform::gradient_rules
