#include "core/transform/layout_converter.hpp"
#include "core/transform/layout_plan.hpp"
#include "core/transform/layout_planner.hpp"
#include "core/transform/options.hpp"
#include "core/transform/pack_products.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/whole_blocks.hpp"

namespace orrery::transform {

namespace {

/// The divisor of `extent` that fills registers best, of a few registers at most; the smallest of equals. 0 when it
/// would fill less than half of them.
std::int64_t block_for(std::int64_t extent, const Registers& registers, Sharing sharing = Sharing::Blocks) {
    constexpr std::int64_t kMostRegisters = 5; // our choice: two rows of them are sums enough
    std::int64_t best = 0;
    double most = 0;
    for (std::int64_t block = 2; block <= kMostRegisters * registers.lanes; ++block) {
        const double speed = block_speed(block, registers, sharing);
        if (extent % block != 0 || speed <= most || 2 * fill_of(block, registers) < 1) continue;
        most = speed;
        best = block;
    }
    return best;
}

/// So many filters, or as many as whole registers hold, where those make them sooner than blocks that fill registers in
/// part.
std::int64_t filters_in_blocks(std::int64_t filters, const Registers& registers) {
    constexpr double kSooner = 1.1; // our choice: also a slice
    const std::int64_t more = (filters + registers.lanes - 1) / registers.lanes * registers.lanes;
    const std::int64_t block = block_for(filters, registers);
    const double filled = static_cast<double>(filters) / static_cast<double>(more);
    return filters > registers.lanes && (block == 0 || filled > kSooner * fill_of(block, registers)) ? more : filters;
}

/// A block for channels that are summed up, where none fills registers: the largest divisor that fits one. 0 for none.
std::int64_t summed_block(std::int64_t extent, std::int64_t lanes) {
    for (std::int64_t block = lanes; block > 1; --block)
        if (extent % block == 0) return block;
    return 0;
}

/// The block that channels lie in already, or that who reads the result wants them in, where a depthwise convolution
/// does as well with it: it saves a transform. 0 for none.
std::int64_t neighbours_block(const ConvFacts& facts, std::int64_t own, const Registers& registers) {
    constexpr double kAsWell = 0.8; // our choice: less than a pass over the image costs beside a few products a place
    const Result<ops::Layout> native = ops::parse_layout(facts.native);
    std::int64_t block = native && native->names() == "NCHW" ? native->block('C') : 0;
    if (block == 1 && facts.reader_group > 0) block = block_for(facts.reader_group, registers, Sharing::Rows);
    const bool fits = block > 1 && facts.channels % block == 0;
    return fits && fill_of(block, registers) >= kAsWell * fill_of(own, registers) ? block : 0;
}

/// What a target has, and what is asked of it.
struct BlockRule {
    std::int64_t bits = 128; ///< of a register
    bool tiles = false;      ///< see the pass's options
    bool computes_half = false;
    std::int64_t stretch = 0;
    ByteProducts bytes = ByteProducts::None;

