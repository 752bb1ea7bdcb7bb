#include "core/ops/elementwise.hpp"

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

std::vector<graph::OperandSpec> one_operand(const char* doc) { return {{"x", doc}}; }

std::vector<Buffer> define_unary_stage(const DefineRequest& request, UnaryValue value) {
    const Buffer& x = request.in(0);
    const DType wide = accumulator(x->dtype);
    const StageSpec stage{std::string(request.name), request.out_dtype(), request.out_shape()};
    return {compute_stage(request.builder, stage, [&](const Indices& i) {
        return cast(stage.dtype, value(cast(wide, load(x, i)), request.attrs));
    })};
}

namespace {

template <Intrinsic Function> Expr intrinsic(const Expr& x, const Attrs&) { return call(Function, x); }

Expr absolute(const Expr& x, const Attrs&) { return is_unsigned_int(x->dtype) ? x : call(Intrinsic::Abs, x); }

Expr sign(const Expr& x, const Attrs&) {
    const Expr zero = constant_int(x->dtype, 0), one = constant_int(x->dtype, 1);
    if (is_unsigned_int(x->dtype)) return select(gt(x, zero), one, zero);
    return call(Intrinsic::Sign, x);
}

Expr reciprocal(const Expr& x, const Attrs&) { return constant(x->dtype, 1) / x; }

Expr infinite(const Expr& x, const Attrs& attrs) {
    const Expr infinite = call(Intrinsic::IsInf, x), zero = constant(x->dtype, 0);
    const bool positive = attrs.flag("detect_positive", true), negative = attrs.flag("detect_negative", true);
    if (positive && negative) return infinite;
    if (positive) return infinite && gt(x, zero);
    if (negative) return infinite && lt(x, zero);
    return boolean(false);
}

Expr identity_value(const Expr& x, const Attrs&) { return x; }

Result<Type> test_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, operand(request, 0, DTypes::Float));
    return graph::tensor_type(DType::Bool, x.dims);
}

template <UnaryValue Value, DTypes Allowed>
OpRow unary(const char* name, const char* doc, const char* operand_doc, std::vector<std::string> onnx_names) {
    return {.name = name,
            .doc = doc,
            .operands = one_operand(operand_doc),
            .fusion = FusionKind::Elementwise,
            .infer = same_type<Allowed>,
            .define = define_unary<Value>,
            .onnx_names = std::move(onnx_names)};
}

template <Intrinsic Function> OpRow function(const char* name, const char* doc, std::vector<std::string> onnx_names) {
    return unary<intrinsic<Function>, DTypes::Float>(name, doc, "floating point, any shape", std::move(onnx_names));
}

void add_tests(Family& family) {
    family.push_back({.name = "is_nan",
                      .doc = "True where x is not a number. The result is bool of x's shape.",
                      .operands = one_operand("floating point, any shape"),
                      .fusion = FusionKind::Elementwise,
                      .infer = test_type,
                      .define = define_unary<intrinsic<Intrinsic::IsNan>>,
                      .onnx_names = {"IsNaN"}});
    family.push_back(
        {.name = "is_inf",
         .doc = "True where x is infinite. The result is bool of x's shape.",
         .operands = one_operand("floating point, any shape"),
         .attrs = {{"detect_positive", AttrKind::Bool, false, "whether +infinity counts; true when left out"},
                   {"detect_negative", AttrKind::Bool, false, "whether -infinity counts; true when left out"}},
         .fusion = FusionKind::Elementwise,
         .infer = test_type,
         .define = define_unary<infinite>,
         .onnx_names = {"IsInf"}});
}

} // namespace

Family elementwise_unary_family() {
    constexpr const char* kNumbers = "numbers, any shape";
    Family family{
        unary<absolute, DTypes::Number>("abs", "The absolute value of every element.", kNumbers, {"Abs"}),
        unary<intrinsic<Intrinsic::Neg>, DTypes::Signed>("negative", "Every element negated.",
                                                         "signed numbers, any shape", {"Neg"}),
        unary<sign, DTypes::Number>("sign", "-1, 0 or 1 by the sign of every element.", kNumbers, {"Sign"}),
        unary<reciprocal, DTypes::Float>("reciprocal", "1 / x of every element.", "floating point, any shape",
                                         {"Reciprocal"}),
        unary<identity_value, DTypes::Any>("identity", "x itself.", "anything", {"Identity"}),
        unary<intrinsic<Intrinsic::BitNot>, DTypes::Int>("bitwise_not", "Every bit of every element inverted.",
                                                         "integers, any shape", {"BitwiseNot"}),
        unary<intrinsic<Intrinsic::Not>, DTypes::Bool>("logical_not", "True where x is false.", "bool, any shape",
                                                       {"Not"}),
        function<Intrinsic::Sqrt>("sqrt", "The square root of every element; NaN below zero.", {"Sqrt"}),
        function<Intrinsic::Exp>("exp", "e to the power of every element.", {"Exp"}),
        function<Intrinsic::Log>("log", "The natural logarithm of every element; NaN below zero.", {"Log"}),
        function<Intrinsic::Sin>("sin", "The sine of every element. Units: radians.", {"Sin"}),
        function<Intrinsic::Cos>("cos", "The cosine of every element. Units: radians.", {"Cos"}),
        function<Intrinsic::Tan>("tan", "The tangent of every element. Units: radians.", {"Tan"}),
        function<Intrinsic::Asin>("asin", "The arc sine of every element; NaN outside [-1, 1].", {"Asin"}),
        function<Intrinsic::Acos>("acos", "The arc cosine of every element; NaN outside [-1, 1].", {"Acos"}),
        function<Intrinsic::Atan>("atan", "The arc tangent of every element.", {"Atan"}),
        function<Intrinsic::Sinh>("sinh", "The hyperbolic sine of every element.", {"Sinh"}),
        function<Intrinsic::Cosh>("cosh", "The hyperbolic cosine of every element.", {"Cosh"}),
        function<Intrinsic::Tanh>("tanh", "The hyperbolic tangent of every element.", {"Tanh"}),
        function<Intrinsic::Asinh>("asinh", "The inverse hyperbolic sine of every element.", {"Asinh"}),
        function<Intrinsic::Acosh>("acosh", "The inverse hyperbolic cosine of every element; NaN below 1.", {"Acosh"}),
        function<Intrinsic::Atanh>("atanh", "The inverse hyperbolic tangent of every element; NaN outside [-1, 1].",
                                   {"Atanh"}),
        function<Intrinsic::Erf>("erf", "The error function of every element.", {"Erf"}),
        function<Intrinsic::Floor>("floor", "Every element rounded down to a whole number.", {"Floor"}),
        function<Intrinsic::Ceil>("ceil", "Every element rounded up to a whole number.", {"Ceil"}),
        function<Intrinsic::Round>("round", "Every element rounded to the nearest whole number, halves to even.",
                                   {"Round"}),
    };
    add_tests(family);
    return family;
}

} // namespace orrery::ops
