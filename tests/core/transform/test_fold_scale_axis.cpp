#include "tests/core/transform/graphs.hpp"

using namespace orrery;
using namespace orrery::transform;
using namespace orrery::transform::test;

namespace {

std::string function(const std::string& param, const std::string& body) {
    return "outputs [\"y\"]; fn main(" + param + ") { " + body + " return y; }";
}
/// The calls left when constants are folded.
graph::Module folded(const std::string& text, const pass::Options& options = {}) {
    return apply("DeadCode", apply("FoldConstant", apply("FoldScaleAxis", module_of(text), options)));
}

const char* const kWeight = "w: f32[2,3,1,1] = const [1, 2, 3, 4, 5, 6]; s: f32[2,1,1] = const [0.5, 3]; "
                            "t: f32[3,1,1] = const [0.5, 3, 2]; ";

} // namespace

TEST_CASE("a factor after a convolution goes into its weights", "[transform][fold_scale_axis]") {
    require_becomes(
        "FoldScaleAxis", function("x: f32[1,3,2,2]", std::string(kWeight) + "c = conv2d(x, w); y = multiply(c, s);"),
        function("x: f32[1,3,2,2]", "v: f32[2,3,1,1] = const [0.5, 1, 1.5, 12, 15, 18]; y = conv2d(x, v);"));
}

TEST_CASE("on its way it passes sums, relu and pooling", "[transform][fold_scale_axis]") {
    const graph::Module module = folded(function(
        "x: f32[1,3,4,4]", std::string(kWeight) + "b: f32[2] = const [1, -1]; a: f32[1,2,1,1] = const [2, 0.5]; "
                                                  "c = conv2d(x, w); d = bias_add(c, b); e = add(a, d); r = relu(e); "
                                                  "p = max_pool(r) {kernel=[2, 2]}; l = leaky_relu(p); "
                                                  "m = avg_pool(l) {kernel=[2, 2]}; y = multiply(s, m);"));
    REQUIRE(count_calls(module, "multiply") == 0);
    REQUIRE(count_calls(module, "") == 7);
}

TEST_CASE("a negative factor does not pass relu", "[transform][fold_scale_axis]") {
    const std::string text = function("x: f32[1,3,2,2]", "w: f32[2,3,1,1] = const [1, 2, 3, 4, 5, 6]; "
                                                         "s: f32[2,1,1] = const [0.5, -3]; c = conv2d(x, w); "
                                                         "r = relu(c); y = multiply(r, s);");
    require_unchanged("FoldScaleAxis", text);
    // Without relu it does.
    std::string plain = text;
    plain.replace(plain.find("r = relu(c);"), 12, "");
    plain.replace(plain.find("multiply(r"), 10, "multiply(c");
    REQUIRE(count_calls(folded(plain), "multiply") == 0);
}

TEST_CASE("a factor before a convolution goes into its weights", "[transform][fold_scale_axis]") {
    const std::string text = function(
        "x: f32[1,3,4,4]", std::string(kWeight) + "m = multiply(x, t); a: f32[3,1,1] = const [1, 2, -3]; "
                                                  "e = add(m, a); r = relu(e); y = conv2d(r, w) {pads=[0, 0, 0, 0]};");
    const graph::Module module = folded(text);
    REQUIRE(count_calls(module, "multiply") == 0);
    REQUIRE(count_calls(module, "") == 3);
    require_unchanged("FoldScaleAxis", text, {{"forward", "false"}});
    // Somebody else sees the product.
    std::string seen = text;
    seen.replace(seen.find("return y"), 8,
                 "z = concat(m, r) {axis=1}; q = reduce_sum(z) {axes=[1, 2, 3]}; "
                 "u = add(q, y); return u");
    require_unchanged("FoldScaleAxis", seen);
}

TEST_CASE("grouped and depthwise convolutions take the factors of their channels", "[transform][fold_scale_axis]") {
    for (const char* groups : {"2", "4"}) {
        const std::string inner = groups[0] == '2' ? "2" : "1";
        const std::string numbers = groups[0] == '2' ? "1, 2, 3, 4, 5, 6, 7, 8" : "1, 2, 3, 4";
        const std::string weight =
            "w: f32[4," + inner + ",1,1] = const [" + numbers + "]; s: f32[4,1,1] = const [2, 3, 5, 7]; ";
        const std::string conv = std::string(" {groups=") + groups + "}; ";
        REQUIRE(count_calls(folded(function("x: f32[1,4,2,2]", weight + "m = multiply(x, s); y = conv2d(m, w)" + conv)),
                            "multiply") == 0);
        REQUIRE(
            count_calls(folded(function("x: f32[1,4,2,2]", weight + "m = conv2d(x, w)" + conv + "y = multiply(m, s);")),
                        "multiply") == 0);
    }
}

TEST_CASE("matrix products", "[transform][fold_scale_axis]") {
    const std::string weight =
        "w: f32[2,3] = const [1, 2, 3, 4, 5, 6]; s: f32[2] = const [2, 3]; t: f32[3] = const [2, 3, 5]; ";
    REQUIRE(count_calls(folded(function("x: f32[4,2]", weight + "m = multiply(x, s); y = matmul(m, w);")),
                        "multiply") == 0);
    REQUIRE(
        count_calls(folded(function("x: f32[1,4,2]", weight + "m = matmul(x, w); b = add(m, t); y = multiply(b, t);")),
                    "multiply") == 0);
    REQUIRE(
        count_calls(folded(function("x: f32[4,3]", weight + "m = multiply(x, t); p = matmul(m, w) {transpose_b=true}; "
                                                            "y = multiply(p, s);")),
                    "multiply") == 0);
    // One number a row is no number a channel.
    require_unchanged(
        "FoldScaleAxis",
        function("x: f32[2,2]", weight + "r: f32[2,1] = const [2, 3]; m = matmul(x, w); y = multiply(m, r);"));
    REQUIRE(refused_with("FoldScaleAxis", {{"backward", "no"}}) == Code::BadArgument);
}

