#include "tests/core/ops/calls.hpp"

#include <algorithm>
#include <cmath>

using namespace orrery;
using namespace orrery::ops::test;

namespace {

/// The largest distance of an approximation from a function over [-12, 12] and far outside.
double worst(const char* op, double (*exact)(double)) {
    std::vector<double> points{-1e30, -100, 100, 1e30};
    for (int i = -12000; i <= 12000; ++i) points.push_back(i * 1e-3);
    const NDArray x = f32({static_cast<std::int64_t>(points.size())}, points), y = call(op, {x});
    double worst = 0;
    for (std::int64_t i = 0; i < x.size(); ++i)
        worst = std::max(worst, std::abs(y.as_double(i) - exact(x.as_double(i))));
    return worst;
}

} // namespace

TEST_CASE("approximations keep the bounds their documentation states", "[ops][fast_math]") {
    CHECK(worst("fast_tanh", [](double x) { return std::tanh(x); }) < 1e-4);
    CHECK(worst("fast_erf", [](double x) { return std::erf(x); }) < 5e-4);
    CHECK(worst("fast_sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }) < 5e-5);
    CHECK(worst("fast_gelu", [](double x) { return x * 0.5 * (1 + std::erf(x / std::sqrt(2.0))); }) < 7e-4);
    // They are approximations: none is the function itself.
    CHECK(worst("fast_tanh", [](double x) { return std::tanh(x); }) > 1e-6);
    CHECK(std::isnan(call("fast_erf", {f32({1}, {std::nan("")})}).as_double(0)));
}
