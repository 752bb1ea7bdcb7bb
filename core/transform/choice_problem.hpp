#pragma once
// Choices that depend on each other by pairs, and how to make them all at the least cost.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace orrery::transform {

/// One alternative of each node is to be chosen. An alternative costs what it costs alone, and with each neighbour's
/// alternative. Costs are finite and not negative; `kImpossible` stands for what must not be.
struct ChoiceProblem {
    static constexpr double kImpossible = 1e18;
    struct Edge {
        std::size_t a = 0, b = 0;
        std::vector<double> costs; ///< [alternative of a, alternative of b], row by row
    };
    std::vector<std::vector<double>> nodes; ///< costs of each node's alternatives; one at least
    std::vector<Edge> edges;                ///< between two different nodes; several of the same two add up

    /// What these alternatives cost together.
    [[nodiscard]] double cost(const std::vector<std::size_t>& chosen) const;
};

struct Choices {
    std::vector<std::size_t> chosen; ///< an alternative for each node
    double cost = 0;
    bool exact = true; ///< nothing costs less
};

/// The alternatives that cost least; of those that cost the same, earlier ones are preferred where one node is decided.
/// Nodes of one or two neighbours are taken out one after the other, their best answer to each of what the neighbours
/// may choose added to these (dynamic programming; exact for whatever is made of chains, trees, and parts side by
/// side). Where all have more, the node with most neighbours is fixed to each of its alternatives in turn, as long as
/// that makes at most `most_cases` cases together; beyond, to the one that looks best with each neighbour's best
/// answer. Cost: of one case, the sum over nodes of the product of the numbers of alternatives of three neighbours.
/// Source: reductions R0, R1, R2 and RN of partitioned Boolean quadratic problems (Scholz and Eckstein, "Register
/// Allocation for Irregular Architectures", LCTES 2002).
[[nodiscard]] Choices choose_least(const ChoiceProblem& problem, std::int64_t most_cases = 256);

} // namespace orrery::transform
