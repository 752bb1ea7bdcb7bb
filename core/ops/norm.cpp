// Normalizations: of batches by given statistics, of layers, instances, groups of channels, windows of channels, axes.

#include "core/ops/family.hpp"
#include "core/ops/layout.hpp"
#include "core/ops/stage.hpp"

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::AttrSpec;
using graph::FusionKind;

namespace {

constexpr double kEpsilon = 1e-5; // what every framework and ONNX default to

const AttrSpec kEpsilonAttr{"epsilon", AttrKind::Float, false, "added to the variance; 1e-5 when left out"};

Result<Type> channel_vectors_type(const TypeRequest& request, std::size_t vectors) {
    ORRERY_TRY(const TensorType x, operand(request, 0, DTypes::Float));
    if (x.dims.size() < 2 || !x.dims[1].is_static())
        return shape_error("needs [N, C, ...] with a static C, not " + graph::to_string(request.types[0]));
    for (std::size_t i = 1; i <= vectors; ++i) ORRERY_CHECK_OK(check_vector(request, i, x.dims[1].value, x.dtype));
    return graph::tensor_type(x.dtype, x.dims);
}

Result<Type> batch_norm_type(const TypeRequest& request) { return channel_vectors_type(request, 4); }

std::vector<Buffer> define_batch_norm(const DefineRequest& request) {
    const Buffer& x = request.in(0);
    const DType dtype = request.out_dtype(), wide = accumulator(dtype);
    const Shape shape = request.out_shape();
    return {
        compute_stage(request.builder, {"batch_norm", dtype, shape, nchw_names(shape.size())}, [&](const Indices& i) {
            const auto channel = [&](std::size_t operand) { return cast(wide, load(request.in(operand), {i[1]})); };
            const Expr deviation =
                call(Intrinsic::Sqrt, channel(4) + constant(wide, request.attrs.number("epsilon", kEpsilon)));
            return cast(dtype, (cast(wide, load(x, i)) - channel(3)) / deviation * channel(1) + channel(2));
        })};
}

/// Mean and inverse deviation over `extents`, for each index of `rest`; `at` gives the operand's indices.
struct Moments {
    Buffer mean, inverse;
};
struct MomentsSpec {
    Shape rest, extents;
    std::function<Indices(const Indices& i, const Indices& k)> at;
};
Moments moments(const DefineRequest& request, const MomentsSpec& spec) {
    const Buffer& x = request.in(0);
    const DType wide = accumulator(x->dtype);
    const std::string name(request.name);
    ComputeBuilder& builder = request.builder;
    const Expr count = constant(wide, static_cast<double>(element_count(spec.extents)));
    const auto value = [&](const Indices& i, const Indices& k) { return cast(wide, load(x, spec.at(i, k))); };
    const Buffer sum = reduce_stage(builder, {name + "_sum", wide, spec.rest},
                                    {.combiner = Combiner::Sum, .extents = spec.extents}, value);
    const Buffer mean = compute_stage(builder, {name + "_mean", wide, spec.rest},
                                      [&](const Indices& i) { return load(sum, i) / count; });
    const Buffer squares =
        reduce_stage(builder, {name + "_squares", wide, spec.rest},
                     {.combiner = Combiner::Sum, .extents = spec.extents}, [&](const Indices& i, const Indices& k) {
                         const Expr centred = value(i, k) - load(mean, i);
                         return centred * centred;
                     });
    const Buffer inverse = compute_stage(builder, {name + "_inverse", wide, spec.rest}, [&](const Indices& i) {
        const Expr variance = load(squares, i) / count;
        return constant(wide, 1) /
               call(Intrinsic::Sqrt, variance + constant(wide, request.attrs.number("epsilon", kEpsilon)));
    });
    return {mean, inverse};
}

Result<Type> layer_norm_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, operand(request, 0, DTypes::Float));
    ORRERY_TRY(const std::size_t axis, normalize_axis(request.attrs.integer("axis", -1), x.dims.size()));
    for (std::size_t i = axis; i < x.dims.size(); ++i)
        if (!x.dims[i].is_static())
            return shape_error("normalized dimensions must be static: " + graph::to_string(request.types[0]));
    for (std::size_t i = 1; i <= 2; ++i) {
        if (!present(request, i)) continue;
        ORRERY_TRY(const TensorType vector, operand(request, i));
        ORRERY_CHECK_OK(same_dtype(x, vector));
        ORRERY_TRY(const Dims dims, broadcast(x.dims, vector.dims));
        if (dims != x.dims)
            return shape_error(graph::to_string(request.types[i]) + " does not broadcast to " +
                               graph::to_string(request.types[0]));
    }
    return graph::tensor_type(x.dtype, x.dims);
}

