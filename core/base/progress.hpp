#pragma once
// Cancellation and progress, handed down through everything that may take long.

#include <functional>
#include <stop_token>
#include <string_view>

namespace orrery {

/// What a long operation is given: whether to stop, and whom to tell how far it is.
/// Thread: `report` may be called from any worker.
struct Progress {
    std::stop_token stop;
    std::function<void(std::string_view what, double fraction)> report; ///< fraction in [0, 1]; may be empty

    [[nodiscard]] bool cancelled() const { return stop.stop_requested(); }
    void tell(std::string_view what, double fraction) const {
        if (report) report(what, fraction);
    }
};

} // namespace orrery
