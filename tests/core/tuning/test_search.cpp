// Features, the learned model, proposals and budgets, without running anything.

#include "core/schedule/rules.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/text.hpp"
#include "core/tuning/budget.hpp"
#include "core/tuning/cost_model.hpp"
#include "core/tuning/features.hpp"
#include "core/tuning/search.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace orrery;
using namespace orrery::tuning;

namespace {

tensor::Program matrices() {
    return tensor::parse_program(R"(
fn product(a: f32[96,128], b: f32[128,256]) -> (c: f32[96,256]) {
  for i in 96 { for j in 256 { for k in 128 {
    block mm(vi = i in 96, vj = j in 256, reduce vk = k in 128) {
      init { c[vi, vj] = 0.0 }
      c[vi, vj] = c[vi, vj] + a[vi, vk] * b[vk, vj]
    } } } }
})")
        .value();
}

Target wide() {
    Target target;
    target.triple = "x86_64-pc-linux-gnu";
    target.vector_bits = 256, target.vector_registers = 16, target.cores = 2;
    return target;
}

float feature(const std::vector<float>& all, const std::string& name) {
    const auto names = feature_names();
    for (std::size_t i = 0; i < names.size(); ++i)
        if (name == names[i]) return all[i];
    FAIL("no feature " << name);
    return 0;
}

std::vector<float> features_with(const std::string& trace) {
    const tensor::Program program = matrices();
    return features_of(schedule::replay(program, schedule::parse_trace(trace).value()).value().result(), wide(), 1);
}

/// A landscape instead of a machine: the estimate of cycles, bent so that it is not what the model is told.
double landscape(const Prepared& prepared) {
    const float cycles = feature(prepared.features, "log2 of cycles, estimated");
    const float sums = feature(prepared.features, "log2 of sums side by side");
    const float copies = feature(prepared.features, "log2 of copies by unrolling");
    const float filled = feature(prepared.features, "vectors filled");
    const float loads = feature(prepared.features, "loads an operation");
    return std::exp2(cycles / 2) * (1 + std::abs(sums - 3)) * (1 + std::abs(copies - 2.5)) * (3 - 2 * filled) *
           (1 + loads) / 1e3;
}

/// The best after so many trials.
double best_of(SearchKind kind, std::uint64_t seed, int trials) {
    CandidateSpace space(matrices(), wide(), 1);
    space.add(schedule::default_trace(matrices(), wide()), 24);
    std::unique_ptr<CostModel> model = boosted_trees(1).value();
    Search search(kind, seed, nullptr);
    TaskHistory history;
    std::vector<Sample> samples;
    std::vector<std::pair<std::vector<float>, double>> all;
    while (static_cast<int>(history.tried.size()) < trials) {
        if (all.size() >= 16) {
            samples.clear();
            for (const auto& [features, ms] : all)
                samples.push_back({features, static_cast<float>(history.best_ms / ms)});
            model->learn(samples);
            search.use(model.get());
        }
        const std::vector<Proposal> proposals = search.propose(space, history, 16);
        if (proposals.empty()) break;
        for (const Proposal& proposal : proposals) {
            const double ms = landscape(proposal.prepared);
            CHECK(history.programs.insert(proposal.prepared.hash).second);
            history.tried.push_back({proposal.prepared.point, ms});
            all.emplace_back(proposal.prepared.features, ms);
            history.best_ms = history.best_ms == 0 ? ms : std::min(history.best_ms, ms);
        }
    }
    return history.best_ms;
}

} // namespace

TEST_CASE("features say what a schedule does", "[tuning][features]") {
    const std::vector<float> plain = features_with("");
    CHECK(plain.size() == feature_names().size());
    CHECK(feature(plain, "log2 of operations in all") == Approx(std::log2(2.0 * 96 * 256 * 128)));
    CHECK(feature(plain, "log2 of lanes") == 0);
    CHECK(feature(plain, "log2 of parallel pieces") == 0);
    const std::vector<float> vectors =
        features_with("split(mm.j, [-1, 16])\nreorder([mm.k, mm.j_i])\nvectorize(mm.j_i)");
    CHECK(feature(vectors, "log2 of lanes") == 4);
    CHECK(feature(vectors, "vectors filled") == 1);
    CHECK(feature(vectors, "gathers") == 0);
    CHECK(feature(vectors, "log2 of cycles, estimated") < feature(plain, "log2 of cycles, estimated"));
    // Along the rows of b, lanes would gather.
    const std::vector<float> gathered = features_with("split(mm.i, [-1, 8])\nreorder([mm.i_o, mm.j, mm.k, mm.i_i])\n"
                                                      "vectorize(mm.i_i)");
    CHECK(feature(gathered, "gathers") > 0);
    const std::vector<float> tiled = features_with("split(mm.i, [-1, 4])\nsplit(mm.j, [-1, 8])\n"
                                                   "reorder([mm.i_o, mm.j_o, mm.k, mm.i_i, mm.j_i])\n"
                                                   "unroll(mm.i_i)\nvectorize(mm.j_i)\nparallel(mm.i_o)");
    CHECK(feature(tiled, "log2 of copies by unrolling") == 2);
    CHECK(feature(tiled, "log2 of sums side by side") == 2);
    CHECK(feature(tiled, "log2 of parallel pieces") == Approx(std::log2(24.0)));
    CHECK(feature(tiled, "log2 of bytes past the first cache, an operation") <
          feature(plain, "log2 of bytes past the first cache, an operation"));
    CHECK(most_written_out(matrices(), wide()) == 1);
}

