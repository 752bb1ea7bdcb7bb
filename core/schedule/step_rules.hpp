#pragma once
// Internal to core/schedule: the rule that writes out steps of sums.

#include "core/schedule/trace_writer.hpp"

namespace orrery::schedule {

/// Where tiles of a product read more along their lanes than the nearest cache keeps, a few steps of the sum are
/// written out: each load then goes several lines at a time, and what the processor fetches by itself is so much
/// further ahead. Comes after the rule that fetches ahead, which counts steps.
void write_out_steps(Draft& draft);

} // namespace orrery::schedule
