#pragma once
// The Access pane: the buffers of the shown tensor program and when they are in use; for one block, what each loop
// touches of them against the caches, and a picture of the elements one iteration touches.

#include "views/model/table.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace orrery::session {
struct Snapshot;
}

namespace orrery::views {

struct ViewOptions;

/// Bits of a picture's cell: an element, or all those that differ only in dimensions that are not drawn.
enum AccessMark : std::uint8_t {
    kTouchedInLoop = 1, ///< by some iteration of the loop
    kTouchedNext = 2,   ///< by the iteration after
    kTouchedNow = 4,    ///< by the iteration that is looked at
    kLineStart = 8,     ///< its left edge is the border of a cache line
};

/// Two dimensions of a buffer as a grid.
struct AccessPicture {
    std::string buffer;
    std::string title; ///< where the plane that is drawn lies: "data[0, 5, ·, ·]"
    std::string note;  ///< "one iteration of ic: 9 elements, 3 cache lines"
    std::int64_t first_row = 0, first_column = 0;
    int rows = 0, columns = 0;                  ///< those drawn; both 0 when there is no picture
    std::int64_t all_rows = 0, all_columns = 0; ///< extents of the dimensions
    std::vector<std::uint8_t> cells;            ///< rows * columns, marks
    [[nodiscard]] bool has(int row, int column, AccessMark mark) const {
        return (cells[static_cast<std::size_t>(row * columns + column)] & mark) != 0;
    }
};

struct AccessViewData {
    std::string subject; ///< the function
    std::string block;
    std::string place;   ///< the loop, "conv.ic"; the block's name where it has no loops
    std::string summary; ///< "conv.ic: an iteration touches 4.1 KB, 13 % of L1"
    Table buffers;       ///< of the program, and what one iteration of the loop touches of each
    Table levels;        ///< a row a loop around the block, outermost first: what all its iterations touch
    Table uses;          ///< every loop and buffer of the block
    std::vector<std::string> buffer_names; ///< parallel to buffers.rows
    std::vector<std::string> level_places; ///< parallel to levels.rows, as the tree of loops calls them
    int buffer_row = -1, level_row = -1;   ///< what is looked at
    AccessPicture picture;
    std::string empty_reason;
};
[[nodiscard]] AccessViewData build_access(const session::Snapshot& snapshot, const ViewOptions& options);

[[nodiscard]] std::string to_text(const AccessViewData& data);
[[nodiscard]] std::string to_json(const AccessViewData& data);

} // namespace orrery::views
