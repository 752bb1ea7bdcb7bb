// Convolutions: type relation, then the definition as an optional `pad` stage and one reduction over (ic, k...).
// Transposed convolutions are computed by phases (transposed.cpp); where taps and strides are both apart they are the
// same reduction over a stage with zeros between the input's elements.

#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"
#include "core/ops/transposed.hpp"
#include "core/ops/window.hpp"

#include <algorithm>

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

struct ConvTypes {
    TensorType x, weight;
    std::int64_t groups = 1;
    std::vector<Window> windows;
};

/// Checks shared by both kinds: ranks, element types, groups, windows.
Result<ConvTypes> read_conv(const TypeRequest& request) {
    ConvTypes out;
    ORRERY_TRY(out.x, operand(request, 0, DTypes::Number));
    ORRERY_TRY(out.weight, static_operand(request, 1, DTypes::Number));
    ORRERY_CHECK_OK(check_factors(out.x, out.weight, request.attrs));
    const std::size_t rank = out.x.dims.size();
    if (rank < 3 || out.weight.dims.size() != rank)
        return shape_error("a convolution takes [N, C, spatial...] and weights of equal rank, not " +
                           graph::to_string(request.types[0]) + " and " + graph::to_string(request.types[1]));
    for (std::size_t i = 1; i < rank; ++i)
        if (!out.x.dims[i].is_static() || out.x.dims[i].value > kMaxWindow)
            return shape_error("channels and spatial extents must be static and below " + std::to_string(kMaxWindow) +
                               ": " + graph::to_string(request.types[0]));
    out.groups = request.attrs.integer("groups", 1);
    const std::int64_t channels = out.x.dims[1].value, outer = out.weight.dims[0].value;
    if (out.groups < 1 || channels % out.groups != 0 || outer % out.groups != 0)
        return attr_error(std::to_string(out.groups) + " groups do not divide " + std::to_string(channels) +
                          " channels and " + std::to_string(outer) + " filters");
    Ints kernel;
    for (std::size_t i = 2; i < rank; ++i) kernel.push_back(out.weight.dims[i].value);
    ORRERY_TRY(out.windows, read_windows(request.attrs, kernel));
    return out;
}

template <std::size_t SpatialRank> Result<Type> conv_type(const TypeRequest& request) {
    ORRERY_TRY(const ConvTypes conv, read_conv(request));
    if (conv.windows.size() != SpatialRank)
        return shape_error("needs " + std::to_string(SpatialRank) + " spatial dimensions, has " +
                           graph::to_string(request.types[0]));
    if (conv.weight.dims[1].value != conv.x.dims[1].value / conv.groups)
        return shape_error("weights " + graph::to_string(request.types[1]) + " of " + std::to_string(conv.groups) +
                           " groups do not fit " + std::to_string(conv.x.dims[1].value) + " channels");
    ORRERY_CHECK_OK(check_border(request.attrs, conv.x.dtype));
    Dims dims{conv.x.dims[0], conv.weight.dims[0]};
    Shape padded;
    for (std::size_t i = 0; i < conv.windows.size(); ++i) {
        const Window& window = conv.windows[i];
        ORRERY_TRY(const std::int64_t count, window_count(window, conv.x.dims[2 + i].value));
        dims.emplace_back(count);
        padded.push_back(conv.x.dims[2 + i].value + window.before + window.after);
    }
    ORRERY_CHECK_OK(check_copy(conv.x, padded));
    ORRERY_TRY(const DType dtype, sum_dtype(request.attrs, conv.x.dtype));
    return checked_type(dtype, dims);
}

Result<Type> conv_transpose_type(const TypeRequest& request) {
    ORRERY_TRY(const ConvTypes conv, read_conv(request));
    const std::size_t count = conv.windows.size();
    ORRERY_TRY(const Ints extra, checked_ints(request.attrs, "output_padding", {count, 0, kMaxWindow, 0}));
    const std::int64_t filters = conv.weight.dims[1].value;
    if (conv.weight.dims[0].value != conv.x.dims[1].value || filters > kMaxWindow / conv.groups)
        return shape_error("weights " + graph::to_string(request.types[1]) + " do not fit " +
                           graph::to_string(request.types[0]));
    Dims dims{conv.x.dims[0], filters * conv.groups};
    Shape spread;
    for (std::size_t i = 0; i < count; ++i) {
        const Window& w = conv.windows[i];
        const std::int64_t extent =
            w.stride * (conv.x.dims[2 + i].value - 1) + extra[i] + w.span() - w.before - w.after;
        if (conv.x.dims[2 + i].value < 1 || extent < 1)
            return shape_error("padding leaves nothing of axis " + std::to_string(2 + i) + " of " +
                               graph::to_string(request.types[0]));
        dims.emplace_back(extent);
        spread.push_back(extent + w.span() - 1);
    }
    ORRERY_CHECK_OK(check_copy(conv.x, spread));
    return checked_type(conv.x.dtype, dims);
}

