#include "core/session/measure.hpp"

#include "core/session/recipe.hpp"

namespace orrery::session {

int threads_of(const Recipe& recipe) { return recipe.threads > 0 ? recipe.threads : recipe.target.cores; }

Result<tuning::Candidate> candidate_of(const Recipe& recipe, const ScheduledFunction& function) {
    const lower::LoweredFunction& lowered = function.lowered;
    if (!lowered.backend.empty())
        return Diagnostic{Code::UnsupportedFeature,
                          lowered.name + " is computed by " + lowered.backend + ": it has no schedule to measure",
                          {ProgramPlace{lowered.name, ""}},
                          "leave out --partition, or run the model to see its time"};
    return tuning::Candidate{to_string(lowered.workload),         lowered.program, function.program(),
                             schedule::to_string(function.trace), recipe.target,   recipe.build};
}

Measurements known_measurements(tuning::Measurer& measurer, const Recipe& recipe, const ScheduledFunction& function) {
    Measurements out;
    out.function = function.lowered.name, out.workload = to_string(function.lowered.workload);
    out.threads = threads_of(recipe), out.target = to_string(recipe.target);
    out.machine = measurer.machine();
    out.rows = measurer.of_workload(out.workload);
    out.peaks = measurer.known_peaks(out.threads);
    if (const std::optional<Diagnostic> problem = measurer.records_problem()) out.problem = to_string(*problem);
    return out;
}

} // namespace orrery::session
