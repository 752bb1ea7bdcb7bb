#pragma once
// Arrays with their axes reordered: constants are turned when they are folded, up to hundreds of megabytes of them.

#include "core/base/ndarray.hpp"

#include <cstdint>
#include <span>

namespace orrery::ops {

/// What the operator transpose means: axis d of the result is axis perm[d] of the array.
/// Pre: perm is a permutation of the axes. Cost: memory read and written once, on all cores when it is large.
[[nodiscard]] NDArray permuted(const NDArray& array, std::span<const std::int64_t> perm);

} // namespace orrery::ops
