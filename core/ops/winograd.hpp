#pragma once
// Winograd's way to convolve with 3x3 windows at stride 1: fewer products of more numbers.
// Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, section 4: F(2x2, 3x3) over
// the points 0, 1, -1 and infinity; F(4x4, 3x3) over 0, 1, -1, 2, -2 and infinity.

#include "core/base/ndarray.hpp"

#include <cstdint>

namespace orrery::ops {

/// Most rows (tiles, places) that products are computed in multiples of. Source: our choice, more than registers hold.
inline constexpr std::int64_t kMostProductRows = 64;

/// Extent of the square of inputs that a tile of `tile` by `tile` results is computed from. Units: elements.
[[nodiscard]] constexpr std::int64_t winograd_extent(std::int64_t tile) { return tile + 2; }

/// The filters of a convolution as winograd_conv2d takes them: G w G^T, summed in f64 and rounded once.
/// Shape: [O, I, 3, 3] -> [extent, extent, O / block, I, block], f32. The array is lazy.
/// Pre: `weights` is f32, `tile` is 2 or 4, `block` divides O.
[[nodiscard]] NDArray winograd_weights(const NDArray& weights, std::int64_t tile, std::int64_t block);

} // namespace orrery::ops
