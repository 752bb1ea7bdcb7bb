#pragma once
// The file of a model as protobuf's messages, and its tensors as arrays that take their storage over.

#include "core/base/ndarray.hpp"
#include "core/base/result.hpp"
#include "core/frontends/onnx/tensor_data.hpp"

#include <cstddef>
#include <memory>
#include <onnx/onnx_pb.h>
#include <span>
#include <string>
#include <unordered_map>

namespace orrery::onnx {

/// A parsed model; its messages live in one arena.
struct ModelFile {
    std::shared_ptr<google::protobuf::Arena> arena;
    ::onnx::ModelProto* model = nullptr;
    std::string path; ///< for diagnostics
};

/// Errors: MalformedModel, LimitExceeded.
[[nodiscard]] Result<ModelFile> parse_model(std::span<const std::byte> bytes, std::string path);

/// Turns tensors of one model into arrays, each once. Large raw data is taken out of its message instead of copied.
class TensorReader {
  public:
    explicit TensorReader(TensorLimits limits) : limits_(std::move(limits)), left_(limits_.max_bytes) {}
    /// Errors: those of tensor_value; LimitExceeded when all tensors together pass the limit.
    [[nodiscard]] Result<NDArray> read(const ::onnx::TensorProto& tensor);

  private:
    Result<NDArray> load(const ::onnx::TensorProto& tensor) const;
    TensorLimits limits_;
    std::int64_t left_; ///< Units: bytes.
    std::unordered_map<const ::onnx::TensorProto*, NDArray> done_;
};

} // namespace orrery::onnx
