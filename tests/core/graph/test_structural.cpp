#include "core/graph/builder.hpp"
#include "core/graph/text.hpp"
#include "tests/core/graph/fake_ops.hpp"

#include <catch2/catch.hpp>

#include <chrono>

using namespace orrery;
using namespace orrery::graph;
using namespace orrery::graph::fake;

namespace {

bool same(const std::string& a, const std::string& b) {
    const Module x = parsed(a), y = parsed(b);
    const bool equal = structural_equal(x, y);
    CHECK((structural_hash(x) == structural_hash(y)) == equal);
    CHECK(structural_equal(y, x) == equal);
    return equal;
}

std::string one(const std::string& body) { return "fn main(x: f32[4], y: f32[4]) {\n" + body + "}\n"; }

} // namespace

TEST_CASE("equality looks past names and origins", "[graph][structural]") {
    CHECK(same("fn main(x: f32[4]) { y = relu(x); return y; }", "fn other(a: f32[4]) { b = relu(a); return b; }"));
    FunctionBuilder a, b;
    const Var x = a.param("x", f32({4})), y = b.param("x", f32({4}));
    const Function f = a.finish("f", a.call(*registry().find("relu"), {x}, {}, OriginSet(1)));
    const Function g = b.finish("f", b.call(*registry().find("relu"), {y}, {}, OriginSet(2)));
    CHECK(structural_equal(f, g));
    CHECK(structural_hash(f) == structural_hash(g));
}

TEST_CASE("equality sees every difference", "[graph][structural]") {
    const std::string base = one("a = add(x, y); return a;");
    CHECK(same(base, base));
    CHECK_FALSE(same(base, one("a = add(y, x); return a;")));
    CHECK_FALSE(same(base, one("a = add(x, y); b = relu(a); return a;")));
    CHECK_FALSE(same(base, one("a = add(x, y); return x;")));
    CHECK_FALSE(same(base, "fn main(x: f32[5], y: f32[5]) { a = add(x, y); return a; }"));
    CHECK_FALSE(same(base, "fn main(x: f32[4], y: f32[4]) with {primitive=true} { a = add(x, y); return a; }"));
    CHECK_FALSE(same(base, "outputs [\"z\"];" + base));
    CHECK_FALSE(same(one("a = odd(x) {int=1}; return a;"), one("a = odd(x) {int=2}; return a;")));
    CHECK_FALSE(
        same(one("a = odd(x) {int=1, number=0.0}; return a;"), one("a = odd(x) {int=1, number=-0.0}; return a;")));
    CHECK_FALSE(same(one("a = odd(x) {int=1, number=1.0}; return a;"), one("a = odd(x) {int=1, number=1}; return a;")));
    CHECK(same(one("a = odd(x) {int=1, number=nan}; return a;"), one("a = odd(x) {int=1, number=nan}; return a;")));
    CHECK_FALSE(same(one("a: f32[] = const 1; return a;"), one("a: f32[] = const 2; return a;")));
    CHECK_FALSE(same(one("a: f32[1] = const [1]; return a;"), one("a: f32[1,1] = const [1]; return a;")));
    CHECK_FALSE(same(one("a = pair(x); b = a[0]; return b;"), one("a = pair(x); b = a[1]; return b;")));
    CHECK_FALSE(same(one("a = bias(x, y, _); return a;"), one("a = bias(x, _, y); return a;")));
    CHECK_FALSE(same("fn f(x: f32[4]) { return x; } fn main(x: f32[4]) { a = @f(x); return a; }",
                     "fn f(x: f32[4]) { y = relu(x); return y; } fn main(x: f32[4]) { a = @f(x); return a; }"));
}

TEST_CASE("sharing an inner function makes no difference", "[graph][structural]") {
    CHECK(same("fn f(x: f32[4]) { return x; } fn main(x: f32[4]) { a = @f(x); b = @f(a); return b; }",
               "fn f(x: f32[4]) { return x; } fn g(x: f32[4]) { return x; } fn main(x: f32[4]) { a = @f(x); b = @g(a); "
               "return b; }"));
}

TEST_CASE("random modules differ from their neighbours", "[graph][structural][property]") {
    std::mt19937_64 rng(11);
    std::vector<Module> modules;
    for (int i = 0; i < 60; ++i) modules.push_back(random_module(rng, 3));
    for (const Module& a : modules)
        for (const Module& b : modules) CHECK(structural_equal(a, b) == (structural_hash(a) == structural_hash(b)));
}

TEST_CASE("a constant's hash follows its storage", "[graph][structural]") {
    NDArray value = floats({64, 64}, std::vector<float>(4096, 1.0F));
    const Hash hash = constant_hash(value);
    CHECK(hash == value.content_hash());
    CHECK(constant_hash(value) == hash);
    CHECK_FALSE(constant_hash(value.reshaped({4096})) == hash);
    // New storages, often at the address just freed, get their own hash.
    for (int i = 0; i < 50; ++i) {
        value = NDArray();
        value = floats({64, 64}, std::vector<float>(4096, static_cast<float>(i)));
        REQUIRE(constant_hash(value) == value.content_hash());
    }
}

TEST_CASE("hashing a large constant again costs nothing", "[graph][structural]") {
    FunctionBuilder builder;
    const Var c = builder.constant(NDArray::zeros(DType::F32, {64 << 20}), {}, "c"); // 256 MiB
    const Function function = builder.finish("main", c);
    const auto time = [&] {
        const auto start = std::chrono::steady_clock::now();
        const Hash hash = structural_hash(function);
        CHECK(hash == structural_hash(function));
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    const double first = time(), second = time();
    CHECK(second < first / 5);
}
