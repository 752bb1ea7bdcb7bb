#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/text.hpp"
#include "tests/core/tensor/naive_interpreter.hpp"
#include "tests/core/tensor/random_index.hpp"

#include <catch2/catch.hpp>

#include <limits>

using namespace orrery;
using namespace orrery::tensor;

namespace {

using Ends = std::pair<std::int64_t, std::int64_t>;

Ends ends(const Expr& expr, const Bounds& bounds) {
    const std::optional<Interval> interval = interval_of(expr, bounds);
    INFO(to_string(expr));
    REQUIRE(interval.has_value());
    return {interval->min, interval->max};
}

} // namespace

TEST_CASE("intervals of the index expressions that loops make", "[tensor][interval]") {
    const VarRef x = Var::make("x"), y = Var::make("y"), free = Var::make("free");
    const Bounds bounds{{x, {0, 7}}, {y, {-3, 5}}};
    CHECK(ends(x * 4 + y, bounds) == Ends{-3, 33});
    CHECK(ends(x * -2 + 1, bounds) == Ends{-13, 1});
    CHECK(ends(x * 4 + y - x * 4, bounds) == Ends{-3, 5}); // what cancels does not count
    CHECK(ends(floor_div(y, imm(2)), bounds) == Ends{-2, 2});
    CHECK(ends(Expr(y) / imm(2), bounds) == Ends{-1, 2});
    CHECK(ends(floor_mod(y, imm(4)), bounds) == Ends{0, 3});
    CHECK(ends(floor_mod(x, imm(100)), bounds) == Ends{0, 7});
    CHECK(ends(floor_mod(free, imm(100)), bounds) == Ends{0, 99});
    CHECK(ends(floor_mod(y, imm(-4)), bounds) == Ends{-3, 0});
    CHECK(ends(binary(BinaryOp::Rem, y, imm(3)), bounds) == Ends{-2, 2});
    CHECK(ends(floor_div(x, imm(0)), bounds) == Ends{-7, 7}); // 0, which it holds
    CHECK(ends(min(x, y), bounds) == Ends{-3, 5});
    CHECK(ends(max(x, imm(3)), bounds) == Ends{3, 7});
    CHECK(ends(select(lt(x, imm(9)), y, free), bounds) == Ends{-3, 5});
    CHECK(ends(lt(x, imm(8)), bounds) == Ends{1, 1});
    CHECK(ends(eq(x, imm(8)), bounds) == Ends{0, 0});
    CHECK(ends(lt(x, free), bounds) == Ends{0, 1});
    CHECK(ends(call(Intrinsic::Abs, y), bounds) == Ends{0, 5});
    CHECK(ends(cast(DType::I8, x * 100), bounds) == Ends{-128, 127});
    CHECK(ends(cast(DType::I64, cast(DType::I32, x)), bounds) == Ends{0, 7});
    CHECK(ends(binary(BinaryOp::BitAnd, x, imm(3)), bounds) == Ends{0, 3});
    CHECK(ends(binary(BinaryOp::Shl, x, imm(3)), bounds) == Ends{0, 56});
}

TEST_CASE("an interval is unknown rather than wrong", "[tensor][interval]") {
    const VarRef x = Var::make("x"), free = Var::make("free"), u = Var::make("u", DType::U64);
    const std::int64_t most = std::numeric_limits<std::int64_t>::max();
    const Bounds bounds{{x, {0, most}}};
    CHECK_FALSE(interval_of(free, bounds).has_value());
    CHECK_FALSE(interval_of(Expr(x) + free, bounds).has_value());
    CHECK_FALSE(interval_of(x * 2, bounds).has_value()); // may overflow
    CHECK_FALSE(interval_of(x + 1, bounds).has_value());
    CHECK_FALSE(interval_of(u, bounds).has_value());
    CHECK_FALSE(interval_of(constant(DType::F32, 1), bounds).has_value());
    CHECK_FALSE(interval_of(load(make_buffer("b", DType::I64, {1}), {imm(0)}), bounds).has_value());
    CHECK(ends(load(make_buffer("b", DType::U8, {1}), {imm(0)}), bounds) == Ends{0, 255});
}

TEST_CASE("an interval holds every value the expression takes", "[tensor][interval][property]") {
    const std::uint64_t seed = Catch::rngSeed();
    int known = 0;
    for (std::uint64_t i = 0; i < 2000; ++i) {
        testing::IndexGenerator generator(seed * 10'000 + i);
        const Expr expr = generator.chance(25) ? generator.truth(3) : generator.index(4);
        const std::optional<Interval> interval = interval_of(expr, generator.bounds());
        if (!interval) continue;
        ++known;
        for (int point = 0; point < 12; ++point) {
            testing::NaiveInterpreter naive;
            for (const VarRef& var : generator.vars()) naive.set(var, imm(generator.draw(var)));
            const std::int64_t value = naive.integer(expr);
            if (value < interval->min || value > interval->max)
                FAIL("seed " << seed * 10'000 + i << ": " << to_string(expr) << " is " << value << ", not in ["
                             << interval->min << ", " << interval->max << "]");
        }
    }
    CHECK(known > 1900);
}
