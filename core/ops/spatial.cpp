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
    ORRERY_TRY(const TensorType x, static_operand(request, 0, DTypes::WideFloat));
    const std::size_t rank = x.dims.size();
    if (rank != 4 && rank != 5)
        return shape_error("an image is [N, C, H, W] or [N, C, D, H, W], not " + graph::to_string(request.types[0]));
    ORRERY_TRY(const TensorType grid, ranked_operand(request, 1, rank, DTypes::WideFloat));
    ORRERY_CHECK_OK(same_dtype(x, grid));
    const std::string mode = request.attrs.text("mode", "linear"), padding = request.attrs.text("padding", "zeros");
    if (mode != "linear" && mode != "nearest" && mode != "cubic")
        return attr_error("mode is linear, nearest or cubic, not " + mode);
    if (padding != "zeros" && padding != "border" && padding != "reflection")
        return attr_error("padding is zeros, border or reflection, not " + padding);
    if (mode == "cubic" && rank == 5) return attr_error("volumes are not sampled by cubic interpolation");
    if (!(grid.dims[0] == x.dims[0]) || grid.dims.back().value != static_cast<std::int64_t>(rank - 2))
        return shape_error("a grid " + graph::to_string(request.types[1]) + " does not fit " +
                           graph::to_string(request.types[0]));
    Dims out{x.dims[0], x.dims[1]};
    for (std::size_t d = 2; d < rank; ++d) {
        if (x.dims[d].value < 1) return shape_error("an empty image cannot be sampled");
        out.push_back(grid.dims[d - 1]);
    }
    return checked_type(x.dtype, out);
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

/// The image's spatial axes, outermost first.
std::vector<GridAxis> grid_axes(const DefineRequest& request) {
    const Shape in = request.shape(0);
    std::vector<GridAxis> axes;
    for (std::size_t d = 2; d < in.size(); ++d)
        axes.push_back({in[d], request.attrs.text("mode", "linear"), request.attrs.text("padding", "zeros"),
                        request.attrs.flag("align_corners"), request.out_dtype()});
    return axes;
}

/// Pixel coordinates: [axes, N, spatial...].
Buffer grid_positions(const DefineRequest& request, const std::vector<GridAxis>& axes) {
    const Buffer& grid = request.in(1);
    const Shape out = request.out_shape();
    const auto count = static_cast<std::int64_t>(axes.size());
    Shape shape{count, out[0]};
    shape.insert(shape.end(), out.begin() + 2, out.end());
    return compute_stage(request.builder, {"grid_position", request.out_dtype(), shape}, [&](const Indices& i) {
        Expr position;
        for (std::int64_t a = count; a-- > 0;) {
            Indices at(i.begin() + 1, i.end());
            at.push_back(imm(count - 1 - a)); // the grid holds x before y
            const Expr here = axes[static_cast<std::size_t>(a)].position(load(grid, at));
            position = position == nullptr ? here : select(eq(i[0], imm(a)), here, position);
        }
        return position;
    });
}

