#include "tests/core/ops/calls.hpp"

#include <cmath>
#include <limits>
#include <numbers>

using namespace orrery;
using namespace orrery::ops::test;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

using Function = double (*)(double);

} // namespace

TEST_CASE("functions of one element agree with the C library", "[ops][elementwise]") {
    struct Row {
        const char* op;
        Function function;
        double low, high;
    };
    const Row rows[] = {
        {"abs", std::fabs, -3, 3},        {"sqrt", std::sqrt, 0, 9},    {"exp", std::exp, -4, 4},
        {"log", std::log, 0.1, 9},        {"sin", std::sin, -7, 7},     {"cos", std::cos, -7, 7},
        {"tan", std::tan, -1.4, 1.4},     {"asin", std::asin, -1, 1},   {"acos", std::acos, -1, 1},
        {"atan", std::atan, -9, 9},       {"sinh", std::sinh, -3, 3},   {"cosh", std::cosh, -3, 3},
        {"tanh", std::tanh, -4, 4},       {"erf", std::erf, -3, 3},     {"asinh", std::asinh, -5, 5},
        {"acosh", std::acosh, 1, 9},      {"floor", std::floor, -4, 4}, {"ceil", std::ceil, -4, 4},
        {"atanh", std::atanh, -0.9, 0.9},
    };
    for (const Row& row : rows) {
        INFO(row.op);
        const NDArray x = generate({3, 7}, [&](const Shape& i) {
            return row.low + (row.high - row.low) * static_cast<double>(i[0] * 7 + i[1]) / 20;
        });
        const NDArray expected = generate({3, 7}, [&](const Shape& i) { return row.function(at(x, i)); });
        require_near(call(row.op, {x}), expected, 2e-6);
    }
    require_values(call("round", {f32({5}, {0.5, 1.5, 2.5, -0.5, -1.6})}), {5}, {0, 2, 2, 0, -2}, 0);
    require_values(call("sign", {f32({3}, {-2, 0, 5})}), {3}, {-1, 0, 1}, 0);
    require_values(call("sign", {array(DType::U8, {2}, {0, 200})}), {2}, {0, 1}, 0);
    require_values(call("reciprocal", {f32({2}, {4, -0.5})}), {2}, {0.25, -2});
    require_values(call("negative", {array(DType::I32, {2}, {7, -3})}), {2}, {-7, 3}, 0);
    require_values(call("bitwise_not", {array(DType::U8, {2}, {0, 15})}), {2}, {255, 240}, 0);
    require_values(call("is_nan", {f32({3}, {kNan, 1, kInf})}), {3}, {1, 0, 0}, 0);
    require_values(call("is_inf", {f32({3}, {-kInf, kNan, kInf})}), {3}, {1, 0, 1}, 0);
    require_values(call("is_inf", {f32({2}, {-kInf, kInf})}, {{"detect_negative", false}}), {2}, {0, 1}, 0);
}

TEST_CASE("half precision is computed in f32 and rounded once", "[ops][elementwise]") {
    const NDArray x = array(DType::F16, {3}, {0.25, -1.5, 3});
    const NDArray y = call("sigmoid", {x});
    REQUIRE(y.dtype() == DType::F16);
    for (std::int64_t i = 0; i < 3; ++i) {
        const auto exact = static_cast<float>(1 / (1 + std::exp(-x.as_double(i))));
        REQUIRE(y.as_double(i) == half_to_float(float_to_half(exact)));
    }
    // 4096 ones sum to 4096 in f32; f16 would stop at 2048.
    const NDArray ones = generate(
        {4096}, [](const Shape&) { return 1.0; }, DType::F16);
    REQUIRE(call("reduce_sum", {ones}, {{"axes", Ints{0}}}).as_double(0) == 4096);
}

