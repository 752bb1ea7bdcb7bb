#include "core/tensor/build.hpp"
#include "core/tensor/compute.hpp"
#include "core/tensor/simplify.hpp"
#include "core/tensor/text.hpp"
#include "tests/core/tensor/naive_interpreter.hpp"
#include "tests/core/tensor/parsed.hpp"
#include "tests/core/tensor/random_index.hpp"
#include "tests/core/tensor/random_program.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>
#include <set>

using namespace orrery;
using namespace orrery::tensor;

namespace {

/// Raw operations: nothing folds while a test writes down what is to be simplified.
Expr raw(BinaryOp op, const Expr& a, const Expr& b) { return Binary::make(op, a, b); }
Expr negation(const Expr& p) { return Call::make(Intrinsic::Not, {p}); }

struct World {
    VarRef x = Var::make("x"), y = Var::make("y"), z = Var::make("z"), big = Var::make("big"),
           three = Var::make("three");
    VarRef p = Var::make("p", DType::Bool), q = Var::make("q", DType::Bool);
    VarRef f = Var::make("f", DType::F32), g = Var::make("g", DType::F32), u = Var::make("u", DType::U8),
           i = Var::make("i", DType::I32);
    Bounds bounds{{x, {0, 99}}, {y, {0, 3}}, {z, {0, 11}}, {big, {-1000, 1000}}, {three, {3, 3}}};
};

struct RuleCase {
    std::string rule; ///< that must fire; empty when none may
    Expr before;
    std::string after; ///< as text; without a rule, what was there or what build.hpp folds it to
};

std::vector<RuleCase> arithmetic_cases(const World& w) {
    using B = BinaryOp;
    const Expr x = w.x, y = w.y, z = w.z, big = w.big;
    return {
        {"value.single", w.three, "3"},
        {"value.single", raw(B::FloorDiv, y, imm(4)), "0"},
        {"operands.same", raw(B::Sub, Expr(w.i) + constant_int(DType::I32, 1), Expr(w.i) + constant_int(DType::I32, 1)),
         "0i32"},
        {"operands.same", raw(B::Min, Expr(w.f) + Expr(w.g), Expr(w.f) + Expr(w.g)), "f + g"},
        {"operands.constant_right", raw(B::Max, imm(5), x), "max(x, 5)"},
        {"sum.canonical", raw(B::Add, x + y * 2, x), "x * 2 + y * 2"},
        {"sum.canonical", raw(B::Mul, x + 3, imm(4)), "x * 4 + 12"},
        {"sum.canonical", raw(B::Sub, raw(B::Add, x, y), x), "y"},
        {"sum.canonical", raw(B::Sub, y, x + y), "x * -1"},
        {"", raw(B::Sub, imm(5), x), "5 - x"},
        {"sum.canonical", raw(B::Add, Call::make(Intrinsic::Neg, {x}), y), "y - x"},
        {"sum.canonical", raw(B::Add, floor_div(x, imm(4)) * 4, floor_mod(x, imm(4))), "x"},
        {"sum.canonical",
         floor_div(x, imm(12)) * 12 + floor_mod(floor_div(x, imm(4)), imm(3)) * 4 + floor_mod(x, imm(4)), "x"},
        {"sum.canonical", raw(B::Add, floor_div(x * 10 + y, imm(7)) * 7, floor_mod(x * 3 + y, imm(7))), "x * 10 + y"},
        {"mul.constant_out", raw(B::Mul, x * 2, y), "x * y * 2"},
        {"floor_div.sum", floor_div(x * 4 + y, imm(4)), "x"},
        {"floor_div.sum", floor_div(x * 4 + y + 8, imm(4)), "x + 2"},
        {"floor_div.sum", floor_div(x * 12 + y, imm(4)), "x * 3"},
        {"floor_div.sum", floor_div(x * 4 + y, imm(16)), "x // 4"},
        {"floor_div.sum", floor_div(x * 4 + big, imm(4)), "x + big // 4"},
        {"floor_div.sum", floor_div(floor_div(x, imm(3)), imm(5)), "x // 15"},
        {"floor_div.sum", floor_div(floor_div(x, imm(3)) + 2, imm(4)), "(x + 6) // 12"},
        {"floor_div.sum", floor_div(big + 13, imm(4)), "(big + 1) // 4 + 3"},
        {"floor_div.sum", floor_div(big * 6, imm(4)), "big * 3 // 2"},
        {"floor_mod.sum", floor_mod(x * 4 + y, imm(4)), "y"},
        {"floor_mod.sum", floor_mod(x * 4 + y, imm(16)), "x % 4 * 4 + y"},
        {"floor_mod.sum", floor_mod(x * 4 + big, imm(4)), "big % 4"},
        {"floor_mod.sum", floor_mod(floor_mod(x, imm(12)), imm(4)), "x % 4"},
        {"floor_mod.sum", floor_mod(x * 5 + 7, imm(4)), "(x + 3) % 4"},
        {"floor_mod.sum", floor_mod(y - 4, imm(8)), "y + 4"},
        {"div.nonnegative", raw(B::Div, x, imm(4)), "x // 4"},
        {"rem.nonnegative", raw(B::Rem, x, imm(4)), "x % 4"},
        {"", raw(B::Rem, big, imm(4)), "rem(big, 4)"},
        {"min.decided", min(x, x + 2), "x"},
        {"min.decided", min(y, z + 5), "y"},
        {"max.decided", max(x * 2 + 1, x * 2 - y), "x * 2 + 1"},
        {"min.nested", min(min(x, imm(50)), imm(30)), "min(x, 30)"},
        {"max.nested", max(max(Expr(w.i), constant_int(DType::I32, 3)), constant_int(DType::I32, 5)), "max(i, 5i32)"},
        {"min.absorbs", min(x, max(x, big)), "x"},
        {"max.absorbs", max(min(big, x), x), "x"},
        {"abs.nonnegative", call(Intrinsic::Abs, x), "x"},
        {"cast.through_wider", cast(DType::I8, cast(DType::I32, w.u)), "i8(u)"},
        {"cast.through_wider", cast(DType::F32, cast(DType::F64, w.f)), "f"},
        {"cast.through_wider", cast(DType::U16, cast(DType::F32, w.u)), "u16(u)"},
        {"", cast(DType::I64, cast(DType::F16, w.i)), "i64(f16(i))"},
        {"", cast(DType::U8, cast(DType::F64, w.i)), "u8(f64(i))"}, // saturates, u8(i) wraps
        {"cast.within_bounds", cast(DType::I64, cast(DType::I32, x)), "x"},
        {"cast.within_bounds", cast(DType::F32, cast(DType::U8, x)), "f32(x)"},
        {"", cast(DType::I64, cast(DType::U8, big)), "i64(u8(big))"},
    };
}

std::vector<RuleCase> truth_cases(const World& w) {
    using B = BinaryOp;
    const Expr x = w.x, y = w.y, z = w.z, p = w.p, q = w.q, f = w.f, g = w.g;
    return {
        {"compare.same", raw(B::Le, Expr(w.i) * w.i, Expr(w.i) * w.i), "true"},
        {"compare.truth", raw(B::Eq, p, boolean(true)), "p"},
        {"compare.truth", raw(B::Ne, boolean(true), p), "!p"},
        {"compare.sums", lt(x + 3, z + 5), "x < z + 2"},
        {"compare.sums", ge(x - 1, imm(0)), "x >= 1"},
        {"compare.sums", lt(imm(5), x), "x > 5"},
        {"compare.sums", lt(x * 4, imm(15)), "x < 4"},
        {"compare.sums", le(x * 4, imm(15)), "x <= 3"},
        {"compare.sums", eq(x * 4, z * 2 + 1), "false"},
        {"compare.sums", lt(x * 4 + y, x * 4 + 9), "true"},
        {"compare.sums", gt(z - x, y - x), "z > y"},
        {"", lt(f + f, g), "f + f < g"},
        {"and.absorbs", p && (q || p), "p"},
        {"or.absorbs", p || (p && q), "p"},
        {"and.opposites", p && !p, "false"},
        {"or.opposites", !q || q, "true"},
        {"", negation(negation(p)), "p"},
        {"not.comparison", negation(lt(x, z)), "x >= z"},
        {"not.comparison", negation(raw(B::Eq, f, g)), "f != g"},
        {"", negation(lt(f, g)), "!(f < g)"}, // with NaN neither holds
        {"", Call::make(Intrinsic::Neg, {Call::make(Intrinsic::Neg, {f})}), "f"},
        {"abs.abs", Call::make(Intrinsic::Abs, {Call::make(Intrinsic::Abs, {f})}), "abs(f)"},
        {"floor.floor", Call::make(Intrinsic::Floor, {Call::make(Intrinsic::Floor, {f})}), "floor(f)"},
        {"select.same", Select::make(p, f + g, f + g), "f + g"},
        {"select.not", Select::make(negation(p), f, g), "select(p, g, f)"},
        {"select.truth", Select::make(p, boolean(true), boolean(false)), "p"},
        {"select.truth", Select::make(p, boolean(false), boolean(true)), "!p"},
        {"value.single", Select::make(lt(x, imm(5)), floor_div(x, imm(5)), imm(0)), "0"},
        {"value.single", lt(x, imm(5)) && lt(x, imm(9)), "x < 5"}, // the right side where the left holds
        {"value.single", lt(x, imm(5)) || ge(x, imm(3)), "true"},
        {"value.single", Select::make(gt(y, z), ge(z, imm(3)), boolean(false)), "false"},
    };
}

void check_cases(const World& w, const std::vector<RuleCase>& cases, std::set<std::string>& seen) {
    for (const RuleCase& c : cases) {
        std::set<std::string> fired;
        ExprSimplifier simplifier(w.bounds, [&](std::string_view rule) { fired.emplace(rule); });
        const Expr after = simplifier.run(c.before);
        INFO(to_string(c.before));
        CHECK(to_string(after) == c.after);
        if (c.rule.empty())
            CHECK(fired.empty());
        else
            CHECK(fired.count(c.rule) == 1);
        seen.insert(fired.begin(), fired.end());
    }
}

void check_program(const std::string& before, const std::string& after) {
    const Program simplified = simplify(parsed(before));
    CHECK(to_string(simplified) == to_string(parsed(after)));
    CHECK(simplify(simplified) == simplified);
}

} // namespace

