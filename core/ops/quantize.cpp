#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"

#include <cmath>
#include <utility>

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

bool quantized(DType dtype) {
    return is_float8(dtype) || dtype == DType::I32 || (is_int(dtype) && byte_size(dtype) <= 2);
}

/// Least and greatest value of a quantized type.
std::pair<double, double> limits(DType dtype) {
    if (is_float8(dtype)) {
        const double greatest = float8_to_float(dtype, float8_format(dtype).greatest);
        return {-greatest, greatest};
    }
    const double values = std::ldexp(1.0, bit_width(dtype));
    if (is_unsigned_int(dtype)) return {0, values - 1};
    return {-values / 2, values / 2 - 1};
}

constexpr const char* kQuantized = "i4, u4, i8, u8, i16, u16, i32 or an 8-bit float";

/// A scale of every block of `block` elements along an axis: x's shape, with that axis divided.
Result<void> check_blocks(const TypeRequest& request, const TensorType& x, const Shape& scale, std::int64_t block) {
    ORRERY_TRY(const std::size_t axis, normalize_axis(request.attrs.integer("axis", 1), x.dims.size()));
    if (!graph::is_static(x)) return shape_error("blocks need static dimensions");
    Shape expected = graph::static_shape(x);
    if (block > 0) expected[axis] = expected[axis] / block + (expected[axis] % block != 0);
    if (block < 1 || scale != expected)
        return shape_error("a scale " + graph::to_string(request.types[1]) + " does not fit blocks of " +
                           std::to_string(block) + " along axis " + std::to_string(axis) + " of " +
                           graph::to_string(request.types[0]));
    return {};
}

/// Scale and zero point are one element, a vector along `axis`, or one of each block, both alike.
Result<void> check_scale(const TypeRequest& request, const TensorType& x) {
    ORRERY_TRY(const TensorType scale, static_operand(request, 1, DTypes::Float));
    const Shape shape = graph::static_shape(scale);
    if (const std::int64_t block = request.attrs.integer("block", 0); block != 0) {
        ORRERY_CHECK_OK(check_blocks(request, x, shape, block));
    } else if (element_count(shape) != 1) {
        ORRERY_TRY(const std::size_t axis, normalize_axis(request.attrs.integer("axis", 1), x.dims.size()));
        if (shape.size() != 1 || !(x.dims[axis] == Dim(shape[0])))
            return shape_error("a scale " + graph::to_string(request.types[1]) + " does not fit axis " +
                               std::to_string(axis) + " of " + graph::to_string(request.types[0]));
    }
    if (!present(request, 2)) return {};
    ORRERY_TRY(const TensorType zero, static_operand(request, 2));
    const bool blocks = request.attrs.integer("block", 0) != 0;
    if (element_count(graph::static_shape(zero)) != element_count(shape) ||
        (blocks && graph::static_shape(zero) != shape))
        return shape_error("scale and zero point differ in shape: " + graph::to_string(request.types[1]) + " and " +
                           graph::to_string(request.types[2]));
    return {};
}

Result<Type> quantize_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, operand(request, 0, DTypes::Number));
    ORRERY_CHECK_OK(check_scale(request, x));
    const DType dtype = request.attrs.dtype("dtype");
    if (!quantized(dtype))
        return type_error("values are quantized to " + std::string(kQuantized) + ", not " +
                          std::string(to_string(dtype)));
    if (present(request, 2)) {
        ORRERY_TRY(const TensorType zero, operand(request, 2));
        if (zero.dtype != dtype)
            return type_error("the zero point must be of " + std::string(to_string(dtype)) + ", is " +
                              graph::to_string(request.types[2]));
    }
    return checked_type(dtype, x.dims);
}

Result<Type> dequantize_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, operand(request, 0));
    if (!quantized(x.dtype))
        return type_error("quantized values are " + std::string(kQuantized) + ", not " +
                          graph::to_string(request.types[0]));
    ORRERY_CHECK_OK(check_scale(request, x));
    if (present(request, 2)) {
        ORRERY_TRY(const TensorType zero, operand(request, 2));
        ORRERY_CHECK_OK(same_dtype(x, zero));
    }
    return checked_type(graph::as_tensor(request.types[1])->dtype, x.dims);
}

