#pragma once
// The file of a model as protobuf's messages, and its tensors as arrays that take their storage over.

#include "core/base/ndarray.hpp"
#include "core/base/result.hpp"
#include "core/frontends/onnx/tensor_data.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <onnx/onnx_pb.h>
#include <span>
#include <string>
#include <unordered_map>

namespace orrery::onnx {

/// Raw data of tensors that lies outside of their messages.
using RawData = std::unordered_map<const ::onnx::TensorProto*, std::span<const std::byte>>;

/// A parsed model; its messages live in one arena, the raw data of large initializers in the bytes it was parsed from.
struct ModelFile {
    std::shared_ptr<google::protobuf::Arena> arena;
    ::onnx::ModelProto* model = nullptr;
    std::string path; ///< for diagnostics
    RawData raw = {};
    std::shared_ptr<const void> owner = {}; ///< what keeps the bytes alive and as they are; null when nothing does
};

/// The most that protobuf reads: 2 GiB - 1. Units: bytes
inline constexpr std::uint64_t kMostModelBytes = (std::uint64_t{1} << 31) - 1;
[[nodiscard]] Diagnostic too_large_a_model(const std::string& path);

/// Pre: `bytes` outlive the model.
/// Errors: MalformedModel, LimitExceeded.
[[nodiscard]] Result<ModelFile> parse_model(std::span<const std::byte> bytes, std::string path);

/// Turns tensors of one model into arrays, each once. Large raw data stays in the file's bytes, of which arrays are
/// made once somebody asks; where nothing keeps those, it is copied, or taken out of its message.
class TensorReader {
  public:
    /// `file` outlives the reader.
    TensorReader(TensorLimits limits, const ModelFile& file)
        : limits_(std::move(limits)), left_(limits_.max_bytes), file_(file) {}
    /// Errors: those of tensor_value; LimitExceeded when all tensors together pass the limit.
    [[nodiscard]] Result<NDArray> read(const ::onnx::TensorProto& tensor);

  private:
    Result<NDArray> load(const ::onnx::TensorProto& tensor) const;
    TensorLimits limits_;
    std::int64_t left_; ///< Units: bytes.
    const ModelFile& file_;
    std::unordered_map<const ::onnx::TensorProto*, NDArray> done_;
};

} // namespace orrery::onnx
