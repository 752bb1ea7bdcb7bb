// prefetch: text, equality, what the verifier refuses, and that it has no effect.

#include "core/tensor/accesses.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/text.hpp"
#include "core/tensor/visitor.hpp"
#include "tests/core/tensor/parsed.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::tensor;

namespace {

/// y = x + 1, with a statement in its loop.
Program with_fetch(const std::string& statement) {
    return parsed("fn f(x: f32[4,2], k: i64[4]) -> (y: f32[4]) {\n"
                  "  alloc t: f32[4] scope global\n"
                  "  for i in 4 { " +
                  statement + "\n    block b(vi = i in 4) { reads x[vi, 0] writes y[vi] y[vi] = x[vi, 0] + 1.0 } } }");
}

} // namespace

TEST_CASE("a prefetch prints and reads back equal", "[tensor][prefetch]") {
    const Program program = with_fetch("prefetch x[min(i + 1, 3), 0]");
    const std::string text = to_string(program);
    CHECK_THAT(text, Catch::Contains("    prefetch x[min(i + 1, 3), 0]\n"));
    const Result<Program> again = parse_program(text);
    REQUIRE(again.has_value());
    CHECK(structural_equal(program, *again));
    CHECK(structural_hash(program) == structural_hash(*again));
    CHECK(verify(program).has_value());
    for (const char* other : {"", "prefetch x[min(i + 2, 3), 0]", "prefetch k[min(i + 1, 3)]"}) {
        INFO(other);
        CHECK_FALSE(structural_equal(program, with_fetch(other)));
        CHECK(structural_hash(program) != structural_hash(with_fetch(other)));
    }
    for (const char* wrong :
         {"prefetch", "prefetch x", "prefetch x[0]", "prefetch q[0]", "prefetch x[0, 0] = 1.0", "prefetch x[0.5, 0]"}) {
        INFO(wrong);
        CHECK_FALSE(
            parse_program("fn f(x: f32[4,2]) -> (y: f32[4]) { " + std::string(wrong) + " y[0] = 1.0 }").has_value());
    }
}

TEST_CASE("only inputs are prefetched, at places that no buffer decides", "[tensor][prefetch][verify]") {
    for (const char* sound : {"prefetch x[i, 1]", "prefetch x[i + 100, 0 - i]", "prefetch k[i]"}) {
        INFO(sound);
        CHECK(verify(with_fetch(sound)).has_value());
    }
    for (const char* wrong : {"prefetch y[i]", "prefetch t[i]", "prefetch x[k[i], 0]"}) {
        INFO(wrong);
        const Result<void> refused = verify(with_fetch(wrong));
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().code == Code::IllegalSchedule);
    }
}

TEST_CASE("a prefetch changes nothing, wherever it points to", "[tensor][prefetch][interpreter]") {
    const Program plain = with_fetch("");
    for (const char* statement :
         {"prefetch x[i, 1]", "prefetch x[i * 1000000007, 0 - i]", "unrolled line in 3 { prefetch x[i + line, 0] }"}) {
        INFO(statement);
        const Program program = with_fetch(statement);
        std::vector<NDArray> args{NDArray::zeros(DType::F32, {4, 2}), NDArray::zeros(DType::I64, {4}),
                                  NDArray::zeros(DType::F32, {4})};
        for (std::int64_t i = 0; i < args[0].size(); ++i) args[0].set(i, static_cast<double>(i));
        REQUIRE(interpret(program, args).has_value());
        for (std::int64_t i = 0; i < 4; ++i) CHECK(args[2].as_double(i) == static_cast<double>(2 * i + 1));
        CHECK(cost_of(program).bytes_read == cost_of(plain).bytes_read);
        CHECK(cost_of(program).flops == cost_of(plain).flops);
        CHECK(each_access(program->body).size() == each_access(plain->body).size());
    }
}

TEST_CASE("variables and buffers are replaced in a prefetch, and nothing is rebuilt without need",
          "[tensor][prefetch][rewriter]") {
    const Program program = with_fetch("prefetch x[i, 1]");
    CHECK(Rewriter().rewrite(program) == program);
    const VarRef i = Var::make("i"), j = Var::make("j");
    const Buffer x = make_buffer("x", DType::F32, {4}), z = make_buffer("z", DType::F32, {4});
    const Stmt before = Prefetch::make(x, {Expr(i) + 1}, OriginSet(7));
    const Stmt after = substitute_buffers(substitute(before, {{i, Expr(j) * imm(2)}}), {{x, z}});
    CHECK(structural_equal(after, Prefetch::make(z, {Expr(j) * imm(2) + 1})));
    CHECK(after->origin == before->origin);
    CHECK(with_origin(after, OriginSet(9))->origin == OriginSet(9));
}
