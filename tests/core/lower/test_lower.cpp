#include "core/graph/function_attrs.hpp"
#include "core/lower/lower.hpp"
#include "tests/core/transform/graphs.hpp"
#include "tests/support/run_calls.hpp"

#include <limits>
#include <set>

using namespace orrery;
using namespace orrery::transform::test;

namespace {

const char* const kTwice = R"(outputs ["y", "x", "y"];
fn main(x: f32[4,8]) -> (f32[4,8], f32[4,8], f32[4,8]) {
  a: f32[4,8] = softmax(x) {axis=1};
  b: f32[4,8] = softmax(a) {axis=1};
  y: f32[4,8] = softmax(b) {axis=1};
  t: (f32[4,8], f32[4,8], f32[4,8]) = (y, x, y);
  return t;
}
)";

lower::LoweredModel lowered(const graph::Module& module) {
    const graph::Module fused = apply("FuseOps", module);
    auto model = lower::lower_module(fused);
    if (!model) FAIL(to_string(model.error()));
    return *std::move(model);
}

/// A model of values with given sizes and lives, one call a step.
runtime::Plan plan_of(const std::vector<std::array<int, 3>>& lives, int steps) {
    lower::LoweredModel model;
    model.functions.resize(1);
    model.functions[0].name = "f";
    model.calls.resize(static_cast<std::size_t>(steps));
    for (const auto& [bytes, first, last] : lives) {
        const auto id = static_cast<std::uint32_t>(model.values.size());
        model.values.push_back({"v", DType::U8, {bytes}, runtime::Storage::Arena, 0, {}});
        for (int s = first; s <= last; ++s) model.calls[static_cast<std::size_t>(s)].args.push_back(id);
    }
    return lower::plan_memory(model, {0});
}

} // namespace

TEST_CASE("equal kernels are lowered once and carry every origin", "[lower]") {
    const lower::LoweredModel model = lowered(module_of(kTwice));
    REQUIRE(model.functions.size() == 2); // softmax, and the copy an input needs to be an output
    REQUIRE(model.functions[0].calls == 3);
    REQUIRE(model.functions[0].origin == OriginSet(std::vector<SourceId>{0, 1, 2}));
    REQUIRE(model.functions[0].program->origin == OriginSet(std::vector<SourceId>{0, 1, 2}));
    REQUIRE(model.outputs.size() == 3);
    REQUIRE(std::set<std::uint32_t>(model.outputs.begin(), model.outputs.end()).size() == 3);
}

TEST_CASE("weights are what is constant in each call of a kernel", "[lower]") {
    const lower::LoweredModel model = lowered(module_of(R"(outputs ["d"];
fn main(x: f32[1,2]) {
  w: f32[2,2] = const [1, 2, 3, 4];
  v: f32[2,2] = const [5, 6, 7, 8];
  a = matmul(x, w);
  b = matmul(a, v);
  c = softmax(b) {axis=1};
  d = add(c, x);
  return d;
}
)"));
    for (const lower::LoweredFunction& function : model.functions) {
        CHECK(function.model_weights == 32);
        CHECK(function.weights == (function.name == "matmul" ? std::vector{false, true}
                                                             : std::vector(function.program->input_count, false)));
    }
    CHECK(model.functions[0].calls == 2);
}

TEST_CASE("a lowered model computes what the graph says", "[lower]") {
    const graph::Module module = module_of(kTwice);
    const lower::LoweredModel model = lowered(module);
    const std::vector<NDArray> inputs = inputs_of(module, 3);
    for (const lower::LoweredFunction& function : model.functions)
        REQUIRE(tensor::verify(function.program).has_value());
    const std::vector<NDArray> outputs = *orrery::test::run_calls(model, inputs);
    const auto expected = graph::evaluate(module.main, inputs, ops::interpreter_evaluator(), {});
    for (std::size_t i = 0; i < 3; ++i) REQUIRE(compare(outputs[i], (*expected)[i]).max_rel == 0);
}

TEST_CASE("what is not fused is refused with its model node", "[lower]") {
    const auto refused = lower::lower_module(module_of(kTwice));
    REQUIRE(refused.error().code == Code::UnsupportedFeature);
    REQUIRE(std::get<ModelNode>(refused.error().locations.at(0)).name == "a");
}

TEST_CASE("values that live together never share memory, others do", "[lower][plan]") {
    // A chain: each value lives over two steps, so two of equal size are enough.
    const runtime::Plan chain = plan_of({{100, 0, 1}, {100, 1, 2}, {100, 2, 3}, {100, 3, 4}}, 5);
    REQUIRE(chain.arena_bytes == 256); // 100 rounded to 128, twice
    REQUIRE(chain.live_bytes_bound == 256);
    std::mt19937 random(11);
    for (int round = 0; round < 200; ++round) {
        std::vector<std::array<int, 3>> lives;
        for (int i = 0; i < 30; ++i) {
            const int first = static_cast<int>(random() % 20),
                      last = std::min(19, first + static_cast<int>(random() % 6));
            lives.push_back({1 + static_cast<int>(random() % 5000), first, last});
        }
        const runtime::Plan plan = plan_of(lives, 20);
        for (std::size_t a = 0; a < plan.values.size(); ++a)
            for (std::size_t b = a + 1; b < plan.values.size(); ++b) {
                const runtime::Value &x = plan.values[a], &y = plan.values[b];
                const bool together = x.first_step <= y.last_step && y.first_step <= x.last_step;
                const bool overlap = x.offset < y.offset + y.bytes && y.offset < x.offset + x.bytes;
                if (together && overlap) FAIL("values " << a << " and " << b << " overlap");
            }
        REQUIRE(plan.arena_bytes >= plan.live_bytes_bound);
        REQUIRE(plan.arena_bytes <= 2 * plan.live_bytes_bound);
    }
}

namespace {

const char* const kChain = R"(outputs ["y", "b"];
fn main(x: f32[4,8]) -> (f32[4,8], f32[4,8]) {
  a = softmax(x) {axis=1};
  b = softmax(a) {axis=0};
  c = softmax(b) {axis=1};
  s = (c, a);
  p = s[0];
  q = s[1];
  e = softmax(p) {axis=0};
  d = add(e, q);
  g = softmax(d) {axis=0};
  h = softmax(g) {axis=1};
  y = softmax(h) {axis=0};
  t = (y, b);
  return t;
}
)";

runtime::Plan planned(const graph::Module& module) {
    const auto model = lower::lower_module(module);
    if (!model) FAIL(to_string(model.error()));
    return lower::plan_memory(*model, std::vector<std::size_t>(model->functions.size(), 0));
}

std::vector<std::size_t> offsets(const runtime::Plan& plan) {
    std::vector<std::size_t> out;
    for (const runtime::Value& value : plan.values)
        if (value.storage == runtime::Storage::Arena) out.push_back(value.offset);
    return out;
}

} // namespace

