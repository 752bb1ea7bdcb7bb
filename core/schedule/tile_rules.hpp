#pragma once
// Internal to core/schedule: the rules for reductions: tiles of registers, copies beside them, long sums in pieces.

#include "core/schedule/tile_shape.hpp"
#include "core/schedule/trace_writer.hpp"

#include <optional>
#include <string>
#include <vector>

namespace orrery::schedule {

/// Schedules the nest of a reduction: a convolution, a matrix product, a pooling. Nothing where no rule applies.
void tile_reduction(Draft& draft, const std::string& name);

/// Copies of what a product would read across its lanes, with the lanes last, where enough of the work uses them again:
/// what tile_reduction starts with. Also of what lies in rows of more than `widest` elements.
void lanes_last(Draft& draft, const std::string& name, std::int64_t widest = INT64_MAX);

/// The loop from piece to piece of what uses a reduction.
struct PieceLoop {
    std::string user, name;
    std::size_t around = 0; ///< the user's loops up to it, itself included
};
/// The same for a reduction that goes by pieces of a dimension, all lanes by each, without sharing it among threads.
/// nullopt where no rule applies.
[[nodiscard]] std::optional<PieceLoop> tile_in_pieces(Draft& draft, const std::string& name, const Pieces& pieces);
/// Loops around a block, by their place.
struct LoopRange {
    std::size_t first = 0, end = 0;
};
/// The inside of a tile that was moved into the loops of its user, and what it alone reads beside it, in the user's own
/// loops.
void finish_tile(Draft& draft, const std::string& name, const TileShape& shape, const std::string& user, LoopRange own);

} // namespace orrery::schedule
