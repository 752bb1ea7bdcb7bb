#pragma once
// Internal to core/transform: operands that a matrix product may read where they lie.

#include "core/graph/node.hpp"

#include <cstdint>

namespace orrery::transform {

/// A product of matrices, neither of them transposed, whose elements lie one by one, not in parts.
[[nodiscard]] bool is_plain_product(const graph::CallOp& call);
/// Whether each stretch of so many elements that lie side by side in a call's result, counted from the first, lies side
/// by side in its operand: a reshape, or a transpose of what is in front of such stretches.
[[nodiscard]] bool keeps_stretches(const graph::CallOp& call, std::int64_t length);

} // namespace orrery::transform
