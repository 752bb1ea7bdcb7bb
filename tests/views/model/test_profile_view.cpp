// The profile pane's data, in text form.

#include "core/session/profile.hpp"
#include "core/session/snapshot.hpp"
#include "views/model/profile_view.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::views;

namespace {

session::Profile sample() {
    session::Profile p;
    p.sources = std::make_shared<const std::vector<graph::Source>>(
        std::vector<graph::Source>{{"/stem/Conv", "Conv"}, {"/stem/Relu", "Relu"}, {"/head/Gemm", "Gemm"}});
    p.whole = {0.1, 0.09, 0.1, 0.1, 0.02, 12};
    p.threads = 2;
    p.peaks = tuning::Peaks{100, {{"L1", 1, 400}, {"DRAM", 1, 10}}, false};
    p.calls.push_back({"conv_relu",
                       "a",
                       OriginSet({0, 1}),
                       60,
                       1.2e6,
                       1000,
                       12,
                       "FMA",
                       {{"conv2d", OriginSet(0), 0.75, 1.1e6, 900}, {"relu", OriginSet(1), 0.25, 1e5, 100}}});
    p.calls.push_back({"dense", "b", OriginSet(2), 35, 2e5, 3e5, 30, "DRAM", {{"matmul", OriginSet(2), 1, 2e5, 3e5}}});
    return p;
}

} // namespace

TEST_CASE("a profile as text", "[views][profile]") {
    const ProfileViewData data = build_profile(sample());
    CHECK(data.summary == "0.1 ms on 2 threads, median of 12 runs · 2 calls · 42 % of what this machine can do · "
                          "5 µs between kernels");
    CHECK(data.headline == "conv_relu, in 1 call, is 60 % of the time at 20 % of its peak; at 80 % of it the model "
                           "would take 55 µs");
    CHECK(to_text(data.operators) == "Operator   Time  Share  Calls  GFLOP/s     GB/s  Of peak  Bound by\n"
                                     "conv2d    45 µs   45 %      1     24.4     0.02     20 %  FMA\n"
                                     "matmul    35 µs   35 %      1     5.71     8.57     86 %  DRAM\n"
                                     "relu      15 µs   15 %      1     6.67  0.00667     20 %  FMA\n");
    REQUIRE(data.layers.rows.size() == 2);
    CHECK(data.layers.rows[0].cells[0].text == "stem");
    CHECK(data.layers.rows[0].origins == OriginSet({0, 1}));
    CHECK(data.nodes.rows.size() == 3);
    REQUIRE(data.kernels.rows.size() == 2);
    CHECK(data.kernel_names == std::vector<std::string>{"conv_relu", "dense"});
    REQUIRE(data.segments.size() == 2);
    CHECK(data.segments[0].kind == OperatorKind::Convolution);
    CHECK(data.segments[0].to == Approx(60.0 / 95));
    CHECK(data.segments[1].kernel == 1);
    REQUIRE(data.roofline.points.size() == 2);
    CHECK(data.roofline.points[0].gflops == Approx(20));
    CHECK(data.roofline.points[0].intensity == Approx(1200));
    CHECK(data.roofline.roofs.size() == 3);
    CHECK(to_text(data).find("timed by itself") != std::string::npos);
    CHECK(to_json(data).find("\"what_if\"") != std::string::npos);
}

TEST_CASE("a profile of a machine that is not known has no shares of peaks", "[views][profile]") {
    session::Profile p = sample();
    p.peaks.reset();
    p.no_peaks = "no worker";
    for (session::ProfileCall& call : p.calls) call.bound_us = 0, call.roof.clear();
    const ProfileViewData data = build_profile(p);
    CHECK(data.headline.empty());
    CHECK(data.what_if.rows.empty());
    CHECK(data.what_if.empty_reason == "This machine's peaks are not known: no worker.");
    CHECK(data.operators.rows[0].cells[6].text == "–");
}

TEST_CASE("a profile pane without a profile says how to get one", "[views][profile]") {
    const ProfileViewData none = build_profile(session::Snapshot{});
    CHECK_FALSE(none.can_profile);
    CHECK(none.why_not == "Open a model: where its time goes appears here.");
    CHECK(none.kernels.empty_reason == none.why_not);
    session::Snapshot running;
    running.jobs.push_back({1, "profiling lenet", "run 3", 0.5, 0.1, false});
    CHECK(profile_job(running) == ProfileJob{"profiling lenet: run 3", 0.5});
}
