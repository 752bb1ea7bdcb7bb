#include "tests/core/ops/calls.hpp"

#include <cmath>

using namespace orrery;
using namespace orrery::ops::test;

namespace {

struct Moments {
    double mean = 0, variance = 0;
};

Moments moments(const std::vector<double>& v) {
    Moments m;
    for (double x : v) m.mean += x / static_cast<double>(v.size());
    for (double x : v) m.variance += (x - m.mean) * (x - m.mean) / static_cast<double>(v.size());
    return m;
}

/// The elements of x whose indices agree with `i` as `same` says.
std::vector<double> related(const NDArray& x, const Shape& i,
                            const std::function<bool(const Shape&, const Shape&)>& same) {
    std::vector<double> out;
    for_each(x.shape(), [&](const Shape& j) {
        if (same(i, j)) out.push_back(at(x, j));
    });
    return out;
}

} // namespace

TEST_CASE("batch norm by given statistics", "[ops][norm]") {
    const NDArray x = drawn({2, 3, 2}, 1);
    const Arrays args{x, f32({3}, {1, 2, 0.5}), f32({3}, {0, 1, -1}), f32({3}, {0.5, 0, 1}), f32({3}, {1, 4, 0.25})};
    require_near(call("batch_norm", args, {{"epsilon", 0.01}}), generate(x.shape(), [&](const Shape& i) {
                     const Shape c{i[1]};
                     return (at(x, i) - at(args[3], c)) / std::sqrt(at(args[4], c) + 0.01) * at(args[1], c) +
                            at(args[2], c);
                 }));
    REQUIRE(refusal("batch_norm", {x, f32({2}, {1, 2}), args[2], args[3], args[4]}) == Code::BadShape);
    REQUIRE(refusal("batch_norm", {x, args[1], args[2], args[3]}) == Code::BadType);
}

TEST_CASE("layers, instances and groups are normalized by their own moments", "[ops][norm]") {
    const NDArray x = drawn({2, 4, 3, 2}, 2), scale = drawn({4}, 3), bias = drawn({4}, 4);
    const double epsilon = 1e-3;
    const auto expected = [&](const std::function<bool(const Shape&, const Shape&)>& same) {
        return generate(x.shape(), [&](const Shape& i) {
            const Moments m = moments(related(x, i, same));
            return (at(x, i) - m.mean) / std::sqrt(m.variance + epsilon) * at(scale, {i[1]}) + at(bias, {i[1]});
        });
    };
    require_near(call("instance_norm", {x, scale, bias}, {{"epsilon", epsilon}}),
                 expected([](const Shape& i, const Shape& j) { return i[0] == j[0] && i[1] == j[1]; }));
    require_near(call("group_norm", {x, scale, bias}, {{"groups", std::int64_t{2}}, {"epsilon", epsilon}}),
                 expected([](const Shape& i, const Shape& j) { return i[0] == j[0] && i[1] / 2 == j[1] / 2; }));

    const NDArray gamma = drawn({3, 2}, 5), beta = drawn({2}, 6);
    require_near(
        call("layer_norm", {x, gamma, beta}, {{"axis", std::int64_t{2}}, {"epsilon", epsilon}}),
        generate(x.shape(), [&](const Shape& i) {
            const Moments m =
                moments(related(x, i, [](const Shape& a, const Shape& b) { return a[0] == b[0] && a[1] == b[1]; }));
            return (at(x, i) - m.mean) / std::sqrt(m.variance + epsilon) * at(gamma, {i[2], i[3]}) + at(beta, {i[3]});
        }));
    require_near(call("layer_norm", {f32({1, 2}, {1, 3})}, {{"epsilon", 0.0}}), f32({1, 2}, {-1, 1}));
    REQUIRE(refusal("group_norm", {x, scale, bias}, {{"groups", std::int64_t{3}}}) == Code::BadAttribute);
    REQUIRE(refusal("layer_norm", {x, scale}) == Code::BadShape);
    REQUIRE(refusal("layer_norm", {x}, {{"axis", std::int64_t{4}}}) == Code::BadAttribute);
}

TEST_CASE("local response and p-norms", "[ops][norm]") {
    const NDArray x = drawn({1, 5, 2}, 3);
    for (const std::int64_t size : {1, 2, 3, 5, 11})
        for (const double beta : {0.75, 0.5}) {
            require_near(call("lrn", {x}, {{"size", size}, {"alpha", 0.1}, {"beta", beta}, {"bias", 2.0}}),
                         generate(x.shape(), [&](const Shape& i) {
                             double sum = 0;
                             for (std::int64_t c = i[1] - (size - 1) / 2; c <= i[1] + size / 2; ++c)
                                 if (c >= 0 && c < 5) sum += at(x, {0, c, i[2]}) * at(x, {0, c, i[2]});
                             return at(x, i) / std::pow(2 + 0.1 / static_cast<double>(size) * sum, beta);
                         }));
        }
    REQUIRE(refusal("lrn", {x}, {{"size", std::int64_t{0}}}) == Code::BadAttribute);
    const NDArray v = f32({2, 2}, {3, -4, 1, 0});
    require_values(call("lp_normalize", {v}), {2, 2}, {0.6, -0.8, 1, 0});
    require_values(call("lp_normalize", {v}, {{"p", std::int64_t{1}}, {"axis", std::int64_t{0}}}), {2, 2},
                   {0.75, -1, 0.25, 0});
    REQUIRE(refusal("lp_normalize", {v}, {{"p", std::int64_t{3}}}) == Code::BadAttribute);
}
