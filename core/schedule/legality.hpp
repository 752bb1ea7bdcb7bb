#pragma once
// What can be done here: every primitive at a block or loop, with operands that work or the reason why none does.

#include "core/schedule/trace.hpp"

#include <string>
#include <vector>

namespace orrery::schedule {

/// One line of a menu.
struct Legality {
    const PrimitiveInfo* primitive = nullptr;
    std::vector<TraceStep> steps; ///< ready to apply, the likeliest first; empty when it is refused
    Diagnostic refusal;           ///< of the likeliest operands; means nothing when there are steps
    [[nodiscard]] bool legal() const { return !steps.empty(); }
};

/// Every primitive that concerns `place`, "block" or "block.loop", in the order of primitives(). Each step in the
/// answer was applied, so that it is legal. Errors: UnknownName. Cost: some tens of applications of a primitive; a few
/// milliseconds for a convolution.
[[nodiscard]] Result<std::vector<Legality>> legal_primitives(const tensor::Program& program, const std::string& place);

/// Whether loops that are parallel or vectors may be: no two iterations of one meet at an element one of them writes.
/// For programs that no steps made. Errors: IllegalSchedule with the loop as its place; LimitExceeded when a loop holds
/// too much to be compared.
[[nodiscard]] Result<void> check_loop_kinds(const tensor::Program& program);

} // namespace orrery::schedule
