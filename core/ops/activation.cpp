#include "core/ops/elementwise.hpp"

#include <numbers>

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::AttrSpec;
using graph::FusionKind;

namespace {

Expr number(const Expr& like, double value) { return constant(like->dtype, value); }
Expr zero(const Expr& like) { return constant_int(like->dtype, 0); }
Expr expm1(const Expr& x) { return call(Intrinsic::Exp, x) - number(x, 1); }

Expr relu(const Expr& x, const Attrs&) { return select(lt(x, zero(x)), zero(x), x); }
Expr leaky_relu(const Expr& x, const Attrs& attrs) {
    return select(lt(x, zero(x)), x * number(x, attrs.number("alpha", 0.01)), x);
}
Expr elu(const Expr& x, const Attrs& attrs) {
    return select(lt(x, zero(x)), expm1(x) * number(x, attrs.number("alpha", 1)), x);
}
Expr selu(const Expr& x, const Attrs& attrs) {
    const Expr alpha = number(x, attrs.number("alpha", 1.67326319217681884765625));
    const Expr gamma = number(x, attrs.number("gamma", 1.05070102214813232421875));
    return select(gt(x, zero(x)), x, expm1(x) * alpha) * gamma;
}
Expr celu(const Expr& x, const Attrs& attrs) {
    const Expr alpha = number(x, attrs.number("alpha", 1));
    return max(x, zero(x)) + min(zero(x), alpha * expm1(x / alpha));
}
Expr thresholded_relu(const Expr& x, const Attrs& attrs) {
    return select(gt(x, number(x, attrs.number("alpha", 1))), x, zero(x));
}
Expr sigmoid_value(const Expr& x) {
    return number(x, 1) / (number(x, 1) + call(Intrinsic::Exp, call(Intrinsic::Neg, x)));
}
Expr sigmoid(const Expr& x, const Attrs&) { return sigmoid_value(x); }
Expr hard_sigmoid(const Expr& x, const Attrs& attrs) {
    const Expr line = x * number(x, attrs.number("alpha", 0.2)) + number(x, attrs.number("beta", 0.5));
    return max(zero(x), min(number(x, 1), line));
}
Expr hard_swish(const Expr& x, const Attrs&) {
    return x * max(zero(x), min(number(x, 1), x * number(x, 1.0 / 6) + number(x, 0.5)));
}
/// log(1 + e^x) without overflow for large x.
Expr softplus_value(const Expr& x) {
    const Expr tail = call(Intrinsic::Exp, call(Intrinsic::Neg, call(Intrinsic::Abs, x)));
    return max(x, zero(x)) + call(Intrinsic::Log, number(x, 1) + tail);
}
Expr softplus(const Expr& x, const Attrs&) { return softplus_value(x); }
Expr softsign(const Expr& x, const Attrs&) { return x / (number(x, 1) + call(Intrinsic::Abs, x)); }
Expr mish(const Expr& x, const Attrs&) { return x * call(Intrinsic::Tanh, softplus_value(x)); }
Expr gelu(const Expr& x, const Attrs& attrs) {
    const Expr half = x * number(x, 0.5);
    if (!attrs.flag("approximate"))
        return half * (number(x, 1) + call(Intrinsic::Erf, x * number(x, 1 / std::numbers::sqrt2)));
    const double scale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi; // sqrt(2 / pi)
    const Expr inner = (x + x * x * x * number(x, 0.044715)) * number(x, scale);
    return half * (number(x, 1) + call(Intrinsic::Tanh, inner));
}
Expr shrink(const Expr& x, const Attrs& attrs) {
    const double lambda = attrs.number("lambda", 0.5), bias = attrs.number("bias", 0);
    // Integers are compared as floats: the threshold need not be whole.
    const Expr value = is_float(x->dtype) ? x : cast(DType::F64, x);
    const Expr low = lt(value, number(value, -lambda)), high = gt(value, number(value, lambda));
    const Expr shrunk =
        select(low, value + number(value, bias), select(high, value - number(value, bias), zero(value)));
    return cast(x->dtype, shrunk);
}
Expr clip(const Expr& x, const Attrs& attrs) {
    // A NaN is neither below nor above: it stays.
    const auto held = [&](const Expr& value, const char* name, BinaryOp beyond) {
        if (!attrs.has(name)) return value;
        const Expr bound = number(x, attrs.number(name));
        return select(binary(beyond, value, bound), bound, value);
    };
    return held(held(x, "min", BinaryOp::Lt), "max", BinaryOp::Gt);
}

Result<Type> prelu_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, operand(request, 0, DTypes::Number));
    ORRERY_TRY(const TensorType slope, operand(request, 1, DTypes::Number));
    ORRERY_CHECK_OK(same_dtype(x, slope));
    ORRERY_TRY(const Dims dims, broadcast(x.dims, slope.dims));
    if (dims != x.dims)
        return shape_error("the slope " + graph::to_string(request.types[1]) + " does not broadcast to " +
                           graph::to_string(request.types[0]));
    return graph::tensor_type(x.dtype, x.dims);
}

