#pragma once
// A process of its own in which kernels are run: what they break, they break there.

#include "core/base/progress.hpp"
#include "core/tuning/measurement.hpp"
#include "core/tuning/timing.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace orrery::tuning {

/// Of worker.proto; a worker of another protocol is refused.
inline constexpr std::uint32_t kProtocol = 3;

/// How a run in a worker ended: Ok, Crashed, TimedOut or CompileError (what cannot be loaded).
struct WorkerRun {
    Outcome outcome = Outcome::Ok;
    std::string reason; ///< "crashed with signal 11 (Segmentation fault)"
    RunReport report;   ///< of one that is Ok
};

/// Who measures: what records say of where a time comes from.
struct WorkerHost {
    std::string version, machine; ///< of the program; see machine_fingerprint
    int cores = 1;
};

/// Starts a worker when there is first something to run, keeps it warm, and replaces one that died or hung. One that
/// listens elsewhere is given up when it hangs, which ends it, and called again.
/// Thread: one call at a time.
class Worker {
  public:
    struct Options {
        /// What is started, as `PROGRAM worker --socket PATH`. Empty: $ORRERY_WORKER, else this program.
        std::filesystem::path program = {};
        double start_seconds = 20; ///< until a new worker must have answered
        /// "HOST:PORT" of a worker that somebody else started and that is started again when it ends (listen_worker);
        /// empty: one of our own.
        std::string address = {};
    };
    explicit Worker(Options options);
    Worker() : Worker(Options()) {}
    ~Worker(); ///< ends the process
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// Errors: ProcessFailed when no worker can be started; LimitExceeded for arguments or results that are too large;
    /// Cancelled within 50 ms of a stop request: the process is gone then.
    [[nodiscard]] Result<WorkerRun> run(const RunRequest& request, const Progress& progress);
    /// Starts a worker when there is none. Errors: ProcessFailed, Cancelled.
    [[nodiscard]] Result<WorkerHost> host(const Progress& progress);
    [[nodiscard]] int started() const; ///< processes so far
    [[nodiscard]] int process() const; ///< id of the one that lives; 0 for none, and for one elsewhere

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Serves runs on a Unix socket until standard input ends, which is when whoever started it is gone; says "ready" on
/// standard output once it can be called. `address` is a path, from "/" on, or "HOST:PORT". Errors: FileUnwritable for
/// one that cannot be had.
[[nodiscard]] Result<void> serve_worker(const Backend& backend, const std::string& address);

} // namespace orrery::tuning
