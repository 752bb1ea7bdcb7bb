#include "tests/core/transform/graphs.hpp"

using namespace orrery;
using namespace orrery::transform;
using namespace orrery::transform::test;

namespace {

std::string ones(int count) {
    std::string text = "[";
    for (int i = 0; i < count; ++i) text += (i ? ", " : "") + std::to_string((i * 7) % 5 - 2);
    return text + "]";
}

/// Two convolutions with what usually lies between them.
std::string network() {
    return R"(outputs ["y"];
fn main(x: f32[1,3,6,6]) -> f32[1,4] {
  u: f32[4,3,1,1] = const )" +
           ones(12) + R"(;
  a = conv2d(x, u) {pads=[1, 0, 0, 1]};
  b: f32[4] = const [1, 2, 3, 4];
  c = bias_add(a, b);
  d = relu(c);
  k: f32[4,1,1] = const [1, -1, 2, 0.5];
  e = multiply(d, k);
  p = max_pool(e) {kernel=[2, 2], strides=[2, 2], pads=[0, 0, 1, 1]};
  v: f32[4,4,1,1] = const )" +
           ones(16) + R"(;
  f = conv2d(p, v);
  g = add(f, p);
  h = concat(g, f) {axis=1};
  l = lrn(h) {size=5};
  q = avg_pool(l) {kernel=[2, 2], pads=[1, 0, 0, 0]};
  w: f32[8,1,1,2] = const )" +
           ones(16) + R"(;
  i = conv2d(q, w) {groups=8};
  z: f32[4,8,1,1] = const )" +
           ones(32) + R"(;
  j = conv2d(i, z) {strides=[2, 1]};
  m = reduce_mean(j) {axes=[2, 3]};
  y = reshape(m) {shape=[1, 4]};
  return y;
}
)";
}

} // namespace

TEST_CASE("a convolution between transforms", "[transform][convert_layout]") {
    require_becomes("ConvertLayout", R"(outputs ["y"];
fn main(x: f32[1,4,3,3]) {
  w: f32[2,4,1,1] = const [1, 2, 3, 4, 5, 6, 7, 8];
  y = conv2d(x, w) {pads=[1, 1, 1, 1]};
  return y;
}
)",
                    R"(outputs ["y"];
fn main(x: f32[1,4,3,3]) {
  t = layout_transform(x) {from="NCHW", to="NCHW2c"};
  v: f32[1,2,1,1,2,2] = const [1, 5, 2, 6, 3, 7, 4, 8];
  c = layout_conv2d(t, v) {layout="NCHW2c", out_layout="NCHW2c", pads=[1, 1, 1, 1], weight_layout="OIHW2i2o"};
  y = layout_transform(c) {from="NCHW2c", to="NCHW"};
  return y;
}
)",
                    {{"layout", "NCHW2c"}});
}

TEST_CASE("a weight that two convolutions share is packed once", "[transform][convert_layout]") {
    require_becomes("ConvertLayout", R"(outputs ["y"];
fn main(x: f32[1,2,3,3]) {
  w: f32[2,2,1,1] = const [1, 2, 3, 4];
  a = conv2d(x, w) {pads=[1, 1, 1, 1]};
  y = conv2d(a, w);
  return y;
}
)",
                    R"(outputs ["y"];
fn main(x: f32[1,2,3,3]) {
  t = layout_transform(x) {from="NCHW", to="NCHW2c"};
  v: f32[1,1,1,1,2,2] = const [1, 3, 2, 4];
  c = layout_conv2d(t, v) {layout="NCHW2c", out_layout="NCHW2c", pads=[1, 1, 1, 1], weight_layout="OIHW2i2o"};
  d = layout_conv2d(c, v) {layout="NCHW2c", out_layout="NCHW2c", weight_layout="OIHW2i2o"};
  y = layout_transform(d) {from="NCHW2c", to="NCHW"};
  return y;
}
)",
                    {{"layout", "NCHW2c"}});
}

