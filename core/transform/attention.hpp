#pragma once
// Internal to core/transform: the parts of attention, a matrix product of the softmax of another one.

#include "core/graph/node.hpp"

#include <cstdint>

namespace orrery::transform {

/// A product of f32 whose second factor lies as it was computed, not in panels.
[[nodiscard]] bool is_product_of_values(const graph::CallOp& call);
/// A softmax along the last dimension.
[[nodiscard]] bool is_softmax_of_rows(const graph::CallOp& call);
/// Whether a product's results, all of them, are more than stays in the cache for a next kernel. Pre:
/// is_product_of_values(call).
[[nodiscard]] bool is_many_scores(const graph::CallOp& call, std::int64_t piece_bytes);
/// Whether a product's second factor, of one matrix of a batch, takes two pieces' bytes at most, and two groups of rows
/// that are computed at once, of which there are more, one piece's. Pre: is_many_scores(call, piece_bytes).
[[nodiscard]] bool keeps_scores(const graph::CallOp& call, std::int64_t piece_bytes);

} // namespace orrery::transform
