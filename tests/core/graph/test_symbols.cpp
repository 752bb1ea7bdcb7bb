#include "core/graph/symbols.hpp"

#include "core/graph/op.hpp"
#include "core/graph/text.hpp"
#include "tests/core/graph/fake_ops.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::graph;

namespace {

Type type(const std::string& text) { return parse_type(text).value(); }

/// What name_extent says of `value`, computed from n and m in each probe.
template <class F> std::string named(F value) {
    std::vector<SymbolValues> symbols{{"n", {}}, {"m", {}}};
    std::vector<std::int64_t> values;
    for (int number = 0; number < kProbes; ++number) {
        Probe probe(number);
        const std::int64_t n = probe.value("n").value(), m = probe.value("m").value();
        symbols[0].values.push_back(n);
        symbols[1].values.push_back(m);
        values.push_back(value(n, m));
    }
    const Dim dim = name_extent(values, symbols);
    return dim.is_static() ? std::to_string(dim.value) : dim.symbol;
}

/// The fake operators', with vectors joined.
OpEvaluator joining() {
    return [plain = fake::evaluator()](const CallOp& call, std::span<const NDArray> args, const Type& type,
                                       const Progress& progress) -> Result<std::vector<NDArray>> {
        if (call.op.name != "cat") return plain(call, args, type, progress);
        NDArray all = NDArray::allocate(DType::F32, static_shape(*as_tensor(type)));
        std::int64_t at = 0;
        for (const NDArray& arg : args)
            for (std::int64_t i = 0; i < arg.size(); ++i) all.set(at++, arg.as_double(i));
        return std::vector<NDArray>{all};
    };
}

} // namespace

TEST_CASE("extents computed from symbols have names", "[graph][symbols]") {
    CHECK(named([](auto, auto) { return 7; }) == "7");
    CHECK(named([](auto n, auto) { return n; }) == "n");
    CHECK(named([](auto, auto m) { return 3 * m; }) == "3*m");
    CHECK(named([](auto n, auto) { return n + 2; }) == "n+2");
    CHECK(named([](auto n, auto) { return n / 2; }) == "n/2");
    CHECK(named([](auto n, auto m) { return n * m; }) == "n*m");
    CHECK(named([](auto n, auto m) { return n + m; }) == "n+m");
    CHECK(named([](auto n, auto m) { return n * m * m + 5; }) == "?");
    // What only looks constant on round numbers is not.
    CHECK(named([](auto n, auto) { return n % 32; }) == "?");
    CHECK(named([](auto n, auto) { return (n + 1) / 2; }) == "?");
}

TEST_CASE("names mean what they say", "[graph][symbols]") {
    for (int number = 0; number < kProbes; ++number) {
        Probe probe(number);
        const std::int64_t n = probe.value("n").value(), m = probe.value("m").value();
        CHECK(n != m);
        CHECK(probe.value("n") == n);
        CHECK(probe.value("2*n+m") == 2 * n + m);
        CHECK(probe.value("n*m/4 + 3") == n * m / 4 + 3);
        CHECK(probe.value("?") == std::nullopt);
        CHECK(probe.value("n/0") == std::nullopt);
        CHECK(probe.value("n+") == std::nullopt);
        CHECK(probe.value("9223372036854775807*n") == std::nullopt);
        const TensorType closed = *as_tensor(probe.closed(type("f32[n,3,?,?,\"2*n\"]")));
        CHECK(closed.dims[0].value == n);
        CHECK(closed.dims[2].value != closed.dims[3].value);
        CHECK(closed.dims[4].value == 2 * n);
    }
}

TEST_CASE("types join and accept", "[graph][symbols]") {
    const auto joined = [](const char* a, const char* b) { return to_string(join(type(a), type(b))); };
    CHECK(joined("f32[2,n]", "f32[2,n]") == "f32[2,n]");
    CHECK(joined("f32[2,n]", "f32[3,n]") == "f32[?,n]");
    CHECK(joined("(f32[2], i64[])", "(f32[4], i64[])") == "(f32[?], i64[])");
    CHECK(join(type("f32[2]"), type("f32[2,1]")) == nullptr);
    CHECK(join(type("f32[2]"), type("i32[2]")) == nullptr);
    CHECK(join(type("f32[2]"), type("(f32[2],)")) == nullptr);
    CHECK(accepts(type("f32[?,3]"), type("f32[n,3]")));
    CHECK_FALSE(accepts(type("f32[n,3]"), type("f32[?,3]")));
    CHECK_FALSE(accepts(type("f32[?,3]"), type("f32[1,4]")));
    CHECK(accepts(type("(f32[?],)"), type("(f32[5],)")));
}

TEST_CASE("branches may differ in extents, loops may grow", "[graph][symbols][evaluate]") {
    const Module module = fake::parsed(R"(
fn one(x: f32[2]) -> f32[2] { return x; }
fn two(x: f32[2]) -> f32[4] { y = cat(x, x); return y; }
fn body(i: i64[], c: bool[], s: f32[?], x: f32[2]) -> (bool[], f32[?], f32[2]) {
  next = cat(s, x);
  t = (c, next, x);
  return t;
}
fn main(c: bool[], n: i64[], x: f32[2]) -> (f32[?], f32[?], f32[?,2]) {
  chosen = if c then @two else @one (x);
  grown = loop @body limit n while _ carry (chosen) capture (x);
  last = grown[0];
  rows = grown[1];
  t = (chosen, last, rows);
  return t;
}
)");
    CHECK(structural_equal(module, fake::parsed(to_string(module))));
    NDArray yes = NDArray::zeros(DType::Bool, {}), three = NDArray::zeros(DType::I64, {});
    yes.set_int(0, 1);
    three.set_int(0, 3);
    const std::vector<NDArray> args{yes, three, fake::floats({2}, {1, 2})};
    const auto out = evaluate(module.main, args, joining(), {});
    REQUIRE(out.has_value());
    CHECK((*out)[0].shape() == Shape{4});
    CHECK((*out)[1].shape() == Shape{10});
    CHECK((*out)[2].shape() == Shape{3, 2});
}

TEST_CASE("loops without end are stopped by a limit or by the user", "[graph][symbols][evaluate]") {
    const Module module = fake::parsed(R"(
fn body(i: i64[], c: bool[], s: f32[?]) -> (bool[], f32[?]) { next = cat(s, s); t = (c, next); return t; }
fn main(x: f32[2]) -> (f32[?],) { l = loop @body limit _ while _ carry (x) capture (); return l; }
)");
    const std::vector<NDArray> args{fake::floats({2}, {1, 2})};
    EvaluateOptions small;
    small.max_bytes = 1 << 16;
    const auto grown = evaluate(module.main, args, joining(), {}, small);
    REQUIRE_FALSE(grown.has_value());
    CHECK(grown.error().code == Code::LimitExceeded);

    const Module still = fake::parsed(R"(
fn body(i: i64[], c: bool[], s: f32[2]) -> (bool[], f32[2]) { t = (c, s); return t; }
fn main(x: f32[2]) -> (f32[2],) { l = loop @body limit _ while _ carry (x) capture (); return l; }
)");
    EvaluateOptions few;
    few.max_iterations = 1000;
    const auto turned = evaluate(still.main, args, joining(), {}, few);
    REQUIRE_FALSE(turned.has_value());
    CHECK(turned.error().code == Code::LimitExceeded);
}
