#pragma once
// Looks for fast schedules of workloads: candidates are proposed, compiled, run in a worker, checked and kept.

#include "core/base/progress.hpp"
#include "core/tuning/measurer.hpp"
#include "core/tuning/tuning.hpp"

#include <memory>
#include <string>
#include <vector>

namespace orrery::tuning {

/// A workload to be tuned.
struct TuneTask {
    std::string workload; ///< hash of `program`, in hexadecimal
    std::string function;
    tensor::Program program;                 ///< as written
    schedule::Trace before;                  ///< in force: the baseline, and what spaces are made from
    std::vector<schedule::Trace> seeds = {}; ///< tried first
    std::size_t calls = 1;
    std::vector<bool> weights = {};    ///< by input: whether it holds weights; none where it is empty
    std::int64_t weights_distance = 0; ///< see there
};

struct TunerOptions {
    SearchKind search = SearchKind::Model;
    int trials = 0;     ///< over all tasks; 0 for no limit
    double seconds = 0; ///< in all, pauses left out; 0 for no limit. Pre: one of the two limits
    int threads = 1;    ///< of each kernel
    std::uint64_t seed = 1;
    int round = 16;               ///< candidates proposed at once for a task
    bool warm_start = true;       ///< from records of the workload on this machine: known candidates are not run again
    bool flush_caches = false;    ///< before each timed run
    double run_seconds = 0.15;    ///< of timed runs of a candidate, at most
    double deadline_seconds = 10; ///< of one candidate, loading included, until it counts as hung
    bool measure_peaks = true;    ///< of this machine, when they are not known
    double patience_seconds = 5;  ///< how long a busy machine is waited for before a trial, at most
};

/// What a tuning works with. The references outlive it.
struct TuneSetting {
    Measurer& measurer;
    const Backend& backend;
    Target target;
    BuildOptions build;
};

/// The best trace of a workload.
struct TunedTask {
    std::string workload;
    schedule::Trace best; ///< closed; the one before when nothing was faster
    double before_ms = 0, best_ms = 0;
    bool improved = false;
};
struct TuneResult {
    std::vector<TunedTask> tasks; ///< in the order they were given
    TuningSnapshotPtr last;
};

/// Tunes until the budget is spent, every space is exhausted, or it is told to stop. Each trial is kept as it ends:
/// what is killed loses the one under way, and begins again where it was. Given the same measurements and no limit of
/// time, the same candidates are tried. Errors: NoTarget for a target that is not this machine's; ProcessFailed when no
/// worker can be started; Cancelled. Thread: any, for as long as it takes.
[[nodiscard]] Result<TuneResult> tune(const TuneSetting& setting, std::vector<TuneTask> tasks,
                                      const TunerOptions& options, const TuningLink& link);

} // namespace orrery::tuning
