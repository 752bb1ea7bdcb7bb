#pragma once
// Programs written as text in tests.

#include "core/tensor/text.hpp"

#include <catch2/catch.hpp>

/// Fails the test with the parser's word on a text that is not a program.
inline orrery::tensor::Program parsed(const std::string& text) {
    const orrery::Result<orrery::tensor::Program> program = orrery::tensor::parse_program(text);
    if (!program) FAIL(to_string(program.error()) << "\n" << text);
    return *program;
}
