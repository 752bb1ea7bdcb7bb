#include "core/ops/winograd.hpp"

#include "core/base/narrow.hpp"
#include "core/graph/builder.hpp"
#include "core/ops/layout.hpp"
#include "core/ops/ops.hpp"
#include "core/transform/layout_converter.hpp"
#include "core/transform/options.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/rule_rewriter.hpp"

#include <algorithm>
#include <vector>

namespace orrery::transform {

using graph::Attrs;
using graph::Binding;
using graph::CallOp;
using graph::Ints;
using graph::Var;
using ops::Layout;

namespace {

/// A convolution that may be computed in tiles.
struct Candidate {
    Layout data, out, weight;
    std::int64_t images = 1, channels = 0, filters = 0, height = 0, width = 0; ///< of the result, but for channels
    const NDArray* filter_values = nullptr;
    [[nodiscard]] DType dtype() const { return filter_values->dtype(); }
};

std::int64_t tiles_of(const Candidate& conv, std::int64_t tile) {
    return (conv.height + tile - 1) / tile * ((conv.width + tile - 1) / tile);
}

/// Estimated cycles of one core. Source: two multiply-adds of a register a cycle, of which kernels reach three
/// quarters; filters, which no cache keeps from run to run, come at about 8 bytes a cycle, partly behind the
/// arithmetic; a transform costs each of its registers about 8 cycles, mostly traffic with the second-level cache.
/// Measured on ResNet-18's four sizes, whose times this gives within a tenth (docs/performance.md).
class Cost {
  public:
    /// `bits`: of a register.
    Cost(const Candidate& conv, std::int64_t bits)
        : conv_(conv), bytes_(static_cast<double>(byte_size(conv.dtype()))),
          lanes_(static_cast<double>(bits) / 8 / bytes_), wide_lanes_(static_cast<double>(bits) / 32) {}

    [[nodiscard]] double direct() const {
        const double pixels = real(conv_.images * conv_.height * conv_.width);
        return products(pixels * 9) + weights(9);
    }
    [[nodiscard]] double tiled(std::int64_t tile) const {
        constexpr double kTransform = 8;
        const std::int64_t extent = ops::winograd_extent(tile);
        const double places = real(extent * extent);
        const double tiles =
            real(conv_.images * ((conv_.height + tile - 1) / tile) * ((conv_.width + tile - 1) / tile));
        const double moved = tiles * places * real(conv_.channels + conv_.filters) / wide_lanes_;
        return products(tiles * places) + moved * kTransform + weights(places);
    }

  private:
    static double real(std::int64_t value) { return static_cast<double>(value); }
    [[nodiscard]] double products(double each) const {
        constexpr double kPerCycle = 2 * 0.75;
        return each * real(conv_.channels) * real(conv_.filters) / lanes_ / kPerCycle;
    }
    [[nodiscard]] double weights(double each) const {
        constexpr double kBytesPerCycle = 8;
        return each * real(conv_.channels) * real(conv_.filters) * bytes_ / kBytesPerCycle;
    }

    const Candidate& conv_;
    double bytes_;              ///< of an element
    double lanes_, wide_lanes_; ///< of elements, and of f32, in which transforms are computed
};

class Tiler final : public graph::Rewriter {
  public:
    /// `tile`: of all; nullopt to choose.
    Tiler(pass::Recorder* recorder, std::optional<std::int64_t> tile, std::int64_t bits)
        : Rewriter(recorder), tile_(tile), bits_(bits) {}

  protected:
    Var rewrite_binding(const Binding& binding) override {
        const auto* call = graph::as<CallOp>(binding.value);
        const std::optional<Candidate> conv = call ? candidate(binding, *call) : std::nullopt;
        const std::int64_t tile = conv ? tile_.value_or(choose(*conv)) : 0;
        if (tile == 0 || (tile > 2 && conv->dtype() != DType::F32)) return keep(binding);
        const std::int64_t block = conv->out.block('C');
        const NDArray plain = transformed(*conv->filter_values, conv->weight, ops::parse_layout("OIHW").value());
        const Var filters =
            emit(binding, make_ref<const graph::Constant>(tiled_filters(plain, tile, block)), call->args[1]->name);
        Attrs::Map attrs{{"layout", to_string(conv->data)},
                         {"out_layout", to_string(conv->out)},
                         {"pads", call->attrs.ints("pads", Ints(4, 0))},
                         {"rows", product_rows(tiles_of(*conv, tile))},
                         {"tile", tile}};
        for (const char* name : {"out_dtype", "stretch"})
            if (call->attrs.has(name)) attrs.insert_or_assign(name, call->attrs.values().at(name));
        return replace(binding, make_call("winograd_conv2d", {call->args[0], filters}, Attrs(std::move(attrs))),
                       "a convolution in tiles", std::vector{call->args[1]});
    }