TEST_CASE("boosted trees learn, and the same from the same", "[tuning][model]") {
    const std::unique_ptr<CostModel> model = boosted_trees(3).value();
    CHECK(model->predict(std::vector<std::vector<float>>{{1, 2}}).empty());
    std::vector<Sample> samples;
    std::vector<std::vector<float>> rows;
    for (int i = 0; i < 60; ++i) {
        rows.push_back({static_cast<float>(i % 10), static_cast<float>(i / 10)});
        samples.push_back({rows.back(), rows.back()[0] / 10 + (rows.back()[1] > 2 ? 0.05F : 0)});
    }
    model->learn(samples);
    const std::vector<float> first = model->predict(rows);
    REQUIRE(first.size() == rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) CHECK(first[i] == Approx(samples[i].score).margin(0.05));
    const std::unique_ptr<CostModel> other = boosted_trees(3).value();
    other->learn(samples);
    CHECK(other->predict(rows) == first);
}

TEST_CASE("proposals are new, and the same for the same seed", "[tuning][search]") {
    CHECK(best_of(SearchKind::Random, 5, 24) == best_of(SearchKind::Random, 5, 24));
    CHECK(best_of(SearchKind::Model, 5, 32) == best_of(SearchKind::Model, 5, 32));
}

TEST_CASE("a model finds more than chance does", "[tuning][search]") {
    double random = 0, model = 0, genetic = 0;
    for (const std::uint64_t seed : {1, 2, 3}) {
        random += best_of(SearchKind::Random, seed, 64);
        genetic += best_of(SearchKind::Genetic, seed, 64);
        model += best_of(SearchKind::Model, seed, 64);
    }
    CHECK(model < random);
    CHECK(genetic < random);
}

TEST_CASE("points of spaces are found again, pinned and bounded", "[tuning][search]") {
    CandidateSpace space(matrices(), wide(), 1);
    const std::optional<Point> origin = space.add(schedule::default_trace(matrices(), wide()), 24);
    REQUIRE(origin);
    CHECK(space.prepare(*origin).trace == schedule::default_trace(matrices(), wide()));
    Dice dice(9);
    int found = 0;
    for (int i = 0; i < 30; ++i) {
        const Point point = space.drawn(dice);
        const Prepared prepared = space.prepare(point);
        if (!prepared.refused.empty()) continue;
        const std::optional<Point> again = space.find(prepared.trace);
        REQUIRE(again);
        CHECK(space.prepare(*again).hash == prepared.hash);
        ++found;
    }
    CHECK(found > 3);
    const KnobInfo knob = space.spaces().front().knobs.front();
    space.pin(knob.name, knob.candidates.back());
    for (int i = 0; i < 30; ++i)
        for (const KnobValue& value : space.knobs(space.mutated(space.drawn(dice), dice)))
            if (value.name == knob.name) CHECK(value.value == knob.candidates.back());
    CHECK_FALSE(space.add(schedule::parse_trace("vectorize(mm.nowhere)").value(), 4));
}

TEST_CASE("points prepared on all cores are those prepared one by one", "[tuning][search]") {
    CandidateSpace space(matrices(), wide(), 1);
    REQUIRE(space.add(schedule::default_trace(matrices(), wide()), 24));
    Dice dice(3);
    std::vector<Point> points;
    for (int i = 0; i < 60; ++i) points.push_back(space.drawn(dice));
    const std::vector<Prepared> all = space.prepare_all(points);
    REQUIRE(all.size() == points.size());
    std::size_t refused = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
        const Prepared one = space.prepare(points[i]);
        CHECK(all[i].point == points[i]);
        CHECK(all[i].refused == one.refused);
        CHECK(all[i].trace == one.trace);
        CHECK(all[i].hash == one.hash);
        CHECK(all[i].features == one.features);
        refused += all[i].refused.empty() ? 0 : 1;
    }
    CHECK(refused < points.size());
}

TEST_CASE("the budget goes where most is to be won", "[tuning][budget]") {
    TaskProgress slow, fast, done;
    slow.best_ms = 10, slow.calls = 1, slow.trials = 16;
    fast.best_ms = 1, fast.calls = 4, fast.trials = 16;
    done = slow, done.exhausted = true, done.calls = 100;
    std::vector<TaskProgress> tasks{fast, slow, done};
    for (TaskProgress& task : tasks) task.expected_gain_ms = expected_gain_ms(task, 0.2 * task.best_ms, 16);
    CHECK(next_task(tasks) == 1);
    // One that is called more often, or that is far from the roof, or that was just improved, gains on it.
    tasks[0].calls = 50;
    tasks[0].expected_gain_ms = expected_gain_ms(tasks[0], 0.2, 16);
    CHECK(next_task(tasks) == 0);
    const double before = expected_gain_ms(slow, 2, 16);
    CHECK(expected_gain_ms(slow, 9.9, 16) < before);
    TaskProgress tried = slow;
    tried.trials = 160;
    CHECK(expected_gain_ms(tried, 2, 16) < before);
    tried.best_so_far = {{1, 1, 0, 30}, {150, 150, 1, 10}};
    CHECK(expected_gain_ms(tried, 2, 16) > before);
    CHECK_FALSE(next_task(std::vector<TaskProgress>{done}));
    Peaks peaks;
    peaks.gflops = 100, peaks.read = {{"L1", 1000, 1000}, {"DRAM", 100000, 10}};
    TaskProgress task;
    task.flops = 2e8, task.bytes = 1e6;
    CHECK(least_ms(task, peaks) == Approx(2));
    task.flops = 0;
    CHECK(least_ms(task, peaks) == Approx(0.1));
}
