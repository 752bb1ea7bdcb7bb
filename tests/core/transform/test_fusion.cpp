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
