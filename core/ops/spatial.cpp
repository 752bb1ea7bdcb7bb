// Sampling of images at positions that are data.

#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

// ------------------------------------------------------------------------------------ grid_sample

Result<Type> grid_sample_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, ranked_operand(request, 0, 4, DTypes::WideFloat));
    ORRERY_TRY(const TensorType grid, ranked_operand(request, 1, 4, DTypes::WideFloat));
    ORRERY_CHECK_OK(same_dtype(x, grid));
    const std::string mode = request.attrs.text("mode", "linear"), padding = request.attrs.text("padding", "zeros");
    if (mode != "linear" && mode != "nearest" && mode != "cubic")
        return attr_error("mode is linear, nearest or cubic, not " + mode);
    if (padding != "zeros" && padding != "border" && padding != "reflection")
        return attr_error("padding is zeros, border or reflection, not " + padding);
    if (!(grid.dims[0] == x.dims[0]) || grid.dims[3].value != 2)
        return shape_error("a grid " + graph::to_string(request.types[1]) + " does not fit " +
                           graph::to_string(request.types[0]));
    if (x.dims[2].value < 1 || x.dims[3].value < 1) return shape_error("an empty image cannot be sampled");
    return checked_type(x.dtype, Dims{x.dims[0], x.dims[1], grid.dims[1], grid.dims[2]});
}

/// Sampling along one axis of an image of `extent` pixels.
struct GridAxis {
    std::int64_t extent = 1;
    std::string mode, padding;
    bool align = false;
    DType dtype = DType::F32;

    [[nodiscard]] Expr f(double value) const { return constant(dtype, value); }
    [[nodiscard]] double low() const { return align ? 0 : -0.5; }
    [[nodiscard]] double high() const { return static_cast<double>(extent) - (align ? 1 : 0.5); }

    /// Mirrored at both ends as often as needed.
    [[nodiscard]] Expr reflected(const Expr& x) const {
        const double range = high() - low();
        if (range <= 0) return f(0);
        const Expr moved = x - f(low());
        const Expr folded = moved - call(Intrinsic::Floor, moved / f(2 * range)) * f(2 * range);
        return f(low()) + select(le(folded, f(range)), folded, f(2 * range) - folded);
    }
    /// Pixel coordinate of a grid value in [-1, 1].
    [[nodiscard]] Expr position(const Expr& g) const {
        const double n = static_cast<double>(extent);
        Expr x = align ? (g + f(1)) * f((n - 1) / 2) : ((g + f(1)) * f(n) - f(1)) * f(0.5);
        if (mode == "nearest") x = call(Intrinsic::Round, x);
        const Expr outside = lt(x, f(low())) || gt(x, f(high()));
        if (padding == "border") return select(outside, max(min(x, f(n - 1)), f(0)), x);
        if (padding == "reflection") return select(outside, reflected(x), x);
        return x;
    }
    [[nodiscard]] std::int64_t taps() const { return mode == "nearest" ? 1 : mode == "linear" ? 2 : 4; }
    /// The pixel of a tap, not yet inside the image.
    [[nodiscard]] Expr pixel(const Expr& position, const Expr& tap) const {
        const Expr base = cast(DType::I64, call(mode == "nearest" ? Intrinsic::Round : Intrinsic::Floor, position));
        return base + tap - (mode == "cubic" ? 1 : 0);
    }
    [[nodiscard]] Expr weight(const Expr& position, const Expr& tap) const {
        if (mode == "nearest") return f(1);
        const Expr fraction = position - call(Intrinsic::Floor, position);
        const Expr x = call(Intrinsic::Abs, cast(dtype, tap - (mode == "cubic" ? 1 : 0)) - fraction);
        if (mode == "linear") return f(1) - x;
        constexpr double a = -0.75; // of the cubic convolution; ONNX GridSample fixes it
        const Expr near = (f(a + 2) * x - f(a + 3)) * x * x + f(1);
        const Expr far = ((f(a) * x - f(5 * a)) * x + f(8 * a)) * x - f(4 * a);
        return select(le(x, f(1)), near, far);
    }
    /// A pixel moved inside; with padding zeros the caller masks those outside.
    [[nodiscard]] Expr inside(const Expr& pixel) const {
        Expr index = pixel;
        if (padding == "reflection") index = cast(DType::I64, call(Intrinsic::Round, reflected(cast(dtype, pixel))));
        return max(min(index, imm(extent - 1)), imm(0));
    }
};

