#include "core/transform/layout_costs.hpp"

#include "core/base/dtype.hpp"
#include "core/ops/layout.hpp"
#include "core/ops/winograd.hpp"
#include "core/transform/rule_rewriter.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <vector>

namespace orrery::transform {

using graph::CallOp;
using graph::Ints;
using ops::Layout;

namespace {

double as_real(std::int64_t value) { return static_cast<double>(value); }

constexpr std::int64_t kTiledWindow = 3; // of winograd_conv2d

std::string by_x(std::int64_t a, std::int64_t b) { return std::to_string(a) + "x" + std::to_string(b); }

} // namespace

std::optional<ConvWork> conv_work(const graph::Binding& binding) {
    const auto* call = graph::as<CallOp>(binding.value);
    if (!call) return std::nullopt;
    const std::string& name = call->op.name;
    const bool plain = name == "conv2d", tiled = name == "winograd_conv2d";
    if (!plain && !tiled && name != "layout_conv2d") return std::nullopt;
    const std::optional<Shape> x = shape_of(call->args[0]), w = shape_of(call->args[1]), y = shape_of(binding.var);
    if (!x || !w || !y) return std::nullopt;
    const ConvVariant variant = conv_variant(binding);
    const Layout data = ops::parse_layout(variant.data).value(), out = ops::parse_layout(variant.out).value();
    ConvWork work;
    work.dtype = graph::as_tensor(call->args[0]->type)->dtype;
    work.sum_dtype = graph::as_tensor(binding.var->type)->dtype;
    work.images = data.extent('N', *x);
    work.channels = data.extent('C', *x);
    work.filters = out.extent('C', *y);
    work.height = out.extent('H', *y);
    work.width = out.extent('W', *y);
    work.groups = call->attrs.integer("groups", 1);
    work.kernel_height = work.kernel_width = kTiledWindow;
    if (!tiled) {
        const Layout weight = ops::parse_layout(plain ? "OIHW" : call->attrs.text("weight_layout")).value();
        work.kernel_height = weight.extent('H', *w);
        work.kernel_width = weight.extent('W', *w);
    }
    work.strides = call->attrs.ints("strides", work.strides);
    work.dilations = call->attrs.ints("dilations", work.dilations);
    work.pads = call->attrs.ints("pads", work.pads);
    return work;
}

ConvVariant conv_variant(const graph::Binding& binding) {
    const auto& call = *graph::as<CallOp>(binding.value);
    if (call.op.name == "conv2d") return {"NCHW", "NCHW"};
    return {call.attrs.text("layout"), call.attrs.text("out_layout"), call.attrs.integer("tile", 0)};
}

std::string kernel_key(const ConvWork& work, const ConvVariant& variant) {
    std::string pads;
    for (const std::int64_t pad : work.pads) pads += (pads.empty() ? "" : ".") + std::to_string(pad);
    return std::string(to_string(work.dtype)) + " " + by_x(work.images, work.channels) + "x" +
           by_x(work.height, work.width) + " " + std::to_string(work.filters) + " " +
           by_x(work.kernel_height, work.kernel_width) + " s" + by_x(work.strides[0], work.strides[1]) + " d" +
           by_x(work.dilations[0], work.dilations[1]) + " p" + pads + " g" + std::to_string(work.groups) + " " +
           variant.data + " " + variant.out + " w" + std::to_string(variant.tile);
}

Result<KernelTimes> KernelTimes::parse(std::string_view text) {
    KernelTimes out;
    const auto trimmed = [](std::string_view part) {
        const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
        while (!part.empty() && space(part.front())) part.remove_prefix(1);
        while (!part.empty() && space(part.back())) part.remove_suffix(1);
        return part;
    };
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of("\n;"), text.size());
        const std::string_view line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty()) continue;
        const std::size_t at = line.rfind('=');
        const std::string_view key = trimmed(line.substr(0, std::min(at, line.size())));
        const std::string_view number =
            at == std::string_view::npos ? std::string_view() : trimmed(line.substr(at + 1));
        double ns = 0;
        const auto [last, code] = std::from_chars(number.data(), number.data() + number.size(), ns);
        if (key.empty() || number.empty() || code != std::errc{} || last != number.data() + number.size() ||
            !std::isfinite(ns) || ns <= 0)
            return Diagnostic{Code::BadArgument,
                              "costs are lines \"KERNEL = NANOSECONDS\", not \"" + std::string(line) + "\"",
                              {},
                              {}};
        out.times_[std::string(key)] = ns;
    }
    return out;
}

std::string KernelTimes::text() const {
    std::string out;
    for (const auto& [key, ns] : times_) out += key + " = " + std::to_string(std::llround(ns)) + "\n";
    return out;
}

std::optional<double> KernelTimes::find(const ConvWork& work, const ConvVariant& variant) const {
    if (times_.empty()) return std::nullopt;
    const auto it = times_.find(kernel_key(work, variant));
    return it == times_.end() ? std::nullopt : std::optional(it->second);
}

double fill_of(std::int64_t block, const Registers& registers) {
    const auto left = static_cast<std::uint64_t>(block % registers.lanes);
    const std::int64_t parts = block / registers.lanes + (registers.masks ? (left > 0 ? 1 : 0) : std::popcount(left));
    return as_real(block) / as_real(parts * registers.lanes);
}

