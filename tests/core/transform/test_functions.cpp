// Passes over functions, branches and loops: Inline, LambdaLift, PartialEvaluate, ToANormal, ToBasicBlock, InferTypes.
// Each is tested for what it changes (against text), what it leaves alone, that a second run is idle, that it keeps the
// numbers (`apply` of graphs.hpp), and what it refuses.

#include "tests/core/transform/graphs.hpp"

#include "core/graph/functions.hpp"

using namespace orrery;
using namespace orrery::transform;
using namespace orrery::transform::test;

namespace {

/// Runs the pass and requires exactly that program.
void require_gives(const std::string& pass, const std::string& before, const std::string& after,
                   const pass::Options& options = {}) {
    const graph::Module got = apply(pass, module_of(before), options);
    const graph::Module want = module_of(after);
    INFO("expected\n" << graph::to_string(want) << "got\n" << graph::to_string(got));
    REQUIRE(graph::structural_equal(got, want));
}

void require_idle(const std::string& pass, const std::string& text, const pass::Options& options = {}) {
    const graph::Module module = module_of(text);
    REQUIRE(apply(pass, module, options).main == module.main);
}

Code refusal(const std::string& pass, const graph::Module& module, const pass::Options& options = {}) {
    const auto result = find_pass(pass)->run(module, {options, {}, nullptr});
    REQUIRE_FALSE(result.has_value());
    return result.error().code;
}

const char* const kPlain = R"(outputs ["y"];
fn main(x: f32[4]) { y = relu(x); return y; }
)";

const char* const kCalls = R"(outputs ["y"];
fn inner(a: f32[4]) { b = exp(a); return b; }
fn outer(a: f32[4], c: f32[4]) { d = @inner(a); e = add(d, c); return e; }
fn main(x: f32[4]) { u = @outer(x, x); y = @inner(u); return y; }
)";

/// A loop that doubles three times and keeps every step.
const char* const kLoop = R"(outputs ["last", "all"];
fn body(i: i64[], going: bool[], c: f32[2], s: f32[2]) { d = add(c, s); t = (going, d, d); return t; }
fn main(x: f32[2]) {
  n: i64[] = const 3;
  t = loop @body limit n while _ carry (x) capture (x);
  return t;
}
)";

} // namespace

// ------------------------------------------------------------------------------ InferTypes

TEST_CASE("types follow from values again", "[transform][infer_types]") {
    // A parameter's shape was changed by hand; what is bound still has the old types.
    const graph::Module sound = module_of(R"(outputs ["y"];
fn half(a: f32[8]) { b = relu(a); return b; }
fn main(x: f32[8]) { u = exp(x); v = add(u, x); y = concat(v, u) {axis=0}; return y; }
)");
    const graph::Function& main = sound.main;
    std::vector<graph::Binding> bindings;
    std::unordered_map<graph::Var, graph::Var> wrong;
    for (const graph::Binding& binding : main->bindings) {
        std::vector<graph::Var> operands = graph::operands(binding.value);
        for (graph::Var& var : operands)
            if (wrong.contains(var)) var = wrong.at(var);
        const graph::Var var = graph::make_var(binding.var->name, graph::tensor_type(DType::F64, Shape{3}));
        wrong.emplace(binding.var, var);
        bindings.push_back({var, graph::with_operands(binding.value, operands), binding.origin});
    }
    graph::Module broken = sound;
    broken.main = graph::make_function("main", main->params, bindings, wrong.at(main->result));
    REQUIRE(graph::verify(broken).error().code == Code::BadType);
    const auto mended = infer_types(broken, {{}, {}, nullptr});
    REQUIRE(mended.has_value());
    REQUIRE(graph::verify(*mended).has_value());
    REQUIRE(graph::structural_equal(*mended, sound));
    require_idle("InferTypes", kCalls);
    require_idle("InferTypes", kLoop);
}

