#include "core/tensor/affine.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/text.hpp"
#include "core/tensor/visitor.hpp"
#include "tests/core/tensor/parsed.hpp"
#include "tests/core/tensor/random_program.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::tensor;

namespace {

const std::string kBase = R"(fn f(x: f32[8,8]) -> (y: f32[8]) {
  alloc t: f32[8] scope stack
  for i in 8 @p="q" {
    block b(v = i in 8, reduce k = i in 8) where i < 7 @c {
      reads x[v, k], y[v]
      writes y[v]
      init { y[v] = 0.0 }
      let u = x[v, k]
      if v == 3 { y[v] = y[v] + sqrt(u) } else { y[v] = select(k > 1, f32(k), u) }
    }
  }
})";

std::string replaced(const std::string& from, const std::string& to) {
    std::string text = kBase;
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

} // namespace

TEST_CASE("names of variables, buffers and programs do not matter", "[tensor][structural]") {
    std::string renamed = kBase;
    const auto rename = [&](char from, char to) {
        for (std::size_t i = 0; i < renamed.size(); ++i) {
            const auto part_of_word = [&](std::size_t k) {
                return k < renamed.size() && (std::isalnum(renamed[k]) != 0);
            };
            if (renamed[i] == from && !part_of_word(i + 1) && (i == 0 || !part_of_word(i - 1))) renamed[i] = to;
        }
    };
    rename('x', 'm'), rename('y', 'o'), rename('t', 's'), rename('i', 'j'), rename('v', 'w'), rename('u', 'z'),
        rename('f', 'g');
    const Program a = parsed(kBase), b = parsed(renamed);
    CHECK(to_string(a) != to_string(b));
    CHECK(structural_equal(a, b));
    CHECK(structural_hash(a) == structural_hash(b));
}

TEST_CASE("every difference but names is one", "[tensor][structural]") {
    const Program base = parsed(kBase);
    const std::pair<const char*, const char*> changes[] = {{"x: f32[8,8]", "x: f32[8,9]"},
                                                           {"t: f32[8]", "t: f16[8]"},
                                                           {"scope stack", "scope global"},
                                                           {"for i", "parallel i"},
                                                           {"in 8 @p", "in 9 @p"},
                                                           {"@p=\"q\"", "@p=\"r\""},
                                                           {"@p=\"q\"", ""},
                                                           {"block b", "block c"},
                                                           {"v = i in 8", "v = 0 in 8"},
                                                           {"v = i in 8", "v = i in 9"},
                                                           {"reduce k", "k"},
                                                           {" where i < 7", ""},
                                                           {"i < 7", "i <= 7"},
                                                           {"@c", "@d"},
                                                           {"reads x[v, k]", "reads x[v, k +: 2]"},
                                                           {"reads x[v, k], y[v]", "reads y[v], x[v, k]"},
                                                           {"init { y[v] = 0.0 }", ""},
                                                           {"= 0.0", "= -0.0"},
                                                           {"= 0.0", "= nan"},
                                                           {"x[v, k]\n      if", "x[k, v]\n      if"},
                                                           {"sqrt", "exp"},
                                                           {"k > 1", "v > 1"},
                                                           {"f32(k)", "f32(f16(k))"},
                                                           {"f32(k), u", "u, f32(k)"},
                                                           {" else { y[v] = select(k > 1, f32(k), u) }", ""},
                                                           {"v == 3", "v == 4"},
                                                           {"-> (y: f32[8])", "-> (y: f32[8], z: f32[8])"}};
    for (const auto& [from, to] : changes) {
        INFO(from << " -> " << to);
        const Program other = parsed(replaced(from, to));
        CHECK_FALSE(structural_equal(base, other));
        CHECK_FALSE(structural_hash(base) == structural_hash(other));
        CHECK(structural_equal(other, other));
    }
    // The same parameters, split differently into inputs and outputs.
    const Program other = make_program("f", base->params, 2, base->body);
    CHECK_FALSE(structural_equal(base, other));
    CHECK_FALSE(structural_hash(base) == structural_hash(other));
}

