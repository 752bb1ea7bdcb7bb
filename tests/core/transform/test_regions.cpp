// AnnotateTarget, MergeRegions, PartitionGraph, with a backend that takes exp, relu and add, and adds followed by relu
// as one.

#include "tests/core/transform/graphs.hpp"

#include "core/graph/pattern.hpp"
#include "core/target/region.hpp"

#include <set>

using namespace orrery;
using namespace orrery::transform;
using namespace orrery::transform::test;

namespace {

class Taker final : public RegionBackend {
  public:
    std::string name() const override { return "taker"; }
    std::span<const Composite> composites() const override { return composites_; }
    std::optional<std::string> refuses(const graph::CallOp& call, const graph::Type&) const override {
        static const std::set<std::string> kTaken{"exp", "relu", "add"};
        if (kTaken.contains(call.op.name)) return std::nullopt;
        return call.op.name + " is not taken";
    }
    Result<std::shared_ptr<const RegionCode>> compile(const graph::Function&, const Target&,
                                                      const Progress&) const override {
        return Diagnostic{Code::UnsupportedFeature, "nothing is compiled here", {}, {}};
    }

  private:
    std::vector<Composite> composites_{
        {"add_relu", graph::op("relu", {graph::op("add", {graph::any(), graph::any()})})}};
};

const pass::Options kTaker{{"backend", "taker"}};

graph::Module annotate(const std::string& text) {
    add_region_backend(std::make_shared<Taker>());
    return apply("AnnotateTarget", module_of(text), kTaker);
}
graph::Module merge(const std::string& text) { return apply("MergeRegions", annotate(text)); }

std::vector<graph::Function> regions(const graph::Module& module) {
    std::vector<graph::Function> all;
    for (const graph::CallFunction* call : kernels(module)) all.push_back(call->function);
    return all;
}

const char* const kChain = R"(outputs ["y"];
fn main(x: f32[4]) { k: f32[4] = const [1, 2, 3, 4]; a = exp(x); b = add(a, k); c = relu(b); y = tanh(c); return y; }
)";

/// A value that leaves the region and comes back.
const char* const kDetour = R"(outputs ["y"];
fn main(x: f32[4]) { a = exp(x); t = tanh(a); y = add(a, t); return y; }
)";

} // namespace

TEST_CASE("what a backend takes stands in functions for it", "[transform][regions]") {
    const graph::Module got = annotate(kChain);
    const std::vector<graph::Function> made = regions(got);
    REQUIRE(made.size() == 2);
    REQUIRE(made[0]->attrs.text("composite") == "exp");
    REQUIRE(made[1]->attrs.text("composite") == "add_relu");
    REQUIRE(made[1]->params.size() == 1); // the constant is inside
    REQUIRE(region_of(made[1]) == "taker");
    REQUIRE_FALSE(made[1]->primitive());
    REQUIRE(count_calls(got, "tanh") == 1);
    // Both operators' model nodes, and not those of others.
    REQUIRE(got.main->bindings[1].origin == OriginSet(std::vector<SourceId>{2, 3}));
}

TEST_CASE("nothing to take, nothing done", "[transform][regions]") {
    add_region_backend(std::make_shared<Taker>());
    const graph::Module module = module_of("outputs [\"y\"];\nfn main(x: f32[4]) { y = tanh(x); return y; }\n");
    REQUIRE(apply("AnnotateTarget", module, kTaker).main == module.main);
    REQUIRE(apply("MergeRegions", module).main == module.main);
    REQUIRE(apply("PartitionGraph", module).main == module.main);
}

TEST_CASE("an unknown backend is refused", "[transform][regions]") {
    const auto refused = annotate_target(module_of(kChain), {{{"backend", "nobody"}}, {}, nullptr});
    REQUIRE(refused.error().code == Code::BadArgument);
    pass::Invariants holding = kTyped;
    const auto early = manager().run(*find_pass("PartitionGraph"), module_of(kChain), holding, {}, {});
    REQUIRE(early.error().code == Code::BadRecipe);
    REQUIRE(partition_graph(module_of(kChain), {{{"min_operators", "0"}}, {}, nullptr}).error().code ==
            Code::BadArgument);
}

TEST_CASE("functions that feed each other become one region", "[transform][regions]") {
    const std::vector<graph::Function> made = regions(merge(kChain));
    REQUIRE(made.size() == 1);
    REQUIRE(made[0]->bindings.size() == 2);
    REQUIRE(made[0]->params.size() == 1);
}

TEST_CASE("a region never waits for itself", "[transform][regions]") {
    // exp and add may not be one region: tanh stands between them.
    REQUIRE(regions(merge(kDetour)).size() == 2);
    // Without the detour through the region itself they may.
    REQUIRE(regions(merge(R"(outputs ["y"];
fn main(x: f32[4]) { a = exp(x); t = tanh(x); y = add(a, t); return y; }
)"))
                .size() == 1);
}

TEST_CASE("what is needed in between is put in order", "[transform][regions]") {
    // t stands before c, but the region that computes a is done only after c; u stands after what needs it nowhere.
    const graph::Module got = merge(R"(outputs ["y", "t", "u"];
fn main(x: f32[4], z: f32[4]) {
  a = exp(x);
  t = tanh(a);
  u = tanh(z);
  b = exp(u);
  c = add(a, b);
  y = relu(c);
  r = (y, t, u);
  return r;
}
)");
    const std::vector<graph::Function> made = regions(got);
    REQUIRE(made.size() == 1);
    REQUIRE(graph::as_tuple(made[0]->result->type)->fields.size() == 2); // y and a
}

TEST_CASE("regions become steps, small ones go back", "[transform][regions]") {
    const graph::Module merged = merge(kChain);
    const graph::Module closed = apply("PartitionGraph", merged);
    REQUIRE(regions(closed).size() == 1);
    REQUIRE(regions(closed)[0]->primitive());
    REQUIRE(region_of(regions(closed)[0]) == "taker");
    const graph::Module back = apply("PartitionGraph", merged, {{"min_operators", "4"}});
    REQUIRE(regions(back).empty());
    REQUIRE(count_calls(back, "") == 4);
    // Fusion leaves regions alone and takes the rest.
    const graph::Module fused = apply("FuseOps", closed);
    REQUIRE(kernels(fused).size() == 2);
    REQUIRE(count_calls(fused, "") == 0);
}

TEST_CASE("chains of regions and others alternate", "[transform][regions]") {
    std::string text = "outputs [\"y\"];\nfn main(x: f32[4]) { v0 = exp(x);";
    for (int i = 1; i < 12; ++i)
        text += " v" + std::to_string(i) + (i % 3 == 2 ? " = tanh(v" : " = relu(v") + std::to_string(i - 1) + ");";
    const graph::Module got = merge(text + " y = add(v11, v0); return y; }\n");
    // exp relu | tanh | relu relu | tanh | relu relu | tanh | relu relu | tanh | add
    REQUIRE(regions(got).size() == 5);
}
