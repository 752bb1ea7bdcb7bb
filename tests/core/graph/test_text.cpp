#include "core/graph/builder.hpp"
#include "core/graph/text.hpp"
#include "tests/core/graph/fake_ops.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace orrery;
using namespace orrery::graph;
using namespace orrery::graph::fake;

namespace {

/// parse(print(x)) equals x, and prints the same again.
Module round_trip(const Module& module) {
    const std::string text = to_string(module);
    Result<Module> again = parse_module(text, registry(), constants_of(module));
    if (!again) FAIL(to_string(again.error()) << "\n" << text);
    INFO(text);
    CHECK(structural_equal(module, *again));
    CHECK(structural_hash(module) == structural_hash(*again));
    CHECK(to_string(*again) == text);
    CHECK(verify(*again).has_value());
    return *again;
}

/// The refusal of a text: its code and where it points.
std::pair<Code, TextPosition> refusal(const std::string& text) {
    const Result<Module> module = parse_module(text, registry(), {});
    if (module) FAIL("accepted: " << text);
    REQUIRE_FALSE(module.error().locations.empty());
    const auto* where = std::get_if<TextPosition>(&module.error().locations[0]);
    REQUIRE(where);
    return {module.error().code, *where};
}

void check_refused(const std::string& text, Code code, int line, int column) {
    INFO(text);
    const auto [found, where] = refusal(text);
    CHECK(code_name(found) == std::string(code_name(code)));
    CHECK(where.line == line);
    CHECK(where.column == column);
}

} // namespace

TEST_CASE("a module prints one binding a line", "[graph][text]") {
    const Module module = parsed(R"(
outputs ["prob"];
# a comment
fn main(data: f32[4]) -> f32[4] {
  w: f32[4] = const [1, 2.5, -inf, nan];
  sum = add(data, w);
  odd: f32[4] = odd(sum) {int=3, ints=[1, 2], number=0.5, text="a\"b", type=f16};
  return odd;
}
)");
    CHECK(to_string(module) == R"(outputs ["prob"];

fn main(data: f32[4]) -> f32[4] {
  w: f32[4] = const [1.0, 2.5, -inf, nan(0x7fc00000)];
  sum: f32[4] = add(data, w);
  odd: f32[4] = odd(sum) {int=3, ints=[1, 2], number=0.5, text="a\"b", type=f16};
  return odd;
}
)");
    round_trip(module);
}

