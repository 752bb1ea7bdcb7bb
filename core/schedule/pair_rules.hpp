#pragma once
// Internal to core/schedule: the rule for two reductions in one nest.

#include "core/schedule/trace_writer.hpp"

#include <string>

namespace orrery::schedule {

/// Where all channels of what a reduction computes are read again for each filter of one product and nobody else (a
/// depthwise convolution before one of single places), schedules both in one nest: a piece of rows of the first, which
/// the second-level cache keeps while all filters of the second go by, then the next piece. False where they are no
/// such two, or no pieces fit.
bool tile_pair(Draft& draft, const std::string& first);

} // namespace orrery::schedule
