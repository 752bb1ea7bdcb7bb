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
/// `result` is the type for the arrays' own shapes; extents that depend on their values are still unknown in it.
/// `core/ops` provides it from the operators' tensor expressions.
using OpEvaluator = std::function<Result<std::vector<NDArray>>(const CallOp& call, std::span<const NDArray> args,
                                                               const Type& result, const Progress& progress)>;
/// Called after each binding of the outermost function.
using Observer = std::function<void(const Binding& binding, std::span<const NDArray> values)>;

struct EvaluateOptions {
    Observer observer = {};
    /// Of one value, and of what one loop carries and scans. Units: bytes.
    std::size_t max_bytes = std::size_t{4} << 30;
    std::int64_t max_iterations = 100'000'000; ///< of all loops together
};

/// Values are freed after their last use. Symbolic extents are those of the arrays: types are inferred again from them.
/// Errors: those of the evaluator and of type relations, Cancelled, BadShape for arguments that do not fit,
/// LimitExceeded.
[[nodiscard]] Result<std::vector<NDArray>> evaluate(const Function& function, std::span<const NDArray> args,
                                                    const OpEvaluator& evaluator, const Progress& progress,
                                                    const EvaluateOptions& options = {});

/// One array of equal ones, with a new leading axis. `type` is that of the result and gives the extents when there are
/// none; unknown ones are then 0. Errors: BadShape when shapes differ.
[[nodiscard]] Result<NDArray> stack(std::span<const NDArray> parts, const TensorType& type);

} // namespace orrery::graph
