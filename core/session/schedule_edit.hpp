#pragma once
// A function's schedule changed by hand: pure functions on a recipe. The first edit starts from the default trace.

#include "core/schedule/knobs.hpp"
#include "core/session/recipe.hpp"
#include "core/session/stages.hpp"
#include "core/session/trace_edit.hpp"

#include <string>
#include <vector>

namespace orrery::session {

class Compiler;

/// What Undo calls it: "split(conv.oc, [-1, 8])", "remove vectorize(conv.ow)".
[[nodiscard]] std::string describe(const TraceEdit& edit, const schedule::Trace& trace);

/// Candidates for a knob that was the number `value`: it, its halves and doubles; 0 and 1 for what is no size.
[[nodiscard]] std::vector<std::int64_t> likely_candidates(std::int64_t value);

/// The trace in force: the recipe's own, or what its rule gives.
[[nodiscard]] schedule::Trace present_trace(const Recipe& recipe, const lower::LoweredFunction& function);

/// Carries an edit out on the recipe. A step that is put in must be legal where it stands; what it breaks further on is
/// found when the trace is replayed. Errors: those of the primitive and of the text; BadArgument for a step that is not
/// there; UnknownName for a knob or branch. The recipe is then as it was.
[[nodiscard]] Result<void> apply(const TraceEdit& edit, const ScheduledFunction& function, Recipe& recipe);

/// A trace applied as far as it goes.
struct PartialReplay {
    schedule::Replay replay;
    std::optional<Diagnostic> error; ///< of the first step that cannot be applied, with its number
};
/// Programs after the steps that `known`'s trace begins with too are taken over from it; it may be null.
[[nodiscard]] PartialReplay replay_as_far(const tensor::Program& program, const schedule::Trace& trace,
                                          const ScheduledFunction* known = nullptr);

/// The shown trace's branches of a function, by name. Null when it has none.
[[nodiscard]] const std::map<std::string, schedule::Trace>* branches_of(const Recipe& recipe,
                                                                        const lower::LoweredFunction& function);

/// Turns "FUNCTION=..." of command lines into "WORKLOAD=...": the functions are those the recipe gives. What names a
/// workload stays. Errors: UnknownName, listing the functions; those of the stages before.
[[nodiscard]] Result<void> name_workloads(std::vector<std::string>& schedules, const Recipe& recipe,
                                          Compiler& compiler);
/// Errors: that of the first step, in the order of functions, which a trace of the recipe has and its function refuses.
/// Those of the stages before are left to who goes through them.
[[nodiscard]] Result<void> check_schedules(const Recipe& recipe, Compiler& compiler);

} // namespace orrery::session
