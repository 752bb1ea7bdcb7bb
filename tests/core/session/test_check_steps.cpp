// Planted wrong passes are seen at their step and found by bisection.

#include "backends/llvm/llvm_backend.hpp"
#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "core/session/check_steps.hpp"
#include "core/session/session.hpp"
#include "core/transform/planted.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

using namespace orrery;
using namespace orrery::session;

namespace {

std::shared_ptr<Compiler> new_compiler() {
    return std::make_shared<Compiler>(make_llvm_backend(), Compiler::Options{});
}

/// Rebuilds main with its result doubled (wrong numbers), or kept but renamed (right ones).
class Tail final : public graph::Rewriter {
  public:
    explicit Tail(bool twice) : twice_(twice) {}
    bool done_ = false;

  protected:
    graph::Var rewrite_binding(const graph::Binding& binding) override {
        const auto* call = graph::as<graph::CallOp>(binding.value);
        if (!call || done_ || call->op.name != "tanh") return keep(binding);
        done_ = true;
        const graph::Var kept = keep(binding);
        const char* const op = twice_ ? "add" : "maximum"; // maximum(x, x) is x
        return emit(binding,
                    make_ref<const graph::CallOp>(ops::op(op), std::vector<graph::Var>{kept, kept}, graph::Attrs{}));
    }

  private:
    bool twice_;
};

Result<graph::Module> rewritten(const graph::Module& module, bool twice) {
    graph::Module out = module;
    out.main = Tail(twice).run(module.main);
    return out;
}

Result<graph::Module> harmless(const graph::Module& module, const pass::Context&) { return rewritten(module, false); }
Result<graph::Module> wrong_numbers(const graph::Module& module, const pass::Context&) {
    return rewritten(module, true);
}
Result<graph::Module> fails(const graph::Module&, const pass::Context&) {
    return Diagnostic{Code::UnsupportedFeature, "planted failure", {}, {}};
}
/// main without its first operator call: what reads it is unbound.
Result<graph::Module> ill_formed(const graph::Module& module, const pass::Context&) {
    std::vector<graph::Binding> bindings = module.main->bindings;
    const auto call = std::ranges::find_if(
        bindings, [](const graph::Binding& b) { return b.value->kind == graph::ExprKind::CallOp; });
    bindings.erase(call);
    graph::Module out = module;
    out.main = graph::make_function(module.main->name, module.main->params, bindings, module.main->result);
    return out;
}

struct Planted {
    transform::testing::PlantedPasses passes{{{"Harmless", "", 0, 0, 0, {}, harmless},
                                              {"WrongNumbers", "", 0, 0, 0, {}, wrong_numbers},
                                              {"Fails", "", 0, 0, 0, {}, fails},
                                              {"IllFormed", "", 0, 0, 0, {}, ill_formed}}};
};

Recipe recipe_of(const Compiler& made, const std::string& network, const std::vector<std::string>& passes) {
    Recipe recipe = made.new_recipe({});
    recipe.builtin = network;
    recipe.passes.clear();
    for (const std::string& name : passes) recipe.passes.push_back({name, {}, true});
    return recipe;
}

} // namespace

TEST_CASE("planted passes are found while they are planted and never listed", "[session][bisect]") {
    {
        const Planted planted;
        CHECK(transform::find_pass("WrongNumbers") != nullptr);
        for (const transform::GraphPass& pass : transform::passes()) CHECK(pass.name != "WrongNumbers");
    }
    CHECK(transform::find_pass("WrongNumbers") == nullptr);
}

TEST_CASE("every step of the default pipeline keeps the numbers, interpreted and compiled", "[session][check]") {
    const auto made = new_compiler();
    const Recipe recipe = recipe_of(*made, "lenet", {});
    Recipe usual = recipe;
    usual.passes = transform::default_pipeline();
    const Steps steps = made->graph_steps(usual, {}).value();
    for (const double limit : {1e12, 0.0}) {
        StepCheckOptions options;
        options.interpreted_up_to = limit;
        std::size_t seen = 0;
        const Result<StepChecks> checks =
            check_steps(*made, usual, options, {}, [&](const StepChecks& so_far) { seen = so_far.steps.size(); });
        if (!checks) FAIL(to_string(checks.error()));
        CHECK(seen == steps.size());
        CHECK(checks->interpreted == (limit > 0));
        CHECK(checks->first_wrong == -1);
        REQUIRE(checks->steps.size() == steps.size());
        for (std::size_t i = 0; i < steps.size(); ++i) {
            CHECK(checks->steps[i].ran == (i == 0 || steps[i]->changed));
            CHECK(checks->steps[i].right);
        }
    }
}

