#pragma once
// The functions of a module, found without recursion.

#include "core/graph/node.hpp"

#include <vector>

namespace orrery::graph {

/// Every function reachable from `root`, each once, inner ones before those that use them; `root` is last.
/// Cost: linear in the program.
[[nodiscard]] std::vector<Function> functions_inside_out(const Function& root);

} // namespace orrery::graph
