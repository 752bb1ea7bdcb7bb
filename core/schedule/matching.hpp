#pragma once
// Internal to core/schedule: how the loops over what uses a result become loops over that result's dimensions.

#include "core/schedule/element_block.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace orrery::schedule {

/// One change to a block's loops.
struct LoopChange {
    std::size_t loop = 0;    ///< of the block as it is
    std::int64_t factor = 0; ///< into which it is split; 0 where it and the next one are made one
    friend bool operator==(const LoopChange&, const LoopChange&) = default;
};

/// The changes after which `user` has one loop for each dimension of what `made` computes, which it reads element by
/// element: a dimension may count through two of the user's, as places through an image, and one of the user's may
/// go through blocks, which are two dimensions. The user may need less of a dimension than there is. In order of the
/// loops; nullopt when it reads otherwise, or not at all.
[[nodiscard]] std::optional<std::vector<LoopChange>> matching_loops(const ElementBlock& user, const ElementBlock& made);

/// The extent of the blocks all loads of `user` go through along its last dimension, in each of which they read side by
/// side, as a transpose of heads does (x[j // 64, i, j % 64]); 0 when there are none.
[[nodiscard]] std::int64_t blocks_along_last(const ElementBlock& user);

} // namespace orrery::schedule
