// Tuning: what is found, and what it survives.

#include "core/schedule/rules.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tuning/tuner.hpp"
#include "tests/core/tuning/programs.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <csignal>
#include <functional>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

using namespace orrery;
using namespace orrery::tuning;
using namespace orrery::tuning_test;

namespace {

/// A small matrix product: enough to split.
tensor::Program product(int size = 32) {
    const std::string n = std::to_string(size);
    return tensor::parse_program(
               "fn product(a: f32[" + n + "," + n + "], b: f32[" + n + "," + n + "]) -> (c: f32[" + n + "," + n +
               "]) {\nfor i in " + n + " { for j in " + n + " { for k in " + n + " { block mm(vi = i in " + n +
               ", vj = j in " + n + ", reduce vk = k in " + n +
               ") { init { c[vi, vj] = 0.0 }\nc[vi, vj] = c[vi, vj] + a[vi, vk] * b[vk, vj] } } } }\n}")
        .value();
}

TuneTask task_of(const tensor::Program& program) {
    TuneTask task;
    task.workload = to_string(tensor::structural_hash(program));
    task.function = program->name;
    task.program = program;
    task.before = schedule::default_trace(program, backend()->host());
    return task;
}

/// Few runs, no peaks: what tests ask is not how fast something is.
TunerOptions quick(SearchKind search, int trials) {
    TunerOptions options;
    options.search = search, options.trials = trials;
    options.run_seconds = 0.002, options.deadline_seconds = 10, options.patience_seconds = 0;
    options.round = 6, options.measure_peaks = false;
    return options;
}

/// Compiles what it is asked to, or something else under its name.
class Planted final : public Backend {
  public:
    /// Given how many were compiled before: what to compile; null for what was asked for.
    using Plan = std::function<tensor::Program(int, const tensor::Program&)>;
    explicit Planted(Plan plan) : plan_(std::move(plan)) {}
    [[nodiscard]] std::string name() const override { return backend()->name(); }
    [[nodiscard]] Target host() const override { return backend()->host(); }
    [[nodiscard]] Result<KernelObject> compile(const tensor::Program& program, const Target& target,
                                               const BuildOptions& options, const Progress& progress) const override {
        const tensor::Program other = plan_(count_++, program);
        return backend()->compile(other ? other : program, target, options, progress);
    }
    [[nodiscard]] Result<Listing> list(const tensor::Program& program, const Target& target,
                                       const BuildOptions& options, ListingKind kind) const override {
        return backend()->list(program, target, options, kind);
    }
    [[nodiscard]] Result<std::shared_ptr<const LoadedCode>> load(std::span<const KernelObject> objects) const override {
        return backend()->load(objects);
    }
    [[nodiscard]] Result<std::string> assemble(std::span<const tensor::Program> programs, const Target& target,
                                               const BuildOptions& options, EmitKind kind) const override {
        return backend()->assemble(programs, target, options, kind);
    }

  private:
    Plan plan_;
    mutable std::atomic<int> count_{0};
};

/// `product` with another statement in the middle.
tensor::Program broken_product(const std::string& statement) {
    return tensor::parse_program(
               "fn product(a: f32[32,32], b: f32[32,32]) -> (c: f32[32,32]) {\nfor i in 32 { for j in 32 { " +
               statement + " } }\n}")
        .value();
}

TuneResult tuned(const Backend& with, const TunerOptions& options, Measurer& measurer, TuningControl& control,
                 const TuningObserver& observer = {}) {
    const TuneSetting setting{measurer, with, backend()->host(), {}};
    std::vector<TuneTask> tasks;
    tasks.push_back(task_of(product()));
    return tune(setting, std::move(tasks), options, {control, observer, {}}).value();
}

} // namespace

