#include "core/graph/builder.hpp"
#include "core/graph/text.hpp"
#include "tests/core/graph/fake_ops.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::graph;
using namespace orrery::graph::fake;

namespace {

const Op& op(const char* name) { return *registry().find(name); }

struct Keeper : Rewriter {
    using Rewriter::Rewriter;
    Var rewrite_binding(const Binding& binding) override { return keep(binding); }
};

/// add(x, x) becomes relu(x); relu(relu(x)) becomes relu(x); relu of a constant is folded away.
struct Simplify : Rewriter {
    using Rewriter::Rewriter;
    Var rewrite_binding(const Binding& binding) override {
        const CallOp* call = as<CallOp>(binding.value);
        if (!call) return keep(binding);
        if (call->op.name == "add" && call->args[0] == call->args[1])
            return replace(binding, make_ref<const CallOp>(op("relu"), std::vector<Var>{call->args[0]}, Attrs()),
                           "double", call->args);
        if (call->op.name == "relu") {
            const Expr operand = value_of(call->args[0]);
            const CallOp* inner = as<CallOp>(operand);
            if (inner && inner->op.name == "relu") return alias(binding, call->args[0], "twice");
            if (const NDArray* value = constant_of(call->args[0])) {
                const Var helper = emit(binding, make_ref<const Constant>(*value), "copy");
                return replace(binding, make_ref<const Constant>(*value), "fold",
                               std::vector<Var>{call->args[0], helper});
            }
        }
        return keep(binding);
    }
};

Binding binding_of(const Function& function, const std::string& name) {
    for (const Binding& binding : function->bindings)
        if (binding.var->name == name) return binding;
    FAIL("no binding " << name);
    return {};
}

} // namespace

TEST_CASE("a builder types and names what it is given", "[graph][builder]") {
    FunctionBuilder builder;
    const Var x = builder.param("x", f32({4}));
    const Var y = builder.call(op("pair"), {x}, {}, OriginSet(3));
    CHECK(y->name == "pair");
    CHECK(to_string(y->type) == "(f32[4], f32[4])");
    CHECK(builder.origin_of(y).contains(3));
    CHECK(builder.value_of(x) == nullptr);
    CHECK(as<CallOp>(builder.value_of(y)) != nullptr);
    const Result<Var> refused =
        builder.try_emit(make_ref<const CallOp>(op("add"), std::vector<Var>{x, y}, Attrs()), "z", {});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Code::BadType);
    CHECK_THROWS_AS(builder.emit(make_ref<const Project>(x, 0), "", {}), InternalError);
    const Function function = builder.finish("f", y);
    CHECK(function->params.size() == 1);
    CHECK(function->bindings.size() == 1);
    CHECK(to_string(function->type()) == "fn(f32[4]) -> (f32[4], f32[4])");
    CHECK(builder.bindings().empty());
}

TEST_CASE("a rewrite that changes nothing returns the same handle", "[graph][rewriter]") {
    std::mt19937_64 rng(3);
    for (int i = 0; i < 20; ++i) {
        const Function function = random_module(rng, 20).main;
        CHECK(Keeper().run(function) == function);
    }
    const Function plain = parsed("fn main(x: f32[4], y: f32[4]) { a = add(x, y); b = relu(a); return b; }").main;
    CHECK(Simplify().run(plain) == plain);
}