Shape kernel_of(const Shape& weight) { return {weight.begin() + 2, weight.end()}; }

struct ConvLayout {
    Buffer data; ///< [N, C, padded spatial...]
    Shape kernel;
    Ints strides, dilations;
    std::int64_t group_channels = 1; ///< input channels a group
    std::int64_t group_filters = 1;  ///< output channels a group
    std::int64_t groups = 1;
};

/// Indices into `data` of window `i` (n, c, o...) at reduction position `k` (ic, k...).
Indices window_indices(const ConvLayout& layout, const Indices& i, const Indices& k) {
    const Expr group = layout.groups == 1 ? imm(0) : floor_div(i[1], imm(layout.group_filters));
    Indices at{i[0], group * layout.group_channels + k[0]};
    for (std::size_t d = 0; d < layout.kernel.size(); ++d)
        at.push_back(i[2 + d] * layout.strides[d] + k[1 + d] * layout.dilations[d]);
    return at;
}

std::vector<Buffer> convolve(const DefineRequest& request, const ConvLayout& layout,
                             const std::function<Expr(const Indices& i, const Indices& k)>& weight) {
    ComputeBuilder::Reduction reduction{.combiner = Combiner::Sum, .extents = {layout.group_channels}, .names = {"ic"}};
    for (std::int64_t extent : layout.kernel) reduction.extents.push_back(extent);
    for (std::string& name : spatial_names(layout.kernel.size(), "k")) reduction.names.push_back(std::move(name));
    const Shape out = request.out_shape();
    const DType wide = accumulator(request.out_dtype());
    return {reduce_stage(request.builder, {std::string(request.name), request.out_dtype(), out, nchw_names(out.size())},
                         reduction, [&](const Indices& i, const Indices& k) {
                             return cast(wide, load(layout.data, window_indices(layout, i, k))) *
                                    cast(wide, weight(i, k));
                         })};
}

std::vector<Buffer> define_conv(const DefineRequest& request) {
    const Buffer &x = request.in(0), &weight = request.in(1);
    const Shape w = request.shape(1), out = request.out_shape();
    const std::size_t count = w.size() - 2;
    ConvLayout layout{.data = {},
                      .kernel = kernel_of(w),
                      .strides = request.attrs.ints("strides", Ints(count, 1)),
                      .dilations = request.attrs.ints("dilations", Ints(count, 1)),
                      .group_channels = w[1],
                      .groups = request.attrs.integer("groups", 1)};
    layout.group_filters = w[0] / layout.groups;
    const Ints pads = request.attrs.ints("pads", Ints(2 * count, 0));
    PadSpec pad{.first = 2,
                .before = Shape(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(count)),
                .extent = {},
                .value = constant_int(x->dtype, request.attrs.integer("border", 0))};
    for (std::size_t d = 0; d < count; ++d)
        pad.extent.push_back((out[2 + d] - 1) * layout.strides[d] + (layout.kernel[d] - 1) * layout.dilations[d] + 1);
    layout.data = pad_stage(request.builder, x, pad);
    return convolve(request, layout, [&](const Indices& i, const Indices& k) {
        Indices at{i[1]};
        at.insert(at.end(), k.begin(), k.end());
        return load(weight, at);
    });
}

/// The input with stride - 1 zeros between elements and the margins the flipped kernel needs:
/// position p holds x[q / stride] with q = p - (span - 1 - before), where that is whole and inside.
Buffer spread_stage(const DefineRequest& request, const Shape& extent, const Shape& lead, const Ints& strides) {
    const Buffer& x = request.in(0);
    const Shape in = x->static_shape();
    Shape shape{in[0], in[1]};
    shape.insert(shape.end(), extent.begin(), extent.end());
    return compute_stage(request.builder, {"spread", x->dtype, shape, nchw_names(shape.size())}, [&](const Indices& i) {
        Indices from{i[0], i[1]};
        Expr inside = boolean(true);
        for (std::size_t d = 0; d < extent.size(); ++d) {
            const Expr q = i[2 + d] - lead[d];
            inside = inside && within(q, 0, (in[2 + d] - 1) * strides[d] + 1);
            if (strides[d] > 1) inside = inside && eq(floor_mod(q, imm(strides[d])), imm(0));
            from.push_back(strides[d] > 1 ? floor_div(q, imm(strides[d])) : q);
        }
        return select(inside, load(x, from), constant_int(x->dtype, 0));
    });
}

