// Transposed convolutions by phases: as tensors lie (define_by_phases), and of channels in blocks
// (layout_conv_transpose).

#include "core/ops/transposed.hpp"

#include "core/ops/family.hpp"
#include "core/ops/layout.hpp"
#include "core/ops/stage.hpp"
#include "core/ops/window.hpp"

#include <algorithm>
#include <array>

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

std::int64_t low_of(const PhaseAxis& axis) { return axis.before / axis.stride - axis.dilation * (axis.taps() - 1); }

/// The phase of a place of the result, and its place in that.
struct Split {
    Expr place, phase;
};
Split split(const PhaseAxis& axis, const Expr& at) {
    if (axis.stride == 1) return {at, imm(0)};
    return {floor_div(at, imm(axis.stride)), floor_mod(at, imm(axis.stride))};
}

/// x with zeros around, as far as windows reach.
Buffer bordered(const DefineRequest& request, const std::vector<PhaseAxis>& axes) {
    PadSpec pad{.first = 2, .before = {}, .extent = {}, .value = constant_int(request.in(0)->dtype, 0)};
    for (const PhaseAxis& axis : axes) {
        pad.before.push_back(axis.border());
        pad.extent.push_back(axis.reach());
    }
    return pad_stage(request.builder, request.in(0), pad);
}

} // namespace

std::int64_t PhaseAxis::taps_of(std::int64_t r) const {
    const std::int64_t first = (r + before) % stride;
    return first < kernel ? (kernel - first + stride - 1) / stride : 0;
}
std::int64_t PhaseAxis::border() const { return std::max<std::int64_t>(0, -low_of(*this)); }
std::int64_t PhaseAxis::reach() const {
    return places() - 1 + (phases() - 1 + before) / stride + std::max<std::int64_t>(0, -low_of(*this)) + 1;
}
Expr PhaseAxis::read_at(const Expr& q, const Expr& r, const Expr& t) const {
    const std::int64_t part = before % stride;
    // Phases from stride - part on start one further; at stride 2 that is the second one.
    const Expr further = part == 0 ? imm(0) : stride == 2 ? r : floor_div(r + part, imm(stride));
    return q + further + t * dilation + (low_of(*this) + border());
}

std::vector<PhaseAxis> phase_axes(const graph::Attrs& attrs, const Shape& kernel, const Shape& result) {
    const std::size_t count = kernel.size();
    const Ints strides = attrs.ints("strides", Ints(count, 1)), dilations = attrs.ints("dilations", Ints(count, 1)),
               pads = attrs.ints("pads", Ints(2 * count, 0));
    std::vector<PhaseAxis> axes;
    for (std::size_t d = 0; d < count; ++d)
        axes.push_back({kernel[d], strides[d], dilations[d], pads[d], result[2 + d]});
    return axes;
}

std::vector<Buffer> define_by_phases(const DefineRequest& request, const std::vector<PhaseAxis>& axes) {
    const Buffer data = bordered(request, axes), weight = request.in(1);
    const Shape out = request.out_shape(), w = request.shape(1);
    const std::int64_t groups = request.attrs.integer("groups", 1), depth = w[0] / groups, filters = w[1];
    const std::size_t count = axes.size();
    // Places and phases of each axis; places of the last one innermost, where what is read lies side by side.
    Shape shape{out[0], out[1]};
    Names names{"n", "c"};
    const Names spatial = spatial_names(count);
    std::vector<std::size_t> place_at(count), phase_at(count); // 0 for the one phase of stride 1
    for (std::size_t d = 0; d < count; ++d) {
        const auto add = [&](std::size_t& at, std::int64_t extent, const std::string& name) {
            at = shape.size();
            shape.push_back(extent);
            names.push_back(name);
        };
        if (d + 1 < count) add(place_at[d], axes[d].places(), spatial[d]);
        if (axes[d].stride > 1) add(phase_at[d], axes[d].phases(), spatial[d] + "p");
        if (d + 1 == count) add(place_at[d], axes[d].places(), spatial[d]);
    }
    ComputeBuilder::Reduction reduction{.combiner = Combiner::Sum, .extents = {depth}, .names = {"ic"}};
    for (const PhaseAxis& axis : axes) reduction.extents.push_back(axis.taps());
    for (std::string& name : spatial_names(count, "k")) reduction.names.push_back(std::move(name));
    const DType wide = accumulator(request.out_dtype());
    const auto product = [&](const Indices& i, const Indices& k) {
        const Expr group = groups == 1 ? imm(0) : floor_div(i[1], imm(filters));
        const Expr channel = group * depth + k[0];
        Indices from{i[0], channel}, tap{channel, groups == 1 ? i[1] : floor_mod(i[1], imm(filters))};
        Expr there; // null where every phase has all taps
        for (std::size_t d = 0; d < count; ++d) {
            const PhaseAxis& axis = axes[d];
            const Expr r = phase_at[d] > 0 ? i[phase_at[d]] : imm(0);
            from.push_back(axis.read_at(i[place_at[d]], r, k[1 + d]));
            const Expr first = axis.stride == 1 ? imm(0) : floor_mod(r + axis.before, imm(axis.stride));
            const Expr at = first + (imm(axis.taps() - 1) - k[1 + d]) * axis.stride;
            const bool all = axis.kernel % axis.stride == 0;
            if (!all) there = there == nullptr ? lt(at, imm(axis.kernel)) : there && lt(at, imm(axis.kernel));
            tap.push_back(all ? at : min(at, imm(axis.kernel - 1)));
        }
        const Expr factor = load(weight, tap);
        return cast(wide, load(data, from)) *
               cast(wide, there == nullptr ? factor : select(there, factor, constant_int(weight->dtype, 0)));
    };
    const bool strided = std::ranges::any_of(axes, [](const PhaseAxis& axis) { return axis.stride > 1; });
    const Buffer sums = reduce_stage(request.builder, {std::string(request.name), request.out_dtype(), shape, names},
                                     reduction, product);
    if (!strided) return {sums};
    return {compute_stage(request.builder, {"image", request.out_dtype(), out, nchw_names(out.size())},
                          [&](const Indices& i) {
                              Indices at(shape.size());
                              at[0] = i[0];
                              at[1] = i[1];
                              for (std::size_t d = 0; d < count; ++d) {
                                  const Split part = split(axes[d], i[2 + d]);
                                  at[place_at[d]] = part.place;
                                  if (phase_at[d] > 0) at[phase_at[d]] = part.phase;
                              }
                              return load(sums, at);
                          })};
}

