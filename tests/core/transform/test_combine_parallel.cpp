#include "tests/core/transform/graphs.hpp"

using namespace orrery;
using namespace orrery::transform;
using namespace orrery::transform::test;

namespace {

const char* const kConvs = R"(outputs ["y"];
fn main(x: f32[1,2,3,3]) -> f32[1,4,3,3] {
  u: f32[1,2,1,1] = const [1, 2];
  c = conv2d(x, u);
  r = relu(c);
  v: f32[3,2,1,1] = const [1, 2, 3, 4, 5, 6];
  d = conv2d(x, v);
  s = tanh(d);
  y = concat(r, s) {axis=1};
  return y;
}
)";

} // namespace

TEST_CASE("convolutions of one input become one", "[transform][combine_parallel]") {
    require_becomes("CombineParallelConv2D", kConvs, R"(outputs ["y"];
fn main(x: f32[1,2,3,3]) -> f32[1,4,3,3] {
  w: f32[4,2,1,1] = const [1, 2, 1, 2, 3, 4, 5, 6];
  j = conv2d(x, w);
  c = slice(j) {begins=[0, 0, 0, 0], sizes=[1, 1, 3, 3]};
  r = relu(c);
  d = slice(j) {begins=[0, 1, 0, 0], sizes=[1, 3, 3, 3]};
  s = tanh(d);
  y = concat(r, s) {axis=1};
  return y;
}
)");
    // What the joined call comes from: both.
    const graph::Module joined = apply("CombineParallelConv2D", module_of(kConvs));
    for (const graph::Binding& binding : joined.main->bindings)
        if (const auto* call = graph::as<graph::CallOp>(binding.value); call && call->op.name == "conv2d")
            REQUIRE(binding.origin == OriginSet(std::vector<SourceId>{1, 4}));
}

TEST_CASE("biases are joined with them", "[transform][combine_parallel]") {
    std::string text = kConvs;
    text.replace(text.find("r = relu(c);"), 12, "p: f32[1] = const [7]; e = bias_add(c, p); r = relu(e);");
    text.replace(text.find("s = tanh(d);"), 12, "q: f32[3] = const [1, 2, 3]; f = bias_add(d, q); s = tanh(f);");
    const graph::Module joined = apply("CombineParallelConv2D", module_of(text));
    REQUIRE(count_calls(joined, "conv2d") == 1);
    REQUIRE(count_calls(joined, "bias_add") == 1);
}

TEST_CASE("convolutions that differ, or are wide, stay", "[transform][combine_parallel]") {
    require_unchanged("CombineParallelConv2D", kConvs, {{"min_branches", "3"}});
    require_unchanged("CombineParallelConv2D", kConvs, {{"max_width", "2"}});
    std::string text = kConvs;
    text.replace(text.find("conv2d(x, v)"), 12, "conv2d(x, v) {dilations=[2, 2]}");
    require_unchanged("CombineParallelConv2D", text);
    REQUIRE(refused_with("CombineParallelConv2D", {{"min_branches", "1"}}) == Code::BadArgument);
}

TEST_CASE("products of one tensor with constants become one", "[transform][combine_parallel]") {
    for (const bool transposed : {false, true}) {
        const std::string flag = transposed ? " {transpose_b=true}" : "";
        const std::string wide = transposed ? "f32[3,2]" : "f32[2,3]", narrow = transposed ? "f32[1,2]" : "f32[2,1]";
        const graph::Module module = apply("CombineParallelDense", module_of(R"(outputs ["y"];
fn main(x: f32[1,4,2]) -> f32[1,4,4] {
  u: )" + wide + R"( = const [1, 2, 3, 4, 5, 6];
  a = matmul(x, u))" + flag + R"(;
  k: f32[3] = const [1, 2, 3];
  b = add(k, a);
  v: )" + narrow + R"( = const [7, 8];
  c = matmul(x, v))" + flag + R"(;
  l: f32[1] = const [5];
  d = add(c, l);
  y = concat(b, d) {axis=2};
  return y;
}
)"));
        REQUIRE(count_calls(module, "matmul") == 1);
        REQUIRE(count_calls(module, "add") == 0);
        REQUIRE(count_calls(module, "bias_add") == 1);
    }
}

TEST_CASE("products of one batch become one where nobody uses an earlier one before", "[transform][combine_parallel]") {
    const std::string text = R"(outputs ["y"];
fn main(x: f32[2,3,4], p: f32[2,4,2], q: f32[2,4,5]) -> f32[2,3,7] {
  a = matmul(x, p);
  e = exp(q);
  b = matmul(x, e);
  t = tanh(a);
  y = concat(t, b) {axis=2};
  return y;
}
)";
    const graph::Module joined = apply("CombineParallelBatchMatmul", module_of(text));
    REQUIRE(count_calls(joined, "matmul") == 1);
    std::string used = text;
    used.replace(used.find("exp(q)"), 6, "concat(q, a) {axis=1}");
    used.replace(used.find("q: f32[2,4,5]"), 13, "q: f32[2,1,2]");
    used.replace(used.find("f32[2,3,7]"), 10, "f32[2,3,4]");
    require_unchanged("CombineParallelBatchMatmul", used);
}
