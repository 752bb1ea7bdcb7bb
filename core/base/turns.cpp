#include "core/base/turns.hpp"

#include <algorithm>
#include <cstdint>

#ifdef __linux__
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace orrery {

void step_back() {
#ifdef __linux__
    /// What the system call reads; the C library has no name for it. Source: sched_setattr(2).
    struct {
        std::uint32_t size, policy;
        std::uint64_t flags;
        std::int32_t nice;
        std::uint32_t priority;
        std::uint64_t runtime, deadline, period; // ns; runtime is the length of a turn since Linux 6.12
    } wish{};
    wish.size = sizeof wish, wish.policy = SCHED_BATCH;
    // Source: our choice, about a tenth of a core beside work the user waits for. A thread cannot ask for more than it
    // has.
    wish.nice = std::max(10, getpriority(PRIO_PROCESS, 0));
    wish.runtime = 20'000'000; // Source: our choice; the system's own turns are some 3 ms long
    (void)syscall(SYS_sched_setattr, 0, &wish, 0);
#endif
}

} // namespace orrery
