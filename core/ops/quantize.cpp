#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"

#include <utility>

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

bool quantized(DType dtype) {
    return dtype == DType::I8 || dtype == DType::U8 || dtype == DType::I16 || dtype == DType::U16 ||
           dtype == DType::I32;
}

/// Least and greatest value of a quantized type.
std::pair<double, double> limits(DType dtype) {
    switch (dtype) {
    case DType::I8: return {-128, 127};
    case DType::U8: return {0, 255};
    case DType::I16: return {-32768, 32767};
    case DType::U16: return {0, 65535};
    default: return {-2147483648.0, 2147483647.0};
    }
}

/// Scale and zero point are one element or a vector along `axis`, both alike.
Result<void> check_scale(const TypeRequest& request, const TensorType& x) {
    ORRERY_TRY(const TensorType scale, static_operand(request, 1, DTypes::Float));
    const Shape shape = graph::static_shape(scale);
    if (element_count(shape) != 1) {
        ORRERY_TRY(const std::size_t axis, normalize_axis(request.attrs.integer("axis", 1), x.dims.size()));
        if (shape.size() != 1 || !(x.dims[axis] == Dim(shape[0])))
            return shape_error("a scale " + graph::to_string(request.types[1]) + " does not fit axis " +
                               std::to_string(axis) + " of " + graph::to_string(request.types[0]));
    }
    if (!present(request, 2)) return {};
    ORRERY_TRY(const TensorType zero, static_operand(request, 2));
    if (element_count(graph::static_shape(zero)) != element_count(shape))
        return shape_error("scale and zero point differ in shape: " + graph::to_string(request.types[1]) + " and " +
                           graph::to_string(request.types[2]));
    return {};
}

Result<Type> quantize_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, operand(request, 0, DTypes::Number));
    ORRERY_CHECK_OK(check_scale(request, x));
    const DType dtype = request.attrs.dtype("dtype");
    if (!quantized(dtype))
        return type_error("values are quantized to i8, u8, i16, u16 or i32, not " + std::string(to_string(dtype)));
    if (present(request, 2)) {
        ORRERY_TRY(const TensorType zero, operand(request, 2));
        if (zero.dtype != dtype)
            return type_error("the zero point must be of " + std::string(to_string(dtype)) + ", is " +
                              graph::to_string(request.types[2]));
    }
    return checked_type(dtype, x.dims);
}

Result<Type> dequantize_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, operand(request, 0, DTypes::Int));
    if (!quantized(x.dtype))
        return type_error("quantized values are i8, u8, i16, u16 or i32, not " + graph::to_string(request.types[0]));
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
        Expr value = call(Intrinsic::Round, cast(wide, load(request.in(0), i)) / cast(wide, along_axis(request, 1, i)));
        if (request.has(2)) value = value + cast(wide, along_axis(request, 2, i));
        return cast(dtype, max(min(value, constant(wide, high)), constant(wide, low)));
    })};
}

std::vector<Buffer> define_dequantize(const DefineRequest& request) {
    const DType dtype = request.out_dtype(), wide = accumulator(dtype);
    return {compute_stage(request.builder, {"dequantize_linear", dtype, request.out_shape()}, [&](const Indices& i) {
        Expr value = cast(DType::I32, load(request.in(0), i));
        if (request.has(2)) value = value - cast(DType::I32, along_axis(request, 2, i));
        return cast(dtype, cast(wide, value) * cast(wide, along_axis(request, 1, i)));
    })};
}

constexpr const char* kScaleDoc = "one element, or [C] along `axis`, floating point";
constexpr const char* kZeroDoc = "of the quantized type, as many elements as scale; 0 when missing";
const graph::AttrSpec kAxis{"axis", AttrKind::Int, false,
                            "where scale and zero point are vectors: their axis; 1 when left out"};

} // namespace

Family quantize_family() {
    return {
        {.name = "quantize_linear",
         .doc = "round(x / scale) + zero_point, halves to even, held within the range of the quantized type. Errors: "
                "BadType for a type that "
                "values are not quantized to, BadShape for a scale that does not fit.",
         .operands = {{"x", "numbers, any shape"}, {"scale", kScaleDoc}, {"zero_point", kZeroDoc, true}},
         .attrs = {{"dtype", AttrKind::DType, true, "i8, u8, i16, u16 or i32"}, kAxis},
         .fusion = FusionKind::Broadcast,
         .infer = quantize_type,
         .define = define_quantize,
         .onnx_names = {"QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"}},
        {.name = "dequantize_linear",
         .doc = "(x - zero_point) * scale, in the element type of scale. Errors: as for quantize_linear.",
         .operands = {{"x", "i8, u8, i16, u16 or i32"}, {"scale", kScaleDoc}, {"zero_point", kZeroDoc, true}},
         .attrs = {kAxis},
         .fusion = FusionKind::Broadcast,
         .infer = dequantize_type,
         .define = define_dequantize,
         .onnx_names = {"DequantizeLinear"}},
    };
}

} // namespace orrery::ops
