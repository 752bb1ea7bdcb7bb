#include "core/transform/fusion.hpp"
#include "tests/core/transform/graphs.hpp"

#include <set>

using namespace orrery;
using namespace orrery::transform;
using namespace orrery::transform::test;

namespace {

const char* const kTwoInputs = R"(outputs ["y"];
fn main(x: f32[1,2,4,4], w: f32[2,2,1,1]) -> f32[1,2,4,4] {
  two: f32[] = const 2;
  a = conv2d(x, w);
  r = relu(a);
  m = multiply(r, two);
  b = conv2d(m, w);
  s = softmax(b) {axis=1};
  t = transpose(s) {perm=[0, 1, 3, 2]};
  q = argmax(t) {axis=1};
  c = cast(q) {dtype=f32};
  y = add(c, s);
  return y;
}
)";

NotFused reason_between(const graph::Module& module, const std::string& from, const std::string& to,
                        const pass::Options& options = {}) {
    const auto edges = fusion_reasons(module, {options, {}, nullptr});
    REQUIRE(edges.has_value());
    for (const UnfusedEdge& edge : *edges)
        if (edge.producer->name == from && edge.consumer->name == to) {
            REQUIRE_FALSE(edge.text.empty());
            return edge.reason;
        }
    FAIL("fused, or no edge: " + from + " to " + to);
    return NotFused::Opaque;
}

} // namespace

TEST_CASE("every edge left apart has its reason", "[transform][fusion_reasons]") {
    const graph::Module module = module_of(kTwoInputs);
    CHECK(reason_between(module, "m", "b") == NotFused::ReadAccess);
    CHECK(reason_between(module, "b", "s") == NotFused::ReadAccess);
    CHECK(reason_between(module, "t", "q") == NotFused::Opaque);
    CHECK(reason_between(module, "a", "r", {{"fuse", "false"}}) == NotFused::TooLarge);
    CHECK(reason_between(module, "a", "r", {{"max_depth", "1"}}) == NotFused::TooLarge);
    const graph::Module seen = module_of(R"(outputs ["y", "z"];
fn main(x: f32[8]) -> (f32[8], f32[8]) {
  a: f32[8] = relu(x);
  y: f32[8] = exp(a);
  t: (f32[8], f32[8]) = (y, a);
  return t;
}
)");
    CHECK(reason_between(seen, "y", "t") == NotFused::NoOperator);
    CHECK(fusion_reasons(module, {{{"max_depth", "0"}}, {}, nullptr}).error().code == Code::BadArgument);
}

TEST_CASE("edges inside kernels have none, all others one", "[transform][fusion_reasons]") {
    const graph::Module module = module_of(kTwoInputs);
    const graph::Module fused = apply("FuseOps", module);
    std::set<std::pair<std::string, std::string>> inside, left;
    for (const graph::CallFunction* kernel : kernels(fused))
        for (const graph::Binding& binding : kernel->function->bindings)
            for (const graph::Var& operand : graph::operands(binding.value))
                if (operand) inside.emplace(operand->name, binding.var->name);
    const auto edges = fusion_reasons(module, {{}, {}, nullptr});
    std::size_t count = 0;
    for (const UnfusedEdge& edge : *edges) left.emplace(edge.producer->name, edge.consumer->name);
    for (const graph::Binding& binding : module.main->bindings)
        for (const graph::Var& operand : graph::operands(binding.value)) {
            const bool constant = operand->name == "two" || operand->name == "x" || operand->name == "w";
            if (constant) continue;
            ++count;
            const std::pair<std::string, std::string> edge{operand->name, binding.var->name};
            INFO(edge.first << " to " << edge.second);
            // A kernel's parameter has its argument's name: an edge may look inside though it crosses.
            CHECK((left.contains(edge) || inside.contains(edge)));
        }
    REQUIRE(count == 9);
    REQUIRE(edges->size() < count);
}

