#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"

#include <numbers>

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

/// x is [..., axis, ..., 1 or 2]: real numbers, or real and imaginary parts.
Result<Type> dft_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0, DTypes::Float));
    Shape shape = graph::static_shape(x);
    if (shape.size() < 2 || (shape.back() != 1 && shape.back() != 2))
        return shape_error("a transform takes [..., 1] or [..., 2], not " + graph::to_string(request.types[0]));
    ORRERY_TRY(const std::size_t axis, normalize_axis(request.attrs.integer("axis", 1), shape.size() - 1));
    const std::int64_t length = request.attrs.integer("length", shape[axis]);
    if (length < 1 || length > kMaxWindow) return attr_error("length must be 1 or more, not " + std::to_string(length));
    if (request.attrs.flag("onesided") && request.attrs.flag("inverse"))
        return attr_error("an inverse transform has both sides");
    shape[axis] = request.attrs.flag("onesided") ? length / 2 + 1 : length;
    shape.back() = 2;
    return checked_type(x.dtype, shape);
}

std::vector<Buffer> define_dft(const DefineRequest& request) {
    const Buffer& x = request.in(0);
    const Shape in = request.shape(0), out = request.out_shape();
    const std::int64_t attr = request.attrs.integer("axis", 1), rank = static_cast<std::int64_t>(in.size());
    const auto axis = static_cast<std::size_t>(attr < 0 ? attr + rank - 1 : attr);
    const std::int64_t length = request.attrs.integer("length", in[axis]), used = std::min(length, in[axis]);
    const bool inverse = request.attrs.flag("inverse"), complex = in.back() == 2;
    const DType dtype = request.out_dtype();
    // One turn in `length` steps; row 0 holds the cosines, row 1 the sines.
    const double turn = 2 * std::numbers::pi / static_cast<double>(length);
    const Buffer table =
        compute_stage(request.builder, {"dft_table", DType::F64, {2, length}, {"p", "t"}}, [&](const Indices& i) {
            const Expr angle = cast(DType::F64, i[1]) * constant(DType::F64, inverse ? turn : -turn);
            return select(eq(i[0], imm(0)), call(Intrinsic::Cos, angle), call(Intrinsic::Sin, angle));
        });
    const Buffer sum = reduce_stage(request.builder, {"dft_sum", DType::F64, out},
                                    {.combiner = Combiner::Sum, .extents = {used}, .names = {"k"}},
                                    [&](const Indices& i, const Indices& k) {
                                        Indices at = i;
                                        at[axis] = k[0];
                                        const Expr step = floor_mod(i[axis] * k[0], imm(length)), part = i.back();
                                        const auto value = [&](std::int64_t which) {
                                            Indices from = at;
                                            from.back() = imm(which);
                                            return cast(DType::F64, load(x, from));
                                        };
                                        const Expr real = value(0) * load(table, {part, step});
                                        if (!complex) return real;
                                        // (a + bi)(c + si): ac - bs, as + bc.
                                        const Expr imaginary = value(1) * load(table, {imm(1) - part, step});
                                        return select(eq(part, imm(0)), real - imaginary, real + imaginary);
                                    });
    const double scale = inverse ? 1.0 / static_cast<double>(length) : 1.0;
    return {compute_stage(request.builder, {"dft", dtype, out},
                          [&](const Indices& i) { return cast(dtype, load(sum, i) * constant(DType::F64, scale)); })};
}

} // namespace

Family signal_family() {
    return {
        {.name = "dft",
         .doc = "The discrete Fourier transform along an axis, as real and imaginary parts in the last dimension, "
                "summed in f64. Shorter "
                "signals count as padded with 0, longer ones are cut. Cost: quadratic in the length. Errors: BadShape, "
                "BadAttribute.",
         .operands = {{"x", "[..., 1] real or [..., 2] complex, floating point"}},
         .attrs = {{"axis", AttrKind::Int, false, "1 when left out; negative counted from before the last dimension"},
                   {"length", AttrKind::Int, false, "of the signal; the axis' extent when left out"},
                   {"inverse", AttrKind::Bool, false, "the inverse transform, over the length; false when left out"},
                   {"onesided", AttrKind::Bool, false, "only the first length / 2 + 1 results; false when left out"}},
         .fusion = FusionKind::OutFusable,
         .infer = dft_type,
         .define = define_dft,
         .onnx_names = {"DFT", "STFT"}}};
}

} // namespace orrery::ops
