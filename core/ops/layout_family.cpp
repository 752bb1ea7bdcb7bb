// Operators for tensors laid out otherwise than NCHW: the same sums over the same elements, indexed through layouts.
// Their types are those of the plain operators on the same tensors in NCHW.

#include "core/ops/family.hpp"
#include "core/ops/layout.hpp"
#include "core/ops/stage.hpp"
#include "core/ops/window.hpp"
#include "core/ops/winograd.hpp"
#include "core/tensor/simplify.hpp"

#include <cctype>
#include <numeric>

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

Result<Layout> layout_attr(const Attrs& attrs, const char* name, std::string_view axes) {
    ORRERY_TRY(Layout layout, parse_layout(attrs.text(name)));
    for (char axis : axes)
        if (!layout.has(axis) || layout.names().size() != axes.size())
            return attr_error(std::string(name) + " must have the axes " + std::string(axes) + ", not " +
                              attrs.text(name));
    return layout;
}

Layout known_layout(const Attrs& attrs, const char* name) { return parse_layout(attrs.text(name)).value(); }
Layout whole(const char* text) { return parse_layout(text).value(); }

/// A tensor's type in the layout whose axes stand in order.
Result<Type> plain_type(const TensorType& type, const Layout& from, const char* plain) {
    ORRERY_TRY(const Shape shape, transformed_shape(graph::static_shape(type), from, whole(plain)));
    return checked_type(type.dtype, shape);
}

Result<Type> laid_out(const Type& plain, const Layout& to) {
    const TensorType& type = *graph::as_tensor(plain);
    ORRERY_TRY(const Shape shape, transformed_shape(graph::static_shape(type), whole("NCHW"), to));
    return checked_type(type.dtype, shape);
}

/// The attributes of the plain operator.
Attrs without(const Attrs& attrs, std::initializer_list<const char*> names) {
    Attrs::Map map = attrs.values();
    for (const char* name : names) map.erase(name);
    return Attrs(std::move(map));
}

Result<void> check_spatial(const Layout& layout) {
    const bool split = layout.inner('H') || layout.inner('W') || layout.inner('N');
    if (!split && layout.outer('W') == layout.outer('H') + 1) return {};
    return attr_error("windows slide over whole axes H and W that stand side by side, not over " + to_string(layout));
}

// ------------------------------------------------------------------------------ layout_transform

Result<Type> transform_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0));
    ORRERY_TRY(const Layout from, parse_layout(request.attrs.text("from")));
    ORRERY_TRY(const Layout to, parse_layout(request.attrs.text("to")));
    ORRERY_TRY(const Shape shape, transformed_shape(graph::static_shape(x), from, to));
    return checked_type(x.dtype, shape);
}

void bound(Bounds& bounds, const Expr& index, std::int64_t extent) {
    if (const Var* var = as<Var>(index)) bounds[VarRef(var)] = {0, extent - 1};
}

/// Indices of a tensor in `to` from those of the same element in `from`.
Indices moved(const Layout& from, const Layout& to, const Indices& i) {
    Indices at;
    for (const Layout::Axis& axis : to.axes) {
        const std::int64_t block = to.block(axis.name), from_block = from.block(axis.name);
        const std::optional<std::size_t> inner = from.inner(axis.name);
        const Expr outer = i[from.outer(axis.name)];
        if (block == from_block) {
            at.push_back(axis.factor > 0 ? i[*inner] : outer);
            continue;
        }
        const Expr element = inner ? outer * from_block + i[*inner] : outer;
        if (block == 1)
            at.push_back(element);
        else
            at.push_back(axis.factor > 0 ? floor_mod(element, imm(block)) : floor_div(element, imm(block)));
    }
    return at;
}

std::vector<Buffer> define_transform(const DefineRequest& request) {
    const Layout from = known_layout(request.attrs, "from"), to = known_layout(request.attrs, "to");
    return {compute_stage(request.builder, {"layout_transform", request.out_dtype(), request.out_shape()},
                          [&](const Indices& i) {
                              Bounds bounds;
                              for (std::size_t d = 0; d < i.size(); ++d) bound(bounds, i[d], request.out_shape()[d]);
                              Indices at = moved(to, from, i);
                              for (Expr& index : at) index = simplify(index, bounds); // blocks of blocks are whole ones
                              return load(request.in(0), at);
                          })};
}

// ------------------------------------------------------------------------------ layout_conv2d