TEST_CASE("every search tries what is new and keeps each trial", "[tuning][tuner]") {
    for (const SearchKind kind : {SearchKind::Random, SearchKind::Grid, SearchKind::Genetic, SearchKind::Model}) {
        INFO(search_name(kind));
        Measurer measurer(backend(), {.records = {}});
        TuningControl control;
        std::uint64_t revision = 0;
        std::size_t seen = 0;
        const TuneResult result =
            tuned(*backend(), quick(kind, 16), measurer, control, [&](const TuningSnapshotPtr& s) {
                if (s->revision <= revision || s->trials.size() < seen) revision = static_cast<std::uint64_t>(-1);
                revision = s->revision, seen = s->trials.size();
            });
        const TuningSnapshot& last = *result.last;
        CHECK(last.phase == TuningPhase::Done);
        CHECK(last.search == kind);
        REQUIRE(last.trials.size() == 16);
        CHECK(seen == 16);
        CHECK(last.trials.front()->kind == TrialKind::Baseline);
        std::set<std::string> traces;
        for (const TrialPtr& trial : last.trials) {
            INFO(trial->reason << "\n" << trial->trace);
            CHECK(trial->outcome == Outcome::Ok);
            traces.insert(trial->trace);
            if (trial->kind != TrialKind::Searched) continue;
            REQUIRE(trial->space < last.tasks[0].spaces->size());
            CHECK(trial->knobs.size() == (*last.tasks[0].spaces)[trial->space].knobs.size());
        }
        CHECK(traces.size() == 16);
        CHECK(measurer.of_workload(result.tasks[0].workload).size() == 16);
        CHECK(last.tasks[0].trials == 16);
        CHECK(last.tasks[0].failed == 0);
        CHECK(result.tasks[0].best_ms > 0);
        CHECK(schedule::replay(product(), result.tasks[0].best));
        CHECK(control.latest() == result.last);
    }
}

TEST_CASE("wrong, crashing and hanging candidates are outcomes", "[tuning][tuner]") {
    const tensor::Program wrong = broken_product("c[i, j] = a[i, j] * b[i, j]");
    const tensor::Program crashing = broken_product("c[i + 1000000000, j] = a[i, j]");
    const tensor::Program hanging =
        broken_product("c[i, j] = a[i, j]\nfor t in 20000000000000 { c[i, j] = c[i, j] * a[i, j] + 1.0 }");
    // The first is the baseline's.
    const Planted planted([&](int count, const tensor::Program&) -> tensor::Program {
        return count == 2 ? wrong : count == 3 ? crashing : count == 4 ? hanging : nullptr;
    });
    Measurer measurer(backend(), {.records = {}});
    TuningControl control;
    TunerOptions options = quick(SearchKind::Random, 10);
    options.deadline_seconds = 1;
    const TuneResult result = tuned(planted, options, measurer, control);
    std::multiset<Outcome> outcomes;
    for (const TrialPtr& trial : result.last->trials) {
        outcomes.insert(trial->outcome);
        CHECK((trial->outcome == Outcome::Ok) == trial->reason.empty());
        if (trial->outcome != Outcome::Ok) CHECK_FALSE(trial->improved);
    }
    CHECK(result.last->trials.size() == 10);
    CHECK(outcomes.count(Outcome::WrongAnswer) == 1);
    CHECK(outcomes.count(Outcome::Crashed) == 1);
    CHECK(outcomes.count(Outcome::TimedOut) == 1);
    CHECK(outcomes.count(Outcome::Ok) == 7);
    CHECK(result.last->tasks[0].failed == 3);
    // The records say so too.
    std::multiset<Outcome> kept;
    for (const Record& record : measurer.of_workload(result.tasks[0].workload)) kept.insert(record.outcome);
    CHECK(kept == outcomes);
}

TEST_CASE("a code generator that fails costs its candidate", "[tuning][tuner]") {
    const Planted planted([&](int count, const tensor::Program& program) -> tensor::Program {
        if (count == 2) fail_internal("planted", "a bug");
        return program;
    });
    Measurer measurer(backend(), {.records = {}});
    TuningControl control;
    CHECK(tuned(planted, quick(SearchKind::Random, 6), measurer, control).last->trials.size() == 6);
}

TEST_CASE("tuning goes on where records end", "[tuning][tuner]") {
    const Folder folder;
    const auto path = folder.path / "records.db";
    std::set<std::string> before;
    std::string best;
    {
        Measurer measurer(backend(), {.records = path});
        TuningControl control;
        const TuneResult result = tuned(*backend(), quick(SearchKind::Random, 8), measurer, control);
        for (const TrialPtr& trial : result.last->trials) before.insert(trial->trace);
        REQUIRE(before.size() == 8);
    }
    Measurer measurer(backend(), {.records = path});
    TuningControl control;
    const TuneResult result = tuned(*backend(), quick(SearchKind::Random, 8), measurer, control);
    int searched = 0;
    for (const TrialPtr& trial : result.last->trials) {
        if (trial->kind != TrialKind::Searched) continue; // the baseline and the best known are run again
        ++searched;
        CHECK_FALSE(before.contains(trial->trace));
    }
    CHECK(searched >= 6);
    // Another tuning that leaves records aside begins again with the same candidates.
    Measurer fresh(backend(), {.records = {}});
    TuningControl other;
    const TuneResult again = tuned(*backend(), quick(SearchKind::Random, 8), fresh, other);
    for (const TrialPtr& trial : again.last->trials) CHECK(before.contains(trial->trace));
}