TEST_CASE("layouts are carried through what lies between convolutions", "[transform][convert_layout]") {
    const graph::Module module = module_of(network());
    for (const char* layout : {"NCHW2c", "NCHW4c", "NHWC"}) {
        INFO(layout);
        const graph::Module packed = apply("ConvertLayout", module, {{"layout", layout}});
        REQUIRE(count_calls(packed, "conv2d") == 0);
        REQUIRE(count_calls(packed, "layout_conv2d") == 4);
        REQUIRE(count_calls(packed, "layout_max_pool") == 1);
        REQUIRE(count_calls(packed, "layout_lrn") == 1);
        REQUIRE(count_calls(packed, "layout_avg_pool") == 1);
        // One at the image (whose three channels no block divides), one at the end.
        REQUIRE(count_calls(packed, "layout_transform") == (layout == std::string("NHWC") ? 2 : 1));
        // And back.
        const graph::Module plain = apply("ConvertLayout", packed, {{"layout", "NCHW"}});
        REQUIRE(count_calls(plain, "layout_conv2d") == 0);
        REQUIRE(count_calls(plain, "conv2d") == 4);
        REQUIRE(count_calls(plain, "lrn") == 1);
        REQUIRE(count_calls(plain, "layout_transform") == 0);
    }
    REQUIRE(apply("ConvertLayout", module, {{"layout", "NCHW"}}).main == module.main);
}

TEST_CASE("blocks that do not divide leave a convolution as it is", "[transform][convert_layout]") {
    require_unchanged("ConvertLayout", network(), {{"layout", "NCHW16c"}});
    for (const char* layout : {"NCHW0c", "CHWN", "NHWC4c", "NCHW4n", "", "nchw"})
        REQUIRE(refused_with("ConvertLayout", {{"layout", layout}}) == Code::BadArgument);
}

TEST_CASE("the target's registers choose the block", "[transform][alter_op_layout]") {
    const graph::Module module = module_of(network());
    const graph::Module wide = apply("AlterOpLayout", module, {{"vector_bits", "128"}});
    REQUIRE(count_calls(wide, "layout_conv2d") == 4);
    // Four channels fill a fourth of 512 bits.
    const graph::Module few = apply("AlterOpLayout", module, {{"vector_bits", "512"}});
    REQUIRE(count_calls(few, "layout_conv2d") == 1); // the depthwise one, with eight channels
    REQUIRE(refused_with("AlterOpLayout", {{"vector_bits", "wide"}}) == Code::BadArgument);
    // A recipe that says nothing gets the target's.
    const PassStep step = with_facts({"AlterOpLayout", {}, true}, {{"vector_bits", "512"}});
    REQUIRE(step.options.at("vector_bits") == "512");
    REQUIRE(with_facts({"AlterOpLayout", {{"vector_bits", "256"}}, true}, {{"vector_bits", "512"}})
                .options.at("vector_bits") == "256");
    REQUIRE(with_facts({"DeadCode", {}, true}, {{"vector_bits", "512"}}).options.empty());
}

TEST_CASE("blocks of several registers fill them where blocks of one would not", "[transform][alter_op_layout]") {
    // Groups of 34 channels: 34 are four registers of eight and a quarter, 17 two and an eighth, 2 a quarter.
    const graph::Module module = module_of(R"(outputs ["y"];
fn main(x: f32[1,68,2,2]) {
  w: f32[68,34,1,1] = const )" + ones(68 * 34) +
                                           R"(;
  y = conv2d(x, w) {groups=2};
  return y;
}
)");
    const std::string packed = graph::to_string(apply("AlterOpLayout", module, {{"vector_bits", "256"}}));
    CHECK(packed.find("out_layout=\"NCHW34c\"") != std::string::npos);
    CHECK(packed.find("weight_layout=\"OIHW34i34o\"") != std::string::npos);
}

