#include "vta-sim/gemm_kernel.hpp"

#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#define ORRERY_VTA_AVX2 1
#include <immintrin.h>
#endif

namespace orrery::vta {
namespace {

/// Offsets of the three tiles of one loop turn.
struct TurnOffsets {
    std::size_t dst;
    std::size_t src;
    std::size_t wgt;
};

TurnOffsets turn(const Instruction& in, std::size_t y, std::size_t x) {
    return {y * in.dst_out + x * in.dst_in, y * in.src_out + x * in.src_in, y * in.wgt_out + x * in.wgt_in};
}

#ifdef ORRERY_VTA_AVX2

// One step: for each pair of input lanes, broadcast the pair and multiply it with the pair of every output lane.
// Weights are interleaved [pair][out lane][2], so one 256-bit load holds the pairs of 8 output lanes.
template <int kBlock> __attribute__((target("avx2"))) void run_avx2(const Instruction& in, const GemmOperands& op) {
    constexpr int kVectors = kBlock / 8;
    constexpr int kPairs = kBlock / 2;
    const std::size_t row_lanes = kBlock;
    const std::size_t tile_lanes = row_lanes * static_cast<std::size_t>(op.batch);
    for (std::size_t y = 0; y < in.iter_out; ++y) {
        for (std::size_t x = 0; x < in.iter_in; ++x) {
            const TurnOffsets at = turn(in, y, x);
            for (std::size_t k = in.uop_begin; k < in.uop_end; ++k) {
                const Uop uop = op.uops[k];
                const std::int16_t* weights = op.wgt + (uop.wgt + at.wgt) * kBlock * kBlock;
                for (int b = 0; b < op.batch; ++b) {
                    std::int32_t* acc =
                        op.acc + (uop.dst + at.dst) * tile_lanes + static_cast<std::size_t>(b) * row_lanes;
                    const std::int16_t* inp =
                        op.inp + (uop.src + at.src) * tile_lanes + static_cast<std::size_t>(b) * row_lanes;
                    __m256i sum[kVectors];
                    for (int v = 0; v < kVectors; ++v)
                        sum[v] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(acc + 8 * v));
#pragma GCC unroll 8
                    for (int p = 0; p < kPairs; ++p) {
                        std::int32_t pair;
                        std::memcpy(&pair, inp + 2 * p, sizeof pair);
                        const __m256i wide = _mm256_set1_epi32(pair);
                        const std::int16_t* row = weights + 2 * kBlock * p;
#pragma GCC unroll 8
                        for (int v = 0; v < kVectors; ++v) {
                            const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + 16 * v));
                            sum[v] = _mm256_add_epi32(sum[v], _mm256_madd_epi16(wide, w));
                        }
                    }
                    for (int v = 0; v < kVectors; ++v)
                        _mm256_storeu_si256(reinterpret_cast<__m256i*>(acc + 8 * v), sum[v]);
                }
            }
        }
    }
}

bool has_avx2() {
    static const bool answer = __builtin_cpu_supports("avx2") != 0;
    return answer;
}

#endif

} // namespace

void run_gemm_portable(const Instruction& in, const GemmOperands& op) {
    const auto block = static_cast<std::size_t>(op.block);
    const std::size_t tile_lanes = block * static_cast<std::size_t>(op.batch);
    for (std::size_t y = 0; y < in.iter_out; ++y) {
        for (std::size_t x = 0; x < in.iter_in; ++x) {
            const TurnOffsets at = turn(in, y, x);
            for (std::size_t k = in.uop_begin; k < in.uop_end; ++k) {
                const Uop uop = op.uops[k];
                std::int32_t* acc = op.acc + (uop.dst + at.dst) * tile_lanes;
                const std::int16_t* inp = op.inp + (uop.src + at.src) * tile_lanes;
                const std::int16_t* wgt = op.wgt + (uop.wgt + at.wgt) * block * block;
                for (std::size_t lane = 0; lane < tile_lanes; ++lane) {
                    const std::size_t o = lane % block;
                    const std::int16_t* row = inp + lane - o;
                    auto sum = static_cast<std::uint32_t>(acc[lane]);
                    for (std::size_t c = 0; c < block; ++c) {
                        const std::int32_t product = std::int32_t{row[c]} * wgt[(c / 2 * block + o) * 2 + c % 2];
                        sum += static_cast<std::uint32_t>(product);
                    }
                    acc[lane] = static_cast<std::int32_t>(sum);
                }
            }
        }
    }
}

void run_gemm(const Instruction& in, const GemmOperands& op) {
#ifdef ORRERY_VTA_AVX2
    if (has_avx2()) {
        switch (op.block) {
        case 8: run_avx2<8>(in, op); return;
        case 16: run_avx2<16>(in, op); return;
        case 32: run_avx2<32>(in, op); return;
        case 64: run_avx2<64>(in, op); return;
        default: break;
        }
    }
#endif
    run_gemm_portable(in, op);
}

} // namespace orrery::vta
