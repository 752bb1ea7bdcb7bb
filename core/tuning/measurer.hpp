#pragma once
// Schedules measured: compiled, run alone in a worker, compared with the program as written, kept.

#include "core/base/progress.hpp"
#include "core/tuning/records.hpp"
#include "core/tuning/worker.hpp"

#include <memory>
#include <optional>
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
};

struct MeasureOptions {
    int threads = 1;
    double seconds = 1; ///< of timed runs
    int least_runs = 10;
    double deadline_seconds = 30;
    std::uint64_t seed = 1;
    bool check = true; ///< compare the results
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
    /// This machine's, measured when they are not known yet; those of a busy machine are measured again when they are
    /// next asked for, a few times. Errors: those of measure_peaks.
    [[nodiscard]] Result<Peaks> peaks(const Target& target, int threads, const Progress& progress);
    /// Nullopt when they were not measured yet.
    [[nodiscard]] std::optional<Peaks> known_peaks(int threads);
    /// Newest first; those of this object only where there is no database.
    [[nodiscard]] std::vector<Record> of_workload(const std::string& workload);
    /// Why the database is not used; null while it is.
    [[nodiscard]] std::optional<Diagnostic> records_problem() const;
    /// See machine_fingerprint.
    [[nodiscard]] const std::string& machine() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// "0.412 ms, median of 61 runs, known to 0.8 %; 1.3 cores were busy with other work meanwhile": what can be said of a
/// record in one line, its reason where it is not Ok.
[[nodiscard]] std::string describe(const Record& record);

} // namespace orrery::tuning