TEST_CASE("a graph's own plan of memory is kept, and a stale one made anew", "[lower][plan]") {
    const graph::Module fused = apply("FuseOps", module_of(kChain));
    const runtime::Plan own = planned(fused);
    const graph::Module shared = apply("PlanMemory", fused), apart = apply("PlanMemory", fused, {{"reuse", "false"}});
    CHECK(offsets(planned(shared)) == offsets(own));
    CHECK(planned(shared).arena_bytes == own.arena_bytes);
    const runtime::Plan wide = planned(apart);
    CHECK(wide.arena_bytes > own.arena_bytes);
    const std::vector<std::size_t> places = offsets(wide);
    CHECK(std::set<std::size_t>(places.begin(), places.end()).size() == places.size());
    // Planning again changes nothing; places of another program are not believed, nor such as no plan needs.
    CHECK(apply("PlanMemory", shared).main == shared.main);
    graph::Module stale = fused;
    const graph::Function& main = fused.main;
    graph::Ints far = apart.main->attrs.ints(graph::kMemoryAttr), beyond = far;
    far[0] = std::int64_t{1} << 40;
    beyond[0] = std::numeric_limits<std::int64_t>::max() / 64 * 64;
    for (const graph::Ints& wrong : {graph::Ints{0, 0, 0, 0, 0, 0, 0, 0}, graph::Ints{}, graph::Ints{-64, 1, 64},
                                     graph::Ints{1 << 30}, far, beyond}) {
        stale.main = graph::make_function(main->name, main->params, main->bindings, main->result,
                                          main->attrs.with(graph::kMemoryAttr, wrong));
        CHECK(offsets(planned(stale)) == offsets(own));
    }
}

TEST_CASE("workspaces are put around planned values", "[lower][plan]") {
    const graph::Module module = apply("PlanMemory", apply("FuseOps", module_of(kChain)));
    const auto model = lower::lower_module(module);
    REQUIRE(model.has_value());
    const runtime::Plan plan = lower::plan_memory(*model, std::vector<std::size_t>(model->functions.size(), 1000));
    CHECK(offsets(plan) == offsets(planned(module)));
    for (std::size_t s = 0; s < plan.steps.size(); ++s)
        for (const runtime::Value& value : plan.values) {
            const auto step = static_cast<std::int32_t>(s);
            if (value.storage != runtime::Storage::Arena || value.first_step > step || value.last_step < step) continue;
            const std::size_t at = plan.steps[s].workspace_offset;
            CHECK((at >= value.offset + value.bytes || value.offset >= at + 1000));
        }
}
