#pragma once
// Schedules as lists of plain steps: printed, parsed, replayed, stored in recipes.

#include "core/base/hash.hpp"
#include "core/base/result.hpp"
#include "core/tensor/node.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace orrery::schedule {

/// A number, a name (block, loop, buffer, scope) or a list of either.
using Arg = std::variant<std::int64_t, std::string, std::vector<std::int64_t>, std::vector<std::string>>;

/// One primitive with its operands. Loops are named "block.loop": the loop of that variable name around that block.
struct TraceStep {
    std::string primitive; ///< "split"
    std::vector<Arg> args;
    friend bool operator==(const TraceStep&, const TraceStep&) = default;
};

/// A schedule. Empty means the loop nests as lowered.
struct Trace {
    std::vector<TraceStep> steps;
    friend bool operator==(const Trace&, const Trace&) = default;
    [[nodiscard]] Hash hash() const;
};

/// "split(conv.oc, [8, 8])", one step a line; parse_trace(to_string(t)) equals t.
[[nodiscard]] std::string to_string(const TraceStep& step);
[[nodiscard]] std::string to_string(const Trace& trace);
/// Errors: BadText with the line.
[[nodiscard]] Result<Trace> parse_trace(std::string_view text);

/// What became of a loop that a primitive replaced.
struct Forward {
    tensor::VarRef before;
    std::vector<tensor::VarRef> after; ///< empty when it is gone
    std::string because;               ///< "split", "fused with kw"
};

/// A primitive's answer: loops not mentioned keep their variable, blocks their name.
struct Rewritten {
    tensor::Program program;
    std::vector<Forward> forward;
};

/// Applies one step. Errors: IllegalSchedule naming the primitive, the block or loop, the reason and a remedy;
/// UnknownName for a block, loop or primitive that is not there; BadArgument.
[[nodiscard]] Result<Rewritten> apply_step(const tensor::Program& program, const TraceStep& step);

/// The program after each step of a trace; `programs[0]` is the original.
struct Replay {
    std::vector<tensor::Program> programs;
    [[nodiscard]] const tensor::Program& result() const { return programs.back(); }
};
/// Errors: that of the first step that cannot be applied, with its number.
[[nodiscard]] Result<Replay> replay(const tensor::Program& program, const Trace& trace);

/// What is known of a primitive, for menus and documentation.
struct PrimitiveInfo {
    std::string name;
    std::string signature; ///< "split(loop, factors)"
    std::string doc;       ///< meaning, preconditions, before -> after
};
[[nodiscard]] std::span<const PrimitiveInfo> primitives();

} // namespace orrery::schedule
