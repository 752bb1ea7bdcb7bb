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
    Replay replay;    ///< as it stands
};

/// Opens the factors of a trace's splits: sizes that divide the loop, for vectors also whole registers; what is
/// unrolled stays small. A number that allows only itself stays closed. Pre: the trace applies to the program.
/// Example: split(relu.w, [-1, 7]) -> split(relu.w, [-1, knob(relu_w, [7, 1, 2, 4, 8, 14, 28])])
[[nodiscard]] Trace open_trace(const tensor::Program& program, const Trace& trace, const Target& target);

/// A trace applied where loops may be missing: of one iteration, they are dropped when a block is computed elsewhere.
struct Applied {
    Trace trace; ///< without what concerned those loops; it applies as it stands
    tensor::Program program;
};
/// Steps from `first` on; the program is that after the steps before. Unrolling and vectorizing of loops that are not
/// there is left out, as is a prefetch that is refused, and an order does without them. Errors: that of the first step
/// that cannot be applied.
[[nodiscard]] Result<Applied> apply_decided(const tensor::Program& program, const Trace& trace, std::size_t first = 0);

/// The trace opened, and opened alternatives of its structure, each checked by applying it: rows of dimensions that
/// were not split, reductions split or in another order, unrolled or not, tiles walked in another order, other loops
/// made parallel, caches added or left out. The first is the trace itself. At most `most`, the same for the same
/// trace; none when it does not apply to the program. Cost: some milliseconds each, on all cores.
[[nodiscard]] std::vector<Space> spaces_of(const tensor::Program& program, const Trace& trace, const Target& target,
                                           std::size_t most = 32);

} // namespace orrery::schedule
