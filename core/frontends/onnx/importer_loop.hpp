#pragma once
// What a loop is made of, for unrolling it or emitting it.

#include "core/frontends/onnx/importer.hpp"

namespace orrery::onnx {

/// body(iteration, condition, carried...) -> (condition, carried..., scanned...), as ONNX's Loop has it.
struct LoopParts {
    const ::onnx::GraphProto& body;
    graph::Var limit, condition; ///< null where left out
    std::vector<graph::Var> carried;
    std::size_t scans = 0;
    // What Scan's bodies need besides.
    std::vector<graph::Var> read = {}; ///< parameters after the carried ones, the same in every iteration
    std::function<Result<std::vector<graph::Var>>(const std::vector<graph::Var>& params)> inputs = {};
    OutputsHook outputs = {};  ///< of the body's outputs, before a condition is added
    bool always_going = false; ///< the body gives no condition
};

} // namespace orrery::onnx
