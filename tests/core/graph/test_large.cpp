// A function of 50,000 bindings goes through everything in linear time and without deep recursion.

#include "core/graph/builder.hpp"
#include "core/graph/evaluate.hpp"
#include "core/graph/text.hpp"
#include "tests/core/graph/fake_ops.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::graph;
using namespace orrery::graph::fake;

namespace {

struct Renew : Rewriter {
    Var rewrite_binding(const Binding& binding) override {
        const CallOp& call = *as<CallOp>(binding.value);
        return replace(binding, make_ref<const CallOp>(call.op, call.args, call.attrs), "renew");
    }
};

Module chain(int length) {
    FunctionBuilder builder;
    Var x = builder.param("x", f32({1}));
    for (int i = 0; i < length; ++i)
        x = builder.call(*registry().find("relu"), {x}, {}, OriginSet(static_cast<SourceId>(i)), "x");
    return {builder.finish("main", x), {"y"}, std::make_shared<const std::vector<Source>>()};
}

} // namespace

TEST_CASE("50,000 bindings go through every part", "[graph][large]") {
    // About 1 s; a quadratic part takes minutes, and the test its time limit.
    const Module module = chain(50'000);
    CHECK(verify(module).has_value());
    const std::string text = to_string(module);
    const Module again = parsed(text);
    CHECK(structural_equal(module, again));
    CHECK(structural_hash(module) == structural_hash(again));
    const Function renewed = Renew().run(module.main);
    CHECK(renewed != module.main);
    CHECK(structural_equal(renewed, module.main));
    CHECK(use_counts(module.main).size() == 50'001);
    const auto out = evaluate(module.main, std::vector<NDArray>{floats({1}, {2})}, evaluator(), {});
    REQUIRE(out.has_value());
    CHECK((*out)[0].as_double(0) == 2);
}
