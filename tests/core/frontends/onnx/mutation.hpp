#pragma once
// Damage to model files, the same for the same seed.

#include <cstdint>
#include <string>
#include <vector>

namespace orrery::onnx::models {

/// One of the originals with bytes flipped, cut, doubled or set to telling values, or with fields of its messages
/// changed.
[[nodiscard]] std::string mutated(const std::vector<std::string>& originals, std::uint64_t seed);

} // namespace orrery::onnx::models
