#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"

namespace orrery::ops {

using namespace tensor;

namespace {

Result<Type> cast_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, operand(request, 0));
    return checked_type(request.attrs.dtype("dtype"), x.dims);
}

/// Floats held within the range of an 8-bit one; NaN stays.
Expr held(const Expr& x, DType dtype) {
    const double limit = float8_to_float(dtype, float8_format(dtype).greatest);
    return select(call(Intrinsic::IsNan, x), x, max(min(x, constant(x->dtype, limit)), constant(x->dtype, -limit)));
}

std::vector<Buffer> define_cast(const DefineRequest& request) {
    const DType to = request.out_dtype(), from = request.in(0)->dtype;
    // 64-bit integers keep their sign in f32, which is all that saturation needs.
    const DType wide = from == DType::F64 ? from : DType::F32;
    const bool saturate = is_float8(to) && from != to && request.attrs.flag("saturate", true);
    return {compute_stage(request.builder, {"cast", to, request.out_shape()}, [&](const Indices& i) {
        const Expr x = load(request.in(0), i);
        return cast(to, saturate ? held(cast(wide, x), to) : x);
    })};
}

} // namespace

Family cast_family() {
    return {
        {.name = "cast",
         .doc =
             "x in another element type. Floats become integers by truncation and saturate, NaN gives 0; wider "
             "integers wrap; to bool is `x != 0`. 8-bit floats hold what is beyond their range at its end, or, without "
             "`saturate`, make it infinity or NaN.",
         .operands = {{"x", "any element type and shape"}},
         .attrs = {{"dtype", graph::AttrKind::DType, true, "the element type of the result"},
                   {"saturate", graph::AttrKind::Bool, false, "for 8-bit floats; true when left out"}},
         .fusion = graph::FusionKind::Elementwise,
         .infer = cast_type,
         .define = define_cast,
         .onnx_names = {"Cast", "CastLike"}}};
}

} // namespace orrery::ops
