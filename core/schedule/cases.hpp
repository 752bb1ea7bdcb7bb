#pragma once
// Internal to core/schedule: blocks whose value is chosen by where their element stands, as a row of a small matrix is.

#include "core/schedule/element_block.hpp"

#include <cstdint>
#include <vector>

namespace orrery::schedule {

/// How many neighbours of each iterator are different cases; 1 where all are alike. Empty when it has no cases, or
/// too many to write out.
[[nodiscard]] std::vector<std::int64_t> cases_of(const ElementBlock& store);
/// Widens pieces of a block's iterators that choose another block's cases, so that a piece needs all of these.
void widen_cases(std::vector<std::int64_t>& pieces, const ElementBlock& store, const ElementBlock& made);

} // namespace orrery::schedule
