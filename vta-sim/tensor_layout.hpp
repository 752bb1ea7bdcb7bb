#pragma once

#include "vta-sim/config.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace orrery::vta {

/// Plain tensors are row-major vectors of int32 whatever their width; packed ones are DRAM bytes of a configuration.
/// Dimensions that are not multiples of the tile are padded with zeros.

/// Shape: [N, C, H, W]; a matrix [M, K] is [M, K, 1, 1].
struct TensorShape {
    int n = 1;
    int c = 1;
    int h = 1;
    int w = 1;
    [[nodiscard]] std::int64_t size() const { return std::int64_t{n} * c * h * w; }
    bool operator==(const TensorShape&) const = default;
};

[[nodiscard]] inline int tiles_of(int extent, int tile) { return (extent + tile - 1) / tile; }

/// Plain [N, C, H, W] to N/b, C/c, H, W, b, c. `bits` is the width of a scalar: inp_bits, or 32 for ACC buffers.
[[nodiscard]] std::vector<std::uint8_t> pack_activation(const Config& config, const TensorShape& shape,
                                                        std::span<const std::int32_t> plain, int bits);
/// The inverse.
[[nodiscard]] std::vector<std::int32_t> unpack_activation(const Config& config, const TensorShape& shape,
                                                          std::span<const std::uint8_t> packed, int bits);
/// Plain [O, I, kH, kW] (as n, c, h, w) to O/o, I/i, kH, kW, o, i.
[[nodiscard]] std::vector<std::uint8_t> pack_weight(const Config& config, const TensorShape& shape,
                                                    std::span<const std::int32_t> plain);
/// Plain [O] to O/o, b, o with 32-bit scalars, the same for every batch row.
[[nodiscard]] std::vector<std::uint8_t> pack_bias(const Config& config, std::span<const std::int32_t> plain);

} // namespace orrery::vta
