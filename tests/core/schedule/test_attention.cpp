// Default schedules of a product of what becomes of another product's rows.

#include "core/tensor/text.hpp"
#include "tests/core/schedule/rules.hpp"

using namespace orrery;
using namespace orrery::schedule;
using namespace orrery::schedule::test;
using tensor::Program;

namespace {

/// Heads of rows and keys; rows are computed in multiples of two.
struct Sizes {
    std::int64_t heads, rows, keys, depth, width;
};
Program attention(const Sizes& n) {
    using namespace tensor;
    const Buffer q = make_buffer("q", DType::F32, {n.heads, n.rows, n.depth}),
                 k = make_buffer("k", DType::F32, {n.keys, n.heads, n.depth}),
                 v = make_buffer("v", DType::F32, {n.heads, n.keys, n.width});
    ComputeBuilder builder;
    const std::int64_t padded = (n.rows + 1) / 2 * 2;
    const auto row = [&](const Expr& i) { return padded == n.rows ? i : tensor::min(i, imm(n.rows - 1)); };
    const Buffer turned =
        builder.axes({"h", "d", "c"}).compute("turned", DType::F32, {n.heads, n.depth, n.keys}, [&](const auto& i) {
            return load(k, {i[2], i[0], i[1]});
        });
    const auto product = [&](const char* name, const Buffer& a, const Buffer& b, std::int64_t columns) {
        const std::int64_t depth = b->static_shape()[1];
        return builder.axes({"h", "r", "c"})
            .reduce(name, DType::F32, {n.heads, padded, columns}, {Combiner::Sum, {depth}, {"d"}},
                    [&](const auto& i, const auto& s) {
                        return load(a, {i[0], row(i[1]), s[0]}) * load(b, {i[0], s[0], i[2]});
                    });
    };
    const Shape all{n.heads, n.rows, n.keys}, rest{n.heads, n.rows};
    const Buffer scores = product("scores", q, turned, n.keys);
    const auto along = [&](const char* name, Combiner combiner, const Buffer& x) {
        return builder.axes({"h", "r"})
            .reduce(name, DType::F32, rest, {combiner, {n.keys}, {"c"}}, [&](const auto& i, const auto& c) {
                return load(x, {i[0], i[1], c[0]});
            });
    };
    const Buffer high = along("high", Combiner::Max, scores);
    const Buffer power = builder.axes({"h", "r", "c"}).compute("power", DType::F32, all, [&](const auto& i) {
        return call(Intrinsic::Exp, load(scores, i) - load(high, {i[0], i[1]}));
    });
    const Buffer sum = along("sum", Combiner::Sum, power);
    const Buffer weights = builder.axes({"h", "r", "c"}).compute("weights", DType::F32, all, [&](const auto& i) {
        return load(power, i) / load(sum, {i[0], i[1]});
    });
    const Buffer result = product("result", weights, v, n.width);
    const Buffer y =
        builder.axes({"h", "r", "c"}).compute("y", DType::F32, {n.heads, n.rows, n.width}, [&](const auto& i) {
            return load(result, i);
        });
    return builder.program("attention", {q, k, v}, {y});
}

} // namespace

TEST_CASE("rows of a product, of its softmax and of the product of that go together", "[schedule][rules][attention]") {
    const Program program = attention({2, 47, 64, 8, 32});
    const std::string trace = checked_trace(program, machine_of(512, 32));
    INFO(trace);
    for (const char* step :
         {"compute_at(weights, y.r_o_o)", "compute_at(power, weights.r)", "compute_at(high_rf, weights.r)",
          "compute_at(scores_write, y.r_o_o)", "compute_at(scores, scores_write.r_o)", "vectorize(sum_rf.c_i)"})
        CHECK(has(trace, step));
    // What is turned lies in panels, and is turned once, for all rows.
    CHECK(has(trace, "transform_layout(turned, \"a0, a1, a2 -> a0, a2 // 32, a1, a2 % 32\")"));
    CHECK_FALSE(has(trace, "compute_at(turned"));
    // Nothing as large as all scores is left.
    const std::string text = tensor::to_string(replay(program, default_trace(program, machine_of(512, 32)))->result());
    INFO(text);
    CHECK(text.find("alloc scores: f32[1,24,64] scope stack") != std::string::npos);
    CHECK(text.find("alloc weights: f32[1,24,64] scope stack") != std::string::npos);
    CHECK(text.find("f32[2,48,64]") == std::string::npos);
    CHECK(text.find("f32[2,47,64]") == std::string::npos);
}

TEST_CASE("pieces of rows are as long as the nearest cache keeps scores", "[schedule][rules][attention]") {
    Target target = machine_of(512, 32); // 32 KiB: 64 rows of 64 keys
    CHECK(has(checked_trace(attention({2, 96, 64, 8, 32}), target), "split(y.r_o, [2, -1])"));
    target.l1_bytes /= 4;
    CHECK(has(checked_trace(attention({2, 96, 64, 8, 32}), target), "split(y.r_o, [8, -1])"));
    // One head has enough rows for all cores.
    CHECK(has(checked_trace(attention({1, 96, 64, 8, 32}), target), "parallel(y.h_r_o_o)"));
}

TEST_CASE("attention of any number of rows, keys and columns keeps its numbers", "[schedule][rules][attention]") {
    for (const Sizes& sizes : {Sizes{1, 2, 3, 1, 1}, Sizes{3, 7, 33, 5, 17}, Sizes{2, 24, 50, 3, 40},
                               Sizes{1, 13, 16, 4, 8}, Sizes{2, 61, 96, 6, 16}})
        for (const int bits : {128, 256, 512}) {
            INFO(sizes.rows << " rows, " << sizes.keys << " keys, " << bits << " bits");
            (void)checked_trace(attention(sizes), machine_of(bits, bits == 512 ? 32 : 16));
        }
}
