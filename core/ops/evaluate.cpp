#include "core/ops/open.hpp"
#include "core/ops/ops.hpp"
#include "core/tensor/analysis.hpp"

#include <algorithm>

namespace orrery::ops {

namespace {

/// The tensors of a call's result, in order; null for a type of another kind.
const graph::TensorType* result_tensor(const graph::Type& result, std::size_t i) {
    if (const graph::TupleType* tuple = graph::as_tuple(result)) return graph::as_tensor(tuple->fields[i]);
    return graph::as_tensor(result);
}

std::size_t result_count(const graph::Type& result) {
    const graph::TupleType* tuple = graph::as_tuple(result);
    return tuple ? tuple->fields.size() : 1;
}

Result<std::vector<graph::TensorType>> static_results(const graph::Type& result) {
    std::vector<graph::TensorType> types;
    for (std::size_t i = 0; i < result_count(result); ++i) {
        const graph::TensorType* type = result_tensor(result, i);
        if (!type || !graph::is_static(*type))
            return Diagnostic{Code::UnsupportedFeature,
                              "a result without static shape cannot be computed: " + graph::to_string(result),
                              {},
                              "bind the model's symbolic dimensions with --shape"};
        types.push_back(*type);
    }
    return types;
}

std::string operand_name(const graph::Op& op, std::size_t i) {
    if (op.operands.empty()) return "x" + std::to_string(i);
    if (i + 1 < op.operands.size() || !op.operands.back().variadic) return op.operands[i].name;
    return op.operands.back().name + std::to_string(i + 1 - op.operands.size());
}

} // namespace

std::vector<tensor::Buffer> define(const graph::CallOp& call, std::span<const tensor::Buffer> inputs,
                                   const graph::Type& result, tensor::ComputeBuilder& builder) {
    std::vector<graph::TensorType> outputs;
    for (std::size_t i = 0; i < result_count(result); ++i) {
        const graph::TensorType* type = result_tensor(result, i);
        ORRERY_ASSERT(type != nullptr, call.op.name + ": results are tensors");
        outputs.push_back(*type);
    }
    ORRERY_ASSERT(call.op.rule && call.op.rule->define, call.op.name + ": the operator has a definition");
    std::vector<tensor::Buffer> buffers = call.op.rule->define({call.op.name, inputs, call.attrs, outputs, builder});
    ORRERY_ASSERT(buffers.size() == outputs.size(), call.op.name + ": one buffer a result");
    for (std::size_t i = 0; i < buffers.size(); ++i)
        ORRERY_ASSERT(buffers[i]->dtype == outputs[i].dtype &&
                          buffers[i]->static_shape() == graph::static_shape(outputs[i]),
                      call.op.name + ": the definition gives the inferred type " + graph::to_string(result) + ", not " +
                          type_text(buffers[i]->dtype, buffers[i]->static_shape()));
    return buffers;
}

Result<tensor::Program> program_of(const graph::CallOp& call, const graph::Type& result) {
    ORRERY_TRY([[maybe_unused]] const auto outputs, static_results(result));
    std::vector<tensor::Buffer> operands, inputs;
    for (std::size_t i = 0; i < call.args.size(); ++i) {
        operands.emplace_back();
        if (!call.args[i]) continue;
        const graph::TensorType* type = graph::as_tensor(call.args[i]->type);
        if (!type || !graph::is_static(*type))
            return Diagnostic{Code::UnsupportedFeature,
                              "an operand without static shape cannot be computed with: " +
                                  graph::to_string(call.args[i]->type),
                              {},
                              "bind the model's symbolic dimensions with --shape"};
        operands.back() = tensor::make_buffer(operand_name(call.op, i), type->dtype, graph::static_shape(*type));
        inputs.push_back(operands.back());
    }
    tensor::ComputeBuilder builder;
    const std::vector<tensor::Buffer> results = define(call, operands, result, builder);
    return builder.program(call.op.name, inputs, results);
}

namespace {

/// The call with operands of the arrays' own types: programs are made for these.
graph::CallOp with_types_of(const graph::CallOp& call, std::span<const NDArray> args) {
    std::vector<graph::Var> vars = call.args;
    for (std::size_t i = 0; i < vars.size(); ++i)
        if (vars[i] && !graph::fully_static(vars[i]->type))
            vars[i] = graph::make_var(vars[i]->name, graph::tensor_type(args[i].dtype(), args[i].shape()));
    return graph::CallOp(call.op, std::move(vars), call.attrs);
}

} // namespace

graph::OpEvaluator interpreter_evaluator() {
    return [](const graph::CallOp& call, std::span<const NDArray> args, const graph::Type& result,
              const Progress& progress) -> Result<std::vector<NDArray>> {
        if (call.op.open)
            return Diagnostic{Code::UnsupportedFeature,
                              "a node of the model that waits for shapes is computed by the importer's evaluator only",
                              {},
                              {}};
        ORRERY_TRY(const auto types, static_results(result));
        const bool open = std::ranges::any_of(
            call.args, [](const graph::Var& var) { return var && !graph::fully_static(var->type); });
        ORRERY_TRY(const tensor::Program program,
                   open ? program_of(with_types_of(call, args), result) : program_of(call, result));
        std::vector<NDArray> arrays;
        for (const NDArray& arg : args)
            if (arg.defined()) arrays.push_back(arg);
        const std::size_t inputs = arrays.size();
        for (const graph::TensorType& type : types)
            arrays.push_back(NDArray::allocate(type.dtype, graph::static_shape(type)));
        ORRERY_CHECK_OK(tensor::interpret(program, arrays, progress));
        arrays.erase(arrays.begin(), arrays.begin() + static_cast<std::ptrdiff_t>(inputs));
        return arrays;
    };
}

} // namespace orrery::ops
