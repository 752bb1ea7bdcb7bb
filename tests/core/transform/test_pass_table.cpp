#include "tests/core/transform/graphs.hpp"
#include "tests/support/paths.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

using namespace orrery;
using namespace orrery::transform;
using namespace orrery::transform::test;

namespace {

std::string invariants(pass::Invariants bits) { return bits ? describe(bits) : "nothing"; }

/// The row docs/passes.md has for a pass.
std::string row_of(const GraphPass& pass) {
    std::string options;
    for (const pass::OptionSpec& option : pass.options) options += (options.empty() ? "`" : ", `") + option.name + "`";
    std::string gives = pass.establishes ? describe(pass.establishes) : "";
    const pass::Invariants ends = pass.breaks & ~pass::Invariants{kPlanned}; // all others end that one
    if (ends) gives += std::string(gives.empty() ? "" : "; ") + "ends " + describe(ends);
    return "| `" + pass.name + "` | " + pass.summary + " | " + invariants(pass.requires_) + " | " +
           (gives.empty() ? "keeps all" : gives) + " | " + options + " |";
}

} // namespace

TEST_CASE("the list of passes is whole", "[transform][passes]") {
    std::ifstream file(tests::source_dir() / "docs/passes.md");
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    std::size_t rows = 0;
    for (std::size_t at = text.find("\n| `"); at != std::string::npos; at = text.find("\n| `", at + 1)) ++rows;
    for (const GraphPass& pass : passes()) {
        INFO(row_of(pass));
        CHECK(text.find("\n" + row_of(pass)) != std::string::npos);
    }
    CHECK(rows == passes().size());
}

TEST_CASE("passes stand in order and say what they do", "[transform][passes]") {
    REQUIRE(std::ranges::is_sorted(passes(), {}, &GraphPass::name));
    for (const GraphPass& pass : passes()) {
        INFO(pass.name);
        CHECK(find_pass(pass.name) == &pass);
        CHECK_FALSE(pass.summary.empty());
        CHECK(pass.run != nullptr);
        for (const pass::OptionSpec& option : pass.options) CHECK_FALSE(option.doc.empty());
    }
}

TEST_CASE("options that a pass lists take their fallback", "[transform][passes]") {
    // A window that writes out every option must not change what a pass does.
    const graph::Module module = module_of(R"(outputs ["y"];
fn main(x: f32[1,2,4,4]) {
  w: f32[4,2,1,1] = const [1, 2, 3, 4, 5, 6, 7, 8];
  c = conv2d(x, w);
  r = relu(c);
  y = tanh(r);
  return y;
}
)");
    for (const GraphPass& pass : passes()) {
        INFO(pass.name);
        pass::Options options;
        for (const pass::OptionSpec& option : pass.options) options.emplace(option.name, option.fallback);
        const auto with = pass.run(module, {options, {}, nullptr}), without = pass.run(module, {{}, {}, nullptr});
        REQUIRE(with.has_value() == without.has_value());
        if (with) CHECK(graph::structural_equal(with->main, without->main));
    }
}

TEST_CASE("a chain of 50,000 operators goes through every pass", "[transform][large]") {
    graph::FunctionBuilder builder;
    const graph::Var x = builder.param("x", graph::tensor_type(DType::F32, Shape{1}));
    const graph::Var one =
        builder.constant(NDArray::of<float>(DType::F32, {1}, std::vector<float>{1.5f}), OriginSet(0u));
    graph::Var value = x;
    const char* const kinds[] = {"negative", "add", "tanh", "multiply", "abs"};
    for (std::uint32_t i = 0; i < 50'000; ++i) {
        const graph::Op& op = ops::op(kinds[i % std::size(kinds)]);
        std::vector<graph::Var> args{value};
        if (op.operands.size() == 2) args.push_back(one);
        value = builder.call(op, args, {}, OriginSet(i));
    }
    graph::Module module{builder.finish("main", value), {"y"}, std::make_shared<const std::vector<graph::Source>>()};
    for (const GraphPass& pass : passes()) {
        INFO(pass.name);
        const auto after = pass.run(module, {{}, {}, nullptr});
        if (!after) continue; // a pass whose options have no fallback refuses; its own tests look at that
        CHECK(graph::verify(*after).has_value());
    }
    const auto fused = fuse_ops(module, {{}, {}, nullptr});
    CHECK(defuse_ops(*fused, {{}, {}, nullptr})->main->bindings.size() >= 50'000);
}