TEST_CASE("a tiny factor does not divide a sum", "[transform][fold_scale_axis]") {
    require_unchanged("FoldScaleAxis",
                      function("x: f32[1,1,2,2]",
                               "w: f32[1,1,1,1] = const [2]; s: f32[1,1,1] = const [0.000000001]; "
                               "a: f32[1,1,1] = const [1]; m = multiply(x, s); e = add(m, a); y = conv2d(e, w);"));
}

namespace {

const char* const kTwo = "w: f32[2,3,1,1] = const [1, 2, 3, 4, 5, 6]; v: f32[2,3,1,1] = const [6, -5, 4, 3, -2, 1]; "
                         "s: f32[2,1,1] = const [0.5, 3]; t: f32[3,1,1] = const [0.5, 3, 2]; ";

} // namespace

TEST_CASE("a factor after a sum goes up all of its branches", "[transform][fold_scale_axis]") {
    const std::string text = function(
        "x: f32[1,3,4,4]", std::string(kTwo) + "a = conv2d(x, w); r = relu(a); b = conv2d(x, v); n = negative(b); "
                                               "d: f32[2,1,1] = const [1, -1]; e = add(n, d); p = add(r, e); "
                                               "y = multiply(p, s);");
    const graph::Module module = folded(text);
    REQUIRE(count_calls(module, "multiply") == 0);
    REQUIRE(count_calls(module, "conv2d") == 2);
    // One branch that cannot take it keeps it where it is, and so does one that somebody else sees.
    std::string taken = text;
    taken.replace(taken.find("negative(b)"), 11, "exp(b)");
    require_unchanged("FoldScaleAxis", taken);
    std::string seen = text;
    seen.replace(seen.find("return y"), 8, "u = multiply(a, y); return u");
    require_unchanged("FoldScaleAxis", seen);
}

TEST_CASE("a factor after a concatenation goes to each part", "[transform][fold_scale_axis]") {
    const graph::Module across = folded(function(
        "x: f32[1,3,2,2]", std::string(kTwo) + "k: f32[1,1,2,2] = const [1, 2, 3, 4]; a = conv2d(x, w); "
                                               "b = conv2d(x, v); c = concat(a, k, b) {axis=1}; "
                                               "q: f32[5,1,1] = const [2, 3, 5, 7, -11]; y = multiply(c, q);"));
    REQUIRE(count_calls(across, "multiply") == 0);
    const graph::Module along =
        folded(function("x: f32[1,3,2,2]", std::string(kTwo) + "a = conv2d(x, w); b = conv2d(x, v); "
                                                               "c = concat(a, b) {axis=2}; y = multiply(c, s);"));
    REQUIRE(count_calls(along, "multiply") == 0);
}

TEST_CASE("several factors in a chain are all taken up", "[transform][fold_scale_axis]") {
    const graph::Module module =
        folded(function("x: f32[1,3,2,2]", std::string(kTwo) + "a = conv2d(x, w); m = multiply(a, s); r = relu(m); "
                                                               "u: f32[] = const 3.0; n = multiply(r, u); "
                                                               "y = transpose(n) {perm=[0, 2, 3, 1]};"));
    REQUIRE(count_calls(module, "multiply") == 0);
    // A product with nothing above it takes up those below it.
    const graph::Module product =
        folded(function("x: f32[1,2,2,2]", std::string(kTwo) + "m = multiply(x, s); r = relu(m); "
                                                               "u: f32[2,1,1] = const [3, 5]; y = multiply(r, u);"));
    REQUIRE(count_calls(product, "multiply") == 1);
}

TEST_CASE("a factor goes down to everyone who uses its product", "[transform][fold_scale_axis]") {
    const std::string text = function(
        "x: f32[1,3,4,4]", std::string(kTwo) + "m = multiply(x, t); r = relu(m); a = conv2d(r, w); "
                                               "p = avg_pool(r) {kernel=[1, 1]}; b = conv2d(p, v); y = add(a, b);");
    const graph::Module module = folded(text);
    REQUIRE(count_calls(module, "multiply") == 0);
    REQUIRE(count_calls(module, "") == 5);
    std::string seen = text;
    seen.replace(seen.find("conv2d(p, v)"), 12, "reduce_sum(p) {axes=[1]}");
    require_unchanged("FoldScaleAxis", seen);
}

TEST_CASE("a part of a concatenation hands its factor on", "[transform][fold_scale_axis]") {
    const graph::Module module = folded(
        function("x: f32[1,1,2,2], z: f32[1,2,2,2]",
                 std::string(kTwo) + "m = multiply(z, s); c = concat(x, m) {axis=1}; e: f32[3] = const [1, 2, 3]; "
                                     "d = bias_add(c, e); r = relu(d); y = conv2d(r, w);"));
    REQUIRE(count_calls(module, "multiply") == 0);
    REQUIRE(count_calls(module, "concat") == 1);
}
