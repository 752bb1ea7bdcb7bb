#pragma once
// Schedules measured: compiled, run alone in a worker, compared with the program as written, kept.

#include "core/base/progress.hpp"
#include "core/tuning/records.hpp"
#include "core/tuning/worker.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace orrery::tuning {

/// A schedule of a program, to be measured.
struct Candidate {
    std::string workload;    ///< hash of `written`, in hexadecimal
    tensor::Program written; ///< what it has to compute
    tensor::Program scheduled;
    std::string trace; ///< as text
    Target target;
    BuildOptions build;
    std::vector<bool> weights = {};          ///< by input: whether it holds weights; none where it is empty
    std::int64_t weights_distance = 0;       ///< see there
    std::optional<KernelObject> object = {}; ///< of `scheduled`, when it is compiled already
};

struct MeasureOptions {
    int threads = 1;
    double seconds = 1; ///< of timed runs
    int least_runs = 10;
    double deadline_seconds = 30;
    std::uint64_t seed = 1;
    bool check = true; ///< compare the results
    double warm_up_seconds = 0.1;
    double give_up_ms = 0;     ///< a kernel that takes longer is run once only; 0 for never
    bool flush_caches = false; ///< before each timed run
};

/// Thread: any; one measurement at a time, others wait for it.
class Measurer {
  public:
    struct Options {
        std::filesystem::path records = Records::default_path(); ///< empty: kept in memory only
        Worker::Options worker = {};
    };
    Measurer(std::shared_ptr<const Backend> backend, Options options);
    explicit Measurer(std::shared_ptr<const Backend> backend) : Measurer(std::move(backend), Options()) {}
    ~Measurer();
    Measurer(const Measurer&) = delete;
    Measurer& operator=(const Measurer&) = delete;

    /// Compiles, runs, compares and keeps the record, whatever the outcome. Results are compared with those of the
    /// program as written: interpreted where that takes no time, else compiled without a schedule and run in the
    /// worker. When that does not come back, the record is Ok and its reason says that nothing was compared. Errors:
    /// NoTarget for a target that is not this machine; ProcessFailed when no worker can be started; LimitExceeded;
    /// Cancelled.
    [[nodiscard]] Result<Record> measure(const Candidate& candidate, const MeasureOptions& options,
                                         const Progress& progress);
    /// Kernels of one workload run by turns, `turns` times each: what disturbs one disturbs the others. Of each its
    /// least median, and the others' work that was least in the way; of one that did not come back, no runs. Nothing is
    /// compared or kept. Pre: all are compiled. Errors: ProcessFailed, LimitExceeded, Cancelled.
    struct Turns {
        Times times;
        double busy_others = 0;
    };
    [[nodiscard]] Result<std::vector<Turns>>
    by_turns(std::span<const Candidate> candidates, const MeasureOptions& options, int turns, const Progress& progress);
    /// This machine's, measured when they are not known yet; those of a busy machine are measured again when they are
    /// next asked for, a few times. Errors: those of measure_peaks.
    [[nodiscard]] Result<Peaks> peaks(const Target& target, int threads, const Progress& progress);
    /// Nullopt when they were not measured yet.
    [[nodiscard]] std::optional<Peaks> known_peaks(int threads);
    /// Newest first; those of this object only where there is no database.
    [[nodiscard]] std::vector<Record> of_workload(const std::string& workload);
    /// Why the database is not used; null while it is.
    [[nodiscard]] std::optional<Diagnostic> records_problem() const;
    /// The fastest that is known for this key's workload, target and threads on this machine.
    [[nodiscard]] std::optional<Record> best_of(const RecordKey& key);
    /// See machine_fingerprint; of a worker elsewhere, that machine's, once it was called.
    [[nodiscard]] const std::string& machine() const;
    /// Whether the worker is elsewhere: see Worker::Options.
    [[nodiscard]] bool remote() const;
    /// Calls the worker, or starts it. Errors: those of Worker::host.
    [[nodiscard]] Result<WorkerHost> host(const Progress& progress);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// "0.412 ms, median of 61 runs, known to 0.8 %; 1.3 cores were busy with other work meanwhile": what can be said of a
/// record in one line, its reason where it is not Ok.
[[nodiscard]] std::string describe(const Record& record);

} // namespace orrery::tuning