double block_speed(std::int64_t block, const Registers& registers, Sharing sharing) {
    // Rows of one register load more than they multiply. Source: measured (1x1, 4 groups of 136 channels at 7 by 7:
    // blocks of 8 reach 60 to 88 % of the peak as their operands lie in the first-level cache, of 34 always 81).
    constexpr double kRowsOfOne = 0.8;
    const double fill = fill_of(block, registers);
    return sharing == Sharing::Rows && block <= registers.lanes ? fill * kRowsOfOne : fill;
}

namespace {

// Source: two multiply-adds of a register a cycle, of which kernels reach three quarters; filters, which no cache keeps
// from run to run, come at about 8 bytes a cycle, partly behind the arithmetic; a transform costs each of its registers
// about 8 cycles, mostly traffic with the second-level cache. Measured on ResNet-18's four sizes, whose times this
// gives within a tenth (docs/performance.md). A depthwise convolution loads about as much as it multiplies.
double product_cycles(const ConvWork& work, double each, std::int64_t bits) {
    constexpr double kPerCycle = 2 * 0.75, kDepthwisePerCycle = 1;
    const double lanes = as_real(bits) / 8 / as_real(byte_size(work.dtype));
    return each * as_real(work.channels) / as_real(work.groups) * as_real(work.filters) / lanes /
           (work.depthwise() ? kDepthwisePerCycle : kPerCycle);
}
double weight_cycles(const ConvWork& work, double each) {
    constexpr double kBytesPerCycle = 8;
    return each * as_real(work.channels) / as_real(work.groups) * as_real(work.filters) *
           as_real(byte_size(work.dtype)) / kBytesPerCycle;
}

} // namespace

double direct_cycles(const ConvWork& work, std::int64_t bits) {
    const double taps = as_real(work.kernel_height * work.kernel_width);
    return product_cycles(work, as_real(work.images * work.height * work.width) * taps, bits) +
           weight_cycles(work, taps);
}

double tiled_cycles(const ConvWork& work, std::int64_t tile, std::int64_t bits) {
    constexpr double kTransform = 8;
    const std::int64_t extent = ops::winograd_extent(tile);
    const double places = as_real(extent * extent), wide_lanes = as_real(bits) / 32; // transforms are computed in f32
    const double tiles = as_real(work.images * ((work.height + tile - 1) / tile) * ((work.width + tile - 1) / tile));
    const double moved = tiles * places * as_real(work.channels + work.filters) / wide_lanes;
    return product_cycles(work, tiles * places, bits) + moved * kTransform + weight_cycles(work, places);
}

bool fits_tiles(const ConvWork& work) {
    const Ints ones(2, 1);
    return work.kernel_height == kTiledWindow && work.kernel_width == kTiledWindow && work.strides == ones &&
           work.dilations == ones && work.groups == 1;
}

std::int64_t chosen_tile(const ConvWork& work, ConvVariant variant, std::int64_t bits, const KernelTimes& times) {
    const std::vector<std::int64_t> tiles =
        work.dtype == DType::F32 ? std::vector<std::int64_t>{2, 4} : std::vector<std::int64_t>{2};
    std::int64_t best = 0;
    variant.tile = 0;
    if (const std::optional<double> plain = times.find(work, variant)) {
        double least = *plain;
        bool compared = false;
        for (const std::int64_t tile : tiles) {
            variant.tile = tile;
            const std::optional<double> time = times.find(work, variant);
            compared |= time.has_value();
            if (!time || *time >= least) continue;
            least = *time;
            best = tile;
        }
        if (compared) return best;
    }
    // Our choice: a tenth faster at least, for what rounding it costs; larger tiles a twentieth, for the memory
    // that their filters take and since several cores share what memory delivers.
    constexpr double kWorthIt = 0.9, kWorthGrowing = 0.95;
    double least = direct_cycles(work, bits) * kWorthIt;
    for (const std::int64_t tile : tiles)
        if (const double time = tiled_cycles(work, tile, bits); time < (best == 0 ? least : least * kWorthGrowing)) {
            least = time;
            best = tile;
        }
    return best;
}

double transform_cycles(const Regrouping& change, const Caches& caches) {
    if (change.from == change.to) return 0;
    // Source: measured on an Intel Xeon with AVX-512 (240 channels of f32 and f16 at 28 by 28 and 56 by 56, 480 at 14
    // by 14; 19 pairs of blocks): 0.5 to 0.7 cycles an element whatever its type, 2.5 where smaller blocks go together
    // to blocks of more than 32; and what the caches deliver.
    constexpr double kEach = 0.6, kJoined = 2.4, kL2 = 35, kL3 = 6.5, kMemory = 3.2;
    constexpr std::int64_t kLargeBlock = 32;
    const double bytes = 2 * change.elements * change.element_bytes; // read and written
    const double rate = bytes <= as_real(caches.l2) ? kL2 : bytes <= as_real(caches.l3) ? kL3 : kMemory;
    const bool joined = change.from > 1 && change.from < change.to && change.to > kLargeBlock;
    return change.elements * (joined ? kJoined : kEach) + bytes / rate;
}

} // namespace orrery::transform
