// Default schedules of windows that slide over an image whose channels stay apart, and of long sums.

#include "core/schedule/rules.hpp"
#include "core/tensor/text.hpp"
#include "tests/core/schedule/programs.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace orrery;
using namespace orrery::schedule;
using namespace orrery::schedule::test;
using tensor::Program;

namespace {

Target machine_of(int vector_bits, int registers) {
    Target target;
    target.vector_bits = vector_bits;
    target.vector_registers = registers;
    target.cores = 2;
    target.l1_bytes = 32 << 10;
    return target;
}

/// A depthwise convolution of k x k with a border, then a relu: blocks of channels innermost.
Program depthwise(int blocks, int lanes, int size, int stride, int kernel) {
    const int out = (size - 1) / stride + 1, padded = (out - 1) * stride + kernel, edge = kernel / 2;
    std::string text = R"(fn depthwise(x: f32[B,S,S,L], w: f32[B,K,K,L]) -> (y: f32[B,O,O,L]) {
  alloc pad: f32[B,P,P,L] scope global
  alloc sums: f32[B,O,O,L] scope global
  for c in B { for h in P { for q in P { for i in L {
    block pad(vc = c in B, vh = h in P, vq = q in P, vi = i in L) {
      pad[vc, vh, vq, vi] = select((vh >= E && vh < F && vq >= E && vq < F), x[vc, vh - E, vq - E, vi], 0.0) } } } } }
  for c in B { for h in O { for q in O { for i in L { for kh in K { for kw in K {
    block sums(vc = c in B, vh = h in O, vq = q in O, vi = i in L, reduce vkh = kh in K, reduce vkw = kw in K) {
      init { sums[vc, vh, vq, vi] = 0.0 }
      sums[vc, vh, vq, vi] = sums[vc, vh, vq, vi] + pad[vc, vh * T + vkh, vq * T + vkw, vi] * w[vc, vkh, vkw, vi]
    } } } } } } }
  for c in B { for h in O { for q in O { for i in L {
    block relu(vc = c in B, vh = h in O, vq = q in O, vi = i in L) {
      y[vc, vh, vq, vi] = max(sums[vc, vh, vq, vi], 0.0) } } } } }
})";
    const std::vector<std::pair<char, int>> sizes{{'B', blocks},      {'L', lanes},  {'S', size},
                                                  {'O', out},         {'P', padded}, {'E', edge},
                                                  {'F', edge + size}, {'T', stride}, {'K', kernel}};
    std::string filled;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto size_of = std::ranges::find(sizes, text[i], &std::pair<char, int>::first);
        filled += size_of == sizes.end() ? std::string(1, text[i]) : std::to_string(size_of->second);
    }
    const Result<Program> program = tensor::parse_program(filled);
    if (!program) FAIL(to_string(program.error()));
    return *program;
}

/// The default trace, which must keep the numbers.
std::string checked_trace(const Program& program, const Target& target) {
    const Trace trace = default_trace(program, target);
    INFO(to_string(trace));
    const Result<Replay> done = replay(program, trace);
    if (!done) FAIL(to_string(done.error()));
    const Result<void> sound = tensor::verify(done->result());
    if (!sound) FAIL(to_string(sound.error()));
    CHECK(difference(program, done->result()) < 1e-5);
    return to_string(trace);
}

bool has(const std::string& trace, const std::string& step) { return trace.find(step) != std::string::npos; }

} // namespace

