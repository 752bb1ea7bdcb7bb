// Random networks of concatenations: chains, values shared by several, inputs and outputs among them, rows that fill
// cache lines and such that do not. What is written in place gives what copies give.

#include "core/lower/lower.hpp"
#include "tests/differential/agree.hpp"
#include "tests/differential/recipes.hpp"

#include "core/ops/ops.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::differential;

namespace {

/// Values [batch, n, row]: softmaxes, sums and concatenations of those that are there.
class Network {
  public:
    explicit Network(std::uint64_t seed) : draw_(seed) {
        dtype_ = draw_.one_of({DType::F32, DType::F32, DType::F32, DType::F64, DType::F16});
        batch_ = draw_.chance(15) ? 2 : 1;
        row_ = draw_.chance(20) ? 12 : 16;
        for (std::int64_t inputs = draw_.number(1, 2); inputs > 0; --inputs) input();
        for (std::int64_t calls = draw_.number(4, 14); calls > 0; --calls) add();
    }

    Case finish() {
        std::vector<Var> results{values_.back()};
        for (const Var& var : values_)
            if (var != values_.back() && draw_.chance(12)) results.push_back(var);
        const Var result = results.size() == 1
                               ? results.front()
                               : draw_.builder().emit(make_ref<const graph::Tuple>(results), "results", {});
        Case out;
        out.module.main = draw_.builder().finish("main", result);
        for (std::size_t i = 0; i < results.size(); ++i) out.module.outputs.push_back("y" + std::to_string(i));
        for (const DrawnInput& each : draw_.inputs()) out.inputs.push_back(each.value);
        if (draw_.chance(40)) out.passes.push_back({"SimplifyExpr", {}, true});
        out.passes.push_back({"FuseOps", {{"fuse", draw_.chance(50) ? "true" : "false"}}, true});
        if (draw_.chance(30)) out.passes.push_back({"PlanMemory", {{"reuse", draw_.word({"true", "false"})}}, true});
        out.build.options.opt_level = static_cast<int>(draw_.one_of<std::int64_t>({2, 1, 0}));
        out.build.threads = static_cast<int>(draw_.number(1, 2));
        return out;
    }

  private:
    void input() { values_.push_back(draw_.tensor(dtype_, {batch_, draw_.number(1, 4), row_}, {.strict = true})); }
    Var any() {
        const auto last = static_cast<std::int64_t>(values_.size()) - 1;
        return values_[static_cast<std::size_t>(std::max(draw_.number(0, last), draw_.number(0, last)))];
    }
    Var call(const char* op, std::vector<Var> args, Attrs::Map attrs = {}) {
        const bool exact = find_recipe(op)->effect == Effect::Moves &&
                           std::ranges::all_of(args, [&](const Var& var) { return draw_.exact(var); });
        return draw_.add(ops::op(op), {std::move(args), std::move(attrs)}, exact);
    }

    void add() {
        const std::int64_t what = draw_.number(0, 11);
        if (what < 5) {
            std::vector<Var> parts;
            std::int64_t rows = 0;
            for (std::int64_t more = draw_.number(1, 4); more > 0; --more) {
                parts.push_back(any());
                rows += Draw::shape_of(parts.back())[1];
            }
            if (rows <= 40) values_.push_back(call("concat", parts, {{"axis", draw_.one_of<std::int64_t>({1, -2})}}));
        } else if (what < 8) {
            values_.push_back(call("softmax", {any()}, {{"axis", draw_.number(1, 2)}}));
        } else if (what >= 10) {
            const Var x = any();
            Ints begins(3, 0), sizes = Draw::shape_of(x);
            begins[1] = draw_.number(0, sizes[1] - 1);
            sizes[1] = draw_.number(1, sizes[1] - begins[1]);
            values_.push_back(call("slice", {x}, {{"begins", begins}, {"sizes", sizes}}));
        } else if (what == 8) {
            const Var x = any();
            values_.push_back(call(draw_.word({"relu", "tanh"}).c_str(), {x}));
        } else {
            const Var x = any();
            const std::int64_t count = element_count(Draw::shape_of(x));
            const Var flat = call("reshape", {x}, {{"shape", Ints{2, count / 2}}});
            const Var soft = draw_.chance(50) ? flat : call("softmax", {flat}, {{"axis", std::int64_t{1}}});
            values_.push_back(call("reshape", {soft}, {{"shape", Draw::shape_of(x)}}));
        }
    }

    Draw draw_;
    DType dtype_ = DType::F32;
    std::int64_t batch_ = 1, row_ = 16;
    std::vector<Var> values_;
};

struct Seen {
    int in_place = 0, copied = 0, nested = 0, parts_of_outputs = 0;
};

/// What lowering makes of the case's joins.
void look(const Case& drawn, Seen& seen) {
    const auto fused = transform::find_pass("FuseOps")->run(drawn.module, {drawn.passes[0].options, {}, nullptr});
    REQUIRE(fused.has_value());
    const auto model = lower::lower_module(*fused);
    REQUIRE(model.has_value());
    for (const lower::LoweredJoin& join : model->joins) {
        ++(join.copies == ops::Copies::Nothing ? seen.in_place : seen.copied);
        seen.nested += join.copies == ops::Copies::Nothing && model->values[join.value].host >= 0 ? 1 : 0;
    }
    for (const lower::LoweredValue& value : model->values)
        seen.parts_of_outputs += value.host >= 0 && value.storage == runtime::Storage::Output ? 1 : 0;
}

void check_networks(std::uint64_t first, std::uint64_t count) {
    Seen seen;
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        const Case drawn = Network(seed).finish();
        INFO("seed " << seed << "\n" << differential::to_string(drawn));
        look(drawn, seen);
        const Outcome outcome = run_case(drawn);
        INFO(outcome.failure);
        REQUIRE(outcome.failure.empty());
        REQUIRE(outcome.compiled);
    }
    const auto least = static_cast<int>(count / 10);
    CHECK(seen.in_place > 5 * least);
    CHECK(seen.copied > least);
    CHECK(seen.nested > least);
    CHECK(seen.parts_of_outputs > least);
}

} // namespace

TEST_CASE("networks of concatenations give what the interpreter gives", "[differential][joins]") {
    check_networks(1, 200);
}

TEST_CASE("two thousand networks of concatenations give what the interpreter gives", "[.nightly][joins]") {
    check_networks(1000, 2000);
}