    /// Whoever computes in f16 has masks, or few lanes.
    [[nodiscard]] Registers registers(const ConvFacts& facts) const {
        return {bits / 8 / byte_size(is_byte(facts.dtype) ? facts.sum_dtype : facts.dtype),
                computes_half && facts.dtype == DType::F16};
    }
};

bool is_depthwise(const ConvFacts& facts) {
    return facts.groups > 1 && facts.groups == facts.channels && facts.groups == facts.filters;
}

/// The layouts of a convolution in blocks of input and result.
ConvLayouts in_blocks(const ConvFacts& facts, std::int64_t in, std::int64_t out, const BlockRule& rule) {
    const std::int64_t lanes = rule.registers(facts).lanes;
    ConvLayouts layouts = packed_layouts(facts, in, out);
    layouts.in_rows = !is_depthwise(facts);
    if (rule.bits < 512 || facts.shuffle > 1) return layouts;
    if (facts.after_depthwise)
        layouts.groups = RowGroups::Many; // one kernel with what it reads, in whole rows of images
    else if (facts.groups == 1 && out == lanes && facts.filters / lanes % 3 == 0)
        layouts.groups = RowGroups::Threes;
    return layouts;
}

/// The layouts of a convolution that reads what it is given before a channel shuffle: whatever the blocks it lies in.
std::optional<ConvLayouts> in_turn(const ConvFacts& facts, const BlockRule& rule) {
    const Result<ops::Layout> native = ops::parse_layout(facts.native);
    const std::int64_t out = block_for(facts.filters / facts.groups, rule.registers(facts), Sharing::Rows);
    if (!native || native->names() != "NCHW" || native->block('C') == 1 || out == 0) return std::nullopt;
    return in_blocks(facts, native->block('C'), out, rule);
}

std::optional<ConvLayouts> for_lanes(const ConvFacts& facts, const BlockRule& rule) {
    const Registers registers = rule.registers(facts);
    const bool depthwise = is_depthwise(facts);
    if (facts.shuffle > 1) return in_turn(facts, rule);
    const std::int64_t groups = depthwise ? 1 : facts.groups;
    const Sharing sharing = groups > 1 ? Sharing::Rows : Sharing::Blocks;
    std::int64_t out = block_for(facts.filters / groups, registers, sharing);
    std::int64_t in = block_for(facts.channels / groups, registers, sharing);
    if (in == 0 && facts.groups > 1 && !depthwise) in = summed_block(facts.channels / groups, registers.lanes);
    if (out == 0 || (in == 0 && facts.groups > 1) || (depthwise && in != out)) return std::nullopt;
    if (depthwise)
        if (const std::int64_t block = neighbours_block(facts, out, registers); block > 0) in = out = block;
    // The block the input was computed in saves a transform where it fits.
    const Result<ops::Layout> native = ops::parse_layout(facts.native);
    if (native && !depthwise && native->names() == "NCHW" && native->block('C') > 1 &&
        facts.channels / groups % native->block('C') == 0)
        in = native->block('C');
    return in_blocks(facts, in == 0 ? 1 : in, out, rule);
}

/// The layouts of a convolution that is made of products of tiles: rows of 32 channels, by pairs of channels of 32
/// filters, as AMX takes them; nullopt where tiles are not filled.
std::optional<ConvLayouts> for_tiles(const ConvFacts& facts) {
    constexpr std::int64_t kTile = 32;
    if (facts.dtype != DType::BF16 || facts.groups != 1 || facts.shuffle > 1 || facts.channels % kTile != 0 ||
        facts.filters % kTile != 0)
        return std::nullopt;
    return ConvLayouts{.data = "NCHW32c", .out = "NCHW32c", .weight = "OHWI32o2i", .in_rows = true, .in_tiles = true};
}

/// The layouts of a convolution of bytes whose sums are i32: four channels of each filter side by side, as its products
/// take them; for tiles in blocks of 64 channels. nullopt where channels do not come by fours or filters fill no
/// registers.
std::optional<ConvLayouts> for_bytes(const ConvFacts& facts, std::int64_t vector_bits, ByteProducts units) {
    constexpr std::int64_t kPart = 4, kTile = 64, kTileColumns = 32;
    const std::int64_t lanes = vector_bits / 8 / byte_size(DType::I32);
    if (units == ByteProducts::None || facts.dtype != DType::U8 || facts.sum_dtype != DType::I32 || facts.groups != 1 ||
        facts.shuffle > 1 || facts.channels % kPart != 0)
        return std::nullopt;
    const auto layouts = [&](std::int64_t in, std::int64_t out, std::int64_t columns) {
        const auto block = [](std::int64_t extent) { return "NCHW" + std::to_string(extent) + "c"; };
        return ConvLayouts{.data = block(in),
                           .out = block(out),
                           .weight = "OHWI" + std::to_string(columns) + "o" + std::to_string(kPart) + "i",
                           .in_rows = true};
    };
    if (units == ByteProducts::Tiles && facts.channels % kTile == 0 && facts.filters % kTileColumns == 0) {
        ConvLayouts out = layouts(kTile, facts.filters % kTile == 0 ? kTile : kTileColumns, kTileColumns);
        out.in_tiles = true;
        return out;
    }
    const std::int64_t out = dots_block(facts.filters, lanes);
    const Result<ops::Layout> native = ops::parse_layout(facts.native);
    std::int64_t in = native && native->names() == "NCHW" ? native->block('C') : 1;
    if (in % kPart != 0 || facts.channels % in != 0)
        for (in = kTile; facts.channels % in != 0;) in -= kPart;
    return out > 0 ? std::optional(layouts(in, out, out)) : std::nullopt;
}

/// What units of the target beside its vectors take.
std::optional<ConvLayouts> for_units(const ConvFacts& facts, const BlockRule& rule) {
    std::optional<ConvLayouts> chosen = rule.tiles ? for_tiles(facts) : std::nullopt;
    return chosen ? chosen : for_bytes(facts, rule.bits, rule.bytes);
}

ConvLayouts with_stretch(ConvLayouts layouts, const ConvFacts& facts, const BlockRule& rule) {
    if (facts.dtype == DType::F16) layouts.stretch = rule.stretch;
    return layouts;
}

/// Each convolution for itself.
std::optional<ConvLayouts> by_rule(const ConvFacts& facts, const BlockRule& rule) {
    std::optional<ConvLayouts> chosen = for_units(facts, rule);
    if (!chosen) chosen = for_lanes(facts, rule);
    return chosen ? std::optional(with_stretch(*chosen, facts, rule)) : std::nullopt;
}

/// The layouts in these blocks, 1 for channels that are not split; nullopt where a convolution cannot lie so.
std::optional<ConvLayouts> realized(ConvFacts facts, std::int64_t in, std::int64_t out, const BlockRule& rule) {
    facts.native = in > 1 ? "NCHW" + std::to_string(in) + "c" : "NCHW";
    const std::optional<ConvLayouts> own = by_rule(facts, rule);
    if (!own || (block_in(own->data) == in && block_in(own->out) == out)) return own;
    if (for_units(facts, rule)) return std::nullopt;
    const bool depthwise = is_depthwise(facts);
    const std::int64_t groups = depthwise ? 1 : facts.groups;
    const bool divides = facts.filters / groups % out == 0 && (facts.shuffle > 1 || facts.channels / groups % in == 0);
    if (!divides || out == 1 || (depthwise && in != out) || (in == 1 && facts.groups > 1)) return std::nullopt;
    return with_stretch(in_blocks(facts, in, out, rule), facts, rule);
}

Result<BlockRule> block_rule(const pass::Context& context) {
    BlockRule rule;
    ORRERY_TRY(rule.bits, number_option(context, "vector_bits", {128, 32, 65536}));
    ORRERY_TRY(rule.tiles, flag_option(context, "bf16_tiles", false));
    ORRERY_TRY(rule.computes_half, flag_option(context, "f16_arithmetic", false));
    ORRERY_TRY(const std::int64_t wanted, number_option(context, "f16_sums", {0, 0, 65536}));
    ORRERY_TRY(rule.bytes, byte_products_option(context));
    rule.stretch = rule.computes_half ? wanted : 0;
    return rule;
}

graph::Module with_full_blocks(const graph::Module& module, const pass::Context& context, const BlockRule& rule) {
    const Registers registers{rule.bits / 8 / byte_size(DType::F32), false};
    return with_whole_blocks(module, context,
                             [&](std::int64_t filters) { return filters_in_blocks(filters, registers); });
}

/// What the choice over the whole graph is made by; nullopt where each convolution chooses for itself.
Result<std::optional<LayoutPlanner>> planner_of(const pass::Context& context, const BlockRule& rule) {
    ORRERY_TRY(const std::string choose, choice_option(context, "choose", {"graph", "local"}));
    ORRERY_TRY(KernelTimes times, KernelTimes::parse(context.option("costs", "")));
    Caches caches;
    ORRERY_TRY(caches.l2, number_option(context, "l2_bytes", {caches.l2, 0, INT64_MAX}));
    ORRERY_TRY(caches.l3, number_option(context, "l3_bytes", {caches.l3, 0, INT64_MAX}));
    if (choose == "local") return std::optional<LayoutPlanner>();
    LayoutPlanner planner;
    planner.by_rule = [rule](const ConvFacts& facts) { return by_rule(facts, rule); };
    planner.realized = [rule](const ConvFacts& facts, std::int64_t in, std::int64_t out) {
        return realized(facts, in, out, rule);
    };
    planner.registers = [rule](const ConvFacts& facts) { return rule.registers(facts); };
    planner.bits = rule.bits;
    planner.caches = caches;
    planner.times = std::move(times);
    return std::optional(std::move(planner));
}

} // namespace

Result<graph::Module> alter_op_layout(const graph::Module& module, const pass::Context& context) {
    ORRERY_TRY(const BlockRule rule, block_rule(context));
    ORRERY_TRY(const std::optional<LayoutPlanner> planner, planner_of(context, rule));
    const LayoutRules local{[&](const ConvFacts& facts) { return by_rule(facts, rule); }};
    const graph::Module filled = with_full_blocks(module, context, rule);
    const LayoutPlan plan = planner ? plan_layouts(filled, *planner) : LayoutPlan{};
    const graph::Module moved =
        plan.settled ? filled : convert_layouts(filled, context, plan.follows() ? plan.rules(*planner) : local);
    return pack_products(moved, context, {rule.bits, rule.tiles, rule.stretch, rule.bytes});
}

Result<LayoutReport> layout_reasons(const graph::Module& before, const pass::Context& context) {
    ORRERY_TRY(const BlockRule rule, block_rule(context));
    ORRERY_TRY(const std::optional<LayoutPlanner> planner, planner_of(context, rule));
    return planner ? plan_layouts(with_full_blocks(before, context, rule), *planner).report : LayoutReport{};
}

} // namespace orrery::transform