namespace {

// ------------------------------------------------------------------------------ channels in blocks

Result<Layout> blocks_attr(const Attrs& attrs, const char* name) {
    ORRERY_TRY(Layout layout, parse_layout(attrs.text(name)));
    if (layout.names() == "NCHW" && layout.axes.size() <= 5 && (layout.axes.size() == 4 || layout.inner('C') == 4U))
        return layout;
    return attr_error(std::string(name) + " must be NCHW, with a block of channels last or without, not " +
                      attrs.text(name));
}

/// The filters by phase: [phases, M in blocks, C / groups in blocks, taps, taps], then what a block of C and one of M
/// hold.
struct PackedShape {
    std::int64_t in_block = 1, out_block = 1;
    /// `depth`: channels of a group.
    [[nodiscard]] Shape of(std::int64_t depth, std::int64_t filters, const std::vector<PhaseAxis>& axes) const {
        Shape shape{axes[0].stride * axes[1].stride, filters / out_block, depth / in_block, axes[0].taps(),
                    axes[1].taps()};
        if (in_block > 1) shape.push_back(in_block);
        if (out_block > 1) shape.push_back(out_block);
        return shape;
    }
};

Result<Type> layout_transposed_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0, DTypes::Number));
    ORRERY_TRY(const TensorType weight, static_operand(request, 1, DTypes::Number));
    ORRERY_TRY(const Layout data, blocks_attr(request.attrs, "layout"));
    ORRERY_TRY(const Layout out, blocks_attr(request.attrs, "out_layout"));
    const Layout plain = parse_layout("NCHW").value();
    ORRERY_TRY(const Shape image, transformed_shape(graph::static_shape(x), data, plain));
    ORRERY_TRY(const Ints kernel, checked_ints(request.attrs, "kernel", {2, 1, kMaxWindow, 1}));
    const PackedShape packed{data.block('C'), out.block('C')};
    const Shape w = graph::static_shape(weight);
    const std::int64_t filters = w.size() < 5 ? 0 : w[1] * packed.out_block;
    if (filters < 1 || filters > kMaxWindow)
        return shape_error("filters by phase have axes for phases, filters, channels and taps, not " +
                           graph::to_string(request.types[1]));
    const std::int64_t groups = request.attrs.integer("groups", 1);
    if (groups < 1 || image[1] % (groups * packed.in_block) != 0 || filters % (groups * packed.out_block) != 0)
        return attr_error(std::to_string(groups) + " groups are not whole blocks of channels and filters");
    ORRERY_TRY(const Type images, checked_type(x.dtype, image));
    ORRERY_TRY(const Type plain_weight,
               checked_type(weight.dtype, Shape{image[1], filters / groups, kernel[0], kernel[1]}));
    Attrs::Map attrs = request.attrs.values();
    for (const char* name : {"kernel", "layout", "out_layout"}) attrs.erase(name);
    const std::vector<Type> types{images, plain_weight};
    ORRERY_TRY(const Type result, graph::infer_call(op("conv_transpose"), types, Attrs(std::move(attrs))));
    const Shape shape = graph::static_shape(*graph::as_tensor(result));
    const std::vector<PhaseAxis> axes = phase_axes(request.attrs, kernel, shape);
    for (const PhaseAxis& axis : axes)
        if (axis.stride > axis.kernel) return attr_error("phases without a tap: strides are longer than the kernel");
    if (packed.of(image[1] / groups, filters, axes) != w)
        return shape_error("filters by phase " + graph::to_string(request.types[1]) + " do not fit " +
                           graph::to_string(request.types[0]));
    ORRERY_TRY(const Shape laid, transformed_shape(shape, plain, out));
    return checked_type(x.dtype, laid);
}

