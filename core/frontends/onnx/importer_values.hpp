#pragma once
// What is known at import: values computed from constants, on demand.

#include "core/base/ndarray.hpp"
#include "core/base/progress.hpp"
#include "core/graph/builder.hpp"
#include "core/graph/evaluate.hpp"

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace orrery::onnx {

/// Values of variables that depend on constants alone. Nothing is computed until it is asked for, and then once; the
/// graph's bindings stay as they are.
class KnownValues {
  public:
    KnownValues(const graph::FunctionBuilder& builder, graph::OpEvaluator evaluator, const Progress& progress)
        : builder_(builder), evaluator_(std::move(evaluator)), progress_(progress) {}

    /// To be told of each variable bound in the builder, in order.
    void note(const graph::Var& var);
    /// The value, unless it depends on an input or would take arrays of more than `max_bytes` on the way.
    [[nodiscard]] std::optional<NDArray> value(const graph::Var& var, std::int64_t max_bytes);

  private:
    bool compute(const graph::Var& var, std::int64_t max_bytes);
    std::optional<std::vector<NDArray>> apply(const graph::Var& var, const graph::Expr& expr, std::int64_t max_bytes);

    const graph::FunctionBuilder& builder_;
    graph::OpEvaluator evaluator_;
    const Progress& progress_;
    std::unordered_map<graph::Var, std::vector<NDArray>> known_; ///< empty until computed; of a tuple its parts
    int evaluations_ = 0;
};

} // namespace orrery::onnx
