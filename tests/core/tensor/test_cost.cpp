#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/compute.hpp"
#include "core/tensor/text.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::tensor;

namespace {

Cost cost(const std::string& text) {
    const Result<Program> program = parse_program(text);
    if (!program) FAIL(to_string(program.error()) << "\n" << text);
    return cost_of(*program);
}

} // namespace

TEST_CASE("a convolution costs two operations a product", "[tensor][cost]") {
    using E = std::vector<Expr>;
    const Buffer x = make_buffer("x", DType::F32, {1, 64, 56, 56}), w = make_buffer("w", DType::F32, {32, 64, 3, 3});
    ComputeBuilder builder;
    const Buffer pad = builder.compute("pad", DType::F32, {1, 64, 58, 58}, [&](const E& i) {
        const Expr inside = ge(i[2], imm(1)) && lt(i[2], imm(57)) && ge(i[3], imm(1)) && lt(i[3], imm(57));
        return select(inside, load(x, {i[0], i[1], i[2] - 1, i[3] - 1}), constant(DType::F32, 0));
    });
    const Buffer y =
        builder.reduce("y", DType::F32, {1, 32, 56, 56}, {Combiner::Sum, {64, 3, 3}, {}}, [&](const E& i, const E& r) {
            return load(pad, {i[0], r[0], i[2] + r[1], i[3] + r[2]}) * load(w, {i[1], r[0], r[1], r[2]});
        });
    const Cost c = cost_of(builder.program("conv", {x, w}, {y}));
    CHECK(c.flops == 2.0 * 32 * 56 * 56 * 64 * 9);
    CHECK(c.bytes_read == 4.0 * (64 * 56 * 56 + 32 * 64 * 9));
    CHECK(c.bytes_written == 4.0 * 32 * 56 * 56);
    CHECK(c.alloc_bytes == 4 * 64 * 58 * 58);
}

TEST_CASE("only what is touched is read, only what runs is counted", "[tensor][cost]") {
    const Cost slice = cost(R"(fn f(x: f64[10,10], i: i32[5]) -> (y: f64[3]) {
      for k in 3 { y[k] = x[2, k + 4] * 2.0f64 + f64(i[k]) } })");
    CHECK(slice.bytes_read == 8 * 3 + 4 * 3);
    CHECK(slice.bytes_written == 8 * 3);
    CHECK(slice.flops == 3 * 2);

    // The dearer arm of a select or an if; integers are no float operations; scratch in a stack is no allocation.
    const Cost arms = cost(R"(fn f(x: f32[8]) -> (y: f32[8]) {
      alloc t: f32[8] scope stack
      for i in 8 { t[i] = select(i < 4, x[i] * x[i] + x[i], -x[i]) }
      for i in 8 { if i < 2 { y[i] = sqrt(t[i]) } else { y[i] = t[i] } } })");
    CHECK(arms.flops == 8 * 2 + 8 * 1);
    CHECK(arms.alloc_bytes == 0);

    // A tail that a predicate cuts off does not run; an init runs once for each result.
    const Cost tail = cost(R"(fn f(x: f32[55,7]) -> (y: f32[55]) { for o in 14 { for i in 4 { for r in 7 {
        block y(v = o * 4 + i in 55, reduce vr = r in 7) where o * 4 + i < 55 {
          reads x[v, vr], y[v] writes y[v]
          init { y[v] = x[v, 0] * 3.0 }
          y[v] = y[v] + x[v, vr] } } } } })");
    CHECK(tail.flops == 55 * 7 + 55);
    CHECK(tail.bytes_read == 4 * 55 * 7);
}

TEST_CASE("roundings move a result by a unit of what is stored, and by more of what is added up", "[tensor][cost]") {
    const auto unit = [](const std::string& type, const std::string& value) {
        const std::string text =
            "fn f(x: " + type + "[8]) -> (y: " + type + "[2]) { for i in 8 { y[1] = " + value + " } }";
        const Result<Program> program = parse_program(text);
        if (!program) FAIL(to_string(program.error()) << "\n" << text);
        return rounding_unit(*program);
    };
    CHECK(unit("f32", "y[1] + x[i]") == 0);
    CHECK(unit("f16", "x[i] * x[i]") == 0x1p-10);
    CHECK(unit("bf16", "x[i] + y[0]") > 0x1p-7);
    CHECK(unit("f16", "y[1] + x[i]") > 0x1p-10);
}

TEST_CASE("a value used twice is computed once", "[tensor][cost]") {
    const Buffer x = make_buffer("x", DType::F32, {4}), y = make_buffer("y", DType::F32, {4});
    const VarRef i = Var::make("i");
    Expr value = load(x, {i});
    for (int k = 0; k < 100; ++k) value = value + value; // 2^100 additions as a tree
    const Stmt body = For::make(i, imm(4), LoopKind::Serial, Store::make(y, {i}, value));
    CHECK(cost_of(make_program("f", {x, y}, 1, body)).flops == 4 * 100);
}