/// The element of a scale or zero point that belongs to index `i`.
Expr along_axis(const DefineRequest& request, std::size_t operand, const Indices& i) {
    const Buffer& buffer = request.in(operand);
    if (const std::int64_t block = request.attrs.integer("block", 0); block > 0) {
        const std::int64_t axis = request.attrs.integer("axis", 1);
        Indices at = i;
        Expr& along = at[static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(i.size()) : axis)];
        along = floor_div(along, imm(block));
        return load(buffer, at);
    }
    if (buffer->static_size() == 1) return load(buffer, Indices(buffer->rank(), imm(0)));
    const std::int64_t axis = request.attrs.integer("axis", 1);
    return load(buffer, {i[static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(i.size()) : axis)]});
}

std::vector<Buffer> define_quantize(const DefineRequest& request) {
    const DType dtype = request.out_dtype();
    const auto [low, high] = limits(dtype);
    // 32-bit results and operands need more than f32's 24 bits.
    const DType wide = dtype == DType::I32 || request.in(0)->dtype == DType::F64 ? DType::F64 : DType::F32;
    return {compute_stage(request.builder, {"quantize_linear", dtype, request.out_shape()}, [&](const Indices& i) {
        Expr value = cast(wide, load(request.in(0), i)) / cast(wide, along_axis(request, 1, i));
        if (!is_float8(dtype)) value = call(Intrinsic::Round, value);
        if (request.has(2)) value = value + cast(wide, along_axis(request, 2, i));
        if (is_int(dtype) && bit_width(dtype) >= 8) return cast(dtype, value); // which saturates
        const Expr held = max(min(value, constant(wide, high)), constant(wide, low));
        if (is_float8(dtype)) return cast(dtype, select(call(Intrinsic::IsNan, value), value, held));
        return cast(dtype, held);
    })};
}

std::vector<Buffer> define_dequantize(const DefineRequest& request) {
    const DType dtype = request.out_dtype(), wide = accumulator(dtype);
    return {compute_stage(request.builder, {"dequantize_linear", dtype, request.out_shape()}, [&](const Indices& i) {
        const DType difference = is_float8(request.in(0)->dtype) ? wide : DType::I32;
        Expr value = cast(difference, load(request.in(0), i));
        if (request.has(2)) value = value - cast(difference, along_axis(request, 2, i));
        return cast(dtype, cast(wide, value) * cast(wide, along_axis(request, 1, i)));
    })};
}

constexpr const char* kScaleDoc =
    "one element, or [C] along `axis`, or with `block` x's shape with that axis divided by it, floating point";
constexpr const char* kZeroDoc = "of the quantized type, as many elements as scale; 0 when missing";
const graph::AttrSpec kAxis{"axis", AttrKind::Int, false,
                            "where scale and zero point are vectors or of blocks: their axis; 1 when left out"};
const graph::AttrSpec kBlock{"block", AttrKind::Int, false,
                             "elements along `axis` that share a scale and zero point; 0, when left out: no blocks"};

} // namespace

Family quantize_family() {
    return {
        {.name = "quantize_linear",
         .doc = "round(x / scale) + zero_point, halves to even, held within the range of the quantized type; for 8-bit "
                "floats x / scale + zero_point, rounded to them. Errors: BadType for a type that values are not "
                "quantized to, BadShape for a scale that does not fit.",
         .operands = {{"x", "numbers, any shape"}, {"scale", kScaleDoc}, {"zero_point", kZeroDoc, true}},
         .attrs = {{"dtype", AttrKind::DType, true, kQuantized}, kAxis, kBlock},
         .fusion = FusionKind::Broadcast,
         .infer = quantize_type,
         .define = define_quantize,
         .onnx_names = {"QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"}},
        {.name = "dequantize_linear",
         .doc = "(x - zero_point) * scale, in the element type of scale. Errors: as for quantize_linear.",
         .operands = {{"x", kQuantized}, {"scale", kScaleDoc}, {"zero_point", kZeroDoc, true}},
         .attrs = {kAxis, kBlock},
         .fusion = FusionKind::Broadcast,
         .infer = dequantize_type,
         .define = define_dequantize,
         .onnx_names = {"DequantizeLinear"}},
    };
}

} // namespace orrery::ops
