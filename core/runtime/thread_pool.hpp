#pragma once
// Threads that share out loops: spinning briefly between loops, parked when idle.

#include "core/runtime/abi.h"

#include <cstdint>
#include <memory>

namespace orrery::runtime {

/// A fixed set of threads. Nothing is allocated and no lock is taken for a loop.
/// Thread: any. One loop at a time is shared out; the caller takes part in the work.
class ThreadPool {
  public:
    /// `threads` counts the caller's; less than 1 counts as 1.
    explicit ThreadPool(int threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    [[nodiscard]] int size() const;
    /// Runs `body` over [0, extent) in contiguous pieces, each iteration once, and returns when all is done. Thread t
    /// begins with [extent*t/T, extent*(t+1)/T), the same iterations each time, whose caches hold what it touched
    /// before; who is through with its own takes over some of what slower threads have not begun.
    /// Called from inside a body, or while another thread has a loop shared out, it runs the whole loop on the calling
    /// thread. What bodies throw is thrown here once all are done: what the first iterations threw.
    void parallel_for(std::int64_t extent, orrery_loop_body body, void* closure);
    /// The view of this pool that kernels are given; lives as long as the pool.
    [[nodiscard]] orrery_context* context();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace orrery::runtime
