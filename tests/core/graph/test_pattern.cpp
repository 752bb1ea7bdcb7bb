#include "core/graph/builder.hpp"
#include "core/graph/pattern.hpp"
#include "tests/core/graph/fake_ops.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

using namespace orrery;
using namespace orrery::graph;
using namespace orrery::graph::fake;

namespace {

/// A function, its values, and its variables by name.
struct Subject {
    Module module;
    FunctionValues values;
    explicit Subject(const std::string& text) : module(parsed(text)), values(module.main) {}
    Var operator[](const std::string& name) const {
        for (const Var& param : module.main->params)
            if (param->name == name) return param;
        for (const Binding& binding : module.main->bindings)
            if (binding.var->name == name) return binding.var;
        FAIL("no variable " + name);
        return nullptr;
    }
    std::optional<Match> at(const std::string& name, const std::string& pattern) const {
        const Result<Pattern> read = parse_pattern(pattern);
        if (!read) FAIL(to_string(read.error()));
        return match(*read, (*this)[name], values);
    }
};

const char* const kDiamond = R"(outputs ["y"];
fn main(x: f32[4], z: f32[4]) -> f32[4] {
  k: f32[4] = const [1, 2, 3, 4];
  a: f32[4] = add(x, k);
  b: f32[4] = relu(a);
  c: f32[4] = add(b, z);
  d: f32[4] = relu(a);
  y: f32[4] = add(c, d);
  return y;
}
)";

std::vector<std::string> names(const std::vector<Var>& vars) {
    std::vector<std::string> out;
    for (const Var& var : vars) out.push_back(var->name);
    return out;
}

} // namespace

TEST_CASE("operators, constants, parameters, anything and captures", "[graph][pattern]") {
    const Subject s(kDiamond);
    REQUIRE(s.at("a", "add(param, const)"));
    REQUIRE(s.at("a", "add"));
    REQUIRE_FALSE(s.at("a", "add(const, param)"));
    REQUIRE(s.at("a", "add~(const, param)"));
    REQUIRE_FALSE(s.at("a", "relu"));
    REQUIRE_FALSE(s.at("a", "add(*)")); // the second operand is there
    REQUIRE_FALSE(s.at("x", "const"));
    const auto found = s.at("c", "$out=add(relu($in=add($x, $weight=const)), *)");
    REQUIRE(found);
    REQUIRE((*found)["weight"] == s["k"]);
    REQUIRE((*found)["x"] == s["x"]);
    REQUIRE((*found)["out"] == s["c"]);
    REQUIRE((*found)["nothing"] == nullptr);
    REQUIRE(names(found->calls) == std::vector<std::string>{"c", "b", "a"});
    REQUIRE(found->constants == std::vector<Var>{s["k"]});
}

TEST_CASE("a name that stands twice asks for one variable", "[graph][pattern]") {
    const Subject s(R"(outputs ["y"];
fn main(x: f32[4], z: f32[4]) -> f32[4] {
  a: f32[4] = add(x, x);
  b: f32[4] = add(x, z);
  y: f32[4] = add(a, b);
  return y;
}
)");
    REQUIRE(s.at("a", "add($v, $v)"));
    REQUIRE_FALSE(s.at("b", "add($v, $v)"));
    // The order of the first sum is tried again when the second does not fit it.
    REQUIRE(s.at("y", "add(*, add~($v, $w)) "));
    REQUIRE((*s.at("y", "add(add~($v, *), add~($w, $v))"))["w"] == s["z"]);
}

TEST_CASE("alternatives and optional calls go back when the rest does not fit", "[graph][pattern]") {
    const Subject s(kDiamond);
    REQUIRE(s.at("b", "relu?(add(*, const))"));
    REQUIRE(s.at("a", "relu?(add(*, const))"));
    REQUIRE_FALSE(s.at("c", "relu?(add(*, const))"));
    REQUIRE((*s.at("y", "add(($p=add(*, param) | $p=relu(*)), *)"))["p"] == s["c"]);
    // The first alternative fits `c` but leaves a capture that the second operand refuses.
    REQUIRE((*s.at("y", "add((add($v, *) | add(relu($v), *)), relu($v))"))["v"] == s["a"]);
    REQUIRE(parse_pattern("relu?(add(*, const))")->root_operators() == std::vector<std::string>{"add", "relu"});
    REQUIRE(parse_pattern("(relu(*) | const)")->root_operators().empty());
}