TEST_CASE("operands that no longer fit are refused with their binding", "[transform][infer_types]") {
    const graph::Module module =
        module_of("outputs [\"y\"];\nfn main(x: f32[4], z: f32[4]) { y = add(x, z); return y; }\n");
    graph::Module broken = module;
    const graph::Var other = graph::make_var("z", graph::tensor_type(DType::F32, Shape{3}));
    const graph::Expr sum =
        graph::with_operands(module.main->bindings[0].value, std::vector<graph::Var>{module.main->params[0], other});
    broken.main = graph::make_function("main", {module.main->params[0], other},
                                       {{module.main->bindings[0].var, sum, {}}}, module.main->result);
    const auto refused = infer_types(broken, {{}, {}, nullptr});
    REQUIRE(refused.error().code == Code::BadShape);
    REQUIRE(std::get<ProgramPlace>(refused.error().locations.back()).place == "y");
}

// ---------------------------------------------------------------------------------- Inline

TEST_CASE("calls become what they compute", "[transform][inline]") {
    require_gives("Inline", kCalls, R"(outputs ["y"];
fn main(x: f32[4]) { b = exp(x); e = add(b, x); y = exp(e); return y; }
)");
    require_idle("Inline", kPlain);
}

TEST_CASE("functions larger than the limit stay, and kernels always", "[transform][inline]") {
    require_idle("Inline", kCalls, {{"max_size", "0"}});
    require_gives("Inline", kCalls, R"(outputs ["y"];
fn outer(a: f32[4], c: f32[4]) { d = exp(a); e = add(d, c); return e; }
fn main(x: f32[4]) { u = @outer(x, x); y = exp(u); return y; }
)",
                  {{"max_size", "1"}});
    require_idle("Inline", R"(outputs ["y"];
fn k(a: f32[4]) with {primitive=true} { b = exp(a); return b; }
fn main(x: f32[4]) { y = @k(x); return y; }
)");
    REQUIRE(refusal("Inline", module_of(kCalls), {{"max_size", "few"}}) == Code::BadArgument);
    REQUIRE(refusal("Inline", module_of(kCalls), {{"max_size", "-1"}}) == Code::BadArgument);
}

TEST_CASE("functions nobody uses go, with what they came from", "[transform][inline]") {
    require_gives("Inline", R"(outputs ["y"];
fn f(a: f32[4]) { b = exp(a); return b; }
fn main(x: f32[4]) { g = fn @f; y = relu(x); return y; }
)",
                  kPlain);
    const graph::Module got = apply("Inline", module_of(kCalls));
    REQUIRE(got.main->bindings[2].origin == OriginSet(1)); // of the call that y stands for
}

TEST_CASE("calls that double do not outgrow the limit", "[transform][inline]") {
    std::string text = "outputs [\"y\"];\nfn f0(a: f32[1]) { b = exp(a); return b; }\n";
    for (int i = 1; i < 60; ++i)
        text += "fn f" + std::to_string(i) + "(a: f32[1]) { b = @f" + std::to_string(i - 1) + "(a); c = @f" +
                std::to_string(i - 1) + "(b); return c; }\n";
    text += "fn main(x: f32[1]) { y = @f59(x); return y; }\n";
    const auto got = inline_functions(module_of(text), {{}, {}, nullptr});
    REQUIRE(got.has_value());
    REQUIRE(graph::verify(*got).has_value());
    for (const graph::Function& function : graph::functions_inside_out(got->main))
        REQUIRE(function->bindings.size() <= 2000);
}

// ------------------------------------------------------------------------------ LambdaLift

TEST_CASE("functions take what they use, once", "[transform][lambda_lift]") {
    require_gives("LambdaLift", R"(outputs ["y"];
fn f(a: f32[4], b: f32[4], c: f32[4]) { d = add(a, b); return d; }
fn main(x: f32[4], z: f32[4]) { y = @f(x, x, z); return y; }
)",
                  R"(outputs ["y"];
fn f(a: f32[4]) { d = add(a, a); return d; }
fn main(x: f32[4], z: f32[4]) { y = @f(x); return y; }
)");
    require_idle("LambdaLift", kPlain);
    require_idle("LambdaLift", R"(outputs ["y"];
fn f(a: f32[4], b: f32[4]) { d = add(a, b); return d; }
fn main(x: f32[4], z: f32[4]) { u = @f(x, z); y = @f(z, u); return y; }
)");
}