TEST_CASE("defusing undoes fusing", "[transform][defuse_ops]") {
    const graph::Module module = module_of(kTwoInputs);
    const graph::Module fused = apply("FuseOps", module);
    REQUIRE(kernels(fused).size() > 1);
    const graph::Module apart = apply("DefuseOps", fused);
    REQUIRE(kernels(apart).empty());
    REQUIRE(count_calls(apart, "") == count_calls(module, ""));
    // Fusing again gives the same kernels.
    REQUIRE(graph::structural_equal(apply("FuseOps", apart).main, fused.main));
    for (const graph::Binding& binding : apart.main->bindings) REQUIRE_FALSE(binding.origin.empty());
    require_unchanged("DefuseOps", kTwoInputs);
    // What FuseOps established no longer holds.
    pass::Invariants holding = kTyped;
    const auto manager = transform::manager();
    REQUIRE(manager.run(*find_pass("FuseOps"), module, holding, {}, {}).has_value());
    REQUIRE((holding & kFused) != 0);
    REQUIRE(manager.run(*find_pass("DefuseOps"), fused, holding, {}, {}).has_value());
    REQUIRE((holding & kFused) == 0);
}

namespace {

/// A depthwise convolution with its bias and bounds, and the one of single places after it; `more` may read "d" too.
graph::Module separable(const std::string& more = "", const std::string& pointwise = "rows=4, ") {
    return module_of(R"(outputs ["y"];
fn main(x: f32[1,2,8,8,4], wd: f32[2,1,3,3,4], b: f32[1,2,1,1,4], wp: f32[3,2,1,1,4,4], z: f32[1,3,8,8,4]) -> f32[1,3,8,8,4] {
  c = layout_conv2d(x, wd) {groups=8, layout="NCHW4c", out_layout="NCHW4c", pads=[1, 1, 1, 1], weight_layout="OIHW4o"};
  s = add(c, b);
  d = relu(s);
  p = layout_conv2d(d, wp) {layout="NCHW4c", out_layout="NCHW4c", )" +
                     pointwise + R"(weight_layout="OIHW4i4o"};
  q = add(p, z);
)" + (more.empty() ? "  y = relu(q);\n" : more) +
                     "  return y;\n}\n");
}

std::size_t kernel_count(const graph::Module& module, const pass::Options& options) {
    return kernels(apply("FuseOps", module, options)).size();
}

} // namespace

TEST_CASE("a depthwise convolution shares the kernel of the one of single places that alone reads it",
          "[transform][fuse_ops][fusion_reasons]") {
    const pass::Options some{{"piece_bytes", "512"}}; // two rows of 8 places of 8 channels
    const graph::Module fused = apply("FuseOps", separable(), some);
    REQUIRE(kernels(fused).size() == 1);
    CHECK(kernels(fused).front()->function->name == "layout_conv2d_add_relu_layout_conv2d_add_relu");
    CHECK(fusion_reasons(separable(), {some, {}, nullptr})->empty());
    CHECK(graph::structural_equal(apply("FuseOps", apply("DefuseOps", fused), some).main, fused.main));
    // A target says how much; without one they stay apart.
    CHECK(kernel_count(separable(), {}) == 2);
    CHECK(reason_between(separable(), "d", "p") == NotFused::ReadAccess);
    // A row takes 256 bytes, and so do the weights of 96 numbers beside it.
    CHECK(kernel_count(separable(), {{"piece_bytes", "384"}}) == 1);
    CHECK(reason_between(separable(), "d", "p", {{"piece_bytes", "383"}}) == NotFused::NoPiece);
    CHECK(reason_between(separable("", "rows=16, "), "d", "p", {{"piece_bytes", "511"}}) == NotFused::NoPiece);
    CHECK(kernel_count(separable("", "rows=16, "), some) == 1);
    CHECK(reason_between(separable("", "rows=5, "), "d", "p", {{"piece_bytes", "4096"}}) == NotFused::NoPiece);
    // The limit on operators holds for both together.
    CHECK(reason_between(separable(), "d", "p", {{"piece_bytes", "512"}, {"max_depth", "5"}}) == NotFused::TooLarge);
}