TEST_CASE("each kind of expression reads back", "[graph][text]") {
    round_trip(parsed(R"(
outputs ["a", "b"];
fn twice(x: f32[4]) -> f32[4] with {kind="elementwise", primitive=true} {
  y: f32[4] = add(x, x);
  return y;
}
fn same(x: f32[4]) -> f32[4] { return x; }
fn body(i: i64[], c: bool[], x: f32[4], k: f32[4]) -> (bool[], f32[4], f32[4]) {
  s = add(x, k);
  t = (c, s, x);
  return t;
}
fn main(x: f32[4], c: bool[], n: i64[], m: f32[batch,?,"a b"]) -> (f32[4], f32[?,4]) {
  a = @twice(x);
  b = if c then @twice else @same (a);
  l: (f32[4], f32[?,4]) = loop @body limit n while _ carry (b) capture (x);
  l0 = l[0];
  l1 = l[1];
  f: fn(f32[4]) -> f32[4] = fn @same;
  none = ();
  one = (x,);
  missing = bias(x, _, a);
  short = bias(x);
  big = relu(m);
  out = (l0, l1);
  return out;
}
)"));
}

TEST_CASE("random modules read back equal", "[graph][text][property]") {
    const auto seed = static_cast<std::uint64_t>(Catch::rngSeed());
    for (std::uint64_t i = 0; i < 200; ++i) {
        INFO("seed " << seed << " case " << i);
        std::mt19937_64 rng(seed + i);
        const Module module = random_module(rng, 1 + static_cast<int>(i % 30));
        REQUIRE(verify(module).has_value());
        round_trip(module);
    }
}

TEST_CASE("inner functions print once, before their users, and stay shared", "[graph][text]") {
    const Module module = parsed(R"(
fn f(x: f32[4]) -> f32[4] { return x; }
fn main(x: f32[4]) -> f32[4] {
  a = @f(x);
  b = @f(a);
  return b;
}
)");
    const std::string text = to_string(module.main);
    CHECK(text.find("fn f(") != std::string::npos);
    CHECK(text.find("fn f(") == text.rfind("fn f("));
    CHECK(text.find("fn f(") < text.find("fn main("));
    const auto& bindings = module.main->bindings;
    CHECK(as<CallFunction>(bindings[0].value)->function == as<CallFunction>(bindings[1].value)->function);
}

TEST_CASE("large constants are named by hash and found in the pool", "[graph][text]") {
    FunctionBuilder builder;
    const Var big = builder.constant(floats({17}, std::vector<float>(17, 0.25F)), {}, "big");
    const Module module{builder.finish("main", big), {"y"}, std::make_shared<const std::vector<Source>>()};
    const std::string text = to_string(module);
    CHECK(text.find("const @" + to_string(constant_hash(as<Constant>(module.main->bindings[0].value)->value))) !=
          std::string::npos);
    CHECK(constants_of(module).size() == 1);
    round_trip(module);
    CHECK(refusal(text).first == Code::BadText);
}

TEST_CASE("printed lines know their variable and origin", "[graph][text]") {
    FunctionBuilder builder;
    const Var x = builder.param("x", f32({4}));
    const Var y = builder.call(*registry().find("relu"), {x}, {}, OriginSet(7), "y");
    const PrintedModule printed = print_module({builder.finish("main", y), {"y"}, nullptr});
    const auto line = std::ranges::find(printed.lines, y, &PrintedLine::var);
    REQUIRE(line != printed.lines.end());
    CHECK(line->text == "  y: f32[4] = relu(x);");
    CHECK(line->depth == 1);
    CHECK(line->origin.contains(7));
}

TEST_CASE("wrong text is refused where it is wrong", "[graph][text]") {
    check_refused("", Code::BadText, 1, 1);
    check_refused("fn main(x: f32[4]) {\n  return y;\n}", Code::BadText, 2, 10);
    check_refused("fn main(x: f33[4]) { return x; }", Code::BadText, 1, 12);
    check_refused("fn main(x: f32[-1]) { return x; }", Code::BadText, 1, 16);
    check_refused("fn main(x: f32[4]) {\n  y = nope(x);\n  return y;\n}", Code::UnknownName, 2, 7);
    check_refused("fn main(x: f32[4]) {\n  y = relu(z);\n  return y;\n}", Code::BadText, 2, 12);
    check_refused("fn main(x: f32[4]) {\n  y: f32[5] = relu(x);\n  return y;\n}", Code::BadType, 2, 3);
    check_refused("fn main(x: f32[4], z: f32[5]) {\n  y = add(x, z);\n  return y;\n}", Code::BadType, 2, 7);
    check_refused("fn main(x: f32[4]) {\n  y = odd(x);\n  return y;\n}", Code::BadAttribute, 2, 7);
    check_refused("fn main(x: f32[4]) {\n  y = odd(x) {int=1, int=2};\n  return y;\n}", Code::BadText, 2, 22);
    check_refused("fn main(x: f32[4]) {\n  y = odd(x) {int=1, ints=[1, 2.0]};\n  return y;\n}", Code::BadText, 2, 31);
    check_refused("fn main(x: f32[4]) {\n  x = relu(x);\n  return x;\n}", Code::BadText, 2, 3);
    check_refused("fn main(x: f32[4]) {\n  y: i8[1] = const [300];\n  return y;\n}", Code::BadText, 2, 21);
    check_refused("fn main(x: f32[4]) {\n  y: i8[2] = const [3];\n  return y;\n}", Code::BadText, 2, 23);
    check_refused("fn main(x: f32[4]) {\n  y: i8[99999999999999] = const [3];\n  return y;\n}", Code::BadText, 2, 33);
    check_refused("fn main(x: f32[4]) {\n  y = const [3];\n  return y;\n}", Code::BadText, 2, 13);
    check_refused("fn main(x: f32[4]) {\n  y = odd(x) {int=1, text=\"ab\n\"};\n  return y;\n}", Code::BadText, 2, 27);
    check_refused("fn main(x: f32[4]) {\n  y = @f(x);\n  return y;\n}", Code::BadText, 2, 8);
    check_refused("fn main(x: (f32[4],)) {\n  y = x[1];\n  return y;\n}", Code::BadType, 2, 7);
    check_refused("fn main(x: f32[4]) -> f32[5] { return x; }", Code::BadType, 1, 20);
    check_refused("fn f(x: f32[4]) { return x; }\nfn f(x: f32[4]) { return x; }", Code::BadText, 2, 4);
    check_refused("fn main(x: " + std::string(100000, '(') + "f32[]", Code::BadText, 1, 213);
    check_refused("fn main(x: f32[4]) { return x; } trailing", Code::BadText, 1, 34);
}

TEST_CASE("text cut or changed anywhere is refused or reads as something else, never a crash",
          "[graph][text][property]") {
    std::mt19937_64 rng(5);
    for (int i = 0; i < 300; ++i) {
        const Module module = random_module(rng, 6);
        std::string text = to_string(module);
        for (int edits = 0; edits < 3; ++edits) {
            const std::size_t at = rng() % text.size();
            if (rng() % 2)
                text.erase(at, 1 + rng() % 5);
            else
                text[at] = static_cast<char>(rng());
            if (text.empty()) break;
        }
        const Result<Module> again = parse_module(text, registry(), constants_of(module));
        if (again)
            CHECK(verify({again->main, {"x"}, nullptr}).has_value() == !as_tuple(again->main->result->type));
        else
            CHECK_FALSE(again.error().locations.empty());
    }
}
