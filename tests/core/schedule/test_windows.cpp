// Default schedules of windows that slide over an image whose channels stay apart, of long sums, and of panels.

#include "core/tensor/text.hpp"
#include "tests/core/schedule/rules.hpp"

#include <algorithm>
#include <cstdio>
#include <random>

using namespace orrery;
using namespace orrery::schedule;
using namespace orrery::schedule::test;
using tensor::Program;

namespace {

using Sizes = std::vector<std::pair<char, int>>;

/// A program whose capital letters stand for numbers.
Program program_of(const std::string& text, const Sizes& sizes) {
    std::string filled;
    for (const char letter : text) {
        const auto size = std::ranges::find(sizes, letter, &std::pair<char, int>::first);
        filled += size == sizes.end() ? std::string(1, letter) : std::to_string(size->second);
    }
    const Result<Program> program = tensor::parse_program(filled);
    if (!program) FAIL(to_string(program.error()));
    return *program;
}

struct Window {
    int blocks, lanes, size, stride, kernel;
    [[nodiscard]] int out() const { return (size - 1) / stride + 1; }
    [[nodiscard]] Sizes sizes() const {
        const int edge = kernel / 2;
        return {{'B', blocks}, {'L', lanes},  {'S', size},        {'O', out()}, {'P', (out() - 1) * stride + kernel},
                {'E', edge},   {'K', kernel}, {'F', edge + size}, {'T', stride}};
    }
};
/// The sums of windows over an image with a border.
constexpr const char* kWindowSums = R"(
  for c in B { for h in P { for q in P { for i in L {
    block pad(vc = c in B, vh = h in P, vq = q in P, vi = i in L) {
      reads x[vc, vh - E, vq - E, vi] writes pad[vc, vh, vq, vi]
      pad[vc, vh, vq, vi] = select((vh >= E && vh < F && vq >= E && vq < F), x[vc, vh - E, vq - E, vi], 0.0) } } } } }
  for c in B { for h in O { for q in O { for i in L { for kh in K { for kw in K {
    block sums(vc = c in B, vh = h in O, vq = q in O, vi = i in L, reduce vkh = kh in K, reduce vkw = kw in K) {
      reads sums[vc, vh, vq, vi], pad[vc, vh * T + vkh, vq * T + vkw, vi], w[vc, vkh, vkw, vi]
      writes sums[vc, vh, vq, vi]
      init { sums[vc, vh, vq, vi] = 0.0 }
      sums[vc, vh, vq, vi] = sums[vc, vh, vq, vi] + pad[vc, vh * T + vkh, vq * T + vkw, vi] * w[vc, vkh, vkw, vi]
    } } } } } } }
)";

/// A depthwise convolution with a border, then a relu: blocks of channels innermost.
Program depthwise(int blocks, int lanes, int size, int stride, int kernel) {
    return program_of(std::string(R"(fn depthwise(x: f32[B,S,S,L], w: f32[B,K,K,L]) -> (y: f32[B,O,O,L]) {
  alloc pad: f32[B,P,P,L] scope global
  alloc sums: f32[B,O,O,L] scope global)") +
                          kWindowSums + R"(
  for c in B { for h in O { for q in O { for i in L {
    block relu(vc = c in B, vh = h in O, vq = q in O, vi = i in L) {
      y[vc, vh, vq, vi] = max(sums[vc, vh, vq, vi], 0.0) } } } } }
})",
                      Window{blocks, lanes, size, stride, kernel}.sizes());
}

enum class Between : std::uint8_t { Nothing, Relu };

