// Windows of an image as columns, and back: what convolutions with moved taps and their gradients are made of.

#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"
#include "core/ops/window.hpp"

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

// ----------------------------------------------------------------------------------------- col2im

struct Grid {
    std::vector<Window> windows;
    Shape counts; ///< windows along each axis
};

Result<Grid> read_grid(const Attrs& attrs, const Ints& image, const Ints& kernel) {
    Grid grid;
    ORRERY_TRY(grid.windows, read_windows(attrs, kernel));
    for (std::size_t d = 0; d < image.size(); ++d) {
        if (image[d] < 1 || image[d] > kMaxWindow)
            return attr_error("an image has extents between 1 and " + std::to_string(kMaxWindow) + ", not " +
                              std::to_string(image[d]));
        ORRERY_TRY(const std::int64_t count, window_count(grid.windows[d], image[d]));
        grid.counts.push_back(count);
    }
    return grid;
}

Result<Type> col2im_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, ranked_operand(request, 0, 3, DTypes::Number));
    const Ints &image = request.attrs.ints("image"), &kernel = request.attrs.ints("kernel");
    if (image.empty() || image.size() != kernel.size())
        return attr_error("image and kernel must have one extent for each axis");
    ORRERY_TRY(const Grid grid, read_grid(request.attrs, image, kernel));
    std::int64_t elements = 1, windows = 1;
    for (std::size_t d = 0; d < image.size(); ++d)
        if (__builtin_mul_overflow(elements, kernel[d], &elements) ||
            __builtin_mul_overflow(windows, grid.counts[d], &windows))
            return shape_error("the windows have too many elements");
    if (x.dims[1].value % elements != 0 || x.dims[2].value != windows)
        return shape_error("columns " + graph::to_string(request.types[0]) + " are not " + std::to_string(windows) +
                           " windows of " + std::to_string(elements) + " elements");
    Shape shape{x.dims[0].value, x.dims[1].value / elements};
    shape.insert(shape.end(), image.begin(), image.end());
    return checked_type(x.dtype, shape);
}

/// Sums over the places of a window that an element can be: the window's number along an axis is then given, if it is
/// whole and there.
std::vector<Buffer> define_col2im(const DefineRequest& request) {
    const Ints &image = request.attrs.ints("image"), &kernel = request.attrs.ints("kernel");
    const Grid grid = *read_grid(request.attrs, image, kernel);
    const Buffer& x = request.in(0);
    const DType dtype = request.out_dtype();
    const Expr zero = constant_int(dtype, 0);
    return {reduce_stage(request.builder, {"col2im", dtype, request.out_shape(), nchw_names(image.size() + 2)},
                         {.combiner = Combiner::Sum, .extents = kernel, .names = spatial_names(kernel.size(), "k")},
                         [&](const Indices& i, const Indices& k) {
                             Indices places;
                             Expr valid = boolean(true);
                             for (std::size_t d = 0; d < image.size(); ++d) {
                                 const Window& w = grid.windows[d];
                                 const Expr start = i[2 + d] + w.before - k[d] * w.dilation;
                                 if (w.stride > 1) valid = valid && eq(floor_mod(start, imm(w.stride)), imm(0));
                                 places.push_back(w.stride > 1 ? floor_div(start, imm(w.stride)) : start);
                                 valid = valid && within(places.back(), 0, grid.counts[d]);
                             }
                             const Expr row = i[1] * element_count(kernel) + flatten(k, kernel);
                             return select(valid, load(x, {i[0], row, flatten(places, grid.counts)}), zero);
                         })};
}

// --------------------------------------------------------------------------------- deform_columns

Result<Type> deform_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, ranked_operand(request, 0, 4, DTypes::WideFloat));
    ORRERY_TRY(const TensorType offset, ranked_operand(request, 1, 4, DTypes::WideFloat));
    ORRERY_CHECK_OK(same_dtype(x, offset));
    ORRERY_TRY(const Ints kernel, checked_ints(request.attrs, "kernel", {2, 1, kMaxWindow, 1}));
    const std::int64_t channels = x.dims[1].value, groups = request.attrs.integer("groups", 1);
    if (groups < 1 || groups > kMaxWindow || channels % groups != 0)
        return attr_error(std::to_string(groups) + " groups of offsets do not divide " + std::to_string(channels) +
                          " channels");
    ORRERY_TRY(const Grid grid, read_grid(request.attrs, {x.dims[2].value, x.dims[3].value}, kernel));
    std::int64_t taps = 0;
    if (__builtin_mul_overflow(groups, kernel[0] * kernel[1], &taps) || taps > kMaxTensorBytes)
        return shape_error("the windows have too many elements");
    const Shape expected{x.dims[0].value, 2 * taps, grid.counts[0], grid.counts[1]};
    if (graph::static_shape(offset) != expected)
        return shape_error("offsets must be " + type_text(x.dtype, expected) + ", are " +
                           graph::to_string(request.types[1]));
    if (present(request, 2)) {
        ORRERY_TRY(const TensorType mask, ranked_operand(request, 2, 4, DTypes::WideFloat));
        ORRERY_CHECK_OK(same_dtype(x, mask));
        Shape one_each = expected;
        one_each[1] = taps;
        if (graph::static_shape(mask) != one_each)
            return shape_error("a mask must be " + type_text(x.dtype, one_each) + ", is " +
                               graph::to_string(request.types[2]));
    }
    return checked_type(x.dtype,
                        Shape{x.dims[0].value, channels, kernel[0], kernel[1], grid.counts[0], grid.counts[1]});
}

