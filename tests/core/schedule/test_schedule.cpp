#include "core/schedule/primitives.hpp"
#include "core/schedule/rules.hpp"
#include "core/schedule/trace.hpp"
#include "core/tensor/text.hpp"
#include "tests/core/schedule/rules.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace orrery;
using namespace orrery::schedule;
using namespace orrery::schedule::test;
using tensor::Program;
using tensor::Scope;

namespace {

Target wide_target() {
    Target target;
    target.vector_bits = 512;
    target.vector_registers = 32;
    target.cores = 2;
    return target;
}

/// Applies the steps of a script, requiring each to be legal and to keep the numbers.
Program apply(Program program, const std::string& script) {
    const Program before = program;
    const Result<Trace> trace = parse_trace(script);
    REQUIRE(trace.has_value());
    for (const TraceStep& step : trace->steps) {
        INFO(to_string(step));
        Result<Rewritten> next = apply_step(program, step);
        if (!next) FAIL(to_string(next.error()));
        INFO(tensor::to_string(next->program));
        const Result<void> sound = tensor::verify(next->program);
        if (!sound) FAIL(to_string(sound.error()));
        program = next->program;
        REQUIRE(difference(before, program) < 1e-5);
    }
    return program;
}

Code refusal(const Program& program, const std::string& script) {
    const Result<Trace> trace = parse_trace(script);
    REQUIRE(trace.has_value());
    const Result<Replay> done = replay(program, *trace);
    REQUIRE_FALSE(done.has_value());
    REQUIRE_FALSE(done.error().locations.empty());
    return done.error().code;
}

} // namespace

TEST_CASE("split covers the extent, with a predicate for the tail", "[schedule][split]") {
    const Program program = matmul(10, 7, 5);
    apply(program, "split(matmul.m, [5, 2])");
    const Program tail = apply(program, "split(matmul.m, [-1, 4])\nsplit(matmul.k, [-1, 2])");
    REQUIRE(tensor::to_string(tail).find("where") != std::string::npos);
    apply(program, "split(matmul.n, [2, -1, 2])");
    REQUIRE(refusal(program, "split(matmul.m, [2, 2])") == Code::IllegalSchedule);
    REQUIRE(refusal(program, "split(matmul.m, [0, 2])") == Code::IllegalSchedule);
    REQUIRE(refusal(program, "split(matmul.m, [10])") == Code::IllegalSchedule);
    REQUIRE(refusal(program, "split(matmul.z, [-1, 2])") == Code::UnknownName);
    REQUIRE(refusal(program, "split(nobody.m, [-1, 2])") == Code::UnknownName);
    REQUIRE(refusal(program, "split(matmul, [-1, 2])") == Code::BadArgument);
}

TEST_CASE("fuse and reorder rearrange loops around one block", "[schedule][fuse][reorder]") {
    const Program program = matmul(6, 4, 5);
    apply(program, "fuse([matmul.m, matmul.n])");
    apply(program, "reorder([matmul.k, matmul.n, matmul.m])");
    apply(program, "split(matmul.m, [3, 2])\nsplit(matmul.n, [2, 2])\nreorder([matmul.m_o, matmul.n_o, matmul.k, "
                   "matmul.m_i, matmul.n_i])\n"
                   "fuse([matmul.m_o, matmul.n_o])");
    REQUIRE(refusal(program, "fuse([matmul.m, matmul.k])") == Code::IllegalSchedule);
    REQUIRE(refusal(program, "reorder([matmul.m, matmul.m])") == Code::IllegalSchedule);
    REQUIRE(refusal(program, "fuse([matmul.m])") == Code::BadArgument);
}

TEST_CASE("loops that carry a reduction are neither parallel nor vectors", "[schedule][parallel][vectorize]") {
    const Program program = matmul(6, 8, 5);
    apply(program, "parallel(matmul.m)");
    apply(program, "reorder([matmul.k, matmul.n])\nvectorize(matmul.n)");
    REQUIRE(refusal(program, "parallel(matmul.k)") == Code::IllegalSchedule);
    REQUIRE(refusal(program, "vectorize(matmul.k)") == Code::IllegalSchedule);
    REQUIRE(refusal(program, "vectorize(matmul.m)") == Code::IllegalSchedule);
    REQUIRE(refusal(matmul(2, 2, 2000), "unroll(matmul.k)") == Code::IllegalSchedule);
}

TEST_CASE("inlining a block keeps the numbers and removes it", "[schedule][compute_inline]") {
    const Program inlined = apply(conv_bias_relu(3, 4, 6), "compute_inline(bias)");
    REQUIRE(tensor::to_string(inlined).find("block bias") == std::string::npos);
    apply(conv_bias_relu(3, 4, 6), "compute_inline(pad)\ncompute_inline(bias)");
    apply(softmax(3, 9), "compute_inline(power)");
    REQUIRE(refusal(softmax(3, 9), "compute_inline(high)") == Code::IllegalSchedule);
    REQUIRE(refusal(softmax(3, 9), "compute_inline(out)") == Code::IllegalSchedule);
}

TEST_CASE("a convolution is computed in a tile of registers", "[schedule][compute_at]") {
    const std::string tile =
        "compute_inline(bias)\nsplit(relu.c, [-1, 4])\nsplit(relu.w, [-1, 4])\n"
        "reorder([relu.n, relu.c_o, relu.h, relu.w_o, relu.c_i, relu.w_i])\n"
        "compute_at(conv, relu.w_o)\nset_scope(conv, registers)\n"
        "reorder([conv.ic, conv.kh, conv.kw, conv.c, conv.w])\ndecompose_reduction(conv, conv.ic)\n"
        "unroll(conv.c)\nvectorize(conv.w)\nvectorize(relu.w_i)\nfuse([relu.n, relu.c_o, "
        "relu.h])\nparallel(relu.n_c_o_h)\n";
    const Program tiled = apply(conv_bias_relu(3, 8, 8), tile);
    REQUIRE(tensor::to_string(tiled).find("scope registers") != std::string::npos);
    // A width that the tile does not divide: the producer is guarded, too.
    apply(conv_bias_relu(2, 8, 7), tile);
    REQUIRE(refusal(conv_bias_relu(3, 8, 8), "compute_at(relu, bias.h)") == Code::IllegalSchedule);
    REQUIRE(refusal(conv_bias_relu(3, 8, 8), "compute_at(conv, relu.h)") == Code::IllegalSchedule);
    REQUIRE(refusal(softmax(3, 9), "compute_at(power, out.c)") == Code::IllegalSchedule);
}

