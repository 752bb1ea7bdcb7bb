// A convolution in the loops of the pooling of its image, and what compute_at does at the end of a buffer for it.

#include "core/tensor/text.hpp"
#include "tests/core/schedule/rules.hpp"

#include <algorithm>

using namespace orrery;
using namespace orrery::schedule;
using namespace orrery::schedule::test;
using tensor::Program;

namespace {

/// Images of `height` by `width`, in blocks of 8 channels; windows of `window` places that start `stride` apart, the
/// first one `before` the image.
struct Sizes {
    std::int64_t images, blocks, height, width, window, stride, before;
    [[nodiscard]] std::int64_t out(std::int64_t extent) const { return (extent + before - window) / stride + 1; }
};
/// 3x3 convolution of two channels whose places are counted through the image, six of them at a time; bounds; maxima.
Program pooled(const Sizes& n) {
    using namespace tensor;
    constexpr std::int64_t kLanes = 8, kTogether = 6;
    const std::int64_t places = n.height * n.width, counted = (places + kTogether - 1) / kTogether * kTogether;
    const Buffer x = make_buffer("x", DType::F32, {n.images, 2, n.height + 2, n.width + 2}),
                 w = make_buffer("w", DType::F32, {n.blocks, 2, 3, 3, kLanes});
    ComputeBuilder builder;
    const Buffer sums = builder.axes({"n", "c", "t", "ci"})
                            .reduce("sums", DType::F32, {n.images, n.blocks, counted, kLanes},
                                    {Combiner::Sum, {2, 3, 3}, {"ic", "kh", "kw"}}, [&](const auto& i, const auto& k) {
                                        const Expr t = tensor::min(i[2], imm(places - 1));
                                        return load(x, {i[0], k[0], floor_div(t, imm(n.width)) + k[1],
                                                        floor_mod(t, imm(n.width)) + k[2]}) *
                                               load(w, {i[1], k[0], k[1], k[2], i[3]});
                                    });
    const Buffer image =
        builder.axes({"n", "c", "h", "w", "ci"})
            .compute("image", DType::F32, {n.images, n.blocks, n.height, n.width, kLanes}, [&](const auto& i) {
                const Expr sum = load(sums, {i[0], i[1], i[2] * n.width + i[3], i[4]});
                return select(lt(sum, constant(DType::F32, 0)), constant(DType::F32, 0), sum);
            });
    const auto at = [&](const Expr& i, const Expr& k) {
        const Expr place = i * n.stride + k - n.before;
        return n.before > 0 ? tensor::max(place, imm(0)) : place;
    };
    const Buffer pool =
        builder.axes({"i", "j", "k", "l", "m"})
            .reduce("pool", DType::F32, {n.images, n.blocks, n.out(n.height), n.out(n.width), kLanes},
                    {Combiner::Max, {n.window, n.window}, {"kh", "kw"}}, [&](const auto& i, const auto& k) {
                        return load(image, {i[0], i[1], at(i[2], k[0]), at(i[3], k[1]), i[4]});
                    });
    return builder.program("pooled", {x, w}, {pool});
}
std::string trace_for(const Sizes& n, std::int64_t l2_bytes) {
    Target target = machine_of(256, 16);
    target.l2_bytes = l2_bytes;
    return checked_trace(pooled(n), target);
}

/// y[i] = 2 * x[place] for 10 places, four of them at a time.
Program doubled(const std::string& place) {
    return *tensor::parse_program(R"(fn doubled(x: f32[10]) -> (y: f32[10]) {
  alloc p: f32[10] scope global
  for i in 10 { block p(vi = i in 10) { reads x[)" +
                                  place + "] writes p[vi] p[vi] = x[" + place + R"(] * 2.0 } }
  for i in 10 { block y(vi = i in 10) { reads p[vi] writes y[vi] y[vi] = p[vi] } }
})");
}

} // namespace

TEST_CASE("a convolution is computed in the loops of the pooling of its image", "[schedule][rules][pool]") {
    // 4 KiB of a second-level cache of 8: 15 rows of 8 places of a block, of which one is computed twice.
    const std::string two = trace_for({1, 1, 28, 8, 3, 2, 1}, 8 << 10);
    CHECK(has(two, "split(pool_write.k, [2, -1])"));
    CHECK(has(two, "compute_at(image, pool_write.k_o)"));
    CHECK(has(two, "fuse([image.h, image.w])"));
    CHECK(has(two, "set_scope(sums, registers)"));
    // Windows side by side share no rows. Images stay apart; blocks of channels are computed together.
    const std::string side = trace_for({3, 2, 16, 12, 2, 2, 0}, 16 << 10);
    CHECK(has(side, "reorder([pool_write.i, pool_write.k_o, pool_write.j, "));
    // What no window reads of a row is not computed: places are counted row by row.
    const std::string part = trace_for({1, 2, 17, 10, 3, 2, 0}, 8 << 10);
    CHECK(has(part, "compute_at(image, pool_write.k_o)"));
    CHECK(!has(part, "fuse([image.h, image.w])"));
}

TEST_CASE("a convolution and pooling stay apart where a piece gains nothing", "[schedule][rules][pool]") {
    // Not even the rows of the smallest piece stay in the cache.
    CHECK(!has(trace_for({1, 1, 28, 8, 3, 2, 1}, 1 << 10), "compute_at(image, pool_write"));
    // Windows of neighbours share most of their rows, each of 18 products a place.
    CHECK(!has(trace_for({1, 1, 28, 8, 5, 1, 0}, 4 << 10), "compute_at(image, pool_write"));
}

TEST_CASE("what nobody asks for is computed rather than guarded", "[schedule][compute_at]") {
    const auto moved = [](const std::string& place) {
        const Program program = doubled(place);
        const Result<Trace> trace = parse_trace("split(y.i, [-1, 4])\ncompute_at(p, y.i_o)");
        const Result<Replay> done = replay(program, *trace);
        if (!done) FAIL(to_string(done.error()));
        CHECK(difference(program, done->result()) == 0);
        return tensor::to_string(done->result());
    };
    const std::string past = moved("min(vi, 9)"), inside = moved("vi");
    INFO(past << inside);
    const auto guarded = [](const std::string& text) {
        const std::size_t at = text.find("block p(");
        return text.substr(at, text.find('\n', at) - at).find("where") != std::string::npos;
    };
    CHECK(!guarded(past));
    CHECK(guarded(inside));
}
