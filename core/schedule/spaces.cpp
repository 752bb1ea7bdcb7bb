// How a trace becomes spaces:
// 1. Alternatives: each kind of change (space_changes.hpp) is made to the trace wherever it fits, then changes of later
//    kinds to what came of that. Only what still applies is kept; it is the primitives that say what is legal.
// 2. Open: the factors of every split become knobs.

#include "core/schedule/spaces.hpp"

#include "core/base/parallel.hpp"
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

/// `done`: of the steps that apply.
Trace opened(const Trace& trace, const Replay& done, const Target& target) {
    Trace out = trace;
    for (std::size_t i = 0; i < trace.steps.size() && i < done.programs.size(); ++i) {
        const TraceStep& step = trace.steps[i];
        const auto* name = step.args.empty() ? nullptr : std::get_if<std::string>(&step.args.front());
        const auto* factors = step.args.size() < 2 ? nullptr : std::get_if<std::vector<std::int64_t>>(&step.args[1]);
        const Result<LoopPlace> place = step.primitive == "split" && name && factors
                                            ? find_loop(done.programs[i], *name)
                                            : Result<LoopPlace>(Diagnostic{});
        const std::optional<std::int64_t> extent = place ? as_int(place->loop().extent) : std::nullopt;
        for (std::size_t f = 0; extent && f < factors->size(); ++f) {
            const std::int64_t present = (*factors)[f];
            if (present < 1) continue;
            const std::string part = *name + (factors->size() == 2 ? (f == 0 ? "_o" : "_i") : "_" + std::to_string(f));
            std::vector<std::int64_t> sizes =
                candidates_for(*extent, present, part_of(trace, i, part), width_for(place->block, target));
            if (sizes.size() < 2) continue;
            Result<Trace> promoted = promote(out, {i, 1, static_cast<std::ptrdiff_t>(f)},
                                             knob_name(*name, f, factors->size()), std::move(sizes));
            if (promoted) out = *std::move(promoted);
        }
    }
    return out;
}

/// The replay of a trace, given that of one that begins alike: only the other steps are applied. nullopt when one of
/// them cannot be.
std::optional<Replay> replay_after(const Trace& known, const Replay& done, const Trace& trace) {
    std::size_t same = 0;
    while (same < known.steps.size() && same < trace.steps.size() && known.steps[same] == trace.steps[same]) ++same;
    Replay out{{done.programs.begin(), done.programs.begin() + static_cast<std::ptrdiff_t>(same) + 1}};
    for (std::size_t i = same; i < trace.steps.size(); ++i) {
        Result<Rewritten> next = apply_step(out.result(), trace.steps[i]);
        if (!next) return std::nullopt;
        out.programs.push_back(std::move(next->program));
    }
    return out;
}

} // namespace

Trace open_trace(const Program& program, const Trace& trace, const Target& target) {
    Replay done{{program}};
    for (const TraceStep& step : trace.steps) {
        Result<Rewritten> next = apply_step(done.result(), step);
        if (!next) break;
        done.programs.push_back(std::move(next->program));
    }
    return opened(trace, done, target);
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
    Result<Replay> first = replay(program, trace);
    if (!first) return {};
    std::vector<ChangedTrace> found{{"as scheduled", trace, 0}};
    std::vector<Replay> replays{*std::move(first)};
    const auto known = [&](const ChangedTrace& changed) {
        return std::ranges::any_of(found, [&](const ChangedTrace& f) { return f.trace == changed.trace; });
    };
    // Breadth first: each alternative alone comes before any two together.
    for (std::size_t at = 0; at < found.size() && found.size() < most; ++at) {
        // What is fetched ahead depends on all other steps: it is found anew.
        const Trace base = without_prefetches(found[at].trace);
        const std::optional<Replay> done = replay_after(found[at].trace, replays[at], base);
        if (!done) continue;
        std::vector<ChangedTrace> changes = changes_of(base, *done);
        if (at != 0) std::erase_if(changes, [&](const ChangedTrace& c) { return c.kind <= found[at].kind; });
        std::vector<std::optional<Replay>> made(changes.size());
        parallel_for(changes.size(), 0, [&](std::size_t i) {
            made[i] = replay_after(base, *done, changes[i].trace);
            if (made[i]) add_prefetches(changes[i].trace, *made[i], target);
        });
        for (std::size_t i = 0; i < changes.size() && found.size() < most; ++i) {
            if (!made[i] || known(changes[i])) continue;
            if (at != 0) changes[i].name = found[at].name + ", " + changes[i].name;
            found.push_back(std::move(changes[i]));
            replays.push_back(*std::move(made[i]));
        }
    }
    std::vector<Space> out(found.size());
    parallel_for(found.size(), 0, [&](std::size_t i) {
        Trace open = opened(found[i].trace, replays[i], target);
        out[i] = {std::move(found[i].name), std::move(open), std::move(replays[i])};
    });
    return out;
}

} // namespace orrery::schedule