struct ConvLayouts {
    Layout data, out, weight;
};

/// How channels that lie in parts and are read in turn (`shuffle`) are summed up: those of a group by the part they
/// stand in, where parts hold equally many, so that neighbours are read one after the other.
struct Shuffle {
    std::int64_t parts = 1, depth = 1; ///< depth: channels of a group
    /// Into how many parts a group's own channels are divided for that.
    [[nodiscard]] std::int64_t own_parts() const { return std::gcd(parts, depth); }
};
Shuffle shuffle_of(const Attrs& attrs, std::int64_t depth) { return {attrs.integer("shuffle", 1), depth}; }

Result<void> check_shuffle(const Shuffle& shuffle, std::int64_t channels, bool depthwise) {
    if (shuffle.parts >= 1 && channels % shuffle.parts == 0 && !(depthwise && shuffle.parts > 1)) return {};
    return attr_error("channels lie in equal parts, and not those of a depthwise convolution; " +
                      std::to_string(channels) + " cannot lie in " + std::to_string(shuffle.parts));
}

Result<Type> conv_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0, DTypes::Number));
    ORRERY_TRY(const TensorType weight, static_operand(request, 1, DTypes::Number));
    ConvLayouts l;
    ORRERY_TRY(l.data, layout_attr(request.attrs, "layout", "NCHW"));
    ORRERY_TRY(l.out, layout_attr(request.attrs, "out_layout", "NCHW"));
    ORRERY_TRY(l.weight, layout_attr(request.attrs, "weight_layout", "OIHW"));
    ORRERY_CHECK_OK(check_spatial(l.data));
    ORRERY_CHECK_OK(check_spatial(l.out));
    ORRERY_TRY(const Type data, plain_type(x, l.data, "NCHW"));
    ORRERY_TRY(const Type filters, plain_type(weight, l.weight, "OIHW"));
    const std::vector<Type> types{data, filters};
    ORRERY_TRY(const Type result, graph::infer_call(op("conv2d"), types,
                                                    without(request.attrs, {"layout", "out_layout", "rows", "shuffle",
                                                                            "stretch", "weight_layout"})));
    ORRERY_CHECK_OK(check_stretch(request.attrs, x.dtype));
    if (const std::int64_t rows = request.attrs.integer("rows", 1); rows < 1 || rows > kMostProductRows)
        return attr_error("places go in groups of 1 to " + std::to_string(kMostProductRows) + ", not " +
                          std::to_string(rows));
    const std::int64_t per_group = graph::static_shape(*graph::as_tensor(filters))[1];
    const Shuffle shuffle = shuffle_of(request.attrs, per_group);
    const bool shuffled = shuffle.parts > 1;
    const std::int64_t channels = shuffled ? shuffle.own_parts() : l.data.block('C'), outputs = l.out.block('C'),
                       wi = l.weight.block('I'), wo = l.weight.block('O');
    const bool parts = wi > 1 && !shuffled && channels % wi == 0; // as products of tiles read them, in pairs
    if ((wi != 1 && wi != channels && !parts) || outputs % wo != 0 || l.weight.inner('H') || l.weight.inner('W'))
        return attr_error("weights are split like the channels they meet, into parts of those, or not at all: " +
                          request.attrs.text("weight_layout"));
    const std::int64_t groups = request.attrs.integer("groups", 1);
    const std::int64_t filters_per_group = graph::static_shape(*graph::as_tensor(filters))[0] / groups;
    const bool depthwise = per_group == 1 && filters_per_group == 1;
    ORRERY_CHECK_OK(check_shuffle(shuffle, per_group * groups, depthwise));
    if (groups > 1 && !depthwise && (per_group % channels != 0 || filters_per_group % outputs != 0))
        return shape_error("groups must be whole blocks of channels");
    if (depthwise && channels != outputs && channels != 1)
        return shape_error("a depthwise convolution keeps the blocks of its channels");
    return laid_out(result, l.out);
}

/// Whether places may be counted through the image.
bool is_countable(const ConvLayouts& l) {
    return l.data.names() == "NCHW" && l.out.names() == "NCHW" && !l.data.inner('N') && !l.out.inner('N');
}

