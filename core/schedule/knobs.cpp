#include "core/schedule/knobs.hpp"

#include "core/schedule/locate.hpp"
#include "core/schedule/primitives.hpp"

#include <algorithm>
#include <functional>
#include <random>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

/// The number at a place; null when there is none.
std::int64_t* number_at(TraceStep& step, std::size_t arg, std::ptrdiff_t item) {
    if (arg >= step.args.size()) return nullptr;
    if (item < 0) return std::get_if<std::int64_t>(&step.args[arg]);
    auto* list = std::get_if<std::vector<std::int64_t>>(&step.args[arg]);
    return list && static_cast<std::size_t>(item) < list->size() ? &(*list)[static_cast<std::size_t>(item)] : nullptr;
}

bool is_open(const TraceStep& step, std::size_t arg, std::ptrdiff_t item) {
    return std::ranges::any_of(
        step.open, [&](const OpenArg& open) { return open.arg == arg && (open.item == item || open.item < 0); });
}

Diagnostic bad(Code code, const std::string& message, const std::string& hint = {}) {
    return {code, message, {}, hint};
}

std::string names_of(const Trace& trace) {
    std::string text;
    for (const KnobUse& use : knobs_of(trace)) text += (text.empty() ? "" : ", ") + use.knob.name;
    return text.empty() ? "it has none" : "its knobs are " + text;
}

/// Undecided: an empty list of factors, an empty loop.
bool decided(const TraceStep& step, const OpenArg& open) {
    const Arg& arg = step.args[open.arg];
    if (const auto* list = std::get_if<std::vector<std::int64_t>>(&arg))
        return open.knob.kind != Knob::Kind::PerfectTile || !list->empty();
    if (const auto* text = std::get_if<std::string>(&arg)) return !text->empty();
    return true;
}

/// Draws with the generator's own bits, so that every machine draws the same.
class Drawer {
  public:
    explicit Drawer(std::uint64_t seed) : random_(seed) {}
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }
    std::int64_t choice(const Knob& knob) {
        std::int64_t total = 0;
        for (const std::int64_t weight : knob.weights) total += weight;
        if (total <= 0) return knob.candidates[below(knob.candidates.size())];
        auto at = static_cast<std::int64_t>(below(static_cast<std::size_t>(total)));
        for (std::size_t i = 0; i < knob.candidates.size(); ++i) {
            at -= knob.weights[i];
            if (at < 0) return knob.candidates[i];
        }
        return knob.candidates.back();
    }

  private:
    std::mt19937_64 random_;
};

/// Decides what is open in one step, given the program before it.
Result<void> decide_step(const Program& program, TraceStep& step, Drawer& draw, std::map<std::string, Arg>& known) {
    for (const OpenArg& open : step.open) {
        const Knob& knob = open.knob;
        if (knob.kind == Knob::Kind::Choice) {
            const auto [entry, fresh] = known.try_emplace(knob.name, std::int64_t{0});
            if (fresh) entry->second = draw.choice(knob);
            *number_at(step, open.arg, open.item) = std::get<std::int64_t>(entry->second);
            continue;
        }
        const auto* name = std::get_if<std::string>(&step.args.front());
        if (!name) return bad(Code::BadArgument, step.primitive + ": its first operand names no loop or block");
        if (knob.kind == Knob::Kind::PerfectTile) {
            ORRERY_TRY(const LoopPlace place, find_loop(program, *name));
            const auto tiles = perfect_tiles(extent_of(place.loop().extent), knob.parts, knob.max_innermost);
            if (tiles.empty())
                return bad(Code::IllegalSchedule,
                           "sample_perfect_tile is refused at loop " + *name + ": its extent has no such factors",
                           "allow a larger innermost factor");
            step.args[open.arg] = tiles[draw.below(tiles.size())];
        } else {
            ORRERY_TRY(const BlockPlace place, find_block(program, *name));
            (void)place;
            const auto loops = compute_locations(program, *name);
            if (loops.empty())
                return bad(Code::IllegalSchedule,
                           "sample_compute_location is refused at block " + *name + ": it can be computed at no loop");
            step.args[open.arg] = loops[draw.below(loops.size())];
        }
    }
    return {};
}

} // namespace

