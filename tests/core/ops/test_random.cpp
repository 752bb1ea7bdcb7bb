#include "tests/core/ops/calls.hpp"

#include <cmath>

using namespace orrery;
using namespace orrery::ops::test;

namespace {

Attrs shaped(Shape shape, DType dtype = DType::F32) { return {{"shape", Ints(shape)}, {"dtype", dtype}}; }

NDArray seed(double value) { return i64({}, {value}); }

struct Moments {
    double mean = 0, deviation = 0;
};
Moments moments(const NDArray& x) {
    Moments m;
    const std::vector<double> all = values(x);
    for (double v : all) m.mean += v / static_cast<double>(all.size());
    for (double v : all) m.deviation += (v - m.mean) * (v - m.mean) / static_cast<double>(all.size());
    m.deviation = std::sqrt(m.deviation);
    return m;
}

} // namespace

TEST_CASE("random numbers are SplitMix64's", "[ops][random]") {
    // The generator's published first outputs from 0, upper 24 (53) bits over 2^24 (2^53).
    const std::uint64_t words[] = {0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f, 0xf88bb8a8724c81ec};
    const NDArray narrow = call("random_uniform", {seed(0)}, shaped({2, 2}));
    const NDArray wide = call("random_uniform", {seed(0)}, shaped({4}, DType::F64));
    for (std::int64_t i = 0; i < 4; ++i) {
        const std::uint64_t word = words[static_cast<std::size_t>(i)];
        REQUIRE(narrow.as_double(i) == std::ldexp(static_cast<double>(word >> 40), -24));
        REQUIRE(wide.as_double(i) == std::ldexp(static_cast<double>(word >> 11), -53));
    }
    REQUIRE(call("random_uniform", {seed(0)}, shaped({4})).content_hash() == narrow.reshaped({4}).content_hash());
    REQUIRE(call("random_uniform", {seed(1)}, shaped({2, 2})).content_hash() != narrow.content_hash());
}

TEST_CASE("random numbers are spread as they should be", "[ops][random]") {
    // 10,000 numbers: the mean of n is off by its deviation over 100, so 5 of those are never seen.
    const NDArray uniform = call("random_uniform", {seed(7)}, shaped({100, 100}).with("low", -1.0).with("high", 3.0));
    for (double v : values(uniform)) REQUIRE((v >= -1 && v < 3));
    const double deviation = 4 / std::sqrt(12.0);
    REQUIRE(std::abs(moments(uniform).mean - 1) < 0.05 * deviation);
    REQUIRE(std::abs(moments(uniform).deviation - deviation) < 0.05);
    for (const DType dtype : {DType::F16, DType::F32, DType::F64}) {
        const NDArray normal =
            call("random_normal", {seed(9)}, shaped({10000}, dtype).with("mean", 2.0).with("scale", 0.5));
        REQUIRE(normal.dtype() == dtype);
        REQUIRE(std::abs(moments(normal).mean - 2) < 0.05 * 0.5);
        REQUIRE(std::abs(moments(normal).deviation - 0.5) < 0.05);
    }
}

TEST_CASE("what random numbers are refused", "[ops][random]") {
    REQUIRE(refusal("random_uniform", {seed(0)}, shaped({2}, DType::I32)) == Code::BadType);
    REQUIRE(refusal("random_uniform", {f32({}, {0})}, shaped({2})) == Code::BadType);
    REQUIRE(refusal("random_uniform", {i64({2}, {0, 0})}, shaped({2})) == Code::BadType);
    REQUIRE(refusal("random_normal", {seed(0)}, shaped({-2})) == Code::BadShape);
    REQUIRE(refusal("random_normal", {seed(0)}, shaped({1 << 30, 1 << 30})) == Code::LimitExceeded);
    REQUIRE(refusal("random_normal", {seed(0)}, shaped({2}).with("scale", HUGE_VAL)) == Code::BadAttribute);
    REQUIRE(ops::op("random_uniform").random);
    REQUIRE(ops::op("random_normal").random);
}
