#include "tests/core/transform/graphs.hpp"

using namespace orrery;
using namespace orrery::transform;
using namespace orrery::transform::test;

namespace {

Result<graph::Module> edited(const graph::Module& module, const std::string& text) {
    const pass::Options options{{"text", text}};
    return hand_edit(module, {options, {}, nullptr});
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

graph::Module small() {
    return module_of(R"(outputs ["y"];
fn main(x: f32[2,3], w: f32[2,3]) -> f32[2,3] {
  a: f32[2,3] = add(x, w);
  b: f32[2,3] = relu(a);
  return b;
})");
}

} // namespace

TEST_CASE("no text, and the text as it was, change nothing", "[transform][edit]") {
    const graph::Module module = small();
    CHECK(edited(module, "")->main == module.main);
    CHECK(edited(module, graph::to_string(module))->main == module.main);
}

TEST_CASE("an edited text goes on with the origins of what kept its name", "[transform][edit]") {
    const graph::Module module = small();
    const std::string text = replaced(replaced(graph::to_string(module), "b: f32[2,3] = relu(a);",
                                               "c: f32[2,3] = tanh(a);\n  b: f32[2,3] = relu(c);"),
                                      "add(x, w)", "subtract(x, w)");
    const auto after = edited(module, text);
    if (!after) FAIL(to_string(after.error()));
    REQUIRE(graph::verify(*after).has_value());
    REQUIRE(after->main->bindings.size() == 3);
    CHECK(after->main->bindings[0].origin == module.main->bindings[0].origin);
    CHECK(after->main->bindings[1].origin == module.main->bindings[0].origin); // c came from what it reads
    CHECK(after->main->bindings[2].origin == module.main->bindings[1].origin);
    CHECK(after->sources == module.sources);
    CHECK(graph::as<graph::CallOp>(after->main->bindings[0].value)->op.name == "subtract");
}

TEST_CASE("constants and fused functions survive an edit", "[transform][edit]") {
    graph::Module module = module_of(R"(outputs ["y"];
fn main(x: f32[4,8]) -> f32[4,8] {
  w: f32[8,8] = const [0,1,2,3,4,5,6,7,0,1,2,3,4,5,6,7,0,1,2,3,4,5,6,7,0,1,2,3,4,5,6,7,0,1,2,3,4,5,6,7,0,1,2,3,4,5,6,7,0,1,2,3,4,5,6,7,0,1,2,3,4,5,6,7];
  a: f32[4,8] = matmul(x, w);
  b: f32[4,8] = relu(a);
  return b;
})");
    module = *fuse_ops(module, {{}, {}, nullptr});
    const auto kernel = kernels(module);
    REQUIRE(kernel.size() == 1);
    const auto after = edited(module, replaced(graph::to_string(module), "= relu(", "= tanh("));
    if (!after) FAIL(to_string(after.error()));
    REQUIRE(graph::verify(*after).has_value());
    const auto& inner = kernels(*after).front()->function->bindings;
    CHECK(graph::as<graph::CallOp>(inner.back().value)->op.name == "tanh");
    CHECK(inner.front().origin == kernel.front()->function->bindings.front().origin);
    CHECK_FALSE(inner.front().origin.empty());
    CHECK(kernels(*after).front()->function->primitive());
}

TEST_CASE("a mistake is refused with its line, a changed interface with the types", "[transform][edit]") {
    const graph::Module module = small();
    const std::string text = graph::to_string(module);
    const auto line_of = [](const Diagnostic& d) {
        for (const Location& place : d.locations)
            if (const auto* at = std::get_if<TextPosition>(&place)) return at->line;
        return 0;
    };
    const auto unknown = edited(module, replaced(text, "relu(", "rellu("));
    REQUIRE_FALSE(unknown.has_value());
    CHECK(unknown.error().code == Code::UnknownName);
    CHECK(line_of(unknown.error()) == 5);
    const auto broken = edited(module, replaced(text, "return b;", "return"));
    REQUIRE_FALSE(broken.has_value());
    CHECK(broken.error().code == Code::BadText);
    CHECK(line_of(broken.error()) > 0);
    CHECK(edited(module, replaced(text, "\"y\"", "\"z\"")).error().code == Code::BadType);
    const auto other = edited(module, R"(outputs ["y"];
fn main(x: f32[2,3]) -> f32[2,3] {
  b: f32[2,3] = relu(x);
  return b;
})");
    REQUIRE_FALSE(other.has_value());
    CHECK(other.error().code == Code::BadType);
}
