// The tuning dashboard's data: tables, plots, knobs, two trials, all in text form.

#include "core/session/snapshot.hpp"
#include "core/tuning/tuning.hpp"
#include "views/model/tune_view.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::views;
using tuning::Outcome;
using tuning::Trial;
using tuning::TrialKind;

namespace {

/// A tuning of two kernels, given whole.
struct Sample {
    tuning::TuningSnapshot t;

    Sample() {
        t.phase = tuning::TuningPhase::Measuring, t.doing = "conv: measuring 3 of 4";
        t.trial_budget = 10, t.seconds = 8, t.measuring_seconds = 6, t.compiling_seconds = 2;
        t.peaks = tuning::Peaks{100, {{"DRAM", 1, 10}}, false};
        t.before_ms = 6, t.estimate_ms = 5, t.model_error = 0.2;
        tuning::SpaceInfo space{"as scheduled", 12, {{"oc", {8, 4, 16}, {}}, {"u", {1, 2}, 2}}};
        tuning::TaskProgress conv, dense;
        conv.workload = "aa", conv.function = "conv", conv.calls = 2, conv.flops = 1e8, conv.bytes = 1e6;
        conv.spaces = std::make_shared<const std::vector<tuning::SpaceInfo>>(std::vector{space});
        conv.before_ms = 2, conv.best_ms = 1.5, conv.best_trace = "best", conv.best_trial = 3;
        conv.trials = 4, conv.failed = 1, conv.budget = 6, conv.seconds = 7, conv.expected_gain_ms = 0.1;
        conv.best_so_far = {{1, 1, 1, 2}, {3, 3, 3, 1.5}};
        dense.workload = "bb", dense.function = "dense", dense.flops = 1e7, dense.bytes = 4e6, dense.before_ms = 2;
        dense.best_ms = 2, dense.best_trial = 2, dense.trials = 1, dense.budget = 1, dense.best_so_far = {{2, 1, 2, 2}};
        t.tasks = {conv, dense};
        add({.kind = TrialKind::Baseline, .trace = "before"}, 2.0);
        add({.task = 1, .kind = TrialKind::Baseline}, 2.0);
        add({.knobs = {{"oc", 8}, {"u", 2}}, .trace = "best", .predicted_ms = 1.4, .improved = true}, 1.5);
        add({.knobs = {{"oc", 16}, {"u", 2}}, .trace = "other", .predicted_ms = 2.5}, 3.0);
        add({.knobs = {{"oc", 4}, {"u", 1}}, .outcome = Outcome::Crashed, .reason = "signal 11"}, 0);
    }
    struct Given {
        std::size_t task = 0;
        std::vector<tuning::KnobValue> knobs = {};
        TrialKind kind = TrialKind::Searched;
        std::string trace = {};
        std::optional<double> predicted_ms = {};
        Outcome outcome = Outcome::Ok;
        std::string reason = {};
        bool improved = false;
    };
    void add(Given given, double ms) {
        auto trial = std::make_shared<Trial>();
        trial->number = static_cast<int>(t.trials.size()) + 1, trial->task = given.task;
        trial->knobs = std::move(given.knobs), trial->kind = given.kind, trial->trace = std::move(given.trace);
        trial->predicted_ms = given.predicted_ms, trial->outcome = given.outcome, trial->reason = given.reason;
        trial->improved = given.improved, trial->at_seconds = trial->number;
        trial->times = {ms, ms, ms * 0.99, ms * 1.01, 0.01, ms > 0 ? 20 : 0};
        t.trials.push_back(std::move(trial));
    }
};

} // namespace

TEST_CASE("a tuning as tables", "[views][tune]") {
    const Sample sample;
    const TuneViewData data = build_tune(sample.t, {.workload = "aa"});
    CHECK(data.summary == "measuring · 5 of 10 trials · 8.0 s · kernels together 6 ms → 5 ms, 1.20× · 25 % of the time "
                          "not measuring");
    CHECK(data.fraction == Approx(0.5));
    REQUIRE(data.tasks.rows.size() == 2);
    CHECK(data.tasks.rows[0].cells[4].text == "1.33×");
    CHECK(data.tasks.rows[0].cells[6].text == "67 %");
    CHECK(data.tasks.rows[1].cells[8].text == "–");
    CHECK(data.task == 0);
    // Newest first, of the kernel that is looked at.
    CHECK(data.numbers == std::vector<int>{5, 4, 3, 1});
    CHECK(data.trials.rows[0].cells[5].text == "crashed");
    CHECK(data.trials.rows[0].tone == Tone::Bad);
    CHECK(data.trials.rows[2].cells[5].text == "best so far");
    CHECK(data.trials.rows[2].cells.back().text == "oc=8  u=2");
    CHECK(data.trials.rows[2].tone == Tone::Good);
    REQUIRE(data.failures.rows.size() == 1);
    CHECK(data.failures.rows[0].cells[3].text == "signal 11");
    CHECK(build_tune(sample.t, {.workload = "bb"}).numbers == std::vector<int>{2});
    CHECK(build_tune(sample.t, {}).task == 0); // that of the last trial
}

