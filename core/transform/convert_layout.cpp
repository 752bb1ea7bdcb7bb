#include "core/transform/layout_converter.hpp"
#include "core/transform/options.hpp"
#include "core/transform/passes.hpp"

namespace orrery::transform {

namespace {

Diagnostic bad_layout(const std::string& text) {
    return {Code::BadArgument,
            "layout is NCHW, NHWC or NCHW with a block of channels (NCHW8c), not \"" + text + "\"",
            {},
            {}};
}

/// Blocks of `block` where they divide the channels of every group; the image's own few channels stay whole.
std::optional<ConvLayouts> blocked(const ConvFacts& facts, std::int64_t block) {
    const bool depthwise = facts.groups > 1 && facts.groups == facts.channels && facts.groups == facts.filters;
    const std::int64_t groups = depthwise ? 1 : facts.groups;
    if (facts.filters / groups % block != 0) return std::nullopt;
    const bool split = facts.channels / groups % block == 0;
    if (!split && facts.groups > 1) return std::nullopt;
    return packed_layouts(facts, split ? block : 1, block);
}

} // namespace

Result<graph::Module> convert_layout(const graph::Module& module, const pass::Context& context) {
    const std::string text = context.option("layout", "NCHW");
    const Result<ops::Layout> layout = ops::parse_layout(text);
    if (!layout) return bad_layout(text);
    ChooseLayouts choose;
    if (text == "NCHW" || text == "NHWC") {
        const ConvLayouts all{text, text, text == "NCHW" ? "OIHW" : "HWIO"};
        choose = [all](const ConvFacts&) { return std::optional(all); };
    } else {
        const std::int64_t block = layout->block('C');
        if (block < 2 || text != "NCHW" + std::to_string(block) + "c") return bad_layout(text);
        choose = [block](const ConvFacts& facts) { return blocked(facts, block); };
    }
    return convert_layouts(module, context, {choose});
}

} // namespace orrery::transform
