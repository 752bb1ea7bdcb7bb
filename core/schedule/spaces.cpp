// How a trace becomes spaces:
// 1. Alternatives: each kind of change (space_changes.hpp) is made to the trace wherever it fits, then changes of later
//    kinds to what came of that. Only what still applies is kept; it is the primitives that say what is legal.
// 2. Open: the factors of every split become knobs.

#include "core/schedule/spaces.hpp"

#include "core/schedule/locate.hpp"
#include "core/schedule/prefetch_rules.hpp"
#include "core/schedule/space_changes.hpp"
#include "core/tensor/build.hpp"

#include <algorithm>
#include <set>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

constexpr std::int64_t kMostCopies = 16;    ///< of an unrolled body: our choice, registers end there
constexpr std::size_t kMostCandidates = 12; ///< of a knob: our choice; a tuning tries some hundred points in all
constexpr std::int64_t kMostVectors = 8;    ///< registers side by side: our choice

/// What becomes of a loop that a split makes.
enum class Part : std::uint8_t { Plain, Unrolled, Vectors };

Part part_of(const Trace& trace, std::size_t split, const std::string& loop) {
    for (std::size_t i = split + 1; i < trace.steps.size(); ++i) {
        const TraceStep& step = trace.steps[i];
        const auto* name = step.args.empty() ? nullptr : std::get_if<std::string>(&step.args.front());
        if (!name || *name != loop) continue;
        if (step.primitive == "vectorize") return Part::Vectors;
        if (step.primitive == "unroll") return Part::Unrolled;
    }
    return Part::Plain;
}

/// Evenly thinned to as many as a knob may have, the ends and `keep` among them.
std::vector<std::int64_t> thinned(const std::set<std::int64_t>& all, std::int64_t keep) {
    const std::vector<std::int64_t> list(all.begin(), all.end());
    if (list.size() <= kMostCandidates) return list;
    std::set<std::int64_t> out{keep};
    for (std::size_t i = 0; i < kMostCandidates - 1; ++i)
        out.insert(list[i * (list.size() - 1) / (kMostCandidates - 2)]);
    return {out.begin(), out.end()};
}

std::vector<std::int64_t> candidates_for(std::int64_t extent, std::int64_t present, Part part, std::int64_t width) {
    std::set<std::int64_t> out{present};
    for (std::int64_t size = 1; size <= extent; ++size) {
        const bool divides = extent % size == 0;
        if (part == Part::Vectors) {
            const bool whole = size % width == 0 && (size / width & (size / width - 1)) == 0;
            if ((divides && size > 1 && size >= width / 2) || whole) out.insert(size);
            if (size >= kMostVectors * width) break;
        } else if (divides) {
            out.insert(size);
        }
        if (part == Part::Unrolled && size >= kMostCopies) break;
        if (size > 4096) break; // our choice: larger pieces are no pieces
    }
    return thinned(out, present);
}

std::string knob_name(const std::string& loop, std::size_t item, std::size_t items) {
    std::string name;
    for (const char c : loop) name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
    if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) != 0) name.insert(0, "k");
    return items > 2 ? name + "_" + std::to_string(item) : name;
}

/// Lanes of a register, by what the block writes.
std::int64_t width_for(const BlockPlace& place, const Target& target) {
    const std::vector<Buffer> written = buffers_written(place.block->fields.body);
    return target.lanes(written.empty() ? 4 : byte_size(written.front()->dtype));
}

} // namespace

Trace open_trace(const Program& program, const Trace& trace, const Target& target) {
    Trace out = trace;
    Program now = program;
    for (std::size_t i = 0; i < trace.steps.size(); ++i) {
        const TraceStep& step = trace.steps[i];
        const auto* name = step.args.empty() ? nullptr : std::get_if<std::string>(&step.args.front());
        const auto* factors = step.args.size() < 2 ? nullptr : std::get_if<std::vector<std::int64_t>>(&step.args[1]);
        const Result<LoopPlace> place =
            step.primitive == "split" && name && factors ? find_loop(now, *name) : Result<LoopPlace>(Diagnostic{});
        const std::optional<std::int64_t> extent = place ? as_int(place->loop().extent) : std::nullopt;
        for (std::size_t f = 0; extent && f < factors->size(); ++f) {
            const std::int64_t present = (*factors)[f];
            if (present < 1) continue;
            const std::string part = *name + (factors->size() == 2 ? (f == 0 ? "_o" : "_i") : "_" + std::to_string(f));
            std::vector<std::int64_t> sizes =
                candidates_for(*extent, present, part_of(trace, i, part), width_for(place->block, target));
            if (sizes.size() < 2) continue;
            Result<Trace> opened = promote(out, {i, 1, static_cast<std::ptrdiff_t>(f)},
                                           knob_name(*name, f, factors->size()), std::move(sizes));
            if (opened) out = *std::move(opened);
        }
        Result<Rewritten> next = apply_step(now, step);
        if (!next) return out;
        now = std::move(next->program);
    }
    return out;
}

Result<Applied> apply_decided(const Program& program, const Trace& trace, std::size_t first) {
    Applied out{{}, program};
    out.trace.steps.assign(trace.steps.begin(), trace.steps.begin() + static_cast<std::ptrdiff_t>(first));
    const auto missing = [&](const std::string& loop) { return !find_loop(out.program, loop); };
    for (std::size_t i = first; i < trace.steps.size(); ++i) {
        TraceStep step = trace.steps[i];
        const auto* name = step.args.empty() ? nullptr : std::get_if<std::string>(&step.args.front());
        if ((step.primitive == "unroll" || step.primitive == "vectorize") && name && missing(*name)) continue;
        auto* names = step.args.empty() ? nullptr : std::get_if<std::vector<std::string>>(&step.args.front());
        if (step.primitive == "reorder" && names) {
            std::erase_if(*names, missing);
            if (names->size() < 2) continue;
        }
        Result<Rewritten> next = apply_step(out.program, step);
        if (!next && step.primitive == "prefetch") continue; // a hint, which other sizes may make pointless
        if (!next) {
            next.error().locations.push_back(
                ProgramPlace{program->name, "step " + std::to_string(i + 1) + ": " + to_string(step)});
            return std::move(next.error());
        }
        out.program = std::move(next->program);
        out.trace.steps.push_back(std::move(step));
    }
    return out;
}

std::vector<Space> spaces_of(const Program& program, const Trace& trace, const Target& target, std::size_t most) {
    std::vector<ChangedTrace> found{{"as scheduled", trace, 0}};
    // Breadth first: each alternative alone comes before any two together.
    for (std::size_t at = 0; at < found.size() && at < most; ++at) {
        // What is fetched ahead depends on all other steps: it is found anew.
        for (ChangedTrace& changed : changes_of(program, without_prefetches(found[at].trace))) {
            if (found.size() >= most) break;
            changed.trace = with_prefetches(program, changed.trace, target);
            const bool known =
                std::ranges::any_of(found, [&](const ChangedTrace& f) { return f.trace == changed.trace; });
            if ((at != 0 && changed.kind <= found[at].kind) || known || !replay(program, changed.trace)) continue;
            if (at != 0) changed.name = found[at].name + ", " + changed.name;
            found.push_back(std::move(changed));
        }
    }
    std::vector<Space> out;
    for (ChangedTrace& f : found) out.push_back({std::move(f.name), open_trace(program, f.trace, target)});
    return out;
}

} // namespace orrery::schedule
