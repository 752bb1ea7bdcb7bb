#pragma once
// From a fused graph to tensor programs and the plan that calls them.

#include "core/base/progress.hpp"
#include "core/base/result.hpp"
#include "core/graph/node.hpp"
#include "core/ops/nesting.hpp"
#include "core/runtime/plan.hpp"
#include "core/tensor/node.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace orrery::lower {

/// One distinct tensor program of a model.
struct LoweredFunction {
    std::string name;        ///< of the program and its symbol, unique in the model
    Hash workload;           ///< structural hash of `program`
    tensor::Program program; ///< schedule-free
    graph::Function source;  ///< the primitive function it came from
    std::string backend;     ///< who compiles it, when that is not the target's code generator: a region
    std::size_t calls = 0;
    OriginSet origin;               ///< union over its calls
    std::vector<bool> weights = {}; ///< by input: whether it is a constant in each of its calls
    std::size_t model_weights = 0;  ///< of its model, all together. Units: bytes
};

/// A call of `functions[function]`: `args` and `results` are value ids.
struct LoweredCall {
    std::size_t function = 0;
    std::vector<std::uint32_t> args, results;
    OriginSet origin;
    graph::Var var; ///< the binding it came from
};

/// A value of the model that lives in memory.
struct LoweredValue {
    std::string name;
    DType dtype = DType::F32;
    Shape shape;
    runtime::Storage storage = runtime::Storage::Arena;
    std::size_t index = 0; ///< of an input, output or constant
    OriginSet origin;
    std::int64_t planned_offset = -1; ///< in the arena, as PlanMemory wrote it into main; -1 where it did not
    std::int64_t host = -1;           ///< id of the value it is part of, which is part of none; -1 where there is none
    std::size_t host_offset = 0;      ///< Units: bytes into the host, a multiple of kArenaAlignment
};

/// A call of main that only joins, cuts or reshapes its arguments (core/ops/nesting.hpp). Without copies it is no call
/// here: its arguments are parts of its result, or all of them of one host.
struct LoweredJoin {
    graph::Var var; ///< the binding it came from
    std::uint32_t value = 0;
    ops::Copies copies = ops::Copies::Nothing; ///< why a kernel does it all the same
};

/// A whole model as calls in order. Equal primitive functions (one workload) are lowered once.
struct LoweredModel {
    std::vector<LoweredFunction> functions;
    std::vector<LoweredCall> calls;
    std::vector<LoweredValue> values;
    std::vector<LoweredJoin> joins;
    std::vector<NDArray> constants;
    std::vector<std::uint32_t> inputs, outputs; ///< value ids
};

/// The tensor program of a primitive function: the stages of its operators, in order, named after them.
/// Errors: UnsupportedFeature for a type that is not static or a construct that is not an operator call.
[[nodiscard]] Result<tensor::Program> lower_function(const graph::Function& function, const std::string& name);

/// A region (see core/target/region.hpp) as a tensor program: what it means, for reading and for checking the backend's
/// results. Its constants of several elements are inputs after the parameters.
struct LoweredRegion {
    tensor::Program program;
    std::vector<NDArray> constants;
};
[[nodiscard]] Result<LoweredRegion> lower_region(const graph::Function& function, const std::string& name);

/// Pre: main consists of constants, calls of primitive functions, tuples and projections (FuseOps makes it so).
/// Errors: UnsupportedFeature with the binding's model nodes; Cancelled.
[[nodiscard]] Result<LoweredModel> lower_module(const graph::Module& module, const Progress& progress = {});

/// As plans say element types.
[[nodiscard]] runtime::ElementType element_type(DType dtype);

/// Places every arena value and workspace. `workspace_bytes` has one entry a function. Values that do not live at
/// the same step may share memory; offsets are 64-byte aligned. A value that is part of another lies there, and its
/// memory is taken once. Planned offsets are kept when there is one for every value, they fit, and none lies beyond
/// what all values side by side take; otherwise all are placed anew (core/base/arena.hpp). The same input gives the
/// same plan.
[[nodiscard]] runtime::Plan plan_memory(const LoweredModel& model, const std::vector<std::size_t>& workspace_bytes);

} // namespace orrery::lower