Expr prelu(const Expr& x, const Expr& slope, const Attrs&) { return select(lt(x, zero(x)), x * slope, x); }

template <UnaryValue Value, DTypes Allowed = DTypes::Float>
OpRow activation(const char* name, const char* doc, std::vector<AttrSpec> attrs, std::vector<std::string> onnx_names) {
    return {.name = name,
            .doc = doc,
            .operands = one_operand(Allowed == DTypes::Float ? "floating point, any shape" : "numbers, any shape"),
            .attrs = std::move(attrs),
            .fusion = FusionKind::Elementwise,
            .infer = same_type<Allowed>,
            .define = define_unary<Value>,
            .onnx_names = std::move(onnx_names)};
}

AttrSpec real(const char* name, const char* doc) { return {name, AttrKind::Float, false, doc}; }

} // namespace

Family activation_family() {
    return {
        activation<relu, DTypes::Number>("relu", "max(x, 0).", {}, {"Relu"}),
        activation<leaky_relu>("leaky_relu", "x, times alpha where negative.",
                               {real("alpha", "slope below zero; 0.01 when left out")}, {"LeakyRelu"}),
        activation<elu>("elu", "x, and alpha (e^x - 1) where negative.", {real("alpha", "1 when left out")}, {"Elu"}),
        activation<selu>("selu", "gamma times x, and gamma alpha (e^x - 1) where not positive.",
                         {real("alpha", "1.6732632 when left out"), real("gamma", "1.050701 when left out")}, {"Selu"}),
        activation<celu>("celu", "max(x, 0) + min(0, alpha (e^(x / alpha) - 1)).", {real("alpha", "1 when left out")},
                         {"Celu"}),
        activation<thresholded_relu>("thresholded_relu", "x where greater than alpha, otherwise 0.",
                                     {real("alpha", "1 when left out")}, {"ThresholdedRelu"}),
        activation<sigmoid>("sigmoid", "1 / (1 + e^-x).", {}, {"Sigmoid"}),
        activation<hard_sigmoid>("hard_sigmoid", "alpha x + beta, held within [0, 1].",
                                 {real("alpha", "0.2 when left out"), real("beta", "0.5 when left out")},
                                 {"HardSigmoid"}),
        activation<hard_swish>("hard_swish", "x times (x / 6 + 0.5 held within [0, 1]).", {}, {"HardSwish"}),
        activation<softplus>("softplus", "log(1 + e^x).", {}, {"Softplus"}),
        activation<softsign>("softsign", "x / (1 + |x|).", {}, {"Softsign"}),
        activation<mish>("mish", "x * tanh(softplus(x)).", {}, {"Mish"}),
        activation<gelu>("gelu", "x times the normal distribution's cumulative function of x.",
                         {{"approximate", AttrKind::Bool, false, "true: by tanh; false, when left out: by erf"}},
                         {"Gelu"}),
        activation<shrink, DTypes::Number>("shrink", "x moved towards zero by `bias` where |x| > lambda, otherwise 0.",
                                           {real("lambda", "0.5 when left out"), real("bias", "0 when left out")},
                                           {"Shrink"}),
        activation<clip, DTypes::Number>(
            "clip", "x held within [min, max].",
            {real("min", "no lower bound when left out"), real("max", "no upper bound when left out")}, {"Clip"}),
        {.name = "prelu",
         .doc = "x, times a learnt slope where negative. Errors: BadShape when the slope does not broadcast to x.",
         .operands = {{"x", "numbers, any shape"}, {"slope", "of x's element type; broadcasts to x's shape"}},
         .fusion = FusionKind::Broadcast,
         .infer = prelu_type,
         .define = define_binary<prelu>,
         .onnx_names = {"PRelu"}},
    };
}

} // namespace orrery::ops