TEST_CASE("uses, types, attributes and predicates", "[graph][pattern]") {
    const Subject s(kDiamond);
    REQUIRE(s.at("c", "add(relu(*) once, *)"));
    REQUIRE_FALSE(s.at("b", "relu(add(*, *) once)"));
    REQUIRE(s.at("b", "relu(*:f32[4])"));
    REQUIRE(s.at("b", "relu(*:[*])"));
    REQUIRE_FALSE(s.at("b", "relu(*:[3])"));
    REQUIRE_FALSE(s.at("b", "relu(*:f16)"));
    REQUIRE_FALSE(s.at("b", "relu(*:[*,*])"));
    const Pattern first = op("relu").where([](const Var& var, const Expr&) { return var->name == "b"; }, "is b");
    REQUIRE(match(first, s["b"], s.values));
    REQUIRE_FALSE(match(first, s["d"], s.values));
    const Subject odd(R"(outputs ["y"];
fn main(x: f32[4]) -> f32[4] {
  y: f32[4] = odd(x) {flag=true, int=3, ints=[1, 2], number=0.5, numbers=[0.5], text="text", texts=["a"], type=f16};
  return y;
}
)");
    REQUIRE(odd.at("y", "odd(*){int=3, ints=[1, 2], text=\"text\", flag=true, number=0.5, type=f16}"));
    REQUIRE_FALSE(odd.at("y", "odd(*){int=4}"));
    REQUIRE_FALSE(odd.at("y", "odd(*){other=4}"));
    REQUIRE(odd.at("y", "odd(*){other?=4}"));
    REQUIRE_FALSE(odd.at("y", "odd(*){int?=4}"));
}

TEST_CASE("missing operands", "[graph][pattern]") {
    const Subject s(R"(outputs ["y"];
fn main(x: f32[4]) -> f32[4] {
  a: f32[4] = bias(x, _, x);
  y: f32[4] = bias(a);
  return y;
}
)");
    REQUIRE(s.at("a", "bias(*, _, *)"));
    REQUIRE_FALSE(s.at("a", "bias(*, *, *)"));
    REQUIRE(s.at("y", "bias(*, _, _)"));
    REQUIRE(s.at("y", "bias(*)"));
}

TEST_CASE("everything between two values flows from one into the other", "[graph][pattern]") {
    const Subject s(kDiamond);
    const auto found = s.at("y", "flow($from=add(*, const), (relu | add), add)");
    REQUIRE(found);
    REQUIRE((*found)["from"] == s["a"]);
    std::vector<std::string> calls = names(found->calls);
    REQUIRE(calls.front() == "y");
    std::ranges::sort(calls);
    REQUIRE(calls == std::vector<std::string>{"a", "b", "c", "d", "y"});
    REQUIRE(is_closed(*found, s.values));
    // `c` is no relu, and it lies between.
    REQUIRE_FALSE(s.at("y", "flow(add(*, const), relu, add)"));
    // Next to each other, nothing between.
    REQUIRE(s.at("c", "flow(relu, relu, add)"));
    // `d` leaves the region above `c`.
    REQUIRE_FALSE(s.at("c", "flow(add(*, const), relu, add)"));
    const Subject seen(R"(outputs ["y", "b"];
fn main(x: f32[4]) -> (f32[4], f32[4]) {
  a: f32[4] = relu(x);
  b: f32[4] = relu(a);
  c: f32[4] = add(a, b);
  t: (f32[4], f32[4]) = (c, b);
  return t;
}
)");
    REQUIRE_FALSE(seen.at("c", "flow(relu(param), relu, add)"));
}

TEST_CASE("matches that can be cut out, largest first, none twice", "[graph][pattern]") {
    const Subject s(kDiamond);
    const std::vector<Pattern> patterns{*parse_pattern("add(relu(*), *)"), *parse_pattern("relu")};
    const std::vector<FoundMatch> found = find_matches(patterns, s.module.main);
    // y = add(c, d) does not fit the first; c = add(relu(a), z) does; d is a relu.
    REQUIRE(found.size() == 2);
    REQUIRE(found[0].match.root == s["c"]);
    REQUIRE(found[1].match.root == s["d"]);
    REQUIRE(found[1].pattern == 1);
    // A value used outside keeps a match from being cut out.
    REQUIRE(find_matches(std::vector{*parse_pattern("relu(add(*, *))")}, s.module.main).empty());
}

