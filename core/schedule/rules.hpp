#pragma once
// Default schedules: rules over block structure that write a trace for a target.

#include "core/schedule/trace.hpp"
#include "core/target/target.hpp"
#include "core/tensor/node.hpp"

namespace orrery::schedule {

/// A trace that inlines, tiles, vectorizes and parallelizes the program for the target. Every step of it applies.
/// Deterministic: depends on the program's structure and the target only.
[[nodiscard]] Trace default_trace(const tensor::Program& program, const Target& target);
/// The same with the program after each step, which the rules made on their way.
struct Scheduled {
    Trace trace;
    Replay replay;
};
[[nodiscard]] Scheduled default_schedule(const tensor::Program& program, const Target& target);

} // namespace orrery::schedule
