#pragma once
// A recipe's model tuned: its distinct workloads as tasks, the best traces back into a recipe.

#include "core/session/compiler.hpp"
#include "core/tuning/tuner.hpp"

#include <map>
#include <string>

namespace orrery::session {

struct ModelTuning {
    std::map<std::string, schedule::Trace> best; ///< by workload, only those faster than what was in force
    double before_ms = 0, estimate_ms = 0;       ///< sums over all calls
    tuning::TuningSnapshotPtr last;
};

/// The workloads of a recipe that can be tuned, each with its present trace. Regions of other backends are left out.
[[nodiscard]] Result<std::vector<tuning::TuneTask>> tuning_tasks(const Recipe& recipe, Compiler& compiler,
                                                                 const Progress& progress);

/// Tunes the recipe's model. The link's control pauses, stops, pins and seeds it from other threads; its observer is
/// told of every snapshot by the thread that calls. `options.threads` of 0 is the recipe's. Errors: those of the stages
/// before, and of tuning::tune. Thread: any, for as long as it takes.
[[nodiscard]] Result<ModelTuning> tune(Compiler& compiler, const Recipe& recipe, tuning::Measurer& measurer,
                                       tuning::TunerOptions options, const tuning::TuningLink& link);

/// The same for some of the workloads, or with seeds: tasks are those of tuning_tasks.
struct ChosenTasks {
    tuning::Measurer& measurer;
    std::vector<tuning::TuneTask> tasks;
    tuning::TunerOptions options;
};
[[nodiscard]] Result<ModelTuning> tune_tasks(Compiler& compiler, const Recipe& recipe, ChosenTasks chosen,
                                             const tuning::TuningLink& link);

/// The recipe with these traces in force. Undoable as any edit: Session::edit("apply tuning", ...).
[[nodiscard]] Recipe with_schedules(Recipe recipe, const std::map<std::string, schedule::Trace>& best);
/// The best traces that records of this machine have of the recipe's workloads, for its target and threads. Reads the
/// database. Errors: those of the stages before.
[[nodiscard]] Result<std::map<std::string, schedule::Trace>>
recorded_schedules(const Recipe& recipe, Compiler& compiler, tuning::Measurer& measurer, const Progress& progress);

} // namespace orrery::session