std::vector<Buffer> define_grid_sample(const DefineRequest& request) {
    const Buffer& x = request.in(0);
    const Shape in = request.shape(0), out = request.out_shape();
    const DType dtype = request.out_dtype();
    const std::vector<GridAxis> axes = grid_axes(request);
    const Buffer position = grid_positions(request, axes);
    const Shape taps(axes.size(), axes[0].taps());
    return {reduce_stage(request.builder, {"grid_sample", dtype, out, nchw_names(out.size())},
                         {.combiner = Combiner::Sum, .extents = taps, .names = spatial_names(axes.size(), "t")},
                         [&](const Indices& i, const Indices& k) {
                             Indices from{i[0], i[1]};
                             Expr weight, inside;
                             for (std::size_t a = 0; a < axes.size(); ++a) {
                                 Indices at{imm(static_cast<std::int64_t>(a)), i[0]};
                                 at.insert(at.end(), i.begin() + 2, i.end());
                                 const Expr here = load(position, at), pixel = axes[a].pixel(here, k[a]);
                                 const Expr part = axes[a].weight(here, k[a]),
                                            within_image = within(pixel, 0, in[2 + a]);
                                 from.push_back(axes[a].inside(pixel));
                                 weight = weight == nullptr ? part : weight * part;
                                 inside = inside == nullptr ? within_image : inside && within_image;
                             }
                             const Expr value = load(x, from) * weight;
                             return axes[0].padding == "zeros" ? select(inside, value, constant(dtype, 0)) : value;
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
    for (const char* name : {"height", "width", "samples"}) {
        const std::int64_t least = std::string_view(name) == "samples" ? 0 : 1;
        if (request.attrs.integer(name) < least || request.attrs.integer(name) > kMost)
            return attr_error(std::string(name) + " must be between " + std::to_string(least) + " and " +
                              std::to_string(kMost));
    }
    const std::string mode = request.attrs.text("mode", "avg");
    if (mode != "avg" && mode != "max") return attr_error("mode is avg or max, not " + mode);
    for (std::size_t i : {0, 2, 3})
        if (x.dims[i].value < 1 && rois.dims[0].value > 0) return shape_error("an empty image cannot be sampled");
    return checked_type(x.dtype,
                        Dims{rois.dims[0], x.dims[1], request.attrs.integer("height"), request.attrs.integer("width")});
}

/// One axis of all regions, of `bins` bins over `extent` pixels. `start` is the column of the region's start.
struct RoiAxis {
    const DefineRequest& request;
    std::int64_t start = 0, bins = 1, extent = 1;

    [[nodiscard]] Expr f(double value) const { return constant(request.out_dtype(), value); }
    /// The most samples of a bin: as many as a bin of the whole axis has, where the regions say how many.
    [[nodiscard]] std::int64_t most() const {
        const std::int64_t samples = request.attrs.integer("samples");
        return samples > 0 ? samples : (extent + bins - 1) / bins + 1;
    }
    [[nodiscard]] Expr low(const Expr& region) const { return edge(region, start); }
    [[nodiscard]] Expr length(const Expr& region) const {
        const Expr between = edge(region, start + 2) - low(region);
        // Without the half pixel, regions narrower than a pixel are widened to one.
        return request.attrs.flag("half_pixel") ? between : max(between, f(1));
    }
    /// Samples of a bin of each region: [R].
    [[nodiscard]] Buffer counts() const {
        return compute_stage(request.builder, {"roi_count", request.out_dtype(), {request.out_shape()[0]}, {"r"}},
                             [&](const Indices& i) {
                                 if (request.attrs.integer("samples") > 0) return f(static_cast<double>(most()));
                                 const Expr bin = length(i[0]) / f(static_cast<double>(bins));
                                 return max(min(call(Intrinsic::Ceil, bin), f(static_cast<double>(most()))), f(1));
                             });
    }
    /// Coordinates of the samples: [R, bins, most()].
    [[nodiscard]] Buffer positions(const Buffer& counts) const {
        const DType dtype = request.out_dtype();
        return compute_stage(
            request.builder, {"roi_position", dtype, {request.out_shape()[0], bins, most()}, {"r", "p", "s"}},
            [&](const Indices& i) {
                const Expr within_bin = (cast(dtype, i[2]) + f(0.5)) / load(counts, {i[0]});
                return low(i[0]) + (cast(dtype, i[1]) + within_bin) * (length(i[0]) / f(static_cast<double>(bins)));
            });
    }

  private:
    [[nodiscard]] Expr edge(const Expr& region, std::int64_t column) const {
        const Expr scaled = load(request.in(1), {region, imm(column)}) * f(request.attrs.number("spatial_scale", 1));
        return scaled - f(request.attrs.flag("half_pixel") ? 0.5 : 0);
    }
};

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
    const bool average = request.attrs.text("mode", "avg") == "avg", adaptive = request.attrs.integer("samples") == 0;
    const RoiAxis vertical{request, 1, out[2], in[2]}, horizontal{request, 0, out[3], in[3]};
    const Buffer row_counts = vertical.counts(), column_counts = horizontal.counts();
    const Buffer rows = vertical.positions(row_counts), columns = horizontal.positions(column_counts);
    const auto tap_value = [&](const Indices& i, const Indices& k) {
        const RoiTap y = roi_tap(load(rows, {i[0], i[2], k[0]}), k[2], in[2]),
                     z = roi_tap(load(columns, {i[0], i[3], k[1]}), k[3], in[3]);
        const Expr value =
            load(x, {safe_index(load(request.in(2), {i[0]}), in[0]), i[1], y.pixel, z.pixel}) * (y.weight * z.weight);
        if (!adaptive) return value;
        const Expr counted =
            lt(cast(dtype, k[0]), load(row_counts, {i[0]})) && lt(cast(dtype, k[1]), load(column_counts, {i[0]}));
        return select(counted, value, average ? constant(dtype, 0) : lowest(dtype));
    };
    // The maximum is over the four weighted neighbours of every sample: ONNX's published results are made so.
    const Buffer total =
        reduce_stage(request.builder, {average ? "roi_sum" : "roi_align", dtype, out, {"r", "c", "h", "w"}},
                     {.combiner = average ? Combiner::Sum : Combiner::Max,
                      .extents = {vertical.most(), horizontal.most(), 2, 2},
                      .names = {"sy", "sx", "ty", "tx"}},
                     tap_value);
    if (!average) return {total};
    return {compute_stage(request.builder, {"roi_align", dtype, out, {"r", "c", "h", "w"}}, [&](const Indices& i) {
        return load(total, i) / (load(row_counts, {i[0]}) * load(column_counts, {i[0]}));
    })};
}

// ----------------------------------------------------------------------------------- roi_max_pool

Result<Type> roi_max_pool_type(const TypeRequest& request) {
    constexpr std::int64_t kMost = 1 << 16;
    ORRERY_TRY(const TensorType x, ranked_operand(request, 0, 4, DTypes::WideFloat));
    ORRERY_TRY(const TensorType rois, ranked_operand(request, 1, 2, DTypes::WideFloat));
    ORRERY_CHECK_OK(same_dtype(x, rois));
    if (rois.dims[1].value != 5) return shape_error("regions are [R, 5], not " + graph::to_string(request.types[1]));
    for (const char* name : {"height", "width"})
        if (request.attrs.integer(name) < 1 || request.attrs.integer(name) > kMost)
            return attr_error(std::string(name) + " must be between 1 and " + std::to_string(kMost));
    if (x.dims[0].value < 1 && rois.dims[0].value > 0) return shape_error("there is no image to pool");
    return checked_type(x.dtype,
                        Dims{rois.dims[0], x.dims[1], request.attrs.integer("height"), request.attrs.integer("width")});
}

/// First pixel and pixel past the last of each bin: i64[2, R, bins]. Corners are rounded to pixels and belong to the
/// region. Source: Girshick, "Fast R-CNN", 2015, section 2.1, and its reference code.
Buffer roi_bins(const DefineRequest& request, std::int64_t column, std::int64_t bins, std::int64_t extent) {
    const Buffer& rois = request.in(1);
    const DType dtype = request.out_dtype();
    const auto f = [dtype](double value) { return constant(dtype, value); };
    return compute_stage(
        request.builder, {"roi_bin", DType::I64, {2, request.out_shape()[0], bins}, {"e", "r", "p"}},
        [&](const Indices& i) {
            const auto corner = [&](std::int64_t at) {
                const Expr scaled = load(rois, {i[1], imm(at)}) * f(request.attrs.number("spatial_scale", 1));
                return call(Intrinsic::Floor, scaled + f(0.5));
            };
            const Expr low = corner(column), length = max(corner(column + 2) - low + f(1), f(1));
            const Expr bin = length / f(static_cast<double>(bins)), first = cast(dtype, i[2]) * bin;
            const Expr from = call(Intrinsic::Floor, first) + low, to = call(Intrinsic::Ceil, first + bin) + low;
            const Expr edge = select(eq(i[0], imm(0)), from, to);
            return cast(DType::I64, max(min(edge, f(static_cast<double>(extent))), f(0)));
        });
}

std::vector<Buffer> define_roi_max_pool(const DefineRequest& request) {
    const Buffer& x = request.in(0);
    const Shape in = request.shape(0), out = request.out_shape();
    const DType dtype = request.out_dtype();
    const Buffer rows = roi_bins(request, 2, out[2], in[2]), columns = roi_bins(request, 1, out[3], in[3]);
    const auto between = [](const Buffer& bins, const Expr& region, const Expr& bin, const Expr& pixel) {
        return ge(pixel, load(bins, {imm(0), region, bin})) && lt(pixel, load(bins, {imm(1), region, bin}));
    };
    const Names axes{"r", "c", "h", "w"};
    const Buffer most =
        reduce_stage(request.builder, {"roi_greatest", dtype, out, axes},
                     {.combiner = Combiner::Max, .extents = {in[2], in[3]}, .names = {"y", "x"}},
                     [&](const Indices& i, const Indices& k) {
                         const Expr image = safe_index(cast(DType::I64, load(request.in(1), {i[0], imm(0)})), in[0]);
                         return select(between(rows, i[0], i[2], k[0]) && between(columns, i[0], i[3], k[1]),
                                       load(x, {image, i[1], k[0], k[1]}), lowest(dtype));
                     });
    const auto empty = [](const Buffer& bins, const Expr& region, const Expr& bin) {
        return le(load(bins, {imm(1), region, bin}), load(bins, {imm(0), region, bin}));
    };
    return {compute_stage(request.builder, {"roi_max_pool", dtype, out, axes}, [&](const Indices& i) {
        return select(empty(rows, i[0], i[2]) || empty(columns, i[0], i[3]), constant(dtype, 0), load(most, i));
    })};
}

} // namespace

Family spatial_family() {
    return {
        {.name = "grid_sample",
         .doc =
             "x sampled at the positions of a grid, whose values are (x, y) or (x, y, z) with -1 and 1 at the image's "
             "edges. The result is [N, C, Ho, Wo] or [N, C, Do, Ho, Wo]. Errors: BadShape, BadAttribute.",
         .operands = {{"x", "[N, C, H, W] or [N, C, D, H, W], f32 or f64"},
                      {"grid", "[N, Ho, Wo, 2] or [N, Do, Ho, Wo, 3], of x's element type"}},
         .attrs = {{"mode", AttrKind::Text, false, "linear (when left out), nearest, and of images cubic"},
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
                   {"samples", AttrKind::Int, true,
                    "points along each side of a bin; 0: one a pixel of it, no more than a bin of the whole image has"},
                   {"spatial_scale", AttrKind::Float, false, "pixels of x a unit of rois; 1 when left out"},
                   {"half_pixel", AttrKind::Bool, false,
                    "whether positions are moved by half a pixel; false when left out"},
                   {"mode", AttrKind::Text, false, "avg (when left out) or max"}},
         .fusion = FusionKind::OutFusable,
         .infer = roi_align_type,
         .define = define_roi_align,
         .onnx_names = {"RoiAlign"}},
        {.name = "roi_max_pool",
         .doc = "The greatest element of each of the height x width bins of regions of x; 0 of none. The result is "
                "[R, C, height, width]. Cost: H W of each element. Errors: BadShape, BadAttribute.",
         .operands = {{"x", "[N, C, H, W], f32 or f64"}, {"rois", "[R, 5]: image, x1, y1, x2, y2"}},
         .attrs = {{"height", AttrKind::Int, true, "bins"},
                   {"width", AttrKind::Int, true, "bins"},
                   {"spatial_scale", AttrKind::Float, false, "pixels of x a unit of rois; 1 when left out"}},
         .fusion = FusionKind::OutFusable,
         .infer = roi_max_pool_type,
         .define = define_roi_max_pool,
         .onnx_names = {"MaxRoiPool"}},
    };
}

} // namespace orrery::ops
