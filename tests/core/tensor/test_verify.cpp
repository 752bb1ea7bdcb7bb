#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/text.hpp"
#include "tests/core/tensor/parsed.hpp"
#include "tests/core/tensor/random_program.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::tensor;

namespace {

void check_sound(const Program& program) {
    const Result<void> sound = verify(program);
    if (!sound) FAIL(to_string(sound.error()) << "\n" << to_string(program));
}
void check_refused(const Program& program, const std::string& place) {
    const Result<void> result = verify(program);
    INFO(to_string(program));
    REQUIRE_FALSE(result.has_value());
    INFO(to_string(result.error()));
    CHECK(result.error().code == Code::IllegalSchedule);
    const auto& at = std::get<ProgramPlace>(result.error().locations.at(0));
    CHECK(at.function == program->name);
    CHECK(at.place == place);
}

std::string with_body(const std::string& body) {
    return "fn f(x: f32[8]) -> (y: f32[8]) { for i in 8 { " + body + " } }";
}

/// Small programs put together from nodes, where no text says what is wrong with them.
struct Pieces {
    Buffer x = make_buffer("x", DType::F32, {8}), y = make_buffer("y", DType::F32, {8});
    Program program(Stmt body) const { return make_program("f", {x, y}, 1, std::move(body)); }
    Stmt store(const Expr& index) const { return Store::make(y, {index}, constant(DType::F32, 1)); }
};

} // namespace

TEST_CASE("sound programs pass", "[tensor][verify][property]") {
    for (std::uint64_t i = 0; i < 200; ++i)
        check_sound(testing::ProgramGenerator(Catch::rngSeed() * 7919ull + i).program());
    check_sound(parsed("fn f<n: i64>(x: f32[n]) -> (y: f32[n]) { for i in n { y[i] = x[n - 1 - i] } }"));
}

TEST_CASE_METHOD(Pieces, "variables are bound once and used in scope", "[tensor][verify]") {
    const VarRef i = Var::make("i"), j = Var::make("j");
    check_refused(program(store(i)), "body");
    check_refused(program(Seq::make({For::make(i, imm(8), LoopKind::Serial, store(i)), store(i)})), "body");
    const Stmt loop = For::make(i, imm(8), LoopKind::Serial, store(i));
    check_refused(program(Seq::make({loop, loop})), "loop i");
    check_refused(program(For::make(j, imm(8), LoopKind::Serial, Let::make(j, imm(1), store(j)))), "loop j");
    check_refused(program(For::make(i, i, LoopKind::Serial, store(i))), "body");
}

TEST_CASE("a block is blind to the loops around it", "[tensor][verify]") {
    check_sound(parsed(with_body("block b(v = i in 8) where i < 7 { writes y[v] y[v] = 1.0 }")));
    check_refused(parsed(with_body("block b(v = i in 8) { writes y[0 +: 8] y[i] = 1.0 }")), "block b");
    check_refused(parsed(with_body("block b(v = i in 8) { writes y[i] y[v] = 1.0 }")), "block b");
    check_sound(parsed(with_body("block b(v = i in 8) { writes y[v] for a in 1 { y[v + a] = 1.0 } }")));
}

TEST_CASE("block names are unique", "[tensor][verify]") {
    const std::string block = "block b(v = i in 8) { writes y[v] y[v] = 1.0 } ";
    check_refused(parsed(with_body(block + block)), "block b");
}

TEST_CASE_METHOD(Pieces, "buffers are parameters or allocated around their use", "[tensor][verify]") {
    const Buffer t = make_buffer("t", DType::F32, {8});
    const Stmt store_t = Store::make(t, {imm(0)}, constant(DType::F32, 1));
    check_sound(program(Alloc::make(t, store_t)));
    check_refused(program(store_t), "buffer t");
    check_refused(program(Seq::make({Alloc::make(t, store_t), store_t})), "buffer t");
    check_refused(program(Alloc::make(t, Alloc::make(t, store_t))), "buffer t");
    check_refused(program(Alloc::make(y, store_t)), "buffer y");
    check_refused(program(Store::make(y, {imm(0)}, load(t, {imm(0)}))), "buffer t");
    check_refused(make_program("f", {x, x}, 1, Seq::make({})), "buffer x");
    check_refused(program(Alloc::make(make_buffer("n", DType::F32, {-1}), Seq::make({}))), "buffer n");
}

TEST_CASE("inputs are never written", "[tensor][verify]") {
    check_refused(parsed(with_body("x[i] = 1.0")), "buffer x");
    check_refused(parsed(with_body("block b() { writes x[0] }")), "buffer x");
}

TEST_CASE("constant indices are in bounds unless guarded", "[tensor][verify]") {
    check_refused(parsed(with_body("y[8] = 1.0")), "buffer y");
    check_refused(parsed(with_body("y[0] = x[-1]")), "buffer x");
    check_sound(parsed(with_body("y[0] = select(i > 9, x[-1], 0.0)")));
    check_refused(parsed(with_body("y[0] = select(x[8] > 0.0, 1.0, 0.0)")), "buffer x");
    check_sound(parsed(with_body("if i > 9 { y[8] = 1.0 }")));
    check_refused(parsed(with_body("for a in -1 { y[0] = 1.0 }")), "loop a");
}

TEST_CASE("declared regions cover what a block touches", "[tensor][verify]") {
    const auto block = [](const std::string& regions, const std::string& body) {
        return parsed(with_body("block b(v = i in 8, reduce k = 0 in 4) { " + regions + " " + body + " }"));
    };
    check_sound(block("reads x[v] writes y[v]", "y[v] = x[v]"));
    check_sound(block("reads x[0 +: 8] writes y[v // 2 * 2 +: 2]", "y[v] = x[v]"));
    check_sound(block("reads x[0 +: 4], x[4 +: 4] writes y[v]", "y[v] = x[v]"));
    check_sound(block("reads x[max(v - 1, 0) +: 3] writes y[v]", "y[v] = x[v]"));
    check_refused(block("writes y[v]", "y[v] = x[v]"), "block b");
    check_refused(block("reads x[v]", "y[v] = x[v]"), "block b");
    check_refused(block("reads x[v] writes y[v - 1]", "y[v] = x[v]"), "block b");
    check_refused(block("reads x[v +: 2] writes y[v]", "for a in 3 { y[v] = x[v + a] }"), "block b");
    check_refused(block("reads x[v // 2 * 2] writes y[v]", "y[v] = x[v]"), "block b");
    check_refused(block("reads x[0 +: 7] writes y[v]", "y[v] = x[v]"), "block b");
    check_refused(block("reads x[v] writes y[v]", "init { y[0] = 0.0 } y[v] = x[v]"), "block b");
    // A guarded access need only have its buffer declared.
    check_sound(block("reads x[v] writes y[v]", "y[v] = select(v > 0, x[v - 1], 0.0)"));
    check_refused(block("writes y[v]", "y[v] = select(v > 0, x[v - 1], 0.0)"), "block b");
}
