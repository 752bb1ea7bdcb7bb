#include "core/graph/builder.hpp"
#include "tests/core/graph/fake_ops.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::graph;
using namespace orrery::graph::fake;

namespace {

Expr relu(const Var& x) { return make_ref<const CallOp>(*registry().find("relu"), std::vector<Var>{x}, Attrs()); }

/// The refusal's code and the binding it names.
std::pair<Code, std::string> refusal(const Function& function, std::vector<std::string> outputs = {"y"}) {
    const Result<void> sound = verify({function, std::move(outputs), nullptr});
    if (sound) FAIL("accepted");
    const auto* place = std::get_if<ProgramPlace>(&sound.error().locations.at(0));
    REQUIRE(place);
    return {sound.error().code, place->place};
}

using Refusal = std::pair<Code, std::string>;

} // namespace

TEST_CASE("the verifier refuses broken functions and names the binding", "[graph][verify]") {
    const Var x = make_var("x", f32({4})), y = make_var("y", f32({4})), z = make_var("z", f32({5}));
    CHECK(verify({make_function("f", {x}, {{y, relu(x), {}}}, y), {"y"}, nullptr}).has_value());
    CHECK(refusal(make_function("f", {}, {{y, relu(x), {}}}, y)) == Refusal(Code::UnknownName, "y"));
    CHECK(refusal(make_function("f", {x}, {{y, relu(y), {}}}, y)) == Refusal(Code::UnknownName, "y"));
    CHECK(refusal(make_function("f", {x}, {{y, relu(x), {}}, {y, relu(x), {}}}, y)) == Refusal(Code::UnknownName, "y"));
    CHECK(refusal(make_function("f", {x, x}, {}, x)) == Refusal(Code::UnknownName, "x"));
    CHECK(refusal(make_function("f", {x}, {{x, relu(x), {}}}, x)) == Refusal(Code::UnknownName, "x"));
    CHECK(refusal(make_function("f", {x}, {{z, relu(x), {}}}, z)) == Refusal(Code::BadType, "z"));
    CHECK(refusal(make_function("f", {x}, {}, y)) == Refusal(Code::UnknownName, "result"));
    CHECK(refusal(make_function("f", {x}, {}, x), {"a", "b"}) == Refusal(Code::BadType, "result"));
}

TEST_CASE("the verifier enters inner functions, which are closed", "[graph][verify]") {
    const Var x = make_var("x", f32({4})), y = make_var("y", f32({4})), r = make_var("r", f32({4}));
    const Function open = make_function("open", {y}, {{r, relu(x), {}}}, r);
    const Var a = make_var("a", f32({4}));
    CHECK(refusal(make_function("f", {x}, {{a, make_ref<const CallFunction>(open, std::vector<Var>{x}), {}}}, a)) ==
          Refusal(Code::UnknownName, "r"));
}
