#include "core/transform/layout_converter.hpp"
#include "core/transform/options.hpp"
#include "core/transform/passes.hpp"

namespace orrery::transform {

namespace {

/// The largest divisor of `extent` that fits the lanes of a register; 0 when it would fill less than half of them.
std::int64_t block_for(std::int64_t extent, std::int64_t lanes) {
    for (std::int64_t block = lanes; 2 * block >= lanes && block > 1; --block)
        if (extent % block == 0) return block;
    return 0;
}

std::optional<ConvLayouts> for_lanes(const ConvFacts& facts, std::int64_t vector_bits) {
    const std::int64_t lanes = vector_bits / 8 / facts.element_bytes;
    const bool depthwise = facts.groups > 1 && facts.groups == facts.channels && facts.groups == facts.filters;
    const std::int64_t groups = depthwise ? 1 : facts.groups;
    const std::int64_t out = block_for(facts.filters / groups, lanes), in = block_for(facts.channels / groups, lanes);
    if (out == 0 || (in == 0 && facts.groups > 1) || (depthwise && in != out)) return std::nullopt;
    // The block the input was computed in saves a transform where it fits.
    const Result<ops::Layout> native = ops::parse_layout(facts.native);
    if (native && !depthwise && native->names() == "NCHW" && native->block('C') > 1 &&
        facts.channels / groups % native->block('C') == 0)
        return packed_layouts(facts, native->block('C'), out);
    return packed_layouts(facts, in == 0 ? 1 : in, out);
}

} // namespace

Result<graph::Module> alter_op_layout(const graph::Module& module, const pass::Context& context) {
    ORRERY_TRY(const std::int64_t bits, number_option(context, "vector_bits", {128, 32, 65536}));
    return convert_layouts(module, context, [bits](const ConvFacts& facts) { return for_lanes(facts, bits); });
}

} // namespace orrery::transform
