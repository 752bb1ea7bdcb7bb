// Quantized operators, as integer products between quantize_linear and dequantize_linear.

#include "core/frontends/onnx/convert_conv.hpp"
#include "core/frontends/onnx/convert_support.hpp"

namespace orrery::onnx {

namespace {

/// To an 8-bit float without holding values in its range: a quotient and a cast.
Converted unsaturated(NodeReader& node, DType dtype) {
    ORRERY_TRY(const Shape x, input_shape(node, 0));
    ORRERY_TRY(const Shape scale, input_shape(node, 1));
    if (node.integer("block_size", 0) != 0) return unsupported("blocks of 8-bit floats without saturation");
    ORRERY_TRY(const std::size_t axis,
               axis_in(x.empty() ? -1 : node.integer("axis", 1), std::max<std::size_t>(x.size(), 1)));
    ORRERY_TRY(const Var placed, with_trailing_ones(node, node.input(1), x.size() - std::min(x.size(), axis + 1)));
    ORRERY_TRY(const DType own, input_dtype(node, 0));
    ORRERY_TRY(const Var divisor, cast_to(node, placed, own));
    ORRERY_TRY(const Var value, node.call("divide", {node.input(0), divisor}));
    return result(node, node.call("cast", {value}, {{"dtype", dtype}, {"saturate", false}}));
}

Converted quantize_linear(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 2));
    DType dtype = DType::U8;
    if (node.integer("output_dtype", 0) != 0) { ORRERY_TRY(dtype, node.dtype("output_dtype", dtype)); }
    if (node.has(2)) { ORRERY_TRY(dtype, input_dtype(node, 2)); }
    if (is_float8(dtype) && node.integer("saturate", 1) == 0) return unsaturated(node, dtype);
    return result(
        node,
        node.call("quantize_linear", inputs(node),
                  {{"dtype", dtype}, {"axis", node.integer("axis", 1)}, {"block", node.integer("block_size", 0)}}));
}

Converted dequantize_linear(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 2));
    ORRERY_TRY(const Var value,
               node.call("dequantize_linear", inputs(node),
                         {{"axis", node.integer("axis", 1)}, {"block", node.integer("block_size", 0)}}));
    if (node.integer("output_dtype", 0) == 0) return results(node, {value});
    ORRERY_TRY(const DType dtype, node.dtype("output_dtype", DType::F32));
    return result(node, cast_to(node, value, dtype));
}

/// scale = (max(x, 0) - min(x, 0)) / 255, zero point = round(-min / scale) held in u8.
Converted dynamic_quantize(NodeReader& node) {
    ORRERY_TRY(const Shape shape, input_shape(node, 0));
    const graph::Attrs all{{"axes", all_axes(shape.size())}, {"keepdims", false}};
    const Var zero = scalar(node, DType::F32, 0);
    ORRERY_TRY(const Var greatest, node.call("reduce_max", {node.input(0)}, all));
    ORRERY_TRY(const Var least, node.call("reduce_min", {node.input(0)}, all));
    ORRERY_TRY(const Var high, node.call("maximum", {greatest, zero}));
    ORRERY_TRY(const Var low, node.call("minimum", {least, zero}));
    ORRERY_TRY(const Var range, node.call("subtract", {high, low}));
    ORRERY_TRY(const Var scale, node.call("divide", {range, scalar(node, DType::F32, 255)}));
    ORRERY_TRY(const Var steps, node.call("divide", {low, scale}));
    ORRERY_TRY(const Var offset, node.call("negative", {steps}));
    ORRERY_TRY(const Var whole, node.call("round", {offset}));
    ORRERY_TRY(const Var held, node.call("clip", {whole}, {{"min", 0.0}, {"max", 255.0}}));
    ORRERY_TRY(const Var zero_point, node.call("cast", {held}, {{"dtype", DType::U8}}));
    ORRERY_TRY(const Var y, node.call("quantize_linear", {node.input(0), scale, zero_point}, {{"dtype", DType::U8}}));
    return results(node, {y, scale, zero_point});
}

/// x - zero_point in i32; `trailing` ones make a vector of zero points lie along an earlier axis.
Result<Var> centred(NodeReader& node, std::size_t x, std::size_t zero_point, std::size_t trailing) {
    ORRERY_TRY(const Var value, cast_to(node, node.input(x), DType::I32));
    if (!node.has(zero_point)) return value;
    ORRERY_TRY(const Var wide, cast_to(node, node.input(zero_point), DType::I32));
    ORRERY_TRY(const Var placed, with_trailing_ones(node, wide, trailing));
    return node.call("subtract", {value, placed});
}

