// Operations and casts of every dtype at the edges, and elementary functions against the C library in double.
#include "tests/backends/llvm/harness.hpp"

#include <bit>
#include <cmath>

using namespace orrery;
using namespace orrery::testing;

namespace {

constexpr const char* kTypes[] = {"bool", "i8",  "i16", "i32",  "i64", "u8", "u16",
                                  "u32",  "u64", "f16", "bf16", "f32", "f64"};

/// y = body over 256 pairs, vectorized and not.
void check_body(const std::string& type, const std::string& result, const std::string& body,
                const Target& target = llvm_backend().host()) {
    for (const char* kind : {"vectorized", "for"}) {
        INFO(type << ": " << body);
        check_text("fn f(a: " + type + "[256], b: " + type + "[256]) -> (y: " + result + "[256]) { " + kind +
                       " i in 256 { y[i] = " + body + " } }",
                   {.special = true, .target = target});
    }
}

/// Units in the last place between a result and the exact value.
double ulps(float actual, double exact) {
    if (std::isnan(exact)) return std::isnan(actual) ? 0 : 1e9;
    const float nearest = static_cast<float>(exact);
    if (actual == nearest) return 0;
    if (std::isinf(nearest) || std::isinf(actual) || std::isnan(actual)) return 1e9;
    const double unit =
        std::max(std::ldexp(1.0, std::ilogb(nearest == 0 ? 1e-45f : nearest) - 23), std::ldexp(1.0, -149));
    return std::abs(static_cast<double>(actual) - exact) / unit;
}

/// The worst over floats of every exponent and over the interval where the function is used most.
double worst_ulps(const std::string& function, double (*exact)(double), double low, double high) {
    constexpr std::int64_t kCount = 40000;
    const std::string text =
        "fn f(x: f32[40000]) -> (y: f32[40000], z: f32[40000]) { vectorized i in 40000 { y[i] = " + function +
        "(x[i]) } for j in 40000 { z[j] = " + function + "(x[j]) } }";
    Compiled compiled(parsed(text));
    std::vector<NDArray> args = random_args(parsed(text), 1);
    std::mt19937_64 random(5);
    std::span<float> x = args[0].mutable_values<float>();
    for (std::int64_t i = 0; i < kCount; ++i) {
        const double where = static_cast<double>(random() % 1000001) / 1e6;
        x[static_cast<std::size_t>(i)] = i % 3 != 0 ? static_cast<float>(low + (high - low) * where)
                                                    : std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    }
    const float specials[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1.0f, -1.0f, 1e-45f, 3.4e38f};
    std::copy(std::begin(specials), std::end(specials), x.begin());
    compiled.run(args);
    double worst = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(kCount); ++i) {
        const float y = args[1].values<float>()[i], z = args[2].values<float>()[i];
        REQUIRE(
            (std::bit_cast<std::uint32_t>(y) == std::bit_cast<std::uint32_t>(z) || (std::isnan(y) && std::isnan(z))));
        const double error = ulps(y, exact(static_cast<double>(x[i])));
        if (error > worst) {
            worst = error;
            UNSCOPED_INFO(function << "(" << x[i] << ") = " << y << ", " << error << " ulp");
        }
    }
    return worst;
}

} // namespace

TEST_CASE("integer operations at their edges", "[llvm][arithmetic]") {
    for (const char* type : {"i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"}) {
        const bool wide = std::string(type) == "i64"; // whose sums must not overflow
        for (const char* op :
             {"a[i] / b[i]", "rem(a[i], b[i])", "a[i] // b[i]", "a[i] % b[i]", "min(a[i], b[i])", "max(a[i], b[i])",
              "a[i] & b[i]", "a[i] | b[i]", "a[i] ^ b[i]", "a[i] << b[i]", "a[i] >> b[i]", "~a[i]", "sign(a[i])",
              "popcount(a[i])", "pow(a[i], b[i])", "fmod(a[i], b[i])"})
            if (!wide || std::string(op).find("<<") == std::string::npos) check_body(type, type, op);
        if (wide) continue;
        for (const char* op : {"a[i] + b[i]", "a[i] - b[i]", "a[i] * b[i]", "-a[i]", "abs(a[i])"})
            check_body(type, type, op);
    }
}

