#include "core/ops/elementwise.hpp"

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

std::vector<graph::OperandSpec> two_operands(const char* doc) {
    return {{"a", doc}, {"b", "of a's element type; broadcasts with a"}};
}

std::vector<Buffer> define_binary_stage(const DefineRequest& request, BinaryValue value) {
    const Buffer &a = request.in(0), &b = request.in(1);
    const DType wide = accumulator(a->dtype);
    const StageSpec stage{std::string(request.name), request.out_dtype(), request.out_shape()};
    return {compute_stage(request.builder, stage, [&](const Indices& i) {
        const Expr x = cast(wide, load_broadcast(a, i, stage.shape)), y = cast(wide, load_broadcast(b, i, stage.shape));
        return cast(stage.dtype, value(x, y, request.attrs));
    })};
}

namespace {

template <BinaryOp Op> Expr plain(const Expr& a, const Expr& b, const Attrs&) { return binary(Op, a, b); }

/// The greater or the lesser; a NaN of either stays, as IEEE 754-2019's maximum and minimum have it.
template <BinaryOp Op> Expr extreme(const Expr& a, const Expr& b, const Attrs&) {
    const Expr value = binary(Op, a, b);
    if (!is_float(a->dtype)) return value;
    return select(call(Intrinsic::IsNan, a) || call(Intrinsic::IsNan, b), a + b, value);
}

Expr power(const Expr& a, const Expr& b, const Attrs&) {
    if (is_float(a->dtype)) return call(Intrinsic::Pow, a, b);
    return cast(a->dtype, call(Intrinsic::Pow, cast(DType::F64, a), cast(DType::F64, b)));
}

/// a - floor(a / b) * b for floats would lose bits; the remainder has to be moved only when the signs differ.
Expr modulo(const Expr& a, const Expr& b, const Attrs& attrs) {
    const bool truncated = attrs.flag("truncated");
    if (!is_float(a->dtype)) return binary(truncated ? BinaryOp::Rem : BinaryOp::FloorMod, a, b);
    const Expr rest = call(Intrinsic::Fmod, a, b);
    if (truncated) return rest;
    const Expr zero = constant(a->dtype, 0);
    const Expr moved = ne(rest, zero) && ne(lt(rest, zero), lt(b, zero));
    return select(moved, rest + b, rest);
}

Result<Type> bias_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, operand(request, 0, DTypes::Number));
    ORRERY_TRY(const TensorType bias, operand(request, 1, DTypes::Number));
    ORRERY_CHECK_OK(same_dtype(x, bias));
    ORRERY_TRY(const std::size_t axis, normalize_axis(request.attrs.integer("axis", 1), x.dims.size()));
    if (bias.dims.size() != 1 || !(bias.dims[0] == x.dims[axis]))
        return shape_error("a bias along axis " + std::to_string(axis) + " of " + graph::to_string(request.types[0]) +
                           " cannot be " + graph::to_string(request.types[1]));
    return graph::tensor_type(x.dtype, x.dims);
}

std::vector<Buffer> define_bias_add(const DefineRequest& request) {
    const Buffer &x = request.in(0), &bias = request.in(1);
    const Shape shape = request.out_shape();
    const std::int64_t attr = request.attrs.integer("axis", 1);
    const auto axis = static_cast<std::size_t>(attr < 0 ? attr + static_cast<std::int64_t>(shape.size()) : attr);
    return {compute_stage(request.builder, {"bias_add", x->dtype, shape},
                          [&](const Indices& i) { return load(x, i) + load(bias, {i[axis]}); })};
}

template <BinaryValue Value, DTypes Allowed>
OpRow arithmetic(const char* name, const char* doc, const char* operand_doc, std::vector<std::string> onnx_names) {
    return {.name = name,
            .doc = doc,
            .operands = two_operands(operand_doc),
            .fusion = FusionKind::Broadcast,
            .infer = binary_type<Allowed>,
            .define = define_binary<Value>,
            .onnx_names = std::move(onnx_names)};
}

} // namespace

Family elementwise_binary_family() {
    constexpr const char* kNumbers = "numbers, any shape";
    constexpr const char* kIntegers = "integers, any shape";
    Family family{
        arithmetic<plain<BinaryOp::Add>, DTypes::Number>("add", "a + b. Integers wrap.", kNumbers, {"Add", "Sum"}),
        arithmetic<plain<BinaryOp::Sub>, DTypes::Number>("subtract", "a - b. Integers wrap.", kNumbers, {"Sub"}),
        arithmetic<plain<BinaryOp::Mul>, DTypes::Number>("multiply", "a * b. Integers wrap.", kNumbers, {"Mul"}),
        arithmetic<plain<BinaryOp::Div>, DTypes::Number>(
            "divide", "a / b. Integers round towards zero; by zero they give 0.", kNumbers, {"Div"}),
        arithmetic<power, DTypes::Number>("power", "a to the power of b. Integers are computed in f64 and truncated.",
                                          kNumbers, {"Pow"}),
        arithmetic<extreme<BinaryOp::Max>, DTypes::Number>("maximum", "The greater of a and b; NaN where one is.",
                                                           kNumbers, {"Max"}),
        arithmetic<extreme<BinaryOp::Min>, DTypes::Number>("minimum", "The lesser of a and b; NaN where one is.",
                                                           kNumbers, {"Min"}),
        arithmetic<plain<BinaryOp::BitAnd>, DTypes::Int>("bitwise_and", "The bits set in both a and b.", kIntegers,
                                                         {"BitwiseAnd"}),
        arithmetic<plain<BinaryOp::BitOr>, DTypes::Int>("bitwise_or", "The bits set in a or b.", kIntegers,
                                                        {"BitwiseOr"}),
        arithmetic<plain<BinaryOp::BitXor>, DTypes::Int>("bitwise_xor", "The bits set in one of a and b.", kIntegers,
                                                         {"BitwiseXor"}),
        arithmetic<plain<BinaryOp::Shl>, DTypes::Int>("shift_left", "a moved b bits up; 0 when b is the width or more.",
                                                      kIntegers, {"BitShift"}),
        arithmetic<plain<BinaryOp::Shr>, DTypes::Int>("shift_right", "a moved b bits down, with its sign.", kIntegers,
                                                      {"BitShift"}),
    };
    OpRow remainder = arithmetic<modulo, DTypes::Number>("modulo", "The remainder of a / b. By zero, integers give 0.",
                                                         kNumbers, {"Mod"});
    remainder.attrs = {{"truncated", AttrKind::Bool, false,
                        "true: the remainder has the sign of a (C's fmod); false, when left out: that of b"}};
    family.push_back(std::move(remainder));
    family.push_back(
        {.name = "bias_add",
         .doc = "x plus a vector along one axis: out[..., c, ...] = x[..., c, ...] + bias[c]. Errors: BadShape "
                "when the vector is not as long as the axis.",
         .operands = {{"x", "numbers, at least one dimension"}, {"bias", "[C], of x's element type"}},
         .attrs = {{"axis", AttrKind::Int, false, "the axis the vector lies along; 1 when left out"}},
         .fusion = FusionKind::Broadcast,
         .infer = bias_type,
         .define = define_bias_add,
         .onnx_names = {"Conv", "ConvTranspose", "Gemm"}});
    return family;
}

} // namespace orrery::ops
