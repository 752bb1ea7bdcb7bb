// Where a model's time goes: sums over operators, nodes, layers and kernels, bounds, what if.

#include "core/session/profile.hpp"

#include "backends/llvm/llvm_backend.hpp"
#include "core/session/compiler.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>

using namespace orrery;
using namespace orrery::session;

namespace {

const std::vector<graph::Source> kSources = {{"/stem/Conv", "Conv"},        {"/stem/Relu", "Relu"},
                                             {"/body/0/conv/Conv", "Conv"}, {"/body/0/bn/Norm", "Norm"},
                                             {"/body/1/conv/Conv", "Conv"}, {"/body/1/bn/Norm", "Norm"},
                                             {"Softmax_9", "Softmax"}};

OriginSet of(std::vector<SourceId> ids) { return OriginSet(std::move(ids)); }

/// A stem of convolution and relu, one kernel that two layers share, a softmax without a path, of 100 us together.
Profile sample() {
    Profile p;
    p.sources = std::make_shared<const std::vector<graph::Source>>(kSources);
    p.whole.median_ms = 0.1, p.whole.runs = 10;
    p.peaks = tuning::Peaks{100, {{"DRAM", 1, 10}}, false};
    p.calls.push_back({"conv_relu",
                       "a",
                       of({0, 1}),
                       40,
                       1.2e6,
                       1000,
                       12,
                       "FMA",
                       {{"conv2d", of({0}), 0.75, 1.1e6, 900}, {"relu", of({1}), 0.25, 1e5, 100}}});
    for (SourceId first : {2u, 4u})
        p.calls.push_back({"conv",
                           first == 2 ? "b" : "c",
                           of({first, first + 1}),
                           20,
                           1.5e6,
                           1000,
                           15,
                           "FMA",
                           {{"conv2d", of({first, first + 1}), 1, 1.5e6, 1000}}});
    p.calls.push_back({"softmax", "d", of({6}), 10, 1e3, 8e4, 8, "DRAM", {{"softmax", of({6}), 1, 1e3, 8e4}}});
    return p;
}

/// "name us calls depth", one row a line.
std::string text(const std::vector<ProfileRow>& rows) {
    std::string out;
    for (const ProfileRow& r : rows)
        out += r.name + " " + std::to_string(static_cast<int>(r.us + 0.5)) + " " + std::to_string(r.calls) + " " +
               std::to_string(r.depth) + " " + r.roof + "\n";
    return out;
}

} // namespace

TEST_CASE("time is led back to kernels, operators, nodes and layers", "[session][profile]") {
    const Profile p = sample();
    CHECK(p.calls_us() == Approx(90));
    CHECK(text(by_kernel(p)) == "conv_relu 40 1 0 FMA\nconv 40 2 0 FMA\nsoftmax 10 1 0 DRAM\n");
    CHECK(text(by_operator(p)) == "conv2d 70 3 0 FMA\nrelu 10 1 0 FMA\nsoftmax 10 1 0 DRAM\n");
    CHECK(text(by_node(p)) == "/stem/Conv 30 1 0 FMA\n/body/0/conv/Conv + /body/0/bn/Norm 20 1 0 FMA\n"
                              "/body/1/conv/Conv + /body/1/bn/Norm 20 1 0 FMA\n/stem/Relu 10 1 0 FMA\n"
                              "Softmax_9 10 1 0 DRAM\n");
    CHECK(text(by_layer(p)) == "stem 40 1 0 FMA\nbody 40 2 0 FMA\n0 20 1 1 FMA\n1 20 1 1 FMA\nSoftmax_9 10 1 0 DRAM\n");
    const std::vector<ProfileRow> kernels = by_kernel(p);
    CHECK(kernels[1].flops == Approx(3e6));
    CHECK(kernels[1].bound_us == Approx(30));
    CHECK(kernels[1].origins == of({2, 3, 4, 5}));
}

TEST_CASE("a part of no node is a row of its own", "[session][profile]") {
    Profile p = sample();
    p.calls.push_back({"copy", "e", {}, 5, 0, 10, 1, "DRAM", {{"copy", {}, 1, 0, 10}}});
    CHECK(text(by_node(p)).find("of no node 5 1 0 DRAM\n") != std::string::npos);
    CHECK(text(by_layer(p)).find("of no layer 5 1 0 DRAM\n") != std::string::npos);
}

