#include "core/session/tune.hpp"

#include "core/session/measure.hpp"

#include <algorithm>

namespace orrery::session {

namespace {

Result<Compiler::Functions> functions_of(const Recipe& recipe, Compiler& compiler, const Progress& progress) {
    ORRERY_TRY(const Steps steps, compiler.graph_steps(recipe, progress));
    if (steps.back()->error) return *steps.back()->error;
    return compiler.functions(recipe, steps.back()->module, progress);
}

} // namespace

Result<std::vector<tuning::TuneTask>> tuning_tasks(const Recipe& recipe, Compiler& compiler, const Progress& progress) {
    ORRERY_TRY(const Compiler::Functions functions, functions_of(recipe, compiler, progress));
    std::vector<tuning::TuneTask> out;
    for (const FunctionPtr& function : functions.functions) {
        const lower::LoweredFunction& lowered = function->lowered;
        if (!lowered.backend.empty()) continue;
        tuning::TuneTask task;
        task.workload = to_string(lowered.workload), task.function = lowered.name;
        task.program = lowered.program, task.before = function->trace;
        task.calls = lowered.calls;
        task.weights = lowered.weights, task.weights_distance = tuning::weights_distance(lowered.model_weights);
        // A trace that does not apply wholly is in force as far as it goes.
        if (function->error) task.before.steps.resize(function->replay.programs.size() - 1);
        out.push_back(std::move(task));
    }
    return out;
}

Result<ModelTuning> tune(Compiler& compiler, const Recipe& recipe, tuning::Measurer& measurer,
                         tuning::TunerOptions options, const tuning::TuningLink& link) {
    ORRERY_TRY(std::vector<tuning::TuneTask> tasks, tuning_tasks(recipe, compiler, link.progress));
    return tune_tasks(compiler, recipe, {measurer, std::move(tasks), options}, link);
}

Result<ModelTuning> tune_tasks(Compiler& compiler, const Recipe& recipe, ChosenTasks chosen,
                               const tuning::TuningLink& link) {
    if (chosen.options.threads <= 0) chosen.options.threads = threads_of(recipe);
    const tuning::TuneSetting setting{chosen.measurer, compiler.backend(), recipe.target, recipe.build};
    ORRERY_TRY(tuning::TuneResult done, tuning::tune(setting, std::move(chosen.tasks), chosen.options, link));
    ModelTuning out;
    for (tuning::TunedTask& task : done.tasks)
        if (task.improved) out.best.insert_or_assign(task.workload, std::move(task.best));
    if (done.last) out.before_ms = done.last->before_ms, out.estimate_ms = done.last->estimate_ms;
    out.last = std::move(done.last);
    return out;
}

Recipe with_schedules(Recipe recipe, const std::map<std::string, schedule::Trace>& best) {
    for (const auto& [workload, trace] : best) recipe.schedules.insert_or_assign(workload, trace);
    return recipe;
}

Result<std::map<std::string, schedule::Trace>>
recorded_schedules(const Recipe& recipe, Compiler& compiler, tuning::Measurer& measurer, const Progress& progress) {
    ORRERY_TRY(const std::vector<tuning::TuneTask> tasks, tuning_tasks(recipe, compiler, progress));
    std::map<std::string, schedule::Trace> out;
    for (const tuning::TuneTask& task : tasks) {
        const std::optional<tuning::Record> best = measurer.best_of(
            {task.workload, to_string(recipe.target), measurer.machine(), threads_of(recipe), task.weights_distance});
        if (!best) continue;
        Result<schedule::Trace> trace = schedule::parse_trace(best->trace);
        // Names in a trace are those of the model it was found in: in another they may be others.
        if (trace && schedule::replay(task.program, *trace)) out.insert_or_assign(task.workload, *std::move(trace));
    }
    return out;
}

} // namespace orrery::session
