#include "core/graph/builder.hpp"
#include "tests/core/graph/fake_ops.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace orrery;
using namespace orrery::graph;
using namespace orrery::graph::fake;

namespace {

Code refusal(const char* op, std::vector<Type> types, Attrs attrs = {}) {
    const Result<Type> type = infer_call(*registry().find(op), types, attrs);
    if (type) FAIL("accepted as " << to_string(*type));
    return type.error().code;
}

} // namespace

TEST_CASE("a call is checked against its operator's schema", "[graph][op]") {
    const Type x = f32({4});
    CHECK(refusal("relu", {}) == Code::BadType);
    CHECK(refusal("relu", {x, x}) == Code::BadType);
    CHECK(refusal("relu", {nullptr}) == Code::BadType);
    CHECK(refusal("add", {x, f32({5})}) == Code::BadType);
    CHECK(refusal("cat", {}) == Code::BadType);
    CHECK(refusal("cat", {x, nullptr}) == Code::BadType);
    CHECK(refusal("relu", {x}, {{"axis", 1}}) == Code::BadAttribute);
    CHECK(refusal("odd", {x}) == Code::BadAttribute);
    CHECK(refusal("odd", {x}, {{"int", 1.0}}) == Code::BadAttribute);
    CHECK(refusal("odd", {x}, {{"int", 1}, {"flag", 1}}) == Code::BadAttribute);
    CHECK(refusal("odd", {x}, {{"int", 1}, {"ints", Floats{}}}) == Code::BadAttribute);
    CHECK(infer_call(*registry().find("odd"), std::vector<Type>{x}, {{"int", 1}, {"number", 2}}).has_value());
    CHECK(infer_call(*registry().find("bias"), std::vector<Type>{x}, {}).has_value());
    CHECK(to_string(*infer_call(*registry().find("cat"), std::vector<Type>{x, x, x}, {})) == "f32[12]");
}

TEST_CASE("the registry finds by name and lists in order", "[graph][op]") {
    CHECK(registry().find("relu")->name == "relu");
    CHECK(registry().find("Relu") == nullptr);
    const std::vector<const Op*> all = registry().all();
    CHECK(all.size() == 7);
    CHECK(std::ranges::is_sorted(all, {}, &Op::name));
}

TEST_CASE("expressions other than calls are typed and refused", "[graph][op]") {
    const Var x = make_var("x", f32({4})), c = make_var("c", tensor_type(DType::Bool, Shape{}));
    const Var t = make_var("t", tuple_type({x->type, c->type}));
    const Function f = make_function("f", {x}, {}, x), g = make_function("g", {t}, {}, t);
    const auto code = [](const Expr& e) { return infer_expr(e).error().code; };
    CHECK(equal(*infer_expr(make_ref<const Project>(t, 1)), c->type));
    CHECK(code(make_ref<const Project>(t, 2)) == Code::BadType);
    CHECK(code(make_ref<const Project>(x, 0)) == Code::BadType);
    CHECK(code(make_ref<const CallFunction>(f, std::vector<Var>{c})) == Code::BadType);
    CHECK(code(make_ref<const CallFunction>(f, std::vector<Var>{})) == Code::BadType);
    CHECK(code(make_ref<const If>(x, f, f, std::vector<Var>{x})) == Code::BadType);
    CHECK(code(make_ref<const If>(c, f, g, std::vector<Var>{x})) == Code::BadType);
    CHECK(code(make_ref<const Tuple>(std::vector<Var>{nullptr})) == Code::BadType);
    CHECK(code(make_ref<const Loop>(Loop::Fields{nullptr, nullptr, {x}, {}, f})) == Code::BadType);
    CHECK(to_string(*infer_expr(make_ref<const FunctionLiteral>(g))) == "fn((f32[4], bool[])) -> (f32[4], bool[])");
}

TEST_CASE("types print and compare by value", "[graph][type]") {
    const Type a = tensor_type(DType::F32, {Dim(1), Dim::named("n"), Dim::named("a b")});
    CHECK(to_string(a) == "f32[1,n,\"a b\"]");
    CHECK(to_string(tuple_type({f32({}), tuple_type({})})) == "(f32[], ())");
    CHECK(to_string(tuple_type({f32({})})) == "(f32[],)");
    CHECK(equal(a, tensor_type(DType::F32, {Dim(1), Dim::named("n"), Dim::named("a b")})));
    CHECK_FALSE(equal(a, tensor_type(DType::F32, {Dim(1), Dim::named("m"), Dim::named("a b")})));
    CHECK(byte_size(tuple_type({f32({2, 3}), tensor_type(DType::I64, Shape{})})) == 32);
    CHECK_THROWS_AS(static_shape(*as_tensor(a)), InternalError);
}
