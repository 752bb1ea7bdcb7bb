#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"

namespace orrery::ops {

using namespace tensor;

namespace {

Result<Type> cast_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, operand(request, 0));
    return checked_type(request.attrs.dtype("dtype"), x.dims);
}

std::vector<Buffer> define_cast(const DefineRequest& request) {
    return {compute_stage(request.builder, {"cast", request.out_dtype(), request.out_shape()},
                          [&](const Indices& i) { return cast(request.out_dtype(), load(request.in(0), i)); })};
}

} // namespace

Family cast_family() {
    return {{.name = "cast",
             .doc = "x in another element type. Floats become integers by truncation and saturate, NaN gives 0; wider "
                    "integers wrap; to bool is `x != 0`.",
             .operands = {{"x", "any element type and shape"}},
             .attrs = {{"dtype", graph::AttrKind::DType, true, "the element type of the result"}},
             .fusion = graph::FusionKind::Elementwise,
             .infer = cast_type,
             .define = define_cast,
             .onnx_names = {"Cast", "CastLike"}}};
}

} // namespace orrery::ops