std::vector<Buffer> define_grid_sample(const DefineRequest& request) {
    const Buffer &x = request.in(0), &grid = request.in(1);
    const Shape in = request.shape(0), out = request.out_shape();
    const DType dtype = request.out_dtype();
    GridAxis rows{in[2], request.attrs.text("mode", "linear"), request.attrs.text("padding", "zeros"),
                  request.attrs.flag("align_corners"), dtype};
    GridAxis columns = rows;
    columns.extent = in[3];
    const Buffer position =
        compute_stage(request.builder, {"grid_position", dtype, {2, out[0], out[2], out[3]}, {"a", "n", "h", "w"}},
                      [&](const Indices& i) {
                          // The grid holds x before y.
                          return select(eq(i[0], imm(0)), rows.position(load(grid, {i[1], i[2], i[3], imm(1)})),
                                        columns.position(load(grid, {i[1], i[2], i[3], imm(0)})));
                      });
    return {reduce_stage(
        request.builder, {"grid_sample", dtype, out, nchw_names(4)},
        {.combiner = Combiner::Sum, .extents = {rows.taps(), columns.taps()}, .names = {"ty", "tx"}},
        [&](const Indices& i, const Indices& k) {
            const Expr y = load(position, {imm(0), i[0], i[2], i[3]}), z = load(position, {imm(1), i[0], i[2], i[3]});
            const Expr row = rows.pixel(y, k[0]), column = columns.pixel(z, k[1]);
            const Expr value = load(x, {i[0], i[1], rows.inside(row), columns.inside(column)}) *
                               (rows.weight(y, k[0]) * columns.weight(z, k[1]));
            if (rows.padding != "zeros") return value;
            return select(within(row, 0, in[2]) && within(column, 0, in[3]), value, constant(dtype, 0));
        })};
}

// -------------------------------------------------------------------------------------- roi_align

Result<Type> roi_align_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, ranked_operand(request, 0, 4, DTypes::WideFloat));
    ORRERY_TRY(const TensorType rois, ranked_operand(request, 1, 2, DTypes::WideFloat));
    ORRERY_CHECK_OK(same_dtype(x, rois));
    if (rois.dims[1].value != 4) return shape_error("regions are [R, 4], not " + graph::to_string(request.types[1]));
    ORRERY_CHECK_OK(check_vector(request, 2, rois.dims[0].value, DType::I64));
    constexpr std::int64_t kMost = 1 << 16;
    for (const char* name : {"height", "width", "samples"})
        if (request.attrs.integer(name) < 1 || request.attrs.integer(name) > kMost)
            return attr_error(std::string(name) + " must be between 1 and " + std::to_string(kMost));
    const std::string mode = request.attrs.text("mode", "avg");
    if (mode != "avg" && mode != "max") return attr_error("mode is avg or max, not " + mode);
    for (std::size_t i : {0, 2, 3})
        if (x.dims[i].value < 1 && rois.dims[0].value > 0) return shape_error("an empty image cannot be sampled");
    return checked_type(x.dtype,
                        Dims{rois.dims[0], x.dims[1], request.attrs.integer("height"), request.attrs.integer("width")});
}

/// The sampled coordinates of one axis of all regions: [R, bins, samples]. `start` is the column of the region's start.
Buffer roi_positions(const DefineRequest& request, std::int64_t start, std::int64_t bins) {
    const Buffer& rois = request.in(1);
    const DType dtype = request.out_dtype();
    const std::int64_t samples = request.attrs.integer("samples");
    const auto f = [dtype](double value) { return constant(dtype, value); };
    const bool half_pixel = request.attrs.flag("half_pixel");
    return compute_stage(
        request.builder, {"roi_position", dtype, {request.out_shape()[0], bins, samples}, {"r", "p", "s"}},
        [&](const Indices& i) {
            const Expr scale = f(request.attrs.number("spatial_scale", 1)), shift = f(half_pixel ? 0.5 : 0);
            const Expr low = load(rois, {i[0], imm(start)}) * scale - shift,
                       high = load(rois, {i[0], imm(start + 2)}) * scale - shift;
            // Without the half pixel, regions narrower than a pixel are widened to one.
            const Expr length = half_pixel ? high - low : max(high - low, f(1));
            const Expr within_bin = (cast(dtype, i[2]) + f(0.5)) / f(static_cast<double>(samples));
            return low + (cast(dtype, i[1]) + within_bin) * (length / f(static_cast<double>(bins)));
        });
}