namespace {

/// A convolution with its bias and bounds, and the pooling of its image of 8 rows of 256 bytes.
graph::Module pooled(const std::string& pool, const std::string& more = "  y = relu(p);\n") {
    return module_of(R"(outputs ["y"];
fn main(x: f32[1,3,8,8], w: f32[2,3,3,3,4], b: f32[1,2,1,1,4]) -> f32[1,2,4,4,4] {
  c = layout_conv2d(x, w) {layout="NCHW", out_layout="NCHW4c", pads=[1, 1, 1, 1], weight_layout="OIHW4o"};
  s = add(c, b);
  d = relu(s);
  p = )" + pool + R"( {kernel=[2, 2], layout="NCHW4c", strides=[2, 2]};
)" + more + "  return y;\n}\n");
}

} // namespace

TEST_CASE("a convolution shares the kernel of the pooling that alone reads its image",
          "[transform][fuse_ops][fusion_reasons]") {
    for (const char* pool : {"layout_max_pool(d)", "layout_avg_pool(d)"}) {
        const graph::Module fused = apply("FuseOps", pooled(pool), {{"image_bytes", "1024"}});
        REQUIRE(kernels(fused).size() == 1);
        CHECK(kernels(fused).front()->function->name.starts_with("layout_conv2d_add_relu_layout_"));
        CHECK(graph::structural_equal(apply("FuseOps", apply("DefuseOps", fused), {{"image_bytes", "1024"}}).main,
                                      fused.main));
    }
    const graph::Module module = pooled("layout_max_pool(d)");
    // A target says how much; without one they stay apart.
    CHECK(kernel_count(module, {}) == 2);
    // All of the image stays in the cache, or not even the rows of two windows do.
    CHECK(kernel_count(module, {{"image_bytes", "2047"}}) == 1);
    CHECK(reason_between(module, "d", "p", {{"image_bytes", "2048"}}) == NotFused::NoPieceToPool);
    CHECK(reason_between(module, "d", "p", {{"image_bytes", "1023"}}) == NotFused::NoPieceToPool);
    CHECK(reason_between(module, "d", "p", {{"image_bytes", "1024"}, {"max_depth", "4"}}) == NotFused::TooLarge);
    // Somebody else reads it.
    CHECK(kernel_count(pooled("layout_max_pool(d)",
                              "  r = reduce_mean(d) {axes=[2, 3], keepdims=true};\n  y = multiply(p, r);\n"),
                       {{"image_bytes", "1024"}}) > 1);
}

TEST_CASE("pooling joins a convolution in tiles where windows keep to them", "[transform][fuse_ops][fusion_reasons]") {
    const auto tiled = [](int size, const std::string& windows) {
        const std::string image = "[1,2," + std::to_string(size) + "," + std::to_string(size) + ",4]";
        return module_of(R"(outputs ["y"];
fn main(x: f32)" + image +
                         R"(, w: f32[6,6,2,8,4]) {
  c = winograd_conv2d(x, w) {layout="NCHW4c", out_layout="NCHW4c", pads=[1, 1, 1, 1], tile=4};
  d = relu(c);
  p = layout_max_pool(d) {layout="NCHW4c", )" +
                         windows + R"(};
  y = relu(p);
  return y;
}
)");
    };
    const pass::Options any{{"image_bytes", "1"}};
    const auto fused = [&](int size, const std::string& windows) {
        const graph::Module module = tiled(size, windows);
        if (kernel_count(module, any) == 1) return true;
        CHECK(reason_between(module, "d", "p", any) == NotFused::AcrossTiles);
        return false;
    };
    CHECK(fused(8, "kernel=[2, 2], strides=[2, 2]"));
    CHECK(fused(8, "kernel=[4, 2], strides=[4, 2]"));
    CHECK(fused(10, "kernel=[2, 2], strides=[2, 2]"));
    CHECK_FALSE(fused(9, "kernel=[2, 2], strides=[2, 2]"));
    CHECK_FALSE(fused(8, "kernel=[2, 2], strides=[1, 1]"));
    CHECK_FALSE(fused(9, "kernel=[3, 3], strides=[3, 3]"));
    CHECK_FALSE(fused(8, "kernel=[2, 2], pads=[1, 1, 1, 1], strides=[2, 2]"));
    CHECK(kernel_count(tiled(8, "kernel=[2, 2], strides=[2, 2]"), {}) == 2);
}