std::vector<Buffer> define_conv_transpose(const DefineRequest& request) {
    const Buffer& weight = request.in(1);
    const Shape w = request.shape(1), out = request.out_shape();
    const std::size_t count = w.size() - 2;
    if (const std::vector<PhaseAxis> axes = phase_axes(request.attrs, kernel_of(w), out);
        std::ranges::all_of(axes, &PhaseAxis::has_phases))
        return define_by_phases(request, axes);
    const std::int64_t groups = request.attrs.integer("groups", 1);
    const Ints dilations = request.attrs.ints("dilations", Ints(count, 1)),
               pads = request.attrs.ints("pads", Ints(2 * count, 0));
    Shape extent, lead;
    for (std::size_t d = 0; d < count; ++d) {
        const std::int64_t reach = (w[2 + d] - 1) * dilations[d];
        extent.push_back(out[2 + d] + reach);
        lead.push_back(reach - pads[d]);
    }
    ConvLayout layout{.data = spread_stage(request, extent, lead, request.attrs.ints("strides", Ints(count, 1))),
                      .kernel = kernel_of(w),
                      .strides = Ints(count, 1),
                      .dilations = dilations,
                      .group_channels = w[0] / groups,
                      .group_filters = w[1],
                      .groups = groups};
    return convolve(request, layout, [&](const Indices& i, const Indices& k) {
        const Expr group = groups == 1 ? imm(0) : floor_div(i[1], imm(layout.group_filters));
        Indices at{group * layout.group_channels + k[0],
                   groups == 1 ? i[1] : floor_mod(i[1], imm(layout.group_filters))};
        for (std::size_t d = 0; d < count; ++d) at.push_back(imm(w[2 + d] - 1) - k[1 + d]);
        return load(weight, at);
    });
}

template <std::size_t SpatialRank> OpRow conv_row(const char* name, const char* dims) {
    std::vector<graph::AttrSpec> attrs = window_attrs();
    attrs.push_back({"groups", AttrKind::Int, false,
                     "channels are split into that many independent convolutions; 1 when left out"});
    attrs.push_back(sum_dtype_attr());
    attrs.push_back(border_attr());
    const std::string spatial(dims);
    return {.name = name,
            .doc = "The convolution (cross-correlation) of x with filters: out[n, m, o...] = sum over ic, k of "
                   "x[n, g ic, o * stride + k * dilation - pad] * weight[m, ic, k]. Elements outside x count as "
                   "`border`; f16 and "
                   "bf16 are summed in f32. The result is [N, M, " +
                   spatial +
                   "']. Errors: BadShape when weights do not fit the channels or no "
                   "window fits; BadAttribute for groups that divide nothing or strides below 1.",
            .operands = {{"x", "[N, C, " + spatial + "], numbers"},
                         {"weight", "[M, C / groups, kernel...], of x's element type, or of bytes where x is"}},
            .attrs = std::move(attrs),
            .fusion = FusionKind::OutFusable,
            .infer = conv_type<SpatialRank>,
            .define = define_conv,
            .onnx_names = {"Conv", "ConvInteger", "QLinearConv"}};
}

} // namespace

Family conv_family() {
    std::vector<graph::AttrSpec> transposed = window_attrs();
    transposed.push_back({"output_padding", AttrKind::Ints, false,
                          "elements added after each spatial axis of the result; all 0 when left out"});
    transposed.push_back({"groups", AttrKind::Int, false, "1 when left out"});
    return {
        conv_row<1>("conv1d", "W"),
        conv_row<2>("conv2d", "H, W"),
        conv_row<3>("conv3d", "D, H, W"),
        {.name = "conv_transpose",
         .doc = "The transposed convolution (the gradient of a convolution by its input): every x[n, c, i...] adds its "
                "multiple of "
                "the filter at i * stride - pad. The result is [N, M, (spatial - 1) * stride + output_padding + "
                "(kernel - 1) * "
                "dilation + 1 - pads]. Errors: BadShape, BadAttribute as for convolutions.",
         .operands = {{"x", "[N, C, spatial...], numbers"},
                      {"weight", "[C, M / groups, kernel...], of x's element type"}},
         .attrs = std::move(transposed),
         .fusion = FusionKind::OutFusable,
         .infer = conv_transpose_type,
         .define = define_conv_transpose,
         .onnx_names = {"ConvTranspose"}},
    };
}

} // namespace orrery::ops
