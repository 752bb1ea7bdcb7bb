#pragma once
// What type relations are written with: reading operands, checking axes and sizes, broadcasting. Everything here
// takes untrusted types and attributes.

#include "core/graph/op.hpp"
#include "core/graph/type.hpp"

#include <span>
#include <string>
#include <vector>

namespace orrery::ops {

using graph::Attrs;
using graph::Dim;
using graph::Floats;
using graph::Ints;
using graph::TensorType;
using graph::Type;
using graph::TypeRequest;

using Dims = std::vector<Dim>;

/// The largest tensor a type relation gives. Source: our choice, because sums of a few such sizes still fit an i64
/// and no machine of today holds one. Units: bytes.
inline constexpr std::int64_t kMaxTensorBytes = std::int64_t{1} << 44;
/// The most iterations around nothing: the product of the other extents of a tensor with a zero extent. Source: our
/// choice; loops over it still end within a second.
inline constexpr std::int64_t kMaxEmptyLoops = std::int64_t{1} << 28;
/// The largest window, stride, dilation or padding. Source: our choice, so that products of two fit an i64.
inline constexpr std::int64_t kMaxWindow = std::int64_t{1} << 30;

[[nodiscard]] Diagnostic shape_error(std::string message);
[[nodiscard]] Diagnostic type_error(std::string message);
[[nodiscard]] Diagnostic attr_error(std::string message);

/// Sets of element types operators take. All but Any leave out 8-bit floats and 4-bit integers, which are stored,
/// moved and converted; Comparable is all that leaves.
enum class DTypes : std::uint8_t { Any, Comparable, Bool, Int, Float, Number, Signed, WideFloat };
[[nodiscard]] bool contains(DTypes set, DType dtype);

/// True when the operand is given.
[[nodiscard]] bool present(const TypeRequest& request, std::size_t i);
/// Operand i. Errors: BadType when it is missing, not a tensor, or of an element type outside `allowed`.
[[nodiscard]] Result<TensorType> operand(const TypeRequest& request, std::size_t i, DTypes allowed = DTypes::Any);
/// The same with static dimensions. Errors: also BadShape when one is symbolic.
[[nodiscard]] Result<TensorType> static_operand(const TypeRequest& request, std::size_t i,
                                                DTypes allowed = DTypes::Any);
/// The same of that rank. Errors: also BadShape.
[[nodiscard]] Result<TensorType> ranked_operand(const TypeRequest& request, std::size_t i, std::size_t rank,
                                                DTypes allowed = DTypes::Any);
/// Errors: BadType when the operands differ in element type.
[[nodiscard]] Result<void> same_dtype(const TensorType& a, const TensorType& b);
/// The attribute of a product that says which element type its sums are given in, and what it says: f32, or as without
/// it `operands`, the operands' own. Errors: BadAttribute for another type.
[[nodiscard]] graph::AttrSpec sum_dtype_attr();
[[nodiscard]] Result<DType> sum_dtype(const Attrs& attrs, DType operands);
/// The attribute of a product that says over how many products sums are made in the operands' own type before they are
/// added in f32; 0, or left out, for none. And its value. Errors: BadAttribute for operands of another type than f16.
[[nodiscard]] graph::AttrSpec sum_stretch_attr();
[[nodiscard]] std::int64_t sum_stretch(const Attrs& attrs);
[[nodiscard]] Result<void> check_stretch(const Attrs& attrs, DType operands);
/// Errors: BadType when the factors of a product differ in element type, unless both are bytes whose sums are i32.
[[nodiscard]] Result<void> check_factors(const TensorType& a, const TensorType& b, const Attrs& attrs);
/// The attribute of a convolution that says what elements outside of x of `dtype` count as. Errors: BadAttribute for
/// what is no such element.
[[nodiscard]] graph::AttrSpec border_attr();
[[nodiscard]] Result<void> check_border(const Attrs& attrs, DType dtype);
/// Checks that operand i, when present, is a static vector of `length` of that dtype. Errors: BadType, BadShape.
[[nodiscard]] Result<void> check_vector(const TypeRequest& request, std::size_t i, std::int64_t length, DType dtype);

/// In [0, rank), negative counted from the end. Errors: BadAttribute.
[[nodiscard]] Result<std::size_t> normalize_axis(std::int64_t axis, std::size_t rank);
/// Sorted, each once. Errors: BadAttribute for one out of range or twice.
[[nodiscard]] Result<std::vector<std::size_t>> normalize_axes(const Ints& axes, std::size_t rank);
/// `count` values, each in [low, high]; all `fallback` when the attribute is absent. Errors: BadAttribute.
struct IntsRange {
    std::size_t count = 0;
    std::int64_t low = 0, high = kMaxWindow;
    std::int64_t fallback = 0;
};
[[nodiscard]] Result<Ints> checked_ints(const Attrs& attrs, const char* name, const IntsRange& range);

/// A tensor type whose size is within kMaxTensorBytes, and whose loops end. Errors: BadShape, LimitExceeded.
[[nodiscard]] Result<Type> checked_type(DType dtype, const Shape& shape);
[[nodiscard]] Result<Type> checked_type(DType dtype, const Dims& dims);
/// Numpy's rule: aligned at the last dimension, extents equal or one. A symbol matches itself and 1;
/// beside an extent other than 1 it must be that, and two that differ give `?`. Errors: BadShape.
[[nodiscard]] Result<Dims> broadcast(const Dims& a, const Dims& b);
/// True when `from` broadcasts to exactly `to`.
[[nodiscard]] bool broadcasts_to(const Shape& from, const Shape& to);

/// The type of operand 0, of any dtype in the set: elementwise operators.
template <DTypes Allowed> Result<Type> same_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, operand(request, 0, Allowed));
    return graph::tensor_type(x.dtype, x.dims);
}

} // namespace orrery::ops
