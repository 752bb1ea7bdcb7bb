#pragma once
// Traces with open numbers are search spaces: opening and closing numbers, counting, enumerating and drawing decisions.

#include "core/schedule/trace.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace orrery::schedule {

/// A number in a trace: item `item` of operand `arg` of step `step`; item -1 for an operand that is no list.
struct TracePlace {
    std::size_t step = 0, arg = 0;
    std::ptrdiff_t item = -1;
    friend bool operator==(const TracePlace&, const TracePlace&) = default;
};
/// Every number that could be opened, in the order of the text; those open already are left out.
[[nodiscard]] std::vector<TracePlace> closed_numbers(const Trace& trace);

/// A knob of a trace and where it stands.
struct KnobUse {
    Knob knob;
    std::vector<TracePlace> places; ///< more than one when numbers share it
};
/// One entry a name, in the order of the text.
[[nodiscard]] std::vector<KnobUse> knobs_of(const Trace& trace);

/// Opens a number; its value stays the decision and joins the candidates when it is not among them. A knob of that name
/// that is there already must have the same candidates. Errors: BadArgument.
[[nodiscard]] Result<Trace> promote(Trace trace, const TracePlace& place, const std::string& name,
                                    std::vector<std::int64_t> candidates);
/// Closes a knob with its present decision, everywhere. Errors: UnknownName; BadArgument when it is undecided.
[[nodiscard]] Result<Trace> fix(Trace trace, const std::string& name);
/// Closes all. Errors: as above.
[[nodiscard]] Result<Trace> fix_all(Trace trace);
/// Decides a Choice; it stays open. Errors: UnknownName, BadArgument for what is no candidate.
[[nodiscard]] Result<Trace> decide(Trace trace, const std::string& name, std::int64_t value);

/// How many decisions the Choice knobs allow; at most 2^62.
[[nodiscard]] std::uint64_t space_size(const Trace& trace);
/// Decision number `index`, the last knob fastest. Pre: index < space_size(trace).
[[nodiscard]] Trace nth(Trace trace, std::uint64_t index);

/// Ways to write `extent` as a product of `parts` factors, the last at most `max_innermost`, in lexicographic order.
[[nodiscard]] std::vector<std::vector<std::int64_t>> perfect_tiles(std::int64_t extent, std::int64_t parts,
                                                                   std::int64_t max_innermost);
/// Loops "block.loop" at which the block can be computed, outermost first.
[[nodiscard]] std::vector<std::string> compute_locations(const tensor::Program& program, const std::string& block);

/// Decides every knob by drawing from the seed, replaying as it goes: what a tile or a location can be depends on the
/// steps before. A draw that a later step refuses is the caller's to draw again. The same seed draws the same trace.
/// Errors: that of the step that could not be applied.
[[nodiscard]] Result<Trace> sample(const tensor::Program& program, Trace trace, std::uint64_t seed);

} // namespace orrery::schedule
