#pragma once
// Internal to core/transform: what reads a convolution's image and may share its kernel: a convolution of single places
// after a depthwise one, and pooling.

#include "core/graph/node.hpp"

#include <cstdint>

namespace orrery::transform {

[[nodiscard]] bool is_depthwise(const graph::CallOp& call);
/// A convolution of f32 with windows of one place, all channels in blocks and none left out.
[[nodiscard]] bool is_pointwise(const graph::CallOp& call);
/// Whether some piece of what a pointwise convolution reads, rows of the image that divide it and are whole groups of
/// the places it computes at once, takes so many bytes at most, and so do its weights, which are read anew for each
/// piece. Pre: is_pointwise(call).
[[nodiscard]] bool has_piece(const graph::CallOp& call, std::int64_t most_bytes);

/// A convolution of f32 that is not in groups.
[[nodiscard]] bool is_plain_convolution(const graph::CallOp& call);
/// Windows of neighbours, those of a mean all inside of the image.
[[nodiscard]] bool is_pooling(const graph::CallOp& call);
/// Whether an image of f32 takes more than so many bytes, but the rows of two windows of it do not. Pre:
/// is_pooling(call).
[[nodiscard]] bool has_piece_to_pool(const graph::CallOp& call, std::int64_t most_bytes);
/// A convolution computed in tiles of its image.
[[nodiscard]] bool is_tiled_convolution(const graph::CallOp& call);
/// Whether each window of a pooling lies in one tile of the convolution whose image it reads, and all of the image in
/// windows. Pre: is_pooling(call), is_tiled_convolution(convolution).
[[nodiscard]] bool keeps_to_tiles(const graph::CallOp& call, const graph::CallOp& convolution);

} // namespace orrery::transform
