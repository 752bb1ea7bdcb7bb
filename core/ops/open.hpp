#pragma once
// Open calls: nodes of a model kept as they are until shapes or values are known.

#include "core/base/result.hpp"
#include "core/graph/attrs.hpp"

#include <cstdint>
#include <string>

namespace orrery::ops {

// Attributes of `open` that are not the node's own.
inline constexpr const char* kOpenNode = "node.op";
inline constexpr const char* kOpenDomain = "node.domain";
inline constexpr const char* kOpenOpset = "node.opset";
inline constexpr const char* kOpenResults = "node.results";
inline constexpr const char* kOpenOutputs = "node.outputs";
inline constexpr const char* kOpenValues = "node.values";

struct OpenCall {
    std::string node, domain;
    int opset = 1;
    graph::Ints outputs; ///< as the node lists them: 0 for one without a name
    graph::Ints values;  ///< operands whose values decide about the result's shape
};
/// Errors: BadAttribute when there is not one type for each output with a name.
[[nodiscard]] Result<OpenCall> read_open(const graph::Attrs& attrs);

} // namespace orrery::ops