TEST_CASE("float operations, special values included", "[llvm][arithmetic]") {
    for (const char* type : {"f16", "bf16", "f32", "f64"})
        for (const char* op : {"a[i] + b[i]", "a[i] - b[i]", "a[i] * b[i]", "a[i] / b[i]", "min(a[i], b[i])",
                               "max(a[i], b[i])", "-a[i]", "abs(a[i])", "sign(a[i])", "sqrt(a[i])", "floor(a[i])",
                               "ceil(a[i])", "round(a[i])", "trunc(a[i])", "fmod(a[i], b[i])", "a[i] * b[i] + a[i]"})
            check_body(type, type, op);
    check_body("f32", "f32", "max(a[i], 0.0)");
    check_body("f32", "f32", "min(1.0, max(-1.0, a[i]))");
}

TEST_CASE("f16 is the same computed in f32 and rounded, where the machine computes in f16 too", "[llvm][arithmetic]") {
    Target target = llvm_backend().host();
    target.f16_arithmetic = false;
    for (const char* op : {"a[i] + b[i]", "a[i] - b[i]", "a[i] * b[i]", "a[i] / b[i]", "min(a[i], b[i])",
                           "a[i] * b[i] + a[i]", "a[i] * b[3] + 0.5f16"}) {
        check_body("f16", "f16", op);
        check_body("f16", "f16", op, target);
    }
}

TEST_CASE("comparisons and Booleans", "[llvm][arithmetic]") {
    for (const char* type : kTypes)
        for (const char* op : {"==", "!=", "<", "<=", ">", ">="})
            check_body(type, "bool", std::string("a[i] ") + op + " b[i]");
    for (const char* op :
         {"a[i] && b[i]", "a[i] || !b[i]", "a[i] ^ b[i]", "a[i] + b[i]", "a[i] * b[i]", "max(a[i], b[i])"})
        check_body("bool", "bool", op);
    for (const char* type : {"f16", "f32", "f64"}) {
        check_body(type, "bool", "isnan(a[i])");
        check_body(type, "bool", "isinf(a[i] / b[i])");
    }
}

TEST_CASE("casts between every pair of dtypes", "[llvm][arithmetic]") {
    for (const char* from : kTypes)
        for (const char* to : kTypes)
            if (std::string(from) != to) check_body(from, to, std::string(to) + "(a[i])");
    for (const char* to : {"i8", "u8", "i32", "u32", "i64", "u64"})
        check_body("f32", to, std::string(to) + "(a[i] * 1000000000.0)");
}

TEST_CASE("elementary functions are within a few units in the last place", "[llvm][arithmetic]") {
    CHECK(worst_ulps("exp", std::exp, -105, 90) <= 2);
    CHECK(worst_ulps("log", std::log, 0, 10) <= 2);
    CHECK(worst_ulps("tanh", std::tanh, -10, 10) <= 3);
    CHECK(worst_ulps("erf", std::erf, -5, 5) <= 2);
    CHECK(worst_ulps("sin", std::sin, -30, 30) <= 2);
    CHECK(worst_ulps("cos", std::cos, -30, 30) <= 2);
    CHECK(worst_ulps("sin", std::sin, -12000, 12000) <= 2);
    CHECK(worst_ulps("cos", std::cos, -40000, 40000) <= 2);
    for (const auto& [name, exact] : {std::pair<const char*, double (*)(double)>{"tan", std::tan},
                                      {"asin", std::asin},
                                      {"acos", std::acos},
                                      {"atan", std::atan},
                                      {"sinh", std::sinh},
                                      {"cosh", std::cosh},
                                      {"asinh", std::asinh},
                                      {"acosh", std::acosh},
                                      {"atanh", std::atanh},
                                      {"sqrt", std::sqrt}})
        CHECK(worst_ulps(name, exact, -1, 1) <= 2);
}

