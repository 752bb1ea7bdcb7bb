#include "core/ops/permute.hpp"
#include "tests/core/transform/graphs.hpp"

using namespace orrery;
using namespace orrery::transform;
using namespace orrery::transform::test;

namespace {

const char* const kConvBnRelu = R"(outputs ["y"];
fn main(x: f32[1,2,4,4]) -> f32[1,3,4,4] {
  w: f32[3,2,1,1] = const [1, 2, 3, 4, 5, 6];
  g: f32[3] = const [1, 2, 0.5];
  b: f32[3] = const [0, 1, -1];
  m: f32[3] = const [0.5, 0, 1];
  v: f32[3] = const [1, 4, 0.25];
  c: f32[1,3,4,4] = conv2d(x, w) {dilations=[1, 1], groups=1, pads=[0, 0, 0, 0], strides=[1, 1]};
  n: f32[1,3,4,4] = batch_norm(c, g, b, m, v) {epsilon=0.001};
  y: f32[1,3,4,4] = relu(n);
  return y;
}
)";

} // namespace

TEST_CASE("constants fold through calls", "[transform][fold_constant]") {
    const graph::Module module = module_of(R"(outputs ["y"];
fn main(x: f32[2]) -> f32[2] {
  a: f32[2] = const [1, 2];
  b: f32[2] = const [10, 20];
  s: f32[2] = add(a, b);
  p: f32[2] = multiply(s, s);
  y: f32[2] = add(x, p);
  return y;
}
)");
    const graph::Module folded = apply("FoldConstant", module);
    REQUIRE(count_calls(folded, "") == 1);
    const graph::Module clean = apply("DeadCode", folded);
    REQUIRE(clean.main->bindings.size() == 2);
    // The folded value comes from everything it was computed from.
    REQUIRE(clean.main->bindings[0].origin == OriginSet(std::vector<SourceId>{0, 1, 2, 3}));
    const auto* constant = graph::as<graph::Constant>(clean.main->bindings[0].value);
    REQUIRE(constant != nullptr);
    REQUIRE(constant->value.as_double(1) == 484); // (2 + 20)^2
    // A result above the limit stays a call, but for one that is no larger than what it is made from.
    REQUIRE(count_calls(apply("FoldConstant", module, {{"max_bytes", "4"}}), "") == 1);
    const graph::Module outer = module_of(R"(outputs ["y"];
fn main(x: f32[3,3]) -> f32[3,3] {
  a: f32[3,1] = const [1, 2, 3];
  b: f32[1,3] = const [4, 5, 6];
  s: f32[3,3] = add(a, b);
  y: f32[3,3] = add(x, s);
  return y;
}
)");
    REQUIRE(count_calls(apply("FoldConstant", outer, {{"max_bytes", "4"}}), "") == 2);
    REQUIRE(count_calls(apply("FoldConstant", outer, {{"max_bytes", "64"}}), "") == 1);
    REQUIRE(fold_constant(module, {{{"max_bytes", "many"}}, {}, nullptr}).error().code == Code::BadArgument);
}

TEST_CASE("dead bindings go, a live graph stays the same handle", "[transform][dead_code]") {
    const graph::Module module = module_of(R"(outputs ["y"];
fn main(x: f32[2]) -> f32[2] {
  d: f32[2] = exp(x);
  e: f32[2] = add(d, x);
  y: f32[2] = relu(x);
  return y;
}
)");
    REQUIRE(apply("DeadCode", module).main->bindings.size() == 1);
}

TEST_CASE("equal expressions are computed once", "[transform][cse]") {
    const graph::Module module = module_of(R"(outputs ["y"];
fn main(x: f32[2], z: f32[2]) -> f32[2] {
  a: f32[2] = add(x, z);
  b: f32[2] = add(x, z);
  c: f32[2] = add(z, x);
  d: f32[2] = multiply(a, b);
  y: f32[2] = add(d, c);
  return y;
}
)");
    const graph::Module merged = apply("EliminateCommonSubexpr", module);
    REQUIRE(count_calls(merged, "add") == 3); // operands in another order are another expression
}