TEST_CASE("every rule fires where it should", "[tensor][simplify]") {
    const World w;
    std::set<std::string> seen;
    check_cases(w, arithmetic_cases(w), seen);
    check_cases(w, truth_cases(w), seen);
    for (const Rule& rule : simplify_rules()) {
        INFO(rule.name);
        CHECK(seen.count(std::string(rule.name)) == 1);
    }
}

TEST_CASE("what is simple already comes back as the same handle", "[tensor][simplify]") {
    const World w;
    const Expr x = w.x, z = w.z, f = w.f;
    const Buffer b = make_buffer("b", DType::F32, {100, 12});
    for (const Expr& expr : {x * 4 + z, min(x, z), floor_div(x, imm(7)), floor_mod(x * 3 + z, imm(8)), lt(x, z + 2),
                             load(b, {x, z}) * f, select(lt(x, z), f, constant(DType::F32, 0)), x - z, imm(5) - x,
                             cast(DType::F32, x), floor_div(Expr(w.big) - 1, imm(4))})
        CHECK(simplify(expr, w.bounds) == expr);
}

TEST_CASE("floats keep every bit", "[tensor][simplify]") {
    const World w;
    const Expr f = w.f, zero = constant(DType::F32, 0);
    const auto untouched = [&](const Expr& expr) { return simplify(expr, w.bounds) == expr; };
    CHECK(untouched(raw(BinaryOp::Mul, f, zero)));        // -0, NaN
    CHECK(untouched(raw(BinaryOp::Add, f, zero)));        // -0 + 0 is 0
    CHECK(untouched(raw(BinaryOp::Sub, f, f)));           // NaN, infinity
    CHECK(untouched(raw(BinaryOp::Eq, f, f)));            // NaN
    CHECK(untouched(raw(BinaryOp::Min, f, max(f, w.g)))); // NaN
    CHECK(untouched(raw(BinaryOp::Add, raw(BinaryOp::Add, f, constant(DType::F32, 1)), constant(DType::F32, 2))));
    CHECK(untouched(raw(BinaryOp::Div, f, constant(DType::F32, 3))));
    CHECK(simplify(raw(BinaryOp::Add, f, constant(DType::F32, -0.0)), w.bounds) == f);
    CHECK(simplify(raw(BinaryOp::Mul, constant(DType::F32, 1), f), w.bounds) == f);
}

