#pragma once
// A walk over a protobuf file's bytes before they are parsed.

#include "core/base/result.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace google::protobuf {
class Descriptor;
}

namespace orrery::onnx {

/// Checks the wire format of a message of type `root` and bounds the memory that parsing it takes: a few bytes of file
/// can ask for hundreds of bytes of objects.
/// Errors: MalformedModel at the byte where the format breaks, LimitExceeded. Cost: one pass; payloads are skipped.
[[nodiscard]] Result<void> check_wire(std::span<const std::byte> bytes, const google::protobuf::Descriptor& root,
                                      const std::string& path);

/// A model's bytes without the raw data of its large initializers: protobuf would copy each into a string of its own,
/// from where it is copied to where kernels may read it.
struct StrippedModel {
    std::string bytes;
    struct Data {
        int initializer = 0; ///< its place among those of the model's graph
        std::span<const std::byte> bytes;
    };
    std::vector<Data> data; ///< in order; views of what was stripped
};
/// Pre: check_wire accepts the bytes, as a ModelProto. Raw data of fewer than `least` bytes stays.
[[nodiscard]] StrippedModel strip_raw_data(std::span<const std::byte> bytes, std::size_t least);

} // namespace orrery::onnx
