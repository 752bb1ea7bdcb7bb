#pragma once
// Linked selection: what one view publishes and the others look up.

#include "core/base/origin.hpp"

#include <string>
#include <vector>

namespace orrery::views {

/// A set of origins, and below it the finer place: lines of one function's tensor program.
/// A line of generated code is meant when its tensor line is listed, or, with no lines listed, when it
/// shares an origin.
struct Selection {
    OriginSet origins;
    std::string function;          ///< the tensor program `tensor_lines` are of
    std::vector<int> tensor_lines; ///< from 1, sorted

    [[nodiscard]] bool empty() const { return origins.empty() && tensor_lines.empty(); }
    friend bool operator==(const Selection&, const Selection&) = default;
};

} // namespace orrery::views
