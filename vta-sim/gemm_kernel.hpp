#pragma once

#include "vta-sim/isa.hpp"

#include <cstdint>
#include <span>

namespace orrery::vta {

/// The memories a GEMM instruction works on, in the layouts of Machine.
struct GemmOperands {
    std::int32_t* acc;
    const std::int16_t* inp;
    const std::int16_t* wgt;
    std::span<const Uop> uops;
    int batch;
    int block;
};

/// Runs all steps of a GEMM instruction without reset. Pre: every index lies in its memory. Uses AVX2 where the
/// processor has it and the block has 8 lanes or more; the result is the same on every path.
void run_gemm(const Instruction& instruction, const GemmOperands& operands);

/// The same by plain loops, for comparison.
void run_gemm_portable(const Instruction& instruction, const GemmOperands& operands);

} // namespace orrery::vta
