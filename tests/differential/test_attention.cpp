// Random attentions: heads, rows and keys of any number, scaled and masked, operands that were turned or not. In one
// kernel they give what the interpreter gives.

#include "tests/differential/agree.hpp"
#include "tests/differential/recipes.hpp"

#include "core/ops/ops.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::differential;

namespace {

class Heads {
  public:
    explicit Heads(std::uint64_t seed) : draw_(seed) {
        const std::int64_t batch = draw_.chance(30) ? 2 : 1, heads = draw_.number(1, 4);
        rows_ = draw_.chance(40) ? 16 * draw_.number(1, 4) : draw_.number(2, 70);
        keys_ = draw_.chance(40) ? 16 * draw_.number(1, 6) : draw_.number(2, 100);
        depth_ = draw_.number(1, 12);
        lead_ = {heads};
        if (draw_.chance(70)) lead_.insert(lead_.begin(), batch);
    }

    Case finish() {
        const std::int64_t width = draw_.one_of<std::int64_t>({1, 7, 16, 32, 40});
        Var scores = call("matmul", {operand(rows_, depth_, false), operand(depth_, keys_, draw_.chance(60))});
        if (draw_.chance(70)) scores = call("multiply", {scores, draw_.tensor(DType::F32, {}, {.strict = true})});
        if (draw_.chance(50)) {
            Shape mask{draw_.chance(50) ? rows_ : 1, keys_};
            if (draw_.chance(30)) mask = shape(rows_, keys_);
            scores = call("add", {scores, draw_.tensor(DType::F32, mask, {.strict = true})});
        }
        const Var weights = call("softmax", {scores}, {{"axis", draw_.chance(50) ? -1 : std::ssize(lead_) + 1}});
        const Var result = call("matmul", {weights, operand(keys_, width, false)});
        Case out;
        out.module.main = draw_.builder().finish("main", result);
        out.module.outputs = {"y"};
        for (const DrawnInput& each : draw_.inputs()) out.inputs.push_back(each.value);
        if (draw_.chance(70)) out.passes.push_back({"AlterOpLayout", {}, true});
        // So much that a few rows fit, and not all scores.
        const std::int64_t piece = keys_ * std::max<std::int64_t>(24, depth_) * 4;
        out.passes.push_back({"FuseOps", {{"piece_bytes", std::to_string(piece / draw_.number(1, 3))}}, true});
        out.build.options.opt_level = static_cast<int>(draw_.one_of<std::int64_t>({2, 1, 0}));
        out.build.threads = static_cast<int>(draw_.number(1, 2));
        return out;
    }

  private:
    Shape shape(std::int64_t rows, std::int64_t columns) const {
        Shape out = lead_;
        out.insert(out.end(), {rows, columns});
        return out;
    }
    Var call(const char* op, std::vector<Var> args, Attrs::Map attrs = {}) {
        return draw_.add(ops::op(op), {std::move(args), std::move(attrs)}, false);
    }
    /// Matrices as they lie, or turned.
    Var operand(std::int64_t rows, std::int64_t columns, bool turned) {
        const Want want{.strict = true, .finite = true};
        if (!turned) return draw_.tensor(DType::F32, shape(rows, columns), want);
        Ints perm;
        for (std::int64_t d = 0; d < std::ssize(lead_); ++d) perm.push_back(d);
        perm.insert(perm.end(), {std::ssize(lead_) + 1, std::ssize(lead_)});
        return call("transpose", {draw_.tensor(DType::F32, shape(columns, rows), want)}, {{"perm", perm}});
    }

    Draw draw_;
    Shape lead_;
    std::int64_t rows_ = 0, keys_ = 0, depth_ = 0;
};

void check_heads(std::uint64_t first, std::uint64_t count) {
    std::uint64_t together = 0;
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        const Case drawn = Heads(seed).finish();
        INFO("seed " << seed << "\n" << differential::to_string(drawn));
        const auto fused =
            transform::find_pass("FuseOps")->run(drawn.module, {drawn.passes.back().options, {}, nullptr});
        REQUIRE(fused.has_value());
        for (const graph::Binding& binding : fused->main->bindings)
            if (const auto* kernel = graph::as<graph::CallFunction>(binding.value))
                together += kernel->function->name == "attention" ? 1 : 0;
        const Outcome outcome = run_case(drawn);
        INFO(outcome.failure);
        REQUIRE(outcome.failure.empty());
        REQUIRE(outcome.compiled);
    }
    CHECK(4 * together > count);
}

} // namespace

TEST_CASE("attention gives what the interpreter gives", "[differential][attention]") { check_heads(1, 60); }

TEST_CASE("two thousand attentions give what the interpreter gives", "[.nightly][attention]") {
    check_heads(1000, 2000);
}
