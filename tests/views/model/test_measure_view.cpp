// What was measured of a kernel, as rows and points.

#include "core/schedule/trace.hpp"
#include "core/session/snapshot.hpp"
#include "core/tensor/text.hpp"
#include "views/model/measure_view.hpp"
#include "views/model/session_views.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::views;

namespace {

tuning::Record row(const std::string& trace, double ms, std::int64_t time) {
    tuning::Record r;
    r.id = time, r.function = "scale", r.trace = trace, r.times = {ms, ms, ms, ms, 0.02, 50};
    r.threads = 1, r.machine = "here", r.target = "llvm", r.time = time;
    return r;
}

/// A kernel of 1000 multiplications, its trace of one step, and measurements of it.
session::Snapshot picture() {
    const tensor::Program program =
        tensor::parse_program(
            "fn scale(x: f32[1000]) -> (y: f32[1000]) {\nfor i in 1000 {\nblock scale(vi = i in 1000) "
            "{ reads x[vi] writes y[vi] y[vi] = x[vi] * 2.0 } } }")
            .value();
    auto function = std::make_shared<session::ScheduledFunction>();
    function->lowered.name = "scale";
    function->lowered.program = program;
    function->lowered.workload = tensor::structural_hash(program);
    function->trace = schedule::parse_trace("parallel(scale.i)").value();
    function->replay = schedule::replay(program, function->trace).value();
    function->cost = tensor::cost_of(program);
    auto known = std::make_shared<session::Measurements>();
    known->function = "scale", known->workload = to_string(function->lowered.workload);
    known->machine = "here", known->target = "llvm", known->threads = 1;
    known->peaks = tuning::Peaks{100, {{"L1", 1, 400}, {"DRAM", 1, 10}}};
    const std::string present = schedule::to_string(function->trace);
    known->rows = {
        row("", 1e-3, 7),      row(present, 5e-4, 6), row(present, 6e-4, 5), row("vectorize(scale.i)\n", 1e-4, 4),
        row(present, 1e-5, 3), row("", 1e-5, 2),      row("crash\n", 0, 1)};
    known->rows[4].threads = 2, known->rows[5].machine = "elsewhere";
    known->rows[6].outcome = tuning::Outcome::Crashed, known->rows[6].reason = "crashed with signal 11";
    session::Snapshot s;
    s.functions = {function};
    s.measurements = known;
    return s;
}

} // namespace

TEST_CASE("each measurement is a row, each comparable one a point", "[views][measure]") {
    const MeasureViewData data = build_measure(picture(), {});
    CHECK(data.subject == "scale");
    CHECK(data.can_measure);
    REQUIRE(data.table.rows.size() == 7);
    CHECK(data.traces.size() == 7);
    CHECK(data.present == 1); // the newest of the shown trace here
    CHECK(data.table.rows[0].cells[0].text == "the loops as written");
    CHECK(data.table.rows[1].cells[0].text == "▸ 1 step · parallel(scale.i)");
    CHECK(data.table.rows[1].cells[1].text == "500 ns");
    CHECK(data.table.rows[1].cells[3].text == "2.0"); // 1000 operations in half a microsecond
    CHECK(data.table.rows[1].cells[4].text == "2 %");
    CHECK(data.table.rows[4].tone == Tone::Dim); // two threads
    CHECK(data.table.rows[5].tone == Tone::Dim); // another machine
    CHECK(data.table.rows[6].tone == Tone::Bad);
    CHECK(data.table.rows[6].cells[1].text == "crashed");
    CHECK(data.table.rows[6].details.find("signal 11") != std::string::npos);
    // The best of the comparable ones, not the fastest of all.
    CHECK(data.summary == "1 thread · best 100 ns, 10.0 GFLOP/s, 10 % of the peak · this trace 500 ns");
    REQUIRE(data.roofline.roofs.size() == 3);
    CHECK(data.roofline.roofs[0].arithmetic);
    CHECK(data.roofline.roofs[2].label == "DRAM 10.0 GB/s");
    REQUIRE(data.roofline.points.size() == 4);
    CHECK(data.roofline.points[0].intensity == Approx(1.0 / 8)); // four bytes read, four written, one operation
    CHECK(data.roofline.points[1].present);
    CHECK(data.roofline.points[3].row == 3);
    CHECK(data.roofline.points[3].gflops == Approx(10));
    CHECK(to_text(data).find("(this trace)") != std::string::npos);
    CHECK(to_json(data).find("\"present\"") != std::string::npos);
}

TEST_CASE("a busy machine is told beside the spread", "[views][measure]") {
    session::Snapshot s = picture();
    auto known = std::make_shared<session::Measurements>(*s.measurements);
    known->rows[0].busy_others = 1.4;
    s.measurements = known;
    const MeasureViewData data = build_measure(s, {});
    CHECK(data.table.rows[0].cells[2].text.find("busy") != std::string::npos);
    CHECK(data.table.rows[1].cells[2].text.find("busy") == std::string::npos);
}

TEST_CASE("without measurements the pane says what to do", "[views][measure]") {
    const MeasureViewData nothing = build_measure({}, {});
    CHECK_FALSE(nothing.can_measure);
    CHECK_FALSE(nothing.why_not.empty());
    CHECK_FALSE(nothing.table.empty_reason.empty());
    session::Snapshot s = picture();
    s.measurements = nullptr;
    const MeasureViewData unmeasured = build_measure(s, {});
    CHECK(unmeasured.can_measure);
    CHECK(unmeasured.table.rows.empty());
    CHECK(unmeasured.table.empty_reason.find("Ctrl+Shift+M") != std::string::npos);
    CHECK_FALSE(unmeasured.roofline.empty_reason.empty());
    // Those of another workload are not this one's.
    s = picture();
    auto other = std::make_shared<session::Measurements>(*s.measurements);
    other->workload = "other";
    s.measurements = other;
    CHECK(build_measure(s, {}).table.rows.empty());
    // While it runs, what it is doing is told.
    s.jobs.push_back({1, "measuring scale", "running scale", 0.5, 0.2});
    CHECK(build_measure(s, {}).running == "measuring scale: running scale");
    CHECK(build_measure(s, {}).fraction == 0.5);
}

TEST_CASE("a trace in a few words", "[views][measure]") {
    CHECK(short_trace("") == "the loops as written");
    CHECK(short_trace("parallel(a.i)\n") == "1 step · parallel(a.i)");
    CHECK(short_trace("split(a.i, [2, 4])\nparallel(a.i_o)") == "2 steps · parallel(a.i_o)");
}
