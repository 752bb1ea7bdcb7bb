#include "vta-sim/tensor_layout.hpp"

namespace orrery::vta {
namespace {

void put(std::vector<std::uint8_t>& bytes, std::size_t index, int bits, std::int32_t value) {
    const auto raw = static_cast<std::uint32_t>(value);
    if (bits >= 8) {
        const auto size = static_cast<std::size_t>(bits / 8);
        for (std::size_t i = 0; i < size; ++i) bytes[index * size + i] = static_cast<std::uint8_t>(raw >> (8 * i));
        return;
    }
    const std::size_t at = index * static_cast<std::size_t>(bits);
    bytes[at / 8] = static_cast<std::uint8_t>(bytes[at / 8] | (raw & ((1U << bits) - 1)) << (at % 8));
}

std::int32_t get(std::span<const std::uint8_t> bytes, std::size_t index, int bits) {
    std::uint32_t raw = 0;
    if (bits >= 8) {
        const auto size = static_cast<std::size_t>(bits / 8);
        for (std::size_t i = 0; i < size; ++i) raw |= static_cast<std::uint32_t>(bytes[index * size + i]) << (8 * i);
    } else {
        const std::size_t at = index * static_cast<std::size_t>(bits);
        raw = bytes[at / 8] >> (at % 8);
    }
    return static_cast<std::int32_t>(raw << (32 - bits)) >> (32 - bits);
}

/// Calls `visit(plain index, packed index)` for every scalar of [N, C, H, W] in the layout N/b, C/c, H, W, b, c.
template <class Visit> void for_each_activation(int b, int c, const TensorShape& s, Visit&& visit) {
    const int c_tiles = tiles_of(s.c, c);
    std::size_t plain = 0;
    for (int n = 0; n < s.n; ++n) {
        for (int ch = 0; ch < s.c; ++ch) {
            for (int y = 0; y < s.h; ++y) {
                for (int x = 0; x < s.w; ++x, ++plain) {
                    const std::int64_t tile = ((std::int64_t{n / b} * c_tiles + ch / c) * s.h + y) * s.w + x;
                    visit(plain, static_cast<std::size_t>((tile * b + n % b) * c + ch % c));
                }
            }
        }
    }
}

std::size_t packed_bytes(std::int64_t scalars, int bits) { return static_cast<std::size_t>(scalars * bits / 8); }

} // namespace

std::vector<std::uint8_t> pack_activation(const Config& config, const TensorShape& s,
                                          std::span<const std::int32_t> plain, int bits) {
    const int b = config.batch();
    const int c = config.block();
    const std::int64_t scalars = std::int64_t{tiles_of(s.n, b)} * b * tiles_of(s.c, c) * c * s.h * s.w;
    std::vector<std::uint8_t> bytes(packed_bytes(scalars, bits));
    for_each_activation(b, c, s, [&](std::size_t from, std::size_t to) { put(bytes, to, bits, plain[from]); });
    return bytes;
}

std::vector<std::int32_t> unpack_activation(const Config& config, const TensorShape& s,
                                            std::span<const std::uint8_t> packed, int bits) {
    std::vector<std::int32_t> plain(static_cast<std::size_t>(s.size()));
    for_each_activation(config.batch(), config.block(), s,
                        [&](std::size_t to, std::size_t from) { plain[to] = get(packed, from, bits); });
    return plain;
}

std::vector<std::uint8_t> pack_weight(const Config& config, const TensorShape& s, std::span<const std::int32_t> plain) {
    const int block = config.block();
    const int i_tiles = tiles_of(s.c, block);
    const std::int64_t scalars = std::int64_t{tiles_of(s.n, block)} * i_tiles * s.h * s.w * block * block;
    std::vector<std::uint8_t> bytes(packed_bytes(scalars, config.wgt_bits()));
    std::size_t from = 0;
    for (int o = 0; o < s.n; ++o) {
        for (int i = 0; i < s.c; ++i) {
            for (int k = 0; k < s.h * s.w; ++k, ++from) {
                const std::int64_t tile = (std::int64_t{o / block} * i_tiles + i / block) * s.h * s.w + k;
                put(bytes, static_cast<std::size_t>((tile * block + o % block) * block + i % block), config.wgt_bits(),
                    plain[from]);
            }
        }
    }
    return bytes;
}

std::vector<std::uint8_t> pack_bias(const Config& config, std::span<const std::int32_t> plain) {
    const auto b = static_cast<std::size_t>(config.batch());
    const auto c = static_cast<std::size_t>(config.block());
    const std::size_t tiles = (plain.size() + c - 1) / c;
    std::vector<std::uint8_t> bytes(tiles * b * c * 4);
    for (std::size_t i = 0; i < plain.size(); ++i) {
        for (std::size_t row = 0; row < b; ++row) put(bytes, (i / c * b + row) * c + i % c, 32, plain[i]);
    }
    return bytes;
}

} // namespace orrery::vta