TEST_CASE("bound variables pair one to one", "[tensor][structural]") {
    const Program a = parsed("fn f(x: f32[4,4]) -> (y: f32[4,4]) { for i in 4 { for j in 4 { y[i, j] = x[i, j] } } }");
    const Program b = parsed("fn f(x: f32[4,4]) -> (y: f32[4,4]) { for i in 4 { for j in 4 { y[j, i] = x[j, i] } } }");
    const Program c = parsed("fn f(x: f32[4,4]) -> (y: f32[4,4]) { for i in 4 { for j in 4 { y[i, i] = x[i, i] } } }");
    CHECK_FALSE(structural_equal(a, b));
    CHECK_FALSE(structural_equal(a, c));
    CHECK_FALSE(structural_equal(c, a));
    const Program n = parsed("fn f<n: i64, m: i64>(x: f32[n]) -> (y: f32[m]) {}");
    CHECK(structural_equal(n, parsed("fn f<a: i64, b: i64>(x: f32[a]) -> (y: f32[b]) {}")));
    CHECK_FALSE(structural_equal(n, parsed("fn f<a: i64>(x: f32[a]) -> (y: f32[a]) {}")));
}

TEST_CASE("free variables and buffers of pieces are compared by identity", "[tensor][structural]") {
    const VarRef i = Var::make("i"), j = Var::make("i");
    const Buffer x = make_buffer("x", DType::F32, {4}), y = make_buffer("x", DType::F32, {4});
    CHECK(structural_equal(Expr(i) + 1, Expr(i) + 1));
    CHECK_FALSE(structural_equal(Expr(i) + 1, Expr(j) + 1));
    CHECK(structural_equal(load(x, {i}), load(x, {i})));
    CHECK_FALSE(structural_equal(load(x, {i}), load(y, {i})));
    const auto loop = [&](const VarRef& v, const Buffer& b) {
        return For::make(v, imm(4), LoopKind::Serial, Store::make(b, {v}, constant(DType::F32, 1)));
    };
    CHECK(structural_equal(loop(i, x), loop(j, x)));
    CHECK_FALSE(structural_equal(loop(i, x), loop(i, y)));
}

TEST_CASE("origins do not matter", "[tensor][structural]") {
    const Buffer y = make_buffer("y", DType::F32, {});
    const auto make = [&](OriginSet origin) {
        return make_program("f", {y}, 0, Store::make(y, {}, constant(DType::F32, 1), origin), origin);
    };
    CHECK(structural_equal(make(OriginSet(1)), make(OriginSet(2))));
    CHECK(structural_hash(make(OriginSet(1))) == structural_hash(make({})));
}

TEST_CASE("random programs differ from each other and equal themselves", "[tensor][structural][property]") {
    std::map<Hash, Program> seen;
    for (std::uint64_t i = 0; i < 200; ++i) {
        const Program program = testing::ProgramGenerator(Catch::rngSeed() + i).program();
        CHECK(structural_equal(program, testing::ProgramGenerator(Catch::rngSeed() + i).program()));
        const auto [entry, fresh] = seen.emplace(structural_hash(program), program);
        if (!fresh) CHECK(structural_equal(entry->second, program));
    }
    CHECK(seen.size() > 150);
}

// Hashes key caches on disk: a change of this value makes every cached result unreachable.
TEST_CASE("the hash of a program is the same on every run and machine", "[tensor][structural]") {
    CHECK(to_string(structural_hash(parsed("fn f(x: f32[4]) -> (y: f32[4]) { for i in 4 { y[i] = x[i] + 1.5 } }"))) ==
          "51cfc238f76423d7f31f07d6744296b3");
}

TEST_CASE("sums of indices are compared and written back", "[tensor][affine]") {
    const VarRef i = Var::make("i"), j = Var::make("j");
    const Expr a = (Expr(i) + Expr(j) * 4) * 2 - 3, b = Expr(j) * 8 + Expr(i) + Expr(i);
    CHECK(constant_difference(a, b) == -3);
    CHECK_FALSE(constant_difference(a, Expr(j) * 8).has_value());
    CHECK(constant_difference(floor_div(i, imm(4)) + 2, floor_div(i, imm(4))) == 2);
    CHECK(to_string(to_expr(affine_of(a))) == "i * 2 + j * 8 - 3");
    CHECK(to_string(to_expr(affine_of(imm(5) - Expr(i)))) == "i * -1 + 5");
    CHECK(as_int(to_expr(affine_of(Expr(i) - Expr(i)))) == 0);
    CHECK(affine_of(Expr(i) * INT64_MIN * 2).terms.empty());
}
