// Default schedules of operators as the graph has them: a convolution in tiles after Winograd, whose stages go by
// pieces; changes of layout.

#include "core/graph/text.hpp"
#include "core/lower/lower.hpp"
#include "core/ops/ops.hpp"
#include "tests/core/schedule/rules.hpp"

using namespace orrery;
using namespace orrery::schedule;
using namespace orrery::schedule::test;

namespace {

struct Tiled {
    int images, channels, filters, size; ///< channels and filters in blocks of 16
};

/// The one kernel of a graph's text.
tensor::Program kernel_of(const std::string& text) {
    const Result<graph::Module> module = graph::parse_module(text, ops::registry(), {});
    if (!module) FAIL(to_string(module.error()));
    const Result<tensor::Program> program = lower::lower_function(module->main, "kernel");
    if (!program) FAIL(to_string(program.error()));
    return *program;
}

/// The convolution by tiles of `tile`, a bias and a relu, and what follows.
tensor::Program in_tiles(const Tiled& conv, const std::string& after = "", int tile = 4) {
    const auto image = [&](int blocks) {
        return "f32[" + std::to_string(conv.images) + "," + std::to_string(blocks) + "," + std::to_string(conv.size) +
               "," + std::to_string(conv.size) + ",16]";
    };
    const std::string extent = std::to_string(tile + 2);
    const std::string y = image(conv.filters), bias = "f32[1," + std::to_string(conv.filters) + ",1,1,16]";
    return kernel_of("outputs [\"y\"];\nfn main(x: " + image(conv.channels) + ", w: f32[" + extent + "," + extent +
                     "," + std::to_string(conv.filters) + "," + std::to_string(16 * conv.channels) +
                     ",16], b: " + bias + ") {\n" + "  c: " + y +
                     " = winograd_conv2d(x, w) {layout=\"NCHW16c\", out_layout=\"NCHW16c\", pads=[1,1,1,1], "
                     "rows=6, tile=" +
                     std::to_string(tile) + "};\n  s: " + y + " = add(c, b);\n  r: " + y + " = relu(s);\n" +
                     (after.empty() ? "  return r;\n}\n" : "  y = " + after + ";\n  return y;\n}\n"));
}

Target machine_with(std::int64_t l2_bytes, int cores = 2) {
    Target target = machine_of(512, 32);
    target.l2_bytes = l2_bytes;
    target.cores = cores;
    return target;
}

} // namespace

TEST_CASE("stages around a product go by pieces that the second-level cache keeps", "[schedule][rules][pieces]") {
    // A tile hands 36 x (32 + 16) numbers on, 6.8 KB; weights are 72 KB. A row has 12 tiles, all of them 144.
    const Tiled conv{1, 2, 1, 48};
    std::string trace = checked_trace(in_tiles(conv), machine_with(256 << 10));
    INFO(trace);
    CHECK(has(trace, "reorder([relu.n, relu.h_o, relu.c, relu.w_o"));
    CHECK(has(trace, "compute_at(winograd_product_write, relu.h_o)"));
    CHECK(has(trace, "compute_at(winograd_input, relu.h_o)"));
    CHECK(has(trace, "compute_at(winograd_rows, winograd_input.c)"));
    CHECK(has(trace, "compute_at(pad, winograd_input.c)"));
    CHECK(has(trace, "split(winograd_product_write.t, [-1, 12])"));
    CHECK(has(trace, "parallel(relu.n_h_o)"));
    // A cache that keeps all of it.
    CHECK_FALSE(has(checked_trace(in_tiles(conv), machine_with(2 << 20)), "compute_at(winograd_product_write"));
    // Weights that are read again for each piece, and leave no room for it.
    CHECK_FALSE(has(checked_trace(in_tiles(conv), machine_with(64 << 10)), "compute_at(winograd_product_write"));
}

TEST_CASE("pieces are parts of a long row, or a few short ones", "[schedule][rules][pieces]") {
    // Half a row of 24 tiles.
    std::string trace = checked_trace(in_tiles({1, 1, 1, 96}), machine_with(256 << 10));
    CHECK(has(trace, "split(relu.w_o, [-1, 12])"));
    CHECK(has(trace, "compute_at(winograd_input, relu.w_o_o)"));
    // Two rows of six, which make three pieces: cores would not end together.
    CHECK_FALSE(
        has(checked_trace(in_tiles({1, 2, 2, 24}), machine_with(360 << 10)), "compute_at(winograd_product_write"));
    trace = checked_trace(in_tiles({1, 2, 2, 24}), machine_with(360 << 10, 3));
    CHECK(has(trace, "split(relu.h_o, [-1, 2])"));
    CHECK(has(trace, "compute_at(winograd_input, relu.h_o_o)"));
    // So they do for two images.
    trace = checked_trace(in_tiles({2, 2, 2, 24}), machine_with(360 << 10));
    CHECK(has(trace, "compute_at(winograd_input, relu.h_o_o)"));
    CHECK(has(trace, "parallel(relu.n_h_o_o)"));
}