TEST_CASE("powers, whole, odd, negative and special", "[llvm][arithmetic]") {
    const std::string text =
        "fn f(x: f32[20000], e: f32[20000]) -> (y: f32[20000]) { vectorized i in 20000 { y[i] = pow(x[i], e[i]) } }";
    Compiled compiled(parsed(text));
    std::vector<NDArray> args = random_args(parsed(text), 1);
    std::mt19937_64 random(9);
    const float edges[] = {0.0f, -0.0f, 1.0f,     -1.0f,     2.0f, -2.0f,  0.5f,   -0.5f,
                           3.0f, -3.0f, INFINITY, -INFINITY, NAN,  1e-40f, -1e38f, 16777217.0f};
    for (std::size_t i = 0; i < 20000; ++i) {
        const auto edge = [&] { return edges[random() % 16]; };
        const auto any = [&] { return static_cast<float>(random() % 20001) / 1000 - 10; };
        args[0].mutable_values<float>()[i] = i % 2 ? edge() : any();
        args[1].mutable_values<float>()[i] = i % 3 ? any() : i % 4 ? std::round(any()) : edge();
    }
    compiled.run(args);
    for (std::size_t i = 0; i < 20000; ++i) {
        const float x = args[0].values<float>()[i], e = args[1].values<float>()[i], y = args[2].values<float>()[i];
        const double exact = std::pow(static_cast<double>(x), static_cast<double>(e));
        INFO(x << " ^ " << e << " = " << y << ", not " << exact);
        REQUIRE(ulps(y, exact) <= 2);
        if (exact == 0) REQUIRE(std::signbit(y) == std::signbit(exact));
    }
    check_text("fn f(x: f32[9]) -> (y: f32[9]) { vectorized i in 9 { y[i] = pow(x[i], 2.0) } }");
    check_text("fn f(x: f64[9]) -> (y: f64[9]) { vectorized i in 9 { y[i] = pow(abs(x[i]), 1.5f64) } }",
               {.tolerance = 1e-15});
}

TEST_CASE("what divides by a local response", "[llvm][arithmetic]") {
    // pow(x, -3/4) of every kind of number: zeros, infinities, what is negative, no number, not normal.
    const std::string text = R"(fn f(x: f32[60003]) -> (y: f32[60003], z: f32[60003]) {
  vectorized i in 60003 { y[i] = pow(x[i], -0.75) }
  for j in 60003 { z[j] = pow(x[j], -0.75) }
})";
    Compiled compiled(parsed(text));
    std::vector<NDArray> args = random_args(parsed(text), 1);
    std::span<float> x = args[0].mutable_values<float>();
    const float edges[] = {0.0f, -0.0f,  1.0f,   -1.0f,           INFINITY, -INFINITY,
                           NAN,  1e-45f, 1e-40f, 1.17549435e-38f, 3.4e38f};
    std::mt19937_64 random(9);
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] = i < 10000   ? edges[random() % std::size(edges)]
               : i < 30000 ? 1 + static_cast<float>(i - 10000) / 1000
                           : std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    compiled.run(args);
    double normal = 0, all = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const float y = args[1].values<float>()[i], z = args[2].values<float>()[i];
        INFO(x[i] << " gives " << y << " and " << z);
        REQUIRE((y == z || (std::isnan(y) && std::isnan(z))));
        const double error = ulps(y, std::pow(static_cast<double>(x[i]), -0.75));
        all = std::max(all, error);
        if (std::isnormal(x[i])) normal = std::max(normal, error);
    }
    CHECK(normal <= 1);
    CHECK(all <= 2);
}

TEST_CASE("contraction only where it is allowed", "[llvm][arithmetic]") {
    // 1 + 2^-12 squared minus its rounded square: 2^-24 when the product is not rounded, 0 when it is.
    const std::string text =
        "fn f(x: f32[16]) -> (y: f32[16]) { vectorized i in 16 { y[i] = x[i] * x[i] - 1.00048828125 } }";
    const Target host = llvm_backend().host();
    if (host.features.find("+fma") == std::string::npos) return;
    for (bool contract : {false, true}) {
        Compiled compiled(parsed(text), {.contract = contract});
        std::vector<NDArray> args = random_args(parsed(text), 1);
        for (float& x : args[0].mutable_values<float>()) x = 1.000244140625f;
        compiled.run(args);
        for (float y : args[1].values<float>()) CHECK((y != 0) == contract);
    }
}