TEST_CASE("activations by their formulas", "[ops][activation]") {
    const std::vector<double> x{-2, -0.5, 0, 0.5, 3};
    const auto check = [&](const char* op, const Attrs& attrs, const std::function<double(double)>& formula) {
        INFO(op);
        std::vector<double> expected;
        for (double v : x) expected.push_back(formula(v));
        require_values(call(op, {f32({5}, x)}, attrs), {5}, expected, 2e-6);
    };
    const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
    const auto softplus = [](double v) { return std::log(1 + std::exp(v)); };
    check("relu", {}, [](double v) { return std::max(v, 0.0); });
    check("leaky_relu", {{"alpha", 0.1}}, [](double v) { return v < 0 ? 0.1 * v : v; });
    check("elu", {{"alpha", 2.0}}, [](double v) { return v < 0 ? 2 * (std::exp(v) - 1) : v; });
    check("selu", {},
          [](double v) { return 1.0507009873554805 * (v > 0 ? v : 1.6732632423543772 * (std::exp(v) - 1)); });
    check("celu", {{"alpha", 2.0}},
          [](double v) { return std::max(v, 0.0) + std::min(0.0, 2 * (std::exp(v / 2) - 1)); });
    check("sigmoid", {}, sigmoid);
    check("hard_sigmoid", {}, [](double v) { return std::clamp(0.2 * v + 0.5, 0.0, 1.0); });
    check("hard_swish", {}, [](double v) { return v * std::clamp(v / 6 + 0.5, 0.0, 1.0); });
    check("softplus", {}, softplus);
    check("softsign", {}, [](double v) { return v / (1 + std::fabs(v)); });
    check("mish", {}, [&](double v) { return v * std::tanh(softplus(v)); });
    check("gelu", {}, [](double v) { return v / 2 * (1 + std::erf(v / std::numbers::sqrt2)); });
    check("gelu", {{"approximate", true}}, [](double v) {
        return v / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (v + 0.044715 * v * v * v)));
    });
    check("shrink", {{"lambda", 0.4}, {"bias", 0.1}}, [](double v) {
        return v < -0.4 ? v + 0.1 : v > 0.4 ? v - 0.1 : 0;
    });
    check("thresholded_relu", {{"alpha", 0.4}}, [](double v) { return v > 0.4 ? v : 0; });
    check("clip", {{"min", -1.0}, {"max", 0.25}}, [](double v) { return std::clamp(v, -1.0, 0.25); });
    // Far out, softplus is x and does not overflow.
    require_values(call("softplus", {f32({2}, {200, -200})}), {2}, {200, 0});
    require_values(call("prelu", {f32({2, 2}, {-1, 2, -3, -4}), f32({2}, {0.5, 0.25})}), {2, 2}, {-0.5, 2, -1.5, -1});
    REQUIRE(refusal("prelu", {f32({2}, {1, 2}), f32({3}, {1, 2, 3})}) == Code::BadShape);
    REQUIRE(refusal("relu", {array(DType::Bool, {1}, {1})}) == Code::BadType);
}

TEST_CASE("two operands broadcast as numpy's do", "[ops][elementwise]") {
    const NDArray a = drawn({2, 1, 4}, 1), b = drawn({3, 1}, 2);
    const auto expected = [&](const std::function<double(double, double)>& f) {
        return generate({2, 3, 4}, [&](const Shape& i) { return f(at(a, {i[0], 0, i[2]}), at(b, {i[1], 0})); });
    };
    require_near(call("add", {a, b}), expected([](double x, double y) { return x + y; }));
    require_near(call("subtract", {a, b}), expected([](double x, double y) { return x - y; }));
    require_near(call("multiply", {a, b}), expected([](double x, double y) { return x * y; }));
    require_near(call("divide", {a, b}), expected([](double x, double y) { return x / y; }));
    require_near(call("maximum", {a, b}), expected([](double x, double y) { return std::max(x, y); }), 0);
    require_near(call("minimum", {a, b}), expected([](double x, double y) { return std::min(x, y); }), 0);
    require_near(call("less", {a, b}), expected([](double x, double y) { return x < y; }), 0);
    REQUIRE(call("less", {a, b}).dtype() == DType::Bool);
    const NDArray magnitude = call("abs", {a});
    require_near(call("power", {magnitude, b}), generate({2, 3, 4}, [&](const Shape& i) {
                     return std::pow(at(magnitude, {i[0], 0, i[2]}), at(b, {i[1], 0}));
                 }));
    REQUIRE(refusal("add", {drawn({2, 3}, 1), drawn({2, 4}, 1)}) == Code::BadShape);
    REQUIRE(refusal("add", {drawn({2}, 1), counted({2}, DType::I32)}) == Code::BadType);
    REQUIRE(refusal("add", {drawn({2}, 1)}) == Code::BadType);
}

