#include "core/schedule/dependence.hpp"
#include "core/schedule/integer_set.hpp"
#include "core/schedule/motion.hpp"
#include "core/tensor/build.hpp"
#include "tests/core/schedule/gallery.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

using namespace orrery;
using namespace orrery::schedule;
using namespace orrery::schedule::test;
using Answer = IntegerSet::Answer;

TEST_CASE("sets of integer points are empty or have a point", "[schedule][integer_set]") {
    IntegerSet parity; // 2 x = 2 y + 1
    const int x = parity.add_var(0, 100), y = parity.add_var(0, 100);
    parity.require_zero({{{x, 2}, {y, -2}}, -1});
    REQUIRE(parity.solve().answer == Answer::Empty);

    IntegerSet sizes; // 0 <= i < n, i >= n with n unbounded
    const int i = sizes.add_var(0, IntegerSet::kUnbounded), n = sizes.add_var(1, IntegerSet::kUnbounded);
    sizes.require_not_negative({{{n, 1}, {i, -1}}, -1});
    REQUIRE(sizes.solve().answer == Answer::Found);
    sizes.require_not_negative({{{i, 1}, {n, -1}}, 0});
    REQUIRE(sizes.solve().answer == Answer::Empty);

    IntegerSet coins; // 3 a + 5 b = 7: no such coins
    const int a = coins.add_var(0, 10), b = coins.add_var(0, 10);
    coins.require_zero({{{a, 3}, {b, 5}}, -7});
    REQUIRE(coins.solve().answer == Answer::Empty);

    // Pieces of two, of rows and of columns, that one loop counts: 14 p + 2 q + r = 14 s + 2 t + u with p, q different
    // from s, t, q and t below 7, r and u below 2.
    IntegerSet tiles;
    Linear same;
    for (const std::int64_t sign : {1, -1}) {
        const int p = tiles.add_var(-IntegerSet::kUnbounded, IntegerSet::kUnbounded), q = tiles.add_var(0, 6),
                  r = tiles.add_var(0, 1), piece = tiles.add_var(0, 1'000'000);
        for (const auto& [var, coefficient] : {std::pair(p, 14), std::pair(q, 2), std::pair(r, 1)})
            same.add(var, sign * coefficient);
        tiles.require_zero({{{piece, 1}, {p, -7}, {q, -1}}, 0});
    }
    tiles.require_zero(same);
    REQUIRE(tiles.solve().answer == Answer::Found);
    tiles.require_not_negative({{{7, 1}, {3, -1}}, -1}); // the second piece is a later one
    REQUIRE(tiles.solve().answer == Answer::Empty);
}

TEST_CASE("random sets agree with counting", "[schedule][integer_set]") {
    std::mt19937_64 random(7);
    const auto below = [&](int n) { return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n)); };
    for (int round = 0; round < 400; ++round) {
        IntegerSet set;
        std::vector<std::int64_t> high;
        for (int v = 0; v < 4; ++v) {
            high.push_back(below(6));
            set.add_var(0, high.back());
        }
        std::vector<Linear> zero(static_cast<std::size_t>(below(3))), positive(static_cast<std::size_t>(below(3)));
        for (auto* list : {&zero, &positive})
            for (Linear& form : *list) {
                for (int v = 0; v < 4; ++v) form.add(v, below(9) - 4);
                form.constant = below(13) - 6;
            }
        for (const Linear& form : zero) set.require_zero(form);
        for (const Linear& form : positive) set.require_not_negative(form);
        const auto holds = [&](const std::vector<std::int64_t>& at) {
            const auto value = [&](const Linear& form) {
                std::int64_t sum = form.constant;
                for (const auto& [var, c] : form.terms) sum += c * at[static_cast<std::size_t>(var)];
                return sum;
            };
            return std::ranges::all_of(zero, [&](const Linear& f) { return value(f) == 0; }) &&
                   std::ranges::all_of(positive, [&](const Linear& f) { return value(f) >= 0; });
        };
        bool any = false;
        std::vector<std::int64_t> at(4);
        for (at[0] = 0; at[0] <= high[0]; ++at[0])
            for (at[1] = 0; at[1] <= high[1]; ++at[1])
                for (at[2] = 0; at[2] <= high[2]; ++at[2])
                    for (at[3] = 0; at[3] <= high[3]; ++at[3]) any = any || holds(at);
        const IntegerSet::Solution solution = set.solve();
        REQUIRE(solution.answer == (any ? Answer::Found : Answer::Empty));
        if (any) {
            REQUIRE(holds(solution.point));
            for (std::size_t v = 0; v < 4; ++v) REQUIRE((solution.point[v] >= 0 && solution.point[v] <= high[v]));
        }
    }
}

