#pragma once
// How one ONNX node becomes graph IR. Converters are rows of tables, one table a file of related operators.

#include "core/base/ndarray.hpp"
#include "core/base/result.hpp"
#include "core/graph/builder.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::onnx {

/// One node being converted. Attribute getters return the fallback when the node has none and record a
/// BadAttribute error when it has another kind (checked by the importer after the converter returns).
/// Thread: used by one importer only.
class NodeReader {
  public:
    virtual ~NodeReader() = default;
    [[nodiscard]] virtual std::string_view op_type() const = 0;
    [[nodiscard]] virtual int opset() const = 0; ///< of the node's domain
    [[nodiscard]] virtual std::size_t input_count() const = 0;
    [[nodiscard]] virtual std::size_t output_count() const = 0;      ///< as listed, unused trailing outputs included
    [[nodiscard]] virtual bool has_output(std::size_t i) const = 0;  ///< listed with a name
    [[nodiscard]] virtual graph::Var input(std::size_t i) const = 0; ///< null when missing
    [[nodiscard]] bool has(std::size_t i) const { return i < input_count() && input(i) != nullptr; }

    [[nodiscard]] virtual bool has_attr(std::string_view name) const = 0;
    [[nodiscard]] virtual std::int64_t integer(std::string_view name, std::int64_t fallback) = 0;
    [[nodiscard]] virtual double number(std::string_view name, double fallback) = 0;
    [[nodiscard]] virtual std::string text(std::string_view name, std::string fallback) = 0;
    [[nodiscard]] virtual graph::Ints ints(std::string_view name, graph::Ints fallback) = 0;
    [[nodiscard]] virtual graph::Floats floats(std::string_view name, graph::Floats fallback) = 0;
    [[nodiscard]] virtual graph::Strings texts(std::string_view name, graph::Strings fallback) = 0;
    [[nodiscard]] virtual std::optional<NDArray> tensor(std::string_view name) = 0;
    /// An ONNX element type attribute as a dtype. Errors: UnsupportedFeature for types we lack.
    [[nodiscard]] virtual Result<DType> dtype(std::string_view name, DType fallback) = 0;

    /// The value of input i when it is known at import: an initializer, a Constant, or computed from such and from
    /// static shapes. nullopt otherwise.
    [[nodiscard]] virtual std::optional<NDArray> constant(std::size_t i) = 0;
    /// The same, or the error that says the operator needs it ("Reshape's `shape` must be known at import").
    [[nodiscard]] virtual Result<NDArray> required_constant(std::size_t i, std::string_view what) = 0;

    /// Tensor type of an input. Pre: has(i). Errors: BadType when it is not a tensor.
    [[nodiscard]] virtual Result<graph::TensorType> type(std::size_t i) const = 0;

    /// A number that no other node of the model has, the same at every import.
    [[nodiscard]] virtual std::int64_t place() const = 0;
    /// The elements of an input that is a sequence.
    [[nodiscard]] virtual std::optional<std::vector<graph::Var>> sequence(std::size_t i) const = 0;
    [[nodiscard]] virtual graph::Var sequence_var(std::vector<graph::Var> elements) = 0;
    /// What stands for an optional without element.
    [[nodiscard]] virtual graph::Var no_element() = 0;

    /// Emits a call named after the node, with its origin, type-checked. Errors: those of the type relation, with the
    /// node.
    [[nodiscard]] virtual Result<graph::Var> call(std::string_view op, std::vector<graph::Var> args,
                                                  graph::Attrs attrs = {}) = 0;
    /// Emits a constant.
    [[nodiscard]] virtual graph::Var constant_var(NDArray value) = 0;
    /// Part `index` of a tuple.
    [[nodiscard]] virtual graph::Var project(const graph::Var& tuple, std::size_t index) = 0;
};

/// Returns one variable for each listed output (null for those without a name).
using Converter = Result<std::vector<graph::Var>> (*)(NodeReader& node);

struct ConverterRow {
    const char* op_type;
    int since_opset; ///< the row with the highest since_opset <= the model's opset is used
    Converter convert;
};

/// The tables of all files, concatenated.
[[nodiscard]] std::span<const ConverterRow> converters();

} // namespace orrery::onnx
