#pragma once
// Which node of one function stands for which of another, and what differs between the two.

#include "core/graph/opened.hpp"

#include <cstdint>
#include <vector>

namespace orrery::graph {

/// What two matched nodes differ in, as bits.
enum Differs : std::uint8_t {
    kOperator = 1u << 0,
    kAttributes = 1u << 1,
    kType = 1u << 2,
    kContent = 1u << 3,  ///< of a constant, or of a function it holds
    kOperands = 1u << 4, ///< reads other values
    kGroup = 1u << 5,    ///< stands in another kernel, or in one at last
    kOrder = 1u << 6,    ///< stands elsewhere in the order
};

enum class NodeChange : std::uint8_t {
    Same,
    Changed, ///< another operator, attribute, type, content or operand
    Moved,   ///< the same, in another kernel or elsewhere in the order
    Removed,
    Added,
};
[[nodiscard]] const char* to_string(NodeChange change);

struct MatchOptions {
    /// Both come from one model file: origins mean the same, and handles are shared.
    bool same_model = true;
};

/// Node i of one side stands for node `after_of[i]` of the other; -1: none.
struct FunctionMatch {
    std::vector<std::int32_t> after_of, before_of;
    std::vector<std::uint8_t> differs; ///< of `before`'s nodes: bits of Differs
    std::vector<NodeChange> before, after;
    /// Kernel i of one side stands for kernel of the other: the one most of its nodes are in; -1: none.
    std::vector<std::int32_t> after_group, before_group;

    [[nodiscard]] bool identical() const; ///< nothing added, removed, changed or moved
};

/// Matches by what stays the same, the most certain first: shared handles; equal values computed from equal inputs;
/// equal uses down to the result; equal surroundings; then, from pair to pair, equal operators around matched ones;
/// origins and names; and last whatever takes the place of another between the same neighbours.
/// Names alone never join two different operators unless both come from the same model nodes.
/// Cost: near linear in nodes and edges.
[[nodiscard]] FunctionMatch match_functions(const OpenedFunction& before, const OpenedFunction& after,
                                            const MatchOptions& options = {});

/// The changes that follow from pairs given elsewhere (tests know the truth). Pre: `after_of` is injective.
[[nodiscard]] FunctionMatch compare_matched(const OpenedFunction& before, const OpenedFunction& after,
                                            std::vector<std::int32_t> after_of);

} // namespace orrery::graph