std::vector<TracePlace> closed_numbers(const Trace& trace) {
    std::vector<TracePlace> out;
    for (std::size_t s = 0; s < trace.steps.size(); ++s) {
        const TraceStep& step = trace.steps[s];
        const auto add = [&](std::size_t arg, std::ptrdiff_t item) {
            if (!is_open(step, arg, item)) out.push_back({s, arg, item});
        };
        for (std::size_t a = 0; a < step.args.size(); ++a) {
            if (std::holds_alternative<std::int64_t>(step.args[a])) add(a, -1);
            if (const auto* list = std::get_if<std::vector<std::int64_t>>(&step.args[a]))
                for (std::size_t i = 0; i < list->size(); ++i) add(a, static_cast<std::ptrdiff_t>(i));
        }
    }
    return out;
}

std::vector<KnobUse> knobs_of(const Trace& trace) {
    std::vector<KnobUse> out;
    for (std::size_t s = 0; s < trace.steps.size(); ++s)
        for (const OpenArg& open : trace.steps[s].open) {
            const auto known =
                std::ranges::find_if(out, [&](const KnobUse& use) { return use.knob.name == open.knob.name; });
            if (known == out.end())
                out.push_back({open.knob, {{s, open.arg, open.item}}});
            else
                known->places.push_back({s, open.arg, open.item});
        }
    return out;
}

Result<Trace> promote(Trace trace, const TracePlace& place, const std::string& name,
                      std::vector<std::int64_t> candidates) {
    if (place.step >= trace.steps.size())
        return bad(Code::BadArgument, "the trace has no step " + std::to_string(place.step + 1));
    TraceStep& step = trace.steps[place.step];
    const std::int64_t* value = number_at(step, place.arg, place.item);
    if (!value || is_open(step, place.arg, place.item))
        return bad(Code::BadArgument, "there is no number to open there in " + to_string(step));
    const bool word =
        !name.empty() && std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) || c == '_'; });
    if (!word || std::isdigit(static_cast<unsigned char>(name.front())))
        return bad(Code::BadArgument, "a knob's name is letters, digits and _, not \"" + name + "\"");
    if (std::ranges::find(candidates, *value) == candidates.end()) candidates.push_back(*value);
    for (const KnobUse& use : knobs_of(trace))
        if (use.knob.name == name && (use.knob.kind != Knob::Kind::Choice || use.knob.candidates != candidates))
            return bad(Code::BadArgument, "there is a knob " + name + " with other candidates", "choose another name");
    step.open.push_back({place.arg, place.item, {Knob::Kind::Choice, name, std::move(candidates)}});
    std::ranges::sort(step.open, {}, [](const OpenArg& open) { return std::pair(open.arg, open.item); });
    return trace;
}

Result<Trace> fix(Trace trace, const std::string& name) {
    bool found = false;
    for (TraceStep& step : trace.steps) {
        for (const OpenArg& open : step.open) {
            if (open.knob.name != name) continue;
            found = true;
            if (!decided(step, open)) return bad(Code::BadArgument, "knob " + name + " is undecided", "draw it first");
        }
        std::erase_if(step.open, [&](const OpenArg& open) { return open.knob.name == name; });
    }
    if (!found) return bad(Code::UnknownName, "the trace has no knob " + name, names_of(trace));
    return trace;
}

Result<Trace> fix_all(Trace trace) {
    for (const KnobUse& use : knobs_of(trace)) {
        Result<Trace> next = fix(std::move(trace), use.knob.name);
        if (!next) return std::move(next.error());
        trace = *std::move(next);
    }
    return trace;
}

