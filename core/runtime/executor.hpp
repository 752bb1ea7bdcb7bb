#pragma once
// Runs a plan: a thread pool, the arena, and one call a step. Nothing is allocated during a run.

#include "core/runtime/abi.h"
#include "core/runtime/plan.hpp"

#include <chrono>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

namespace orrery::runtime {

class ThreadPool;

/// Everything a run needs, shared by executors.
struct Executable {
    Plan plan;
    std::vector<orrery_kernel> kernels;            ///< one for each of plan.kernels
    std::vector<const void*> kernel_data;          ///< parallel to kernels, or empty when none has data of its own
    std::vector<const void*> constants;            ///< 64-byte aligned
    std::vector<std::shared_ptr<const void>> keep; ///< owners of code and constants

    /// A kernel's own data; see abi.h.
    [[nodiscard]] const void* data_of(std::size_t kernel) const {
        return kernel < kernel_data.size() ? kernel_data[kernel] : nullptr;
    }
};

/// Time of each step of one run. Units: nanoseconds.
using StepTimes = std::vector<std::int64_t>;

/// One thread of control's way to run an executable; owns its arena. Thread: one run at a time.
class Executor {
  public:
    /// `threads` >= 1 counts the caller's.
    Executor(std::shared_ptr<const Executable> executable, int threads);
    /// With threads that several executors take turns to use.
    Executor(std::shared_ptr<const Executable> executable, std::shared_ptr<ThreadPool> pool);
    ~Executor();
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;

    [[nodiscard]] const Plan& plan() const;
    /// Pre: one pointer for each of the plan's inputs and outputs, sizes as planned, 64-byte aligned.
    /// Returns false when stopped between steps. `times`, when given, receives one entry a step.
    bool run(std::span<const void* const> inputs, std::span<void* const> outputs, StepTimes* times = nullptr,
             std::stop_token stop = {});
    /// Memory of one value after the last run, for inspection; null for inputs and outputs. An Arena value may have
    /// been overwritten by a later one.
    [[nodiscard]] const void* value_data(std::uint32_t value) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace orrery::runtime