TEST_CASE("weights that no cache keeps are read again only where stages are far larger", "[schedule][rules][pieces]") {
    // 144 KB of weights for 12 tiles of 9 KB: 1.3 times as much as those hand on; 576 tiles hand on 5.3 MB.
    const Tiled conv{1, 2, 2, 96};
    CHECK(has(checked_trace(in_tiles(conv), machine_with(256 << 10)), "compute_at(winograd_input, relu.w_o_o)"));
    // Not eight times such a cache.
    CHECK_FALSE(has(checked_trace(in_tiles({1, 2, 2, 48}), machine_with(220 << 10)), "compute_at(winograd_input"));
}

TEST_CASE("windows that keep to tiles are pooled with them", "[schedule][rules][pieces][pool]") {
    const auto pool = [](const std::string& mean_or_max, int window) {
        const std::string square = "[" + std::to_string(window) + ", " + std::to_string(window) + "]";
        return "layout_" + mean_or_max + "_pool(r) {kernel=" + square + ", layout=\"NCHW16c\", strides=" + square + "}";
    };
    // By pieces: rows of tiles, each with two rows of windows.
    const Target small = machine_with(256 << 10), large = machine_with(2 << 20);
    std::string trace = checked_trace(in_tiles({1, 2, 1, 48}, pool("max", 2)), small);
    CHECK(has(trace, "split(layout_max_pool_write.k, [-1, 2])"));
    CHECK(has(trace, "compute_at(winograd_product_write, layout_max_pool_write.k_o)"));
    CHECK(has(trace, "compute_at(layout_max_pool, layout_max_pool_write.l_o)"));
    CHECK(has(trace, "compute_at(relu, layout_max_pool_write.l_o)"));
    CHECK(has(trace, "compute_at(add, layout_max_pool_write.l_o)"));
    CHECK(has(trace, "reorder([layout_max_pool.kh, layout_max_pool.kw, layout_max_pool.m])"));
    // One window of all a tile; what follows the pooling uses it.
    trace = checked_trace(in_tiles({1, 2, 1, 48}, pool("avg", 4)), small);
    CHECK(has(trace, "compute_at(add, "));
    CHECK_FALSE(has(trace, "_pool_write"));
    // Stages one after the other, tiles that reach past an odd number of windows, and tiles as large as windows.
    trace = checked_trace(in_tiles({1, 1, 1, 14}, pool("max", 2)), large);
    CHECK(has(trace, "compute_at(add, layout_max_pool_write.l_o)"));
    trace = checked_trace(in_tiles({2, 1, 1, 12}, pool("max", 2), 2), large);
    CHECK(has(trace, "compute_at(relu, layout_max_pool_write.l)"));
    // Windows of neighbours share places, those of three go from tile to tile, and of 14 rows 12 are in windows of
    // four.
    const auto pooled = [&](int size, const std::string& after) {
        return has(checked_trace(in_tiles({1, 1, 1, size}, after), large), "compute_at(add, layout_max_pool_write");
    };
    CHECK(pooled(12, pool("max", 2)));
    CHECK_FALSE(pooled(12, "layout_max_pool(r) {kernel=[2, 2], layout=\"NCHW16c\", strides=[1, 1]}"));
    CHECK_FALSE(pooled(24, pool("max", 3)));
    CHECK_FALSE(pooled(14, pool("max", 4)));
}

TEST_CASE("channels that go to blocks of whole blocks are copied in vectors", "[schedule][rules]") {
    const auto change = [](int from, int to) {
        const auto image = [](int block) {
            return "f32[1," + std::to_string(272 / block) + ",6,6," + std::to_string(block) + "]";
        };
        return checked_trace(kernel_of("outputs [\"y\"];\nfn main(x: " + image(from) + ") -> " + image(to) +
                                       " {\n  y: " + image(to) + " = layout_transform(x) {from=\"NCHW" +
                                       std::to_string(from) + "c\", to=\"NCHW" + std::to_string(to) +
                                       "c\"};\n  return y;\n}\n"),
                             machine_of(512, 32));
    };
    CHECK(has(change(34, 68), "vectorize(layout_transform.m_i)"));
    CHECK(has(change(68, 34), "vectorize(layout_transform.m"));
    CHECK_FALSE(has(change(34, 16), "vectorize"));
}
