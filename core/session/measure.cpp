#include "core/session/measure.hpp"

#include "core/session/recipe.hpp"
#include "core/session/tune.hpp"

namespace orrery::session {

int threads_of(const Recipe& recipe) { return recipe.threads > 0 ? recipe.threads : recipe.target.cores; }

Result<tuning::Candidate> candidate_of(const Recipe& recipe, const ScheduledFunction& function) {
    const lower::LoweredFunction& lowered = function.lowered;
    if (!lowered.backend.empty())
        return Diagnostic{Code::UnsupportedFeature,
                          lowered.name + " is computed by " + lowered.backend + ": it has no schedule to measure",
                          {ProgramPlace{lowered.name, ""}},
                          "leave out --partition, or run the model to see its time"};
    return tuning::Candidate{to_string(lowered.workload),
                             lowered.program,
                             function.program(),
                             schedule::to_string(function.trace),
                             recipe.target,
                             recipe.build,
                             lowered.weights,
                             tuning::weights_distance(lowered.model_weights)};
}

Measurements known_measurements(tuning::Measurer& measurer, const Recipe& recipe, const ScheduledFunction& function) {
    Measurements out;
    out.function = function.lowered.name, out.workload = to_string(function.lowered.workload);
    out.threads = threads_of(recipe), out.target = to_string(recipe.target);
    out.machine = measurer.machine();
    out.weights_distance = tuning::weights_distance(function.lowered.model_weights);
    out.rows = measurer.of_workload(out.workload);
    out.peaks = measurer.known_peaks(out.threads);
    if (const std::optional<Diagnostic> problem = measurer.records_problem()) out.problem = to_string(*problem);
    return out;
}

Result<void> tune(Compiler& compiler, tuning::Measurer& measurer, const TuneWork& work,
                  const tuning::TuningLink& link) {
    tuning::TunerOptions options = work.options;
    if (options.threads == 0) options.threads = threads_of(work.recipe);
    if (work.only_function.empty()) {
        const Result<ModelTuning> done = tune(compiler, work.recipe, measurer, options, link);
        return done ? Result<void>() : done.error();
    }
    ORRERY_TRY(std::vector<tuning::TuneTask> tasks, tuning_tasks(work.recipe, compiler, link.progress));
    std::erase_if(tasks, [&](const tuning::TuneTask& task) { return task.function != work.only_function; });
    const tuning::TuneSetting setting{measurer, compiler.backend(), work.recipe.target, work.recipe.build};
    const Result<tuning::TuneResult> done = tuning::tune(setting, std::move(tasks), options, link);
    return done ? Result<void>() : done.error();
}

} // namespace orrery::session
