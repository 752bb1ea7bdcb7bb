// Operators of single elements: arithmetic, comparisons, activations, casts.

#include "core/frontends/onnx/convert_random.hpp"
#include "core/frontends/onnx/convert_support.hpp"

namespace orrery::onnx {

namespace {

using graph::Attrs;

/// op(op(a, b), c)... over all inputs.
Result<Var> chain(NodeReader& node, const char* op) {
    ORRERY_CHECK_OK(require_inputs(node, std::max<std::size_t>(node.input_count(), 1)));
    if (node.input_count() == 1) return node.call("identity", {node.input(0)});
    Var value = node.input(0);
    for (std::size_t i = 1; i < node.input_count(); ++i) { ORRERY_TRY(value, node.call(op, {value, node.input(i)})); }
    return value;
}

template <OpName Op> Converted variadic(NodeReader& node) { return result(node, chain(node, Op.text)); }

Converted mean(NodeReader& node) {
    ORRERY_TRY(const Var sum, chain(node, "add"));
    ORRERY_TRY(const DType dtype, input_dtype(node, 0));
    return result(node, node.call("divide", {sum, scalar(node, dtype, static_cast<double>(node.input_count()))}));
}

/// Activations whose attributes have the same names here.
struct Real {
    const char* name;
    double fallback;
};
Converted with_reals(NodeReader& node, const char* op, std::initializer_list<Real> reals) {
    Attrs::Map attrs;
    for (const Real& real : reals) attrs[real.name] = node.number(real.name, real.fallback);
    return result(node, node.call(op, inputs(node), Attrs(std::move(attrs))));
}

Converted leaky_relu(NodeReader& node) { return with_reals(node, "leaky_relu", {{"alpha", 0.01}}); }
Converted elu(NodeReader& node) { return with_reals(node, "elu", {{"alpha", 1}}); }
Converted celu(NodeReader& node) { return with_reals(node, "celu", {{"alpha", 1}}); }
Converted selu(NodeReader& node) {
    return with_reals(node, "selu", {{"alpha", 1.67326319217681884765625}, {"gamma", 1.05070102214813232421875}});
}
Converted thresholded_relu(NodeReader& node) { return with_reals(node, "thresholded_relu", {{"alpha", 1}}); }
Converted hard_sigmoid(NodeReader& node) { return with_reals(node, "hard_sigmoid", {{"alpha", 0.2}, {"beta", 0.5}}); }
Converted shrink(NodeReader& node) {
    return result(node, node.call("shrink", inputs(node),
                                  {{"lambda", node.number("lambd", 0.5)}, {"bias", node.number("bias", 0)}}));
}
Converted gelu(NodeReader& node) {
    const std::string approximate = node.text("approximate", "none");
    if (approximate != "none" && approximate != "tanh")
        return bad_attribute("approximate is none or tanh, not " + approximate);
    return result(node, node.call("gelu", inputs(node), {{"approximate", approximate == "tanh"}}));
}
Converted is_inf(NodeReader& node) {
    return result(node, node.call("is_inf", inputs(node),
                                  {{"detect_negative", node.integer("detect_negative", 1) != 0},
                                   {"detect_positive", node.integer("detect_positive", 1) != 0}}));
}

/// The slope may be [C] beside [N, C, ...]: frameworks of old exported it so.
Converted prelu(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 2));
    ORRERY_TRY(const Shape x, input_shape(node, 0));
    ORRERY_TRY(const Shape slope, input_shape(node, 1));
    Var weight = node.input(1);
    if (slope.size() == 1 && x.size() > 2 && slope[0] != 1 && slope[0] == x[1] && slope[0] != x.back()) {
        ORRERY_TRY(weight, with_trailing_ones(node, weight, x.size() - 2));
    }
    return result(node, node.call("prelu", {node.input(0), weight}));
}

