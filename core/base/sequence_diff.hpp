#pragma once
// What two sequences have in common, in order: the ground of every diff.

#include <cstdint>
#include <span>
#include <vector>

namespace orrery {

/// Element `a` of the first sequence stands for element `b` of the second.
struct SequencePair {
    std::uint32_t a = 0, b = 0;
    friend bool operator==(const SequencePair&, const SequencePair&) = default;
};

/// A longest common subsequence of two sequences of keys, as pairs that increase on both sides; a nearly longest one
/// where a stretch differs by more than kMaxEdits elements.
/// Cost: O((n + m) * edits) time, O(n + m) memory.
/// Source: "An O(ND) Difference Algorithm and Its Variations", Myers, Algorithmica 1, 1986, section 4b.
[[nodiscard]] std::vector<SequencePair> common_subsequence(std::span<const std::uint64_t> a,
                                                           std::span<const std::uint64_t> b);
inline constexpr std::int64_t kMaxEdits = 4096; ///< Source: our choice; keeps two unlike texts under a second

/// Indices of a longest strictly increasing subsequence, in order. Cost: O(n log n).
[[nodiscard]] std::vector<std::uint32_t> longest_increasing(std::span<const std::uint32_t> values);

} // namespace orrery
