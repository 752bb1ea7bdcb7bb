#pragma once
// Which machine and which program a measurement is of.

#include <string>

namespace orrery::tuning {

/// "AMD EPYC, family 25 model 17 stepping 1, 2 cores, L1 32K L2 1024K L3 32768K": equal where times can be compared.
/// Names neither host nor user.
[[nodiscard]] std::string machine_fingerprint();
/// Cores this process may use.
[[nodiscard]] int usable_cores();
/// "0.1.0".
[[nodiscard]] std::string program_version();

/// What all processes together, and this one, have kept busy so far. Units: core-seconds.
struct BusyTime {
    double all = 0, own = 0;
};
[[nodiscard]] BusyTime busy_time();

/// Binds the calling thread, and threads it makes, to `count` cores of those it may use; undone when it ends.
class Pinned {
  public:
    explicit Pinned(int count);
    ~Pinned();
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;

  private:
    unsigned long before_[128 / sizeof(unsigned long)] = {}; ///< a cpu_set_t
    bool bound_ = false;
};

} // namespace orrery::tuning
