#pragma once

#include "vta-sim/builder.hpp"
#include "vta-sim/tensor_layout.hpp"

#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace orrery::vta {

/// One lane-wise operation: with the second operand tensor, or with an immediate.
struct ElementwiseStep {
    AluOp op = AluOp::Add;
    std::optional<std::int16_t> imm; ///< empty: the second operand
};

/// A chain of operations on the tensor `left`, some of them with `right`; both int32 [elements][batch][block].
/// The result is narrowed to OUT. Buffers `<name>.left`, `.right`, `.out`.
struct ElementwiseJob {
    std::string_view name = "elementwise";
    std::uint64_t elements = 1; ///< accumulator tiles of the whole tensor
    std::uint64_t tile = 1;     ///< accumulator tiles handled at once, per operand
    int contexts = 1;
    std::vector<ElementwiseStep> steps;
    std::span<const std::uint8_t> left; ///< packed; empty stays zero
    std::span<const std::uint8_t> right;
};

/// Errors: IllegalTile, and those of Builder. No barrier, no FINISH.
Status emit_elementwise(Builder& builder, const ElementwiseJob& job);
[[nodiscard]] Result<Program> elementwise_program(const Config& config, const ElementwiseJob& job);

enum class PoolKind : std::uint8_t { Max, Sum };

/// Pooling of an int32 activation [batch, channels, height, width]. Max ignores padding; Sum takes it as zero and is
/// shifted right by `shift`, which makes an average of a power-of-two window. Buffers `<name>.inp`, `.out`.
struct PoolJob {
    std::string_view name = "pool";
    PoolKind kind = PoolKind::Max;
    TensorShape shape;
    int window = 2;
    int stride = 2;
    int pad = 0; ///< less than the window
    int shift = 0;
    int tile_rows = 1; ///< output rows handled at once
    int contexts = 1;
    std::span<const std::int32_t> input; ///< plain; empty stays zero

    [[nodiscard]] int out_height() const { return (shape.h + 2 * pad - window) / stride + 1; }
    [[nodiscard]] int out_width() const { return (shape.w + 2 * pad - window) / stride + 1; }
};

/// Errors: IllegalShape, IllegalTile, and those of Builder. No barrier, no FINISH.
Status emit_pool(Builder& builder, const PoolJob& job);
[[nodiscard]] Result<Program> pool_program(const Config& config, const PoolJob& job);

} // namespace orrery::vta