TEST_CASE("filters of zeros fill blocks where channels end as single numbers", "[transform][alter_op_layout]") {
    // 11 filters are two registers of four and three quarters of one, which would take two more; 12 are three.
    const std::string head = "outputs [\"y\"];\nfn main(x: f32[1,4,6,6]) {\n  w: f32[11,4,1,1] = const " + ones(44) +
                             ";\n  v: f32[11] = const " + ones(11) + ";\n  k: f32[1,11,1,1] = const " + ones(11) +
                             ";\n  s: f32[] = const 2;\n  c = conv2d(x, w);\n  b = bias_add(c, v);\n";
    const auto text_of = [&](const std::string& body) {
        return graph::to_string(apply("AlterOpLayout", module_of(head + body), {{"vector_bits", "128"}}));
    };
    const std::string mean = "  m = reduce_mean(d) {axes=[2, 3]};\n", last = "  return y;\n}\n";
    const std::string all = text_of("  r = relu(b);\n  a = multiply(k, r);\n  e = add(a, s);\n  d = max_pool(e) "
                                    "{kernel=[2, 2]};\n" +
                                    mean + "  y = reshape(m) {shape=[11]};\n" + last);
    CHECK(all.find("out_layout=\"NCHW4c\"") != std::string::npos);
    CHECK(all.find("f32[1,3,1,1,4]") != std::string::npos);
    CHECK(all.find("slice(") != std::string::npos);
    // One sum of two of them is cut off twice.
    const std::string twice =
        text_of("  d = relu(b);\n" + mean + "  n = reduce_max(d) {axes=[3, 2]};\n  y = add(m, n);\n" + last);
    CHECK(twice.find("out_layout=\"NCHW4c\"") != std::string::npos);
    for (const std::string& body :
         {"  y = relu(b);\n" + last,                                           // images are wanted
          "  d = softmax(b) {axis=1};\n" + mean + "  y = relu(m);\n" + last,   // channels are mixed
          "  y = reduce_mean(b) {axes=[1, 3]};\n" + last,                      // likewise
          "  d = concat(b, x) {axis=1};\n" + mean + "  y = relu(m);\n" + last, // likewise
          "  d = add(b, c);\n" + mean + "  y = relu(m);\n" + last,             // two of them
          "  d = multiply(b, x0);\n" + mean + "  y = relu(m);\n" + last}) {    // what is no constant
        std::string whole = body;
        if (const std::size_t at = whole.find("x0"); at != std::string::npos)
            whole = "  g = reduce_mean(x) {axes=[1]};\n" + whole.replace(at, 2, "g");
        INFO(whole);
        CHECK(text_of(whole).find("slice(") == std::string::npos);
    }
}

TEST_CASE("places go by nine where filters go by three blocks", "[transform][alter_op_layout]") {
    const auto rows = [](int size, int filters, const std::string& bits) {
        const std::string n = std::to_string(size), m = std::to_string(filters);
        const graph::Module module = module_of("outputs [\"y\"];\nfn main(x: f32[1,16," + n + "," + n + "], w: f32[" +
                                               m + ",16,1,1]) {\n  y = conv2d(x, w);\n  return y;\n}\n");
        const std::string text = graph::to_string(apply("AlterOpLayout", module, {{"vector_bits", bits}}));
        return std::stoi(text.substr(text.rfind("rows=") + 5));
    };
    CHECK(rows(13, 48, "512") == 9); // 171 places, where sixes make 174
    CHECK(rows(12, 48, "512") == 6);
    CHECK(rows(13, 64, "512") == 6);
    CHECK(rows(13, 48, "256") == 6);
}

