#pragma once
// Matrix products made ready for tiles of registers: a part of AlterOpLayout.

#include "core/graph/node.hpp"
#include "core/pass/pass.hpp"
#include "core/target/target.hpp"

namespace orrery::transform {

/// What a machine makes products with.
struct ProductUnits {
    std::int64_t vector_bits = 128; ///< the width of its registers
    bool bf16_tiles = false;        ///< tiles of bf16, see Target
    std::int64_t f16_stretch = 0;   ///< products of f16 that are added up in f16, see layout_matmul
    ByteProducts bytes = ByteProducts::None;
};

/// Replaces matmul of static matrices by layout_matmul: constant matrices on the right lie in
/// panels of a few registers of columns, side by side as they are read, where such panels divide them, and others are
/// brought there by a layout_transform where many rows use them; rows go in the groups that hide the latency of sums
/// best. One row has columns of zeros where columns fill no panels. Where tiles of bf16 are filled, panels have 32
/// columns and lie by pairs of rows; where bytes are multiplied four at a time, by fours. Example: y = matmul(x, w) ->
/// y = layout_matmul(x, w') {panel=16, rows=6}
[[nodiscard]] graph::Module pack_products(const graph::Module& module, const pass::Context& context,
                                          const ProductUnits& units);

} // namespace orrery::transform