/// The reduction over places counted row by row through the image, up to a multiple of `rows`: the last one is
/// repeated, so that products work on whole groups of places. Then the image.
Buffer product_stage(const DefineRequest& request, const ComputeBuilder::Reduction& reduction,
                     const ComputeBuilder::ReduceBody& value, std::int64_t rows) {
    const Shape out = request.out_shape();
    const std::int64_t places = out[2] * out[3];
    Shape shape{out[0], out[1], (places + rows - 1) / rows * rows};
    Names names{"n", "c", "t"}, axes = nchw_names(4);
    if (out.size() > 4) {
        shape.push_back(out[4]);
        names.emplace_back("ci");
        axes.emplace_back("ci");
    }
    const Buffer sums =
        product_sum_stage(request.builder, {std::string(request.name), request.out_dtype(), shape, names}, reduction,
                          stretches_of(request), [&](const Indices& i, const Indices& k) {
                              const Expr place = shape[2] > places ? min(i[2], imm(places - 1)) : i[2];
                              Indices at{i[0], i[1], floor_div(place, imm(out[3])), floor_mod(place, imm(out[3]))};
                              if (i.size() > 3) at.push_back(i[3]);
                              return value(at, k);
                          });
    return compute_stage(request.builder, {"image", request.out_dtype(), out, axes}, [&](const Indices& i) {
        Indices at{i[0], i[1], i[2] * out[3] + i[3]};
        if (i.size() > 4) at.push_back(i[4]);
        return load(sums, at);
    });
}

/// The products of a convolution and where their factors lie. The reduction goes over blocks of channels, the kernel,
/// and where channels are split, those of a block; shuffled ones over the parts of a group's own channels first.
class ConvSums {
  public:
    explicit ConvSums(const DefineRequest& request)
        : l_{known_layout(request.attrs, "layout"), known_layout(request.attrs, "out_layout"),
             known_layout(request.attrs, "weight_layout")},
          strides_(request.attrs.ints("strides", Ints(2, 1))), dilations_(request.attrs.ints("dilations", Ints(2, 1))),
          groups_(request.attrs.integer("groups", 1)), depth_(l_.weight.extent('I', request.shape(1))),
          filters_(l_.weight.extent('O', request.shape(1)) / groups_),
          shuffle_(shuffle_of(request.attrs, depth_)), kernel_{l_.weight.extent('H', request.shape(1)),
                                                               l_.weight.extent('W', request.shape(1))} {
        inner_ = shuffle_.parts > 1                       ? depth_ / shuffle_.own_parts()
                 : depthwise() || l_.data.block('C') == 1 ? 0
                                                          : l_.data.block('C');
    }

    [[nodiscard]] const ConvLayouts& layouts() const { return l_; }
    [[nodiscard]] ComputeBuilder::Reduction reduction() const {
        ComputeBuilder::Reduction out{.combiner = Combiner::Sum,
                                      .extents = {inner_ > 0 ? depth_ / inner_ : depth_, kernel_[0], kernel_[1]},
                                      .names = {"ic", "kh", "kw"}};
        if (inner_ > 0) {
            out.extents.push_back(inner_);
            out.names.emplace_back("ii");
        }
        return out;
    }
    /// x with its border of zeros, as far as the windows reach.
    [[nodiscard]] Buffer padded(const DefineRequest& request) const {
        const Shape out = request.out_shape();
        const Ints pads = request.attrs.ints("pads", Ints(4, 0));
        PadSpec pad{.first = l_.data.outer('H'),
                    .before = {pads[0], pads[1]},
                    .extent = {},
                    .value = constant_int(request.in(0)->dtype, request.attrs.integer("border", 0))};
        for (std::size_t d = 0; d < 2; ++d)
            pad.extent.push_back((out[l_.out.outer('H') + d] - 1) * strides_[d] + (kernel_[d] - 1) * dilations_[d] + 1);
        return pad_stage(request.builder, request.in(0), pad);
    }
    /// Indices into x of the factor of product `k` of result `i`.
    [[nodiscard]] Indices of_data(const Indices& i, const Indices& k) const {
        const Channel channel = channel_read(i, k);
        // A kernel of one element reads rows of places as they lie: products of tiles take them so.
        const auto of_kernel = [&](std::size_t d) { return in_parts() && kernel_[d] == 1 ? imm(0) : k[1 + d]; };
        Indices at;
        for (const Layout::Axis& axis : l_.data.axes) {
            if (axis.name == 'N') at.push_back(i[l_.out.outer('N')]);
            if (axis.name == 'C') at.push_back(axis.factor > 0 ? channel.place : channel.block);
            if (axis.name == 'H') at.push_back(i[l_.out.outer('H')] * strides_[0] + of_kernel(0) * dilations_[0]);
            if (axis.name == 'W') at.push_back(i[l_.out.outer('W')] * strides_[1] + of_kernel(1) * dilations_[1]);
        }
        return at;
    }
    [[nodiscard]] Indices of_weights(const Indices& i, const Indices& k) const {
        const bool split_filters = l_.weight.block('O') > 1, split_depth = l_.weight.block('I') > 1;
        const bool shuffled = shuffle_.parts > 1;
        const Expr last = inner_ > 0 ? k[3] : imm(0);
        // Of a shuffled group, channels side by side stand in different parts.
        const Expr outer = shuffled ? last : k[0], inner = shuffled ? k[0] : last;
        const std::int64_t block = shuffled ? shuffle_.own_parts() : inner_, part = l_.weight.block('I');
        const Expr channel = inner_ > 0 ? outer * block + inner : k[0];
        Indices at;
        for (const Layout::Axis& axis : l_.weight.axes) {
            if (axis.name == 'O' && split_filters && l_.weight.block('O') < l_.out.block('C'))
                at.push_back(axis.factor > 0 ? floor_mod(place_of(i), imm(axis.factor))
                                             : block_of(i) * (l_.out.block('C') / l_.weight.block('O')) +
                                                   floor_div(place_of(i), imm(l_.weight.block('O'))));
            else if (axis.name == 'O')
                at.push_back(axis.factor > 0 ? place_of(i) : split_filters ? block_of(i) : filter_of(i));
            if (axis.name == 'I' && in_parts())
                at.push_back(axis.factor > 0 ? floor_mod(inner, imm(part))
                                             : outer * (inner_ / part) + floor_div(inner, imm(part)));
            else if (axis.name == 'I')
                at.push_back(axis.factor > 0 ? inner : split_depth ? outer : channel);
            if (axis.name == 'H') at.push_back(k[1]);
            if (axis.name == 'W') at.push_back(k[2]);
        }
        return at;
    }

