#pragma once
// Internal to core/transform: depthwise convolutions and the convolutions of single places that read them.

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

} // namespace orrery::transform
