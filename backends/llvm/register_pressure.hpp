#pragma once
// Which unrolled loops would keep more values alive than the machine has registers.

#include "core/tensor/node.hpp"

namespace orrery::codegen {

/// An unrolled reduction loop around a register tile loads, in each of its copies, much of what the copies before it
/// loaded (a convolution's row, shifted by one). LLVM would load it once and keep it, next to accumulators that
/// already fill the registers, and spill. The answer is how many different addresses such a loop's copies should use
/// for one read-only buffer, so that each copy loads for itself: 1 where no loop of `body` is like that.
/// `lanes` and `registers`: of f32 vectors.
[[nodiscard]] int address_twins(const tensor::Stmt& body, int lanes, int registers);

/// Whether `loop` is one of them.
[[nodiscard]] bool overflows_registers(const tensor::For& loop, int lanes, int registers);

} // namespace orrery::codegen