TEST_CASE("a rewriter's binding is matched before its variable is bound", "[graph][pattern]") {
    const Subject s(kDiamond);
    const Binding fresh{make_var("fresh", f32({4})),
                        make_ref<const CallOp>(*registry().find("relu"), std::vector{s["c"]}, Attrs{}),
                        {}};
    REQUIRE(match(*parse_pattern("relu(add(relu(*), *))"), fresh, s.values));
}

TEST_CASE("patterns print as they are read", "[graph][pattern]") {
    for (const char* text : {"*", "_", "const", "param", "relu", "relu(*)", "add~($a=*, const)", "add(*, *) once",
                             "$y=odd(*){i=3, is?=[1, 2], t=\"x\"}:f32[4,*] once", "(relu(*) | add(const, *))",
                             "flow($f=add, (relu | add), add(*, *))", "$a=($b=relu)", "odd(*){f=0.5, d=bf16}:[]"}) {
        const Result<Pattern> pattern = parse_pattern(text);
        if (!pattern) FAIL(to_string(pattern.error()));
        CHECK(to_string(*pattern) == text);
        CHECK(to_string(*parse_pattern(to_string(*pattern))) == text);
    }
    CHECK(to_string(optional("relu", op("add", {any(), constant()}))) == "(relu(add(*, const)) | add(*, const))");
}

TEST_CASE("wrong pattern texts are refused at their place", "[graph][pattern]") {
    const auto place = [](const std::string& text) {
        const Result<Pattern> pattern = parse_pattern(text);
        REQUIRE_FALSE(pattern.has_value());
        REQUIRE(pattern.error().code == Code::BadText);
        return std::get<TextPosition>(pattern.error().locations.at(0)).column;
    };
    CHECK(place("") == 1);
    CHECK(place("relu(") == 6);
    CHECK(place("relu(*))") == 8);
    CHECK(place("add~(*)") == 8);
    CHECK(place("flow(*, *)") == 11);
    CHECK(place("relu{i}") == 7);
    CHECK(place("relu:f31") == 6);
    CHECK(place("relu:[-1]") == 9);
    CHECK(place("$ ") == 3);
    CHECK(place("x{a=99999999999999999999}") == 5);
    CHECK(place(std::string(100, '(')) > 60);
}

TEST_CASE("random functions: every binding matches the pattern written from it", "[graph][pattern]") {
    // The pattern of a binding and its operands' bindings is found there, and a capture is the variable it was made
    // for.
    for (unsigned seed = 0; seed < 50; ++seed) {
        std::mt19937_64 rng(seed);
        const Module module = random_module(rng, 30);
        const FunctionValues values(module.main);
        for (const Binding& binding : module.main->bindings) {
            const auto* call = as<CallOp>(binding.value);
            if (!call) continue;
            std::vector<Pattern> operands;
            for (std::size_t i = 0; i < call->args.size(); ++i) {
                const Var& arg = call->args[i];
                const Expr value = arg ? values.value_of(arg) : Expr();
                const auto* inner = value ? as<CallOp>(value) : nullptr;
                operands.push_back(!arg                             ? missing()
                                   : !value                         ? parameter()
                                   : as<Constant>(value) != nullptr ? constant()
                                   : inner                          ? op(inner->op.name).as("arg" + std::to_string(i))
                                                                    : any());
            }
            const auto found = match(op(call->op.name, operands), binding.var, values);
            REQUIRE(found);
            for (std::size_t i = 0; i < call->args.size(); ++i)
                if (found->has("arg" + std::to_string(i)))
                    REQUIRE((*found)["arg" + std::to_string(i)] == call->args[i]);
        }
    }
}

TEST_CASE("50,000 bindings are searched in linear time", "[graph][pattern][large]") {
    FunctionBuilder builder;
    Var x = builder.param("x", f32({1}));
    for (int i = 0; i < 50'000; ++i)
        x = builder.call(*registry().find(i % 2 ? "relu" : "add"), i % 2 ? std::vector{x} : std::vector{x, x}, {}, {});
    const Function chain = builder.finish("main", x);
    REQUIRE(find_matches(std::vector{*parse_pattern("relu(add($v, $v))")}, chain).size() == 25'000);
    // A path is given up after kLongestPath values: of the relus only the first ones are reached from the parameter.
    const std::size_t reached =
        find_matches(std::vector{*parse_pattern("flow(param, (relu | add), $r=relu)")}, chain).size();
    REQUIRE(reached == 1);
}
