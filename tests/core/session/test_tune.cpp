// A model tuned: its tasks, its best traces in a recipe; schedules that ship.

#include "core/session/tune.hpp"

#include "core/base/file.hpp"
#include "core/session/shipped.hpp"
#include "tests/core/session/compiler.hpp"
#include "tests/support/paths.hpp"

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <sstream>

using namespace orrery;
using namespace orrery::session;

namespace {

Recipe recipe_of(const std::string& network) {
    Recipe recipe = shared_compiler()->new_recipe({});
    recipe.builtin = network;
    recipe.threads = 1;
    return recipe;
}

std::vector<FunctionPtr> functions_of(const Recipe& recipe) {
    const Steps steps = shared_compiler()->graph_steps(recipe, {}).value();
    return shared_compiler()->functions(recipe, steps.back()->module, {}).value().functions;
}

} // namespace

TEST_CASE("a model's kernels are tasks with the trace in force", "[session][tune]") {
    Recipe recipe = recipe_of("lenet");
    const std::vector<FunctionPtr> functions = functions_of(recipe);
    const std::vector<tuning::TuneTask> tasks = tuning_tasks(recipe, *shared_compiler(), {}).value();
    REQUIRE(tasks.size() == functions.size());
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        CHECK(tasks[i].function == functions[i]->lowered.name);
        CHECK(tasks[i].workload == to_string(functions[i]->lowered.workload));
        CHECK(tasks[i].before == functions[i]->trace);
        CHECK(tasks[i].calls == functions[i]->lowered.calls);
        CHECK(tasks[i].weights == functions[i]->lowered.weights);
        CHECK(tasks[i].weights_distance == tuning::weights_distance(functions[i]->lowered.model_weights));
    }
    // One's own trace is where its search begins; where it does not apply wholly, as far as it goes.
    recipe.schedules[tasks[0].workload] = {};
    CHECK(tuning_tasks(recipe, *shared_compiler(), {}).value()[0].before == schedule::Trace());
    recipe.schedules[tasks[0].workload] = schedule::parse_trace("vectorize(nothing.i)").value();
    CHECK(tuning_tasks(recipe, *shared_compiler(), {}).value()[0].before == schedule::Trace());
    recipe.scratch = "nonsense";
    CHECK_FALSE(tuning_tasks(recipe, *shared_compiler(), {}));
}

TEST_CASE("a tuned recipe gives the same results", "[session][tune]") {
    const Recipe recipe = recipe_of("mlp");
    tuning::Measurer measurer(std::shared_ptr<const Backend>(shared_compiler(), &shared_compiler()->backend()),
                              {.records = {}});
    tuning::TunerOptions options;
    options.trials = 24, options.run_seconds = 0.002, options.patience_seconds = 0, options.measure_peaks = false;
    options.threads = 0;
    tuning::TuningControl control;
    const ModelTuning done = tune(*shared_compiler(), recipe, measurer, options, {control, {}, {}}).value();
    REQUIRE(done.last);
    CHECK(done.last->threads == 1);
    CHECK(done.last->trials.size() >= 24);
    CHECK(done.estimate_ms > 0);
    CHECK(done.before_ms > 0);
    // Whatever was found, and also what was not faster: the best of the records is applied and compared.
    const auto known = recorded_schedules(recipe, *shared_compiler(), measurer, {}).value();
    CHECK_FALSE(known.empty());
    for (const Recipe& tuned : {with_schedules(recipe, done.best), with_schedules(recipe, known)}) {
        const auto model = shared_compiler()->compile(tuned, {}).value();
        for (const FunctionPtr& function : model->functions) CHECK_FALSE(function->error);
        const std::vector<NDArray> inputs = drawn_inputs(*model, 3).value();
        const CheckResult check = session::check(*model, inputs, 1e-4, {}).value();
        CHECK(check.first_wrong == -1);
    }
}

TEST_CASE("every schedule that ships is a trace, of a workload of its own", "[session][tune]") {
    const std::string lines = *read_file(tests::source_dir() / "resources" / "traces.jsonl");
    std::istringstream file(lines);
    std::size_t count = 0;
    for (std::string line; std::getline(file, line); ++count) {
        const nlohmann::json entry = nlohmann::json::parse(line);
        INFO(entry["function"].get<std::string>());
        CHECK(entry["workload"].get<std::string>().size() == 32);
        CHECK(entry["target"].get<std::string>().find("-bit vectors, ") != std::string::npos);
        CHECK(schedule::parse_trace(entry["trace"].get<std::string>()).has_value());
    }
    CHECK(count > 1);
    CHECK(ShippedTraces(lines).size() == count);
    CHECK(ShippedTraces::built_in().size() == count);
}

TEST_CASE("a schedule that ships stands in for the rules", "[session][tune]") {
    const Recipe recipe = recipe_of("lenet");
    const FunctionPtr function = functions_of(recipe).front();
    const std::string workload = to_string(function->lowered.workload);
    const auto line = [&](const std::string& kind, const std::string& trace) {
        return "{\"workload\": \"" + workload + "\", \"target\": \"" + kind + "\", \"trace\": \"" + trace + "\"}\n";
    };
    const std::string here = target_kind(recipe.target);
    CHECK(ShippedTraces("not JSON\n\n[]\n{}\n" + line(here, "")).size() == 1);
    CHECK(ShippedTraces(line(here, "")).find(function->lowered, recipe.target)->trace == schedule::Trace());
    CHECK_FALSE(ShippedTraces(line("riscv64, 64-bit vectors, 8 registers", "")).find(function->lowered, recipe.target));
    CHECK_FALSE(ShippedTraces(line(here, "vectorize(nothing.i)")).find(function->lowered, recipe.target));
    CHECK_FALSE(ShippedTraces(line(here, "not a trace")).find(function->lowered, recipe.target));
    CHECK_FALSE(ShippedTraces("").find(function->lowered, recipe.target));
    // Rules only, and nothing at all, on request.
    CHECK(ruled_trace(ScheduleRule::None, function->lowered, recipe.target).trace == schedule::Trace());
    CHECK_FALSE(ruled_trace(ScheduleRule::Rules, function->lowered, recipe.target).shipped);
    for (const ScheduleRule rule : {ScheduleRule::Default, ScheduleRule::Rules, ScheduleRule::None}) {
        Recipe other = recipe;
        other.rule = rule;
        CHECK(from_json(to_json(other), compiler().backend()).value() == other);
        CHECK(parse_rule(rule_name(rule)) == rule);
    }
    CHECK_FALSE(parse_rule("none at all"));
}
