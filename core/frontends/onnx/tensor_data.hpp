#pragma once
// ONNX TensorProto messages as arrays: initializers, constants, and the files of ONNX's own tests.

#include "core/base/dtype.hpp"
#include "core/base/ndarray.hpp"
#include "core/base/result.hpp"

#include <cstdint>
#include <filesystem>

namespace onnx {
class TensorProto;
}

namespace orrery::onnx {

/// The dtype of a TensorProto.DataType number.
/// Errors: UnsupportedFeature for strings, complex numbers and floats of 4 bits; MalformedModel for no type.
[[nodiscard]] Result<DType> dtype_of(std::int32_t data_type);

/// Where a tensor's data may lie, and how much of it there may be.
struct TensorLimits {
    std::int64_t max_bytes = std::int64_t{8} << 30;
    std::filesystem::path folder; ///< of external data; empty: none is allowed
};

/// The array of a message, from raw_data, a typed field, or an external file below limits.folder. Memory is taken only
/// once the data is known to be there; external data stays mapped, where its alignment allows. Strings are their
/// numbers, in i64 (core/base/text_pool.hpp). Errors: MalformedModel (data does not fit the shape, a location outside
/// the folder), UnsupportedFeature, BadShape, LimitExceeded, FileMissing, FileUnreadable.
[[nodiscard]] Result<NDArray> tensor_value(const ::onnx::TensorProto& tensor, const TensorLimits& limits = {});

} // namespace orrery::onnx