  private:
    /// The filters as winograd_conv2d takes them. Those of f16 are transformed in f32 and rounded again.
    static NDArray tiled_filters(const NDArray& plain, std::int64_t tile, std::int64_t block) {
        if (plain.dtype() == DType::F32) return ops::winograd_weights(plain, tile, block);
        NDArray wide = NDArray::allocate(DType::F32, plain.shape());
        const std::span<const std::uint16_t> from = plain.values<std::uint16_t>();
        std::ranges::transform(from, wide.mutable_values<float>().begin(),
                               [&](std::uint16_t bits) { return narrow_to_float(plain.dtype(), bits); });
        const NDArray tiled = ops::winograd_weights(wide, tile, block);
        NDArray rounded = NDArray::allocate(plain.dtype(), tiled.shape());
        round_to_narrow(plain.dtype(), tiled.values<float>(), rounded.mutable_values<std::uint16_t>());
        return rounded;
    }

    std::optional<Candidate> candidate(const Binding& binding, const CallOp& call) const {
        const bool plain = call.op.name == "conv2d";
        if ((!plain && call.op.name != "layout_conv2d") || call.attrs.has("shuffle")) return std::nullopt;
        const std::optional<Shape> x = shape_of(call.args[0]), y = shape_of(binding.var);
        Candidate conv;
        conv.filter_values = constant_of(call.args[1]);
        if (!x || !y || !conv.filter_values) return std::nullopt;
        // Of f16 where sums are made in it: fewer products lose as many digits once more.
        const bool half = conv.dtype() == DType::F16 && call.attrs.has("stretch");
        if (conv.dtype() != DType::F32 && !half) return std::nullopt;
        const auto layout = [&](const char* name, const char* whole) {
            return ops::parse_layout(plain ? whole : call.attrs.text(name)).value();
        };
        conv.data = layout("layout", "NCHW");
        conv.out = layout("out_layout", "NCHW");
        conv.weight = layout("weight_layout", "OIHW");
        // Whole vectors of channels on both sides, or the transforms cost more than they save.
        if (conv.data.names() != "NCHW" || conv.out.names() != "NCHW" || conv.data.block('C') < 2 ||
            conv.out.block('C') < 2)
            return std::nullopt;
        const Shape& w = conv.filter_values->shape();
        conv.channels = conv.data.extent('C', *x);
        conv.filters = conv.weight.extent('O', w);
        conv.images = (*y)[0];
        conv.height = (*y)[2];
        conv.width = (*y)[3];
        const auto ones = [&](const char* name) {
            const Ints values = call.attrs.ints(name, Ints(2, 1));
            return values == Ints(2, 1);
        };
        const bool fits = conv.weight.extent('H', w) == 3 && conv.weight.extent('W', w) == 3 && ones("strides") &&
                          ones("dilations") && call.attrs.integer("groups", 1) == 1;
        return fits ? std::optional(conv) : std::nullopt;
    }

    std::int64_t choose(const Candidate& conv) const {
        // Our choice: a tenth faster at least, for what rounding it costs; larger tiles a twentieth, for the memory
        // that their filters take and since several cores share what memory delivers.
        constexpr double kWorthIt = 0.9, kWorthGrowing = 0.95;
        const Cost cost(conv, bits_);
        std::int64_t best = 0;
        double least = cost.direct() * kWorthIt;
        const std::vector<std::int64_t> tiles =
            conv.dtype() == DType::F32 ? std::vector<std::int64_t>{2, 4} : std::vector<std::int64_t>{2};
        for (const std::int64_t tile : tiles)
            if (const double time = cost.tiled(tile); time < (best == 0 ? least : least * kWorthGrowing)) {
                least = time;
                best = tile;
            }
        return best;
    }

    std::optional<std::int64_t> tile_;
    std::int64_t bits_;
};

} // namespace

Result<graph::Module> winograd(const graph::Module& module, const pass::Context& context) {
    ORRERY_TRY(const std::int64_t bits, number_option(context, "vector_bits", {128, 32, 65536}));
    ORRERY_TRY(const std::string tile, choice_option(context, "tile", {"auto", "2", "4", "0"}));
    const std::optional<std::int64_t> fixed =
        tile == "auto" ? std::nullopt : std::optional<std::int64_t>(tile[0] - '0');
    graph::Module out = module;
    out.main = Tiler(context.recorder, fixed, bits).run(module.main);
    if (out.main == module.main) return module;
    return dead_code(out, quiet(context));
}

} // namespace orrery::transform