std::vector<Buffer> define_layer_norm(const DefineRequest& request) {
    const Buffer& x = request.in(0);
    const DType dtype = request.out_dtype(), wide = accumulator(dtype);
    const Shape shape = request.out_shape();
    const std::int64_t attr = request.attrs.integer("axis", -1);
    const std::ptrdiff_t axis = attr < 0 ? attr + static_cast<std::ptrdiff_t>(shape.size()) : attr;
    const Moments m = moments(request, {.rest = {shape.begin(), shape.begin() + axis},
                                        .extents = {shape.begin() + axis, shape.end()},
                                        .at = [](const Indices& i, const Indices& k) {
                                            Indices at = i;
                                            at.insert(at.end(), k.begin(), k.end());
                                            return at;
                                        }});
    return {compute_stage(request.builder, {"layer_norm", dtype, shape}, [&](const Indices& i) {
        const Indices outer(i.begin(), i.begin() + axis);
        Expr y = (cast(wide, load(x, i)) - load(m.mean, outer)) * load(m.inverse, outer);
        if (request.has(1)) y = y * cast(wide, load_broadcast(request.in(1), i, shape));
        if (request.has(2)) y = y + cast(wide, load_broadcast(request.in(2), i, shape));
        return cast(dtype, y);
    })};
}

std::vector<Buffer> define_rms_norm(const DefineRequest& request) {
    const Buffer& x = request.in(0);
    const DType dtype = request.out_dtype(), wide = accumulator(dtype);
    const Shape shape = request.out_shape();
    const std::int64_t attr = request.attrs.integer("axis", -1);
    const std::ptrdiff_t axis = attr < 0 ? attr + static_cast<std::ptrdiff_t>(shape.size()) : attr;
    const Shape rest(shape.begin(), shape.begin() + axis), extents(shape.begin() + axis, shape.end());
    const Buffer squares =
        reduce_stage(request.builder, {"rms_norm_squares", wide, rest}, {.combiner = Combiner::Sum, .extents = extents},
                     [&](const Indices& i, const Indices& k) {
                         Indices at = i;
                         at.insert(at.end(), k.begin(), k.end());
                         const Expr value = cast(wide, load(x, at));
                         return value * value;
                     });
    const Buffer inverse = compute_stage(request.builder, {"rms_norm_inverse", wide, rest}, [&](const Indices& i) {
        const Expr mean = load(squares, i) / constant(wide, static_cast<double>(element_count(extents)));
        return constant(wide, 1) /
               call(Intrinsic::Sqrt, mean + constant(wide, request.attrs.number("epsilon", kEpsilon)));
    });
    return {compute_stage(request.builder, {"rms_norm", dtype, shape}, [&](const Indices& i) {
        const Expr y = cast(wide, load(x, i)) * load(inverse, Indices(i.begin(), i.begin() + axis));
        return cast(dtype, request.has(1) ? y * cast(wide, load_broadcast(request.in(1), i, shape)) : y);
    })};
}

Result<Type> group_norm_type(const TypeRequest& request) {
    ORRERY_TRY(const Type type, channel_vectors_type(request, 2));
    const TensorType& x = *graph::as_tensor(type);
    const std::int64_t channels = x.dims[1].value, groups = request.attrs.integer("groups", channels);
    if (groups < 1 || channels % groups != 0)
        return attr_error(std::to_string(groups) + " groups do not divide " + std::to_string(channels) + " channels");
    for (std::size_t i = 2; i < x.dims.size(); ++i)
        if (!x.dims[i].is_static())
            return shape_error("spatial dimensions must be static: " + graph::to_string(request.types[0]));
    if (!x.dims[0].is_static()) return shape_error("dimensions must be static: " + graph::to_string(request.types[0]));
    return type;
}

Result<Type> instance_norm_type(const TypeRequest& request) { return group_norm_type(request); }

