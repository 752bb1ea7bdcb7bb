#pragma once
// A walk over a protobuf file's bytes before they are parsed.

#include "core/base/result.hpp"

#include <cstddef>
#include <span>
#include <string>

namespace google::protobuf {
class Descriptor;
}

namespace orrery::onnx {

/// Checks the wire format of a message of type `root` and bounds the memory that parsing it takes: a few bytes of file
/// can ask for hundreds of bytes of objects.
/// Errors: MalformedModel at the byte where the format breaks, LimitExceeded. Cost: one pass; payloads are skipped.
[[nodiscard]] Result<void> check_wire(std::span<const std::byte> bytes, const google::protobuf::Descriptor& root,
                                      const std::string& path);

} // namespace orrery::onnx
