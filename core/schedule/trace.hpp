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

/// A number, a name (block, loop, buffer, scope) or a text, or a list of either.
using Arg = std::variant<std::int64_t, std::string, std::vector<std::int64_t>, std::vector<std::string>>;

/// What an operand that is left open may be. Knobs of one name share their value.
struct Knob {
    enum class Kind : std::uint8_t {
        Choice,          ///< one of `candidates`, evenly or by `weights`: knob(t0, [4, 8]), sample_categorical(...)
        PerfectTile,     ///< factors whose product is the loop's extent: sample_perfect_tile(t0, 3, 16)
        ComputeLocation, ///< a loop at which a block can be computed: sample_compute_location(t0)
    };
    Kind kind = Kind::Choice;
    std::string name;
    std::vector<std::int64_t> candidates = {};
    std::vector<std::int64_t> weights = {}; ///< empty for even
    std::int64_t parts = 0, max_innermost = 0;
    friend bool operator==(const Knob&, const Knob&) = default;
};

/// Which operand of a step is open; its value there is the present decision.
struct OpenArg {
    std::size_t arg = 0;
    std::ptrdiff_t item = -1; ///< of a list; -1 for the whole operand
    Knob knob;
    friend bool operator==(const OpenArg&, const OpenArg&) = default;
};

/// One primitive with its operands. Loops are named "block.loop": the loop of that variable name around that block.
struct TraceStep {
    std::string primitive; ///< "split"
    std::vector<Arg> args;
    std::vector<OpenArg> open = {};
    friend bool operator==(const TraceStep&, const TraceStep&) = default;
};

/// A schedule. Empty means the loop nests as lowered.
struct Trace {
    std::vector<TraceStep> steps;
    friend bool operator==(const Trace&, const Trace&) = default;
    [[nodiscard]] Hash hash() const;
};

/// "split(conv.oc, [8, 8])", one step a line; parse_trace(to_string(t)) equals t. An open number prints as
/// "knob(t0, [4, 8, 16])", with its decision when that is not the first: "knob(t0, [4, 8, 16], 8)".
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

/// Applies one step; open operands have their present decision. Errors: IllegalSchedule naming the primitive, the
/// block or loop, the reason and a remedy; UnknownName for a block, loop or primitive that is not there; BadArgument.
[[nodiscard]] Result<Rewritten> apply_step(const tensor::Program& program, const TraceStep& step);

/// The program after each step of a trace; `programs[0]` is the original.
struct Replay {
    std::vector<tensor::Program> programs;
    [[nodiscard]] const tensor::Program& result() const { return programs.back(); }
};
/// Errors: that of the first step that cannot be applied, with its number.
[[nodiscard]] Result<Replay> replay(const tensor::Program& program, const Trace& trace);

/// What an operand of a primitive is, for menus and dialogs.
enum class ArgKind : std::uint8_t {
    Loop,    ///< "block.loop"
    Loops,   ///< a list of them
    Block,   ///< a block's name
    Buffer,  ///< the name of a buffer the block uses
    Scope,   ///< global, stack or registers
    Integer, ///< a number
    Factors, ///< a list of numbers, one of which may be -1
    Numbers, ///< a list of numbers
    Text,    ///< free text, quoted where it is no plain word
    Choice,  ///< one of ArgInfo::choices
};
struct ArgInfo {
    std::string name;
    ArgKind kind = ArgKind::Loop;
    std::vector<std::string> choices = {};
    bool optional = false;
};

/// What is known of a primitive, for menus and documentation.
struct PrimitiveInfo {
    std::string name;
    std::string signature; ///< "split(loop, factors)"
    std::string doc;       ///< meaning, preconditions, before -> after, as one text
    std::string summary, preconditions, before, after;
    std::vector<ArgInfo> args;
    bool sampling = false; ///< stands as an operand of another step, see Knob
};
/// In alphabetical order.
[[nodiscard]] std::span<const PrimitiveInfo> primitives();
/// Null when there is none of that name.
[[nodiscard]] const PrimitiveInfo* find_primitive(std::string_view name);

} // namespace orrery::schedule
