#pragma once
// Internal to core/schedule: the rules for blocks whose value is chosen by where their element stands (cases.hpp).

#include "core/schedule/trace_writer.hpp"

#include <string>

namespace orrery::schedule {

/// Each case of the block is written out, around a vector of what is alike, so that nothing is chosen when it runs.
/// Blocks of cases it alone reads are computed beside it, a piece at a time; it is itself beside the block that uses it
/// element by element, if there is one. Nothing for a block of none.
void write_out_cases(Draft& draft, const std::string& name);

/// The same for the block of cases whose elements the pooling alone reads: in the pooling's loops, where no window goes
/// from one piece to the next. False, with nothing changed, where there is no such block.
bool pool_cases(Draft& draft, const std::string& pool);

/// A product between blocks of cases (Winograd's, between what it makes of an image and of the sums): all of them a
/// piece of the result at a time, where the second-level cache keeps what one hands to the next, and would not keep all
/// of it. False, with nothing changed, where it is no such product or pieces are no gain.
bool tile_between_cases(Draft& draft, const std::string& product);

} // namespace orrery::schedule
