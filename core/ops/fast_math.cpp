// Approximations by rational functions: no exponential, a division at most, all of it vectors. What they cost in
// accuracy stands with each; tests/core/ops/test_fast_math.cpp measures it.

#include "core/ops/elementwise.hpp"

#include <numbers>

namespace orrery::ops {

using namespace tensor;
using graph::FusionKind;

namespace {

Expr number(const Expr& like, double value) { return constant(like->dtype, value); }

/// Lambert's continued fraction of tanh cut after x^2 / 13, held within where it passes 1.
/// Source: Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964, 4.5.70; the bound 4.8 is our choice,
/// because the largest error is least there.
Expr tanh_value(const Expr& x) {
    const Expr held = max(min(x, number(x, 4.8)), number(x, -4.8)), s = held * held;
    const Expr above = ((s + number(x, 378)) * s + number(x, 17325)) * s + number(x, 135135);
    const Expr below = ((s * number(x, 28) + number(x, 3150)) * s + number(x, 62370)) * s + number(x, 135135);
    return held * above / below;
}

/// 1 - 1 / (1 + a1 x + a2 x^2 + a3 x^3 + a4 x^4)^4 for positive x. Source: Abramowitz and Stegun, 7.1.27.
Expr erf_value(const Expr& x) {
    const Expr t = call(Intrinsic::Abs, x);
    const Expr p =
        (((t * number(x, 0.078108) + number(x, 0.000972)) * t + number(x, 0.230389)) * t + number(x, 0.278393)) * t +
        number(x, 1);
    const Expr square = p * p;
    const Expr value = number(x, 1) - number(x, 1) / (square * square);
    return select(lt(x, number(x, 0)), call(Intrinsic::Neg, value), value);
}

Expr fast_tanh(const Expr& x, const Attrs&) { return tanh_value(x); }
Expr fast_erf(const Expr& x, const Attrs&) { return erf_value(x); }
Expr fast_sigmoid(const Expr& x, const Attrs&) {
    return tanh_value(x * number(x, 0.5)) * number(x, 0.5) + number(x, 0.5);
}
Expr fast_gelu(const Expr& x, const Attrs&) {
    return x * number(x, 0.5) * (number(x, 1) + erf_value(x * number(x, 1 / std::numbers::sqrt2)));
}

template <UnaryValue Value> OpRow row(const char* name, const char* doc, const char* onnx_name) {
    return {.name = name,
            .doc = doc,
            .operands = one_operand("floating point, any shape"),
            .fusion = FusionKind::Elementwise,
            .infer = same_type<DTypes::Float>,
            .define = define_unary<Value>,
            .onnx_names = {onnx_name}};
}

} // namespace

Family fast_math_family() {
    return {
        row<fast_erf>("fast_erf", "The error function, to within 5e-4.", "Erf"),
        row<fast_gelu>("fast_gelu", "x times the normal distribution's cumulative function of x, to within 7e-4.",
                       "Gelu"),
        row<fast_sigmoid>("fast_sigmoid", "1 / (1 + e^-x), to within 5e-5; 1 of NaN.", "Sigmoid"),
        row<fast_tanh>("fast_tanh", "The hyperbolic tangent, to within 1e-4; 1 of NaN.", "Tanh"),
    };
}

} // namespace orrery::ops
