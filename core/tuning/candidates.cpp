#include "core/tuning/candidates.hpp"

#include "core/base/parallel.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tuning/features.hpp"

#include <algorithm>

namespace orrery::tuning {

namespace {

constexpr std::uint64_t kMostPoints = std::uint64_t{1} << 62;

/// What one statement may be written out to, as a multiple of the registers. Source: our choice; far beyond, code
/// spills, and takes seconds to compile.
constexpr std::int64_t kMostWrittenOut = 16;

std::size_t nearest(const std::vector<std::int64_t>& candidates, std::int64_t value) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < candidates.size(); ++i)
        if (std::abs(candidates[i] - value) < std::abs(candidates[best] - value)) best = i;
    return best;
}

std::int64_t value_at(const schedule::Trace& trace, const schedule::TracePlace& place) {
    const schedule::Arg& arg = trace.steps[place.step].args[place.arg];
    if (const auto* list = std::get_if<std::vector<std::int64_t>>(&arg))
        return (*list)[static_cast<std::size_t>(place.item)];
    return std::get<std::int64_t>(arg);
}

/// The number where another step is open.
std::optional<std::int64_t> number_in(const schedule::TraceStep& step, const schedule::OpenArg& open) {
    if (open.arg >= step.args.size()) return std::nullopt;
    const schedule::Arg& arg = step.args[open.arg];
    if (const auto* number = std::get_if<std::int64_t>(&arg); number && open.item < 0) return *number;
    const auto* list = std::get_if<std::vector<std::int64_t>>(&arg);
    const auto item = static_cast<std::size_t>(open.item);
    return list && open.item >= 0 && item < list->size() ? std::optional((*list)[item]) : std::nullopt;
}

} // namespace

CandidateSpace::CandidateSpace(tensor::Program program, const Target& target, int threads)
    : program_(std::move(program)), target_(target), threads_(threads) {}

std::optional<Point> CandidateSpace::add(const schedule::Trace& trace, std::size_t most) {
    const std::size_t first = kept_.size();
    for (schedule::Space& space : schedule::spaces_of(program_, trace, target_, most)) {
        const bool known = std::ranges::any_of(kept_, [&](const Kept& k) { return k.trace == space.trace; });
        if (known && kept_.size() > first) continue; // the first is wanted as a point all the same
        Kept kept;
        SpaceInfo info;
        info.name = first == 0 ? space.name : "seed " + std::to_string(first) + ", " + space.name;
        info.size = schedule::space_size(space.trace);
        kept.origin.space = kept_.size();
        for (const schedule::KnobUse& use : schedule::knobs_of(space.trace)) {
            if (use.knob.kind != schedule::Knob::Kind::Choice) continue; // stays as it was decided
            info.knobs.push_back({use.knob.name, use.knob.candidates, std::nullopt});
            const std::size_t at = nearest(use.knob.candidates, value_at(space.trace, use.places.front()));
            kept.origin.choice.push_back(static_cast<std::uint16_t>(at));
            if (const auto pinned = pins_.find(use.knob.name); pinned != pins_.end())
                info.knobs.back().pinned = pinned->second;
        }
        kept.trace = std::move(space.trace);
        while (kept.prefix < kept.trace.steps.size() && kept.trace.steps[kept.prefix].open.empty()) ++kept.prefix;
        kept.after_prefix = space.replay.programs[kept.prefix];
        kept_.push_back(std::move(kept));
        infos_.push_back(std::move(info));
    }
    return first < kept_.size() ? std::optional<Point>(kept_[first].origin) : std::nullopt;
}

std::optional<Point> CandidateSpace::find(const schedule::Trace& trace) const {
    for (std::size_t s = 0; s < kept_.size(); ++s) {
        const std::optional<Point> point = decided(s, trace);
        if (point && prepare(*point).trace == trace) return point;
    }
    return std::nullopt;
}