  private:
    /// A channel as the block it lies in and its place in that.
    struct Channel {
        Expr block, place;
    };
    [[nodiscard]] bool depthwise() const { return groups_ > 1 && depth_ == 1 && filters_ == 1; }
    /// Whether channels of a block lie in parts of it.
    [[nodiscard]] bool in_parts() const {
        return shuffle_.parts == 1 && l_.weight.block('I') > 1 && l_.weight.block('I') < inner_;
    }
    [[nodiscard]] Expr block_of(const Indices& i) const { return i[l_.out.outer('C')]; }
    [[nodiscard]] Expr place_of(const Indices& i) const { return l_.out.inner('C') ? i[*l_.out.inner('C')] : imm(0); }
    [[nodiscard]] Expr filter_of(const Indices& i) const {
        const std::int64_t block = l_.out.block('C');
        return block > 1 ? block_of(i) * block + place_of(i) : block_of(i);
    }
    /// Blocks of the result that a group has.
    [[nodiscard]] std::int64_t group_blocks() const { return filters_ / l_.out.block('C'); }

    [[nodiscard]] Channel channel_read(const Indices& i, const Indices& k) const {
        const std::int64_t block = l_.data.block('C');
        if (depthwise()) return block > 1 ? Channel{block_of(i), place_of(i)} : Channel{filter_of(i), imm(0)};
        if (shuffle_.parts > 1) return shuffled_channel(block_of(i), k);
        const Expr place = inner_ > 0 ? k[3] : imm(0);
        if (groups_ == 1) return {k[0], place};
        return {floor_div(block_of(i), imm(group_blocks())) * (depth_ / block) + k[0], place};
    }
    [[nodiscard]] Channel shuffled_channel(const Expr& outer, const Indices& k) const {
        const std::int64_t own = shuffle_.own_parts(), each = groups_ * depth_ / shuffle_.parts;
        Bounds bounds;
        bound(bounds, outer, groups_ * group_blocks());
        bound(bounds, k[0], own);
        bound(bounds, k[3], depth_ / own);
        const Expr read = floor_div(outer, imm(group_blocks())) * depth_ + k[3] * own + k[0];
        const Expr lies = floor_mod(read, imm(shuffle_.parts)) * each + floor_div(read, imm(shuffle_.parts));
        const Expr block = imm(l_.data.block('C'));
        return {simplify(floor_div(lies, block), bounds), simplify(floor_mod(lies, block), bounds)};
    }