/// What a layout_conv_transpose is made of. Results are indexed [n, block of filters, place and phase of rows and of
/// columns, filter of the block].
class PackedPhases {
  public:
    explicit PackedPhases(const DefineRequest& request)
        : request_(request), out_(request.out_shape()),
          axes_(phase_axes(request.attrs, request.attrs.ints("kernel"), out_)),
          in_block_(parse_layout(request.attrs.text("layout")).value().block('C')),
          groups_(request.attrs.integer("groups", 1)), blocked_(out_.size() > 4), data_(bordered(request, axes_)) {}

    [[nodiscard]] std::vector<Buffer> define() const {
        return {few_phases() && wasted() > kWaste ? apart() : together()};
    }

  private:
    /// Where taps that some phases lack would be more than that many times the rest, each phase is a sum of its own.
    /// Source: our choice, what it costs to write such sums and interleave them.
    static constexpr double kWaste = 1.2;
    static constexpr std::int64_t kFewPhases = 9; ///< our choice: a kernel grows with each

    [[nodiscard]] bool few_phases() const { return axes_[0].stride * axes_[1].stride <= kFewPhases; }
    [[nodiscard]] double wasted() const {
        double factor = 1;
        for (const PhaseAxis& axis : axes_)
            factor *= static_cast<double>(axis.taps() * axis.stride) / static_cast<double>(axis.kernel);
        return factor;
    }
    /// One place of the results of a phase.
    struct At {
        Expr n, block, filter;
        std::array<Expr, 2> place, phase;
    };
    /// Tap `first` + k of the phase.
    [[nodiscard]] Expr product(const At& at, const Indices& k, const std::array<std::int64_t, 2>& first) const {
        const Expr th = k[1] + first[0], tw = k[2] + first[1];
        const std::int64_t filters = out_[1] / groups_, depth = request_.shape(1)[2]; // blocks of a group
        const Expr channel = groups_ == 1 ? k[0] : floor_div(at.block, imm(filters)) * depth + k[0];
        Indices from{at.n, channel, axes_[0].read_at(at.place[0], at.phase[0], th),
                     axes_[1].read_at(at.place[1], at.phase[1], tw)};
        Indices tap{at.phase[0] * axes_[1].stride + at.phase[1], at.block, k[0], th, tw};
        if (in_block_ > 1) {
            from.push_back(k[3]);
            tap.push_back(k[3]);
        }
        if (blocked_) tap.push_back(at.filter);
        const DType wide = accumulator(request_.out_dtype());
        return cast(wide, load(data_, from)) * cast(wide, load(request_.in(1), tap));
    }
    [[nodiscard]] ComputeBuilder::Reduction reduction(std::int64_t rows, std::int64_t columns) const {
        ComputeBuilder::Reduction out{
            .combiner = Combiner::Sum, .extents = {request_.shape(1)[2], rows, columns}, .names = {"ic", "kh", "kw"}};
        if (in_block_ > 1) {
            out.extents.push_back(in_block_);
            out.names.emplace_back("ii");
        }
        return out;
    }
    Buffer image(const ComputeBuilder::Body& body) const {
        Names axes = nchw_names(4);
        if (blocked_) axes.emplace_back("ci");
        return compute_stage(request_.builder, {"image", request_.out_dtype(), out_, axes}, body);
    }

    /// All phases in one sum, as dimensions beside their places: the result is only indexed otherwise.
    [[nodiscard]] Buffer together() const {
        Shape shape{out_[0], out_[1]};
        Names names{"n", "c"};
        for (std::size_t d = 0; d < 2; ++d) {
            shape.push_back(axes_[d].places());
            names.emplace_back(d == 0 ? "h" : "w");
            if (axes_[d].stride == 1) continue;
            shape.push_back(axes_[d].phases());
            names.emplace_back(d == 0 ? "hp" : "wp");
        }
        if (blocked_) {
            shape.push_back(out_[4]);
            names.emplace_back("ci");
        }
        const auto sum = [&](const Indices& i, const Indices& k) {
            At at{i[0], i[1], blocked_ ? i.back() : imm(0), {}, {}};
            std::size_t next = 2;
            for (std::size_t d = 0; d < 2; ++d) {
                at.place[d] = i[next++];
                at.phase[d] = axes_[d].stride > 1 ? i[next++] : imm(0);
            }
            return product(at, k, {0, 0});
        };
        const Buffer sums =
            reduce_stage(request_.builder, {std::string(request_.name), request_.out_dtype(), shape, names},
                         reduction(axes_[0].taps(), axes_[1].taps()), sum);
        if (axes_[0].stride == 1 && axes_[1].stride == 1) return sums;
        return image([&](const Indices& i) {
            Indices at{i[0], i[1]};
            for (std::size_t d = 0; d < 2; ++d) {
                const Split part = split(axes_[d], i[2 + d]);
                at.push_back(part.place);
                if (axes_[d].stride > 1) at.push_back(part.phase);
            }
            if (blocked_) at.push_back(i[4]);
            return load(sums, at);
        });
    }

