#include "core/graph/builder.hpp"
#include "core/graph/evaluate.hpp"
#include "tests/core/graph/fake_ops.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::graph;
using namespace orrery::graph::fake;

namespace {

NDArray boolean(bool value) {
    NDArray array = NDArray::allocate(DType::Bool, {});
    array.set_int(0, value);
    return array;
}

NDArray integer(std::int64_t value) {
    NDArray array = NDArray::allocate(DType::I64, {});
    array.set_int(0, value);
    return array;
}

std::vector<NDArray> run(const Module& module, std::vector<NDArray> args) {
    Result<std::vector<NDArray>> out = evaluate(module.main, args, evaluator(), {});
    if (!out) FAIL(to_string(out.error()));
    return *out;
}

bool equals(const NDArray& actual, Shape shape, std::vector<float> values) {
    const Difference d = compare(actual, floats(std::move(shape), std::move(values)));
    return d.same_type && d.max_abs == 0;
}

} // namespace

TEST_CASE("evaluation follows the definition", "[graph][evaluate]") {
    const Module module = parsed(R"(
fn twice(x: f32[2]) -> f32[2] { y = add(x, x); return y; }
fn same(x: f32[2]) -> f32[2] { return x; }
fn main(x: f32[2], c: bool[]) -> (f32[2], (f32[2], f32[2]), f32[2]) {
  k: f32[2] = const [1, -10];
  a = add(x, k);
  r = relu(a);
  d = if c then @twice else @same (r);
  p = pair(d);
  t = (r, p, x);
  q = t[1];
  s = q[0];
  out = (s, p, k);
  return out;
}
)");
    const NDArray x = floats({2}, {2, 3});
    std::vector<NDArray> out = run(module, {x, boolean(true)});
    REQUIRE(out.size() == 4);
    CHECK(equals(out[0], {2}, {6, 0}));
    CHECK(equals(out[2], {2}, {6, 0}));
    CHECK(equals(out[3], {2}, {1, -10}));
    out = run(module, {x, boolean(false)});
    CHECK(equals(out[0], {2}, {3, 0}));
}

TEST_CASE("loops carry, capture, scan and stop", "[graph][evaluate]") {
    const Module module = parsed(R"(
fn body(i: i64[], c: bool[], s: f32[], step: f32[], end: f32[]) -> (bool[], f32[], f32[]) {
  next = add(s, step);
  going = less(next, end);
  t = (going, next, s);
  return t;
}
fn main(n: i64[], c: bool[], x: f32[], step: f32[], end: f32[]) -> (f32[], f32[?]) {
  l = loop @body limit n while c carry (x) capture (step, end);
  return l;
}
)");
    const auto scalar = [](float v) { return floats({}, {v}); };
    std::vector<NDArray> out = run(module, {integer(100), boolean(true), scalar(1), scalar(2), scalar(6)});
    CHECK(equals(out[0], {}, {7})); // 1, 3, 5, 7: the condition fails after the third iteration
    CHECK(equals(out[1], {3}, {1, 3, 5}));
    out = run(module, {integer(2), boolean(true), scalar(1), scalar(2), scalar(6)});
    CHECK(equals(out[0], {}, {5}));
    CHECK(equals(out[1], {2}, {1, 3}));
    out = run(module, {integer(2), boolean(false), scalar(1), scalar(2), scalar(6)});
    CHECK(equals(out[0], {}, {1}));
    CHECK(out[1].shape() == Shape{0});
}

TEST_CASE("values are freed after their last use", "[graph][evaluate]") {
    const Module module =
        parsed("fn main(x: f32[4]) { a = relu(x); b = relu(a); c = relu(b); d = relu(c); return d; }");
    std::weak_ptr<const void> first;
    std::vector<bool> alive;
    const Observer observer = [&](const Binding& binding, std::span<const NDArray> values) {
        if (binding.var->name == "a") first = values[0].owner();
        alive.push_back(!first.expired());
    };
    const NDArray x = floats({4}, {1, 2, 3, 4});
    REQUIRE(evaluate(module.main, std::vector<NDArray>{x}, evaluator(), {}, {.observer = observer}).has_value());
    CHECK(alive == std::vector<bool>{true, true, false, false});
}

TEST_CASE("arguments that do not fit are refused, symbols must agree", "[graph][evaluate]") {
    const Module module = parsed("fn main(x: f32[n,2], y: f32[n]) { return x; }");
    const auto code = [&](std::vector<NDArray> args) {
        const auto out = evaluate(module.main, args, evaluator(), {});
        return out ? Code::Internal : out.error().code;
    };
    CHECK(run(module, {floats({1, 2}, {1, 2}), floats({1}, {1})}).size() == 1);
    CHECK(code({floats({1, 2}, {1, 2})}) == Code::BadShape);
    CHECK(code({floats({1, 2}, {1, 2}), floats({2}, {1, 2})}) == Code::BadShape);
    CHECK(code({floats({2, 1}, {1, 2}), floats({2}, {1, 2})}) == Code::BadShape);
    CHECK(code({integer(1), floats({2}, {1, 2})}) == Code::BadShape);
    CHECK(code({NDArray(), floats({2}, {1, 2})}) == Code::BadShape);
}

TEST_CASE("errors name the binding; cancelling stops", "[graph][evaluate]") {
    const Module module = parsed("fn main(x: f32[1]) { a = relu(x); b = cat(a); return b; }");
    const std::vector<NDArray> args{floats({1}, {1})};
    const auto failed = evaluate(module.main, args, evaluator(), {});
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().code == Code::BadType);
    CHECK(std::get<ProgramPlace>(failed.error().locations.at(0)).place == "b");
    std::stop_source source;
    source.request_stop();
    const auto stopped = evaluate(module.main, args, evaluator(), Progress{source.get_token(), {}});
    REQUIRE_FALSE(stopped.has_value());
    CHECK(stopped.error().code == Code::Cancelled);
}

TEST_CASE("calls nested beyond reason are refused, not a crash", "[graph][evaluate]") {
    std::string text = "fn f0(x: f32[1]) { return x; }\n";
    for (int i = 1; i < 20000; ++i)
        text += "fn f" + std::to_string(i) + "(x: f32[1]) { y = @f" + std::to_string(i - 1) + "(x); return y; }\n";
    const Module module = parsed(text);
    CHECK(structural_equal(module, parsed(to_string(module))));
    const auto out = evaluate(module.main, std::vector<NDArray>{floats({1}, {1})}, evaluator(), {});
    REQUIRE_FALSE(out.has_value());
    CHECK(out.error().code == Code::LimitExceeded);
}
