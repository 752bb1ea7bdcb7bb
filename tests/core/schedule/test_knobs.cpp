#include "core/schedule/knobs.hpp"
#include "core/schedule/legality.hpp"
#include "tests/core/schedule/gallery.hpp"
#include "tests/core/schedule/programs.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

using namespace orrery;
using namespace orrery::schedule;
using namespace orrery::schedule::test;
using Ints = std::vector<std::int64_t>;

namespace {

Trace trace_of(const std::string& text) {
    const Result<Trace> trace = parse_trace(text);
    if (!trace) FAIL(to_string(trace.error()));
    return *trace;
}

} // namespace

TEST_CASE("open numbers stand in the text of a trace", "[schedule][knobs]") {
    const std::string text = "split(conv.c, [knob(t0, [4, 8, 16]), 8])\n"
                             "split(conv.h, [-1, knob(t1, [2, 4], 4)])\n"
                             "split(conv.w, [-1, sample_categorical(t2, [2, 4], [1, 3])])\n"
                             "split(conv.ic, sample_perfect_tile(t3, 2, 16))\n"
                             "split(conv.kh, sample_perfect_tile(t4, 2, 16, [3, 1]))\n"
                             "compute_at(pad, sample_compute_location(l0))\n"
                             "annotate(conv, note, \"two words, and \\\"quotes\\\"\")\n";
    const Trace trace = trace_of(text);
    REQUIRE(to_string(trace) == text);
    REQUIRE(trace_of(to_string(trace)) == trace);
    REQUIRE(std::get<Ints>(trace.steps[0].args[1]) == Ints{4, 8});
    REQUIRE(std::get<Ints>(trace.steps[1].args[1]) == Ints{-1, 4});
    REQUIRE(knobs_of(trace).size() == 6);
    for (const char* wrong : {"split(a.b, [knob(t0, []), 8])", "split(a.b, [knob(t0, [4], 5), 8])",
                              "split(a.b, [knob([4]), 8])", "split(a.b, [sample_categorical(t, [4, 8], [1]), 8])",
                              "split(a.b, sample_perfect_tile(t, 0, 4))", "annotate(a, b, \"open)"})
        REQUIRE(parse_trace(wrong).error().code == Code::BadText);
}

TEST_CASE("numbers become knobs and knobs become numbers", "[schedule][knobs]") {
    const Trace trace = trace_of("split(matmul.m, [-1, 2])\nsplit(matmul.n, [-1, 4])\n");
    const std::vector<TracePlace> numbers = closed_numbers(trace);
    REQUIRE(numbers.size() == 4);
    const Trace one = promote(trace, numbers[1], "tm", {1, 2, 3}).value();
    REQUIRE(to_string(one) == "split(matmul.m, [-1, knob(tm, [1, 2, 3], 2)])\nsplit(matmul.n, [-1, 4])\n");
    const Trace two = promote(one, numbers[3], "tn", {2, 8}).value();
    REQUIRE(to_string(two).find("knob(tn, [2, 8, 4], 4)") != std::string::npos);
    REQUIRE(space_size(two) == 9);
    std::set<std::string> seen;
    for (std::uint64_t i = 0; i < space_size(two); ++i) seen.insert(to_string(fix_all(nth(two, i)).value()));
    REQUIRE(seen.size() == 9);
    REQUIRE(fix_all(two).value() == trace);
    REQUIRE(to_string(decide(two, "tm", 3).value()).find("[1, 2, 3], 3)") != std::string::npos);
    REQUIRE(decide(two, "tm", 7).error().code == Code::BadArgument);
    REQUIRE(decide(two, "tx", 7).error().code == Code::UnknownName);
    REQUIRE(fix(two, "tx").error().code == Code::UnknownName);
    REQUIRE(promote(one, numbers[1], "again", {1}).error().code == Code::BadArgument);
    REQUIRE(promote(one, numbers[3], "tm", {2}).error().code == Code::BadArgument);
    REQUIRE(promote(trace, {7, 0, 0}, "t", {1}).error().code == Code::BadArgument);
    // One name in two places is one decision.
    const Trace shared = promote(promote(trace, numbers[1], "t", {2, 4}).value(), numbers[3], "t", {2, 4}).value();
    REQUIRE(space_size(shared) == 2);
    REQUIRE(to_string(fix_all(nth(shared, 1)).value()) == "split(matmul.m, [-1, 4])\nsplit(matmul.n, [-1, 4])\n");
}

TEST_CASE("perfect tiles multiply to the extent", "[schedule][knobs]") {
    REQUIRE(perfect_tiles(12, 2, 4) == std::vector<Ints>{{3, 4}, {4, 3}, {6, 2}, {12, 1}});
    REQUIRE(perfect_tiles(7, 2, 4) == std::vector<Ints>{{7, 1}});
    REQUIRE(perfect_tiles(64, 3, 64).size() == 28);
    for (const Ints& tile : perfect_tiles(56, 4, 16)) REQUIRE(tile[0] * tile[1] * tile[2] * tile[3] == 56);
}

TEST_CASE("an open trace is drawn from a seed and keeps the numbers", "[schedule][knobs]") {
    const tensor::Program program = conv_bias_relu(4, 8, 6);
    const Trace open = trace_of("compute_at(pad, sample_compute_location(l0))\n"
                                "split(relu.c, sample_perfect_tile(t0, 2, 8))\n"
                                "split(relu.w, [-1, sample_categorical(t1, [2, 3], [1, 2])])\n"
                                "unroll(relu.w_i)\n");
    std::set<std::string> drawn;
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        const Result<Trace> decided = sample(program, open, seed);
        if (!decided) FAIL(to_string(decided.error()));
        REQUIRE(sample(program, open, seed).value() == *decided);
        INFO(to_string(*decided));
        const Replay done = replay(program, *decided).value();
        REQUIRE(difference(program, done.result()) < 1e-5);
        REQUIRE(trace_of(to_string(*decided)) == *decided);
        drawn.insert(to_string(*decided));
    }
    REQUIRE(drawn.size() > 3);
}

TEST_CASE("a menu lists what is legal with operands that work, and why the rest is not", "[schedule][legality]") {
    const tensor::Program program = conv_bias_relu(3, 4, 6);
    for (const char* place : {"conv", "conv.c", "conv.ic", "pad", "relu.w"}) {
        const Result<std::vector<Legality>> menu = legal_primitives(program, place);
        REQUIRE(menu.has_value());
        REQUIRE(menu->size() > 5);
        for (const Legality& line : *menu) {
            INFO(place << " " << line.primitive->name);
            for (const TraceStep& step : line.steps) {
                REQUIRE(step.primitive == line.primitive->name);
                REQUIRE(apply_step(program, step).has_value());
            }
            if (!line.legal()) REQUIRE_FALSE(line.refusal.message.empty());
        }
    }
    const auto find = [&](const std::string& place, const std::string& primitive) {
        const std::vector<Legality> menu = legal_primitives(program, place).value();
        for (const Legality& line : menu)
            if (line.primitive->name == primitive) return line;
        FAIL(primitive);
        return Legality{};
    };
    REQUIRE(find("conv.c", "parallel").legal());
    REQUIRE_FALSE(find("conv.ic", "parallel").legal());
    REQUIRE(find("pad", "compute_at").legal());
    REQUIRE(find("bias", "compute_inline").legal());
    REQUIRE_FALSE(find("conv", "compute_inline").legal());
    REQUIRE(legal_primitives(program, "nobody").error().code == Code::UnknownName);
}
