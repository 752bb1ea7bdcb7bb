#pragma once
// Search spaces: a trace with its numbers opened, and what else the program could be turned into.

#include "core/schedule/knobs.hpp"
#include "core/target/target.hpp"

#include <string>
#include <vector>

namespace orrery::schedule {

/// An open trace that applies as it stands: its decisions are those of the trace it was made from.
struct Space {
    std::string name; ///< what sets it apart: "as scheduled", "split ic", "parallel over 2 loops"
    Trace trace;      ///< numbers open; knobs of one name mean the same in all spaces of a program
};

/// Opens the factors of a trace's splits: sizes that divide the loop, for vectors also whole registers; what is
/// unrolled stays small. A number that allows only itself stays closed. Pre: the trace applies to the program.
/// Example: split(relu.w, [-1, 7]) -> split(relu.w, [-1, knob(relu_w, [7, 1, 2, 4, 8, 14, 28])])
[[nodiscard]] Trace open_trace(const tensor::Program& program, const Trace& trace, const Target& target);

/// The trace opened, and opened alternatives of its structure, each checked by applying it: rows of dimensions that
/// were not split, reductions split or in another order, unrolled or not, tiles walked in another order, other loops
/// made parallel, caches added or left out. The first is the trace itself. At most `most`, the same for the same
/// trace. Pre: the trace applies to the program.
[[nodiscard]] std::vector<Space> spaces_of(const tensor::Program& program, const Trace& trace, const Target& target,
                                           std::size_t most = 32);

} // namespace orrery::schedule
