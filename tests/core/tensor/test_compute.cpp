#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/compute.hpp"
#include "core/tensor/text.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::tensor;
using Exprs = std::vector<Expr>;

namespace {

/// Well-formed, and structurally what the text says.
void check_program(const Program& program, const std::string& text) {
    const Result<void> sound = verify(program);
    if (!sound) FAIL(to_string(sound.error()));
    const Result<Program> expected = parse_program(text);
    if (!expected) FAIL(to_string(expected.error()));
    INFO(to_string(program));
    CHECK(structural_equal(program, *expected));
}

std::string regions_text(const std::vector<Region>& regions) {
    Block::Fields fields;
    fields.name = "b";
    fields.reads = regions;
    fields.body = Seq::make({});
    const std::string text = to_string(Block::make(std::move(fields)));
    const std::size_t start = text.find("reads ");
    return start == std::string::npos ? "" : text.substr(start + 6, text.find('\n', start) - start - 6);
}

/// The accesses of the only block's body in a program.
Accesses accesses_of(const std::string& body) {
    const auto program = parse_program(
        "fn f(x: f32[64,64], k: i64[8]) -> (y: f32[64,64]) { block b(i = 0 in 8, j = 0 in 8) {" + body + "} }");
    if (!program) FAIL(to_string(program.error()));
    const Block* block = as<Block>((*program)->body);
    return find_accesses(block->fields.body, block->fields.iters);
}
std::string reads(const std::string& body) { return regions_text(accesses_of(body).reads); }
std::string writes(const std::string& body) { return regions_text(accesses_of(body).writes); }

} // namespace

TEST_CASE("stages become loop nests with one block each", "[tensor][compute]") {
    ComputeBuilder builder;
    const Buffer x = make_buffer("x", DType::F32, {4, 8});
    const Buffer scaled = builder.axes({"row", "col"}).compute("scaled", DType::F32, {4, 8}, [&](const Exprs& i) {
        return load(x, i) * constant(DType::F32, 2);
    });
    const Buffer sum =
        builder.reduce("sum", DType::F64, {4}, {Combiner::Sum, {8}}, [&](const Exprs& i, const Exprs& r) {
            return load(scaled, {i[0], r[0]});
        });
    check_program(builder.program("f", {x}, {sum}), R"(fn f(x: f32[4,8]) -> (sum: f64[4]) {
      alloc scaled: f32[4,8] scope global
      for row in 4 { for col in 8 {
        block scaled(vrow = row in 4, vcol = col in 8) {
          reads x[vrow, vcol]
          writes scaled[vrow, vcol]
          scaled[vrow, vcol] = x[vrow, vcol] * 2.0 } } }
      for i in 4 { for r in 8 {
        block sum(vi = i in 4, reduce vr = r in 8) {
          reads sum[vi], scaled[vi, vr]
          writes sum[vi]
          init { sum[vi] = 0.0f64 }
          sum[vi] = sum[vi] + f64(scaled[vi, vr]) } } } })");
}

TEST_CASE("scalars, empty reductions and reductions over nothing", "[tensor][compute]") {
    const Buffer x = make_buffer("x", DType::F32, {}), empty = make_buffer("e", DType::F32, {3, 0});
    ComputeBuilder builder;
    const Buffer y =
        builder.compute("y", DType::F32, {}, [&](const Exprs& i) { return load(x, i) + constant(DType::F32, 1); });
    check_program(builder.program("f", {x}, {y}),
                  "fn f(x: f32[]) -> (y: f32[]) { block y() { reads x[] writes y[] y[] = x[] + 1.0 } }");

    ComputeBuilder over_nothing;
    const Buffer m =
        over_nothing.reduce("m", DType::F32, {3}, {Combiner::Max, {0}}, [&](const Exprs& i, const Exprs& r) {
            return load(empty, {i[0], r[0]});
        });
    check_program(
        over_nothing.program("f", {empty}, {m}),
        "fn f(e: f32[3,0]) -> (m: f32[3]) { for i in 3 { block m(v = i in 3) { writes m[v] m[v] = -inf } } }");
}

TEST_CASE("an output that is an input, or comes twice, is copied", "[tensor][compute]") {
    const Buffer x = make_buffer("x", DType::F32, {2});
    ComputeBuilder builder;
    builder.origin(OriginSet(4));
    const Buffer y = builder.compute("y", DType::F32, {2}, [&](const Exprs& i) { return load(x, i); });
    const Program program = builder.program("f", {x}, {x, y, y});
    check_program(program, R"(fn f(x: f32[2]) -> (a: f32[2], y: f32[2], b: f32[2]) {
      for i in 2 { block y(v = i in 2) { reads x[v] writes y[v] y[v] = x[v] } }
      for i in 2 { block x_copy(v = i in 2) { reads x[v] writes a[v] a[v] = x[v] } }
      for i in 2 { block y_copy(v = i in 2) { reads y[v] writes b[v] b[v] = y[v] } } })");
    for (const Stmt& stmt : as<Seq>(program->body)->stmts) CHECK(stmt->origin == OriginSet(4));
    CHECK(program->origin == OriginSet(4));
    CHECK_THROWS_AS(builder.program("f", {x}, {make_buffer("z", DType::F32, {2})}), InternalError);
}

