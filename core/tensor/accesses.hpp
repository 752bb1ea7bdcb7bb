#pragma once
// Every access of a statement by itself: what `find_accesses` merges and the verifier checks.

#include "core/tensor/node.hpp"

#include <vector>

namespace orrery::tensor {

/// One load or store, or what an extern call is given, and the box it covers over the loops inside the statement.
struct AccessBox {
    Region region;
    bool is_write = false;
    bool certain = true; ///< made whenever the statement runs, and the box is no larger than what it touches
};

/// In the order of the text, without buffers allocated inside.
[[nodiscard]] std::vector<AccessBox> each_access(const Stmt& stmt);

} // namespace orrery::tensor
