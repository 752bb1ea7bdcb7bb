#pragma once
// What ConvertLayout and AlterOpLayout share: convolutions moved to other layouts, and what lies between them carried
// along.

#include "core/graph/node.hpp"
#include "core/ops/layout.hpp"
#include "core/pass/pass.hpp"

#include <functional>
#include <optional>
#include <string>

namespace orrery::transform {

/// Which numbers of rows are as good as any: where there are 32 registers of 64 bytes, Many: also 14 where that divides
/// them, which are parts of image rows in many networks; Threes: also 9, by three blocks of columns.
enum class RowGroups : std::uint8_t { Few, Many, Threes };

/// The layouts one convolution gets.
struct ConvLayouts {
    std::string data, out, weight;
    bool in_rows = false;              ///< places are counted through the image, in multiples of product_rows
    RowGroups groups = RowGroups::Few; ///< of those
    bool in_tiles = false;             ///< those multiples are of tile_rows instead
    std::int64_t stretch = 0;          ///< see layout_conv2d
    bool in_turn = false;              ///< channels are read as they lie before they are shuffled, see ConvFacts
};
/// What is known of a convolution whose layouts are to be chosen.
struct ConvFacts {
    graph::Var result; ///< of the convolution in the function as it was
    std::int64_t channels = 0, filters = 0, groups = 1;
    DType dtype = DType::F32, sum_dtype = DType::F32; ///< of its input and its result
    std::string native;                               ///< the layout its input was computed in
    /// Its input is a channel shuffle of that many parts of what was computed, which it can read in turn; 1 for none.
    std::int64_t shuffle = 1;
    std::int64_t reader_group = 0; ///< channels of a group of the grouped convolution that reads the result; 0 for none
    bool after_depthwise = false;  ///< it reads what a depthwise convolution computed, elementwise work between
    std::optional<ConvLayouts> laid; ///< as it is, where it is a layout_conv2d
};
/// nullopt to leave the convolution as it is.
using ChooseLayouts = std::function<std::optional<ConvLayouts>(const ConvFacts&)>;
/// How a function is converted. Variables are those of the function as it was.
struct LayoutRules {
    ChooseLayouts choose;
    /// The layout in which the value of an operator that can be carried along is computed; nullopt, or nothing to ask,
    /// for the native layout of its first operand that has another one.
    std::function<std::optional<std::string>(const graph::Var&)> carry = {};
    /// Told of each value that is computed in a layout; may be empty.
    std::function<void(const graph::Var&, const std::string&)> laid = {};
};

/// In multiples of how many rows a product of that many rows with a matrix is computed. Six rows of two registers hide
/// the latency of sums best where there are sixteen registers; fewer do where six would repeat too much.
/// Source: measured (docs/performance.md): 95 % of the peak with 12 sums, 92 % with 10, 88 % with 8.
[[nodiscard]] std::int64_t product_rows(std::int64_t rows, RowGroups groups = RowGroups::Few);

/// The same for products of tiles, two of up to 16 rows each: whole parts of an image's row or whole rows of it, whose
/// places lie equally far apart; where none fit, the multiple that repeats least. `width`: places of an image's row.
[[nodiscard]] std::int64_t tile_rows(std::int64_t rows, std::int64_t width);

/// Columns of a product of bytes that lie side by side, whose sums fill registers of so many lanes: up to four of them,
/// or up to five of eight lanes where whole ones do not divide. 0 where nothing does.
[[nodiscard]] std::int64_t dots_block(std::int64_t columns, std::int64_t lanes);

/// The layouts of a convolution whose channels are split by those blocks; 1 for not split. In turn where it reads a
/// channel shuffle.
[[nodiscard]] ConvLayouts packed_layouts(const ConvFacts& facts, std::int64_t in_block, std::int64_t out_block);

/// Each value lies in the layout its variable has in the function; convolutions and what is carried along compute it in
/// another one, its native layout. Whoever needs it in a layout gets the native value, or a layout_transform of it.
/// Values nobody needs are dropped at the end; constants are transformed at once.
[[nodiscard]] graph::Module convert_layouts(const graph::Module& module, const pass::Context& context,
                                            const LayoutRules& rules);

/// Where the operands of an operator over values in NCHW lie in the layout of its result, and whether they can in one
/// that splits channels: elementwise work, sums and products, pooling, responses to
/// neighbouring channels, concatenations, reductions over the image.
struct CarriedAlong {
    std::vector<graph::Var> operands; ///< those that lie so; others broadcast
    bool split = true;                ///< by any block that divides the channels of each operand
};
/// nullopt for what is not carried along, or is no tensor of four axes.
[[nodiscard]] std::optional<CarriedAlong> carried_along(const graph::Binding& binding);

} // namespace orrery::transform
