#pragma once
// A lowered model run call by call in the interpreter.

#include "core/lower/value_arrays.hpp"
#include "core/tensor/analysis.hpp"

namespace orrery::test {

/// The outputs, each call on arrays of its own. Errors: those of the interpreter.
inline Result<std::vector<NDArray>> run_calls(const lower::LoweredModel& model, const std::vector<NDArray>& inputs) {
    lower::ValueArrays values(model);
    for (std::uint32_t id = 0; id < model.values.size(); ++id)
        if (const lower::LoweredValue& value = model.values[id]; value.storage == runtime::Storage::Constant)
            values.set(id, model.constants[value.index]);
    for (std::size_t i = 0; i < inputs.size(); ++i) values.set(model.inputs[i], inputs[i]);
    for (const lower::LoweredCall& call : model.calls) {
        std::vector<NDArray> args;
        for (const std::uint32_t id : call.args) args.push_back(values.get(id));
        for (const std::uint32_t id : call.results)
            args.push_back(NDArray::zeros(model.values[id].dtype, model.values[id].shape));
        ORRERY_CHECK_OK(tensor::interpret(model.functions[call.function].program, args));
        for (std::size_t i = 0; i < call.results.size(); ++i) values.set(call.results[i], args[call.args.size() + i]);
    }
    std::vector<NDArray> outputs;
    for (const std::uint32_t id : model.outputs) outputs.push_back(values.get(id));
    return outputs;
}

} // namespace orrery::test
