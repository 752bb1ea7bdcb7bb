#pragma once
// Internal to core/schedule: alternatives to a trace, one change at a time.

#include "core/schedule/trace.hpp"
#include "core/tensor/node.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace orrery::schedule {

/// A trace with one change made, and what the change is called: "rows h". Whether it applies is not known yet.
struct ChangedTrace {
    std::string name;
    Trace trace;
    std::size_t kind = 0; ///< changes of one kind exclude each other, those of different kinds go together
};
/// In the order of their kinds, likely gains first. `done`: the trace's replay.
[[nodiscard]] std::vector<ChangedTrace> changes_of(const Trace& trace, const Replay& done);

} // namespace orrery::schedule
