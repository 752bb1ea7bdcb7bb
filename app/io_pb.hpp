#pragma once
// ONNX TensorProto files (.pb): inputs and expected outputs as ONNX's own tests keep them.

#include "core/base/ndarray.hpp"
#include "core/base/result.hpp"
#include "core/frontends/onnx/import.hpp"

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace orrery::app {

/// The array of a .pb file. Errors: FileMissing, FileUnreadable, and those of onnx::parse_tensor, placed in the file:
/// MalformedModel, UnsupportedFeature, LimitExceeded.
[[nodiscard]] Result<NDArray> read_pb(const std::filesystem::path& path);

/// The values of a data set as an import names them: elements of a sequence x are "x.0", "x.1", ...
struct PbValues {
    std::vector<std::string> names;
    std::vector<NDArray> arrays;
    std::vector<onnx::ValueKind> kinds;   ///< of what the arrays are or belong to
    std::map<std::string, Shape> lengths; ///< of each sequence: [N]
};
/// The files prefix0.pb, prefix1.pb, ... of a folder, one for each of `values`, as many as there are.
/// Errors: as read_pb.
[[nodiscard]] Result<PbValues> read_pb_values(const std::filesystem::path& folder, const std::string& prefix,
                                              std::span<const onnx::ModelValue> values);

} // namespace orrery::app