TEST_CASE("a depthwise convolution stays apart where more is asked of it than rows", "[transform][fuse_ops]") {
    const pass::Options some{{"piece_bytes", "4096"}};
    // Somebody else reads it.
    CHECK(kernel_count(separable("  r = reduce_mean(d) {axes=[1, 4]};\n  t = multiply(q, r);\n  y = relu(t);\n"),
                       some) > 2);
    // Windows of the second one reach over rows, or leave some out.
    CHECK(kernel_count(separable("", "strides=[1, 1], pads=[0, 0, 0, 0], "), some) == 1);
    const std::string wide = R"(outputs ["y"];
fn main(x: f32[1,2,8,8,4], wd: f32[2,1,3,3,4], wp: f32[3,2,3,3,4,4]) -> f32[1,3,8,8,4] {
  d = layout_conv2d(x, wd) {groups=8, layout="NCHW4c", out_layout="NCHW4c", pads=[1, 1, 1, 1], weight_layout="OIHW4o"};
  y = layout_conv2d(d, wp) {layout="NCHW4c", out_layout="NCHW4c", pads=[1, 1, 1, 1], weight_layout="OIHW4i4o"};
  return y;
}
)";
    CHECK(kernel_count(module_of(wide), some) == 2);
    CHECK(reason_between(module_of(wide), "d", "y", some) == NotFused::ReadAccess);
}

namespace {

/// Heads of attention: rows `q` by columns `k`, both of [rows, heads x numbers]; `more` gives y.
graph::Module heads(const std::string& more) {
    return module_of(R"(outputs ["y"];
fn main(q: f32[6,32], k: f32[5,32]) -> f32[4,6,5] {
  a = reshape(q) {shape=[6, 4, 8]};
  b = transpose(a) {perm=[1, 0, 2]};
  c = reshape(k) {shape=[5, 4, 8]};
  d = transpose(c) {perm=[1, 2, 0]};
)" + more + "  return y;\n}\n");
}

} // namespace

TEST_CASE("what only moves elements of a matrix product's operands is part of its kernel",
          "[transform][fuse_ops][fusion_reasons]") {
    for (const char* product : {"matmul(b, d)", "layout_matmul(b, d) {rows=6}"}) {
        const graph::Module module = heads("  p = " + std::string(product) + ";\n  y = relu(p);\n");
        const graph::Module fused = apply("FuseOps", module);
        REQUIRE(kernels(fused).size() == 1);
        CHECK(kernels(fused).front()->args.size() == 2);
        CHECK(fusion_reasons(module, {{}, {}, nullptr})->empty());
        CHECK(graph::structural_equal(apply("FuseOps", apply("DefuseOps", fused)).main, fused.main));
        // The limit on operators holds for all together.
        CHECK(kernel_count(module, {{"max_depth", "5"}}) == 2);
        CHECK(reason_between(module, "d", "p", {{"max_depth", "5"}}) == NotFused::TooLarge);
    }
}