TEST_CASE("a depthwise convolution takes the block of its neighbours", "[transform][alter_op_layout]") {
    const std::string head = "outputs [\"y\"];\nfn main(x: f32[1,136,4,4]) {\n  w: f32[136,34,1,1] = const " +
                             ones(136 * 34) + ";\n  d: f32[136,1,3,3] = const " + ones(136 * 9) +
                             ";\n  b: f32[136,1,1] = const " + ones(136) + ";\n";
    const auto packed = [&](const std::string& body) {
        return apply("AlterOpLayout", module_of(head + body), {{"vector_bits", "256"}});
    };
    // What reads it, elementwise work between, and what it reads. Blocks of eight would fill registers.
    const graph::Module before = packed("  c = conv2d(x, d) {groups=136, pads=[1, 1, 1, 1]};\n  a = add(c, b);\n"
                                        "  y = conv2d(a, w) {groups=4};\n  return y;\n}\n");
    const graph::Module after = packed("  c = conv2d(x, w) {groups=4};\n  a = add(c, b);\n"
                                       "  y = conv2d(a, d) {groups=136, pads=[1, 1, 1, 1]};\n  return y;\n}\n");
    for (const graph::Module* module : {&before, &after}) {
        CHECK(count_calls(*module, "layout_conv2d") == 2);
        CHECK(count_calls(*module, "layout_transform") == 2); // the input and the result
    }
    const graph::Module alone = packed("  y = conv2d(x, d) {groups=136};\n  return y;\n}\n");
    CHECK(graph::to_string(alone).find("out_layout=\"NCHW8c\"") != std::string::npos);
}

namespace {

/// A convolution in groups, a shuffle of its channels, `between`, which makes z of s, and another one in groups.
graph::Module shuffled_network(const std::string& between) {
    return module_of("outputs [\"y\"];\nfn main(x: f32[1,16,3,3], o: f32[1,16,1,1]) {\n  w: f32[16,8,1,1] = const " +
                     ones(128) + ";\n  d: f32[16,1,3,3] = const " + ones(144) + ";\n  b: f32[16] = const " + ones(16) +
                     ";\n  k: f32[16,1,1] = const " + ones(16) + R"(;
  c = conv2d(x, w) {groups=2};
  p = reshape(c) {shape=[1, 2, 8, 9]};
  t = transpose(p) {perm=[0, 2, 1, 3]};
  s = reshape(t) {shape=[1, 16, 3, 3]};
)" + between + R"(
  y = conv2d(z, w) {groups=2};
  return y;
}
)");
}

std::string canonical(const graph::Module& module) {
    const graph::Module after = apply("CanonicalizeOps", module);
    return graph::to_string(apply("DeadCode", apply("FoldConstant", after)));
}

} // namespace

TEST_CASE("a convolution of places after a depthwise one goes by groups that divide rows of its image",
          "[transform][alter_op_layout]") {
    const auto rows = [](int size, const std::string& bits, int groups) {
        const std::string n = std::to_string(size), depth = groups > 1 ? "1" : "16";
        const graph::Module module =
            module_of("outputs [\"y\"];\nfn main(x: f32[1,16," + n + "," + n + "], w: f32[16," + depth +
                      ",3,3], v: f32[16,16,1,1]) -> f32[1,16," + n + "," + n +
                      "] {\n  c = conv2d(x, w) {pads=[1, 1, 1, 1], groups=" + std::to_string(groups) +
                      "};\n  r = relu(c);\n  y = conv2d(r, v);\n  return y;\n}\n");
        const std::string text = graph::to_string(apply("AlterOpLayout", module, {{"vector_bits", bits}}));
        const std::size_t at = text.rfind("rows=");
        return at == std::string::npos ? 0 : std::stoi(text.substr(at + 5));
    };
    CHECK(rows(14, "512", 16) == 14);
    CHECK(rows(14, "256", 16) == 6); // registers hold no 14 rows
    CHECK(rows(14, "512", 1) == 6);  // no rows of the image are asked for
    CHECK(rows(12, "512", 16) == 6); // 14 would be 154 places for 144
}