TEST_CASE("block names are made unique", "[tensor][compute]") {
    const Buffer x = make_buffer("x", DType::F32, {2});
    ComputeBuilder builder;
    const auto next = [&](const Buffer& from) {
        return builder.compute("relu", DType::F32, {2},
                               [&](const Exprs& i) { return max(load(from, i), constant(DType::F32, 0)); });
    };
    const std::string text = to_string(builder.program("f", {x}, {next(next(next(x)))}));
    CHECK(text.find("block relu(") != std::string::npos);
    CHECK(text.find("block relu_1(") != std::string::npos);
    CHECK(text.find("block relu_2(") != std::string::npos);
}

TEST_CASE("a statement stage is one block without iterators", "[tensor][compute]") {
    const Buffer x = make_buffer("x", DType::F32, {8}), y = make_buffer("y", DType::F32, {8});
    const VarRef i = Var::make("i");
    ComputeBuilder builder;
    const Stmt scan =
        Seq::make({Store::make(y, {imm(0)}, load(x, {imm(0)})),
                   For::make(i, imm(7), LoopKind::Serial, Store::make(y, {i + 1}, load(y, {i}) + load(x, {i + 1})))});
    const auto outputs = builder.origin(OriginSet(2)).statement("scan", {y}, scan);
    REQUIRE(outputs == std::vector<Buffer>{y});
    const Program program = builder.program("f", {x}, outputs);
    check_program(program, R"(fn f(x: f32[8]) -> (y: f32[8]) { block scan() {
      reads x[0 +: 8], y[0 +: 7]
      writes y[0 +: 8]
      y[0] = x[0]
      for i in 7 { y[i + 1] = y[i] + x[i + 1] } } })");
    CHECK(as<Seq>(as<Block>(program->body)->fields.body)->stmts[1]->origin == OriginSet(2));
}

TEST_CASE("combiners start from what changes nothing", "[tensor][compute]") {
    for (DType type : {DType::I8, DType::U64, DType::F16, DType::F32, DType::I64}) {
        const Expr five = constant(type, 5);
        for (Combiner combiner : {Combiner::Sum, Combiner::Product, Combiner::Min, Combiner::Max})
            CHECK(structural_equal(combine(combiner, identity(combiner, type), five), five));
    }
    for (Combiner combiner : {Combiner::And, Combiner::Or, Combiner::Min, Combiner::Max})
        for (bool value : {false, true})
            CHECK(as_int(combine(combiner, identity(combiner, DType::Bool), boolean(value))) == value);
}

TEST_CASE("accesses are the least boxes in terms of the iterators", "[tensor][compute]") {
    CHECK(reads("y[i, j] = x[i + 1, j * 2]") == "x[i + 1, j * 2]");
    CHECK(writes("y[i, j] = x[i + 1, j * 2]") == "y[i, j]");
    CHECK(reads("for a in 4 { y[i, j] = x[i * 4 + a, 3 - a] }") == "x[i * 4 +: 4, 0 +: 4]");
    CHECK(reads("for a in 4 { for b in 3 { y[i, j] = x[a * 8 - b + i, 0] } }") == "x[i - 2 +: 27, 0]");
    CHECK(reads("y[i, j] = x[i // 2, j % 3]") == "x[i // 2, j % 3]");
    CHECK(reads("for a in 4 { y[i, j] = x[(i + a) // 2, 0] }") == "x[0 +: 64, 0]");
    CHECK(reads("for a in i { y[i, j] = x[a, j] }") == "x[0 +: 64, j]");
    CHECK(reads("y[i, j] = x[k[i], j]") == "x[0 +: 64, j], k[i]");
    CHECK(reads("y[i, j] = x[i, j] + x[i + 2, j] + x[i - 1, j]") == "x[i - 1 +: 4, j]");
    CHECK(reads("y[i, j] = x[i, j] + x[j, j]") == "x[0 +: 64, j]");
    CHECK(reads("let t = i + 1 for a in 2 { y[i, j] = x[t + a, j] }") == "x[i + 1 +: 2, j]");
    CHECK(reads("alloc t: f32[4] scope stack t[0] = x[i, j] y[i, j] = t[0]") == "x[i, j]");
    CHECK(reads("for a in 4 { block c(v = a * 2 in 8) { y[v, 0] = x[v + i, j] } }") == "x[i +: 7, j]");
    CHECK(writes("for a in 4 { block c(v = a * 2 in 8) { y[v, 0] = x[v + i, j] } }") == "y[0 +: 7, 0]");
    CHECK(reads("y[i, j] = select(i > 0, x[i - 1, j], 0.0)") == "x[i - 1, j]");
    CHECK(reads("if x[0, 0] > 0.0 { y[i, j] = 1.0 }") == "x[0, 0]");
    CHECK(reads("for a in 9223372036854775807 { y[i, j] = x[a * 4, j] }") == "x[0 +: 64, j]");
}

TEST_CASE("a stage without axis names takes those of the latest stage of its shape", "[tensor][compute]") {
    ComputeBuilder builder;
    const Buffer x = make_buffer("x", DType::F32, {4, 8});
    const auto twice = [](const Buffer& b) { return [b](const Exprs& i) { return load(b, i) + load(b, i); }; };
    const Buffer conv = builder.axes({"row", "col"}).compute("conv", DType::F32, {4, 8}, twice(x));
    const Buffer turned = builder.compute("turned", DType::F32, {8, 4}, [&](const Exprs& i) {
        return load(conv, {i[1], i[0]});
    });
    const Buffer relu = builder.compute("relu", DType::F32, {4, 8}, twice(conv));
    const std::string text = to_string(builder.program("f", {x}, {turned, relu}));
    CHECK(text.find("block turned(vi = i in 8, vj = j in 4)") != std::string::npos);
    CHECK(text.find("block relu(vrow_1 = row_1 in 4") != std::string::npos);
}