/// A depthwise convolution, something elementwise or nothing, a convolution of single places to `filters` blocks, which
/// counts them through the image, and a relu.
Program separable(const Window& window, int filters, Between between) {
    Sizes sizes = window.sizes();
    sizes.insert(sizes.end(), {{'G', filters}, {'A', window.out() * window.out()}});
    const bool relu = between == Between::Relu;
    const std::string middle = R"(
  for c in B { for h in O { for q in O { for i in L {
    block first(vc = c in B, vh = h in O, vq = q in O, vi = i in L) {
      m[vc, vh, vq, vi] = max(sums[vc, vh, vq, vi], 0.0) } } } } })";
    return program_of(
        std::string("fn separable(x: f32[B,S,S,L], w: f32[B,K,K,L], v: f32[G,B,L,L]) -> (y: f32[G,O,O,L]) {\n"
                    "  alloc pad: f32[B,P,P,L] scope global\n  alloc sums: f32[B,O,O,L] scope global\n"
                    "  alloc dots: f32[G,A,L] scope global") +
            (relu ? "\n  alloc m: f32[B,O,O,L] scope global" : "") + kWindowSums + (relu ? middle : "") + R"(
  for g in G { for t in A { for j in L { for k in B { for i in L {
    block dots(vg = g in G, vt = t in A, vj = j in L, reduce vk = k in B, reduce vi = i in L) {
      init { dots[vg, vt, vj] = 0.0 }
      dots[vg, vt, vj] = dots[vg, vt, vj] + )" +
            (relu ? "m" : "sums") + R"([vk, vt // O, vt % O, vi] * v[vg, vk, vi, vj] } } } } } }
  for g in G { for h in O { for q in O { for j in L {
    block relu(vg = g in G, vh = h in O, vq = q in O, vj = j in L) {
      y[vg, vh, vq, vj] = max(dots[vg, vh * O + vq, vj], 0.0) } } } } }
})",
        sizes);
}

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
    // A few rows of several registers are as many sums.
    trace = checked_trace(depthwise(1, 68, 14, 1, 3), wide);
    CHECK(has(trace, "split(relu.q, [-1, 2])"));
    CHECK(has(trace, "unroll(sums.kh)"));
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

TEST_CASE("a sum whose tile leaves no register goes by a loop more", "[schedule][rules]") {
    const auto product = [](int rows, int depth) {
        return program_of(R"(fn product(x: f32[R,K], w: f32[2,K,16]) -> (y: f32[2,R,16]) {
  for g in 2 { for i in R { for j in 16 { for k in K {
    block sums(vg = g in 2, vi = i in R, vj = j in 16, reduce vk = k in K) {
      init { y[vg, vi, vj] = 0.0 }
      y[vg, vi, vj] = y[vg, vi, vj] + x[vi, vk] * w[vg, vk, vj] } } } } } })",
                          {{'R', rows}, {'K', depth}});
    };
    const Target wide = machine_of(512, 32);
    const std::string crowded = checked_trace(product(14, 64), wide); // 28 sums, two of weights, two of numbers
    INFO(crowded);
    CHECK(has(crowded, "split(sums.k, [-1, 4])"));
    CHECK_FALSE(has(crowded, "unroll(sums.k"));
    CHECK_FALSE(has(checked_trace(product(12, 64), wide), "split(sums.k"));
    CHECK(has(checked_trace(product(14, 512), wide), "unroll(sums.k_i)")); // weights from beyond the nearest cache
    CHECK_FALSE(has(checked_trace(product(6, 64), machine_of(256, 16)), "split(sums.k"));
}

TEST_CASE("a depthwise convolution is computed a piece of rows at a time beside the one of single places",
          "[schedule][rules][windows]") {
    const Target wide = machine_of(512, 32);
    std::string trace = checked_trace(separable({2, 16, 28, 1, 3}, 4, Between::Relu), wide);
    INFO(trace);
    // Two rows are four tiles of 14 places: 14 pieces, which two cores share alike.
    CHECK(has(trace, "split(relu.h_q_o, [14, -1])"));
    CHECK(has(trace, "reorder([relu.h_q_o_o, relu.g_o, relu.h_q_o_i"));
    CHECK(has(trace, "compute_at(first, relu.h_q_o_o)"));
    CHECK(has(trace, "compute_at(sums, first.i_o)"));
    CHECK(has(trace, "compute_at(pad, first."));
    CHECK(has(trace, "parallel(relu.h_q_o_o)"));
    // Nothing between the two: the sums get a copy of their own.
    trace = checked_trace(separable({2, 16, 28, 1, 3}, 4, Between::Nothing), wide);
    CHECK(has(trace, "cache_write(sums, stack)"));
    CHECK(has(trace, "compute_at(sums_write, relu.h_q_o_o)"));
    // More than a piece may take.
    Target small = wide;
    small.l2_bytes = 4 << 10;
    trace = checked_trace(separable({2, 16, 28, 1, 3}, 4, Between::Relu), small);
    CHECK_FALSE(has(trace, "compute_at(first"));
    CHECK(has(trace, "parallel(first."));
    // Places that tiles of whole rows do not divide.
    CHECK_FALSE(has(checked_trace(separable({2, 16, 13, 1, 3}, 4, Between::Relu), wide), "compute_at(first"));
    // Three cores do not share 14 pieces alike.
    Target three = wide;
    three.cores = 3;
    CHECK_FALSE(has(checked_trace(separable({2, 16, 28, 1, 3}, 4, Between::Relu), three), "compute_at(first"));
}