TEST_CASE("both branches and a loop's body are narrowed", "[transform][lambda_lift]") {
    require_gives("LambdaLift", R"(outputs ["y", "z"];
fn t(a: f32[2], b: f32[2], n: f32[2]) { c = exp(a); return c; }
fn e(a: f32[2], b: f32[2], n: f32[2]) { c = exp(b); return c; }
fn body(i: i64[], going: bool[], c: f32[2], s: f32[2], u: f32[2]) { d = add(c, u); r = (going, d); return r; }
fn main(x: f32[2], k: f32[2], q: bool[]) {
  n: i64[] = const 2;
  y = if q then @t else @e (x, k, k);
  l = loop @body limit n while _ carry (x) capture (x, k);
  z = l[0];
  r = (y, z);
  return r;
}
)",
                  R"(outputs ["y", "z"];
fn t(a: f32[2], b: f32[2]) { c = exp(a); return c; }
fn e(a: f32[2], b: f32[2]) { c = exp(b); return c; }
fn body(i: i64[], going: bool[], c: f32[2], u: f32[2]) { d = add(c, u); r = (going, d); return r; }
fn main(x: f32[2], k: f32[2], q: bool[]) {
  n: i64[] = const 2;
  y = if q then @t else @e (x, k);
  l = loop @body limit n while _ carry (x) capture (k);
  z = l[0];
  r = (y, z);
  return r;
}
)");
}

