#include "views/model/session_views.hpp"

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

StageStep graph_stage(const session::Snapshot& snapshot, std::size_t index, int selected) {
    const session::GraphStep& step = *snapshot.steps[index];
    StageStep out;
    out.id = static_cast<int>(index);
    out.name = step.name;
    out.time = ms_text(step.milliseconds);
    out.changed = step.changed || index == 0;
    out.can_disable = index > 0;
    out.state = step.error ? StageState::Failed : step.enabled ? StageState::Done : StageState::Disabled;
    out.selected = out.id == selected;
    out.tooltip = step.name + ": " + std::to_string(step.operators) + " operators, " + out.time;
    if (index == 0) {
        out.detail = std::to_string(step.operators) + " ops";
    } else if (step.changed) {
        const auto before = static_cast<long>(snapshot.steps[index - 1]->operators),
                   after = static_cast<long>(step.operators);
        out.detail = after == before ? std::to_string(step.rewrites.size()) + " rewrites"
                                     : (after < before ? "−" : "+") + std::to_string(std::labs(after - before));
        out.tooltip += ", " + std::to_string(step.rewrites.size()) + " rewrites";
    } else {
        out.tooltip += step.enabled ? ", changed nothing" : ", switched off";
    }
    if (step.error) out.tooltip += "\n" + to_string(*step.error);
    return out;
}

void graph_section(StagesViewData& data, const session::Snapshot& snapshot, int selected) {
    StageSection section{"Graph", {}};
    for (std::size_t i = 0; i < snapshot.steps.size(); ++i) section.steps.push_back(graph_stage(snapshot, i, selected));
    const bool failed = snapshot.steps.back()->error.has_value();
    const bool working = !failed && std::ranges::any_of(snapshot.jobs, [](const session::JobStatus& j) {
        return j.label.find("check") == std::string::npos;
    });
    for (std::size_t i = snapshot.steps.size(); working && i <= snapshot.recipe.passes.size(); ++i) {
        StageStep step;
        step.id = static_cast<int>(i), step.name = snapshot.recipe.passes[i - 1].name;
        step.state = i == snapshot.steps.size() ? StageState::Running : StageState::Pending;
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
    const char* const names[] = {"generate", "optimize", "assembly"};
    double codegen_ms = -1;
    if (snapshot.compiled)
        for (std::size_t i = 0; i < snapshot.compiled->functions.size(); ++i)
            if (snapshot.compiled->functions[i]->lowered.name == function.lowered.name)
                codegen_ms = snapshot.compiled->objects[i].compile_ms;
    for (int i = 0; i < 3; ++i) {
        StageStep step;
        step.id = kCodeStages + i, step.name = names[i], step.selected = step.id == selected;
        step.state = there ? StageState::Done : StageState::Running;
        if (there) {
            const Listing& listing = i == 0   ? code->second->ir
                                     : i == 1 ? code->second->optimized_ir
                                              : code->second->assembly;
            step.detail = std::to_string(listing.lines.size()) + " lines";
        }
        if (i == 2 && codegen_ms >= 0) step.time = ms_text(codegen_ms);
        section.steps.push_back(std::move(step));
    }
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
    const int last = static_cast<int>(snapshot.steps.size()) - 1;
    int selected = options.selected_stage < 0 ? last : options.selected_stage;
    if (selected < kTensorStages) selected = std::min(selected, last);
    graph_section(data, snapshot, selected);
    const session::FunctionPtr function = shown_function(snapshot, options.function);
    if (!function) return data;
    tensor_section(data, *function, selected);
    code_section(data, snapshot, *function, selected);
    return data;
}

} // namespace orrery::views
