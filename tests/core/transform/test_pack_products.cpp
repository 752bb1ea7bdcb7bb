#include "tests/core/transform/graphs.hpp"

using namespace orrery;
using namespace orrery::transform;
using namespace orrery::transform::test;

namespace {

/// A product of `rows` rows of two with a constant matrix of `columns` columns.
graph::Module product(int rows, int columns) {
    std::string values;
    for (int i = 0; i < 2 * columns; ++i) values += (i ? ", " : "") + std::to_string(i);
    const std::string n = std::to_string(columns);
    return module_of("outputs [\"y\"];\nfn main(x: f32[" + std::to_string(rows) + ",2]) {\n  w: f32[2," + n +
                     "] = const [" + values + "];\n  y = matmul(x, w);\n  return y;\n}\n");
}
std::string packed(int rows, int columns) {
    return graph::to_string(apply("AlterOpLayout", product(rows, columns), {{"vector_bits", "64"}}));
}

} // namespace

TEST_CASE("a constant matrix lies in panels, rows go in groups", "[transform][pack_products]") {
    require_becomes("AlterOpLayout", R"(outputs ["y"];
fn main(x: f32[7,2]) {
  w: f32[2,4] = const [1, 2, 3, 4, 5, 6, 7, 8];
  b: f32[4] = const [1, 2, 3, 4];
  c = matmul(x, w);
  y = bias_add(c, b) {axis=1};
  return y;
}
)",
                    R"(outputs ["y"];
fn main(x: f32[7,2]) {
  b: f32[4] = const [1, 2, 3, 4];
  w: f32[2,2,2] = const [1, 2, 5, 6, 3, 4, 7, 8];
  c = layout_matmul(x, w) {panel=2, rows=4};
  y = bias_add(c, b) {axis=1};
  return y;
}
)",
                    {{"vector_bits", "32"}});
    // Two registers of two columns, four where there are few rows, one where two do not divide.
    CHECK(packed(64, 8).find("{panel=4, rows=6}") != std::string::npos);
    CHECK(packed(3, 8).find("{panel=8}") != std::string::npos);
    CHECK(packed(1, 8).find("{panel=8}") != std::string::npos);
    CHECK(packed(1, 14).find("{panel=2}") != std::string::npos);
    CHECK(packed(3, 12).find("{panel=4}") != std::string::npos);
    CHECK(packed(64, 6).find("{panel=2, rows=6}") != std::string::npos);
    CHECK(packed(64, 7).find("layout_matmul(x, w) {rows=6}") != std::string::npos);
}

TEST_CASE("columns of zeros fill the panels of one row", "[transform][pack_products]") {
    const std::string text = packed(1, 33);             // registers of two columns
    CHECK(text.find("{panel=6}") != std::string::npos); // 36; panels of 8 would make 40
    CHECK(text.find("{begins=[0, 0], sizes=[1, 33]}") != std::string::npos);
    CHECK(packed(1, 63).find("{panel=8}") != std::string::npos);
    CHECK(packed(2, 33).find(" matmul(x, w);") != std::string::npos); // rows of a slice would lie apart
    CHECK(packed(1, 31).find(" matmul(x, w);") != std::string::npos);
    graph::Module after;
    CHECK(difference_after("AlterOpLayout", product(1, 33), after, {{"vector_bits", "64"}}) == 0);
}

TEST_CASE("a product that would not become faster stays", "[transform][pack_products]") {
    CHECK(packed(6, 7).find(" matmul(x, w);") != std::string::npos);
    CHECK(packed(1, 7).find(" matmul(x, w);") != std::string::npos);
    // One sum at a time would wait for itself.
    CHECK(packed(1, 6).find(" matmul(x, w);") != std::string::npos);
    require_unchanged("AlterOpLayout", R"(outputs ["y"];
fn main(x: f32[7,2], w: f32[4,2], n: i32[7,2], v: f32[1,2], m: f32[2,7]) {
  i: i32[2,2] = const [1, 2, 3, 4];
  a = matmul(x, w) {transpose_b=true};
  b = matmul(n, i);
  c = cast(b) {dtype=f32};
  d = concat(a, c) {axis=1};
  e = matmul(v, m);
  f = reshape(e) {shape=[7, 1]};
  y = concat(d, f) {axis=1};
  return y;
}
)",
                      {{"vector_bits", "64"}});
}

