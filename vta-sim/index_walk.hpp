#pragma once

#include "vta-sim/isa.hpp"

#include <cstdint>
#include <span>

namespace orrery::vta {

/// One of the three index streams of a GEMM or ALU instruction: base field of the micro-ops and two loop factors.
struct IndexStream {
    std::uint16_t Uop::*base;
    std::uint32_t factor_out;
    std::uint32_t factor_in;
};

[[nodiscard]] inline IndexStream dst_stream(const Instruction& in) { return {&Uop::dst, in.dst_out, in.dst_in}; }
[[nodiscard]] inline IndexStream src_stream(const Instruction& in) { return {&Uop::src, in.src_out, in.src_in}; }
[[nodiscard]] inline IndexStream wgt_stream(const Instruction& in) { return {&Uop::wgt, in.wgt_out, in.wgt_in}; }

/// Calls `visit(index)` for every index a stream produces, each at least once; a loop that does not move the index is
/// walked once, and equal neighbours among the micro-ops are visited once. Stops when `visit` returns false.
/// Pre: step_count(in) > 0 and the micro-op range lies within `uops`.
template <class Visit>
void walk_indices(const Instruction& in, std::span<const Uop> uops, const IndexStream& stream, Visit&& visit) {
    const std::uint32_t turns_out = stream.factor_out == 0 ? 1 : in.iter_out;
    const std::uint32_t turns_in = stream.factor_in == 0 ? 1 : in.iter_in;
    for (std::uint32_t y = 0; y < turns_out; ++y) {
        for (std::uint32_t x = 0; x < turns_in; ++x) {
            const std::uint32_t offset = y * stream.factor_out + x * stream.factor_in;
            std::uint32_t previous = 0xffffffffU;
            for (std::uint32_t k = in.uop_begin; k < in.uop_end; ++k) {
                const std::uint32_t base = uops[k].*stream.base;
                if (base == previous) continue;
                previous = base;
                if (!visit(base + offset)) return;
            }
        }
    }
}

/// The largest index a stream produces. Pre: as walk_indices. Cost: one pass over the micro-ops.
[[nodiscard]] inline std::uint64_t largest_index(const Instruction& in, std::span<const Uop> uops,
                                                 const IndexStream& stream) {
    std::uint32_t base = 0;
    for (std::uint32_t k = in.uop_begin; k < in.uop_end; ++k) {
        if (uops[k].*stream.base > base) base = uops[k].*stream.base;
    }
    return base + std::uint64_t{stream.factor_out} * (in.iter_out - 1U) +
           std::uint64_t{stream.factor_in} * (in.iter_in - 1U);
}

} // namespace orrery::vta
