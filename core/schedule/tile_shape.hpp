#pragma once
// Internal to core/schedule: in what tiles and pieces default schedules compute a reduction.

#include "core/schedule/element_block.hpp"
#include "core/target/target.hpp"
#include "core/tensor/node.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace orrery::schedule {

/// Lanes that divide `extent` and fill registers of `width` best, up to `most`; one register with a tail when none does
/// well.
[[nodiscard]] std::int64_t choose_lanes(std::int64_t extent, std::int64_t width, std::int64_t most);
/// The largest divisor of `extent` up to `most`.
[[nodiscard]] std::int64_t choose_divisor(std::int64_t extent, std::int64_t most);

/// A dimension of a tile and how much of it.
struct TilePart {
    std::ptrdiff_t dim = -1; ///< of the result; -1 for none
    std::int64_t size = 1;
};
/// Rows share what is loaded along the lanes (a convolution's weights), groups what is loaded for a row (its input).
struct TileShape {
    TilePart outer_rows, rows, groups, lanes;
    bool shares = true; ///< false where all that is loaded moves with the lanes, as in a depthwise convolution
    /// Whether windows of rows overlap, so that what one product loads serves others once all are written out, and so
    /// few rows that registers hold that as well.
    bool overlap = false;
    /// The part a dimension of the result has; null for none.
    [[nodiscard]] const TilePart* part_of(std::size_t d) const;
    /// Elements of a tile.
    [[nodiscard]] std::int64_t size() const { return outer_rows.size * rows.size * groups.size * lanes.size; }
};
/// Which dimensions of a reduction make its tile, and how much of them; nullopt when its last one cannot be vectors.
[[nodiscard]] std::optional<TileShape> tile_shape(const tensor::Block& block, const ElementBlock& reduction,
                                                  const Target& target);

/// What a product reads along its lanes, row after row of a wider matrix: those of one tile lie far apart, in few
/// sets of the caches. A copy in which they lie side by side serves all tiles beside it.
struct Panel {
    tensor::Buffer buffer;        ///< null when no copy is worth it
    std::vector<bool> moves_with; ///< the result's dimensions
};
[[nodiscard]] Panel panel_of(const tensor::Block& block, const ElementBlock& reduction, const TileShape& shape,
                             const Target& target);

/// A dimension in pieces.
struct Pieces {
    std::ptrdiff_t dim = -1; ///< of the result; -1 for none
    std::int64_t count = 1;  ///< divides the loop over the tiles of that dimension
    /// The dimension whose loop the one from piece to piece stands before; -1 for those that choose what is loaded
    /// along the lanes.
    std::ptrdiff_t before = -1;
};
/// What rows read a few numbers at a time, with a jump to the next (an image in blocks of channels, along the
/// channels), and again for all lanes, is read from far away each time where the second-level cache keeps neither all
/// of it nor pieces of rows, because no number of pieces divides them. A copy of what one tile reads, in the order in
/// which it is read, serves all lanes that stay in that cache.
struct ScatteredRows {
    tensor::Buffer buffer;        ///< null when no copy is worth it
    std::vector<bool> moves_with; ///< the result's dimensions
    Pieces lanes;                 ///< that stay in the second-level cache
};
[[nodiscard]] ScatteredRows scattered_rows(const tensor::Block& block, const ElementBlock& reduction,
                                           const TileShape& shape, const Target& target);

/// Where what rows read is more than the second-level cache keeps until it is read again for other lanes: rows in
/// pieces that it does keep, around the loops over lanes.
[[nodiscard]] Pieces row_pieces(const ElementBlock& reduction, const TileShape& shape, const Target& target);
/// Whether a dimension of the result chooses what is loaded along the lanes, as a filter does.
[[nodiscard]] bool chooses_lanes(const ElementBlock& reduction, std::size_t d);
/// The same, and nothing else that is loaded: not one of several products.
[[nodiscard]] bool chooses_lanes_alone(const ElementBlock& reduction, std::size_t d);
/// Whether what is loaded along the lanes lies in panels as wide as the tile (a packed matrix): all rows go by one
/// panel while it is near.
[[nodiscard]] bool side_by_side(const ElementBlock& reduction, const TileShape& shape);

/// Whether a tile's sums, what they are made of along the lanes, and two numbers that are spread over lanes take all of
/// many registers, so that a compiler which finds no better way keeps some in memory. A sum of two loops in place of
/// one gives it one: what does not fit is put away around the inner loop. Source: measured (docs/performance.md).
/// `loops`: of the tile, lanes last.
[[nodiscard]] bool fills_registers(const tensor::Block& block, std::span<const tensor::For* const> loops,
                                   const Target& target);

/// Below this many element operations a block runs on one thread. Source: our choice; waking a thread costs some
/// microseconds, in which one core does about this much.
inline constexpr double kParallelWork = 32768;

/// How much of the last dimension a reduction whose rows are used once (a matrix times a vector) sums up at a time;
/// 0 when it is none, or small. Each row of the matrix is then read from one end to the other, as memory likes it,
/// and the sums stay in the first-level cache.
[[nodiscard]] std::int64_t streamed_piece(const tensor::Block& block, const ElementBlock& reduction,
                                          const TileShape& shape, const Target& target);

} // namespace orrery::schedule
