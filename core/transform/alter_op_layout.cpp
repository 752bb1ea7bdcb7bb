#include "core/transform/layout_converter.hpp"
#include "core/transform/options.hpp"
#include "core/transform/pack_products.hpp"
#include "core/transform/passes.hpp"

#include <bit>

namespace orrery::transform {

namespace {

/// How much of the registers that hold `block` elements they fill: whole registers, and one for each power of two in
/// what is left, as code without masks takes it.
double fill_of(std::int64_t block, std::int64_t lanes) {
    const std::int64_t parts = block / lanes + std::popcount(static_cast<std::uint64_t>(block % lanes));
    return static_cast<double>(block) / static_cast<double>(parts * lanes);
}

/// The divisor of `extent` that fills registers best, of a few registers at most; the smallest of equals. 0 when it
/// would fill less than half of them.
std::int64_t block_for(std::int64_t extent, std::int64_t lanes) {
    constexpr std::int64_t kMostRegisters = 5; // our choice: two rows of them are sums enough
    std::int64_t best = 0;
    double fill = 0;
    for (std::int64_t block = 2; block <= kMostRegisters * lanes; ++block)
        if (extent % block == 0 && fill_of(block, lanes) > fill) {
            fill = fill_of(block, lanes);
            best = block;
        }
    return 2 * fill >= 1 ? best : 0;
}

/// A block for channels that are summed up, where none fills registers: the largest divisor that fits one. 0 for none.
std::int64_t summed_block(std::int64_t extent, std::int64_t lanes) {
    for (std::int64_t block = lanes; block > 1; --block)
        if (extent % block == 0) return block;
    return 0;
}

/// The block that channels lie in already, or that who reads the result wants them in, where a depthwise convolution
/// does as well with it: it saves a transform. 0 for none.
std::int64_t neighbours_block(const ConvFacts& facts, std::int64_t own, std::int64_t lanes) {
    constexpr double kAsWell = 0.8; // our choice: less than a pass over the image costs beside a few products a place
    const Result<ops::Layout> native = ops::parse_layout(facts.native);
    std::int64_t block = native && native->names() == "NCHW" ? native->block('C') : 0;
    if (block == 1 && facts.reader_group > 0) block = block_for(facts.reader_group, lanes);
    const bool fits = block > 1 && facts.channels % block == 0;
    return fits && fill_of(block, lanes) >= kAsWell * fill_of(own, lanes) ? block : 0;
}

std::optional<ConvLayouts> for_lanes(const ConvFacts& facts, std::int64_t vector_bits) {
    const std::int64_t lanes = vector_bits / 8 / facts.element_bytes;
    const bool depthwise = facts.groups > 1 && facts.groups == facts.channels && facts.groups == facts.filters;
    const std::int64_t groups = depthwise ? 1 : facts.groups;
    std::int64_t out = block_for(facts.filters / groups, lanes);
    std::int64_t in = block_for(facts.channels / groups, lanes);
    if (in == 0 && facts.groups > 1 && !depthwise) in = summed_block(facts.channels / groups, lanes);
    if (out == 0 || (in == 0 && facts.groups > 1) || (depthwise && in != out)) return std::nullopt;
    if (depthwise)
        if (const std::int64_t block = neighbours_block(facts, out, lanes); block > 0) in = out = block;
    // The block the input was computed in saves a transform where it fits.
    const Result<ops::Layout> native = ops::parse_layout(facts.native);
    if (native && !depthwise && native->names() == "NCHW" && native->block('C') > 1 &&
        facts.channels / groups % native->block('C') == 0)
        in = native->block('C');
    ConvLayouts layouts = packed_layouts(facts, in == 0 ? 1 : in, out);
    layouts.in_rows = !depthwise;
    return layouts;
}

} // namespace

Result<graph::Module> alter_op_layout(const graph::Module& module, const pass::Context& context) {
    ORRERY_TRY(const std::int64_t bits, number_option(context, "vector_bits", {128, 32, 65536}));
    const graph::Module moved =
        convert_layouts(module, context, [bits](const ConvFacts& facts) { return for_lanes(facts, bits); });
    return pack_products(moved, context, bits);
}

} // namespace orrery::transform
