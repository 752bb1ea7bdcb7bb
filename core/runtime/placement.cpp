#include "core/runtime/placement.hpp"

#include <vector>

#ifdef __linux__
#include <pthread.h>
#include <sched.h>
#endif

namespace orrery::runtime {

#ifdef __linux__

struct Placement::Cores {
    std::vector<int> all; ///< increasing
    cpu_set_t set;
    int around = -1;    ///< the caller's core when workers were placed last
    bool spare = false; ///< more of them than threads
};

Placement::Placement(int threads) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (threads < 2 || sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) < threads) return;
    cores_ = std::make_unique<Cores>();
    cores_->set = set;
    cores_->spare = CPU_COUNT(&set) > threads;
    for (int core = 0; core < CPU_SETSIZE; ++core)
        if (CPU_ISSET(core, &set)) cores_->all.push_back(core);
}

void Placement::around_caller(std::span<std::thread> workers) {
    if (!cores_) return;
    const int here = sched_getcpu();
    if (here < 0 || here == cores_->around || !CPU_ISSET(here, &cores_->set)) return;
    cores_->around = here;
    const auto count = cores_->all.size();
    std::size_t next = 0;
    while (cores_->all[next] != here) ++next;
    for (std::thread& worker : workers) {
        cpu_set_t there = cores_->set;
        CPU_CLR(here, &there);
        if (!cores_->spare) { // one each
            next = (next + 1) % count;
            CPU_ZERO(&there);
            CPU_SET(cores_->all[next], &there);
        }
        pthread_setaffinity_np(worker.native_handle(), sizeof there, &there); // a wish: where it fails nothing is lost
    }
}

#else

struct Placement::Cores {};
Placement::Placement(int) {}
void Placement::around_caller(std::span<std::thread>) {}

#endif

Placement::~Placement() = default;

} // namespace orrery::runtime