TEST_CASE("a convolution in groups reads a shuffle as it lay before", "[transform][alter_op_layout]") {
    const graph::Module module = shuffled_network("  z = relu(s);");
    const graph::Module laid = apply("AlterOpLayout", apply("CanonicalizeOps", module), {{"vector_bits", "128"}});
    CHECK(count_calls(laid, "layout_conv2d") == 2);
    CHECK(count_calls(laid, "layout_transform") == 2); // the input and the result
    CHECK(count_calls(laid, "transpose") == 0);
    CHECK(graph::to_string(laid).find("shuffle=2") != std::string::npos);
    // Blocks of the first one that do not divide a group are fine to read.
    const graph::Module other = apply("ConvertLayout", apply("CanonicalizeOps", module), {{"layout", "NCHW2c"}});
    CHECK(graph::to_string(other).find("shuffle=2") != std::string::npos);
    // Rows, and nothing packed before: as it is.
    CHECK(count_calls(apply("ConvertLayout", module, {{"layout", "NHWC"}}), "transpose") == 1);
}

TEST_CASE("a convolution in groups reads a shuffle that was cast as it lay before", "[transform][alter_op_layout]") {
    const graph::Module module =
        module_of("outputs [\"y\"];\nfn main(x: f32[1,16,3,3]) {\n  w: f32[16,8,1,1] = const " + ones(128) +
                  ";\n  v: f16[16,8,1,1] = const " + ones(128) + R"(;
  c = conv2d(x, w) {groups=2};
  p = reshape(c) {shape=[1, 2, 8, 9]};
  t = transpose(p) {perm=[0, 2, 1, 3]};
  s = reshape(t) {shape=[1, 16, 3, 3]};
  z = cast(s) {dtype=f16};
  y = conv2d(z, v) {groups=2, out_dtype=f32};
  return y;
}
)");
    for (const char* choose : {"graph", "local"}) {
        graph::Module laid;
        CHECK(difference_after("AlterOpLayout", module, laid, {{"vector_bits", "128"}, {"choose", choose}}) < 1e-5);
        CHECK(count_calls(laid, "transpose") == 0);
        CHECK(count_calls(laid, "layout_transform") == 2); // the input and the result
        CHECK(graph::to_string(laid).find("shuffle=2") != std::string::npos);
    }
}

TEST_CASE("a shuffle moves behind what keeps channels apart", "[transform][canonicalize_ops]") {
    const auto late = [](const std::string& between) {
        const std::string text = canonical(shuffled_network(between));
        const std::size_t shuffle = text.find(" transpose("), last = text.rfind("groups=2");
        REQUIRE(shuffle != std::string::npos);
        // Nothing but the shuffle's own reshape stands between it and the convolution.
        const std::string after = text.substr(shuffle, last - shuffle);
        return std::ranges::count(after, ';') == 2;
    };
    CHECK(late("  z = conv2d(s, d) {groups=16, pads=[1, 1, 1, 1]};"));
    CHECK(late("  e = bias_add(s, b);\n  f = multiply(k, e);\n  g = conv2d(f, d) {groups=16, pads=[1, 1, 1, 1]};\n"
               "  z = relu(g);"));
    CHECK(late("  e: f32[] = const 2.0;\n  z = maximum(s, e);"));
    // What is not known, what mixes channels, what is used elsewhere.
    CHECK_FALSE(late("  z = multiply(s, o);"));
    CHECK_FALSE(late("  z = softmax(s) {axis=1};"));
    CHECK_FALSE(late("  e = relu(s);\n  z = add(e, s);"));
}

TEST_CASE("a transposed convolution is sorted by phase", "[transform][alter_op_layout]") {
    require_becomes("AlterOpLayout",
                    R"(outputs ["y"];
fn main(x: f32[1,4,2,2]) {
  w: f32[4,4,2,1] = const )" +
                        ones(32) +
                        R"(;
  c = conv_transpose(x, w) {strides=[2, 1], pads=[1, 0, 0, 0]};
  y = relu(c);
  return y;
}
)",
                    R"(outputs ["y"];