TEST_CASE("what moves elements stays apart where others read it too, or it does more", "[transform][fuse_ops]") {
    // Somebody else reads it.
    const graph::Module twice = heads("  p = matmul(b, d);\n  s = reduce_sum(b) {axes=[2]};\n  y = add(p, s);\n");
    CHECK(reason_between(twice, "b", "p") == NotFused::ReadAccess);
    // It computes.
    const graph::Module more = heads("  e = exp(b);\n  p = matmul(e, d);\n  y = relu(p);\n");
    CHECK(reason_between(more, "e", "p") == NotFused::ReadAccess);
    // A product that turns its operand reads along another dimension.
    const graph::Module turned = heads("  f = transpose(b) {perm=[0, 2, 1]};\n  p = matmul(f, d) {transpose_a=true};\n"
                                       "  y = relu(p);\n");
    CHECK(reason_between(turned, "f", "p") == NotFused::ReadAccess);
    // Rows whose numbers lie apart: they would be read with jumps.
    const graph::Module apart = module_of(R"(outputs ["y"];
fn main(q: f32[8,6], k: f32[8,5]) -> f32[6,5] {
  b = transpose(q) {perm=[1, 0]};
  y = matmul(b, k);
  return y;
}
)");
    CHECK(reason_between(apart, "b", "y") == NotFused::ReadAccess);
    // A reshape alone copies nothing.
    const graph::Module flat = module_of(R"(outputs ["y"];
fn main(q: f32[2,3,8], k: f32[8,5]) -> f32[6,5] {
  b = reshape(q) {shape=[6, 8]};
  y = matmul(b, k);
  return y;
}
)");
    CHECK(reason_between(flat, "b", "y") == NotFused::ReadAccess);
}

namespace {

/// Two heads of 8 rows and 8 keys: 512 bytes of scores.
graph::Module attention(const std::string& softmax, const std::string& more = "") {
    return module_of(R"(outputs ["y"];
fn main(q: f32[2,8,4], k: f32[2,4,8], v: f32[2,8,4], m: f32[8]) -> f32[2,8,4] {
  s = matmul(q, k);
  t = add(s, m);
  p = )" + softmax + ";\n" +
                     more + "  y = matmul(p, v);\n  return y;\n}\n");
}

} // namespace

TEST_CASE("a product, its softmax and the product of that are one kernel where not all scores stay near",
          "[transform][fuse_ops][fusion_reasons]") {
    const graph::Module rows = attention("softmax(t) {axis=2}");
    const pass::Options near{{"piece_bytes", "127"}}, far{{"piece_bytes", "128"}};
    const graph::Module fused = apply("FuseOps", rows, near);
    REQUIRE(kernels(fused).size() == 1);
    CHECK(kernels(fused).front()->function->name == "attention");
    CHECK(fusion_reasons(rows, {near, {}, nullptr})->empty());
    CHECK(graph::structural_equal(apply("FuseOps", apply("DefuseOps", fused), near).main, fused.main));
    // Four times a piece: the next kernel finds them in the cache. Nothing is said of pieces: nothing is near.
    CHECK(kernel_count(rows, far) == 3);
    CHECK(kernel_count(rows, {}) == 3);
    // Two rows, or two of the four numbers of each key, for eight keys.
    CHECK(kernel_count(rows, {{"piece_bytes", "64"}}) == 1);
    CHECK(reason_between(rows, "t", "p", {{"piece_bytes", "63"}}) == NotFused::NoPieceOfScores);
    CHECK(reason_between(rows, "t", "p", {{"piece_bytes", "127"}, {"max_depth", "3"}}) == NotFused::TooLarge);
    // Sums of nothing are as many.
    const graph::Module empty = module_of(R"(outputs ["y"];
fn main(q: f32[2,8,0], k: f32[2,0,8], v: f32[2,8,4]) -> f32[2,8,4] {
  s = matmul(q, k);
  p = softmax(s) {axis=2};
  y = matmul(p, v);
  return y;
}
)");
    CHECK(kernel_count(empty, near) == 1);
    // Not rows, not a softmax, or something else reads it.
    CHECK(kernel_count(attention("softmax(t) {axis=1}"), near) == 3);
    CHECK(kernel_count(attention("relu(t)"), near) == 2);
    CHECK(kernel_count(attention("softmax(t) {axis=2}", "  z = reduce_sum(p) {axes=[2], keepdims=true};\n"
                                                        "  v2 = multiply(v, z);\n"),
                       near) == 3);
}
