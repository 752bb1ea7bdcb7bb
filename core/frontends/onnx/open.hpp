#pragma once
// Nodes that wait: kept as `open` calls until the shapes or values of their operands are known, then converted.

#include "core/base/ndarray.hpp"
#include "core/base/progress.hpp"
#include "core/base/result.hpp"
#include "core/graph/evaluate.hpp"
#include "core/graph/specialize.hpp"

namespace orrery::onnx {

/// Converts the node of an open call. The operands' types are static; the values of those that decide about shapes are
/// known. Errors: those of the converter; UnsupportedFeature when a value is missing.
[[nodiscard]] Result<graph::Var> close_call(const graph::CloseRequest& request);

/// The reference evaluation of every operator, open calls included: ops::interpreter_evaluator and the converters.
[[nodiscard]] graph::OpEvaluator evaluator();

/// What graph::specialize needs for modules that were imported.
[[nodiscard]] graph::Specializer specializer();

/// A closed function of one open call for given operands, and the operands that are still its parameters: those whose
/// values decide about shapes are constants in it. Errors: those of close_call.
struct ClosedCall {
    graph::Function function;
    std::vector<std::size_t> params; ///< indices of the call's operands
};
[[nodiscard]] Result<ClosedCall> closed_call(const graph::CallOp& call, std::span<const NDArray> args,
                                             const Progress& progress);

} // namespace orrery::onnx