TEST_CASE("equal functions become one", "[transform][lambda_lift]") {
    const graph::Module got = apply("LambdaLift", module_of(R"(outputs ["y"];
fn f(a: f32[4]) { b = exp(a); return b; }
fn g(c: f32[4]) { d = exp(c); return d; }
fn main(x: f32[4]) { u = @f(x); y = @g(u); return y; }
)"));
    REQUIRE(graph::functions_inside_out(got.main).size() == 2);
}

// -------------------------------------------------------------------------- PartialEvaluate

TEST_CASE("a known condition chooses", "[transform][partial_evaluate]") {
    const auto text = [](const char* condition) {
        return std::string(R"(outputs ["y"];
fn t(a: f32[4]) { b = exp(a); return b; }
fn e(a: f32[4]) { b = relu(a); return b; }
fn main(x: f32[4]) { p: i64[] = const )") +
               condition + R"(; q: i64[] = const 3; c = less(p, q); y = if c then @t else @e (x); return y; }
)";
    };
    const auto chosen = [&](const char* condition) {
        return apply("DeadCode", apply("PartialEvaluate", module_of(text(condition))));
    };
    REQUIRE(count_calls(chosen("2"), "exp") == 1);
    REQUIRE(count_calls(chosen("2"), "") == 1);
    REQUIRE(count_calls(chosen("5"), "relu") == 1);
    require_idle("PartialEvaluate", R"(outputs ["y"];
fn t(a: f32[4]) { b = exp(a); return b; }
fn main(x: f32[4], c: bool[]) { y = if c then @t else @t (x); return y; }
)");
}

TEST_CASE("a loop of known trips is unrolled", "[transform][partial_evaluate]") {
    const graph::Module got = apply("DeadCode", apply("PartialEvaluate", module_of(kLoop)));
    INFO(graph::to_string(got));
    REQUIRE(count_calls(got, "add") == 3);
    REQUIRE(count_calls(got, "concat") == 1);
    REQUIRE(graph::to_string(graph::as_tuple(got.main->result->type)->fields[1]) == "f32[3,2]");
    require_idle("PartialEvaluate", kLoop, {{"max_trips", "2"}});
    require_idle("PartialEvaluate", kLoop, {{"budget", "5"}});
}

TEST_CASE("a loop that counts for itself is followed", "[transform][partial_evaluate]") {
    const graph::Module module = module_of(R"(outputs ["y", "n"];
fn body(i: i64[], going: bool[], c: f32[2], k: i64[]) {
  two: i64[] = const 2;
  twenty: i64[] = const 20;
  m = multiply(k, two);
  again = less(m, twenty);
  d = add(c, c);
  t = (again, d, m);
  return t;
}
fn main(x: f32[2]) {
  one: i64[] = const 1;
  t = loop @body limit _ while _ carry (x, one) capture ();
  return t;
}
)");
    const graph::Module got = apply("DeadCode", apply("PartialEvaluate", module)); // 2, 4, 8, 16, 32
    REQUIRE(count_calls(got, "add") == 5);
    REQUIRE(count_calls(got, "") == 5);
    // Data ends it.
    require_idle("PartialEvaluate", R"(outputs ["y"];
fn body(i: i64[], going: bool[], c: f32[]) { z: f32[] = const 0.0; again = less(c, z); d = add(c, c); t = (again, d); return t; }
fn main(x: f32[]) { t = loop @body limit _ while _ carry (x) capture (); y = t[0]; return y; }
)");
}

TEST_CASE("loops that never run give what goes in", "[transform][partial_evaluate]") {
    const graph::Module got = apply("PartialEvaluate", module_of(R"(outputs ["y", "all"];
fn body(i: i64[], going: bool[], c: f32[2]) { d = add(c, c); t = (going, d, d); return t; }
fn main(x: f32[2]) {
  n: i64[] = const 0;
  t = loop @body limit n while _ carry (x) capture ();
  return t;
}
)"));
    REQUIRE(count_calls(got, "") == 0);
    REQUIRE(graph::to_string(got.main->result->type) == "(f32[2], f32[0,2])");
}

TEST_CASE("functions of constants are applied", "[transform][partial_evaluate]") {
    require_gives("PartialEvaluate", R"(outputs ["y"];
fn f(a: f32[2]) { b = add(a, a); c = multiply(b, a); return c; }
fn main(x: f32[2]) { k: f32[2] = const [1, 3]; u = @f(k); y = add(x, u); return y; }
)",
                  R"(outputs ["y"];
fn main(x: f32[2]) { k: f32[2] = const [1, 3]; b: f32[2] = const [2, 6]; u: f32[2] = const [2, 18]; y = add(x, u); return y; }
)");
    REQUIRE(refusal("PartialEvaluate", module_of(kPlain), {{"max_trips", "x"}}) == Code::BadArgument);
    REQUIRE(refusal("PartialEvaluate", module_of(kPlain), {{"budget", ""}}) == Code::BadArgument);
}

TEST_CASE("a narrower type that somebody would not take is not made", "[transform][partial_evaluate]") {
    // The second loop carries f32[?,2]; unrolling the first alone would give it f32[3,2].
    const graph::Module module = module_of(R"(outputs ["y"];
fn first(i: i64[], going: bool[], c: f32[2]) { d = add(c, c); t = (going, d, d); return t; }
fn second(i: i64[], going: bool[], c: f32[?,2]) { t = (going, c); return t; }
fn main(x: f32[2], m: i64[]) {
  n: i64[] = const 3;
  t = loop @first limit n while _ carry (x) capture ();
  all = t[1];
  u = loop @second limit m while _ carry (all) capture ();
  y = t[0];
  return y;
}
)");
    REQUIRE(graph::verify(apply("PartialEvaluate", module)).has_value());
}

// -------------------------------------------------------------------------------- ToANormal

TEST_CASE("tuples are taken apart", "[transform][to_a_normal]") {
    require_gives("ToANormal", R"(outputs ["y"];
fn main(a: f32[2], b: f32[2]) { t = (a, b); u = t[1]; y = relu(u); return y; }
)",
                  R"(outputs ["y"];
fn main(a: f32[2], b: f32[2]) { t = (a, b); y = relu(b); return y; }
)");
    require_idle("ToANormal", kCalls);
    require_idle("ToANormal", kLoop);
}

