#pragma once
// The life of one value: the model node it came from, what each pass did to it, what became of it.

#include "core/session/snapshot.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace orrery::session {

enum class Fate : std::uint8_t {
    Imported,   ///< stands in the model as its file gives it
    Introduced, ///< made by this pass
    Rewritten,  ///< another expression stands for it
    Rewired,    ///< reads other values
    Merged,     ///< an equal value stands for it
    Folded,     ///< computed once, at compile time
    Fused,      ///< part of a kernel
    Removed,    ///< nobody needs it any more
};
[[nodiscard]] const char* to_string(Fate fate);

/// What one step did to the value. Steps that left it alone have no event.
struct HistoryEvent {
    std::size_t step = 0; ///< index into Snapshot::steps
    Fate fate = Fate::Imported;
    std::vector<std::string> before, after; ///< the bindings concerned, as text: "y: f32[4] = relu(x)"
    std::string rule;                       ///< of the pass's record; empty when there is none
    std::string file;                       ///< where that rule is in this program's source, from the repository's root
    unsigned line = 0;
};

/// A kernel that computes the value in the end.
struct HistoryKernel {
    std::string function;              ///< of the tensor program
    std::vector<int> lines;            ///< of the scheduled program that come from the value, from 1
    std::vector<std::string> texts;    ///< those lines
    std::vector<std::string> schedule; ///< steps of its trace
};

struct ValueHistory {
    std::string name;     ///< of the value where it was asked for
    std::string text;     ///< its binding there
    std::size_t step = 0; ///< where it was asked for
    OriginSet origin;
    std::vector<graph::Source> sources; ///< the model's nodes it came from
    std::vector<HistoryEvent> events;   ///< in order of steps
    std::vector<HistoryKernel> kernels;
    bool in_place = false; ///< no kernel makes it: it consists of what others write, or read (lower::LoweredJoin)
    std::size_t steps = 0; ///< steps there are; those without an event left it alone
};

/// The binding of main that a view names: parameters and bindings in order, tuples and projections left out, the k-th
/// repetition of a name as "name#k". Null when there is none.
[[nodiscard]] graph::Var find_value(const graph::Module& module, std::string_view name);
/// The binding that fits a set of origins best: most of them, then fewest others; constants last. Null: none shares
/// one.
[[nodiscard]] graph::Var find_value(const graph::Module& module, const OriginSet& origins);

/// Pre: `value` is a parameter or binding of main after step `step`. Follows the passes' records of rewrites; where a
/// pass recorded nothing, the match of its input and output. Cost: linear in the modules of the steps that changed
/// something. Errors: Cancelled.
[[nodiscard]] Result<ValueHistory> history_of(const Snapshot& snapshot, std::size_t step, const graph::Var& value,
                                              const Progress& progress = {});

} // namespace orrery::session
