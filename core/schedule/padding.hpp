#pragma once
// Internal to core/schedule.

#include "core/schedule/locate.hpp"
#include "core/schedule/trace.hpp"

namespace orrery::schedule {

/// The program in which the loop runs to `extent` (more than it does): its block's buffer has grown, and what the extra
/// iterations compute is never read.
[[nodiscard]] Result<tensor::Program> pad_loop(const tensor::Program& program, const LoopPlace& place,
                                               std::int64_t extent, const Refusal& refuse);

} // namespace orrery::schedule