TEST_CASE("windows that overlap are written out, and registers hold what they read beside the sums",
          "[schedule][rules][windows]") {
    const Target wide = machine_of(512, 32), narrow = machine_of(256, 16);
    std::string trace = checked_trace(depthwise(2, 16, 28, 1, 3), wide);
    CHECK(has(trace, "split(relu.q, [-1, 14])")); // of 32 registers
    CHECK(has(trace, "unroll(sums.kw)"));
    CHECK(has(trace, "unroll(sums.kh)"));
    trace = checked_trace(depthwise(2, 16, 28, 2, 5), wide); // 350 products would be too much code
    CHECK(has(trace, "unroll(sums.kw)"));
    CHECK_FALSE(has(trace, "unroll(sums.kh)"));
    trace = checked_trace(depthwise(2, 8, 28, 1, 3), narrow);
    CHECK(has(trace, "split(relu.q, [-1, 7])"));
    CHECK(has(trace, "unroll(sums.kw)"));
    CHECK_FALSE(has(trace, "unroll(sums.kh)"));
    // Where only few rows would be left, all registers are for sums, and each product loads.
    trace = checked_trace(depthwise(2, 16, 23, 1, 3), wide);
    CHECK(has(trace, "split(relu.q, [-1, 23])"));
    CHECK_FALSE(has(trace, "unroll(sums.kw)"));
    // Windows of one place share nothing.
    CHECK_FALSE(has(checked_trace(depthwise(2, 16, 28, 1, 1), wide), "unroll(sums.kw)"));
}

TEST_CASE("an image with its border is copied in pieces that leave the nearest cache room",
          "[schedule][rules][windows]") {
    const Target wide = machine_of(512, 32);
    // A third of 32 KB: six rows of 30 places are 11.5 KB, four 7.7 KB for two rows of results.
    CHECK(has(checked_trace(depthwise(8, 16, 28, 1, 3), wide), "split(relu.h, [14, -1])"));
    // An image that fits is one piece, for each block of channels.
    const std::string trace = checked_trace(depthwise(8, 16, 7, 1, 3), wide);
    CHECK(has(trace, "compute_at(pad, relu.c)"));
    CHECK_FALSE(has(trace, "split(relu.h"));
    // Three rows are more than a third: half of it is left, and copied three times.
    CHECK(has(checked_trace(depthwise(1, 16, 72, 1, 3), wide), "compute_at(pad, relu.h)"));
}

TEST_CASE("a few steps of a sum are written out where its tile reads more than the nearest cache keeps",
          "[schedule][rules]") {
    const auto product = [](int depth) {
        const std::string k = std::to_string(depth);
        const Result<Program> program = tensor::parse_program(
            "fn product(x: f32[12," + k + "], w: f32[" + k + ",16]) -> (y: f32[12,16]) {\n" +
            "for i in 12 { for j in 16 { for k in " + k + " {\n" +
            "block sums(vi = i in 12, vj = j in 16, reduce vk = k in " + k + ") {\n" + "init { y[vi, vj] = 0.0 }\n" +
            "y[vi, vj] = y[vi, vj] + x[vi, vk] * w[vk, vj] } } } } }");
        if (!program) FAIL(to_string(program.error()));
        return *program;
    };
    const Target wide = machine_of(512, 32);
    const std::string far = checked_trace(product(1024), wide); // 64 KB of weights for a tile
    CHECK(has(far, "split(sums.k, [-1, 4])"));
    CHECK(has(far, "unroll(sums.k_i)"));
    CHECK_FALSE(has(checked_trace(product(128), wide), "unroll(sums.k")); // 8 KB
    CHECK(has(checked_trace(product(1023), wide), "split(sums.k, [-1, 3])"));
    CHECK_FALSE(has(checked_trace(product(1021), wide), "unroll(sums.k")); // a prime number of steps
    // Of a window's channels two.
    const Result<Program> window = tensor::parse_program(R"(
fn window(x: f32[8,14,64], w: f32[8,3,64,16]) -> (y: f32[12,16]) {
  for i in 12 { for j in 16 { for g in 8 { for q in 3 { for k in 64 {
    block sums(vi = i in 12, vj = j in 16, reduce vg = g in 8, reduce vq = q in 3, reduce vk = k in 64) {
      init { y[vi, vj] = 0.0 }
      y[vi, vj] = y[vi, vj] + x[vg, vi + vq, vk] * w[vg, vq, vk, vj] } } } } } }
})");
    if (!window) FAIL(to_string(window.error()));
    CHECK(has(checked_trace(*window, wide), "split(sums.k, [-1, 2])"));
    // All that is read moves with the lanes: nothing is used twice.
    CHECK_FALSE(has(checked_trace(depthwise(1, 16, 96, 1, 1), wide), "unroll(sums.k"));
}