TEST_CASE("a matrix that many rows use is packed when it runs", "[transform][pack_products]") {
    const auto text = [](int rows) {
        return graph::to_string(apply("AlterOpLayout",
                                      module_of("outputs [\"y\"];\nfn main(x: f32[" + std::to_string(rows) +
                                                ",3], w: f32[3,8]) {\n  y = matmul(x, w);\n"
                                                "  return y;\n}\n"),
                                      {{"vector_bits", "64"}}));
    };
    const std::string many = text(200), few = text(20);
    CHECK(many.find("layout_transform(w) {from=\"KN\", to=\"NK4n\"}") != std::string::npos);
    CHECK(many.find("{panel=4, rows=") != std::string::npos);
    CHECK(few.find("panel") == std::string::npos);
}

TEST_CASE("one packed matrix serves all products with it", "[transform][pack_products]") {
    const graph::Module module = module_of(R"(outputs ["y"];
fn main(x: f32[2,3,2], z: f32[2,2]) {
  w: f32[2,2] = const [1, 2, 3, 4];
  a = matmul(x, w);
  b = matmul(a, w);
  y = matmul(b, z);
  return y;
}
)");
    const graph::Module packed = apply("AlterOpLayout", module, {{"vector_bits", "64"}});
    REQUIRE(count_calls(packed, "layout_matmul") == 2); // the third has six rows, and no panels
    const std::string text = graph::to_string(packed);
    CHECK(text.find("const", text.find("const") + 1) == std::string::npos);
}

TEST_CASE("products of f16 are added up in stretches where f16 is computed in f16",
          "[transform][pack_products][half]") {
    std::string values;
    for (int i = 0; i < 32 * 64; ++i) values += (i ? ", " : "") + std::to_string(i % 5);
    const auto text = [&](const char* dtype, const char* computes, const char* sums) {
        const std::string type(dtype);
        const graph::Module module = module_of(
            "outputs [\"y\", \"z\"];\nfn main(x: " + type + "[12,32], v: " + type + "[1,32,6,6]) {\n  w: " + type +
            "[32,64] = const [" + values + "];\n  k: " + type + "[64,32,1,1] = const [" + values +
            "];\n  y = matmul(x, w);\n  z = conv2d(v, k);\n  t = (y, z);\n  return t;\n}\n");
        graph::Module packed;
        const pass::Options options{
            {"vector_bits", "512"}, {"f16_arithmetic", computes}, {"f16_sums", sums}, {"choose", "local"}};
        CHECK(difference_after("AlterOpLayout", module, packed, options) < 4.0 / 2048);
        return graph::to_string(packed);
    };
    const std::string half = text("f16", "true", "128");
    CHECK(half.find("{panel=64, rows=6, stretch=128}") != std::string::npos);
    CHECK(half.find("rows=6, stretch=128, weight_layout=\"OIHW32i32o\"}") != std::string::npos);
    CHECK(text("f16", "true", "0").find("stretch") == std::string::npos);
    CHECK(text("f16", "false", "128").find("stretch") == std::string::npos);
    CHECK(text("f32", "true", "128").find("stretch") == std::string::npos);
}

TEST_CASE("blocks of f16 fill a part of a register where masks take the rest", "[transform][pack_products][half]") {
    std::string values;
    for (int i = 0; i < 24 * 32; ++i) values += (i ? ", " : "") + std::to_string(i % 5);
    const graph::Module module =
        module_of("outputs [\"y\"];\nfn main(v: f16[1,32,6,6]) {\n  k: f16[24,32,1,1] = const [" + values +
                  "];\n  y = conv2d(v, k);\n  return y;\n}\n");
    const auto text = [&](const char* computes) {
        return graph::to_string(apply("AlterOpLayout", module,
                                      {{"vector_bits", "512"}, {"f16_arithmetic", computes}, {"choose", "local"}}));
    };
    CHECK(text("true").find("OIHW32i24o") != std::string::npos);
    CHECK(text("false").find("24o") == std::string::npos);
}