/// Rows and columns each window's taps are read at: [2, N, groups * taps, Ho, Wo].
Buffer deform_positions(const DefineRequest& request, const Grid& grid, const Ints& kernel) {
    const Buffer& offset = request.in(1);
    const Shape in = request.shape(1);
    const DType dtype = request.out_dtype();
    return compute_stage(
        request.builder, {"deform_position", dtype, {2, in[0], in[1] / 2, in[2], in[3]}, {"a", "n", "k", "h", "w"}},
        [&](const Indices& i) {
            const auto start = [&](std::size_t axis, const Expr& place, const Expr& tap) {
                const Window& w = grid.windows[axis];
                return place * w.stride + tap * w.dilation - w.before;
            };
            const Expr row = start(0, i[3], floor_mod(floor_div(i[2], imm(kernel[1])), imm(kernel[0])));
            const Expr column = start(1, i[4], floor_mod(i[2], imm(kernel[1])));
            const Expr moved = load(offset, {i[1], i[2] * 2 + i[0], i[3], i[4]});
            return cast(dtype, select(eq(i[0], imm(0)), row, column)) + moved;
        });
}

std::vector<Buffer> define_deform_columns(const DefineRequest& request) {
    const Buffer& x = request.in(0);
    const Shape in = request.shape(0), out = request.out_shape();
    const Ints kernel = request.attrs.ints("kernel");
    const Grid grid = *read_grid(request.attrs, {in[2], in[3]}, kernel);
    const DType dtype = request.out_dtype();
    const std::int64_t per_group = std::max<std::int64_t>(in[1] / request.attrs.integer("groups", 1), 1);
    const Buffer position = deform_positions(request, grid, kernel);
    const auto tap_of = [&](const Indices& i) {
        return (floor_div(i[1], imm(per_group)) * kernel[0] + i[2]) * kernel[1] + i[3];
    };
    const Names axes{"n", "c", "kh", "kw", "h", "w"};
    const Buffer sum = reduce_stage(
        request.builder, {"deform_sample", dtype, out, axes},
        {.combiner = Combiner::Sum, .extents = {2, 2}, .names = {"ty", "tx"}}, [&](const Indices& i, const Indices& k) {
            const auto axis = [&](std::int64_t a) { return load(position, {imm(a), i[0], tap_of(i), i[4], i[5]}); };
            const auto pixel = [&](std::int64_t a) {
                return cast(DType::I64, call(Intrinsic::Floor, axis(a))) + k[static_cast<std::size_t>(a)];
            };
            const auto weight = [&](std::int64_t a) {
                return constant(dtype, 1) - call(Intrinsic::Abs, axis(a) - cast(dtype, pixel(a)));
            };
            const Expr row = pixel(0), column = pixel(1);
            return select(within(row, 0, in[2]) && within(column, 0, in[3]),
                          load(x, {i[0], i[1], row, column}) * (weight(0) * weight(1)), constant(dtype, 0));
        });
    if (!request.has(2)) return {sum};
    return {compute_stage(request.builder, {"deform_columns", dtype, out, axes}, [&](const Indices& i) {
        return load(sum, i) * load(request.in(2), {i[0], tap_of(i), i[4], i[5]});
    })};
}

} // namespace

Family patch_family() {
    std::vector<graph::AttrSpec> image{{"image", AttrKind::Ints, true, "the result's spatial extents"},
                                       {"kernel", AttrKind::Ints, true, "the windows' extents"}};
    std::vector<graph::AttrSpec> deform{
        {"kernel", AttrKind::Ints, true, "the windows' two extents"},
        {"groups", AttrKind::Int, false, "groups of channels with offsets of their own; 1 when left out"}};
    for (const graph::AttrSpec& attr : window_attrs()) {
        image.push_back(attr);
        deform.push_back(attr);
    }
    return {{.name = "col2im",
             .doc = "An image from its windows, laid one a column: an element that lies in several is the sum of "
                    "theirs. The result is [N, C, image...]. Errors: BadShape, BadAttribute.",
             .operands = {{"x", "[N, C * elements of a window, windows], numbers"}},
             .attrs = std::move(image),
             .fusion = FusionKind::OutFusable,
             .infer = col2im_type,
             .define = define_col2im,
             .onnx_names = {"Col2Im"}},
            {.name = "deform_columns",
             .doc = "The elements of a convolution's windows, each interpolated where its offset moves it to; 0 "
                    "outside x. The result is [N, C, kh, kw, Ho, Wo]. Errors: BadShape, BadAttribute.",
             .operands = {{"x", "[N, C, H, W], f32 or f64"},
                          {"offset", "[N, groups * kh * kw * 2, Ho, Wo], of x's element type: rows, then columns"},
                          {"mask", "[N, groups * kh * kw, Ho, Wo]: what elements are multiplied with", true}},
             .attrs = std::move(deform),
             .fusion = FusionKind::OutFusable,
             .infer = deform_type,
             .define = define_deform_columns,
             .onnx_names = {"DeformConv"}}};
}

} // namespace orrery::ops