TEST_CASE("a tuning is stopped, pinned and seeded while it runs", "[tuning][tuner]") {
    Measurer measurer(backend(), {.records = {}});
    TuningControl control;
    const std::string workload = to_string(tensor::structural_hash(product()));
    const schedule::Trace seed = schedule::parse_trace("split(mm.i, [-1, 8])\nvectorize(mm.j)").value();
    std::string pinned;
    std::int64_t value = 0;
    const TuneResult result =
        tuned(*backend(), quick(SearchKind::Random, 0), measurer, control, [&](const TuningSnapshotPtr& s) {
            if (s->trials.size() == 3 && pinned.empty() && s->tasks[0].spaces) {
                const KnobInfo& knob = (*s->tasks[0].spaces)[0].knobs.front();
                pinned = knob.name, value = knob.candidates.back();
                control.pin(workload, pinned, value);
                control.seed(workload, seed);
            }
            if (s->trials.size() >= 20) control.stop();
        });
    CHECK(result.last->doing == "stopped");
    CHECK(result.last->trials.size() == 20);
    // What was looked for until then is not tried before it.
    CHECK(result.last->trials[3]->kind == TrialKind::Seed);
    bool seeded = false;
    REQUIRE_FALSE(pinned.empty());
    for (const TrialPtr& trial : result.last->trials) {
        if (trial->kind == TrialKind::Seed || (seeded && trial->outcome == Outcome::Refused)) seeded = true;
        if (!seeded) continue;
        for (const KnobValue& knob : trial->knobs)
            if (knob.name == pinned) CHECK(knob.value == value);
    }
    CHECK(seeded);
    // Told to stop at once it is cancelled.
    std::stop_source source;
    const TuneSetting setting{measurer, *backend(), backend()->host(), {}};
    std::vector<TuneTask> tasks;
    tasks.push_back(task_of(product()));
    TuningControl none;
    source.request_stop();
    CHECK(tune(setting, tasks, quick(SearchKind::Random, 4), {none, {}, {source.get_token(), {}}}).error().code ==
          Code::Cancelled);
}

TEST_CASE("a tuning ends where pinned knobs leave nothing to try, and says so", "[tuning][tuner]") {
    Measurer measurer(backend(), {.records = {}});
    TuningControl control;
    const std::string workload = to_string(tensor::structural_hash(product()));
    bool pinned = false;
    const TuneResult result =
        tuned(*backend(), quick(SearchKind::Random, 0), measurer, control, [&](const TuningSnapshotPtr& s) {
            if (std::exchange(pinned, s->trials.size() >= 2) || !pinned) return;
            for (const KnobValue& knob : s->trials[1]->knobs) control.pin(workload, knob.name, knob.value);
        });
    CHECK(result.last->doing == "every candidate that pinned knobs allow was tried");
    CHECK(result.last->trials.size() < 40); // one for each way to write it
}

TEST_CASE("a busy machine is waited for, then lived with", "[tuning][tuner]") {
    const pid_t neighbour = ::fork();
    REQUIRE(neighbour >= 0);
    if (neighbour == 0)
        for (std::atomic<long> i = 0;; ++i) {}
    Measurer measurer(backend(), {.records = {}});
    TuningControl control;
    TunerOptions options = quick(SearchKind::Random, 4);
    options.patience_seconds = 0.3;
    bool waited = false;
    const TuneResult result = tuned(*backend(), options, measurer, control, [&](const TuningSnapshotPtr& s) {
        waited = waited || s->phase == TuningPhase::Waiting;
    });
    ::kill(neighbour, SIGKILL);
    ::waitpid(neighbour, nullptr, 0);
    CHECK(waited);
    CHECK(result.last->waiting_seconds > 0);
    CHECK(result.last->trials.size() == 4);
}

TEST_CASE("a space of one candidate is soon exhausted", "[tuning][tuner]") {
    Measurer measurer(backend(), {.records = {}});
    TuningControl control;
    const TuneSetting setting{measurer, *backend(), backend()->host(), {}};
    std::vector<TuneTask> tasks;
    tasks.push_back(task_of(product(8)));
    tasks[0].before = {};
    const TuneResult result = tune(setting, tasks, quick(SearchKind::Model, 50), {control, {}, {}}).value();
    CHECK(result.last->trials.size() == 1);
    CHECK(result.last->tasks[0].exhausted);
    CHECK_FALSE(result.tasks[0].improved);
}