/// The decisions that a trace has where a space's is open; nullopt when its steps are others. What concerns loops of
/// one iteration may be missing.
std::optional<Point> CandidateSpace::decided(std::size_t space, const schedule::Trace& trace) const {
    std::map<std::string, std::int64_t> values;
    std::size_t at = 0;
    for (const schedule::TraceStep& step : kept_[space].trace.steps) {
        const bool may_miss = step.primitive == "unroll" || step.primitive == "vectorize" ||
                              step.primitive == "reorder" || step.primitive == "prefetch";
        const bool same = at < trace.steps.size() && trace.steps[at].primitive == step.primitive &&
                          !trace.steps[at].args.empty() && !step.args.empty() &&
                          (step.primitive == "reorder" || trace.steps[at].args.front() == step.args.front());
        if (!same && may_miss) continue;
        if (!same) return std::nullopt;
        for (const schedule::OpenArg& open : step.open)
            if (const std::optional<std::int64_t> value = number_in(trace.steps[at], open))
                values[open.knob.name] = *value;
        ++at;
    }
    if (at != trace.steps.size()) return std::nullopt;
    Point out{space, {}};
    for (const KnobInfo& knob : infos_[space].knobs) {
        const auto value = values.find(knob.name);
        const auto found =
            value == values.end() ? knob.candidates.end() : std::ranges::find(knob.candidates, value->second);
        if (found == knob.candidates.end()) return std::nullopt;
        out.choice.push_back(static_cast<std::uint16_t>(found - knob.candidates.begin()));
    }
    return out;
}

void CandidateSpace::pin(const std::string& knob, std::optional<std::int64_t> value) {
    pins_.erase(knob);
    if (value) pins_[knob] = *value;
    for (SpaceInfo& info : infos_)
        for (KnobInfo& row : info.knobs)
            if (row.name == knob) {
                const bool there = value && std::ranges::find(row.candidates, *value) != row.candidates.end();
                row.pinned = there ? value : std::nullopt;
            }
}

std::uint64_t CandidateSpace::size() const {
    std::uint64_t all = 0;
    for (const SpaceInfo& info : infos_) all = std::min(kMostPoints, all + std::min(info.size, kMostPoints));
    return all;
}

std::vector<KnobValue> CandidateSpace::knobs(const Point& point) const {
    std::vector<KnobValue> out;
    const SpaceInfo& info = infos_[point.space];
    for (std::size_t k = 0; k < info.knobs.size(); ++k)
        out.push_back({info.knobs[k].name, info.knobs[k].candidates[point.choice[k]]});
    return out;
}

std::uint16_t CandidateSpace::allowed(std::size_t space, std::size_t knob, std::uint16_t choice) const {
    const KnobInfo& info = infos_[space].knobs[knob];
    if (!info.pinned) return choice;
    return static_cast<std::uint16_t>(nearest(info.candidates, *info.pinned));
}

Point CandidateSpace::origin(std::size_t space) const {
    Point out = kept_[space].origin;
    for (std::size_t k = 0; k < out.choice.size(); ++k) out.choice[k] = allowed(space, k, out.choice[k]);
    return out;
}

Point CandidateSpace::drawn(Dice& dice) const {
    Point out = kept_[dice.below(kept_.size())].origin;
    for (std::size_t k = 0; k < out.choice.size(); ++k) {
        const std::size_t count = infos_[out.space].knobs[k].candidates.size();
        out.choice[k] = allowed(out.space, k, static_cast<std::uint16_t>(dice.below(count)));
    }
    return out;
}

Point CandidateSpace::nth(std::uint64_t index) const {
    std::size_t space = 0;
    while (space + 1 < infos_.size() && index >= infos_[space].size) index -= infos_[space++].size;
    Point out = kept_[space].origin;
    for (std::size_t k = out.choice.size(); k-- > 0;) {
        const std::size_t count = infos_[space].knobs[k].candidates.size();
        out.choice[k] = allowed(space, k, static_cast<std::uint16_t>(index % count));
        index /= count;
    }
    return out;
}

