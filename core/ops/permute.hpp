#pragma once
// Arrays with their axes reordered: constants are turned when they are folded, up to hundreds of megabytes of them.

#include "core/base/ndarray.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace orrery::ops {

/// What the operator transpose means: axis d of the result is axis perm[d] of the array.
/// Pre: perm is a permutation of the axes. The array is lazy; its cost: memory read and written once, on all cores.
[[nodiscard]] NDArray permuted(const NDArray& array, std::span<const std::int64_t> perm);

/// What `permuted` was given.
struct Turned {
    NDArray array;
    std::vector<std::int64_t> perm;
};
/// What the array was made of; none where it is not what `permuted` gave.
[[nodiscard]] std::optional<Turned> turned_from(const NDArray& array);

} // namespace orrery::ops