TEST_CASE("values of knobs carry the best time they gave", "[views][tune]") {
    const Sample sample;
    const TuneViewData data = build_tune(sample.t, {.workload = "aa"});
    REQUIRE(data.heat.size() == 2);
    REQUIRE(data.heat[0].cells.size() == 3);
    CHECK(data.heat[0].name == "oc");
    CHECK(data.heat[0].cells[0].value == 4); // by value
    CHECK(data.heat[0].cells[0].trials == 1);
    CHECK(data.heat[0].cells[0].heat < 0); // it only crashed
    CHECK(data.heat[0].cells[1].best_ms == Approx(1.5));
    CHECK(data.heat[0].cells[1].heat == Approx(1));
    CHECK(data.heat[0].cells[1].best);
    CHECK(data.heat[0].cells[2].heat == Approx(0).margin(1e-6));
    CHECK(data.heat[1].cells[1].pinned);
    CHECK(data.knobs.rows.size() == 5);
    CHECK(data.knob_places[4].knob == "u");
    CHECK(data.knob_places[4].pinned);
}

TEST_CASE("a tuning as plots", "[views][tune]") {
    const Sample sample;
    const TuneViewData data = build_tune(sample.t, {.workload = "aa"});
    REQUIRE(data.best.lines.size() == 2);
    CHECK(data.best.lines[1].chosen); // on top
    REQUIRE(data.best.lines[1].dots.size() == 3);
    CHECK(data.best.lines[1].dots[1].x == Approx(3));
    CHECK(data.best.lines[1].dots[1].y == Approx(1.5));
    CHECK(data.best.lines[1].dots[2].x == Approx(4)); // as far as there are trials
    CHECK(data.best.dots.size() == 3);
    CHECK(data.best.dots[1].x == Approx(2)); // the second trial of its kernel
    CHECK(data.best.low_y < 1.5);
    CHECK(data.best.high_y > 3);
    // A kernel of nanoseconds does not squeeze it, and may be looked at itself.
    Sample far;
    far.t.tasks[1].best_so_far = {{2, 1, 2, 2e-5}};
    CHECK(build_tune(far.t, {.workload = "aa"}).best.low_y > 1);
    CHECK(build_tune(far.t, {.workload = "bb"}).best.low_y < 1e-4);
    far.add({.task = 1, .predicted_ms = 3e-5}, 2e-5);
    CHECK(build_tune(far.t, {.workload = "aa"}).predicted.low_x > 1);
    CHECK(build_tune(far.t, {.workload = "aa"}).predicted.dots.size() == 3);
    CHECK(build_tune(far.t, {.workload = "bb"}).predicted.high_x < 1e-4);
    // What the summary says is not said again.
    CHECK(build_tune(sample.t, {}).note == "conv: measuring 3 of 4");
    far.t.phase = tuning::TuningPhase::Paused, far.t.doing = "paused";
    CHECK(build_tune(far.t, {}).note.empty());
    const TuneViewData timed = build_tune(sample.t, {.workload = "aa", .by_time = true});
    CHECK(timed.best.dots[1].x == Approx(3));
    CHECK(timed.best.lines[1].dots[2].x == Approx(8));
    REQUIRE(data.predicted.dots.size() == 2);
    CHECK(data.predicted.dots[0].x == Approx(1.5));
    CHECK(data.predicted.dots[0].y == Approx(1.4));
    CHECK(data.predicted.low_x == Approx(data.predicted.low_y));
    CHECK(data.predicted.note == "median error 20 %");
    REQUIRE(data.budget.size() == 2);
    CHECK(data.budget[0].failed == 1);
    // The roofline: the other kernel's best, and this one's trials above each other.
    REQUIRE(data.roofline.points.size() == 4);
    CHECK(data.roofline.points[0].row == -2);
    CHECK(data.roofline.points[1].intensity == Approx(100));
    CHECK(data.roofline.points[2].present);
}

TEST_CASE("two trials stand side by side", "[views][tune]") {
    const Sample sample;
    const TuneViewData best = build_tune(sample.t, {.workload = "aa"});
    CHECK(best.chosen == 3); // without a choice the best, beside what was in force before
    CHECK(best.beside == 1);
    CHECK(best.chosen_trace == "best");
    CHECK(best.beside_trace == "before");
    const TuneViewData data = build_tune(sample.t, {.workload = "aa", .trial = 4, .beside = 3});
    CHECK(data.chosen == 4);
    CHECK(to_text(data.pair).find("Time") != std::string::npos);
    CHECK(data.pair.columns[2].title == "Trial 3, the best");
    CHECK(data.pair.rows[0].cells[1].text == "3 ms");
    CHECK(data.pair.rows[0].cells[3].text == "+100 %");
    const auto oc = std::ranges::find_if(data.pair.rows, [](const TableRow& row) { return row.cells[0].text == "oc"; });
    REQUIRE(oc != data.pair.rows.end());
    CHECK(oc->cells[1].text == "16");
    CHECK(oc->cells[2].text == "8");
    // What was in force before, when it is looked at itself, is held against the fastest of the others.
    CHECK(build_tune(sample.t, {.workload = "aa", .trial = 1}).beside == 3);
    // One of another kernel is not compared.
    CHECK(build_tune(sample.t, {.workload = "aa", .trial = 2}).chosen == 3);
    CHECK(to_text(data).find("Predicted against measured, median error 20 %") != std::string::npos);
    CHECK(to_json(data).find("\"knobs\"") != std::string::npos);
}

TEST_CASE("without a tuning the dashboard says how to start one", "[views][tune]") {
    const TuneViewData none = build_tune(session::Snapshot{}, {});
    CHECK_FALSE(none.can_start);
    CHECK(none.summary == "Open a model: its kernels are tuned here.");
    CHECK(none.best.empty());
    CHECK_FALSE(none.best.empty_reason.empty());
    CHECK(none.tasks.empty_reason == none.summary);
    CHECK_FALSE(none.running);
}