/// The same decisions in another space, as near as its candidates are.
Point CandidateSpace::moved(const Point& point, std::size_t space) const {
    Point out = origin(space);
    const std::vector<KnobValue> values = knobs(point);
    for (std::size_t k = 0; k < out.choice.size(); ++k) {
        const KnobInfo& info = infos_[space].knobs[k];
        const auto same = std::ranges::find(values, info.name, &KnobValue::name);
        if (same != values.end())
            out.choice[k] = allowed(space, k, static_cast<std::uint16_t>(nearest(info.candidates, same->value)));
    }
    return out;
}

Point CandidateSpace::mutated(const Point& point, Dice& dice) const {
    constexpr double kOtherSpace = 0.2, kSecondKnob = 0.35, kFar = 0.25; // our choice
    Point out = point;
    if (kept_.size() > 1 && (dice.chance(kOtherSpace) || out.choice.empty()))
        out = moved(point, dice.below(kept_.size()));
    if (out.choice.empty()) return out;
    const int changes = dice.chance(kSecondKnob) ? 2 : out.space == point.space ? 1 : 0;
    for (int i = 0; i < changes; ++i) {
        const std::size_t knob = dice.below(out.choice.size());
        const std::size_t count = infos_[out.space].knobs[knob].candidates.size();
        const std::size_t now = out.choice[knob];
        const std::size_t next = dice.chance(kFar)  ? dice.below(count)
                                 : dice.chance(0.5) ? std::min(now + 1, count - 1)
                                                    : std::max<std::size_t>(now, 1) - 1;
        out.choice[knob] = allowed(out.space, knob, static_cast<std::uint16_t>(next));
    }
    return out;
}

Point CandidateSpace::crossed(const Point& first, const Point& second, Dice& dice) const {
    Point out = first;
    const Point other = moved(second, first.space);
    for (std::size_t k = 0; k < out.choice.size(); ++k)
        if (dice.chance(0.5)) out.choice[k] = other.choice[k];
    return out;
}

void CandidateSpace::finish(Prepared& prepared, const tensor::Program& from, std::size_t first) const {
    Result<schedule::Applied> done = schedule::apply_decided(from, prepared.trace, first);
    if (!done) {
        prepared.refused = to_string(done.error());
        return;
    }
    prepared.trace = std::move(done->trace);
    tensor::Program now = std::move(done->program);
    const std::int64_t copies = most_written_out(now, target_);
    if (copies > kMostWrittenOut * target_.vector_registers) {
        prepared.refused = "one statement would be written out " + std::to_string(copies) + " times";
        return;
    }
    prepared.hash = tensor::structural_hash(now);
    prepared.features = features_of(now, target_, threads_);
    prepared.program = std::move(now);
}

Prepared CandidateSpace::prepare(const Point& point) const {
    const Kept& kept = kept_[point.space];
    Prepared out;
    out.point = point;
    schedule::Trace trace = kept.trace;
    for (const KnobValue& knob : knobs(point))
        if (Result<schedule::Trace> decided = schedule::decide(std::move(trace), knob.name, knob.value)) {
            trace = *std::move(decided);
        } else {
            out.refused = decided.error().message;
            return out;
        }
    Result<schedule::Trace> closed = schedule::fix_all(std::move(trace));
    if (!closed) {
        out.refused = closed.error().message;
        return out;
    }
    out.trace = *std::move(closed);
    finish(out, kept.after_prefix, kept.prefix);
    return out;
}

std::vector<Prepared> CandidateSpace::prepare_all(std::span<const Point> points) const {
    std::vector<Prepared> out(points.size());
    parallel_for(points.size(), 0, [&](std::size_t i) { out[i] = prepare(points[i]); });
    return out;
}

Prepared CandidateSpace::prepare(const schedule::Trace& trace) const {
    Prepared out;
    Result<schedule::Trace> closed = schedule::fix_all(trace);
    if (!closed) {
        out.refused = closed.error().message;
        return out;
    }
    out.trace = *std::move(closed);
    finish(out, program_, 0);
    return out;
}

} // namespace orrery::tuning