    ConvLayouts l_;
    Ints strides_, dilations_;
    std::int64_t groups_, depth_, filters_; ///< depth, filters: of a group
    Shuffle shuffle_;
    Shape kernel_;
    std::int64_t inner_ = 0; ///< extent of the reduction's last loop; 0 for none
};

std::vector<Buffer> define_conv(const DefineRequest& request) {
    const ConvSums sums(request);
    const ConvLayouts& l = sums.layouts();
    const Buffer data = sums.padded(request);
    const DType factor = stretches_of(request).dtype;
    const auto value = [&](const Indices& i, const Indices& k) {
        return cast(factor, load(data, sums.of_data(i, k))) * cast(factor, load(request.in(1), sums.of_weights(i, k)));
    };
    if (const std::int64_t rows = request.attrs.integer("rows", 1); rows > 1 && is_countable(l))
        return {product_stage(request, sums.reduction(), value, rows)};
    Names axes;
    for (const Layout::Axis& axis : l.out.axes)
        axes.push_back(axis.factor > 0 ? std::string("ci")
                                       : std::string(1, static_cast<char>(std::tolower(axis.name))));
    return {product_sum_stage(request.builder,
                              {std::string(request.name), request.out_dtype(), request.out_shape(), axes},
                              sums.reduction(), stretches_of(request), value)};
}

} // namespace

Result<Type> layout_window_type(const TypeRequest& request, std::string_view plain) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0, DTypes::Number));
    ORRERY_TRY(const Layout layout, layout_attr(request.attrs, "layout", "NCHW"));
    ORRERY_CHECK_OK(check_spatial(layout));
    ORRERY_TRY(const Type data, plain_type(x, layout, "NCHW"));
    const std::vector<Type> types{data};
    ORRERY_TRY(const Type result, graph::infer_call(op(plain), types, without(request.attrs, {"layout"})));
    return laid_out(result, layout);
}

Family layout_family() {
    std::vector<graph::AttrSpec> conv = window_attrs();
    conv.push_back({"groups", AttrKind::Int, false, "as conv2d's; 1 when left out"});
    conv.push_back({"layout", AttrKind::Text, true, "of x: axes N, C, H, W, of which C may be split"});
    conv.push_back({"out_layout", AttrKind::Text, true, "of the result, likewise"});
    conv.push_back(sum_dtype_attr());
    conv.push_back(border_attr());
    conv.push_back({"rows", AttrKind::Int, false,
                    "it is computed in multiples of that many places, counted through the image, which changes no "
                    "result; 1 when left out"});
    conv.push_back({"shuffle", AttrKind::Int, false,
                    "x's C channels lie as that many parts side by side that are read in turn: channel j of the "
                    "convolution is channel j % shuffle * (C / shuffle) + j // shuffle of x; 1 when left out"});
    conv.push_back(sum_stretch_attr());
    conv.push_back(
        {"weight_layout", AttrKind::Text, true,
         "axes O, I, H, W; O and I may be split, as the result's and x's channels are, or into parts of those "
         "blocks; with `shuffle` I is split by the greatest common divisor of that and a group's channels, or not at "
         "all"});
    return {
        {.name = "layout_transform",
         .doc =
             "The elements of x in another order of axes, some split into blocks. Errors: BadShape when a block does "
             "not divide its axis, BadAttribute when the two layouts do not have the same axes.",
         .operands = {{"x", "any element type; of the layout `from`"}},
         .attrs = {{"from", AttrKind::Text, true,
                    "axes of x: capitals, with a factor and a small letter where split (NCHW8c)"},
                   {"to", AttrKind::Text, true, "axes of the result"}},
         .fusion = FusionKind::Injective,
         .infer = transform_type,
         .define = define_transform,
         .onnx_names = {"Conv"}},
        {.name = "layout_conv2d",
         .doc = "What conv2d computes, of tensors in other layouts. Errors: those of conv2d; BadAttribute for layouts "
                "that "
                "do not fit together.",
         .operands = {{"x", "[N, C, H, W] in `layout`, numbers"},
                      {"weight", "[M, C / groups, kernel...] in `weight_layout`, of x's element type"}},
         .attrs = std::move(conv),
         .fusion = FusionKind::OutFusable,
         .infer = conv_type,
         .define = define_conv,
         .onnx_names = {"Conv"}},
    };
}

} // namespace orrery::ops
