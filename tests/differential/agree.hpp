#pragma once
// Whether a compiled program gives what the interpreter gives for the untouched one.

#include "tests/differential/program.hpp"

#include <string>

namespace orrery::differential {

/// What came of one case.
struct Outcome {
    std::string failure;      ///< empty when all agrees
    bool compiled = false;    ///< as one plan; false: as a program of branches, loops and calls
    int outputs = 0;          ///< compared
    int unstable_outputs = 0; ///< not compared: roundings alone change them beyond recognition
};

/// Makes the region backends of this build known, so that passes may partition for them. Thread: any.
void add_backends();

/// Passes, compilation, run, comparison.
[[nodiscard]] Outcome run_case(const Case& drawn);

} // namespace orrery::differential
