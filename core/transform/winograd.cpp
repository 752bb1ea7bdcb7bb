#include "core/ops/winograd.hpp"

#include "core/base/narrow.hpp"
#include "core/graph/builder.hpp"
#include "core/ops/layout.hpp"
#include "core/ops/ops.hpp"
#include "core/transform/layout_converter.hpp"
#include "core/transform/layout_costs.hpp"
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
    ConvWork work;
    Layout data, out, weight;
    const NDArray* filter_values = nullptr;
};

std::int64_t tiles_of(const ConvWork& work, std::int64_t tile) {
    return (work.height + tile - 1) / tile * ((work.width + tile - 1) / tile);
}

class Tiler final : public graph::Rewriter {
  public:
    /// `tile`: of all; nullopt to choose.
    Tiler(pass::Recorder* recorder, std::optional<std::int64_t> tile, std::int64_t bits, KernelTimes times)
        : Rewriter(recorder), tile_(tile), bits_(bits), times_(std::move(times)) {}

  protected:
    Var rewrite_binding(const Binding& binding) override {
        const auto* call = graph::as<CallOp>(binding.value);
        const std::optional<Candidate> conv = call ? candidate(binding, *call) : std::nullopt;
        const std::int64_t tile =
            conv ? tile_ ? *tile_ : chosen_tile(conv->work, conv_variant(binding), bits_, times_) : 0;
        if (tile == 0 || (tile > 2 && conv->work.dtype != DType::F32)) return keep(binding);
        const std::int64_t block = conv->out.block('C');
        const NDArray plain = transformed(*conv->filter_values, conv->weight, ops::parse_layout("OIHW").value());
        const Var filters =
            emit(binding, make_ref<const graph::Constant>(tiled_filters(plain, tile, block)), call->args[1]->name);
        Attrs::Map attrs{{"layout", to_string(conv->data)},
                         {"out_layout", to_string(conv->out)},
                         {"pads", call->attrs.ints("pads", Ints(4, 0))},
                         {"rows", product_rows(tiles_of(conv->work, tile))},
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
        const std::optional<ConvWork> work = conv_work(binding);
        if (!work || call.op.name == "winograd_conv2d" || call.attrs.has("shuffle") || !fits_tiles(*work))
            return std::nullopt;
        Candidate conv{*work, {}, {}, {}, constant_of(call.args[1])};
        if (!conv.filter_values) return std::nullopt;
        // Of f16 where sums are made in it: fewer products lose as many digits once more.
        const bool half = work->dtype == DType::F16 && call.attrs.has("stretch");
        if (work->dtype != DType::F32 && !half) return std::nullopt;
        const ConvVariant variant = conv_variant(binding);
        conv.data = ops::parse_layout(variant.data).value();
        conv.out = ops::parse_layout(variant.out).value();
        conv.weight = ops::parse_layout(call.op.name == "conv2d" ? "OIHW" : call.attrs.text("weight_layout")).value();
        // Whole vectors of channels on both sides, or the transforms cost more than they save.
        const bool blocks = conv.data.names() == "NCHW" && conv.out.names() == "NCHW" && conv.data.block('C') > 1 &&
                            conv.out.block('C') > 1;
        return blocks ? std::optional(conv) : std::nullopt;
    }

    std::optional<std::int64_t> tile_;
    std::int64_t bits_;
    KernelTimes times_;
};

} // namespace

Result<graph::Module> winograd(const graph::Module& module, const pass::Context& context) {
    ORRERY_TRY(const std::int64_t bits, number_option(context, "vector_bits", {128, 32, 65536}));
    ORRERY_TRY(const std::string tile, choice_option(context, "tile", {"auto", "2", "4", "0"}));
    ORRERY_TRY(KernelTimes times, KernelTimes::parse(context.option("costs", "")));
    const std::optional<std::int64_t> fixed =
        tile == "auto" ? std::nullopt : std::optional<std::int64_t>(tile[0] - '0');
    graph::Module out = module;
    out.main = Tiler(context.recorder, fixed, bits, std::move(times)).run(module.main);
    if (out.main == module.main) return module;
    return dead_code(out, quiet(context));
}

} // namespace orrery::transform
