#include "core/transform/layout_converter.hpp"
#include "core/transform/options.hpp"
#include "core/transform/pack_products.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/whole_blocks.hpp"

#include <bit>

namespace orrery::transform {

namespace {

struct Registers {
    std::int64_t lanes = 1;
    bool masks = false; ///< what is left of a block takes one more, instead of one for each power of two in it
};

/// How much of the registers that hold `block` elements they fill.
double fill_of(std::int64_t block, const Registers& registers) {
    const auto left = static_cast<std::uint64_t>(block % registers.lanes);
    const std::int64_t parts = block / registers.lanes + (registers.masks ? (left > 0 ? 1 : 0) : std::popcount(left));
    return static_cast<double>(block) / static_cast<double>(parts * registers.lanes);
}

/// What filters share: blocks of them the image, or those of a group alone, whose tiles have rows of one block.
enum class Sharing : std::uint8_t { Blocks, Rows };

/// The divisor of `extent` that fills registers best, of a few registers at most; the smallest of equals. 0 when it
/// would fill less than half of them.
std::int64_t block_for(std::int64_t extent, const Registers& registers, Sharing sharing = Sharing::Blocks) {
    constexpr std::int64_t kMostRegisters = 5; // our choice: two rows of them are sums enough
    // Rows of one register load more than they multiply. Source: measured (1x1, 4 groups of 136 channels at 7 by 7:
    // blocks of 8 reach 60 to 88 % of the peak as their operands lie in the first-level cache, of 34 always 81).
    constexpr double kRowsOfOne = 0.8;
    std::int64_t best = 0;
    double most = 0;
    for (std::int64_t block = 2; block <= kMostRegisters * registers.lanes; ++block) {
        const double fill = fill_of(block, registers);
        const double speed = sharing == Sharing::Rows && block <= registers.lanes ? fill * kRowsOfOne : fill;
        if (extent % block != 0 || speed <= most || 2 * fill < 1) continue;
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

/// The layouts of a convolution that reads what it is given before a channel shuffle: whatever the blocks it lies in.
std::optional<ConvLayouts> in_turn(const ConvFacts& facts, const Registers& registers) {
    const Result<ops::Layout> native = ops::parse_layout(facts.native);
    const std::int64_t out = block_for(facts.filters / facts.groups, registers, Sharing::Rows);
    if (!native || native->names() != "NCHW" || native->block('C') == 1 || out == 0) return std::nullopt;
    ConvLayouts layouts = packed_layouts(facts, native->block('C'), out);
    layouts.in_rows = true;
    return layouts;
}

/// `masks`: see Registers.
std::optional<ConvLayouts> for_lanes(const ConvFacts& facts, std::int64_t vector_bits, bool masks) {
    const std::int64_t lanes = vector_bits / 8 / byte_size(is_byte(facts.dtype) ? facts.sum_dtype : facts.dtype);
    const Registers registers{lanes, masks};
    const bool depthwise = facts.groups > 1 && facts.groups == facts.channels && facts.groups == facts.filters;
    if (facts.shuffle > 1) return in_turn(facts, registers);
    const std::int64_t groups = depthwise ? 1 : facts.groups;
    const Sharing sharing = groups > 1 ? Sharing::Rows : Sharing::Blocks;
    std::int64_t out = block_for(facts.filters / groups, registers, sharing);
    std::int64_t in = block_for(facts.channels / groups, registers, sharing);
    if (in == 0 && facts.groups > 1 && !depthwise) in = summed_block(facts.channels / groups, lanes);
    if (out == 0 || (in == 0 && facts.groups > 1) || (depthwise && in != out)) return std::nullopt;
    if (depthwise)
        if (const std::int64_t block = neighbours_block(facts, out, registers); block > 0) in = out = block;
    // The block the input was computed in saves a transform where it fits.
    const Result<ops::Layout> native = ops::parse_layout(facts.native);
    if (native && !depthwise && native->names() == "NCHW" && native->block('C') > 1 &&
        facts.channels / groups % native->block('C') == 0)
        in = native->block('C');
    ConvLayouts layouts = packed_layouts(facts, in == 0 ? 1 : in, out);
    layouts.in_rows = !depthwise;
    if (vector_bits < 512) return layouts;
    if (facts.after_depthwise)
        layouts.groups = RowGroups::Many; // one kernel with what it reads, in whole rows of images
    else if (facts.groups == 1 && out == lanes && facts.filters / lanes % 3 == 0)
        layouts.groups = RowGroups::Threes;
    return layouts;
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

} // namespace

Result<graph::Module> alter_op_layout(const graph::Module& module, const pass::Context& context) {
    ORRERY_TRY(const std::int64_t bits, number_option(context, "vector_bits", {128, 32, 65536}));
    ORRERY_TRY(const bool tiles, flag_option(context, "bf16_tiles", false));
    ORRERY_TRY(const bool computes_half, flag_option(context, "f16_arithmetic", false));
    ORRERY_TRY(const std::int64_t wanted, number_option(context, "f16_sums", {0, 0, 65536}));
    ORRERY_TRY(const ByteProducts bytes, byte_products_option(context));
    const std::int64_t stretch = computes_half ? wanted : 0;
    const Registers registers{bits / 8 / byte_size(DType::F32), false};
    const graph::Module filled =
        with_whole_blocks(module, context, [&](std::int64_t filters) { return filters_in_blocks(filters, registers); });
    const graph::Module moved = convert_layouts(filled, context, [=](const ConvFacts& facts) {
        std::optional<ConvLayouts> chosen = tiles ? for_tiles(facts) : std::nullopt;
        if (!chosen) chosen = for_bytes(facts, bits, bytes);
        // Whoever computes in f16 has masks, or few lanes.
        if (!chosen) chosen = for_lanes(facts, bits, computes_half && facts.dtype == DType::F16);
        if (chosen && facts.dtype == DType::F16) chosen->stretch = stretch;
        return chosen;
    });
    return pack_products(moved, context, {bits, tiles, stretch, bytes});
}

} // namespace orrery::transform