TEST_CASE("products of bf16 that fill tiles lie in pairs", "[transform][pack_products][tiles]") {
    std::string values;
    for (int i = 0; i < 32 * 64; ++i) values += (i ? ", " : "") + std::to_string(i % 5);
    const auto text = [&](int rows, const char* dtype, const char* tiles) {
        const graph::Module module = module_of("outputs [\"y\"];\nfn main(x: " + std::string(dtype) + "[" +
                                               std::to_string(rows) + ",32]) {\n  w: " + dtype + "[32,64] = const [" +
                                               values + "];\n  y = matmul(x, w);\n  return y;\n}\n");
        return graph::to_string(apply("AlterOpLayout", module, {{"vector_bits", "512"}, {"bf16_tiles", tiles}}));
    };
    CHECK(text(64, "bf16", "true").find("{panel=32, part=2, rows=32}") != std::string::npos);
    CHECK(text(40, "bf16", "true").find("{panel=32, part=2, rows=20}") != std::string::npos);
    CHECK(text(17, "bf16", "true").find("{panel=32, part=2, rows=18}") != std::string::npos);
    CHECK(text(15, "bf16", "true").find("part=2") == std::string::npos);
    CHECK(text(64, "bf16", "false").find("part=2") == std::string::npos);
    CHECK(text(64, "f32", "true").find("part=2") == std::string::npos);
    const graph::Module conv =
        module_of("outputs [\"y\"];\nfn main(x: bf16[1,32,14,14]) {\n  w: bf16[64,32,1,1] = const [" + values +
                  "];\n  y = conv2d(x, w);\n  return y;\n}\n");
    const std::string laid =
        graph::to_string(apply("AlterOpLayout", conv, {{"vector_bits", "512"}, {"bf16_tiles", "true"}}));
    // Tiles are two rows of the image.
    CHECK(laid.find("{layout=\"NCHW32c\", out_layout=\"NCHW32c\", rows=28, weight_layout=\"OHWI32o2i\"}") !=
          std::string::npos);
}

TEST_CASE("products of bytes lie by fours", "[transform][pack_products][bytes]") {
    const auto laid = [](const std::string& x, const std::string& w, const std::string& product, const char* units) {
        std::string values;
        std::int64_t count = 1;
        for (std::size_t at = w.find('[') + 1; at < w.size(); at = w.find_first_of(",]", at) + 1)
            count *= std::stoll(w.substr(at));
        for (std::int64_t i = 0; i < count; ++i) values += (i ? ", " : "") + std::to_string(i % 11 - 5);
        const graph::Module module =
            module_of("outputs [\"y\"];\nfn main(x: u8" + x + ") {\n  w: i8" + w + " = const [" + values +
                      "];\n  y = " + product + "(x, w) {out_dtype=i32};\n  return y;\n}\n");
        return graph::to_string(apply("AlterOpLayout", module, {{"vector_bits", "512"}, {"byte_products", units}}));
    };
    const auto has = [](const std::string& text, const std::string& part) {
        return text.find(part) != std::string::npos;
    };
    CHECK(has(laid("[32,64]", "[64,32]", "matmul", "tiles"), "panel=32, part=4, rows=32"));
    CHECK(has(laid("[32,64]", "[64,32]", "matmul", "dots"), "panel=32, part=4, rows="));
    CHECK(has(laid("[32,32]", "[32,24]", "matmul", "tiles"), "panel=24, part=4")); // three halves of registers
    CHECK_FALSE(has(laid("[32,64]", "[64,32]", "matmul", "none"), "part="));
    CHECK_FALSE(has(laid("[32,30]", "[30,32]", "matmul", "dots"), "part="));
    // Of filters, two tiles lie together, whatever blocks the result has.
    const std::string tiles = laid("[1,64,8,8]", "[64,64,1,1]", "conv2d", "tiles");
    CHECK(has(tiles, "out_layout=\"NCHW64c\""));
    CHECK(has(tiles, "weight_layout=\"OHWI32o4i\""));
    CHECK(has(laid("[1,64,8,8]", "[64,64,1,1]", "conv2d", "dots"), "weight_layout=\"OHWI64o4i\""));
    CHECK(has(laid("[1,8,8,8]", "[48,8,1,1]", "conv2d", "tiles"), "weight_layout=\"OHWI48o4i\""));
    CHECK_FALSE(has(laid("[1,6,8,8]", "[48,6,1,1]", "conv2d", "dots"), "4i"));
}