TEST_CASE("nested splits of fused loops come apart", "[tensor][simplify]") {
    const VarRef n = Var::make("n"), c = Var::make("c"), h = Var::make("h"), w = Var::make("w");
    const Bounds bounds{{n, {0, 1}}, {c, {0, 63}}, {h, {0, 55}}, {w, {0, 55}}};
    const Expr fused = ((Expr(n) * 64 + Expr(c)) * 56 + Expr(h)) * 56 + Expr(w);
    CHECK(to_string(simplify(floor_mod(fused, imm(56)), bounds)) == "w");
    CHECK(to_string(simplify(floor_mod(floor_div(fused, imm(56)), imm(56)), bounds)) == "h");
    CHECK(to_string(simplify(floor_mod(floor_div(fused, imm(56 * 56)), imm(64)), bounds)) == "c");
    CHECK(to_string(simplify(floor_div(fused, imm(56 * 56 * 64)), bounds)) == "n");
    CHECK(to_string(simplify(floor_div(fused, imm(28)), bounds)) == "n * 7168 + c * 112 + h * 2 + w // 28");
}

TEST_CASE("simplified expressions keep their value", "[tensor][simplify][property]") {
    const std::uint64_t seed = Catch::rngSeed();
    for (std::uint64_t i = 0; i < 2500; ++i) {
        testing::IndexGenerator generator(seed * 10'000 + i);
        const Expr before = generator.chance(25) ? generator.truth(3) : generator.index(4);
        const Expr after = simplify(before, generator.bounds());
        const auto place = [&] {
            return "seed " + std::to_string(seed * 10'000 + i) + ": " + to_string(before) + " -> " + to_string(after);
        };
        for (int point = 0; point < 12; ++point) {
            testing::NaiveInterpreter naive;
            for (const VarRef& var : generator.vars()) naive.set(var, imm(generator.draw(var)));
            const std::int64_t expected = naive.integer(before), value = naive.integer(after);
            if (value != expected) FAIL(place() << " is " << value << ", not " << expected);
        }
        const Expr again = simplify(after, generator.bounds());
        if (again != after) FAIL(place() << " -> " << to_string(again));
    }
    SUCCEED();
}

TEST_CASE("values shared by many expressions are simplified once", "[tensor][simplify]") {
    const World w;
    Expr value = w.f;
    for (int k = 0; k < 100; ++k) value = min(value * value, Select::make(w.p, value, value + value));
    CHECK(simplify(value, w.bounds) == value);
    const Expr zero = raw(BinaryOp::Mul, w.i, constant_int(DType::I32, 0));
    CHECK(simplify(zero, w.bounds)->kind == NodeKind::IntImm);
}

TEST_CASE("loops of one iteration, dead branches and empty statements go", "[tensor][simplify]") {
    check_program(R"(fn f(x: f32[8,4]) -> (y: f32[8,4]) {
      alloc unused: f32[4]
      for n in 1 { for i in 8 { for j in 4 {
        block y(vn = n in 1, vi = n * 8 + i in 8, vj = j in 4) where i * 4 + j < 32 {
          reads x[vi + vn, vj]
          writes y[vi, vj]
          if vi < 8 { y[vi, vj] = x[vi + vn, vj] } else { y[0, 0] = 0.0 }
          if vj > 9 { y[0, 0] = 1.0 } } } } }
      for k in 0 { y[0, 0] = 2.0 }
      for m in 5 { if m > 7 { y[0, 0] = 3.0 } } })",
                  R"(fn f(x: f32[8,4]) -> (y: f32[8,4]) {
      for i in 8 { for j in 4 {
        block y(vn = 0 in 1, vi = i in 8, vj = j in 4) {
          reads x[vi, vj]
          writes y[vi, vj]
          y[vi, vj] = x[vi, vj] } } } })");
}