    /// A sum for each phase, of its own taps only.
    [[nodiscard]] Buffer apart() const {
        Shape shape{out_[0], out_[1], axes_[0].places(), axes_[1].places()};
        Names names = nchw_names(4);
        if (blocked_) {
            shape.push_back(out_[4]);
            names.emplace_back("ci");
        }
        std::vector<std::vector<Buffer>> sums(static_cast<std::size_t>(axes_[0].phases()));
        for (std::int64_t r = 0; r < axes_[0].phases(); ++r)
            for (std::int64_t c = 0; c < axes_[1].phases(); ++c) {
                const std::int64_t rows = axes_[0].taps_of(r), columns = axes_[1].taps_of(c);
                const auto sum = [&](const Indices& i, const Indices& k) {
                    const At at{i[0], i[1], blocked_ ? i[4] : imm(0), {i[2], i[3]}, {imm(r), imm(c)}};
                    return product(at, k, {axes_[0].taps() - rows, axes_[1].taps() - columns});
                };
                const std::string name = "phase_" + std::to_string(r) + "_" + std::to_string(c);
                sums[static_cast<std::size_t>(r)].push_back(reduce_stage(
                    request_.builder, {name, request_.out_dtype(), shape, names}, reduction(rows, columns), sum));
            }
        return image([&](const Indices& i) {
            const Split h = split(axes_[0], i[2]), w = split(axes_[1], i[3]);
            Indices at{i[0], i[1], h.place, w.place};
            if (blocked_) at.push_back(i[4]);
            Expr value;
            for (std::size_t r = sums.size(); r-- > 0;) {
                Expr row = load(sums[r].back(), at);
                for (std::size_t c = sums[r].size() - 1; c-- > 0;)
                    row = select(eq(w.phase, imm(static_cast<std::int64_t>(c))), load(sums[r][c], at), row);
                value = r + 1 == sums.size() ? row : select(eq(h.phase, imm(static_cast<std::int64_t>(r))), row, value);
            }
            return value;
        });
    }

    const DefineRequest& request_;
    Shape out_;
    std::vector<PhaseAxis> axes_;
    std::int64_t in_block_, groups_;
    bool blocked_;
    Buffer data_;
};

std::vector<Buffer> define_layout_transposed(const DefineRequest& request) { return PackedPhases(request).define(); }

} // namespace

Family transposed_family() {
    return {
        {.name = "layout_conv_transpose",
         .doc = "What conv_transpose computes, of channels in blocks and with its filters sorted by phase: places of "
                "the result that leave the same remainder by the stride are a convolution with every stride-th tap. "
                "Errors: those of conv_transpose; BadAttribute for other layouts, and for strides longer than the "
                "kernel.",
         .operands = {{"x", "[N, C, H, W] in `layout`, numbers"},
                      {"weight",
                       "[phases, M, C, taps, taps] with blocks of C and M last, of x's element type: tap t of "
                       "phase r along an axis is tap (r + pad) % stride + stride * (taps - 1 - t) of the "
                       "filter, or 0"}},
         .attrs = {{"groups", AttrKind::Int, false, "of whole blocks; 1 when left out"},
                   {"kernel", AttrKind::Ints, true, "extents of the filter along H and W"},
                   {"layout", AttrKind::Text, true, "of x: NCHW, or NCHW8c with any block"},
                   {"out_layout", AttrKind::Text, true, "of the result, likewise"},
                   {"output_padding", AttrKind::Ints, false,
                    "elements added after each spatial axis of the result; all 0 when left out"},
                   {"pads", AttrKind::Ints, false,
                    "what is cut off the result: before each axis, then after each; all 0 when left out"},
                   {"strides", AttrKind::Ints, false, "one for H and one for W; all 1 when left out"}},
         .fusion = FusionKind::OutFusable,
         .infer = layout_transposed_type,
         .define = define_layout_transposed,
         .onnx_names = {"ConvTranspose"}},
    };
}

} // namespace orrery::ops