TEST_CASE("a wrong pass shows its error at its step and on none after it", "[session][check]") {
    const Planted planted;
    const auto made = new_compiler();
    const Recipe recipe = recipe_of(*made, "lenet", {"Harmless", "WrongNumbers", "Harmless", "DeadCode"});
    const StepChecks checks = check_steps(*made, recipe, {}, {}).value();
    CHECK(checks.first_wrong == 2);
    CHECK(checks.steps[1].agrees);
    CHECK_FALSE(checks.steps[2].agrees);
    CHECK(checks.steps[2].from_before.max_rel > 0.01);
    CHECK(checks.steps[3].agrees);
    CHECK_FALSE(checks.steps[3].right);
}

TEST_CASE("bisection names the planted pass within the promised runs", "[session][bisect]") {
    const Planted planted;
    const auto made = new_compiler();
    for (const char* bad : {"WrongNumbers", "Fails", "IllFormed"})
        for (const std::size_t at : {std::size_t{0}, std::size_t{6}, std::size_t{12}}) {
            std::vector<std::string> passes(13, "Harmless");
            passes[at] = bad;
            INFO(bad << " at " << at);
            const Result<Bisection> found = bisect(*made, recipe_of(*made, "lenet", passes), {}, {});
            if (!found) FAIL(to_string(found.error()));
            REQUIRE(found->first_wrong == static_cast<std::ptrdiff_t>(at) + 1);
            CHECK(found->pass == bad);
            const bool numbers = found->pass == "WrongNumbers";
            CHECK(found->error.has_value() != numbers);
            CHECK(static_cast<double>(found->probes.size()) <=
                  std::ceil(std::log2(static_cast<double>(found->candidates))) + 1);
        }
    // Wrong numbers before a pass that fails: the first of the two.
    const Bisection both =
        bisect(*made, recipe_of(*made, "lenet", {"Harmless", "WrongNumbers", "Harmless", "Fails"}), {}, {}).value();
    CHECK(both.pass == "WrongNumbers");
    CHECK_FALSE(both.error.has_value());
}

TEST_CASE("nothing wrong is said after two runs", "[session][bisect]") {
    const auto made = new_compiler();
    Recipe recipe = recipe_of(*made, "lenet", {});
    recipe.passes = transform::default_pipeline();
    const Bisection found = bisect(*made, recipe, {}, {}).value();
    CHECK(found.first_wrong == -1);
    CHECK(found.probes.size() == 1);
    std::stop_source stop;
    stop.request_stop();
    CHECK(bisect(*made, recipe, {}, {stop.get_token(), {}}).error().code == Code::Cancelled);
}

TEST_CASE("a session shows checked steps and the bisection, and forgets them with an edit", "[session][check]") {
    const Planted planted;
    const auto made = new_compiler();
    Session session(made);
    session.open_recipe(recipe_of(*made, "lenet", {"Harmless", "WrongNumbers", "FuseOps"}));
    session.wait_idle();
    session.check_steps();
    session.wait_idle();
    REQUIRE(session.snapshot()->step_checks);
    CHECK(session.snapshot()->step_checks->first_wrong == 2);
    session.bisect();
    session.wait_idle();
    REQUIRE(session.snapshot()->bisection);
    CHECK(session.snapshot()->bisection->pass == "WrongNumbers");
    session.edit("off", [](Recipe& recipe) { recipe.passes[1].enabled = false; });
    CHECK_FALSE(session.snapshot()->step_checks);
    CHECK_FALSE(session.snapshot()->bisection);
    session.check_steps();
    session.wait_idle();
    CHECK(session.snapshot()->step_checks->first_wrong == -1);
}
