#pragma once
// The operators: their registry, their meaning as tensor expressions, and the reference evaluation made from it.

#include "core/graph/evaluate.hpp"
#include "core/graph/op.hpp"
#include "core/tensor/compute.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::ops {

/// What an operator's definition is given. All types are static tensors.
struct DefineRequest {
    std::string_view name;                  ///< the operator's: stages are named after it
    std::span<const tensor::Buffer> inputs; ///< null where an optional operand is missing
    const graph::Attrs& attrs;
    std::span<const graph::TensorType> outputs; ///< as the type relation says
    tensor::ComputeBuilder& builder;            ///< stages are added here

    [[nodiscard]] const tensor::Buffer& in(std::size_t i) const { return inputs[i]; }
    [[nodiscard]] bool has(std::size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
    [[nodiscard]] Shape shape(std::size_t i) const { return inputs[i]->static_shape(); }
    [[nodiscard]] Shape out_shape(std::size_t i = 0) const { return graph::static_shape(outputs[i]); }
    [[nodiscard]] DType out_dtype(std::size_t i = 0) const { return outputs[i].dtype; }
};

/// The meaning of an operator: adds stages and returns the buffers of its results. An operator that only views
/// its input (identity, reshape) may still define a copy: fusion inlines it.
using Define = std::vector<tensor::Buffer> (*)(const DefineRequest&);

/// What `graph::Op::rule` points to.
struct TensorRule {
    Define define = nullptr;
};

/// All operators; made on first use. Thread: any.
[[nodiscard]] const graph::OpRegistry& registry();
/// Pre: the operator exists. For passes and importers that name operators in code.
[[nodiscard]] const graph::Op& op(std::string_view name);

/// Adds the stages of one call to a builder. `inputs` are buffers of the operands, null where missing.
[[nodiscard]] std::vector<tensor::Buffer> define(const graph::CallOp& call, std::span<const tensor::Buffer> inputs,
                                                 const graph::Type& result, tensor::ComputeBuilder& builder);

/// The schedule-free program of one call. Inputs are the present operands, in order.
/// Errors: UnsupportedFeature when a type is not static.
[[nodiscard]] Result<tensor::Program> program_of(const graph::CallOp& call, const graph::Type& result);

/// Applies operators by interpreting their programs: the reference.
[[nodiscard]] graph::OpEvaluator interpreter_evaluator();

} // namespace orrery::ops