TEST_CASE("what if kernels came as close to their bounds as they should", "[session][profile]") {
    const std::vector<WhatIf> rows = what_if(sample());
    // conv_relu gains 40 - 12/0.8 = 25, conv 40 - 30/0.8 = 2.5, softmax is close enough.
    REQUIRE(rows.size() == 6);
    CHECK(rows[0].what == "conv_relu");
    CHECK(rows[0].gain_us == Approx(25));
    CHECK(rows[0].share == Approx(0.4));
    CHECK(rows[0].of_bound == Approx(0.3));
    CHECK(rows[1].what == "conv");
    CHECK(rows[1].gain_us == Approx(2.5));
    CHECK(rows[2].what == "all of conv2d"); // 70 us, at best 9 + 30
    CHECK(rows[2].gain_us == Approx(70 - 39 / 0.8));
    CHECK(rows[3].what == "all of relu");
    CHECK(rows[4].what == "everything");
    CHECK(rows[4].gain_us == Approx(27.5));
    CHECK(rows[5].what == "between kernels");
    CHECK(rows[5].gain_us == Approx(10));
    Profile unknown = sample();
    unknown.peaks.reset();
    CHECK(what_if(unknown).empty());
    Profile slow = sample();
    slow.whole.median_ms = 0.2;
    CHECK(what_if(slow).back().what == "between kernels");
    CHECK(what_if(slow).back().gain_us == Approx(110));
}

TEST_CASE("a model's profile adds up", "[session][profile]") {
    const auto compiler = std::make_shared<Compiler>(make_llvm_backend(), Compiler::Options{});
    Recipe recipe = compiler->new_recipe({});
    recipe.builtin = "resnet18", recipe.threads = 1;
    const auto model = compiler->compile(recipe, {}).value();
    const auto steps = compiler->graph_steps(recipe, {}).value();
    recipe.target.l3_bytes = 8 << 20;
    Profile p = profile(*model, steps.back()->module, recipe, {.runs = 1}, {}).value();
    set_peaks(p, *model, recipe,
              tuning::Peaks{100, {{"L1", 1, 400}, {"L2", 1, 100}, {"L3", 1, 20}, {"DRAM", 1, 10}}, false});
    REQUIRE(p.calls.size() == model->model.calls.size());
    CHECK(p.whole.runs == 1);
    CHECK(p.whole.median_ms * 1e3 >= p.calls_us() * 0.99);
    for (const ProfileCall& call : p.calls) {
        double shares = 0;
        for (const ProfilePart& part : call.parts) shares += part.share;
        CHECK(shares == Approx(1));
        CHECK(call.bound_us > 0);
        CHECK_FALSE(call.roof.empty());
    }
    for (const auto& rows : {by_kernel(p), by_operator(p), by_node(p), by_layer(p)}) {
        double sum = 0;
        for (const ProfileRow& row : rows) sum += row.depth == 0 ? row.us : 0;
        CHECK(sum == Approx(p.calls_us()));
    }
    // Layers that share a kernel are told apart; a convolution takes most of a kernel it is fused with a relu in.
    const std::vector<ProfileRow> kernels = by_kernel(p);
    const auto shared = std::ranges::find_if(kernels, [](const ProfileRow& row) { return row.calls > 1; });
    REQUIRE(shared != kernels.end());
    std::vector<OriginSet> origins;
    for (const ProfileCall& call : p.calls)
        if (call.function == shared->name) origins.push_back(call.origin);
    REQUIRE(origins.size() == shared->calls);
    CHECK_FALSE(origins[0].intersects(origins[1]));
    const std::vector<ProfileRow> operators = by_operator(p);
    CHECK(operators.front().name.find("conv2d") != std::string::npos);
    // All weights of it come from memory: 46 MB do not stay in a cache for a whole run.
    const auto dense = std::ranges::find_if(
        p.calls, [](const ProfileCall& c) { return c.function.find("matmul") != std::string::npos; });
    if (dense != p.calls.end()) CHECK(dense->roof == "DRAM");
}

TEST_CASE("a profiling is cancelled", "[session][profile]") {
    const auto compiler = std::make_shared<Compiler>(make_llvm_backend(), Compiler::Options{});
    Recipe recipe = compiler->new_recipe({});
    recipe.builtin = "lenet", recipe.threads = 1;
    const auto model = compiler->compile(recipe, {}).value();
    const auto steps = compiler->graph_steps(recipe, {}).value();
    std::stop_source stop;
    int told = 0;
    const Progress progress{stop.get_token(), [&](std::string_view, double fraction) {
                                CHECK(fraction <= 1);
                                if (++told == 3) stop.request_stop();
                            }};
    const auto made = profile(*model, steps.back()->module, recipe, {.runs = 100}, progress);
    REQUIRE_FALSE(made.has_value());
    CHECK(made.error().code == Code::Cancelled);
    CHECK(told == 3);
}