TEST_CASE("pairs of convolutions keep the numbers and compute nothing twice, whatever their sizes",
          "[schedule][rules][windows][property]") {
    std::mt19937 random(11);
    const auto one_of = [&](std::initializer_list<int> values) { return values.begin()[random() % values.size()]; };
    int paired = 0;
    for (int i = 0; i < 40; ++i) {
        const Window window{one_of({1, 2, 3}), one_of({8, 16}), one_of({6, 8, 12, 14, 16, 24, 28}), one_of({1, 2}),
                            one_of({1, 3, 5})};
        const Program program =
            separable(window, one_of({1, 2, 3, 4}), random() % 2 == 0 ? Between::Relu : Between::Nothing);
        Target target = random() % 2 == 0 ? machine_of(512, 32) : machine_of(256, 16);
        target.cores = one_of({1, 2, 4});
        target.l2_bytes = one_of({16, 64, 512}) << 10;
        INFO(tensor::to_string(program));
        const std::string trace = checked_trace(program, target);
        const bool pair = has(trace, "compute_at(first, relu.") || has(trace, "compute_at(sums_write, relu.");
        paired += pair ? 1 : 0;
        if (!pair) continue;
        const Result<Replay> done = replay(program, *parse_trace(trace));
        const std::string text = tensor::to_string(done->result());
        const std::string piece = has(trace, "compute_at(first") ? "alloc m: f32[" : "alloc sums_write: f32[";
        INFO(text);
        // Rows of a piece times pieces are the image's rows.
        const std::size_t shape = text.find(piece);
        if (shape == std::string::npos) continue; // the name of the buffer is the compiler's to choose
        int blocks = 0, rows = 0;
        CHECK(std::sscanf(text.c_str() + shape + piece.size(), "%d,%d", &blocks, &rows) == 2);
        CHECK(blocks == window.blocks);
        CHECK(window.out() % rows == 0);
    }
    CHECK(paired >= 10);
}

TEST_CASE("the greatest of all elements is found in vectors of lanes", "[schedule][rules]") {
    const Result<Program> program = tensor::parse_program(R"(fn most(x: f32[1,128,256]) -> (y: f32[]) {
  for a in 1 { for b in 128 { for c in 256 {
    block y(reduce va = a in 1, reduce vb = b in 128, reduce vc = c in 256) {
      reads y[], x[va, vb, vc] writes y[]
      init { y[] = -inf }
      y[] = max(y[], x[va, vb, vc]) } } } } })");
    REQUIRE(program.has_value());
    const std::string trace = checked_trace(*program, machine_of(512, 32));
    INFO(trace);
    CHECK(trace.find("rfactor(y.c_i)") != std::string::npos);
    CHECK(trace.find("decompose_reduction(y_rf, y_rf.a)") != std::string::npos);
    CHECK(trace.find("vectorize(y_rf.c_i)") != std::string::npos);
}

TEST_CASE("a matrix that is turned for one product is turned a panel at a time beside it", "[schedule][rules]") {
    const auto product = [](int columns) {
        return program_of(R"(
fn heads(q: f32[96,2,16], k: f32[N,2,16]) -> (y: f32[2,96,N]) {
alloc t: f32[2,16,N] scope global
alloc s: f32[2,96,N] scope global
for b in 2 { for a in 16 { for j in N {
block turn(vb = b in 2, va = a in 16, vj = j in N) {
reads k[vj, vb, va] writes t[vb, va, vj]
t[vb, va, vj] = k[vj, vb, va] } } } }
for b in 2 { for i in 96 { for j in N { for a in 16 {
block sums(vb = b in 2, vi = i in 96, vj = j in N, reduce va = a in 16) {
reads s[vb, vi, vj], q[vi, vb, va], t[vb, va, vj] writes s[vb, vi, vj]
init { s[vb, vi, vj] = 0.0 }
s[vb, vi, vj] = s[vb, vi, vj] + q[vi, vb, va] * t[vb, va, vj] } } } } }
for b in 2 { for i in 96 { for j in N {
block scaled(vb = b in 2, vi = i in 96, vj = j in N) {
reads s[vb, vi, vj] writes y[vb, vi, vj]
y[vb, vi, vj] = s[vb, vi, vj] * 0.25 } } } } })",
                          {{'N', columns}});
    };
    Target target = machine_of(256, 16);
    target.l2_bytes = 256 << 10;
    const std::string trace = checked_trace(product(64), target);
    INFO(trace);
    CHECK(has(trace, "compute_at(turn, scaled.j_o)"));
    CHECK(has(trace, "vectorize(turn.j)"));
    CHECK_FALSE(has(trace, "cache_read"));
    // One panel is all of it: nothing of it lies apart.
    CHECK_FALSE(has(checked_trace(product(16), target), "compute_at(turn"));
}
