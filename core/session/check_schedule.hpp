#pragma once
// A schedule's steps, checked: the program after each is run on the same inputs as the program as lowered, and must
// give the same numbers. Primitives prove that they keep what a program means; instructions that users declare do not.

#include "core/session/stages.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace orrery::session {

/// An element of a result that is not what the unscheduled program computes.
struct WrongElement {
    std::string buffer;
    std::vector<std::int64_t> index; ///< one a dimension
    double actual = 0, expected = 0;
};
[[nodiscard]] std::string to_string(const WrongElement& wrong); ///< "y[0, 3] is 4 instead of 6"

/// What became of the numbers of one program.
struct ScheduleVerdict {
    bool right = true;
    double worst = 0;                  ///< largest difference, of the largest element of its result
    std::optional<WrongElement> wrong; ///< the first one, results in order, row-major
    std::optional<Diagnostic> error;   ///< the verifier's, or the backend's
    double milliseconds = 0;           ///< of compiling, running and comparing
};

struct ScheduleCheck {
    FunctionPtr of;
    /// Parallel to the steps that were applied: of the program after each; empty while it is not known.
    std::vector<std::optional<ScheduleVerdict>> steps;
    std::ptrdiff_t first_wrong = -1;      ///< index into steps, as far as they are known; -1 for none
    std::size_t ran = 0;                  ///< programs run for this check: those not known before
    std::optional<Diagnostic> left_alone; ///< why nothing was run, as a note
    bool finished = false;                ///< no more verdicts follow; steps after a wrong one have none
};
/// What to tell of it: the first wrong step with its element, or that nothing was run; none when all is well.
[[nodiscard]] std::optional<Diagnostic> problem_of(const ScheduleCheck& check);

struct ScheduleCheckOptions {
    std::uint64_t seed = 1;
    /// Of a result's largest element; integers must be equal. Source: as for `check`, float32 sums of some thousand
    /// terms, added in another order.
    double tolerance = 1e-4;
    /// Programs that store more often are left alone; negative for no limit. Units: stores. Source: our choice, a few
    /// seconds as lowered; a run under way cannot be interrupted.
    double most_stores = -1;
    /// For the steps besides the last, as long as no wrong one is found; negative for no limit. What is left over is
    /// run by the next check of the schedule. Units: seconds.
    double seconds = -1;
    /// Programs that store at most so often are interpreted for the numbers that are right. Units: stores. Source: our
    /// choice, some 20 ms.
    double interpreted_up_to = 1e6;
};

/// Remembers what programs gave, so that another step costs one run. Thread: any; one check at a time, others wait.
class ScheduleChecker {
  public:
    /// How programs become code: the same for equal `how`.
    struct Machine {
        const Backend& backend;
        std::function<Result<std::shared_ptr<const KernelObject>>(const tensor::Program&)> compile;
        Hash how; ///< of target and options
    };
    using Sink = std::function<void(const ScheduleCheck&)>;
    /// Runs what was not run before: the last program, then the others from the first to the first wrong one. Runs on
    /// one thread. `sink`, when given, sees each verdict. Programs are only run when the verifier accepts them; the
    /// memory an instruction touches is that of the buffers in its description. Errors: Cancelled; those of compiling
    /// and running the program as lowered.
    [[nodiscard]] Result<ScheduleCheck> check(const FunctionPtr& function, const Machine& machine,
                                              const ScheduleCheckOptions& options, const Progress& progress,
                                              const Sink& sink = {});

  private:
    struct Reference {
        std::vector<NDArray> args;    ///< inputs, then outputs before a run
        std::vector<NDArray> results; ///< of the program as lowered
        std::size_t bytes = 0;
        std::uint64_t used = 0;
    };
    Result<std::shared_ptr<const Reference>> reference(const tensor::Program& program, const Machine& machine,
                                                       const ScheduleCheckOptions& options, const Progress& progress);
    Result<const ScheduleVerdict*> verdict(const tensor::Program& lowered, const tensor::Program& program,
                                           const Machine& machine, const ScheduleCheckOptions& options,
                                           const Progress& progress);
    static Hash key_of(const tensor::Program& lowered, const tensor::Program& program, const Machine& machine,
                       const ScheduleCheckOptions& options);
    void make_room();

    std::mutex mutex_;
    std::map<Hash, std::shared_ptr<Reference>> references_;
    std::map<Hash, ScheduleVerdict> verdicts_;
    std::uint64_t clock_ = 0;
};

} // namespace orrery::session
