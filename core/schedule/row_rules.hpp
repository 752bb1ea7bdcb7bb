#pragma once
// Internal to core/schedule: the rules for sums along rows, and for blocks that go over the same rows.

#include "core/schedule/trace_writer.hpp"

#include <string>

namespace orrery::schedule {

/// A reduction along the last dimension of what it reads has no vectors of results: lanes are summed up apart, and
/// added at the end. False when it is none, or short.
bool sum_in_lanes(Draft& draft, const std::string& name);

/// Blocks that go over the same rows (the maximum, the powers and the sum of a softmax) run row by row inside the loops
/// of the one that reads them, while the row is in the first-level cache. False where no other goes over the rows of
/// this one.
bool go_by_rows(Draft& draft, const std::string& name);

/// A block inside a row's loops, the first `outer`: its own loops are vectors, or few enough to be written out.
void vectors_of_row(Draft& draft, const std::string& name, std::size_t outer);

} // namespace orrery::schedule
