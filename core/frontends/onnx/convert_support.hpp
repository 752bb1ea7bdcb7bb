#pragma once
// What converters are written with: results, constants, shapes, and one-to-one conversions.

#include "core/frontends/onnx/converter.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace orrery::onnx {

using graph::Ints;
using graph::TensorType;
using graph::Var;
using Vars = std::vector<graph::Var>;
using Converted = Result<Vars>;
using Rows = std::span<const ConverterRow>;

/// The tables, one a file.
[[nodiscard]] Rows attention_rows();
[[nodiscard]] Rows constant_rows();
[[nodiscard]] Rows conv_rows();
[[nodiscard]] Rows detection_rows();
[[nodiscard]] Rows elementwise_rows();
[[nodiscard]] Rows indexing_rows();
[[nodiscard]] Rows loss_rows();
[[nodiscard]] Rows ngram_rows();
[[nodiscard]] Rows norm_rows();
[[nodiscard]] Rows product_rows();
[[nodiscard]] Rows quantize_rows();
[[nodiscard]] Rows random_rows();
[[nodiscard]] Rows recurrent_rows();
[[nodiscard]] Rows reduce_rows();
[[nodiscard]] Rows resize_rows();
[[nodiscard]] Rows sequence_rows();
[[nodiscard]] Rows shape_rows();
[[nodiscard]] Rows signal_rows();
[[nodiscard]] Rows spatial_rows();
[[nodiscard]] Rows text_rows();
[[nodiscard]] Rows training_rows();

/// The node's outputs: `vars` in order, null for the rest.
/// Errors: UnsupportedFeature when the model names an output that is not among them.
[[nodiscard]] Converted results(const NodeReader& node, Vars vars);
[[nodiscard]] Converted result(const NodeReader& node, Result<Var> var);

[[nodiscard]] Diagnostic unsupported(std::string message);
[[nodiscard]] Diagnostic bad_attribute(std::string message);
[[nodiscard]] Diagnostic bad_shape(std::string message);
/// Errors: BadShape when the node has fewer inputs than that, or one of them is missing.
[[nodiscard]] Result<void> require_inputs(const NodeReader& node, std::size_t count);

/// Static shape of input i. Errors: BadShape when it is missing or symbolic.
[[nodiscard]] Result<Shape> input_shape(const NodeReader& node, std::size_t i);
[[nodiscard]] Result<DType> input_dtype(const NodeReader& node, std::size_t i);
/// Type of a variable a converter made. Pre: a tensor.
[[nodiscard]] const TensorType& type_of(const Var& var);
[[nodiscard]] Shape shape_of(const Var& var);

/// In [0, rank). Errors: BadAttribute.
[[nodiscard]] Result<std::size_t> axis_in(std::int64_t axis, std::size_t rank);
[[nodiscard]] Ints all_axes(std::size_t rank);

/// The largest constant a converter makes. Source: our choice; the fully connected weights of the largest published
/// convolutional network (411 MB) fit. Units: bytes.
inline constexpr std::int64_t kMaxConstantBytes = std::int64_t{1} << 29;
/// An array of `value` everywhere. Errors: BadShape, LimitExceeded.
[[nodiscard]] Result<NDArray> filled(DType dtype, const Shape& shape, double value);
[[nodiscard]] NDArray int_vector(const Ints& values);
[[nodiscard]] Var scalar(NodeReader& node, DType dtype, double value);

[[nodiscard]] Result<Var> reshaped(NodeReader& node, const Var& x, const Shape& shape);
[[nodiscard]] Result<Var> transposed(NodeReader& node, const Var& x, Ints perm);
/// The variable itself when it has the dtype already.
[[nodiscard]] Result<Var> cast_to(NodeReader& node, const Var& x, DType dtype);
/// A vector [C] as [C, 1, ...] with `trailing` ones, to broadcast along an earlier axis.
[[nodiscard]] Result<Var> with_trailing_ones(NodeReader& node, const Var& vector, std::size_t trailing);

/// All inputs, null where missing.
[[nodiscard]] Vars inputs(const NodeReader& node);

/// A name as a template argument.
template <std::size_t N> struct OpName {
    char text[N];
    constexpr OpName(const char (&t)[N]) { std::copy_n(t, N, text); }
};
/// The operator of that name on the node's inputs, without attributes.
template <OpName Op> Converted forward(NodeReader& node) { return result(node, node.call(Op.text, inputs(node))); }

} // namespace orrery::onnx
