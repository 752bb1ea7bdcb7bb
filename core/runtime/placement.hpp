#pragma once
// Internal to core/runtime: which cores the threads of a pool run on.

#include <memory>
#include <span>
#include <thread>

namespace orrery::runtime {

/// Keeps a pool's threads off the core of whoever calls: a thread that is new, or was woken, otherwise stands in line
/// on its caller's core, which spins, until the system finds it a better one; that takes it some ten milliseconds.
/// Thread: one at a time.
class Placement {
  public:
    /// `threads` counts the caller's. The cores are those the calling thread may use now. Nothing is placed where these
    /// are fewer than threads, or the system has no such call.
    explicit Placement(int threads);
    ~Placement();
    Placement(const Placement&) = delete;
    Placement& operator=(const Placement&) = delete;

    /// The workers go to other cores than the one the calling thread is on: each to one of its own where there are just
    /// enough, else to any other. No system call while the caller stays where it is.
    void around_caller(std::span<std::thread> workers);

  private:
    struct Cores;
    std::unique_ptr<Cores> cores_; ///< null where nothing is placed
};

} // namespace orrery::runtime
