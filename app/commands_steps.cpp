// bisect; check of every step.

#include "app/cli.hpp"
#include "core/session/check_steps.hpp"

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace orrery::app {

namespace {

using Json = nlohmann::ordered_json;

/// "FoldConstant#2" for the second of that name among the steps.
std::string name_of(const session::Steps& steps, std::size_t step, const session::Recipe& recipe) {
    return step == 0 ? steps[0]->name : session::pass_reference(recipe.passes, step - 1);
}

Json bisection_json(const session::Bisection& found, const session::Recipe& recipe) {
    Json probes = Json::array();
    for (const session::Bisection::Probe& probe : found.probes)
        probes.push_back({{"step", probe.step},
                          {"pass", name_of(found.steps, probe.step, recipe)},
                          {"max_rel", probe.worst},
                          {"wrong", probe.wrong}});
    Json report{{"found", found.first_wrong >= 0},
                {"candidates", found.candidates},
                {"runs", found.probes.size()},
                {"probes", std::move(probes)}};
    if (found.first_wrong < 0) return report;
    report["step"] = found.first_wrong;
    report["pass"] = name_of(found.steps, static_cast<std::size_t>(found.first_wrong), recipe);
    report["max_rel"] = found.worst;
    if (found.error) report["error"] = to_string(*found.error);
    return report;
}

void print_bisection(const session::Bisection& found, const session::Recipe& recipe) {
    for (const session::Bisection::Probe& probe : found.probes)
        std::printf("after %-28s %s  error %.3g\n", name_of(found.steps, probe.step, recipe).c_str(),
                    probe.wrong ? "wrong" : "right", probe.worst);
    if (found.first_wrong < 0) {
        std::printf("no pass breaks the numbers or the verifier: %zu passes changed the graph, %zu runs\n",
                    found.candidates, found.probes.size());
        return;
    }
    const auto step = static_cast<std::size_t>(found.first_wrong);
    std::printf("first wrong: %s (step %zu of %zu), found in %zu runs of %zu candidates\n",
                name_of(found.steps, step, recipe).c_str(), step, recipe.passes.size(), found.probes.size(),
                found.candidates);
    if (found.error)
        std::printf("  it fails: %s\n", to_string(*found.error).c_str());
    else
        std::printf("  its outputs differ from the import's by %.3g of the largest element\n", found.worst);
}

/// What both commands work on.
struct Steps {
    std::shared_ptr<session::Compiler> compiler;
    session::Recipe recipe;
    session::StepCheckOptions options;
};
template <class Arguments> Result<Steps> steps_of(const Arguments& a) {
    Steps steps{make_compiler(a), {}, {}};
    ORRERY_TRY(steps.recipe, make_recipe(a, *steps.compiler));
    steps.options.seed = a.seed;
    steps.options.tolerance = a.tolerance;
    return steps;
}

struct Checked {
    session::StepChecks checks;
    session::Recipe recipe;
    [[nodiscard]] const session::Steps& steps() const { return checks.of; }
};

Result<Checked> do_check(const CheckArguments& a) {
    if (!a.inputs.empty())
        return Diagnostic{Code::BadArgument, "--steps draws its inputs", {}, "leave out --input, or choose a --seed"};
    ORRERY_TRY(const Steps of, steps_of(a));
    Checked done{{}, of.recipe};
    ORRERY_TRY(done.checks, session::check_steps(*of.compiler, of.recipe, of.options, {}));
    return done;
}

Json steps_json(const Checked& done) {
    Json rows = Json::array();
    for (std::size_t i = 0; i < done.checks.steps.size(); ++i) {
        const session::StepCheck& row = done.checks.steps[i];
        Json json{{"step", i},
                  {"pass", name_of(done.steps(), i, done.recipe)},
                  {"ran", row.ran},
                  {"max_rel", row.from_before.max_rel},
                  {"max_rel_from_import", row.from_import.max_rel},
                  {"tolerance", row.tolerance},
                  {"agrees", row.agrees},
                  {"right", row.right},
                  {"ms", row.milliseconds}};
        if (row.error) json["error"] = to_string(*row.error);
        if (done.steps()[i]->error) json["error"] = to_string(*done.steps()[i]->error);
        rows.push_back(std::move(json));
    }
    return {{"agrees", done.checks.first_wrong < 0 && !done.steps().back()->error},
            {"how", done.checks.interpreted ? "interpreted" : "compiled"},
            {"worst", done.checks.worst},
            {"tolerance", done.checks.options.tolerance},
            {"steps", std::move(rows)}};
}

/// What a step that rounds by design may lose; nothing for others.
std::string allowed_text(const session::StepCheck& row, const Checked& done) {
    if (row.tolerance <= done.checks.options.tolerance) return {};
    char text[48];
    std::snprintf(text, sizeof text, "  (may lose %.2g by its types)", row.tolerance);
    return text;
}

void print_steps(const Checked& done) {
    for (std::size_t i = 0; i < done.checks.steps.size(); ++i) {
        const session::StepCheck& row = done.checks.steps[i];
        const std::string name = name_of(done.steps(), i, done.recipe);
        if (done.steps()[i]->error)
            std::printf("%-30s failed: %s\n", name.c_str(), to_string(*done.steps()[i]->error).c_str());
        else if (row.error)
            std::printf("%-30s cannot be run: %s\n", name.c_str(), to_string(*row.error).c_str());
        else if (!row.ran)
            std::printf("%-30s unchanged\n", name.c_str());
        else
            std::printf("%-30s %s  error %-10.3g  from the import %.3g%s\n", name.c_str(),
                        !row.agrees                                     ? "DIFFERS"
                        : row.tolerance > done.checks.options.tolerance ? "rounds "
                                                                        : "agrees ",
                        row.from_before.max_rel, row.from_import.max_rel, allowed_text(row, done).c_str());
    }
    std::printf("%s, worst error of a step %.3g of the largest element\n",
                done.checks.interpreted ? "interpreted" : "compiled operator by operator", done.checks.worst);
}

struct Verdict {
    session::Bisection found;
    session::Recipe recipe;
};

Result<Verdict> do_bisect(const BisectArguments& a) {
    ORRERY_TRY(const Steps of, steps_of(a));
    Verdict verdict{{}, of.recipe};
    ORRERY_TRY(verdict.found, session::bisect(*of.compiler, of.recipe, of.options, {}));
    return verdict;
}

} // namespace

Result<std::size_t> find_step(const session::Steps& steps, const std::string& after) {
    if (after.empty()) return steps.size() - 1;
    const std::size_t mark = after.find('#');
    const std::string name = after.substr(0, mark);
    std::size_t wanted = mark == std::string::npos ? 0 : std::strtoul(after.c_str() + mark + 1, nullptr, 10);
    std::size_t found = steps.size(), seen = 0;
    std::string names;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        names += (i ? ", " : "") + steps[i]->name;
        if (steps[i]->name == name && (++seen == wanted || wanted == 0)) found = i;
    }
    if (found < steps.size()) return found;
    return Diagnostic{Code::UnknownName, "the recipe has no step named " + after, {}, "its steps are " + names};
}

int command_check_steps(const CheckArguments& a) {
    const Result<Checked> done = do_check(a);
    if (!done) return fail(done.error(), a.json);
    if (a.json)
        std::printf("%s\n", steps_json(*done).dump(2).c_str());
    else
        print_steps(*done);
    return done->checks.first_wrong < 0 && !done->steps().back()->error ? kDone : kUserError;
}

int command_bisect(const BisectArguments& a) {
    const Result<Verdict> verdict = do_bisect(a);
    if (!verdict) return fail(verdict.error(), a.json);
    if (a.json)
        std::printf("%s\n", bisection_json(verdict->found, verdict->recipe).dump(2).c_str());
    else
        print_bisection(verdict->found, verdict->recipe);
    return verdict->found.first_wrong < 0 ? kDone : kUserError;
}

} // namespace orrery::app