/// Zero points of a matrix on the left lie along its rows, on the right along its columns.
Result<Var> integer_matmul(NodeReader& node, std::pair<std::size_t, std::size_t> a,
                           std::pair<std::size_t, std::size_t> b) {
    ORRERY_TRY([[maybe_unused]] const Shape left, input_shape(node, a.first));
    ORRERY_TRY([[maybe_unused]] const Shape right, input_shape(node, b.first));
    ORRERY_TRY(const Var x, centred(node, a.first, a.second, 1));
    ORRERY_TRY(const Var y, centred(node, b.first, b.second, 0));
    return node.call("matmul", {x, y});
}

Converted matmul_integer(NodeReader& node) { return result(node, integer_matmul(node, {0, 2}, {1, 3})); }

/// round(acc * scale_a * scale_b / scale_y) + zero_point, from an i32 sum.
struct Requantize {
    std::size_t scale_a, scale_b, scale_y, zero_point; ///< inputs
    std::size_t trailing_a = 0, trailing_b = 0;        ///< ones after vectors of scales
};
Result<Var> requantized(NodeReader& node, const Var& sum, const Requantize& r) {
    ORRERY_TRY(const DType dtype, input_dtype(node, r.zero_point));
    ORRERY_TRY(const Var a, with_trailing_ones(node, node.input(r.scale_a), r.trailing_a));
    ORRERY_TRY(const Var b, with_trailing_ones(node, node.input(r.scale_b), r.trailing_b));
    ORRERY_TRY(const Var scale, node.call("multiply", {a, b}));
    ORRERY_TRY(const Var real, node.call("cast", {sum}, {{"dtype", type_of(scale).dtype}}));
    ORRERY_TRY(const Var value, node.call("multiply", {real, scale}));
    return node.call("quantize_linear", {value, node.input(r.scale_y), node.input(r.zero_point)}, {{"dtype", dtype}});
}

Converted qlinear_matmul(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 8));
    ORRERY_TRY(const Var sum, integer_matmul(node, {0, 2}, {3, 5}));
    return result(node,
                  requantized(node, sum, {.scale_a = 1, .scale_b = 4, .scale_y = 6, .zero_point = 7, .trailing_a = 1}));
}

Result<Var> integer_conv(NodeReader& node, std::pair<std::size_t, std::size_t> x,
                         std::pair<std::size_t, std::size_t> w) {
    ORRERY_TRY([[maybe_unused]] const Shape input, input_shape(node, x.first));
    ORRERY_TRY(const Shape weight, input_shape(node, w.first));
    if (weight.size() < 3) return bad_shape("weights of a convolution have three dimensions or more");
    ORRERY_TRY(const Var data, centred(node, x.first, x.second, 0));
    ORRERY_TRY(const Var filters, centred(node, w.first, w.second, weight.size() - 1));
    return convolution(node, data, filters);
}

Converted conv_integer(NodeReader& node) { return result(node, integer_conv(node, {0, 2}, {1, 3})); }

Converted qlinear_conv(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 8));
    ORRERY_TRY(Var sum, integer_conv(node, {0, 2}, {3, 5}));
    if (node.has(8)) { ORRERY_TRY(sum, node.call("bias_add", {sum, node.input(8)}, {{"axis", std::int64_t{1}}})); }
    const std::size_t spatial = shape_of(sum).size() - 2;
    return result(
        node,
        requantized(node, sum, {.scale_a = 1, .scale_b = 4, .scale_y = 6, .zero_point = 7, .trailing_b = spatial}));
}

constexpr ConverterRow kQuantizeRows[] = {
    {"ConvInteger", 10, conv_integer},
    {"DequantizeLinear", 10, dequantize_linear},
    {"DynamicQuantizeLinear", 11, dynamic_quantize},
    {"MatMulInteger", 10, matmul_integer},
    {"QLinearConv", 10, qlinear_conv},
    {"QLinearMatMul", 10, qlinear_matmul},
    {"QuantizeLinear", 10, quantize_linear},
};

} // namespace

Rows quantize_rows() { return kQuantizeRows; }

} // namespace orrery::onnx
