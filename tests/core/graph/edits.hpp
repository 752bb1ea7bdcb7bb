#pragma once
// Random functions, edited at random with the truth kept: which node stands for which.

#include "core/graph/match.hpp"
#include "core/graph/op.hpp"

#include <cstdint>
#include <random>
#include <vector>

namespace orrery::graph::edits {

/// How much a function tells of itself besides its structure.
enum class Told { Everything, StructureOnly }; ///< names and origins; or every variable is "v" and origins are empty

struct Edited {
    Function before, after;
    std::vector<std::int32_t> after_of; ///< true node of `after` for each node of `before`; -1: removed
    int edits = 0;
};

/// A function of about `nodes` bindings over a dozen operators with attributes and constants, local in its reads,
/// with some values read from afar.
[[nodiscard]] Function random_function(std::mt19937_64& rng, int nodes, Told told);
/// Removes, inserts, replaces, rewires, reorders, gives other attributes, other constants: `edits` times in all.
[[nodiscard]] Edited random_edits(std::mt19937_64& rng, int nodes, int edits, Told told);

} // namespace orrery::graph::edits