TEST_CASE("a split that fits loses its predicate, one that does not keeps it", "[tensor][simplify]") {
    const std::string fits = R"(fn f(x: f32[56]) -> (y: f32[56]) { for o in 14 { for i in 4 {
        block y(v = o * 4 + i in 56)PREDICATE { reads x[v] writes y[v] y[v] = x[v] } } } })";
    std::string before = fits, after = fits;
    check_program(before.replace(before.find("PREDICATE"), 9, " where o * 4 + i < 56"),
                  after.replace(after.find("PREDICATE"), 9, ""));
    const Program tail = parsed(R"(fn f(x: f32[55]) -> (y: f32[55]) { for o in 14 { for i in 4 {
        block y(v = o * 4 + i in 55) where o * 4 + i < 55 { reads x[v] writes y[v] y[v] = x[v] } } } })");
    CHECK(simplify(tail) == tail);
}

TEST_CASE("lets of constants and variables are put in place", "[tensor][simplify]") {
    check_program(R"(fn f(x: f32[8]) -> (y: f32[8]) {
      for i in 8 { let j = i let two = 2.0 let unused = x[i] let t = x[j] y[j] = t * two + t } })",
                  R"(fn f(x: f32[8]) -> (y: f32[8]) { for i in 8 { let t = x[i] y[i] = t * 2.0 + t } })");
}