TEST_CASE("origins are carried and united, rewrites recorded", "[graph][rewriter]") {
    FunctionBuilder builder;
    const Var x = builder.param("x", f32({4}));
    const Var a = builder.call(op("bias"), {x}, {}, OriginSet(1), "a");
    const Var b = builder.call(op("add"), {a, a}, {}, OriginSet(2), "b");
    const Var c = builder.call(op("relu"), {b}, {}, OriginSet(3), "c");
    const Var d = builder.call(op("bias"), {c}, {}, OriginSet(4), "d");
    const Function before = builder.finish("main", d);
    pass::Recorder recorder;
    const Function after = Simplify(&recorder).run(before);

    CHECK(after != before);
    REQUIRE(after->bindings.size() == 3);
    CHECK(after->bindings[0].var == a); // untouched: the same variable and value
    CHECK(after->bindings[0].value == before->bindings[0].value);
    CHECK(binding_of(after, "b").origin == OriginSet(std::vector<SourceId>{1, 2, 3})); // consumed a, absorbed c
    CHECK(binding_of(after, "d").origin == OriginSet(4));
    CHECK(binding_of(after, "d").var != d); // its operand changed

    const std::vector<pass::Rewrite> rewrites = recorder.take();
    REQUIRE(rewrites.size() == 2);
    CHECK(rewrites[0].rule == std::string("double"));
    CHECK(rewrites[0].before == Ref<const Object>(b));
    CHECK(rewrites[0].after == Ref<const Object>(binding_of(after, "b").var));
    CHECK(rewrites[1].rule == std::string("twice"));
    CHECK(rewrites[1].before == Ref<const Object>(c));
    CHECK(rewrites[1].after == rewrites[0].after);
    CHECK(std::string(rewrites[1].file).ends_with("test_builder.cpp"));
    CHECK(rewrites[1].line > 0);
    CHECK(verify({after, {"y"}, nullptr}).has_value());
}

TEST_CASE("a result that was replaced is the function's result", "[graph][rewriter]") {
    const Function function =
        parsed("fn main(x: f32[4]) { c: f32[4] = const [1, 2, 3, 4]; r = relu(c); return r; }").main;
    const Function after = Simplify().run(function);
    CHECK(as<Constant>(binding_of(after, "r").value) != nullptr);
    CHECK(after->result == binding_of(after, "r").var);
}

TEST_CASE("functions inside expressions are rewritten where asked, also by the same rewriter", "[graph][rewriter]") {
    struct Deep : Simplify {
        Function rewrite_inner(const Function& function) override { return run(function); }
    };
    const std::string text =
        "fn f(x: f32[4]) -> f32[4] { b = ADD; return b; }\n"
        "fn main(x: f32[4], c: bool[]) -> f32[4] { a = ADD; r = if c then @f else @f (a); s = @f(r); return s; }";
    const auto with = [&](const std::string& value) {
        std::string copy = text;
        for (std::size_t at; (at = copy.find("ADD")) != std::string::npos;) copy.replace(at, 3, value);
        return parsed(copy);
    };
    const Module before = with("add(x, x)");
    CHECK(structural_equal(Deep().run(before.main), with("relu(x)").main));
    CHECK_FALSE(structural_equal(Simplify().run(before.main), with("relu(x)").main));
}

TEST_CASE("uses are counted, the result once", "[graph][builder]") {
    const Function f =
        parsed("fn main(x: f32[4], y: f32[4]) { a = add(x, x); b = add(a, a); c = relu(a); return a; }").main;
    const auto counts = use_counts(f);
    CHECK(counts.at(f->params[0]) == 2);
    CHECK_FALSE(counts.contains(f->params[1]));
    CHECK(counts.at(f->bindings[0].var) == 4);
    CHECK_FALSE(counts.contains(f->bindings[2].var));
}

TEST_CASE("operands are replaced in order for every kind, and kept handles when equal", "[graph][builder]") {
    std::mt19937_64 rng(9);
    for (int i = 0; i < 30; ++i) {
        const Function function = random_module(rng, 20).main;
        for (const Binding& binding : function->bindings) {
            std::vector<Var> vars = operands(binding.value);
            CHECK(with_operands(binding.value, vars) == binding.value);
            if (vars.empty()) continue;
            for (Var& var : vars)
                if (var) var = make_var(var->name, var->type);
            const Expr changed = with_operands(binding.value, vars);
            CHECK(operands(changed) == vars);
            CHECK(changed->kind == binding.value->kind);
            CHECK(inner_functions(changed) == inner_functions(binding.value));
        }
    }
}