TEST_CASE("integers divide, wrap and shift as documented", "[ops][elementwise]") {
    const NDArray a = array(DType::I32, {4}, {7, -7, 7, -7}), b = array(DType::I32, {4}, {3, 3, -3, -3});
    require_values(call("divide", {a, b}), {4}, {2, -2, -2, 2}, 0);
    require_values(call("modulo", {a, b}), {4}, {1, 2, -2, -1}, 0);
    require_values(call("modulo", {a, b}, {{"truncated", true}}), {4}, {1, -1, 1, -1}, 0);
    require_values(call("modulo", {f32({4}, {7, -7, 7, -7}), f32({4}, {3, 3, -3, -3})}), {4}, {1, 2, -2, -1});
    require_values(call("modulo", {f32({2}, {5.3, -5.3}), f32({2}, {2, 2})}, {{"truncated", true}}), {2}, {1.3, -1.3});
    require_values(call("divide", {array(DType::I32, {1}, {1}), array(DType::I32, {1}, {0})}), {1}, {0}, 0);
    require_values(call("add", {array(DType::U8, {1}, {250}), array(DType::U8, {1}, {10})}), {1}, {4}, 0);
    require_values(call("power", {array(DType::I64, {2}, {3, -2}), array(DType::I64, {2}, {4, 3})}), {2}, {81, -8}, 0);
    const NDArray bits = array(DType::U8, {3}, {0b1100, 0b1010, 1}), mask = array(DType::U8, {3}, {0b1010, 0b0110, 8});
    require_values(call("bitwise_and", {bits, mask}), {3}, {0b1000, 0b0010, 0}, 0);
    require_values(call("bitwise_or", {bits, mask}), {3}, {0b1110, 0b1110, 9}, 0);
    require_values(call("bitwise_xor", {bits, mask}), {3}, {0b0110, 0b1100, 9}, 0);
    require_values(call("shift_left", {bits, array(DType::U8, {3}, {1, 2, 8})}), {3}, {24, 40, 0}, 0);
    require_values(call("shift_right", {bits, array(DType::U8, {3}, {1, 2, 8})}), {3}, {6, 2, 0}, 0);
    REQUIRE(refusal("bitwise_and", {f32({1}, {1}), f32({1}, {1})}) == Code::BadType);
}

TEST_CASE("comparisons, logic, where and cast", "[ops][compare]") {
    const NDArray a = f32({3}, {1, 2, kNan}), b = f32({3}, {2, 2, kNan});
    require_values(call("equal", {a, b}), {3}, {0, 1, 0}, 0);
    require_values(call("not_equal", {a, b}), {3}, {1, 0, 1}, 0);
    require_values(call("less_equal", {a, b}), {3}, {1, 1, 0}, 0);
    require_values(call("greater", {a, b}), {3}, {0, 0, 0}, 0);
    require_values(call("greater_equal", {b, a}), {3}, {1, 1, 0}, 0);
    const NDArray t = array(DType::Bool, {2}, {1, 0}), u = array(DType::Bool, {2, 1}, {1, 0});
    require_values(call("logical_and", {t, u}), {2, 2}, {1, 0, 0, 0}, 0);
    require_values(call("logical_or", {t, u}), {2, 2}, {1, 1, 1, 0}, 0);
    require_values(call("logical_not", {t}), {2}, {0, 1}, 0);
    require_values(call("where", {u, f32({2}, {1, 2}), f32({1}, {9})}), {2, 2}, {1, 2, 9, 9}, 0);
    REQUIRE(refusal("where", {f32({1}, {1}), a, b}) == Code::BadType);

    const auto cast = [](const NDArray& x, DType to) { return call("cast", {x}, {{"dtype", to}}); };
    require_values(cast(f32({5}, {2.9, -2.9, 300, -1, kNan}), DType::U8), {5}, {2, 0, 255, 0, 0}, 0);
    require_values(cast(array(DType::I32, {2}, {300, -1}), DType::U8), {2}, {44, 255}, 0);
    require_values(cast(f32({3}, {0, -0.5, kNan}), DType::Bool), {3}, {0, 1, 1}, 0);
    REQUIRE(refusal("cast", {a}) == Code::BadAttribute);
}

TEST_CASE("a bias lies along its axis", "[ops][elementwise]") {
    const NDArray x = counted({2, 3, 2});
    require_near(call("bias_add", {x, f32({3}, {10, 20, 30})}),
                 generate({2, 3, 2}, [&](const Shape& i) { return at(x, i) + 10 * static_cast<double>(i[1] + 1); }));
    require_near(call("bias_add", {x, f32({2}, {10, 20})}, {{"axis", std::int64_t{-1}}}),
                 generate({2, 3, 2}, [&](const Shape& i) { return at(x, i) + 10 * static_cast<double>(i[2] + 1); }));
    REQUIRE(refusal("bias_add", {x, f32({2}, {1, 2})}) == Code::BadShape);
    REQUIRE(refusal("bias_add", {x, f32({3}, {1, 2, 3})}, {{"axis", std::int64_t{3}}}) == Code::BadAttribute);
}
