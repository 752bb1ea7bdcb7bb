#pragma once
// What a process asks of the system before kernels use registers that hold tiles (AMX of x86).

namespace orrery::runtime {

/// Asks for those registers, which a process gets on request only; all its threads have them then. Nothing happens
/// where there are none. Whoever loads code that may use them, or runs it, calls this first. Thread: any.
void request_tile_registers();

} // namespace orrery::runtime