std::vector<Buffer> define_group_norm(const DefineRequest& request) {
    const Buffer& x = request.in(0);
    const DType dtype = request.out_dtype(), wide = accumulator(dtype);
    const Shape shape = request.out_shape();
    const std::int64_t groups = request.attrs.integer("groups", shape[1]);
    if (groups == 0) // no channels at all
        return {compute_stage(request.builder, {std::string(request.name), dtype, shape},
                              [&](const Indices& i) { return load(x, i); })};
    const std::int64_t size = shape[1] / groups;
    Shape extents{size};
    extents.insert(extents.end(), shape.begin() + 2, shape.end());
    const Moments m = moments(
        request, {.rest = {shape[0], groups}, .extents = extents, .at = [size](const Indices& i, const Indices& k) {
                      Indices at{i[0], size == 1 ? i[1] : i[1] * size + k[0]};
                      at.insert(at.end(), k.begin() + 1, k.end());
                      return at;
                  }});
    return {compute_stage(
        request.builder, {std::string(request.name), dtype, shape, nchw_names(shape.size())}, [&](const Indices& i) {
            const Indices group{i[0], size == 1 ? i[1] : floor_div(i[1], imm(size))};
            const Expr y = (cast(wide, load(x, i)) - load(m.mean, group)) * load(m.inverse, group);
            return cast(dtype, y * cast(wide, load(request.in(1), {i[1]})) + cast(wide, load(request.in(2), {i[1]})));
        })};
}

Result<Type> lrn_type(const TypeRequest& request) {
    constexpr std::int64_t kMaxSize = 1 << 16; // far beyond any model's
    ORRERY_TRY(const TensorType x, operand(request, 0, DTypes::Float));
    if (x.dims.size() < 2 || !x.dims[1].is_static())
        return shape_error("needs [N, C, ...] with a static C, not " + graph::to_string(request.types[0]));
    const std::int64_t size = request.attrs.integer("size");
    if (size < 1 || size > kMaxSize)
        return attr_error("size must be between 1 and " + std::to_string(kMaxSize) + ", not " + std::to_string(size));
    return graph::tensor_type(x.dtype, x.dims);
}

/// Channels around each, whatever the layout.
class ChannelWindow {
  public:
    explicit ChannelWindow(const DefineRequest& request) : shape_(request.out_shape()) {
        if (request.attrs.has("layout")) {
            const Layout layout = parse_layout(request.attrs.text("layout")).value();
            outer_ = layout.outer('C');
            inner_ = layout.inner('C');
            block_ = layout.block('C');
        }
        channels_ = shape_[outer_] * block_;
        // A window beyond all channels on both sides sums them all, as the widest useful one does.
        const std::int64_t size = request.attrs.integer("size");
        before_ = std::min((size - 1) / 2, channels_);
        after_ = std::min(size - 1 - (size - 1) / 2, channels_);
    }
    [[nodiscard]] std::int64_t size() const { return before_ + after_ + 1; }
    /// The k-th of those around element `i` of x, in the type it is summed in; 0 beyond x. There the nearest block of
    /// channels is read, so that vectors need no masks.
    [[nodiscard]] Expr at(const Buffer& x, DType wide, const Indices& i, const Expr& k) const {
        const std::optional<std::int64_t> known = as_int(k);
        Indices from = i;
        const Expr channel = (inner_ ? i[outer_] * block_ + i[*inner_] : i[outer_]) + (k - before_);
        Expr block = inner_ ? floor_div(channel, imm(block_)) : channel;
        Expr inside = boolean(true);
        if (!known || *known < before_) {
            block = max(block, imm(0));
            inside = inside && ge(channel, imm(0));
        }
        if (!known || *known > before_) {
            block = min(block, imm(shape_[outer_] - 1));
            inside = inside && lt(channel, imm(channels_));
        }
        if (known == before_) return cast(wide, load(x, i));
        from[outer_] = block;
        if (inner_) from[*inner_] = floor_mod(channel, imm(block_));
        return cast(wide, select(inside, load(x, from), constant_int(x->dtype, 0)));
    }

  private:
    Shape shape_;
    std::size_t outer_ = 1;
    std::optional<std::size_t> inner_;
    std::int64_t block_ = 1, channels_ = 0, before_ = 0, after_ = 0;
};