TEST_CASE("producers move into loops of their consumers", "[schedule][compute_at]") {
    apply(conv_bias_relu(3, 4, 6), "compute_at(pad, conv.h)");
    apply(conv_bias_relu(3, 4, 6), "compute_at(bias, relu.h)\ncompute_at(conv, bias.w)");
    apply(pool_chain(4, 8), "compute_at(shifted, pool.w)");
    apply(softmax(5, 9), "cache_write(sum, stack)\ncompute_at(sum, sum_write.r)");
}

TEST_CASE("a producer that is read at clipped places moves by the piece", "[schedule][compute_at]") {
    const auto clipped = [](const std::string& place) {
        return *tensor::parse_program(R"(fn clipped(x: f32[10]) -> (y: f32[15]) {
  alloc p: f32[10] scope global
  for i in 10 { block p(vi = i in 10) { reads x[vi] writes p[vi] p[vi] = x[vi] * 2.0 } }
  for i in 15 { block y(vi = i in 15) { reads p[)" +
                                      place + "] writes y[vi] y[vi] = p[" + place + "] } }\n}");
    };
    for (const char* place :
         {"min(vi, 9)", "max(vi - 5, 0)", "min(max(vi - 3, 0), 9)", "min(max(vi - 7, 2), 6) + 1", "9 - min(vi, 9)"}) {
        INFO(place);
        const std::string text = tensor::to_string(apply(clipped(place), "split(y.i, [-1, 3])\ncompute_at(p, y.i_o)"));
        INFO(text);
        CHECK((text.find("alloc p: f32[3] ") != std::string::npos) == !std::string(place).starts_with("9"));
    }
}

TEST_CASE("a cached result is copied by a block of its own", "[schedule][cache_write]") {
    const Program program =
        apply(matmul(6, 8, 5),
              "cache_write(matmul, stack)\ncompute_at(matmul, matmul_write.m)\ndecompose_reduction(matmul, matmul.k)");
    REQUIRE(tensor::to_string(program).find("matmul_write") != std::string::npos);
    REQUIRE(refusal(matmul(6, 8, 5), "cache_write(matmul, stack)\ncache_write(matmul, stack)") ==
            Code::IllegalSchedule);
    REQUIRE(refusal(matmul(6, 8, 5), "cache_write(matmul, cloud)") == Code::BadArgument);
    REQUIRE(refusal(matmul(6, 8, 5), "set_scope(matmul, stack)") == Code::IllegalSchedule);
    REQUIRE(refusal(matmul(6, 8, 5), "reorder([matmul.k, matmul.n])\ndecompose_reduction(matmul, matmul.n)") ==
            Code::IllegalSchedule);
}

TEST_CASE("traces print and parse back, mistakes have a line", "[schedule][trace]") {
    const std::string text =
        "split(conv.oc, [8, -1])\nfuse([a.i, a.j])\ncompute_inline(pad)\nset_scope(conv, registers)\n";
    const Result<Trace> trace = parse_trace(text);
    REQUIRE(trace.has_value());
    REQUIRE(to_string(*trace) == text);
    REQUIRE(parse_trace("# nothing\n\n").value().steps.empty());
    for (const char* wrong : {"split(conv.oc, [8, 8]", "(a)", "split(a b)", "fuse([a, 1])", "split() x"}) {
        const Result<Trace> bad = parse_trace(std::string("unroll(a.b)\n") + wrong);
        REQUIRE_FALSE(bad.has_value());
        REQUIRE(bad.error().code == Code::BadText);
        REQUIRE(std::get<TextPosition>(bad.error().locations.at(0)).line == 2);
    }
    REQUIRE(refusal(matmul(2, 2, 2), "explode(matmul)") == Code::UnknownName);
    REQUIRE(refusal(matmul(2, 2, 2), "unroll(matmul.m, 3)") == Code::BadArgument);
}

TEST_CASE("default traces are legal, deterministic and keep the numbers", "[schedule][rules]") {
    const std::vector<Program> programs{conv_bias_relu(16, 32, 14), conv_bias_relu(3, 16, 7), conv_bias_relu(4, 6, 33),
                                        matmul(1, 100, 64),         matmul(64, 64, 64),       matmul(5, 1, 9),
                                        softmax(12, 100),           pool_chain(8, 16)};
    for (const Program& program : programs) {
        const Trace trace = default_trace(program, wide_target());
        REQUIRE(trace == default_trace(program, wide_target()));
        INFO(to_string(trace));
        const Result<Replay> done = replay(program, trace);
        REQUIRE(done.has_value());
        const Scheduled made = default_schedule(program, wide_target());
        REQUIRE(made.trace == trace);
        REQUIRE(std::ranges::equal(made.replay.programs, done->programs, [](const Program& a, const Program& b) {
            return tensor::to_string(a) == tensor::to_string(b);
        }));
        INFO(tensor::to_string(done->result()));
        const Result<void> sound = tensor::verify(done->result());
        if (!sound) FAIL(to_string(sound.error()));
        REQUIRE(difference(program, done->result()) < 1e-5);
    }
    const std::string conv = to_string(default_trace(programs[0], wide_target()));
    REQUIRE(conv.find("set_scope(conv, registers)") != std::string::npos);
    REQUIRE(conv.find("parallel(") != std::string::npos);
    REQUIRE(conv.find("vectorize(conv.w)") != std::string::npos);
}

namespace {

/// A packed convolution of one place a window over `size` by `size` places.
Program packed_conv(int blocks_in, int blocks_out, int size) {
    const auto n = [](int value) { return std::to_string(value); };
    const Result<Program> program = tensor::parse_program(
        "fn packed(x: f32[" + n(blocks_in) + "," + n(size) + "," + n(size) + ",8], w: f32[" + n(blocks_out) + "," +
        n(blocks_in) + ",8,8]) -> (y: f32[" + n(blocks_out) + "," + n(size) + "," + n(size) + ",8]) {\n" + "for c in " +
        n(blocks_out) + " { for h in " + n(size) + " { for q in " + n(size) + " { for o in 8 { for k in " +
        n(blocks_in) + " { for i in 8 {\nblock conv(vc = c in " + n(blocks_out) + ", vh = h in " + n(size) +
        ", vq = q in " + n(size) + ", vo = o in 8, reduce vk = k in " + n(blocks_in) +
        ", reduce vi = i in 8) {\nreads y[vc, vh, vq, vo], x[vk, vh, vq, vi], w[vc, vk, vi, vo] writes y[vc, vh, vq, "
        "vo]\n"
        "init { y[vc, vh, vq, vo] = 0.0 }\n"
        "y[vc, vh, vq, vo] = y[vc, vh, vq, vo] + x[vk, vh, vq, vi] * w[vc, vk, vi, vo] } } } } } } } }");
    if (!program) FAIL(to_string(program.error()));
    return *program;
}

/// AVX2: eight floats a register, sixteen registers.
Target narrow_target() {
    Target target = wide_target();
    target.vector_bits = 256;
    target.vector_registers = 16;
    return target;
}

} // namespace

TEST_CASE("tiles fill the registers without overflowing them", "[schedule][rules]") {
    Target narrow = narrow_target();
    const auto trace_of = [&](const Program& program, const Target& target) {
        const Trace trace = default_trace(program, target);
        const Result<Replay> done = replay(program, trace);
        if (!done) FAIL(to_string(done.error()));
        CHECK(difference(program, done->result()) < 1e-5);
        return to_string(trace);
    };
    // Eight sums in four rows of two groups: two weights and a place of the input beside them.
    std::string trace = trace_of(packed_conv(2, 4, 8), narrow);
    CHECK(trace.find("split(conv_write.q, [-1, 4])") != std::string::npos);
    CHECK(trace.find("split(conv_write.c, [-1, 2])") != std::string::npos);
    // Rows of two dimensions where one has too few divisors.
    trace = trace_of(packed_conv(2, 4, 14), narrow);
    CHECK(trace.find("split(conv_write.h, [-1, 2])") != std::string::npos);
    CHECK(trace.find("split(conv_write.q, [-1, 2])") != std::string::npos);
    CHECK(trace.find("split(conv_write.c, [-1, 2])") != std::string::npos);
    // Pieces of channels and rows are one loop, whose iterations are told apart.
    narrow.cores = 2;
    trace = trace_of(packed_conv(8, 16, 14), narrow);
    CHECK(trace.find("fuse([conv_write.c_o, conv_write.h_o])") != std::string::npos);
    CHECK(trace.find("parallel(conv_write.c_o_h_o)") != std::string::npos);
    // An image that a small cache does not keep goes in pieces, for each of which all filters are read.
    Target small = narrow;
    small.l2_bytes = 32 << 10;
    trace = trace_of(packed_conv(8, 16, 14), small);
    CHECK(trace.find("split(conv_write.h_o, [7, -1])") != std::string::npos);
    CHECK(trace.find("reorder([conv_write.h_o_o, conv_write.c_o, conv_write.h_o_i") != std::string::npos);
    // A prime number of rows: each is a piece, since all weights stay near.
    small.l2_bytes = 64 << 10;
    trace = trace_of(packed_conv(8, 4, 13), small);
    INFO(trace);
    CHECK(trace.find("split(conv_write.h, [13, -1])") != std::string::npos);
    CHECK(trace.find("reorder([conv_write.h_o, conv_write.c") != std::string::npos);
    // A prime number of places, all at once.
    trace = trace_of(packed_conv(2, 4, 13), narrow);
    CHECK(trace.find("split(conv_write.q, [-1, 13])") != std::string::npos);
    // Weights that do not stay in the first-level cache are shared by as many rows as there are.
    trace = trace_of(packed_conv(128, 4, 7), narrow);
    CHECK(trace.find("split(conv_write.q, [-1, 7])") != std::string::npos);
    CHECK(trace.find("split(conv_write.c") == std::string::npos);
    // With 32 registers four groups of four rows, 16 sums for 8 loads a step; one group of 28 rows would take 29 loads.
    trace = trace_of(packed_conv(2, 4, 28), wide_target());
    INFO(trace);
    CHECK(trace.find("split(conv_write.q, [-1, 4])") != std::string::npos);
    CHECK(trace.find("split(conv_write.c, [-1, 4])") != std::string::npos);
}

TEST_CASE("what lies badly in memory is copied or walked in squares", "[schedule][rules]") {
    Target narrow = narrow_target();
    const auto trace_of = [&](const char* text) {
        const Result<Program> program = tensor::parse_program(text);
        if (!program) FAIL(to_string(program.error()));
        const Trace trace = default_trace(*program, narrow);
        const Result<Replay> done = replay(*program, trace);
        if (!done) FAIL(to_string(done.error()));
        const Result<void> sound = tensor::verify(done->result());
        if (!sound) FAIL(to_string(sound.error()));
        CHECK(difference(*program, done->result()) < 1e-4);
        return to_string(trace);
    };
    // Tiles of a product read panels of a matrix that is wider: each panel is copied once.
    std::string trace = trace_of("fn wide(a: f32[64,32], b: f32[32,128]) -> (c: f32[64,128]) {\n"
                                 "for m in 64 { for n in 128 { for k in 32 {\n"
                                 "block mm(vm = m in 64, vn = n in 128, reduce vk = k in 32) {\n"
                                 "reads c[vm, vn], a[vm, vk], b[vk, vn] writes c[vm, vn]\n"
                                 "init { c[vm, vn] = 0.0 } c[vm, vn] = c[vm, vn] + a[vm, vk] * b[vk, vn] } } } } }");
    CHECK(trace.find("cache_read(mm, b, global)") != std::string::npos);
    CHECK(trace.find("compute_at(b_read, mm_write.n_o)") != std::string::npos);
    CHECK(trace.find("parallel(mm_write.n_o)") != std::string::npos);
    // A transposed matrix is turned first.
    trace = trace_of("fn turned(a: f32[64,32], b: f32[128,32]) -> (c: f32[64,128]) {\n"
                     "for m in 64 { for n in 128 { for k in 32 {\n"
                     "block mm(vm = m in 64, vn = n in 128, reduce vk = k in 32) {\n"
                     "reads c[vm, vn], a[vm, vk], b[vn, vk] writes c[vm, vn]\n"
                     "init { c[vm, vn] = 0.0 } c[vm, vn] = c[vm, vn] + a[vm, vk] * b[vn, vk] } } } } }");
    CHECK(trace.find("reindex(mm, b)") != std::string::npos);
    CHECK(trace.find("set_scope(mm, registers)") != std::string::npos);
    // A matrix times a vector reads rows from end to end.
    trace = trace_of("fn vector(a: f32[1,128], b: f32[128,512]) -> (c: f32[1,512]) {\n"
                     "for m in 1 { for n in 512 { for k in 128 {\n"
                     "block mv(vm = m in 1, vn = n in 512, reduce vk = k in 128) {\n"
                     "reads c[vm, vn], a[vm, vk], b[vk, vn] writes c[vm, vn]\n"
                     "init { c[vm, vn] = 0.0 } c[vm, vn] = c[vm, vn] + a[vm, vk] * b[vk, vn] } } } } }");
    CHECK(trace.find("split(mv_write.n, [-1, 256])") != std::string::npos);
    CHECK(trace.find("unroll(mv.k_i)") != std::string::npos);
    // A transpose.
    trace = trace_of("fn turn(a: f32[128,96]) -> (c: f32[96,128]) { for i in 96 { for j in 128 {\n"
                     "block t(vi = i in 96, vj = j in 128) { reads a[vj, vi] writes c[vi, vj]\n"
                     "c[vi, vj] = a[vj, vi] } } } }");
    CHECK(trace.find("reorder([t.i_o, t.j_o, t.i_i, t.j_i])") != std::string::npos);
}

TEST_CASE("rows that vectors do not divide have an end of their own, not masks", "[schedule][rules]") {
    const Result<Program> window = tensor::parse_program(R"(
fn window(x: f32[8,109]) -> (y: f32[4,109]) {
for c in 4 { for w in 109 { for k in 5 {
block sums(vc = c in 4, vw = w in 109, reduce vk = k in 5) {
reads y[vc, vw], x[vc + vk, vw] writes y[vc, vw]
init { y[vc, vw] = 0.0 }
y[vc, vw] = y[vc, vw] + x[vc + vk, vw] * x[vc + vk, vw] } } } } })");
    if (!window) FAIL(to_string(window.error()));
    const Result<Replay> done = replay(*window, default_trace(*window, wide_target()));
    if (!done) FAIL(to_string(done.error()));
    CHECK(difference(*window, done->result()) < 1e-5);
    const std::string text = tensor::to_string(done->result());
    CHECK(text.find("vectorized") != std::string::npos);
    CHECK(text.find("where") == std::string::npos);
}

TEST_CASE("a copy that turns a matrix for a reduction's lanes is kept", "[schedule][rules]") {
    const Result<Program> product = tensor::parse_program(R"(
fn product(x: f32[8,16], w: f32[32,16]) -> (y: f32[8,32]) {
alloc t: f32[16,32] scope global
for a in 16 { for b in 32 {
block turn(va = a in 16, vb = b in 32) {
reads w[vb, va] writes t[va, vb]
t[va, vb] = w[vb, va] } } }
for i in 8 { for j in 32 { for k in 16 {
block dot(vi = i in 8, vj = j in 32, reduce vk = k in 16) {
reads y[vi, vj], x[vi, vk], t[vk, vj] writes y[vi, vj]
init { y[vi, vj] = 0.0 }
y[vi, vj] = y[vi, vj] + x[vi, vk] * t[vk, vj] } } } } })");
    if (!product) FAIL(to_string(product.error()));
    const Trace trace = default_trace(*product, wide_target());
    CHECK(to_string(trace).find("compute_inline") == std::string::npos);
    CHECK(to_string(trace).find("vectorize(dot.") != std::string::npos);
    const Result<Replay> done = replay(*product, trace);
    if (!done) FAIL(to_string(done.error()));
    CHECK(difference(*product, done->result()) < 1e-5);
}

TEST_CASE("sums over stretches are added up while both are near", "[schedule][rules]") {
    const Result<Program> product = tensor::parse_program(R"(
fn product(x: f16[12,64], w: f16[64,64]) -> (y: f16[12,64]) {
alloc part: f16[4,12,64] scope global
alloc sum: f32[12,64] scope global
for s in 4 { for i in 12 { for j in 64 { for k in 16 {
block part(vs = s in 4, vi = i in 12, vj = j in 64, reduce vk = k in 16) {
reads part[vs, vi, vj], x[vi, vs * 16 + vk], w[vs * 16 + vk, vj] writes part[vs, vi, vj]
init { part[vs, vi, vj] = 0.0f16 }
part[vs, vi, vj] = part[vs, vi, vj] + x[vi, vs * 16 + vk] * w[vs * 16 + vk, vj] } } } } }
for i in 12 { for j in 64 { for s in 4 {
block sum(vi = i in 12, vj = j in 64, reduce vs = s in 4) {
reads sum[vi, vj], part[vs, vi, vj] writes sum[vi, vj]
init { sum[vi, vj] = 0.0 }
sum[vi, vj] = sum[vi, vj] + f32(part[vs, vi, vj]) } } } }
for i in 12 { for j in 64 {
block y(vi = i in 12, vj = j in 64) {
reads sum[vi, vj] writes y[vi, vj]
y[vi, vj] = f16(max(sum[vi, vj], 0.0)) } } } })");
    if (!product) FAIL(to_string(product.error()));
    Target target = wide_target();
    target.vector_bits = 512;
    target.vector_registers = 32;
    const std::string trace = to_string(default_trace(*product, target));
    INFO(trace);
    // A tile of 6 rows by two registers of 32 lanes, the whole sums' around the stretches'.
    for (const char* step : {"split(y.j, [-1, 64])", "compute_at(sum, y.j_o)", "set_scope(sum, stack)",
                             "compute_at(part, sum.s)", "set_scope(part, registers)", "vectorize(part.j)"})
        CHECK(trace.find(step) != std::string::npos);
    const Result<Replay> done = replay(*product, default_trace(*product, target));
    if (!done) FAIL(to_string(done.error()));
    CHECK(difference(*product, done->result()) == 0);
}

TEST_CASE("a copy of a buffer whose name has dots can be scheduled", "[schedule][cache_read][rules]") {
    using namespace tensor;
    const Buffer x = make_buffer("x", DType::F32, {4, 8}), weight = make_buffer("fc.1.weight", DType::F32, {8, 16});
    ComputeBuilder builder;
    const Buffer y =
        builder.axes({"m", "n"})
            .reduce("dense", DType::F32, {4, 16}, {Combiner::Sum, {8}, {"k"}}, [&](const auto& i, const auto& k) {
                return load(x, {i[0], k[0]}) * load(weight, {k[0], i[1]});
            });
    const Program product = builder.program("dense", {x, weight}, {y});
    apply(product, "cache_read(dense, fc.1.weight, stack)\nvectorize(fc_1_weight_read.i1)");
}

TEST_CASE("a copy that goes through blocks along its last dimension has vectors in each", "[schedule][rules]") {
    const auto trace_of = [](const std::string& from) {
        const Result<Program> heads = tensor::parse_program(R"(
fn heads(x: f32[4,6,32]) -> (y: f32[6,128]) {
for i in 6 { for j in 128 {
block join(vi = i in 6, vj = j in 128) {
reads x[)" + from + R"(] writes y[vi, vj]
y[vi, vj] = x[)" + from + R"(] } } } })");
        if (!heads) FAIL(to_string(heads.error()));
        const Trace trace = default_trace(*heads, wide_target());
        const Result<Replay> done = replay(*heads, trace);
        if (!done) FAIL(to_string(done.error()));
        CHECK(difference(*heads, done->result()) == 0);
        return to_string(trace);
    };
    const std::string trace = trace_of("vj // 32, vi, vj % 32");
    CHECK(trace.find("split(join.j, [-1, 32])") != std::string::npos);
    CHECK(trace.find("vectorize(join.j_i") != std::string::npos);
    // Neighbours that do not lie side by side, or in blocks of two sizes.
    for (const char* from : {"vj % 4, vi, vj // 4", "vj // 32, vi, vj % 32 // 2", "vj // 32, vi, vj % 16"})
        CHECK(trace_of(from).find("vectorize") == std::string::npos);
}

TEST_CASE("a few elements that lanes would gather are written out", "[schedule][rules]") {
    const auto trace_of = [](const std::string& blocks) {
        std::string text = R"(
fn shuffle(x: f32[7*N/4,20,4]) -> (y: f32[N,20,7]) {
for a in N { for b in 20 { for c in 7 {
block move(va = a in N, vb = b in 20, vc = c in 7) {
reads x[(va * 7 + vc) // 4, vb, vc % 4] writes y[va, vb, vc]
y[va, vb, vc] = x[(va * 7 + vc) // 4, vb, vc % 4] } } } } })";
        const std::string read = std::to_string(std::stoi(blocks) * 7 / 4);
        text.replace(text.find("7*N/4"), 5, read);
        for (std::size_t at; (at = text.find("N")) != std::string::npos;) text.replace(at, 1, blocks);
        const Result<Program> shuffle = tensor::parse_program(text);
        if (!shuffle) FAIL(to_string(shuffle.error()));
        const Trace trace = default_trace(*shuffle, wide_target());
        const Result<Replay> done = replay(*shuffle, trace);
        if (!done) FAIL(to_string(done.error()));
        CHECK(difference(*shuffle, done->result()) == 0);
        return to_string(trace);
    };
    // All blocks where they are few: what is divided depends on them too.
    const std::string few = trace_of("4"), many = trace_of("40");
    CHECK(few.find("reorder([move.b, move.a, move.c])") != std::string::npos);
    CHECK(few.find("unroll(move.a)") != std::string::npos);
    CHECK(few.find("unroll(move.c)") != std::string::npos);
    CHECK(many.find("unroll(move.a)") == std::string::npos);
    CHECK(many.find("unroll(move.c)") != std::string::npos);
}

TEST_CASE("neighbours in other blocks of channels are vectors", "[schedule][rules]") {
    const auto trace_of = [](const std::string& rows, const std::string& rest) {
        std::string text = R"(
fn next(x: f32[4,ROWS,64,16]) -> (y: f32[4,ROWS,64,16]) {
for a in 4 { for h in ROWS { for w in 64 { for c in 16 {
block next(va = a in 4, vh = h in ROWS, vw = w in 64, vc = c in 16) {
y[va, vh, vw, vc] = x[min((va * 16 + vc + 2) // 16, 3), vh, vw, REST] } } } } } })";
        text.replace(text.find("REST"), 4, rest);
        for (std::size_t at; (at = text.find("ROWS")) != std::string::npos;) text.replace(at, 4, rows);
        const Result<Program> next = tensor::parse_program(text);
        if (!next) FAIL(to_string(next.error()));
        const Trace trace = default_trace(*next, wide_target());
        const Result<Replay> done = replay(*next, trace);
        if (!done) FAIL(to_string(done.error()));
        CHECK(difference(*next, done->result()) == 0);
        return to_string(trace);
    };
    const std::string near = trace_of("2", "(va * 16 + vc + 2) % 16"), far = trace_of("32", "(va * 16 + vc + 2) % 16");
    CHECK(near.find("vectorize(next.c)") != std::string::npos);
    CHECK(near.find("reorder") == std::string::npos);
    // Three images of 128 KB do not stay in half of a second-level cache: rows of all blocks then go by.
    CHECK(far.find("vectorize(next.c)") != std::string::npos);
    CHECK(far.find("reorder([next.h, next.a])") != std::string::npos);
    // No neighbours.
    for (const char* rest : {"(va * 16 + vc * 3) % 16", "(va + vc) % 16", "(va * 8 + vc) % 16", "vc % 8"})
        CHECK(trace_of("2", rest).find("vectorize(next.c)") == std::string::npos);
}

TEST_CASE("what an element's place chooses is written out", "[schedule][rules]") {
    // Sums and differences of neighbours by rows of two matrices, the second of which alone reads the first.
    const Result<Program> program = tensor::parse_program(R"(
fn tiles(x: f32[6,12,8]) -> (y: f32[6,12,8]) {
  alloc t: f32[6,6,2,8] scope global
  alloc u: f32[6,12,8] scope global
  for n in 6 { for p in 6 { for i in 2 { for c in 8 {
    block first(vn = n in 6, vp = p in 6, vi = i in 2, vc = c in 8) {
      t[vn, vp, vi, vc] = select(vi == 0, x[vn, vp * 2, vc] + x[vn, vp * 2 + 1, vc], x[vn, vp * 2, vc] - x[vn, vp * 2 + 1, vc]) } } } } }
  for n in 6 { for h in 12 { for c in 8 {
    block second(vn = n in 6, vh = h in 12, vc = c in 8) {
      u[vn, vh, vc] = select(vh % 2 == 0, t[vn, vh // 2, 0, vc] * 2.0 + t[vn, vh // 2, 1, vc] * 3.0 + 1.0,
                                         t[vn, vh // 2, 0, vc] * 4.0 - t[vn, vh // 2, 1, vc] * 5.0 - 1.0) } } } }
  for n in 6 { for h in 12 { for c in 8 {
    block third(vn = n in 6, vh = h in 12, vc = c in 8) {
      y[vn, vh, vc] = select(u[vn, vh, vc] < 0.0, u[vn, vh, vc] * u[vn, vh, vc] * u[vn, vh, vc], u[vn, vh, vc] + u[vn, vh, vc]) } } } }
})");
    if (!program) FAIL(to_string(program.error()));
    const Trace trace = default_trace(*program, wide_target());
    const std::string text = to_string(trace);
    INFO(text);
    CHECK(text.find("split(third.h, [-1, 2])") != std::string::npos);
    CHECK(text.find("compute_at(first, third.h_o)") != std::string::npos);
    CHECK(text.find("unroll(third.h_i)") != std::string::npos);
    const Result<Replay> done = replay(*program, trace);
    if (!done) FAIL(to_string(done.error()));
    CHECK(difference(*program, done->result()) < 1e-5);
}

TEST_CASE("a border around what is written out is made where it is used", "[schedule][rules]") {
    // Sums and differences of three neighbours, two places apart, of a row with a zero at both ends.
    const auto trace_of = [](const std::string& tail) {
        const Result<Program> program = tensor::parse_program(R"(
fn tiles(x: f32[6,11,8]) -> (y: f32[6,6,2,8])" + std::string(tail.empty() ? "" : ", z: f32[6,13,8]") +
                                                              R"() {
  alloc p: f32[6,13,8] scope global
  for n in 6 { for h in 13 { for c in 8 {
    block pad(vn = n in 6, vh = h in 13, vc = c in 8) {
      p[vn, vh, vc] = select(vh >= 1 && vh < 12, x[vn, vh - 1, vc], 0.0) } } } }
  for n in 6 { for t in 6 { for i in 2 { for c in 8 {
    block rows(vn = n in 6, vt = t in 6, vi = i in 2, vc = c in 8) {
      y[vn, vt, vi, vc] = select(vi == 0, p[vn, vt * 2, vc] + p[vn, vt * 2 + 1, vc] * 2.0 + p[vn, vt * 2 + 2, vc],
                                          p[vn, vt * 2, vc] - p[vn, vt * 2 + 1, vc] * 3.0 - p[vn, vt * 2 + 2, vc]) } } } } }
)" + tail + "}");
        if (!program) FAIL(to_string(program.error()));
        const Trace trace = default_trace(*program, wide_target());
        const Result<Replay> done = replay(*program, trace);
        if (!done) FAIL(to_string(done.error()));
        CHECK(difference(*program, done->result()) < 1e-5);
        return to_string(trace);
    };
    const std::string alone = trace_of("");
    INFO(alone);
    CHECK(alone.find("compute_at(pad, rows.t)\nunroll(pad.h)\nvectorize(pad.c)") != std::string::npos);
    // Another reader wants all of it.
    const std::string shared = trace_of(R"(
  for n in 6 { for h in 13 { for c in 8 {
    block more(vn = n in 6, vh = h in 13, vc = c in 8) { z[vn, vh, vc] = p[vn, vh, vc] * p[vn, vh, vc] } } } }
)");
    CHECK(shared.find("compute_at(pad") == std::string::npos);
}

TEST_CASE("blocks of one row run row by row, sums along it in lanes", "[schedule][rules]") {
    const Program program = softmax(12, 128);
    const Trace trace = default_trace(program, wide_target());
    const std::string text = to_string(trace);
    INFO(text);
    for (const char* part : {"rfactor(high.k_i)", "compute_at(high_rf, out.r)", "compute_at(power, out.r)",
                             "vectorize(sum_rf.k_i)", "vectorize(out.c)"})
        CHECK(text.find(part) != std::string::npos);
    const Result<Replay> done = replay(program, trace);
    if (!done) FAIL(to_string(done.error()));
    CHECK(difference(program, done->result()) < 1e-5);
}

TEST_CASE("lanes are added up a register, then four, at a time before one after another", "[schedule][rules]") {
    const Program program = softmax(12, 256);
    const Trace trace = default_trace(program, wide_target());
    const std::string text = to_string(trace);
    INFO(text);
    for (const char* part : {"rfactor(high.k_i)", "rfactor(high.k_i_i)", "rfactor(high.k_i_i_i)",
                             "compute_at(high_rf_2, out.r)", "vectorize(sum_rf_2.k_i_i_i)", "unroll(sum.k_i_i_i)"})
        CHECK(text.find(part) != std::string::npos);
    const Result<Replay> done = replay(program, trace);
    if (!done) FAIL(to_string(done.error()));
    CHECK(difference(program, done->result()) < 1e-5);
    // Eight are few.
    CHECK(to_string(default_trace(softmax(12, 48), narrow_target())).find("rf_1") == std::string::npos);
}

TEST_CASE("rows of a matrix by pairs are stored in vectors of each row", "[schedule][rules]") {
    const Result<Program> pairs = tensor::parse_program(R"(
fn pairs(x: f32[8,48]) -> (y: f32[4,48,2]) {
  for r in 4 { for c in 48 { for p in 2 {
    block y(vr = r in 4, vc = c in 48, vp = p in 2) { y[vr, vc, vp] = x[vr * 2 + vp, vc] } } } }
})");
    if (!pairs) FAIL(to_string(pairs.error()));
    const Trace trace = default_trace(*pairs, wide_target());
    const std::string text = to_string(trace);
    INFO(text);
    CHECK(text.find("split(y.c, [-1, 16])\nreorder([y.p, y.c_i])\nunroll(y.p)\nvectorize(y.c_i)") != std::string::npos);
    const Result<Replay> done = replay(*pairs, trace);
    if (!done) FAIL(to_string(done.error()));
    CHECK(difference(*pairs, done->result()) == 0);
}

TEST_CASE("many narrow registers make a row of four of them, where a cache line holds those", "[schedule][rules]") {
    const Program product = matmul(48, 128, 20);
    struct Case {
        int bits, registers;
        const char *columns, *rows;
    };
    for (const Case& one : {Case{128, 32, "split(matmul_write.n, [-1, 16])", "split(matmul_write.m, [-1, 6])"},
                            Case{128, 16, "split(matmul_write.n, [-1, 8])", "split(matmul_write.m, [-1, 6])"},
                            Case{256, 16, "split(matmul_write.n, [-1, 16])", "split(matmul_write.m, [-1, 6])"},
                            Case{512, 32, "split(matmul_write.n, [-1, 32])", "split(matmul_write.m, [-1, 12])"}}) {
        Target target;
        target.vector_bits = one.bits;
        target.vector_registers = one.registers;
        const Trace trace = default_trace(product, target);
        const std::string text = to_string(trace);
        INFO(one.bits << " bits, " << one.registers << " registers\n" << text);
        CHECK(text.find(one.columns) != std::string::npos);
        CHECK(text.find(one.rows) != std::string::npos);
        const Result<Replay> done = replay(product, trace);
        if (!done) FAIL(to_string(done.error()));
        CHECK(difference(product, done->result()) < 1e-5);
    }
}

TEST_CASE("three halves of a register are one row of a tile, not three rows of halves", "[schedule][rules]") {
    const Program product = matmul(48, 24, 20);
    const Trace trace = default_trace(product, wide_target());
    INFO(to_string(trace));
    CHECK(to_string(trace).find("split(matmul_write.n, [-1, 24])") != std::string::npos);
    const Result<Replay> done = replay(product, trace);
    if (!done) FAIL(to_string(done.error()));
    CHECK(difference(product, done->result()) < 1e-5);
}

TEST_CASE("a row too long to be written out goes in vectors", "[schedule][rules]") {
    for (const std::int64_t columns : {512, 1000, 521}) {
        const Program program = softmax(4, columns);
        const Trace trace = default_trace(program, wide_target());
        CHECK(to_string(trace).find("split(sum.k, [-1, 64])\nrfactor(sum.k_i)") != std::string::npos);
        const Result<Replay> done = replay(program, trace);
        if (!done) FAIL(to_string(done.error()));
        const std::string text = tensor::to_string(done->result());
        INFO(text);
        // Nothing but pieces of a row is left to go through one by one.
        for (const auto* loop : {"for c in", "for c_1 in"}) CHECK(text.find(loop) == std::string::npos);
        CHECK(difference(program, done->result()) < 1e-5);
    }
}

TEST_CASE("a product with a matrix in panels has the loop over panels outside", "[schedule][rules]") {
    // Fourteen rows in groups of five, two panels of eight columns, which the result has in one dimension.
    const Result<Program> program = tensor::parse_program(R"(
fn product(x: f32[14,12], w: f32[2,12,8], b: f32[16]) -> (y: f32[14,16]) {
  alloc s: f32[15,2,8] scope global
  for i in 15 { for p in 2 { for j in 8 { for k in 12 {
    block sums(vi = i in 15, vp = p in 2, vj = j in 8, reduce vk = k in 12) {
      init { s[vi, vp, vj] = 0.0 }
      s[vi, vp, vj] = s[vi, vp, vj] + x[min(vi, 13), vk] * w[vp, vk, vj] } } } } }
  for i in 14 { for j in 16 {
    block out(vi = i in 14, vj = j in 16) {
      y[vi, vj] = max(s[vi, vj // 8, vj % 8] + b[vj], 0.0) } } }
})");
    if (!program) FAIL(to_string(program.error()));
    Target narrow = narrow_target();
    const Trace trace = default_trace(*program, narrow);
    const std::string text = to_string(trace);
    INFO(text);
    CHECK(text.find("split(out.j, [-1, 8])") != std::string::npos);
    CHECK(text.find("split(out.i, [-1, 5])") != std::string::npos);
    CHECK(text.find("reorder([out.j_o_o, out.i_o, out.j_i_o, ") != std::string::npos); // two panels together
    CHECK(text.find("set_scope(sums, registers)") != std::string::npos);
    CHECK(text.find("cache_write") == std::string::npos);
    const Result<Replay> done = replay(*program, trace);
    if (!done) FAIL(to_string(done.error()));
    CHECK(difference(*program, done->result()) < 1e-5);
}

TEST_CASE("places counted through an image are computed in the image's loops", "[schedule][rules]") {
    const Result<Program> program = tensor::parse_program(R"(
fn places(x: f32[2,4,5,8], w: f32[4,2,8,8]) -> (y: f32[4,4,5,8]) {
  alloc s: f32[4,24,8] scope global
  for c in 4 { for t in 24 { for o in 8 { for k in 2 { for i in 8 {
    block sums(vc = c in 4, vt = t in 24, vo = o in 8, reduce vk = k in 2, reduce vi = i in 8) {
      init { s[vc, vt, vo] = 0.0 }
      s[vc, vt, vo] = s[vc, vt, vo] + x[vk, min(vt, 19) // 5, min(vt, 19) % 5, vi] * w[vc, vk, vi, vo] } } } } } }
  for c in 4 { for h in 4 { for q in 5 { for o in 8 {
    block image(vc = c in 4, vh = h in 4, vq = q in 5, vo = o in 8) {
      y[vc, vh, vq, vo] = max(s[vc, vh * 5 + vq, vo] + 1.0, 0.0) } } } } }
})");
    if (!program) FAIL(to_string(program.error()));
    Target narrow = narrow_target();
    const Trace trace = default_trace(*program, narrow);
    const std::string text = to_string(trace);
    INFO(text);
    CHECK(text.find("fuse([image.h, image.q])") != std::string::npos);
    CHECK(text.find("split(image.h_q, [-1, 6])") != std::string::npos);
    CHECK(text.find("set_scope(sums, registers)") != std::string::npos);
    CHECK(text.find("cache_write") == std::string::npos);
    const Result<Replay> done = replay(*program, trace);
    if (!done) FAIL(to_string(done.error()));
    CHECK(difference(*program, done->result()) < 1e-5);
}

TEST_CASE("what rows read with jumps is copied once for all lanes beside it", "[schedule][rules]") {
    // 534 places are 89 tiles of six: no number of pieces divides them.
    const Result<Program> program = tensor::parse_program(R"(
fn places(x: f32[2,23,23,8], w: f32[16,2,2,2,8,8]) -> (y: f32[16,23,23,8]) {
  alloc p: f32[2,24,24,8] scope global
  alloc s: f32[16,534,8] scope global
  for c in 2 { for h in 24 { for q in 24 { for o in 8 {
    block pad(vc = c in 2, vh = h in 24, vq = q in 24, vo = o in 8) {
      p[vc, vh, vq, vo] = select(vh >= 1 && vq >= 1, x[vc, vh - 1, vq - 1, vo], 0.0) } } } } }
  for c in 16 { for t in 534 { for o in 8 { for k in 2 { for a in 2 { for b in 2 { for i in 8 {
    block sums(vc = c in 16, vt = t in 534, vo = o in 8, reduce vk = k in 2, reduce va = a in 2, reduce vb = b in 2,
               reduce vi = i in 8) {
      init { s[vc, vt, vo] = 0.0 }
      s[vc, vt, vo] = s[vc, vt, vo] + p[vk, min(vt, 528) // 23 + va, min(vt, 528) % 23 + vb, vi] *
                                      w[vc, vk, va, vb, vi, vo] } } } } } } } }
  for c in 16 { for h in 23 { for q in 23 { for o in 8 {
    block image(vc = c in 16, vh = h in 23, vq = q in 23, vo = o in 8) {
      y[vc, vh, vq, vo] = max(s[vc, vh * 23 + vq, vo] + 1.0, 0.0) } } } } }
})");
    if (!program) FAIL(to_string(program.error()));
    Target small = narrow_target();
    small.l1_bytes = 4 << 10;
    small.l2_bytes = 34 << 10; // the image with its border takes 36 KB, the weights 32
    const Trace trace = default_trace(*program, small);
    const std::string text = to_string(trace);
    INFO(text);
    CHECK(text.find("reindex(sums, p)\ncompute_inline(pad)") != std::string::npos);
    // Half of that cache keeps half of the weights: four pairs of filters share a copy.
    CHECK(text.find("split(image.c_o, [2, -1])") != std::string::npos);
    CHECK(text.find("reorder([image.c_o_o, image.h_q_o, image.c_o_i") != std::string::npos);
    CHECK(text.find("compute_at(p_reindex, image.h_q_o)") != std::string::npos);
    CHECK(text.find("set_scope(p_reindex, stack)") != std::string::npos);
    const Result<Replay> done = replay(*program, trace);
    if (!done) FAIL(to_string(done.error()));
    CHECK(difference(*program, done->result()) < 1e-5);
    // A cache that keeps all of it needs no copy; one that keeps few filters would make too many.
    for (const std::int64_t bytes : {40 << 10, 16 << 10}) {
        small.l2_bytes = bytes;
        CHECK(to_string(default_trace(*program, small)).find("reindex") == std::string::npos);
    }
}

TEST_CASE("weights of which each is used for a short time are fetched a panel ahead", "[schedule][rules][prefetch]") {
    const auto product = [](int rows, int panels, int depth) {
        const std::string m = std::to_string(rows), p = std::to_string(panels), k = std::to_string(depth);
        const Result<Program> program = tensor::parse_program(
            "fn product(x: f32[" + m + "," + k + "], w: f32[" + p + "," + k + ",16]) -> (y: f32[" + p + "," + m +
            ",16]) {\n"
            "  for p in " +
            p + " { for i in " + m + " { for j in 16 { for k in " + k +
            " {\n"
            "    block sums(vp = p in " +
            p + ", vi = i in " + m + ", vj = j in 16, reduce vk = k in " + k +
            ") {\n"
            "      reads y[vp, vi, vj], x[vi, vk], w[vp, vk, vj] writes y[vp, vi, vj]\n"
            "      init { y[vp, vi, vj] = 0.0 }\n"
            "      y[vp, vi, vj] = y[vp, vi, vj] + x[vi, vk] * w[vp, vk, vj] } } } } } }");
        if (!program) FAIL(to_string(program.error()));
        return *program;
    };
    const auto fetches = [](const Trace& trace) {
        return std::ranges::count(trace.steps, "prefetch", &TraceStep::primitive);
    };
    const Program some = product(24, 4, 256); // panels of 16 KB, one line for every step of a tile of six rows
    const Trace trace = default_trace(some, narrow_target());
    INFO(to_string(trace));
    REQUIRE(fetches(trace) == 1);
    CHECK(trace.steps.back().primitive == "prefetch");
    const Result<Replay> done = replay(some, trace);
    if (!done) FAIL(to_string(done.error()));
    const Result<void> sound = tensor::verify(done->result());
    if (!sound) FAIL(to_string(sound.error()));
    CHECK(difference(some, done->result()) < 1e-4);
    CHECK(fetches(default_trace(product(1, 4, 256), narrow_target())) == 0);    // a stream, which goes on by itself
    CHECK(fetches(default_trace(product(1536, 4, 256), narrow_target())) == 0); // the next panel comes seldom
    CHECK(fetches(default_trace(product(24, 1, 1024), narrow_target())) == 0);  // there is no next one
    CHECK(fetches(default_trace(product(24, 4, 32), narrow_target())) == 0);    // all of it is near
    CHECK(fetches(default_trace(product(24, 2, 8192), narrow_target())) == 0);  // two do not fit the cache
}

TEST_CASE("loops over panels are one, and sixteen steps of a sum written out", "[schedule][rules][prefetch]") {
    // As Winograd's products are: 40 of them, each by three panels of 16 columns.
    const Result<Program> program = tensor::parse_program(R"(
fn products(x: f32[40,12,8,16], w: f32[40,3,128,16]) -> (y: f32[40,3,12,16]) {
  for b in 40 { for p in 3 { for i in 12 { for j in 16 { for k in 8 { for l in 16 {
    block sums(vb = b in 40, vp = p in 3, vi = i in 12, vj = j in 16, reduce vk = k in 8, reduce vl = l in 16) {
      reads y[vb, vp, vi, vj], x[vb, vi, vk, vl], w[vb, vp, vk * 16 + vl, vj] writes y[vb, vp, vi, vj]
      init { y[vb, vp, vi, vj] = 0.0 }
      y[vb, vp, vi, vj] = y[vb, vp, vi, vj] + x[vb, vi, vk, vl] * w[vb, vp, vk * 16 + vl, vj] } } } } } } }
})");
    if (!program) FAIL(to_string(program.error()));
    const std::string trace = checked_trace(*program, narrow_target());
    INFO(trace);
    CHECK(has(trace, "fuse([sums_write.b, sums_write.p])\nparallel(sums_write.b_p)"));
    CHECK(has(trace, "split(sums.l, [-1, 16])\nunroll(sums.l_i)\nprefetch(sums.b_p, w, sums.l_o)"));
}
