#pragma once
// Importing the small models of tests, and running what comes of them.

#include "core/frontends/onnx/import.hpp"
#include "tests/core/frontends/onnx/model_seeds.hpp"

#include <vector>

namespace orrery::onnx::models {

Result<graph::Module> import(const ::onnx::ModelProto& model, const ImportOptions& options = {});
/// Of a model that must be taken; the test fails with the diagnostic otherwise.
graph::Module imported(const ::onnx::ModelProto& model, const ImportOptions& options = {});
/// Of a model that must be refused.
Diagnostic refused(const ::onnx::ModelProto& model, const ImportOptions& options = {});
/// Outputs by the reference evaluation.
std::vector<NDArray> run(const graph::Module& module, const std::vector<NDArray>& inputs);
NDArray floats(Shape shape, const std::vector<float>& values);

} // namespace orrery::onnx::models
