#include "tests/core/frontends/onnx/models.hpp"

#include "core/frontends/onnx/open.hpp"
#include "core/graph/evaluate.hpp"

#include <catch2/catch.hpp>

namespace orrery::onnx::models {

Result<graph::Module> import(const ::onnx::ModelProto& model, const ImportOptions& options) {
    const std::string bytes = model.SerializeAsString();
    return import_bytes(std::as_bytes(std::span(bytes)), {}, options);
}

graph::Module imported(const ::onnx::ModelProto& model, const ImportOptions& options) {
    Result<graph::Module> module = import(model, options);
    if (!module) FAIL(to_string(module.error()));
    return *module;
}

Diagnostic refused(const ::onnx::ModelProto& model, const ImportOptions& options) {
    const Result<graph::Module> module = import(model, options);
    if (module) FAIL("the model was taken");
    return module.error();
}

std::vector<NDArray> run(const graph::Module& module, const std::vector<NDArray>& inputs) {
    Result<std::vector<NDArray>> out = graph::evaluate(module.main, inputs, evaluator(), {});
    if (!out) FAIL(to_string(out.error()));
    return *out;
}

NDArray floats(Shape shape, const std::vector<float>& values) {
    return NDArray::of(DType::F32, std::move(shape), std::span<const float>(values));
}

} // namespace orrery::onnx::models