/// x squared and its root are far cheaper than a general power, and exact.
Converted power(NodeReader& node) {
    ORRERY_TRY(const DType base, input_dtype(node, 0));
    ORRERY_TRY(const DType exponent, input_dtype(node, 1));
    const std::optional<NDArray> constant = node.constant(1);
    if (constant && constant->size() == 1 && constant->shape().size() <= 1 && is_float(base)) {
        ORRERY_TRY(const TensorType type, node.type(0));
        const bool keeps_rank = constant->shape().size() <= type.dims.size();
        if (keeps_rank && constant->as_double(0) == 2)
            return result(node, node.call("multiply", {node.input(0), node.input(0)}));
        if (keeps_rank && constant->as_double(0) == 0.5) return result(node, node.call("sqrt", {node.input(0)}));
    }
    if (base == exponent || is_float(base)) {
        ORRERY_TRY(const Var y, cast_to(node, node.input(1), base));
        return result(node, node.call("power", {node.input(0), y}));
    }
    ORRERY_TRY(const Var x, cast_to(node, node.input(0), DType::F64));
    ORRERY_TRY(const Var y, cast_to(node, node.input(1), DType::F64));
    ORRERY_TRY(const Var z, node.call("power", {x, y}));
    return result(node, cast_to(node, z, base));
}

Converted modulo(NodeReader& node) {
    return result(node, node.call("modulo", inputs(node), {{"truncated", node.integer("fmod", 0) != 0}}));
}

Converted bit_shift(NodeReader& node) {
    const std::string direction = node.text("direction", "");
    if (direction != "LEFT" && direction != "RIGHT")
        return bad_attribute("direction is LEFT or RIGHT, not \"" + direction + "\"");
    return result(node, node.call(direction == "LEFT" ? "shift_left" : "shift_right", inputs(node)));
}

Result<Var> cast_value(NodeReader& node, DType dtype) {
    Attrs::Map attrs{{"dtype", dtype}};
    if (is_float8(dtype) && node.integer("saturate", 1) == 0) attrs["saturate"] = false;
    return node.call("cast", {node.input(0)}, Attrs(std::move(attrs)));
}

Converted cast(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 1));
    if (!node.has_attr("to")) return bad_attribute("Cast needs the attribute to");
    ORRERY_TRY(const DType dtype, node.dtype("to", DType::F32));
    return result(node, cast_value(node, dtype));
}

Converted cast_like(NodeReader& node) {
    ORRERY_TRY(const DType dtype, input_dtype(node, 1));
    return result(node, cast_value(node, dtype));
}

/// Of a sequence or an optional, that itself: it is no tensor.
Converted identity(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 1));
    if (node.sequence(0)) return results(node, {node.input(0)});
    return forward<"identity">(node);
}

// ------------------------------------------------------------------------------------------- clip

Converted clip_attributes(NodeReader& node) {
    Attrs::Map attrs;
    for (const char* bound : {"min", "max"})
        if (node.has_attr(bound)) attrs[bound] = node.number(bound, 0);
    return result(node, node.call("clip", inputs(node), Attrs(std::move(attrs))));
}

/// Bounds that are known become attributes; 64-bit integers might not survive that.
Converted clip_inputs(NodeReader& node) {
    ORRERY_TRY(const DType dtype, input_dtype(node, 0));
    const bool exact = is_float(dtype) || byte_size(dtype) < 8;
    Attrs::Map attrs;
    bool known = exact;
    for (std::size_t i = 1; i <= 2 && known; ++i) {
        if (!node.has(i)) continue;
        const std::optional<NDArray> bound = node.constant(i);
        known = bound && bound->size() == 1;
        if (known) attrs[i == 1 ? "min" : "max"] = bound->as_double(0);
    }
    if (known) return result(node, node.call("clip", {node.input(0)}, Attrs(std::move(attrs))));
    Var value = node.input(0);
    if (node.has(1)) { ORRERY_TRY(value, node.call("maximum", {value, node.input(1)})); }
    if (node.has(2)) { ORRERY_TRY(value, node.call("minimum", {value, node.input(2)})); }
    return result(node, value);
}

// ---------------------------------------------------------------------------------------- dropout

Converted dropped_out(NodeReader& node, DType mask_type) {
    ORRERY_TRY(const Shape shape, input_shape(node, 0));
    ORRERY_TRY(const Var value, node.call("identity", {node.input(0)}));
    Vars vars{value};
    if (node.output_count() > 1 && node.has_output(1)) {
        ORRERY_TRY(NDArray mask, filled(mask_type, shape, 1));
        vars.push_back(node.constant_var(std::move(mask)));
    }
    return results(node, std::move(vars));
}

Converted dropout_7(NodeReader& node) {
    ORRERY_TRY(const DType dtype, input_dtype(node, 0));
    return dropped_out(node, dtype);
}
Converted dropout_10(NodeReader& node) { return dropped_out(node, DType::Bool); }
Converted trained(NodeReader& node) {
    const Var ratio = node.has(1) ? node.input(1) : scalar(node, DType::F32, 0.5);
    ORRERY_TRY(const Dropped dropped, random_dropout(node, ratio));
    return results(node, {dropped.value, dropped.mask});
}

