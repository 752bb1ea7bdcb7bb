#include "views/model/session_views.hpp"

#include "core/session/recipe_arguments.hpp"
#include "core/session/stages.hpp"

#include <algorithm>
#include <cstdio>

namespace orrery::views {
namespace {

std::string ms_text(double ms) {
    char text[32];
    std::snprintf(text, sizeof text, ms >= 100 ? "%.0f ms" : ms >= 9.95 ? "%.0f ms" : "%.1f ms", ms);
    return ms < 0.05 ? std::string("0 ms") : text;
}

/// What the recipe says of pass `index`: its options, its name on the command line.
void describe_pass(StageStep& out, const session::Recipe& recipe, std::size_t index) {
    const transform::PassStep& row = recipe.passes[index];
    out.pass = static_cast<int>(index);
    out.can_disable = true;
    out.reference = session::pass_reference(recipe.passes, index);
    const transform::GraphPass* pass = transform::find_pass(row.name);
    if (pass == nullptr) return;
    out.summary = pass->summary;
    for (const pass::OptionSpec& spec : pass->options) {
        const auto own = row.options.find(spec.name);
        StageOption option{spec.name, own == row.options.end() ? spec.fallback : own->second, spec.fallback, spec.doc};
        option.own = own != row.options.end();
        option.flag = spec.fallback == "true" || spec.fallback == "false";
        out.options.push_back(std::move(option));
    }
}

/// The import's options are the shapes of the model's inputs.
void describe_inputs(StageStep& out, const session::Snapshot& snapshot) {
    out.reference = "import";
    out.summary = "Reads the model. A shape that is set here takes the place of the model's own.";
    for (const graph::Var& param : snapshot.steps.front()->module.main->params) {
        const graph::TensorType* type = graph::as_tensor(param->type);
        if (type == nullptr) continue;
        StageOption option{param->name, "", "", "extents of this input, as 1,3,224,224; empty: the model's own"};
        for (const graph::Dim& dim : type->dims)
            option.value +=
                (option.value.empty() ? "" : ",") + (dim.is_static() ? std::to_string(dim.value) : dim.symbol);
        option.own = snapshot.recipe.shapes.contains(param->name);
        out.options.push_back(std::move(option));
    }
}

std::string error_text(double error) {
    if (error == 0) return "exact";
    char text[32];
    std::snprintf(text, sizeof text, "%.1e", error);
    return text;
}

/// What a check of the steps found for step `index`, once it got there.
void describe_check(StageStep& out, const session::Snapshot& snapshot, std::size_t index) {
    const auto& bisection = snapshot.bisection;
    out.culprit = bisection && bisection->first_wrong == static_cast<std::ptrdiff_t>(index);
    if (out.culprit)
        out.tooltip += bisection->error ? "\nthe first that is wrong: " + to_string(*bisection->error)
                                        : "\nthe first that changes the numbers, by " + error_text(bisection->worst);
    if (!snapshot.step_checks || index >= snapshot.step_checks->steps.size()) return;
    const session::StepCheck& check = snapshot.step_checks->steps[index];
    if (!check.ran || index == 0) return;
    out.check = check.error ? "cannot be run" : error_text(check.from_before.max_rel);
    out.check_tone = check.agrees ? Tone::Good : Tone::Bad;
    out.tooltip += check.error    ? "\ncannot be run: " + to_string(*check.error)
                   : check.agrees ? (check.tolerance > snapshot.step_checks->options.tolerance
                                         ? "\nchecked: rounds as it says, worst error "
                                         : "\nchecked: same numbers, worst error ") +
                                        out.check
                                  : "\nchanges the numbers: worst error " + out.check + " of the largest element";
}

StageStep graph_stage(const session::Snapshot& snapshot, std::size_t index, int selected) {
    const session::GraphStep& step = *snapshot.steps[index];
    StageStep out;
    out.id = static_cast<int>(index);
    out.name = step.name;
    out.time = ms_text(step.milliseconds);
    out.changed = step.changed || index == 0;
    out.state = step.error ? StageState::Failed : step.enabled ? StageState::Done : StageState::Disabled;
    out.selected = out.id == selected;
    out.tooltip = step.name + ": " + std::to_string(step.operators) + " operators, " + out.time;
    // While a new recipe is under way its first steps stand beside the last ones of the one before.
    const std::size_t pass = index - 1;
    if (index > 0 && pass < snapshot.recipe.passes.size() && snapshot.recipe.passes[pass].name == step.name)
        describe_pass(out, snapshot.recipe, pass);
    if (index == 0) {
        describe_inputs(out, snapshot);
        out.detail = std::to_string(step.operators) + " ops";
    } else if (step.changed) {
        const auto before = static_cast<long>(snapshot.steps[index - 1]->operators),
                   after = static_cast<long>(step.operators);
        out.detail = after == before
                         ? std::to_string(step.rewrites.size()) + (step.rewrites.size() == 1 ? " rewrite" : " rewrites")
                         : (after < before ? "−" : "+") + std::to_string(std::labs(after - before));
        out.tooltip += ", " + std::to_string(step.rewrites.size()) + " rewrites";
    } else if (!step.error) {
        out.tooltip += step.enabled ? ", changed nothing" : ", switched off";
    }
    describe_check(out, snapshot, index);
    if (step.error) {
        out.error = to_string(*step.error);
        out.tooltip = step.name + " failed; its input is shown\n" + out.error;
    }
    return out;
}

/// Shares of the slowest step's time.
void fill_shares(StageSection& section, const std::vector<double>& times) {
    double slowest = 0;
    for (const double time : times) slowest = std::max(slowest, time);
    for (std::size_t i = 0; i < times.size() && i < section.steps.size() && slowest > 0; ++i)
        section.steps[i].share = static_cast<float>(times[i] / slowest);
}

void graph_section(StagesViewData& data, const session::Snapshot& snapshot, int selected) {
    StageSection section{"Graph", {}};
    std::vector<double> times;
    for (std::size_t i = 0; i < snapshot.steps.size(); ++i) {
        section.steps.push_back(graph_stage(snapshot, i, selected));
        times.push_back(i == 0 ? 0 : snapshot.steps[i]->milliseconds); // passes compare with passes
    }
    fill_shares(section, times);
    const bool failed = snapshot.steps.back()->error.has_value();
    for (std::size_t i = snapshot.steps.size(); i <= snapshot.recipe.passes.size(); ++i) {
        StageStep step;
        step.id = static_cast<int>(i), step.name = snapshot.recipe.passes[i - 1].name;
        step.state = !failed && i == snapshot.steps.size() ? StageState::Running : StageState::Pending;
        step.selected = step.id == selected;
        step.tooltip = step.name + (failed ? ": not reached, a pass before it failed" : ": to come");
        describe_pass(step, snapshot.recipe, i - 1);
        section.steps.push_back(std::move(step));
    }
    data.sections.push_back(std::move(section));
}

void tensor_section(StagesViewData& data, const session::ScheduledFunction& function, int selected) {
    StageSection section{"Tensor · " + function.lowered.name, {}};
    StageStep lowered;
    lowered.id = kTensorStages, lowered.name = "lower", lowered.selected = selected == kTensorStages;
    lowered.detail = std::to_string(function.lowered.calls) + (function.lowered.calls == 1 ? " call" : " calls");
    section.steps.push_back(lowered);
    for (std::size_t i = 0; i + 1 < function.replay.programs.size() && i < function.trace.steps.size(); ++i) {
        StageStep step;
        step.id = kTensorStages + static_cast<int>(i) + 1;
        step.name = function.trace.steps[i].primitive;
        const std::string text = schedule::to_string(function.trace.steps[i]);
        const std::size_t open = text.find('(');
        step.detail = open == std::string::npos ? std::string() : text.substr(open + 1, text.rfind(')') - open - 1);
        step.tooltip = text;
        step.selected = step.id == selected;
        section.steps.push_back(std::move(step));
    }
    if (function.error) {
        StageStep failed;
        failed.id = kTensorStages + static_cast<int>(section.steps.size()), failed.name = "trace",
        failed.state = StageState::Failed;
        failed.tooltip = to_string(*function.error);
        section.steps.push_back(failed);
    }
    data.sections.push_back(std::move(section));
}

void code_section(StagesViewData& data, const session::Snapshot& snapshot, const session::ScheduledFunction& function,
                  int selected) {
    StageSection section{"LLVM", {}};
    const auto code = snapshot.code.find(function.lowered.name);
    const bool there = code != snapshot.code.end();
    double codegen_ms = -1;
    if (snapshot.compiled)
        for (std::size_t i = 0; i < snapshot.compiled->functions.size(); ++i)
            if (snapshot.compiled->functions[i]->lowered.name == function.lowered.name)
                codegen_ms = snapshot.compiled->objects[i].compile_ms;
    std::vector<double> times;
    const auto add = [&](int id, const std::string& name, const Listing* listing) {
        StageStep step;
        step.id = id, step.name = name, step.selected = id == selected;
        step.state = there ? StageState::Done : StageState::Running;
        if (listing) step.detail = std::to_string(listing->lines.size()) + " lines";
        times.push_back(0);
        return &section.steps.emplace_back(std::move(step));
    };
    add(kCodeStages, "generate", there ? &code->second->ir : nullptr);
    const std::vector<BackendPass> none;
    const std::vector<BackendPass>& passes = there ? code->second->passes : none;
    std::size_t before = 0;
    for (std::size_t i = 0; i < passes.size(); ++i) {
        StageStep* step = add(kBackendStages + static_cast<int>(i), passes[i].name, nullptr);
        step->changed = passes[i].changed;
        step->time = ms_text(passes[i].milliseconds);
        times.back() = passes[i].milliseconds;
        const auto fewer = static_cast<long>(before) - static_cast<long>(passes[i].instructions);
        if (passes[i].changed)
            step->detail = i == 0 || fewer == 0 ? std::to_string(passes[i].instructions) + " instr."
                                                : (fewer > 0 ? "−" : "+") + std::to_string(std::labs(fewer));
        step->tooltip = "LLVM's " + passes[i].name + ": " + std::to_string(passes[i].instructions) +
                        " instructions after it, " + step->time + (passes[i].changed ? "" : ", changed nothing");
        before = passes[i].instructions;
    }
    if (passes.empty()) add(kCodeStages + 1, "optimize", there ? &code->second->optimized_ir : nullptr);
    StageStep* assembly = add(kCodeStages + 2, "assembly", there ? &code->second->assembly : nullptr);
    if (codegen_ms >= 0) assembly->time = ms_text(codegen_ms);
    fill_shares(section, times);
    data.sections.push_back(std::move(section));
}

} // namespace

session::FunctionPtr shown_function(const session::Snapshot& snapshot, const std::string& name) {
    session::FunctionPtr best;
    for (const session::FunctionPtr& f : snapshot.functions) {
        if (f->lowered.name == name) return f;
        if (!best || f->cost.flops > best->cost.flops) best = f;
    }
    return best;
}

StagesViewData build_stages(const session::Snapshot& snapshot, const ViewOptions& options) {
    StagesViewData data;
    if (snapshot.steps.empty()) return data;
    for (const transform::GraphPass& pass : transform::passes()) data.choices.push_back({pass.name, pass.summary});
    session::Recipe fresh;
    fresh.target = snapshot.host;
    data.command = session::command_line(snapshot.recipe, fresh, "show");
    const int last = static_cast<int>(snapshot.steps.size()) - 1;
    int selected = options.selected_stage < 0 ? last : options.selected_stage;
    if (selected < kTensorStages)
        selected = std::min(selected, std::max(last, static_cast<int>(snapshot.recipe.passes.size())));
    graph_section(data, snapshot, selected);
    const session::FunctionPtr function = shown_function(snapshot, options.function);
    if (!function) return data;
    tensor_section(data, *function, selected);
    code_section(data, snapshot, *function, selected);
    return data;
}

} // namespace orrery::views