TEST_CASE("tuples given to functions become their parts", "[transform][to_a_normal]") {
    const graph::Module module = module_of(R"(outputs ["y"];
fn f(p: (f32[2], f32[2])) { a = p[0]; b = p[1]; s = add(a, b); q = (s, p); return q; }
fn main(a: f32[2], b: f32[2]) {
  t = (a, b);
  r = @f(t);
  s = r[0];
  p = r[1];
  k = p[1];
  y = add(s, k);
  return y;
}
)");
    const graph::Module got = apply("DeadCode", apply("ToANormal", module));
    INFO(graph::to_string(got));
    for (const graph::Function& function : graph::functions_inside_out(got.main)) {
        for (const graph::Var& param : function->params) REQUIRE(graph::as_tensor(param->type) != nullptr);
        if (const graph::TupleType* tuple = graph::as_tuple(function->result->type))
            for (const graph::Type& field : tuple->fields) REQUIRE(graph::as_tensor(field) != nullptr);
    }
}

TEST_CASE("what is not in normal form is refused", "[transform][to_a_normal]") {
    graph::Module module = module_of(kPlain);
    module.main = graph::make_function("main", {}, module.main->bindings, module.main->result);
    REQUIRE(refusal("ToANormal", module) == Code::UnknownName);
}

// ------------------------------------------------------------------------------ ToBasicBlock

TEST_CASE("what one branch needs is computed there", "[transform][to_basic_block]") {
    require_gives("ToBasicBlock", R"(outputs ["y"];
fn t(a: f32[2], e: f32[2]) { b = add(a, e); return b; }
fn f(a: f32[2], e: f32[2]) { b = relu(a); return b; }
fn main(x: f32[2], c: bool[]) { k: f32[2] = const [1, 2]; m = multiply(x, k); e = exp(m); y = if c then @t else @f (x, e); return y; }
)",
                  R"(outputs ["y"];
fn t(a: f32[2], p: f32[2]) { k: f32[2] = const [1, 2]; m = multiply(p, k); e = exp(m); b = add(a, e); return b; }
fn f(a: f32[2], p: f32[2]) { b = relu(a); return b; }
fn main(x: f32[2], c: bool[]) { y = if c then @t else @f (x, x); return y; }
)");
}

TEST_CASE("what both branches or others need stays", "[transform][to_basic_block]") {
    require_idle("ToBasicBlock", R"(outputs ["y"];
fn t(e: f32[2]) { b = relu(e); return b; }
fn f(e: f32[2]) { b = exp(e); return b; }
fn main(x: f32[2], c: bool[]) { e = exp(x); y = if c then @t else @f (e); return y; }
)");
    require_idle("ToBasicBlock", R"(outputs ["y", "e"];
fn t(a: f32[2], e: f32[2]) { b = relu(e); return b; }
fn f(a: f32[2], e: f32[2]) { b = exp(a); return b; }
fn main(x: f32[2], c: bool[]) { e = exp(x); y = if c then @t else @f (x, e); r = (y, e); return r; }
)");
    require_idle("ToBasicBlock", kPlain);
}

TEST_CASE("branches inside branches take what they need", "[transform][to_basic_block]") {
    const graph::Module got = apply("ToBasicBlock", module_of(R"(outputs ["y"];
fn t(a: f32[2], e: f32[2]) { b = add(a, e); return b; }
fn f(a: f32[2], e: f32[2]) { b = relu(a); return b; }
fn deep(a: f32[2], e: f32[2], d: bool[]) { b = if d then @t else @f (a, e); return b; }
fn flat(a: f32[2], e: f32[2], d: bool[]) { b = exp(a); return b; }
fn main(x: f32[2], c: bool[], d: bool[]) { e = exp(x); y = if c then @deep else @flat (x, e, d); return y; }
)"));
    REQUIRE(got.main->bindings.size() == 1);
}