Converted dropout_12(NodeReader& node) {
    if (node.has(2)) {
        ORRERY_TRY(const NDArray training, node.required_constant(2, "training_mode"));
        const std::optional<NDArray> ratio = node.has(1) ? node.constant(1) : std::nullopt;
        const bool keeps_all = ratio && ratio->size() == 1 && ratio->as_double(0) == 0;
        if (training.size() > 0 && training.as_int(0) != 0 && !keeps_all) return trained(node);
    }
    return dropped_out(node, DType::Bool);
}

constexpr ConverterRow kElementwiseRows[] = {
    {"Abs", 1, forward<"abs">},
    {"Acos", 7, forward<"acos">},
    {"Acosh", 9, forward<"acosh">},
    {"Add", 7, forward<"add">},
    {"And", 7, forward<"logical_and">},
    {"Asin", 7, forward<"asin">},
    {"Asinh", 9, forward<"asinh">},
    {"Atan", 7, forward<"atan">},
    {"Atanh", 9, forward<"atanh">},
    {"BitShift", 11, bit_shift},
    {"BitwiseAnd", 18, forward<"bitwise_and">},
    {"BitwiseNot", 18, forward<"bitwise_not">},
    {"BitwiseOr", 18, forward<"bitwise_or">},
    {"BitwiseXor", 18, forward<"bitwise_xor">},
    {"Cast", 6, cast},
    {"CastLike", 15, cast_like},
    {"Ceil", 1, forward<"ceil">},
    {"Celu", 12, celu},
    {"Clip", 1, clip_attributes},
    {"Clip", 11, clip_inputs},
    {"Cos", 7, forward<"cos">},
    {"Cosh", 9, forward<"cosh">},
    {"Div", 7, forward<"divide">},
    {"Dropout", 6, dropout_7},
    {"Dropout", 10, dropout_10},
    {"Dropout", 12, dropout_12},
    {"Elu", 1, elu},
    {"Equal", 7, forward<"equal">},
    {"Erf", 9, forward<"erf">},
    {"Exp", 1, forward<"exp">},
    {"Floor", 1, forward<"floor">},
    {"Gelu", 20, gelu},
    {"Greater", 7, forward<"greater">},
    {"GreaterOrEqual", 12, forward<"greater_equal">},
    {"HardSigmoid", 1, hard_sigmoid},
    {"HardSwish", 14, forward<"hard_swish">},
    {"Identity", 1, identity},
    {"IsInf", 10, is_inf},
    {"IsNaN", 9, forward<"is_nan">},
    {"LeakyRelu", 1, leaky_relu},
    {"Less", 7, forward<"less">},
    {"LessOrEqual", 12, forward<"less_equal">},
    {"Log", 1, forward<"log">},
    {"Max", 1, variadic<"maximum">},
    {"Mean", 1, mean},
    {"Min", 1, variadic<"minimum">},
    {"Mish", 18, forward<"mish">},
    {"Mod", 10, modulo},
    {"Mul", 7, forward<"multiply">},
    {"Neg", 1, forward<"negative">},
    {"Not", 1, forward<"logical_not">},
    {"Or", 7, forward<"logical_or">},
    {"PRelu", 1, prelu},
    {"Pow", 7, power},
    {"Reciprocal", 1, forward<"reciprocal">},
    {"Relu", 1, forward<"relu">},
    {"Round", 11, forward<"round">},
    {"Selu", 1, selu},
    {"Shrink", 9, shrink},
    {"Sigmoid", 1, forward<"sigmoid">},
    {"Sign", 9, forward<"sign">},
    {"Sin", 7, forward<"sin">},
    {"Sinh", 9, forward<"sinh">},
    {"Softplus", 1, forward<"softplus">},
    {"Softsign", 1, forward<"softsign">},
    {"Sqrt", 1, forward<"sqrt">},
    {"Sub", 7, forward<"subtract">},
    {"Sum", 1, variadic<"add">},
    {"Tan", 7, forward<"tan">},
    {"Tanh", 1, forward<"tanh">},
    {"ThresholdedRelu", 1, thresholded_relu},
    {"Where", 9, forward<"where">},
    {"Xor", 7, forward<"not_equal">},
};

} // namespace

Rows elementwise_rows() { return kElementwiseRows; }

} // namespace orrery::onnx
