#pragma once
// What an edit leaves alone, so that only the rest is computed again.

#include "core/session/recipe.hpp"

namespace orrery::session {

/// What two recipes have in common.
struct Common {
    bool graph = false;             ///< they differ only below the graph, so that its steps are the same
    bool all_but_schedules = false; ///< they differ only in schedules of some functions: a matter of milliseconds
};
[[nodiscard]] inline Common common(const Recipe& a, const Recipe& b) {
    // Both are taken apart, so that a member that is added has to be thought of here; nothing is copied.
    const auto& [model, builtin, seed, scratch, model_hash, shapes, target, passes, rule, schedules, branches, build,
                 threads] = a;
    Common out;
    out.graph = model == b.model && builtin == b.builtin && seed == b.seed && scratch == b.scratch &&
                model_hash == b.model_hash && shapes == b.shapes && target == b.target && passes == b.passes;
    out.all_but_schedules = out.graph && rule == b.rule && build == b.build && threads == b.threads;
    (void)schedules, (void)branches;
    return out;
}

} // namespace orrery::session
