// Candidates measured, compared and kept, whatever becomes of them.

#include "core/tensor/analysis.hpp"
#include "core/tuning/measurer.hpp"
#include "tests/core/tuning/programs.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::tuning;
using namespace orrery::tuning_test;

namespace {

Candidate candidate(const tensor::Program& scheduled, const tensor::Program& written = doubles()) {
    return {to_string(tensor::structural_hash(written)),
            written,
            scheduled,
            "trace of " + scheduled->name,
            backend()->host(),
            {}};
}

MeasureOptions quick() {
    MeasureOptions options;
    options.seconds = 0, options.least_runs = 3, options.deadline_seconds = 20;
    return options;
}

} // namespace

TEST_CASE("every outcome is kept with its reason", "[tuning]") {
    const Folder folder;
    const auto path = folder.path / "records.db";
    const std::string workload = candidate(doubles()).workload;
    {
        Measurer measurer(backend(), {.records = path});
        const Record ok = measurer.measure(candidate(doubles()), quick(), {}).value();
        INFO(ok.reason);
        CHECK(ok.outcome == Outcome::Ok);
        CHECK(ok.reason.empty());
        CHECK(ok.times.runs == 3);
        CHECK(ok.times.median_ms > 0);
        CHECK(ok.id > 0);
        CHECK(ok.threads == 1);
        const Record wrong = measurer.measure(candidate(triples()), quick(), {}).value();
        CHECK(wrong.outcome == Outcome::WrongAnswer);
        CHECK(wrong.reason.find("element") != std::string::npos);
        CHECK(measurer.measure(candidate(forgets()), quick(), {}).value().outcome == Outcome::WrongAnswer);
        CHECK(measurer.measure(candidate(crashes()), quick(), {}).value().outcome == Outcome::Crashed);
        MeasureOptions short_time = quick();
        short_time.deadline_seconds = 0.3;
        CHECK(measurer.measure(candidate(hangs()), short_time, {}).value().outcome == Outcome::TimedOut);
        CHECK(measurer.measure(candidate(doubles()), quick(), {}).value().outcome == Outcome::Ok);
        CHECK_FALSE(measurer.records_problem());
    }
    // Another program reads it.
    Measurer later(backend(), {.records = path});
    const std::vector<Record> rows = later.of_workload(workload);
    REQUIRE(rows.size() == 6);
    const Outcome expected[] = {Outcome::Ok,          Outcome::TimedOut,    Outcome::Crashed,
                                Outcome::WrongAnswer, Outcome::WrongAnswer, Outcome::Ok};
    for (std::size_t i = 0; i < rows.size(); ++i) {
        CHECK(rows[i].outcome == expected[i]);
        CHECK((rows[i].outcome == Outcome::Ok) == rows[i].reason.empty());
        CHECK(rows[i].machine == later.machine());
        CHECK_FALSE(describe(rows[i]).empty());
    }
}

TEST_CASE("a record says how far away weights were", "[tuning]") {
    Measurer measurer(backend(), {.records = {}});
    Candidate far = candidate(doubles());
    CHECK(measurer.measure(far, quick(), {}).value().weights_distance == 0);
    far.weights = {true, true, true}, far.weights_distance = weights_distance(3 << 20); // results are no weights
    const Record record = measurer.measure(far, quick(), {}).value();
    CHECK(record.outcome == Outcome::Ok);
    CHECK(record.weights_distance == 4 << 20);
    CHECK(describe(record).find("weights as in a model with 4 MiB of them") != std::string::npos);
    RecordKey key{record.workload, record.target, record.machine, 1, 4 << 20};
    CHECK(measurer.best_of(key) == record);
    key.weights_distance = 0;
    CHECK(measurer.best_of(key)->weights_distance == 0);
    CHECK(weights_distance((1 << 20) - 1) == 0);
    CHECK(weights_distance(1 << 20) == 1 << 20);
    CHECK(weights_distance(std::size_t{1} << 40) == kMostWeightsDistance);
}

TEST_CASE("large programs are compared with their loops as written, compiled", "[tuning]") {
    const auto large = [](const char* name, const char* factor) {
        return tensor::parse_program(std::string("fn ") + name + "(x: f32[2000000]) -> (y: f32[2000000]) {\nfor i in " +
                                     "2000000 { y[i] = x[i] * " + factor + " }\n}")
            .value();
    };
    Measurer measurer(backend(), {.records = {}});
    const tensor::Program written = large("written", "2.0");
    CHECK(measurer.measure(candidate(written, written), quick(), {}).value().outcome == Outcome::Ok);
    CHECK(measurer.measure(candidate(large("other", "2.5"), written), quick(), {}).value().outcome ==
          Outcome::WrongAnswer);
    // Loops as written that never end are no reason not to measure.
    const tensor::Program endless = hangs();
    MeasureOptions options = quick();
    options.deadline_seconds = 0.5;
    const Record record = measurer.measure(candidate(doubles(), endless), options, {}).value();
    CHECK(record.outcome == Outcome::Ok);
    CHECK(record.reason.find("not compared") != std::string::npos);
}

TEST_CASE("a database of no use costs the records, nothing else", "[tuning]") {
    const Folder folder;
    Measurer measurer(backend(), {.records = folder.path}); // a folder
    const Record record = measurer.measure(candidate(doubles()), quick(), {}).value();
    CHECK(record.outcome == Outcome::Ok);
    REQUIRE(measurer.records_problem());
    CHECK(measurer.records_problem()->code == Code::FileUnwritable);
    CHECK(measurer.of_workload(record.workload).size() == 1);
}

TEST_CASE("measuring is cancelled, and code for other machines refused", "[tuning]") {
    Measurer measurer(backend(), {.records = {}});
    std::stop_source source;
    const Progress progress{source.get_token(), [&](std::string_view what, double) {
                                if (what.starts_with("running")) source.request_stop();
                            }};
    CHECK(measurer.measure(candidate(hangs()), quick(), progress).error().code == Code::Cancelled);
    CHECK(measurer.of_workload(candidate(hangs()).workload).empty());
    Candidate foreign = candidate(doubles());
    foreign.target.triple = "riscv64-unknown-linux-gnu";
    CHECK(measurer.measure(foreign, quick(), {}).error().code == Code::NoTarget);
}

TEST_CASE("this machine's peaks are measured once and kept", "[tuning]") {
    const Folder folder;
    const auto path = folder.path / "records.db";
    Measurer measurer(backend(), {.records = path});
    CHECK_FALSE(measurer.known_peaks(1));
    const Peaks peaks = measurer.peaks(backend()->host(), 1, {}).value();
    CHECK(peaks.gflops > 0);
    REQUIRE(peaks.read.size() >= 2);
    CHECK(peaks.read.front().level == "L1");
    CHECK(peaks.read.back().level == "DRAM");
    for (const Bandwidth& level : peaks.read) CHECK(level.gb_s > 0);
    Measurer later(backend(), {.records = path});
    CHECK(later.known_peaks(1) == peaks);
    // Those of a machine that was busy with something else are measured again, and only get better.
    const Peaks again = later.peaks(backend()->host(), 1, {}).value();
    if (peaks.busy && again.busy)
        CHECK(again.gflops >= peaks.gflops);
    else if (!peaks.busy)
        CHECK(again == peaks);
}
