#pragma once
// The plain layered layout: a fixed number of passes, linear time, always an answer.

#include "views/layout/layout.hpp"

namespace orrery::layout {

/// Rows by longest path, order by four barycentre sweeps (from Input::prior when there is one), positions by
/// averaging; no edge is routed around boxes other than through the gaps its row order leaves.
/// Pre: is_valid(input). Cycles are laid out as if their closing edges were reversed.
/// Cost: O(nodes + edges), with at most kMaxSpan extra points an edge.
[[nodiscard]] Result layered(const Input& input);

/// Edges over more rows than this are drawn as one curve beside the boxes.
/// Source: our choice; keeps one mask that feeds ten thousand nodes linear.
inline constexpr int kMaxSpan = 24;

} // namespace orrery::layout
