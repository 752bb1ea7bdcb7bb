#pragma once
// What IntegerProducts knows of quantized values: integers with a zero point, and maybe a scale.

#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"

#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

namespace orrery::transform {

/// A tensor of bytes with one zero point and one scale for all of it: stands for (value - zero) * scale.
struct QuantizedValue {
    graph::Var value;
    std::optional<std::int64_t> zero = 0; ///< nullopt where it is known only when the model runs
    graph::Var zero_var;                  ///< one element; null for none
    float scale = 1;                      ///< of dequantized values
};

/// Constant weights with their zero points taken off, where signed bytes hold that, and a scale for all or each
/// element of `axis`.
struct QuantizedWeights {
    NDArray values;            ///< of i8
    std::vector<float> scales; ///< one, or as many as the axis has elements
    /// The sums of the values of each element of the axis, and of their absolute values.
    std::vector<std::int64_t> sums, sizes;
};

/// Values that follow from constants, of a function as far as it is built.
class KnownValues {
  public:
    using ValueOf = std::function<graph::Expr(const graph::Var&)>;
    explicit KnownValues(ValueOf value_of) : value_of_(std::move(value_of)), evaluate_(ops::interpreter_evaluator()) {}

    /// Null when it does not follow from constants, or is larger than scales and biases are.
    const NDArray* find(const graph::Var& var);
    /// The only element; nullopt when there are more or it is not known.
    std::optional<double> number(const graph::Var& var);
    [[nodiscard]] const graph::CallOp* call_of(const graph::Var& var, const char* op) const;

    /// i32(x) or i32(x) - zero of bytes x, with one zero point.
    std::optional<QuantizedValue> centred(const graph::Var& var);
    /// dequantize_linear of bytes by one known scale and zero point.
    std::optional<QuantizedValue> dequantized(const graph::Var& var);
    /// Weights under either of both, whose zero points and scales are one or lie along `axis`.
    std::optional<QuantizedWeights> weights(const graph::Var& var, std::size_t axis);

  private:
    struct Parts {
        const NDArray* values = nullptr;
        std::vector<double> zeros;
        std::vector<float> scales;
    };
    std::optional<Parts> parts_of(const graph::Var& var, std::size_t axis);
    const NDArray* bytes(const graph::Var& var) const;
    std::optional<std::vector<double>> along(const graph::Var& var, const Shape& shape, std::size_t axis);

    ValueOf value_of_;
    graph::OpEvaluator evaluate_;
    std::unordered_map<graph::Var, std::optional<NDArray>> found_;
};

} // namespace orrery::transform
