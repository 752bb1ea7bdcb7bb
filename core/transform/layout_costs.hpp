#pragma once
// What convolutions and changes of layout cost: as measured, or by models of a core's time.

#include "core/base/result.hpp"
#include "core/graph/node.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace orrery::transform {

/// What a convolution computes, whatever its layouts.
struct ConvWork {
    DType dtype = DType::F32, sum_dtype = DType::F32; ///< of its input and its result
    std::int64_t images = 1, channels = 0, filters = 0, groups = 1;
    std::int64_t height = 0, width = 0; ///< of the result
    std::int64_t kernel_height = 1, kernel_width = 1;
    graph::Ints strides{1, 1}, dilations{1, 1}, pads{0, 0, 0, 0};
    [[nodiscard]] bool depthwise() const { return groups > 1 && groups == channels && groups == filters; }
};
/// nullopt for what is no conv2d, layout_conv2d or winograd_conv2d of known extents.
[[nodiscard]] std::optional<ConvWork> conv_work(const graph::Binding& binding);

/// How a convolution is computed.
struct ConvVariant {
    std::string data, out; ///< layouts
    std::int64_t tile = 0; ///< of winograd_conv2d; 0 for the plain sum
};
/// The variant a call is in. Pre: conv_work(binding).
[[nodiscard]] ConvVariant conv_variant(const graph::Binding& binding);
/// One line of text: "f32 1x64x56x56 64 3x3 s1x1 d1x1 p1.1.1.1 g1 NCHW16c NCHW16c w4".
[[nodiscard]] std::string kernel_key(const ConvWork& work, const ConvVariant& variant);

/// Measured times of kernels, each with what was fused to its convolution, by kernel_key.
class KernelTimes {
  public:
    /// Lines "KEY = TIME", also separated by semicolons. Units: ns. Errors: BadArgument naming the line.
    [[nodiscard]] static Result<KernelTimes> parse(std::string_view text);
    [[nodiscard]] std::string text() const;
    void set(const std::string& key, double ns) { times_[key] = ns; }
    [[nodiscard]] std::optional<double> find(const ConvWork& work, const ConvVariant& variant) const;
    [[nodiscard]] bool empty() const { return times_.empty(); }

  private:
    std::map<std::string, double> times_;
};

/// Registers as blocks fill them.
struct Registers {
    std::int64_t lanes = 1;
    bool masks = false; ///< what is left of a block takes one more, instead of one for each power of two in it
};
/// How much of the registers that hold `block` elements they fill.
[[nodiscard]] double fill_of(std::int64_t block, const Registers& registers);
/// What filters share: blocks of them the image, or those of a group alone, whose tiles have rows of one block.
enum class Sharing : std::uint8_t { Blocks, Rows };
/// The share of a core's speed that blocks of so many filters reach.
[[nodiscard]] double block_speed(std::int64_t block, const Registers& registers, Sharing sharing);

/// Estimated cycles of one core for the plain sum with full registers, of `bits`.
[[nodiscard]] double direct_cycles(const ConvWork& work, std::int64_t bits);
/// The same in tiles of so many results each way. Pre: 3x3 at stride 1.
[[nodiscard]] double tiled_cycles(const ConvWork& work, std::int64_t tile, std::int64_t bits);
/// The tile a convolution is computed in: the fastest as measured, where the plain sum and one tile at least were;
/// else by the estimates. 0 for the plain sum. Pre: 3x3 at stride 1, and `variant` in blocks.
[[nodiscard]] std::int64_t chosen_tile(const ConvWork& work, ConvVariant variant, std::int64_t bits,
                                       const KernelTimes& times);
/// Whether winograd_conv2d computes such a convolution.
[[nodiscard]] bool fits_tiles(const ConvWork& work);

/// The caches that what is moved may lie in. Units: bytes.
struct Caches {
    std::int64_t l2 = 512 << 10, l3 = 8 << 20;
};
/// A tensor whose channels change from blocks of one extent to blocks of another; 1 for no blocks.
struct Regrouping {
    double elements = 0, element_bytes = 4;
    std::int64_t from = 1, to = 1;
};
/// Estimated cycles of one core for it.
[[nodiscard]] double transform_cycles(const Regrouping& change, const Caches& caches);

} // namespace orrery::transform
