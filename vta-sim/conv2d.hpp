#pragma once

#include "vta-sim/builder.hpp"
#include "vta-sim/tensor_layout.hpp"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace orrery::vta {

/// What happens to accumulators before they are stored, in this order: add bias, shift right, clip.
struct Epilogue {
    bool bias = false;
    int shift = 0; ///< 0 leaves it out
    bool clip = false;
    std::int16_t clip_low = -128;
    std::int16_t clip_high = 127;
};

/// Shape: input [batch, in_channels, height, width], weights [out_channels, in_channels, kernel_h, kernel_w].
struct ConvShape {
    int batch = 1;
    int in_channels = 1;
    int out_channels = 1;
    int height = 1;
    int width = 1;
    int kernel_h = 1;
    int kernel_w = 1;
    int stride = 1;
    int pad_h = 0; ///< above and below; less than kernel_h
    int pad_w = 0; ///< left and right; less than kernel_w

    [[nodiscard]] int out_height() const { return (height + 2 * pad_h - kernel_h) / stride + 1; }
    [[nodiscard]] int out_width() const { return (width + 2 * pad_w - kernel_w) / stride + 1; }
    [[nodiscard]] TensorShape input() const { return {batch, in_channels, height, width}; }
    [[nodiscard]] TensorShape weight() const { return {out_channels, in_channels, kernel_h, kernel_w}; }
    [[nodiscard]] TensorShape output() const { return {batch, out_channels, out_height(), out_width()}; }
    /// Multiply-accumulates without padding of channels.
    [[nodiscard]] std::int64_t macs() const { return output().size() * in_channels * kernel_h * kernel_w; }
};

/// Units: output rows and columns; input and output channel blocks; contexts (virtual threads).
struct ConvTile {
    int height = 1;
    int width = 1;
    int in_blocks = 1;
    int out_blocks = 1;
    int contexts = 1;
    bool operator==(const ConvTile&) const = default;
};

/// Checks the shape, and that one context's share of every memory holds a tile and the fields hold its loops.
/// Errors: IllegalShape, IllegalTile naming the memory.
Status check_conv2d(const Config& config, const ConvShape& shape, const ConvTile& tile, const Epilogue& epilogue);

/// Legal tiles, the best by a closed-form estimate first.
[[nodiscard]] std::vector<ConvTile> conv2d_tiles(const Config& config, const ConvShape& shape, int contexts,
                                                 const Epilogue& epilogue, std::size_t count);

/// Adds a convolution to a builder, with buffers named `<name>.inp`, `.wgt`, `.bias` and `.out`; no barrier, no FINISH.
/// The buffers of `Tensors` are plain tensors; empty ones stay zero.
struct ConvTensors {
    std::span<const std::int32_t> input;
    std::span<const std::int32_t> weight;
    std::span<const std::int32_t> bias;
};
struct ConvJob {
    std::string_view name = "conv2d";
    ConvShape shape;
    ConvTile tile;
    Epilogue epilogue;
    ConvTensors tensors;
};
Status emit_conv2d(Builder& builder, const ConvJob& job);

/// A whole program of one convolution. Errors: those of check_conv2d and Builder.
[[nodiscard]] Result<Program> conv2d_program(const Config& config, const ConvJob& job);

} // namespace orrery::vta
