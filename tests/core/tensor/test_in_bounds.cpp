#include "core/tensor/in_bounds.hpp"

#include "core/tensor/text.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::tensor;

namespace {

Result<void> judged(const std::string& body) {
    const Result<Program> program =
        parse_program("fn f(x: f32[8], n: i64[8], m: i32[8]) -> (y: f32[8], z: i64[8]) {\n" + body + "\n}");
    if (!program) FAIL(to_string(program.error()) << "\n" << body);
    return prove_in_bounds(*program);
}

void check_proven(const std::string& body) {
    const Result<void> good = judged(body);
    INFO(body);
    if (!good) FAIL_CHECK(to_string(good.error()));
}

void check_refused(const std::string& body, Code code = Code::BadShape) {
    const Result<void> result = judged(body);
    INFO(body);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == code);
    CHECK_FALSE(result.error().hint.empty());
}

} // namespace

TEST_CASE("accesses that ranges and conditions keep inside are proven", "[tensor][bounds]") {
    check_proven("for i in 8 { y[i] = x[7 - i] }");
    check_proven("for i in 4 { for j in 2 { y[i * 2 + j] = x[(i * 5 + j) % 8] } }");
    check_proven("for i in 8 { y[i] = select(i >= 1, x[i - 1], 0.0) }");
    check_proven("for i in 8 { y[i] = select(i < 1, 0.0, x[i - 1]) }");
    check_proven("for i in 8 { y[i] = select(!(i == 7), x[min(i + 1, 7)], x[i]) }");
    check_proven("for i in 10 { for k in 3 { if i + k >= 1 && i + k < 9 { y[i + k - 1] = x[i + k - 1] } } }");
    check_proven("for i in 8 { if n[i] >= 0 && n[i] < 8 { y[i] = x[n[i]] } }");
    check_proven("for i in 8 { y[i] = x[min(max(n[i], 0), 7)] }");
    check_proven("for i in 8 { y[i] = x[max(min(n[i], 7), 0)] }");
    check_proven("for i in 8 { y[i] = x[n[i] % 8] }");
    check_proven("for i in 8 { y[i] = x[min(max(n[i], 0), 6) + 1] }");
    check_proven("for i in 8 { let k = min(max(n[i], 0), 7)\n y[k] = x[k] }");
    check_proven("for i in 8 { let k = n[i]\n if k >= 0 && k < 8 { y[k] = 1.0 } }");
    check_proven("for i in 16 { y[i // 2] = x[i % 8] }");
    check_proven("for o in 3 { for i in 3 { block b(v = o * 3 + i in 8) where o * 3 + i < 8 { y[v] = x[v] } } }");
    check_proven("for i in 8 { y[i] = x[i64(m[i]) & 7] }");
    check_proven("for i in 0 { y[100] = 1.0 }");
    check_proven("for i in 8 { y[i] = select(n[i] < 0 || n[i] > 7, 0.0, x[n[i]]) }");
    check_proven("for i in 8 { y[i] = x[select(i < 4, i + 4, i - 4)] }");
}

TEST_CASE("boxes given to extern functions lie inside their buffers", "[tensor][bounds][extern]") {
    check_proven(
        "for i in 4 { call_extern(\"f\", access_ptr(y[i * 2 +: 2], \"w\"), access_ptr(x[0 +: i + 1], \"r\"), 3) }");
    check_proven("call_extern(\"f\", access_ptr(y, \"rw\"))");
    check_refused("for i in 5 { call_extern(\"f\", access_ptr(y[i * 2 +: 2], \"w\")) }");
    check_refused("for i in 4 { call_extern(\"f\", access_ptr(x[i - 1 +: 2], \"r\")) }");
    check_refused("for i in 4 { call_extern(\"f\", access_ptr(x[0 +: i], \"r\")) }");
    check_refused("call_extern(\"f\", access_ptr(x[0 +: n[0]], \"r\"))");
    check_refused("call_extern(\"f\", access_ptr(x[n[0]], \"r\"))");
}

TEST_CASE("accesses that may leave their buffers are refused", "[tensor][bounds]") {
    check_refused("for i in 9 { y[i] = 1.0 }");
    check_refused("for i in 8 { y[i] = x[i + 1] }");
    check_refused("for i in 8 { y[i] = x[i - 1] }");
    check_refused("for i in 8 { y[i] = x[n[i]] }");
    check_refused("for i in 8 { y[i] = x[min(n[i], 7)] }");
    check_refused("for i in 8 { y[i] = x[max(n[i], 0)] }");
    check_refused("for i in 8 { y[i] = x[rem(n[i], 8)] }");
    check_refused("for i in 8 { y[i] = select(i >= 1, x[i], x[i - 1]) }");
    check_refused("for i in 8 { y[i] = select(i >= 1 || n[i] > 0, x[i - 1], 0.0) }");
    // A condition on what is written in between says nothing.
    check_refused("for i in 8 { if z[i] >= 0 && z[i] < 8 { z[i] = 9\n y[z[i]] = 1.0 } }");
    check_refused("for o in 3 { for i in 3 { block b(v = o * 3 + i in 8) { y[v] = x[v] } } }");
    check_refused("for i in 8 { let k = n[i]\n y[k] = 1.0 }");
    // Sums that overflow come back inside.
    check_refused("for i in 8 { y[i] = x[(n[i] + 9223372036854775807) // 9223372036854775807] }", Code::LimitExceeded);
    check_refused("for i in n[0] { y[0] = 1.0 }");
}

TEST_CASE("sizes are bounded", "[tensor][bounds]") {
    check_refused("alloc t: f32[100000,100000] scope global\n y[0] = 1.0", Code::LimitExceeded);
    check_refused("alloc t: f32[n[0]] scope global\n y[0] = 1.0");
    check_refused("for i in 100000000 { for j in 100000000 { y[0] = 1.0 } }", Code::LimitExceeded);
    std::string sum = "i";
    for (int k = 0; k < 1100; ++k) sum += " + i";
    check_refused("for i in 1 { y[" + sum + "] = 1.0 }", Code::LimitExceeded);
}
