// Random programs over all operators through random passes: what is compiled gives what the interpreter gives for the
// untouched program. ORRERY_SEED chooses others; a failure is shrunk and printed as text.

#include "tests/differential/agree.hpp"
#include "tests/differential/recipes.hpp"

#include "core/graph/builder.hpp"
#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"

#include <catch2/catch.hpp>
#include <rapidcheck.h>

#include <cstdlib>
#include <map>
#include <sstream>

using namespace orrery;
using namespace orrery::differential;

namespace {

/// A case as RapidCheck prints it.
struct Shown {
    Case drawn;
    std::uint64_t seed = 0;
};
std::ostream& operator<<(std::ostream& out, const Shown& shown) {
    return out << "drawn from seed " << shown.seed << "\n" << differential::to_string(shown.drawn);
}

/// The same for equal random numbers, whatever was drawn before: failures are drawn again.
rc::Gen<Shown> cases() {
    return rc::Gen<Shown>([](const rc::Random& random, int) {
        const std::uint64_t seed = rc::Random(random).next();
        return rc::shrinkable::shrinkRecur(Shown{draw_case(seed, seed % recipes().size()), seed},
                                           [](const Shown& failed) {
                                               std::vector<Shown> all;
                                               for (Case& one : smaller(failed.drawn))
                                                   all.push_back({std::move(one), failed.seed});
                                               return rc::seq::fromContainer(std::move(all));
                                           });
    });
}

std::uint64_t seed_from_environment() {
    const char* text = std::getenv("ORRERY_SEED");
    return text ? std::strtoull(text, nullptr, 10) : 20250801;
}

struct Counts {
    int programs = 0, compiled = 0, outputs = 0, unstable = 0;
};

void check_programs(int programs) {
    rc::detail::TestParams params;
    params.seed = seed_from_environment();
    params.maxSuccess = programs;
    Counts counts;
    std::map<std::string, int> passes, operators;
    const auto property = [&] {
        const Shown shown = *cases();
        const Outcome outcome = run_case(shown.drawn);
        ++counts.programs;
        counts.compiled += outcome.compiled ? 1 : 0;
        counts.outputs += outcome.outputs;
        counts.unstable += outcome.unstable_outputs;
        for (const transform::PassStep& step : shown.drawn.passes) ++passes[step.name];
        for (const graph::CallOp* call : calls_in(shown.drawn.module.main)) ++operators[call->op.name];
        if (!outcome.failure.empty()) RC_FAIL(outcome.failure);
    };
    const rc::detail::TestResult result = rc::detail::checkTestable(property, rc::detail::TestMetadata(), params);
    std::ostringstream text;
    rc::detail::printResultMessage(result, text);
    INFO("ORRERY_SEED=" << params.seed << "\n" << text.str());
    REQUIRE(result.is<rc::detail::SuccessResult>());
    // A test that compares next to nothing proves next to nothing.
    REQUIRE(counts.unstable * 10 < counts.outputs);
    REQUIRE(counts.compiled * 2 > counts.programs);
    REQUIRE(operators.size() * 10 > recipes().size() * (programs < 1000 ? 9 : 10) - 1);
    if (std::getenv("ORRERY_COUNTS")) {
        std::printf("%d programs, %d compiled, %d outputs compared, %d unstable\n", counts.programs, counts.compiled,
                    counts.outputs, counts.unstable);
        for (const auto& [name, count] : passes) std::printf("  pass %s: %d\n", name.c_str(), count);
        for (const auto& [name, count] : operators) std::printf("  operator %s: %d\n", name.c_str(), count);
    }
}

/// Calls of one operator become calls of another, inside kernels too.
graph::Module spoiled(const graph::Module& module, const std::string& from, const std::string& to) {
    class Spoiler final : public graph::Rewriter {
      public:
        Spoiler(const std::string& a, const std::string& b) : from_(a), to_(ops::op(b)) {}

      protected:
        Var rewrite_binding(const graph::Binding& binding) override {
            const auto* call = graph::as<graph::CallOp>(binding.value);
            if (!call || call->op.name != from_) return keep(binding);
            return replace(binding, make_ref<const graph::CallOp>(to_, call->args, call->attrs), "spoil");
        }
        graph::Function rewrite_inner(const graph::Function& function) override { return run(function); }

      private:
        std::string from_;
        const graph::Op& to_;
    };
    graph::Module out = module;
    out.main = Spoiler(from, to).run(module.main);
    return out;
}

/// The first smaller case that still fails, as long as there is one.
Case shrunk(Case failed) {
    for (bool smaller_found = true; smaller_found;) {
        smaller_found = false;
        for (Case& one : smaller(failed))
            if (!run_case(one).failure.empty()) {
                failed = std::move(one);
                smaller_found = true;
                break;
            }
    }
    return failed;
}

std::size_t index_of(std::string_view op) { return static_cast<std::size_t>(find_recipe(op) - recipes().data()); }

} // namespace