/// One of the two pixels beside a coordinate, and its weight: 0 beyond a pixel's distance from the image.
struct RoiTap {
    Expr pixel, weight;
};
RoiTap roi_tap(const Expr& position, const Expr& tap, std::int64_t extent) {
    const auto f = [&](double value) { return constant(position->dtype, value); };
    const Expr held = max(min(position, f(static_cast<double>(extent - 1))), f(0));
    const Expr floor = call(Intrinsic::Floor, held), fraction = held - floor;
    const Expr pixel = max(min(cast(DType::I64, floor) + tap, imm(extent - 1)), imm(0));
    const Expr inside = ge(position, f(-1)) && le(position, f(static_cast<double>(extent)));
    return {pixel, select(inside, select(eq(tap, imm(0)), f(1) - fraction, fraction), f(0))};
}

std::vector<Buffer> define_roi_align(const DefineRequest& request) {
    const Buffer& x = request.in(0);
    const Shape in = request.shape(0), out = request.out_shape();
    const DType dtype = request.out_dtype();
    const std::int64_t samples = request.attrs.integer("samples");
    const bool average = request.attrs.text("mode", "avg") == "avg";
    const Buffer rows = roi_positions(request, 1, out[2]), columns = roi_positions(request, 0, out[3]);
    const auto tap_value = [&](const Indices& i, const Indices& k) {
        const RoiTap y = roi_tap(load(rows, {i[0], i[2], k[0]}), k[2], in[2]),
                     z = roi_tap(load(columns, {i[0], i[3], k[1]}), k[3], in[3]);
        return load(x, {safe_index(load(request.in(2), {i[0]}), in[0]), i[1], y.pixel, z.pixel}) *
               (y.weight * z.weight);
    };
    // The maximum is over the four weighted neighbours of every sample: ONNX's published results are made so.
    const Buffer total =
        reduce_stage(request.builder, {average ? "roi_sum" : "roi_align", dtype, out, {"r", "c", "h", "w"}},
                     {.combiner = average ? Combiner::Sum : Combiner::Max,
                      .extents = {samples, samples, 2, 2},
                      .names = {"sy", "sx", "ty", "tx"}},
                     tap_value);
    if (!average) return {total};
    const double count = static_cast<double>(samples) * static_cast<double>(samples);
    return {compute_stage(request.builder, {"roi_align", dtype, out, {"r", "c", "h", "w"}},
                          [&](const Indices& i) { return load(total, i) / constant(dtype, count); })};
}

} // namespace

Family spatial_family() {
    return {
        {.name = "grid_sample",
         .doc = "x sampled at the positions of a grid, whose values are (x, y) with -1 and 1 at the image's edges. The "
                "result is [N, C, Ho, Wo]. "
                "Errors: BadShape, BadAttribute.",
         .operands = {{"x", "[N, C, H, W], f32 or f64"}, {"grid", "[N, Ho, Wo, 2], of x's element type"}},
         .attrs = {{"mode", AttrKind::Text, false, "linear (when left out), nearest, cubic"},
                   {"padding", AttrKind::Text, false, "outside the image: zeros (when left out), border, reflection"},
                   {"align_corners", AttrKind::Bool, false,
                    "whether -1 and 1 are the centres of the edge pixels; false when left out"}},
         .fusion = FusionKind::OutFusable,
         .infer = grid_sample_type,
         .define = define_grid_sample,
         .onnx_names = {"GridSample"}},
        {.name = "roi_align",
         .doc = "Regions of x divided into height x width bins, each the mean (or maximum) of samples^2 interpolated "
                "points. The result is "
                "[R, C, height, width]. Errors: BadShape, BadAttribute.",
         .operands = {{"x", "[N, C, H, W], f32 or f64"},
                      {"rois", "[R, 4]: x1, y1, x2, y2"},
                      {"batch", "[R], i64: which image"}},
         .attrs = {{"height", AttrKind::Int, true, "bins"},
                   {"width", AttrKind::Int, true, "bins"},
                   {"samples", AttrKind::Int, true, "points along each side of a bin"},
                   {"spatial_scale", AttrKind::Float, false, "pixels of x a unit of rois; 1 when left out"},
                   {"half_pixel", AttrKind::Bool, false,
                    "whether positions are moved by half a pixel; false when left out"},
                   {"mode", AttrKind::Text, false, "avg (when left out) or max"}},
         .fusion = FusionKind::OutFusable,
         .infer = roi_align_type,
         .define = define_roi_align,
         .onnx_names = {"RoiAlign"}},
    };
}

} // namespace orrery::ops
