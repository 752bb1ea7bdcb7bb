#pragma once
// Threads that share out loops: spinning briefly between loops, parked when idle.

#include "core/runtime/abi.h"

#include <cstdint>
#include <memory>

namespace orrery::runtime {

/// A fixed set of threads. Nothing is allocated per loop.
/// Thread: one caller at a time; the caller takes part in the work.
class ThreadPool {
  public:
    /// `threads` counts the caller's; less than 1 counts as 1.
    explicit ThreadPool(int threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    [[nodiscard]] int size() const;
    /// Runs `body` over [0, extent) in contiguous chunks, thread t taking [extent*t/T, extent*(t+1)/T), and returns
    /// when all is done. Called from inside a body, it runs the whole loop on the calling thread.
    void parallel_for(std::int64_t extent, orrery_loop_body body, void* closure);
    /// The view of this pool that kernels are given; lives as long as the pool.
    [[nodiscard]] orrery_context* context();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace orrery::runtime
