#pragma once
// Internal to core/schedule: the rule that fetches weights before they are needed.

#include "core/schedule/trace_writer.hpp"

namespace orrery::schedule {

/// Where the tiles of a product go by one panel of an input after the other, and each is used for too short a time to
/// hide that the next one comes from far away: fetches the next panel meanwhile. Comes last: loops have their final
/// order.
void fetch_ahead(Draft& draft);
/// Adds to a trace, and to its replay, what that rule finds for its program.
void add_prefetches(Trace& trace, Replay& done, const Target& target);
/// The trace as it was before that rule.
[[nodiscard]] Trace without_prefetches(const Trace& trace);

} // namespace orrery::schedule
