#pragma once
// Runs a graph as its definition says; the reference for what a module means.

#include "core/base/ndarray.hpp"
#include "core/base/progress.hpp"
#include "core/graph/node.hpp"

#include <functional>
#include <span>
#include <vector>

namespace orrery::graph {

/// Applies one operator to arrays. Missing optional operands are undefined arrays. Tuples come back as several arrays.
/// `core/ops` provides it from the operators' tensor expressions.
using OpEvaluator = std::function<Result<std::vector<NDArray>>(const CallOp& call, std::span<const NDArray> args,
                                                               const Type& result, const Progress& progress)>;
/// Called after each binding of the outermost function.
using Observer = std::function<void(const Binding& binding, std::span<const NDArray> values)>;

/// Values are freed after their last use. Errors: those of the evaluator, Cancelled, BadShape for arguments that do not
/// fit.
[[nodiscard]] Result<std::vector<NDArray>> evaluate(const Function& function, std::span<const NDArray> args,
                                                    const OpEvaluator& evaluator, const Progress& progress,
                                                    const Observer& observer = {});

} // namespace orrery::graph
