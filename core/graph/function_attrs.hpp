#pragma once
// Attributes of functions that several folders read.

namespace orrery::graph {

/// Of main, written by PlanMemory and read by lowering. Kind: integers, one for each tensor that a call in main makes,
/// in order of the bindings: its offset in the arena, in bytes, a multiple of kArenaAlignment; -1 for an output or a
/// part of one.
inline constexpr const char* kMemoryAttr = "memory";

} // namespace orrery::graph