Result<Trace> decide(Trace trace, const std::string& name, std::int64_t value) {
    bool found = false;
    for (TraceStep& step : trace.steps)
        for (const OpenArg& open : step.open) {
            if (open.knob.name != name) continue;
            found = true;
            if (std::ranges::find(open.knob.candidates, value) == open.knob.candidates.end())
                return bad(Code::BadArgument, std::to_string(value) + " is no candidate of knob " + name);
            *number_at(step, open.arg, open.item) = value;
        }
    if (!found) return bad(Code::UnknownName, "the trace has no knob " + name, names_of(trace));
    return trace;
}

std::uint64_t space_size(const Trace& trace) {
    constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
    std::uint64_t size = 1;
    for (const KnobUse& use : knobs_of(trace)) {
        if (use.knob.kind != Knob::Kind::Choice) continue;
        const auto count = static_cast<std::uint64_t>(use.knob.candidates.size());
        if (size > kMost / count) return kMost;
        size *= count;
    }
    return size;
}

Trace nth(Trace trace, std::uint64_t index) {
    const std::vector<KnobUse> knobs = knobs_of(trace);
    for (std::size_t k = knobs.size(); k-- > 0;) {
        const Knob& knob = knobs[k].knob;
        if (knob.kind != Knob::Kind::Choice) continue;
        const auto count = static_cast<std::uint64_t>(knob.candidates.size());
        const std::int64_t value = knob.candidates[static_cast<std::size_t>(index % count)];
        for (const TracePlace& place : knobs[k].places)
            *number_at(trace.steps[place.step], place.arg, place.item) = value;
        index /= count;
    }
    return trace;
}

std::vector<std::vector<std::int64_t>> perfect_tiles(std::int64_t extent, std::int64_t parts,
                                                     std::int64_t max_innermost) {
    std::vector<std::vector<std::int64_t>> out;
    std::vector<std::int64_t> factors;
    constexpr std::size_t kMost = 20000; ///< source: our choice; a space larger than that is sampled from its start
    const std::function<void(std::int64_t, std::int64_t)> fill = [&](std::int64_t rest, std::int64_t left) {
        if (out.size() >= kMost) return;
        if (left == 1) {
            if (rest > max_innermost) return;
            factors.push_back(rest);
            out.push_back(factors);
            factors.pop_back();
            return;
        }
        for (std::int64_t factor = 1; factor <= rest; ++factor) {
            if (rest % factor != 0) continue;
            factors.push_back(factor);
            fill(rest / factor, left - 1);
            factors.pop_back();
        }
    };
    if (extent > 0 && parts > 0) fill(extent, parts);
    return out;
}

std::vector<std::string> compute_locations(const Program& program, const std::string& block) {
    std::vector<std::string> out;
    std::vector<const For*> seen;
    for (const Block* other : blocks_of(program->body)) {
        if (other->fields.name == block) continue;
        const BlockPlace place = *find_block(program, other->fields.name);
        for (const For* loop : place.loops()) {
            if (std::ranges::find(seen, loop) != seen.end()) continue;
            seen.push_back(loop);
            std::string name = other->fields.name + "." + loop->var->name;
            // An inner loop of the same name hides it.
            const Result<LoopPlace> found = find_loop(program, name);
            if (found && &found->loop() == loop && compute_at(program, block, name)) out.push_back(std::move(name));
        }
    }
    return out;
}

Result<Trace> sample(const Program& program, Trace trace, std::uint64_t seed) {
    Drawer draw(seed);
    std::map<std::string, Arg> known;
    Program now = program;
    for (std::size_t i = 0; i < trace.steps.size(); ++i) {
        TraceStep& step = trace.steps[i];
        Result<void> chosen = decide_step(now, step, draw, known);
        Result<Rewritten> next = chosen ? apply_step(now, step) : Result<Rewritten>(chosen.error());
        if (!next) {
            next.error().locations.push_back(
                ProgramPlace{program->name, "step " + std::to_string(i + 1) + ": " + to_string(step)});
            return std::move(next.error());
        }
        now = std::move(next->program);
    }
    return trace;
}

} // namespace orrery::schedule
