#pragma once
// ONNX TensorProto files (.pb): inputs and expected outputs as ONNX's own tests keep them.

#include "core/base/ndarray.hpp"
#include "core/base/result.hpp"

#include <filesystem>

namespace orrery::app {

/// The array of a .pb file. Errors: FileMissing, FileUnreadable, and those of onnx::parse_tensor, placed in the file:
/// MalformedModel, UnsupportedFeature, LimitExceeded.
[[nodiscard]] Result<NDArray> read_pb(const std::filesystem::path& path);

} // namespace orrery::app
