#pragma once
// What the processor's model says of a whole kernel: the loops of its assembly, weighted with how often each runs.

#include "core/session/stages.hpp"

#include <cstddef>
#include <vector>

namespace orrery::session {

/// An innermost loop of the assembly.
struct PredictedLoop {
    std::size_t loop = 0;                  ///< index into CodeCost::loops
    int tensor_first = 0, tensor_last = 0; ///< lines of the printed tensor program it holds, from 1; 0 for none
    double iterations = 0; ///< in one run of the kernel, from the extents of the loops around those lines
    double cycles = 0;     ///< of all of them, on one core
    double share = 0;      ///< of the kernel's predicted cycles
};

/// Code outside innermost loops is left out; data is taken to be in the nearest cache. So it is what the loops cost at
/// best, and says which of them matters.
struct Prediction {
    std::vector<PredictedLoop> loops; ///< in order of lines; those the model could simulate
    double cycles = 0;
    std::ptrdiff_t hot = -1; ///< index into `loops` of the one that costs most; -1 when there is none
};
[[nodiscard]] Prediction predict(const ScheduledFunction& function, const FunctionCode& code);

} // namespace orrery::session
