#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>

namespace orrery::vta {

/// What a computation that may take long is given: whether to stop, and whom to tell how far it is.
/// Thread: `report` is called by the thread that computes.
struct Watch {
    std::stop_token stop;
    std::function<void(double fraction)> report; ///< in [0, 1]; may be empty

    [[nodiscard]] bool stopped() const { return stop.stop_requested(); }
    void tell(std::uint64_t done, std::uint64_t of) const {
        if (report && of != 0) report(static_cast<double>(done) / static_cast<double>(of));
    }
};

/// Asks a watch once in a while: cheap enough for every turn of a loop.
class Pace {
  public:
    explicit Pace(const Watch& watch, std::uint32_t every = 4096) : watch_(watch), every_(every) {}
    /// True when the loop should end; tells how far it is.
    bool stopped(std::uint64_t done, std::uint64_t of) {
        if (++turns_ < every_) return false;
        turns_ = 0;
        watch_.tell(done, of);
        return watch_.stopped();
    }

  private:
    const Watch& watch_;
    std::uint32_t every_;
    std::uint32_t turns_ = 0;
};

} // namespace orrery::vta