TEST_CASE("a guarded load keeps its guard, and knows it", "[tensor][simplify]") {
    check_program(R"(fn f(x: f32[8]) -> (y: f32[10]) {
      for i in 10 { y[i] = select(i - 1 >= 0 && i - 1 < 8, x[max(i - 1, 0)], 0.0) } })",
                  R"(fn f(x: f32[8]) -> (y: f32[10]) {
      for i in 10 { y[i] = select(i >= 1 && i < 9, x[i - 1], 0.0) } })");
}

TEST_CASE("simplified programs give the same numbers", "[tensor][simplify][property]") {
    const std::uint64_t seed = Catch::rngSeed();
    for (std::uint64_t i = 0; i < 200; ++i) {
        const Program program = testing::ProgramGenerator(seed * 1000 + i).program();
        const Program simpler = simplify(program);
        if (simplify(simpler) != simpler)
            FAIL("seed " << seed * 1000 + i << " is simplified twice\n" << to_string(simpler));
        std::vector<NDArray> before, after;
        for (const Buffer& param : program->params) {
            before.push_back(NDArray::zeros(param->dtype, param->static_shape()));
            for (std::int64_t e = 0; e < before.back().size(); ++e)
                before.back().set_int(e, (e * 7 + static_cast<std::int64_t>(i)) % 13 -
                                             (is_unsigned_int(param->dtype) ? 0 : 6));
            after.push_back(
                NDArray::copy_of(param->dtype, param->static_shape(), before.back().data(), before.back().bytes()));
        }
        REQUIRE(interpret(program, before).has_value());
        REQUIRE(interpret(simpler, after).has_value());
        for (std::size_t p = 0; p < before.size(); ++p)
            for (std::int64_t e = 0; e < before[p].size(); ++e) {
                const double x = before[p].as_double(e), y = after[p].as_double(e);
                if (!(std::isnan(x) && std::isnan(y)) && std::memcmp(&x, &y, sizeof x) != 0)
                    FAIL("seed " << seed * 1000 + i << ": " << x << " became " << y << "\n"
                                 << to_string(program) << to_string(simpler));
            }
    }
    SUCCEED();
}
