#pragma once
// The built-in networks: real ONNX files with seeded weights, made without any download.

#include "core/base/dtype.hpp"
#include "core/base/result.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace orrery::onnx {

/// What a built-in network is, before it is built.
struct NetworkInfo {
    std::string_view name;    ///< "resnet50": the argument of build_network
    std::string_view summary; ///< one line for a start page
    std::string_view input;   ///< the name of its only input
    DType dtype = DType::F32; ///< of the input; I64 for token numbers
    std::array<std::int64_t, 4> dims{};
    int rank = 0;
    /// Shape: images [N, C, H, W], vectors [N, F], tokens [N, T].
    [[nodiscard]] std::span<const std::int64_t> shape() const { return {dims.data(), static_cast<std::size_t>(rank)}; }
};

/// All of them, small before large within a family.
[[nodiscard]] std::span<const NetworkInfo> networks();

/// The bytes of an ONNX ModelProto (opset 17, IR version 8) whose weights follow from `seed` alone,
/// bit for bit on every machine: activations keep their variance through the depth of the network,
/// batch normalization stands near the identity, residual branches are halved. Nodes and tensors are
/// named by module path ("/layer1/0/conv1/Conv", "layer1.0.conv1.weight").
/// Errors: UnknownName.
/// Cost: the size of the file in memory, once (vgg16: 553 MB).
/// Thread: any; calls do not share state.
[[nodiscard]] Result<std::string> build_network(std::string_view name, std::uint64_t seed);

} // namespace orrery::onnx
