#pragma once

#include "vta-sim/assembler.hpp"

#include <catch2/catch.hpp>

#include <string>

namespace orrery::vta::testing {

/// A program of a preset with 64 KB of DRAM from assembly text.
inline Program program_of(const std::string& preset, const std::string& text) {
    Result<Program> program = assemble(".config {\"PRESET\": \"" + preset + "\"}\n.dram 65536\n" + text);
    if (!program) FAIL(program.error().where << ": " << program.error().message);
    return *program;
}

inline std::string repeated(const std::string& line, int times) {
    std::string text;
    for (int i = 0; i < times; ++i) text += line + "\n";
    return text;
}

} // namespace orrery::vta::testing