std::vector<Buffer> define_lrn(const DefineRequest& request) {
    constexpr std::int64_t kWrittenOut = 9; // our choice: squares that are one expression; more are a loop's
    const Buffer& x = request.in(0);
    const DType dtype = request.out_dtype(), wide = accumulator(dtype);
    const Shape shape = request.out_shape();
    const Names axes = request.attrs.has("layout") ? Names() : nchw_names(shape.size());
    const ChannelWindow window(request);
    const auto square = [&](const Indices& i, const Expr& k) {
        const Expr value = window.at(x, wide, i, k);
        return value * value;
    };
    Buffer squares;
    if (window.size() > kWrittenOut)
        squares = reduce_stage(request.builder, {"lrn_squares", wide, shape, axes},
                               {.combiner = Combiner::Sum, .extents = {window.size()}, .names = {"kc"}},
                               [&](const Indices& i, const Indices& k) { return square(i, k[0]); });
    const auto sum = [&](const Indices& i) {
        if (squares) return load(squares, i);
        Expr total = square(i, imm(0));
        for (std::int64_t k = 1; k < window.size(); ++k) total = total + square(i, imm(k));
        return total;
    };
    const double alpha = request.attrs.number("alpha", 1e-4), beta = request.attrs.number("beta", 0.75),
                 bias = request.attrs.number("bias", 1),
                 scale = alpha / static_cast<double>(request.attrs.integer("size"));
    return {compute_stage(request.builder, {"lrn", dtype, shape, axes}, [&](const Indices& i) {
        const Expr base = sum(i) * constant(wide, scale) + constant(wide, bias);
        return cast(dtype, cast(wide, load(x, i)) * call(Intrinsic::Pow, base, constant(wide, -beta)));
    })};
}

Result<Type> layout_lrn_type(const TypeRequest& request) { return layout_window_type(request, "lrn"); }

/// lrn, and lrn of tensors in other layouts.
Family response_rows() {
    const std::vector<graph::AttrSpec> attrs{{"size", AttrKind::Int, true, "channels in the window"},
                                             {"alpha", AttrKind::Float, false, "1e-4 when left out"},
                                             {"beta", AttrKind::Float, false, "0.75 when left out"},
                                             {"bias", AttrKind::Float, false, "1 when left out"}};
    std::vector<graph::AttrSpec> laid_out = attrs;
    laid_out.push_back(
        {"layout", AttrKind::Text, true, "of x and the result: axes N, C, H, W, of which C may be split"});
    return {{.name = "lrn",
             .doc = "x over (bias + alpha / size * s)^beta with s the sum of squares over a window of `size` "
                    "channels around each. "
                    "The result has x's type. Errors: BadShape; BadAttribute for a size below 1.",
             .operands = {{"x", "[N, C, ...], floating point"}},
             .attrs = attrs,
             .fusion = FusionKind::OutFusable,
             .infer = lrn_type,
             .define = define_lrn,
             .onnx_names = {"LRN"}},
            {.name = "layout_lrn",
             .doc = "What lrn computes, of a tensor in another layout. Errors: those of lrn; BadAttribute for the "
                    "layout.",
             .operands = {{"x", "[N, C, H, W] in `layout`, floating point"}},
             .attrs = std::move(laid_out),
             .fusion = FusionKind::OutFusable,
             .infer = layout_lrn_type,
             .define = define_lrn,
             .onnx_names = {"LRN"}}};
}

Result<Type> lp_normalize_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0, DTypes::Float));
    ORRERY_TRY([[maybe_unused]] const std::size_t axis,
               normalize_axis(request.attrs.integer("axis", -1), x.dims.size()));
    const std::int64_t p = request.attrs.integer("p", 2);
    if (p != 1 && p != 2) return attr_error("p must be 1 or 2, not " + std::to_string(p));
    return graph::tensor_type(x.dtype, x.dims);
}

std::vector<Buffer> define_lp_normalize(const DefineRequest& request) {
    const Buffer& x = request.in(0);
    const DType dtype = request.out_dtype(), wide = accumulator(dtype);
    const Shape shape = request.out_shape();
    const std::int64_t attr = request.attrs.integer("axis", -1);
    const std::ptrdiff_t axis = attr < 0 ? attr + static_cast<std::ptrdiff_t>(shape.size()) : attr;
    const bool square = request.attrs.integer("p", 2) == 2;
    Shape rest = shape;
    rest.erase(rest.begin() + axis);
    const Buffer total =
        reduce_stage(request.builder, {"lp_normalize_sum", wide, rest},
                     {.combiner = Combiner::Sum, .extents = {shape[static_cast<std::size_t>(axis)]}, .names = {"k"}},
                     [&](const Indices& i, const Indices& k) {
                         Indices at = i;
                         at.insert(at.begin() + axis, k[0]);
                         const Expr value = cast(wide, load(x, at));
                         return square ? value * value : call(Intrinsic::Abs, value);
                     });
    return {compute_stage(request.builder, {"lp_normalize", dtype, shape}, [&](const Indices& i) {
        Indices at = i;
        at.erase(at.begin() + axis);
        const Expr norm = square ? call(Intrinsic::Sqrt, load(total, at)) : load(total, at);
        return cast(dtype, cast(wide, load(x, i)) / norm);
    })};
}

