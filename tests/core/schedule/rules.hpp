#pragma once
// What tests of default schedules share: machines, and a trace that was checked.

#include "core/schedule/rules.hpp"
#include "tests/core/schedule/programs.hpp"

#include <catch2/catch.hpp>

#include <string>

namespace orrery::schedule::test {

inline Target machine_of(int vector_bits, int registers) {
    Target target;
    target.vector_bits = vector_bits;
    target.vector_registers = registers;
    target.cores = 2;
    target.l1_bytes = 32 << 10;
    return target;
}

/// The default trace, which must keep the numbers.
inline std::string checked_trace(const tensor::Program& program, const Target& target) {
    const Trace trace = default_trace(program, target);
    INFO(to_string(trace));
    const Result<Replay> done = replay(program, trace);
    if (!done) FAIL(to_string(done.error()));
    const Result<void> sound = tensor::verify(done->result());
    if (!sound) FAIL(to_string(sound.error()));
    CHECK(difference(program, done->result()) < 1e-5);
    return to_string(trace);
}

inline bool has(const std::string& trace, const std::string& step) { return trace.find(step) != std::string::npos; }

} // namespace orrery::schedule::test