TEST_CASE("equal constants become one, whatever is put off, and those that begin alike do not", "[transform][cse]") {
    NDArray plain = NDArray::zeros(DType::F32, {256, 300}), other = NDArray::zeros(DType::F32, {256, 300});
    for (std::int64_t i = 0; i < plain.size(); ++i) {
        plain.set(i, static_cast<double>(i % 77));
        other.set(i, static_cast<double>(i % 77) + (i == 50000 ? 1 : 0));
    }
    const NDArray copy = NDArray::copy_of(DType::F32, {256, 300}, plain.data(), plain.bytes());
    const NDArray turned = ops::permuted(ops::permuted(plain, graph::Ints{1, 0}), graph::Ints{1, 0});
    REQUIRE(turned.source() != nullptr);
    graph::FunctionBuilder builder;
    std::vector<graph::Var> vars;
    for (const NDArray& value : {plain, other, copy, turned}) vars.push_back(builder.constant(value, {}));
    const graph::Var sum = builder.call(ops::op("add"), {vars[0], vars[1]}, {}, {}),
                     more = builder.call(ops::op("add"), {vars[2], vars[3]}, {}, {}),
                     result = builder.call(ops::op("multiply"), {sum, more}, {}, {});
    const graph::Module module{
        builder.finish("main", result), {"y"}, std::make_shared<const std::vector<graph::Source>>()};
    const graph::Module merged = apply("EliminateCommonSubexpr", module);
    std::vector<NDArray> left;
    for (const graph::Binding& binding : merged.main->bindings)
        if (const auto* constant = graph::as<graph::Constant>(binding.value)) left.push_back(constant->value);
    REQUIRE(left.size() == 2);
    CHECK(compare(left[0], plain).max_abs == 0);
    CHECK(compare(left[1], other).max_abs == 0);
}

TEST_CASE("a batch norm goes into the convolution before it", "[transform][simplify_inference]") {
    const graph::Module module = module_of(kConvBnRelu);
    const graph::Module simple = apply("SimplifyInference", module);
    REQUIRE(count_calls(simple, "batch_norm") == 0);
    const graph::Module folded = apply("DeadCode", apply("FoldConstant", simple));
    REQUIRE(count_calls(folded, "") == 3); // conv2d, bias_add, relu
    for (const graph::Binding& binding : folded.main->bindings)
        if (const auto* call = graph::as<graph::CallOp>(binding.value); call && call->op.name == "conv2d")
            REQUIRE(binding.origin.contains(6));
    const graph::Module kept = apply("SimplifyInference", module, {{"fold_conv", "false"}});
    REQUIRE(count_calls(kept, "bias_add") == 0);
}

TEST_CASE("a batch norm of something used elsewhere becomes a scale and a shift", "[transform][simplify_inference]") {
    std::string text = kConvBnRelu;
    text.replace(text.find("relu(n)"), 7, "add(n, c)");
    const graph::Module simple = apply("SimplifyInference", module_of(text));
    REQUIRE(count_calls(simple, "bias_add") == 0);
    REQUIRE(count_calls(simple, "batch_norm") == 0);
}

TEST_CASE("a constant matrix is stored as it is read", "[transform][canonicalize_ops]") {
    const graph::Module module = module_of(R"(outputs ["y"];
fn main(x: f32[1,2]) -> f32[1,3] {
  w: f32[3,2] = const [1, 2, 3, 4, 5, 6];
  y: f32[1,3] = matmul(x, w) {transpose_a=false, transpose_b=true};
  return y;
}
)");
    const graph::Module turned = apply("DeadCode", apply("FoldConstant", apply("CanonicalizeOps", module)));
    REQUIRE(turned.main->bindings.size() == 2);
    REQUIRE(graph::to_string(turned.main->bindings[0].var->type) == "f32[2,3]");
}

TEST_CASE("a layer norm that is spelled out becomes the operator", "[transform][canonicalize_ops]") {
    const auto text = [](const char* square, const char* axes = "[-1]", const char* divided = "c") {
        return "outputs [\"y\"];\nfn main(x: f32[2,3,8]) -> f32[2,3,8] {\n  two: f32[] = const 2;\n  e: f32[] = const "
               "0.001;\n"
               "  g: f32[8] = const [1, 2, 3, 4, 5, 6, 7, 8];\n"
               "  m: f32[2,3,1] = reduce_mean(x) {axes=[-1]};\n  c: f32[2,3,8] = subtract(x, m);\n"
               "  s: f32[2,3,8] = " +
               std::string(square) + ";\n  v: f32[2,3,1] = reduce_mean(s) {axes=" + axes +
               "};\n  w: f32[2,3,1] = add(e, v);\n  d: f32[2,3,1] = sqrt(w);\n  n: f32[2,3,8] = divide(" + divided +
               ", d);\n  y: f32[2,3,8] = multiply(n, g);\n  return y;\n}\n";
    };
    for (const char* square : {"multiply(c, c)", "power(c, two)"}) {
        const graph::Module after = apply("CanonicalizeOps", module_of(text(square, "[2]")));
        INFO(graph::to_string(after));
        CHECK(count_calls(after, "") == 2); // layer_norm, multiply
        for (const graph::Binding& binding : after.main->bindings)
            if (const auto* call = graph::as<graph::CallOp>(binding.value); call && call->op.name == "layer_norm") {
                CHECK(call->attrs.integer("axis", 0) == 2);
                CHECK(call->attrs.number("epsilon", 0) == Approx(0.001));
                for (SourceId node = 3; node <= 9; ++node) CHECK(binding.origin.contains(node));
            }
    }
    CHECK(count_calls(apply("CanonicalizeOps", module_of(text("power(c, g)"))), "layer_norm") == 0);
    CHECK(count_calls(apply("CanonicalizeOps", module_of(text("multiply(c, x)"))), "layer_norm") == 0);
    CHECK(count_calls(apply("CanonicalizeOps", module_of(text("multiply(c, c)", "[-1]", "x"))), "layer_norm") == 0);
}

