#include "core/tuning/tuning.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace orrery::tuning {

namespace {
constexpr const char* kSearches[] = {"random", "grid", "genetic", "model"};
constexpr const char* kTrials[] = {"baseline", "known", "seed", "searched"};
constexpr const char* kPhases[] = {"starting", "searching", "compiling", "measuring", "waiting", "paused", "done"};
} // namespace

const char* search_name(SearchKind kind) { return kSearches[static_cast<std::size_t>(kind)]; }

std::optional<SearchKind> parse_search(std::string_view name) {
    for (std::size_t i = 0; i < std::size(kSearches); ++i)
        if (name == kSearches[i]) return static_cast<SearchKind>(i);
    return std::nullopt;
}

const char* trial_name(TrialKind kind) { return kTrials[static_cast<std::size_t>(kind)]; }
const char* phase_name(TuningPhase phase) { return kPhases[static_cast<std::size_t>(phase)]; }

void TuningControl::pause() {
    const std::lock_guard lock(mutex_);
    paused_ = true;
}
void TuningControl::resume() {
    const std::lock_guard lock(mutex_);
    paused_ = false;
}
void TuningControl::stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
}
bool TuningControl::paused() const {
    const std::lock_guard lock(mutex_);
    return paused_ && !stopping_;
}
bool TuningControl::stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
}

void TuningControl::pin(const std::string& workload, const std::string& knob, std::optional<std::int64_t> value) {
    const std::lock_guard lock(mutex_);
    told_.pins.push_back({workload, knob, value});
}
void TuningControl::seed(const std::string& workload, schedule::Trace trace) {
    const std::lock_guard lock(mutex_);
    told_.seeds.push_back({workload, std::move(trace)});
}
bool TuningControl::told() const {
    const std::lock_guard lock(mutex_);
    return !told_.pins.empty() || !told_.seeds.empty();
}
TuningControl::Told TuningControl::take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(told_, {});
}

TuningSnapshotPtr TuningControl::latest() const {
    const std::lock_guard lock(mutex_);
    return latest_;
}
void TuningControl::publish(TuningSnapshotPtr snapshot) {
    const std::lock_guard lock(mutex_);
    latest_ = std::move(snapshot);
}

} // namespace orrery::tuning