TEST_CASE("dependences are read off the indices", "[schedule][dependence]") {
    const auto carried = [](const std::string& text, const std::string& loop) {
        return carried_dependence(*find_loop(program_of(text), loop));
    };
    const auto shifted = [](int distance, const std::string& size) {
        return "fn s(x: f32[64]) -> (y: f32[64]) { for o in 16 { for i in " + size +
               " { block b(vo = o in 16, vi = i in 4) { y[vo * 4 + vi] = y[vo * 4 + vi + " + std::to_string(distance) +
               "] + x[vo] } } } }";
    };
    REQUIRE_FALSE(carried(shifted(0, "4"), "b.o"));
    REQUIRE_FALSE(carried(shifted(0, "4"), "b.i"));
    REQUIRE(carried(shifted(1, "4"), "b.i"));
    REQUIRE(carried(shifted(1, "4"), "b.o"));
    REQUIRE_FALSE(carried(shifted(1, "3"), "b.o")); // tiles of three that lie four apart
    REQUIRE_FALSE(carried(shifted(4, "4"), "b.i"));
    // Fused loops: quotient and remainder together tell iterations apart.
    const std::string fused = "fn f(x: f32[6,7]) -> (y: f32[6,7]) { for f in 42 { block b(vi = f // 7 in 6, vj = f % 7 "
                              "in 7) { y[vi, vj] = x[vi, vj] } } }";
    REQUIRE_FALSE(carried(fused, "b.f"));
    // Sizes that are not known.
    const std::string symbolic = "fn f<n: i64>(x: f32[n]) -> (y: f32[n]) { for i in n { block b(vi = i in n) { y[vi] = "
                                 "x[vi] } } }";
    REQUIRE_FALSE(carried(symbolic, "b.i"));
    const std::string mirrored =
        "fn f(x: f32[10]) -> (y: f32[10]) { for i in 10 { block b(vi = i in 10) { y[vi] = y[9 - "
        "vi] } } }";
    const auto conflict = carried(mirrored, "b.i");
    REQUIRE(conflict);
    REQUIRE(conflict->block == "b");
    REQUIRE_FALSE(conflict->reduction);
}

TEST_CASE("boxes of loops are found through splits and fusions", "[schedule][dependence]") {
    using namespace tensor;
    const VarRef o = Var::make("o"), i = Var::make("i"), f = Var::make("f");
    const Bounds loops{{o, {0, 2}}, {i, {0, 3}}, {f, {0, 5}}};
    using Box = std::vector<std::int64_t>;
    REQUIRE(box_of({Expr(o) * 4 + i}, loops) == Box{12});
    REQUIRE(box_of({Expr(o) * 5 + i}, loops) == std::nullopt); // a gap
    REQUIRE(box_of({floor_div(f, imm(3)), floor_mod(f, imm(3))}, loops) == Box{2, 3});
    REQUIRE(box_of({floor_div(f, imm(3)), f}, loops) == std::nullopt); // one loop twice
    REQUIRE(box_of({floor_mod(f, imm(4))}, loops) == std::nullopt);    // 0 1 2 3 0 1
    REQUIRE(box_of({imm(7), i}, loops) == Box{1, 4});
}