TEST_CASE("elementwise work joins the convolution before it", "[transform][fuse_ops]") {
    const graph::Module folded =
        apply("DeadCode", apply("FoldConstant", apply("SimplifyInference", module_of(kConvBnRelu))));
    const graph::Module fused = apply("FuseOps", folded);
    REQUIRE(kernels(fused).size() == 1);
    REQUIRE(kernels(fused)[0]->function->bindings.size() == 3);
    REQUIRE(kernels(fused)[0]->function->primitive());
    const graph::Module apart = apply("FuseOps", folded, {{"fuse", "false"}});
    REQUIRE(kernels(apart).size() == 3);
    REQUIRE(fuse_ops(folded, {{{"max_depth", "0"}}, {}, nullptr}).error().code == Code::BadArgument);
}

TEST_CASE("a diamond fuses through its post-dominator, two convolutions never", "[transform][fuse_ops]") {
    const graph::Module diamond = module_of(R"(outputs ["y"];
fn main(x: f32[8]) -> f32[8] {
  a: f32[8] = relu(x);
  b: f32[8] = exp(a);
  c: f32[8] = tanh(a);
  y: f32[8] = add(b, c);
  return y;
}
)");
    REQUIRE(kernels(apply("FuseOps", diamond)).size() == 1);
    const graph::Module two = module_of(R"(outputs ["y"];
fn main(x: f32[1,2,4,4], w: f32[2,2,1,1]) -> f32[1,2,4,4] {
  a: f32[1,2,4,4] = conv2d(x, w) {dilations=[1, 1], groups=1, pads=[0, 0, 0, 0], strides=[1, 1]};
  r: f32[1,2,4,4] = relu(a);
  b: f32[1,2,4,4] = conv2d(r, w) {dilations=[1, 1], groups=1, pads=[0, 0, 0, 0], strides=[1, 1]};
  y: f32[1,2,4,4] = add(b, x);
  return y;
}
)");
    const graph::Module fused = apply("FuseOps", two);
    REQUIRE(kernels(fused).size() == 2);
    REQUIRE(kernels(fused)[0]->function->bindings.size() == 2);
    // A value seen outside a group ends it: the branch stays a kernel of its own.
    const graph::Module branch = module_of(R"(outputs ["y", "z"];
fn main(x: f32[8]) -> (f32[8], f32[8]) {
  a: f32[8] = relu(x);
  y: f32[8] = exp(a);
  t: (f32[8], f32[8]) = (y, a);
  return t;
}
)");
    REQUIRE(kernels(apply("FuseOps", branch)).size() == 2);
}

TEST_CASE("one-element constants belong to the kernel that uses them", "[transform][fuse_ops]") {
    const graph::Module module = module_of(R"(outputs ["y"];
fn main(x: f32[8]) -> f32[8] {
  two: f32[] = const 2;
  y: f32[8] = multiply(x, two);
  return y;
}
)");
    const graph::Module fused = apply("FuseOps", module);
    REQUIRE(fused.main->bindings.size() == 1);
    REQUIRE(kernels(fused)[0]->args.size() == 1);
}

TEST_CASE("the manager says what a pass lacks, times it and records its rewrites", "[transform][manager]") {
    const graph::Module module = module_of(kConvBnRelu);
    const auto manager = transform::manager();
    pass::Invariants none = 0, typed = kTyped;
    REQUIRE(manager.run(*find_pass("FoldConstant"), module, none, {}, {}).error().code == Code::BadRecipe);
    const auto step = manager.run(*find_pass("SimplifyInference"), module, typed, {}, {});
    REQUIRE(step.has_value());
    REQUIRE(step->changed);
    REQUIRE_FALSE(step->rewrites.empty());
    REQUIRE(step->rewrites[0].line > 0);
    std::stop_source stop;
    stop.request_stop();
    REQUIRE(manager.run(*find_pass("DeadCode"), module, typed, {}, {stop.get_token(), {}}).error().code ==
            Code::Cancelled);
    REQUIRE(find_pass("Nothing") == nullptr);
    for (int level = 0; level <= 3; ++level)
        for (const PassStep& row : default_pipeline(level)) REQUIRE(find_pass(row.name) != nullptr);
}