fn main(x: f32[1,4,2,2]) {
  t = layout_transform(x) {from="NCHW", to="NCHW4c"};
  v: f32[2,1,1,1,1,4,4] = const [0, -1, -2, 2, 1, 0, -1, -2, 2, 1, 0, -1, -2, 2, 1, 0,
    -2, 2, 1, 0, -1, -2, 2, 1, 0, -1, -2, 2, 1, 0, -1, -2];
  c = layout_conv_transpose(t, v) {kernel=[2, 1], layout="NCHW4c", out_layout="NCHW4c", pads=[1, 0, 0, 0],
    strides=[2, 1]};
  r = relu(c);
  y = layout_transform(r) {from="NCHW4c", to="NCHW"};
  return y;
}
)");
    const auto left = [](const std::string& weight, const std::string& attrs) {
        require_unchanged("AlterOpLayout", "fn main(x: f32[1,4,2,2], v: f32[4,4,2,2]) {\n  w: f32[4,4,2,2] = const " +
                                               ones(64) + ";\n  y = conv_transpose(x, " + weight + ") {" + attrs +
                                               "};\n  return y;\n}\n");
    };
    left("v", "strides=[2, 2]");           // not known when it is compiled
    left("w", "strides=[2, 2], groups=4"); // depthwise, of four filters each
    left("w", "strides=[2, 3]");           // phases without a tap
    left("w", "strides=[2, 2], dilations=[1, 3]");
}

TEST_CASE("a transposed convolution that is an ordinary one", "[transform][canonicalize_ops]") {
    require_becomes("CanonicalizeOps", R"(outputs ["y"];
fn main(x: f32[1,2,3,3]) {
  w: f32[2,1,2,3] = const [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
  y = conv_transpose(x, w) {dilations=[2, 1], groups=2, output_padding=[0, 1], pads=[1, 0, 2, 1]};
  return y;
}
)",
                    R"(outputs ["y"];
fn main(x: f32[1,2,3,3]) {
  v: f32[2,1,2,3] = const [6, 5, 4, 3, 2, 1, 12, 11, 10, 9, 8, 7];
  y = conv2d(x, v) {dilations=[2, 1], groups=2, pads=[1, 2, 0, 2]};
  return y;
}
)");
    // One place: its channels times the filters.
    const graph::Module one = apply("CanonicalizeOps", module_of(R"(outputs ["y"];
fn main(x: f32[2,3,1,1], w: f32[3,2,4,3]) {
  y = conv_transpose(x, w) {strides=[2, 1]};
  return y;
}
)"));
    REQUIRE(count_calls(one, "matmul") == 1);
    REQUIRE(count_calls(one, "conv_transpose") == 0);
    for (const char* attrs : {"strides=[2, 1]", "pads=[2, 0, 0, 0]", "output_padding=[0, 0], pads=[0, 3, 0, 0]"})
        require_unchanged("CanonicalizeOps", std::string("fn main(x: f32[1,1,4,4]) {\n  w: f32[1,1,2,2] = const "
                                                         "[1, 2, 3, 4];\n  y = conv_transpose(x, w) {") +
                                                 attrs + "};\n  return y;\n}\n");
}

TEST_CASE("a value somebody else needs is brought back", "[transform][convert_layout]") {
    const graph::Module module = module_of(R"(outputs ["y"];
fn main(x: f32[1,4,3,3]) {
  w: f32[4,4,1,1] = const )" + ones(16) + R"(;
  c = conv2d(x, w);
  r = relu(c);
  s = softmax(r) {axis=1};
  d = conv2d(s, w);
  y = add(d, r);
  return y;
}
)");
    const graph::Module packed = apply("ConvertLayout", module, {{"layout", "NCHW4c"}});
    REQUIRE(count_calls(packed, "layout_conv2d") == 2);
    REQUIRE(count_calls(packed, "layout_transform") == 4); // x in, r out for softmax, s in, y out
}
