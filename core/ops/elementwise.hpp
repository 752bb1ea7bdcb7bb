#pragma once
// Definitions of operators that compute each element from one element of each operand.

#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"

namespace orrery::ops {

/// The value of one element. f16 and bf16 operands arrive as f32.
using UnaryValue = tensor::Expr (*)(const tensor::Expr& x, const Attrs& attrs);
using BinaryValue = tensor::Expr (*)(const tensor::Expr& a, const tensor::Expr& b, const Attrs& attrs);

std::vector<tensor::Buffer> define_unary_stage(const DefineRequest& request, UnaryValue value);
std::vector<tensor::Buffer> define_binary_stage(const DefineRequest& request, BinaryValue value);

template <UnaryValue Value> std::vector<tensor::Buffer> define_unary(const DefineRequest& request) {
    return define_unary_stage(request, Value);
}
template <BinaryValue Value> std::vector<tensor::Buffer> define_binary(const DefineRequest& request) {
    return define_binary_stage(request, Value);
}

/// Two operands of one dtype that broadcast; the result has their dtype.
template <DTypes Allowed> Result<Type> binary_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType a, operand(request, 0, Allowed));
    ORRERY_TRY(const TensorType b, operand(request, 1, Allowed));
    ORRERY_CHECK_OK(same_dtype(a, b));
    ORRERY_TRY(const Dims dims, broadcast(a.dims, b.dims));
    return checked_type(a.dtype, dims);
}
/// The same, with a Bool result.
template <DTypes Allowed> Result<Type> comparison_type(const TypeRequest& request) {
    ORRERY_TRY(const Type type, binary_type<Allowed>(request));
    return graph::tensor_type(DType::Bool, graph::as_tensor(type)->dims);
}

/// Operand "x" or operands "a", "b" with a description.
[[nodiscard]] std::vector<graph::OperandSpec> one_operand(const char* doc);
[[nodiscard]] std::vector<graph::OperandSpec> two_operands(const char* doc);

} // namespace orrery::ops
