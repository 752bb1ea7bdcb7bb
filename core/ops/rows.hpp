#pragma once
// Weights by their rows: what each filter holds, as it lies in [M, ...], one after another.

#include "core/base/ndarray.hpp"

#include <cstdint>
#include <optional>

namespace orrery::ops {

/// The distance at which rows of `count` elements are put side by side for reading across: whole cache lines, an odd
/// number of them, so that the elements of a column do not fight for one place in the first-level cache.
/// Units: elements of `width` bytes.
[[nodiscard]] std::int64_t row_pitch(std::int64_t count, std::int64_t width);

/// Rows [first, first + count) of an array of rows of `length` elements, to `out`, at a distance of `pitch` elements.
struct RowsWanted {
    std::int64_t first = 0, count = 1, length = 1, pitch = 1;
};
void read_rows(const NDArray& array, const RowsWanted& rows, void* out);

/// Rows of four-byte elements, looked at across: element r of column j goes to place slots[j] * rows + r, or j * rows +
/// r without slots. Units: elements.
struct Across {
    std::int64_t rows = 0, pitch = 0, columns = 0;
    const std::int32_t* slots = nullptr;
};
void turn_rows(const void* in, const Across& across, void* out);

/// What the operator multiply makes of weights [M, ...] and one factor a row, [M, 1, ...], bit for bit: how batch
/// normalization is folded. The array is lazy. nullopt for other operands, and where waiting is not worth it.
[[nodiscard]] std::optional<NDArray> row_product(const NDArray& array, const NDArray& factors);

/// The array with zeros behind its elements along an axis, up to `count` of these. The array is lazy, unless waiting is
/// not worth it. Pre: count is not less than there are. Example: [[1, 2], [3, 4]], axis 1, 3 -> [[1, 2, 0], [3, 4, 0]].
[[nodiscard]] NDArray with_zeros(const NDArray& array, std::size_t axis, std::int64_t count);

} // namespace orrery::ops
