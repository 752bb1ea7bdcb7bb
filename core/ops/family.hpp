#pragma once
// Rows of the operator families, and the families themselves. One family a file; registry.cpp lists them.

#include "core/ops/ops.hpp"
#include "core/ops/relation.hpp"

#include <string>
#include <vector>

namespace orrery::ops {

/// One operator as its family's table writes it.
struct OpRow {
    std::string name;
    std::string doc; ///< first sentence: what the result is; then shapes and errors
    std::vector<graph::OperandSpec> operands;
    std::vector<graph::AttrSpec> attrs;
    graph::FusionKind fusion = graph::FusionKind::Opaque;
    graph::TypeRelation infer = nullptr;
    Define define = nullptr;
    std::vector<std::string> onnx_names;
    graph::TypeValue value_of_types = nullptr; ///< of operators whose value follows from types
    bool open = false;                         ///< see graph::Op::open
    bool random = false;                       ///< never folded, never merged
};
using Family = std::vector<OpRow>;

[[nodiscard]] Family activation_family();
[[nodiscard]] Family cast_family();
[[nodiscard]] Family compare_logic_family();
[[nodiscard]] Family conv_family();
[[nodiscard]] Family dynamic_family();
[[nodiscard]] Family einsum_family();
[[nodiscard]] Family elementwise_binary_family();
[[nodiscard]] Family elementwise_unary_family();
[[nodiscard]] Family fast_math_family();
[[nodiscard]] Family gather_family();
[[nodiscard]] Family layout_family();
[[nodiscard]] Family matmul_family();
[[nodiscard]] Family norm_family();
[[nodiscard]] Family patch_family();
[[nodiscard]] Family pool_family();
[[nodiscard]] Family quantize_family();
[[nodiscard]] Family random_family();
[[nodiscard]] Family recurrent_family();
[[nodiscard]] Family reduce_family();
[[nodiscard]] Family resize_family();
[[nodiscard]] Family scan_family();
[[nodiscard]] Family scatter_family();
[[nodiscard]] Family shape_family();
[[nodiscard]] Family signal_family();
[[nodiscard]] Family softmax_family();
[[nodiscard]] Family spatial_family();
[[nodiscard]] Family transposed_family();
[[nodiscard]] Family typed_program_family();
[[nodiscard]] Family winograd_family();

/// The type of a plain operator on one tensor [N, C, H, W] in the attribute `layout`, in that layout.
[[nodiscard]] Result<Type> layout_window_type(const TypeRequest& request, std::string_view plain);

} // namespace orrery::ops