const char* const kVector = "[C], of x's element type";

std::vector<OpRow> statistics_rows() {
    return {
        {.name = "layer_norm",
         .doc = "x less its mean, over its deviation, both taken over the axes from `axis` on; times scale, plus bias. "
                "Moments of f16 and "
                "bf16 are made in f32. The result has x's type. Errors: BadShape when scale or bias do not broadcast "
                "to x.",
         .operands = {{"x", "floating point, one dimension or more"},
                      {"scale", "broadcasts to x", true},
                      {"bias", "broadcasts to x", true}},
         .attrs = {{"axis", AttrKind::Int, false, "the first normalized axis; the last when left out"}, kEpsilonAttr},
         .fusion = FusionKind::OutFusable,
         .infer = layer_norm_type,
         .define = define_layer_norm,
         .onnx_names = {"LayerNormalization"}},
        {.name = "rms_norm",
         .doc = "x over the root of the mean of its squares over the axes from `axis` on; times scale. Moments of f16 "
                "and bf16 are made in f32. The result has x's type. Errors: BadShape when scale does not broadcast "
                "to x.",
         .operands = {{"x", "floating point, one dimension or more"}, {"scale", "broadcasts to x", true}},
         .attrs = {{"axis", AttrKind::Int, false, "the first normalized axis; the last when left out"}, kEpsilonAttr},
         .fusion = FusionKind::OutFusable,
         .infer = layer_norm_type,
         .define = define_rms_norm,
         .onnx_names = {"RMSNormalization"}},
        {.name = "instance_norm",
         .doc = "x less its mean, over its deviation, both taken over the spatial axes of each channel of each sample; "
                "times scale[c], plus "
                "bias[c]. The result has x's type. Errors: BadShape.",
         .operands = {{"x", "[N, C, spatial...], floating point"}, {"scale", kVector}, {"bias", kVector}},
         .attrs = {kEpsilonAttr},
         .fusion = FusionKind::OutFusable,
         .infer = instance_norm_type,
         .define = define_group_norm,
         .onnx_names = {"InstanceNormalization"}},
        {.name = "group_norm",
         .doc = "x less its mean, over its deviation, both taken over each group of channels of each sample; times "
                "scale[c], plus bias[c]. The "
                "result has x's type. Errors: BadShape; BadAttribute when groups do not divide the channels.",
         .operands = {{"x", "[N, C, spatial...], floating point"}, {"scale", kVector}, {"bias", kVector}},
         .attrs = {{"groups", AttrKind::Int, true, "number of groups; divides C"}, kEpsilonAttr},
         .fusion = FusionKind::OutFusable,
         .infer = group_norm_type,
         .define = define_group_norm,
         .onnx_names = {"GroupNormalization"}},
    };
}

} // namespace

Family norm_family() {
    Family family = statistics_rows();
    family.push_back({.name = "batch_norm",
                      .doc = "(x - mean[c]) / sqrt(variance[c] + epsilon) * scale[c] + bias[c]. The result has x's "
                             "type. Errors: BadShape when a "
                             "vector is not as long as axis 1.",
                      .operands = {{"x", "[N, C, ...], floating point"},
                                   {"scale", kVector},
                                   {"bias", kVector},
                                   {"mean", kVector},
                                   {"variance", kVector}},
                      .attrs = {kEpsilonAttr},
                      .fusion = FusionKind::Broadcast,
                      .infer = batch_norm_type,
                      .define = define_batch_norm,
                      .onnx_names = {"BatchNormalization"}});
    for (OpRow& row : response_rows()) family.push_back(std::move(row));
    family.push_back(
        {.name = "lp_normalize",
         .doc = "x over its 1-norm or 2-norm along an axis. The result has x's type. Errors: BadAttribute.",
         .operands = {{"x", "floating point, one dimension or more"}},
         .attrs = {{"axis", AttrKind::Int, false, "the last when left out"},
                   {"p", AttrKind::Int, false, "1 or 2; 2 when left out"}},
         .fusion = FusionKind::OutFusable,
         .infer = lp_normalize_type,
         .define = define_lp_normalize,
         .onnx_names = {"LpNormalization"}});
    return family;
}

} // namespace orrery::ops
