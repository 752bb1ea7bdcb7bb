// Runs in few numbers.

#include "core/tensor/analysis.hpp"
#include "core/tuning/machine.hpp"
#include "core/tuning/measurement.hpp"
#include "core/tuning/peaks.hpp"
#include "tests/core/tuning/programs.hpp"

#include <catch2/catch.hpp>

#include <sched.h>

#include <numeric>
#include <random>

using namespace orrery;
using namespace orrery::tuning;

TEST_CASE("the median, the middle half and the interval of runs", "[tuning]") {
    std::vector<double> runs(100);
    std::iota(runs.begin(), runs.end(), 1.0);
    std::ranges::shuffle(runs, std::mt19937(1));
    const Times t = summarize(runs);
    CHECK(t.runs == 100);
    CHECK(t.median_ms == 50.5);
    CHECK(t.min_ms == 1);
    // By the tables, ranks 40 and 61 of 100 bound the median with 95 %; the normal approximation may take one more.
    CHECK(t.low_ms <= 41);
    CHECK(t.low_ms >= 39);
    CHECK(t.high_ms >= 60);
    CHECK(t.high_ms <= 62);
    CHECK(t.spread == Approx(50 / 50.5).margin(0.03));
    // Too few to say anything but the extremes.
    const double few[] = {3, 1, 2};
    const Times of_few = summarize(few);
    CHECK(of_few.low_ms == 1);
    CHECK(of_few.high_ms == 3);
    CHECK(of_few.median_ms == 2);
    const double one[] = {5};
    CHECK(summarize(one) == Times{5, 5, 5, 5, 0, 1});
    CHECK(uncertainty(summarize(one)) == 0);
}

TEST_CASE("the interval holds the true median about as often as it says", "[tuning]") {
    std::mt19937 random(7);
    std::exponential_distribution<double> draw(1.0); // median ln 2, skewed as times are
    int held = 0;
    constexpr int kTimes = 2000;
    for (int i = 0; i < kTimes; ++i) {
        std::vector<double> runs(25);
        for (double& run : runs) run = draw(random);
        const Times t = summarize(runs);
        if (t.low_ms <= 0.693147 && 0.693147 <= t.high_ms) ++held;
    }
    CHECK(held > kTimes * 93 / 100);
}

TEST_CASE("outcomes have names that are read back", "[tuning]") {
    for (const Outcome outcome :
         {Outcome::Ok, Outcome::Crashed, Outcome::TimedOut, Outcome::WrongAnswer, Outcome::CompileError})
        CHECK(parse_outcome(outcome_name(outcome)) == outcome);
    CHECK_FALSE(parse_outcome("fine"));
}

TEST_CASE("a thread is bound to cores and let go", "[tuning]") {
    const int before = usable_cores();
    {
        const Pinned one(1);
        CHECK(usable_cores() == 1);
    }
    CHECK(usable_cores() == before);
    CHECK_FALSE(machine_fingerprint().empty());
    CHECK(machine_fingerprint() == machine_fingerprint());
}

TEST_CASE("the programs of the peaks do what they count", "[tuning]") {
    // A target of small vectors and few steps: one of each kind, interpreted.
    Target target;
    target.vector_bits = 128;
    for (const int threads : {1, 3}) {
        const PeakProgram read = peak_program(target, threads, 12 * 4 * 4 * 100);
        const tensor::Program program = tensor::parse_program(read.text).value();
        REQUIRE(tensor::verify(program));
        // 128 MiB in all of each thread's array, rounded to whole times.
        const double once = 12 * 4 * 4 * 100;
        CHECK(std::fmod(read.amount, once * threads) == 0);
        CHECK(read.amount / threads == Approx(128 << 20).epsilon(0.01));
        const PeakProgram arithmetic = peak_program(target, threads, 0);
        const tensor::Program fma = tensor::parse_program(arithmetic.text).value();
        REQUIRE(tensor::verify(fma));
        // The loop's own operations: what cost_of counts.
        CHECK(tensor::cost_of(fma).flops == Approx(arithmetic.amount));
    }
}
