#pragma once
// Internal to core/schedule: the rule for two reductions in one nest.

#include "core/schedule/tile_shape.hpp"
#include "core/schedule/trace_writer.hpp"

#include <string>
#include <vector>

namespace orrery::schedule {

/// Where all channels of what a reduction computes are read again for each filter of one product and nobody else (a
/// depthwise convolution before one of single places), schedules both in one nest: a piece of rows of the first, which
/// the second-level cache keeps while all filters of the second go by, then the next piece. False where they are no
/// such two, or no pieces fit.
bool tile_pair(Draft& draft, const std::string& first);

/// A reduction whose user was moved into the loops of another nest.
struct MovedTile {
    std::string name, user;
    std::vector<std::string> dims; ///< the user's loops before
    TileShape shape;
    std::size_t around = 0; ///< loops of the other nest
};
/// Schedules both there, as a tile in registers inside the user's own loops. False where a tile would have to hold more
/// than these ask for.
bool tile_inside(Draft& draft, const MovedTile& tile);

} // namespace orrery::schedule
