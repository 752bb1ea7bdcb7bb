#pragma once
// Internal to core/schedule: the rules for reductions: tiles of registers, copies beside them, long sums in pieces.

#include "core/schedule/trace_writer.hpp"

#include <string>

namespace orrery::schedule {

/// Schedules the nest of a reduction: a convolution, a matrix product, a pooling. Nothing where no rule applies.
void tile_reduction(Draft& draft, const std::string& name);

} // namespace orrery::schedule
