#include "tests/core/transform/graphs.hpp"

using namespace orrery;
using namespace orrery::transform;
using namespace orrery::transform::test;

namespace {

/// A convolution of 8 channels in blocks of 4 with 8 filters, and what it is asked with.
std::string packed_convolution(const std::string& extents, const std::string& window, const std::string& attrs) {
    std::string weights = "[";
    const int count = 8 * 8 * (window == "3,3" ? 9 : 1);
    for (int i = 0; i < count; ++i) weights += (i ? ", " : "") + std::to_string((i * 7) % 5 - 2);
    return "outputs [\"y\"];\nfn main(x: f32[1,2," + extents + ",4]) {\n  w: f32[2,2," + window + ",4,4] = const " +
           weights +
           "];\n  c = layout_conv2d(x, w) {layout=\"NCHW4c\", out_layout=\"NCHW4c\", weight_layout=\"OIHW4i4o\"" +
           attrs + "};\n  y = relu(c);\n  return y;\n}\n";
}

std::string after_winograd(const std::string& text, const pass::Options& options = {{"tile", "4"}}) {
    return graph::to_string(apply("Winograd", module_of(text), options));
}

} // namespace

TEST_CASE("3x3 convolutions at stride 1 are computed in tiles", "[transform][winograd]") {
    const std::string text = packed_convolution("9,7", "3,3", ", pads=[1, 1, 1, 1]");
    for (const char* tile : {"2", "4"}) {
        const std::string out = after_winograd(text, {{"tile", tile}});
        CHECK(out.find("winograd_conv2d") != std::string::npos);
        CHECK(out.find("layout_conv2d") == std::string::npos);
        CHECK(out.find("tile=" + std::string(tile)) != std::string::npos);
    }
    CHECK(after_winograd(text, {{"tile", "0"}}).find("winograd") == std::string::npos);
    CHECK(refused_with("Winograd", {{"tile", "3"}}) == Code::BadArgument);
    CHECK(refused_with("Winograd", {{"vector_bits", "few"}}) == Code::BadArgument);
}

TEST_CASE("other convolutions stay as they are", "[transform][winograd]") {
    for (const std::string& text :
         {packed_convolution("9,7", "1,1", ""), packed_convolution("9,7", "3,3", ", strides=[2, 2]"),
          packed_convolution("9,7", "3,3", ", dilations=[1, 2]")})
        CHECK(after_winograd(text).find("winograd") == std::string::npos);
}

TEST_CASE("convolutions of f16 are computed in tiles of 2, where sums are made in f16", "[transform][winograd]") {
    const auto after = [](const std::string& attrs, const char* tile) {
        std::string text = packed_convolution("9,7", "3,3", ", pads=[1, 1, 1, 1]" + attrs);
        for (std::size_t at = 0; (at = text.find("f32[", at)) != std::string::npos;) text.replace(at, 3, "f16");
        graph::Module tiled;
        const double lost = difference_after("Winograd", module_of(text), tiled, {{"tile", tile}});
        CHECK(lost < 8.0 / 1024);
        return graph::to_string(tiled);
    };
    const std::string tiled = after(", out_dtype=f32, stretch=8", "2");
    CHECK(tiled.find("winograd_conv2d(x, w) {layout=\"NCHW4c\", out_dtype=f32, out_layout=\"NCHW4c\", "
                     "pads=[1, 1, 1, 1], rows=5, stretch=8, tile=2}") != std::string::npos);
    CHECK(after(", stretch=8", "4").find("winograd") == std::string::npos);
    CHECK(after("", "2").find("winograd") == std::string::npos);
}

TEST_CASE("tiles are chosen by what they save", "[transform][winograd]") {
    // Four results of 8 channels: nearly all of a tile's work would be transforms.
    CHECK(after_winograd(packed_convolution("4,4", "3,3", ""), {{"tile", "auto"}}).find("winograd") ==
          std::string::npos);
}