TEST_CASE("a wrong pass is found, and shrinks to what it gets wrong", "[differential]") {
    const std::pair<const char*, const char*> wrong[] = {
        {"tanh", "sin"}, {"maximum", "minimum"}, {"floor", "ceil"}, {"subtract", "add"}, {"reduce_max", "reduce_min"}};
    for (const auto& [from, to] : wrong) {
        INFO(from << " is taken for " << to);
        int found = 0;
        Case last;
        for (std::uint64_t seed = 0; seed < 20 && found < 5; ++seed) {
            Case drawn = draw_case(seed, index_of(from));
            drawn.spoil = [from = from, to = to](const graph::Module& module) { return spoiled(module, from, to); };
            if (run_case(drawn).failure.empty()) continue;
            ++found;
            last = std::move(drawn);
        }
        REQUIRE(found == 5); // the others do not use what it gives, or it makes no difference there
        const Case small = shrunk(last);
        INFO(differential::to_string(small));
        REQUIRE(calls_in(small.module.main).size() == 1);
        REQUIRE(calls_in(small.module.main)[0]->op.name == from);
        REQUIRE(small.passes.size() <= 1);
    }
}

namespace {

/// Operators that no drawn program holds.
const std::map<std::string, const char*> kWithoutRecipe{
    {"open", "a node of a model that waits for the importer"},
    {"tensor_program", "its text is drawn by tests/core/tensor/test_expression_text.cpp"},
};

} // namespace

TEST_CASE("every operator has a recipe", "[differential]") {
    for (const graph::Op* op : ops::registry().all()) {
        if (kWithoutRecipe.contains(op->name)) continue;
        INFO(op->name << " has no recipe: add a row to tests/differential/recipes_*.cpp that draws legal calls of it");
        REQUIRE(find_recipe(op->name) != nullptr);
    }
    REQUIRE(recipes().size() + kWithoutRecipe.size() == ops::registry().all().size());
}

TEST_CASE("recipes draw legal calls of all attributes and optional operands", "[differential]") {
    for (const OpRecipe& recipe : recipes()) {
        INFO(recipe.op);
        const graph::Op& op = ops::op(recipe.op);
        std::map<std::string, int> given;
        std::vector<int> present(op.operands.size());
        for (std::uint64_t seed = 0; seed < 60; ++seed) {
            Draw draw(seed);
            const DrawnCall call = recipe.draw(draw);
            std::vector<graph::Type> types;
            for (const Var& arg : call.args) types.push_back(arg ? arg->type : graph::Type());
            const Result<graph::Type> type = graph::infer_call(op, types, Attrs(call.attrs));
            INFO(seed);
            if (!type) FAIL(orrery::to_string(type.error()));
            for (const auto& [name, value] : call.attrs) ++given[name];
            for (std::size_t i = 0; i < std::min(present.size(), call.args.size()); ++i)
                present[i] += call.args[i] ? 1 : 0;
        }
        for (const graph::AttrSpec& attr : op.attrs) {
            INFO("attribute " << attr.name << " is never drawn");
            REQUIRE(given[attr.name] > 0);
        }
        for (int count : present) REQUIRE(count > 0);
    }
}

TEST_CASE("drawn programs are equal for equal seeds", "[differential]") {
    for (std::uint64_t seed = 1; seed < 20; ++seed)
        REQUIRE(differential::to_string(draw_case(seed, seed)) == differential::to_string(draw_case(seed, seed)));
}

TEST_CASE("compiled programs give what the interpreter gives", "[differential][property]") { check_programs(200); }

TEST_CASE("ten thousand compiled programs give what the interpreter gives", "[.nightly]") { check_programs(10000); }
