#include "tests/differential/program.hpp"

#include "core/graph/builder.hpp"
#include "core/graph/evaluate.hpp"
#include "core/graph/functions.hpp"
#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"
#include "core/target/region.hpp"
#include "tests/differential/agree.hpp"
#include "tests/differential/nesting.hpp"
#include "tests/differential/recipes.hpp"

#include <algorithm>
#include <unordered_set>

namespace orrery::differential {

namespace {

using graph::Binding;
using graph::Function;

/// True when no result of the call is too large for a case.
bool small_enough(const graph::Type& type, std::int64_t most) {
    if (const graph::TensorType* tensor = graph::as_tensor(type))
        return element_count(graph::static_shape(*tensor)) <= most;
    return std::ranges::all_of(graph::as_tuple(type)->fields,
                               [most](const graph::Type& field) { return small_enough(field, most); });
}

/// One call of an operator; nothing when its result would be too large.
bool add_call(Draw& draw, const OpRecipe& recipe) {
    const graph::Op& op = ops::op(recipe.op);
    const DrawnCall call = recipe.draw(draw);
    std::vector<graph::Type> types;
    for (const Var& arg : call.args) types.push_back(arg ? arg->type : graph::Type());
    const Result<graph::Type> type = graph::infer_call(op, types, Attrs(call.attrs));
    ORRERY_ASSERT(type.has_value(), std::string("the recipe of ") + recipe.op + " draws legal calls");
    if (!small_enough(*type, 3 * draw.most_elements())) return false;
    const bool exact = recipe.effect == Effect::Decides ||
                       (recipe.effect == Effect::Moves &&
                        std::ranges::all_of(call.args, [&](const Var& arg) { return !arg || draw.exact(arg); }));
    draw.add(op, call, exact);
    return true;
}

/// Up to four values nobody uses, and now and then one that is used.
Var draw_result(Draw& draw) {
    std::unordered_set<Var> used;
    for (const Binding& binding : draw.builder().bindings())
        for (const Var& var : graph::operands(binding.value)) used.insert(var);
    std::vector<Var> results;
    for (auto it = draw.values().rbegin(); it != draw.values().rend() && results.size() < 4; ++it)
        if (!used.contains(*it) || draw.chance(5)) results.push_back(*it);
    if (results.empty()) results.push_back(draw.values().back());
    if (results.size() == 1 && draw.chance(80)) return results.front();
    return draw.builder().emit(make_ref<const graph::Tuple>(results), "results", {});
}

graph::Module module_of(Function main) {
    graph::Module module;
    const graph::TupleType* tuple = graph::as_tuple(main->result->type);
    for (std::size_t i = 0; i < (tuple ? tuple->fields.size() : 1); ++i)
        module.outputs.push_back("y" + std::to_string(i));
    auto sources = std::make_shared<std::vector<graph::Source>>();
    std::vector<Binding> bindings = main->bindings;
    for (Binding& binding : bindings) {
        if (!binding.origin.empty()) continue;
        binding.origin = OriginSet(static_cast<SourceId>(sources->size()));
        sources->push_back({binding.var->name, "Node"});
    }
    module.main = graph::make_function(main->name, main->params, std::move(bindings), main->result, main->attrs);
    module.sources = std::move(sources);
    return module;
}

// ------------------------------------------------------------------------------ passes

/// Values an option may have, for those whose default says less than all.
struct OptionValues {
    const char *pass, *option;
    std::vector<const char*> values;
};
const std::vector<OptionValues>& option_values() {
    static const std::vector<OptionValues> rows{
        {"AlterOpLayout", "choose", {"graph", "local"}},
        {"AlterOpLayout", "l2_bytes", {"0", "1048576"}},
        {"AlterOpLayout", "vector_bits", {"64", "128", "256"}},
        {"CombineParallelBatchMatmul", "max_width", {"1", "64"}},
        {"CombineParallelConv2D", "max_width", {"1", "64"}},
        {"CombineParallelDense", "max_width", {"1", "1024"}},
        {"ConvertLayout", "layout", {"NCHW", "NHWC", "NCHW2c", "NCHW3c", "NCHW4c"}},
        {"FoldConstant", "max_bytes", {"0", "64", "268435456"}},
        {"FuseOps", "image_bytes", {"0", "64", "1048576"}},
        {"FuseOps", "max_depth", {"1", "2", "3", "64"}},
        {"FuseOps", "piece_bytes", {"0", "256", "262144"}},
        {"Legalize", "lacks", {"f16,bf16,int8_conv", "depthwise_conv,dilated_conv", "grouped_conv"}},
        {"SimplifyExpr", "reassociate", {"false"}}, // sums in another order may cancel otherwise
        {"Inline", "max_size", {"0", "1", "4", "1000"}},
        {"PartialEvaluate", "budget", {"0", "20", "10000"}},
        {"PartialEvaluate", "max_trips", {"0", "1", "64"}},
        {"PartitionGraph", "min_operators", {"1", "2", "4"}},
        {"Winograd", "tile", {"auto", "0", "2", "4"}},
        {"Winograd", "vector_bits", {"64", "256"}},
    };
    return rows;
}

pass::Options draw_options(Draw& draw, const transform::GraphPass& pass) {
    pass::Options options;
    for (const pass::OptionSpec& spec : pass.options) {
        if (draw.chance(60)) continue;
        const auto row = std::ranges::find_if(
            option_values(), [&](const OptionValues& r) { return pass.name == r.pass && spec.name == r.option; });
        if (row != option_values().end())
            options[spec.name] = row->values[static_cast<std::size_t>(
                draw.number(0, static_cast<std::int64_t>(row->values.size()) - 1))];
        else if (spec.fallback == "true" || spec.fallback == "false")
            options[spec.name] = draw.chance(50) ? "true" : "false";
    }
    return options;
}

/// Passes that trade accuracy for speed go with programs that decide nothing by a float, and have ordinary inputs.
bool trades_accuracy(std::string_view pass) { return pass == "FastMath" || pass == "ToMixedPrecision"; }

bool decides(const Draw& draw) {
    return std::ranges::any_of(draw.builder().bindings(), [](const Binding& binding) {
        const auto* call = graph::as<graph::CallOp>(binding.value);
        const OpRecipe* recipe = call ? find_recipe(call->op.name) : nullptr;
        return recipe && recipe->effect == Effect::Decides;
    });
}

/// `decided`: the program decides something by a float, or has infinities among its inputs.
std::vector<transform::PassStep> draw_passes(Draw& draw, bool decided) {
    if (!decided && draw.chance(8)) {
        std::vector<transform::PassStep> steps = transform::default_pipeline(3);
        steps = draw.chance(50) ? transform::in_f16(std::move(steps)) : transform::in_bf16(std::move(steps));
        for (transform::PassStep& step : steps)
            if (step.name == "AlterOpLayout") step.options["f16_arithmetic"] = "true";
        return steps;
    }
    if (draw.chance(15)) return transform::default_pipeline(static_cast<int>(draw.number(0, 3)));
    std::vector<transform::PassStep> steps;
    pass::Invariants holding = transform::kTyped;
    const std::span<const transform::GraphPass> all = transform::passes();
    for (std::int64_t wanted = draw.number(0, 8), tries = 40; wanted > 0 && tries > 0; --tries) {
        const transform::GraphPass& pass =
            all[static_cast<std::size_t>(draw.number(0, static_cast<std::int64_t>(all.size()) - 1))];
        if ((pass.requires_ & ~holding) || (decided && trades_accuracy(pass.name))) continue;
        // A factor times a weight may overflow where the sum does not, and infinities meet other numbers.
        if (pass.name == "FoldScaleAxis" && draw.wild()) continue;
        // Libraries have their own way with infinities and NaN.
        if (pass.name == "AnnotateTarget" && (region_backend_names().empty() || draw.wild())) continue;
        const auto add = [&](const transform::GraphPass& row) {
            steps.push_back({row.name, draw_options(draw, row), true});
            holding = (holding | row.establishes) & ~row.breaks;
        };
        add(pass);
        // What is annotated is compiled only when it is partitioned.
        if (pass.name == "AnnotateTarget" && draw.chance(70)) add(*transform::find_pass("MergeRegions"));
        if (pass.name == "AnnotateTarget" && draw.chance(90)) add(*transform::find_pass("PartitionGraph"));
        --wanted;
    }
    if (!(holding & transform::kFused))
        steps.push_back({"FuseOps", draw_options(draw, *transform::find_pass("FuseOps")), true});
    return steps;
}

// ------------------------------------------------------------------------------ shrinking

/// The program up to one of its values, without what that does not need. `kept` are the inputs of the parameters left.
Case cut(const Case& from, const Var& result, const std::unordered_map<Var, NDArray>& replaced) {
    const Function& main = from.module.main;
    std::unordered_set<Var> needed{result};
    std::vector<Binding> bindings;
    for (auto it = main->bindings.rbegin(); it != main->bindings.rend(); ++it) {
        if (!needed.contains(it->var) || replaced.contains(it->var)) continue;
        for (const Var& var : graph::operands(it->value)) needed.insert(var);
        bindings.push_back(*it);
    }
    std::ranges::reverse(bindings);
    Case out = from;
    out.inputs.clear();
    std::vector<Var> params;
    for (std::size_t i = 0; i < main->params.size(); ++i)
        if (needed.contains(main->params[i])) {
            params.push_back(main->params[i]);
            out.inputs.push_back(from.inputs[i]);
        }
    for (const Binding& binding : main->bindings)
        if (const auto it = replaced.find(binding.var); it != replaced.end() && needed.contains(binding.var)) {
            params.push_back(binding.var);
            out.inputs.push_back(it->second);
        }
    out.module.main = graph::make_function(main->name, params, bindings, result, main->attrs);
    const graph::TupleType* tuple = graph::as_tuple(result->type);
    out.module.outputs.assign(tuple ? tuple->fields.size() : 1, "y");
    return out;
}

} // namespace

std::vector<const graph::CallOp*> calls_in(const Function& function) {
    std::vector<const graph::CallOp*> calls;
    for (const Function& inner : graph::functions_inside_out(function))
        for (const Binding& binding : inner->bindings)
            if (const auto* call = graph::as<graph::CallOp>(binding.value)) calls.push_back(call);
    return calls;
}

Case draw_case(std::uint64_t seed, std::size_t op) {
    add_backends();
    Draw draw(seed);
    const Recipes& all = recipes();
    const std::int64_t wanted = draw.number(1, 9), special = draw.number(0, wanted - 1);
    for (std::int64_t i = 0; i < wanted; ++i) {
        const std::size_t which =
            i == special ? op : static_cast<std::size_t>(draw.number(0, static_cast<std::int64_t>(all.size()) - 1));
        for (int tries = 0; tries < 20 && !add_call(draw, all[which]); ++tries) {}
    }
    if (draw.values().empty()) (void)draw.tensor(DType::F32, {1}); // nothing fitted
    const Var result = draw_result(draw);
    const bool decided = draw.wild() || decides(draw);
    Function main = draw.builder().finish("main", result);
    std::vector<NDArray> inputs;
    for (const DrawnInput& input : draw.inputs()) inputs.push_back(input.value);
    if (draw.chance(35)) main = nest(draw, main);
    Case out{module_of(std::move(main)), std::move(inputs), draw_passes(draw, decided), {}, {}};
    out.build.rule = draw.chance(80) ? session::ScheduleRule::Default : session::ScheduleRule::None;
    out.build.options.opt_level = static_cast<int>(draw.one_of<std::int64_t>({3, 3, 3, 2, 1, 0}));
    out.build.options.contract = draw.chance(80);
    out.build.threads = static_cast<int>(draw.number(1, 2));
    return out;
}

std::vector<Case> smaller(const Case& failed) {
    std::vector<Case> cases;
    const Function& main = failed.module.main;
    // Parts first: they save the most.
    for (const Binding& binding : main->bindings)
        if (binding.var != main->result) cases.push_back(cut(failed, binding.var, {}));
    for (std::size_t i = 0; i < failed.passes.size(); ++i) {
        Case fewer = failed;
        fewer.passes.erase(fewer.passes.begin() + static_cast<std::ptrdiff_t>(i));
        cases.push_back(std::move(fewer));
    }
    for (std::size_t i = 0; i < failed.passes.size(); ++i)
        if (!failed.passes[i].options.empty()) {
            Case plain = failed;
            plain.passes[i].options.clear();
            cases.push_back(std::move(plain));
        }
    if (failed.build.threads != 1 || failed.build.options.opt_level != 3 ||
        failed.build.rule != session::ScheduleRule::Default) {
        Case plain = failed;
        plain.build = {};
        cases.push_back(std::move(plain));
    }
    // Then each value in turn becomes an input that holds what was computed.
    std::unordered_map<Var, NDArray> computed;
    const auto record = [&](const Binding& binding, std::span<const NDArray> values) {
        if (values.size() == 1 && graph::as_tensor(binding.var->type) &&
            graph::is_static(*graph::as_tensor(binding.var->type)))
            computed.emplace(binding.var, values[0]);
    };
    if (!graph::evaluate(main, failed.inputs, ops::interpreter_evaluator(), {}, {.observer = record})) return cases;
    for (auto it = main->bindings.rbegin(); it != main->bindings.rend(); ++it)
        if (const auto at = computed.find(it->var); at != computed.end() && it->var != main->result)
            cases.push_back(cut(failed, main->result, {*at}));
    if (graph::as_tuple(main->result->type) && !main->bindings.empty())
        if (const auto* tuple = graph::as<graph::Tuple>(main->bindings.back().value))
            for (const Var& field : tuple->fields) cases.push_back(cut(failed, field, {}));
    return cases;
}

std::string to_string(const Case& drawn) {
    std::string text = graph::to_string(drawn.module) + "inputs:";
    for (const NDArray& input : drawn.inputs) {
        text += "\n  " + type_text(input.dtype(), input.shape()) + " =";
        for (std::int64_t i = 0; i < std::min<std::int64_t>(input.size(), 24); ++i) {
            std::string number = std::to_string(input.as_double(i));
            while (number.ends_with('0')) number.pop_back();
            text += " " + (number.ends_with('.') ? number.substr(0, number.size() - 1) : number);
        }
        if (input.size() > 24) text += " ...";
    }
    text += "\npasses:";
    for (const transform::PassStep& step : drawn.passes) {
        text += " " + step.name;
        std::string options;
        for (const auto& [name, value] : step.options) options += (options.empty() ? "" : ", ") + name + "=" + value;
        if (!options.empty()) text += "{" + options + "}";
    }
    const Build& build = drawn.build;
    return text + "\nbuild: " + (build.rule == session::ScheduleRule::None ? "no schedule, " : "") + "-O" +
           std::to_string(build.options.opt_level) + (build.options.contract ? "" : ", no contraction") + ", " +
           std::to_string(build.threads) + " threads\n";
}

} // namespace orrery::differential
