// How two right answers are told from a wrong one:
// 1. The untouched program is interpreted: the reference.
// 2. It is interpreted again, four times, with each result of a rounding operator moved by about a unit in the last
//    place: all up, all down, twice at random (and the operands of sums too, whose order is free). What that changes in
//    an output is how far roundings reach there.
// 3. The compiled result may be off by a few times that, and a base tolerance by element type. Whole numbers, truth
//    values and floats that are only moved must be equal.

#include "tests/differential/agree.hpp"

#ifdef ORRERY_HAS_DNNL
#include "backends/dnnl/dnnl_backend.hpp"
#endif
#include "backends/llvm/llvm_backend.hpp"
#include "core/graph/builder.hpp"
#include "core/graph/evaluate.hpp"
#include "core/ops/ops.hpp"
#include "core/session/compiler.hpp"
#include "tests/differential/recipes.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <sstream>

namespace orrery::differential {

namespace {

using Arrays = std::vector<NDArray>;

/// How far one rounding moves a value, relative to it. Source: two units in the last place, since vector math functions
/// are good to about that; narrow types are rounded from f32, once.
double unit(DType dtype) {
    switch (dtype) {
    case DType::F16: return 0x1p-10;
    case DType::BF16: return 0x1p-7;
    case DType::F32: return 0x1p-22;
    default: return 0x1p-50;
    }
}

/// What is allowed in any case, relative to the output's largest element. Source: sums of up to 1500 terms, each
/// rounded.
double base_tolerance(DType dtype) { return 16 * unit(dtype); }

constexpr double kReach = 24;     ///< times what the moved runs show; four runs see a third to all of it. Our choice
constexpr double kUnstable = 0.1; ///< of the largest element: an output that roundings move this far says nothing
constexpr int kMovedRuns = 4;

bool same_number(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// Largest element that is a number, and largest distance of two arrays.
double magnitude(const NDArray& array) {
    double most = 0;
    for (std::int64_t i = 0; i < array.size(); ++i)
        if (const double x = std::abs(array.as_double(i)); std::isfinite(x)) most = std::max(most, x);
    return most;
}
double distance(const NDArray& a, const NDArray& b) {
    double most = 0;
    for (std::int64_t i = 0; i < a.size(); ++i) {
        const double x = a.as_double(i), y = b.as_double(i);
        if (same_number(x, y)) continue;
        if (!std::isfinite(x) || !std::isfinite(y)) return INFINITY;
        most = std::max(most, std::abs(x - y));
    }
    return most;
}

/// What passes that trade accuracy may cost: roundings of f32, relative, and the largest number they can hold.
struct Loss {
    double step = 0;
    double greatest = HUGE_VAL;
};
Loss loss_of(const Case& drawn) {
    Loss loss;
    for (const transform::PassStep& step : drawn.passes) {
        const auto dtype = step.options.find("dtype");
        const bool brain = dtype != step.options.end() && dtype->second == "bf16";
        if (step.name == "ToMixedPrecision") loss = {brain ? 0x1p-7 : 0x1p-10, brain ? HUGE_VAL : 3e4};
        if (step.name == "FastMath") loss.step = std::max(loss.step, 1e-3); // its operators say 5e-4
    }
    return loss;
}

/// Which way values are moved: all up, all down, or each at random. One way alone may cancel itself: up by one operator
/// and down by the next.
struct Mover {
    enum class Way : std::uint8_t { Up, Down, Random } way = Way::Random;
    std::mt19937 random{12345};
    bool up() { return way == Way::Random ? random() % 2 == 1 : way == Way::Up; }
};

NDArray moved(const NDArray& array, Mover& mover, const Loss& loss) {
    if (!array.defined() || !is_float(array.dtype())) return array;
    NDArray out = NDArray::allocate(array.dtype(), array.shape());
    const double step = std::max(unit(array.dtype()), array.dtype() == DType::F64 ? 0 : loss.step);
    for (std::int64_t i = 0; i < array.size(); ++i) out.set(i, array.as_double(i) * (mover.up() ? 1 + step : 1 - step));
    return out;
}

graph::OpEvaluator moving_evaluator(Mover& mover, const Loss& loss) {
    return [&mover, loss, exact = ops::interpreter_evaluator()](
               const graph::CallOp& call, std::span<const NDArray> args, const graph::Type& result,
               const Progress& progress) -> Result<Arrays> {
        const OpRecipe* recipe = find_recipe(call.op.name);
        const Effect effect = recipe && loss.step == 0 ? recipe->effect : Effect::Sums;
        Arrays operands(args.begin(), args.end());
        if (effect == Effect::Sums)
            for (NDArray& operand : operands) operand = moved(operand, mover, loss);
        ORRERY_TRY(Arrays results, exact(call, operands, result, progress));
        if (effect == Effect::Rounds || effect == Effect::Sums)
            for (NDArray& value : results) value = moved(value, mover, loss);
        return results;
    };
}

std::string describe(const NDArray& expected, const NDArray& actual) {
    std::ostringstream out;
    for (std::int64_t i = 0, shown = 0; i < expected.size() && shown < 4; ++i)
        if (!same_number(expected.as_double(i), actual.as_double(i))) {
            out.precision(12);
            out << (shown++ ? "; " : "") << "[" << i << "] is " << actual.as_double(i) << ", not "
                << expected.as_double(i);
        }
    return out.str();
}

struct Reference {
    Arrays values;
    std::vector<double> reach; ///< by output: how far roundings move it
    double greatest = 0;       ///< of all values on the way
};

Result<Reference> reference(const Case& drawn) {
    Reference out;
    const Loss loss = loss_of(drawn);
    const auto observe = [&out](const graph::Binding&, std::span<const NDArray> values) {
        for (const NDArray& value : values)
            if (value.defined() && is_float(value.dtype())) out.greatest = std::max(out.greatest, magnitude(value));
    };
    ORRERY_TRY(out.values, graph::evaluate(drawn.module.main, drawn.inputs, ops::interpreter_evaluator(), {},
                                           {.observer = observe}));
    out.reach.assign(out.values.size(), 0);
    Mover mover;
    for (int run = 0; run < kMovedRuns; ++run) {
        mover.way = run == 0 ? Mover::Way::Up : run == 1 ? Mover::Way::Down : Mover::Way::Random;
        ORRERY_TRY(const Arrays moved,
                   graph::evaluate(drawn.module.main, drawn.inputs, moving_evaluator(mover, loss), {}));
        for (std::size_t i = 0; i < moved.size(); ++i)
            out.reach[i] = std::max(out.reach[i], distance(out.values[i], moved[i]));
    }
    return out;
}

/// What came out wrong; empty when all agrees.
std::string difference(const Reference& expected, const Arrays& actual, const Loss& loss, Outcome& outcome) {
    if (expected.values.size() != actual.size()) return "as many outputs as before are expected";
    for (std::size_t i = 0; i < actual.size(); ++i) {
        const NDArray &want = expected.values[i], &got = actual[i];
        if (want.dtype() != got.dtype() || want.shape() != got.shape())
            return "output " + std::to_string(i) + " is " + type_text(got.dtype(), got.shape()) + ", not " +
                   type_text(want.dtype(), want.shape());
        const double most = magnitude(want), reach = expected.reach[i];
        if (reach > kUnstable * most || !std::isfinite(reach) || expected.greatest > loss.greatest) {
            ++outcome.unstable_outputs;
            continue;
        }
        ++outcome.outputs;
        const bool rounded = is_float(want.dtype()) && (reach > 0 || loss.step > 0);
        const double allowed = rounded ? kReach * reach + (base_tolerance(want.dtype()) + 16 * loss.step) * most : 0;
        if (const double off = distance(want, got); !(off <= allowed)) {
            std::ostringstream text;
            text << "output " << i << " (" << type_text(want.dtype(), want.shape()) << ") is off by " << off
                 << ", allowed " << allowed << ": " << describe(want, got);
            return text.str();
        }
    }
    return {};
}

/// The module after those of the passes that stand before kernels are made, or after all of them.
enum class Until : bool { Kernels, End };
Result<graph::Module> transformed(const Case& drawn, Until until = Until::End) {
    static const std::set<std::string> kMakeKernels{"AnnotateTarget", "DefuseOps", "FuseOps", "MergeRegions",
                                                    "PartitionGraph"};
    graph::Module module = drawn.module;
    pass::Invariants holding = transform::kTyped;
    for (const transform::PassStep& step : drawn.passes) {
        if (until == Until::Kernels && kMakeKernels.contains(step.name)) continue;
        const transform::GraphPass* pass = transform::find_pass(step.name);
        if (!pass) return Diagnostic{Code::UnknownName, "there is no pass " + step.name, {}, {}};
        if (pass->requires_ & ~holding) continue; // a shrunk list may have lost what establishes it
        ORRERY_TRY(pass::Step<graph::Module> done, transform::manager().run(*pass, module, holding, step.options, {}));
        module = std::move(done.after);
    }
    if (drawn.spoil) module = drawn.spoil(module);
    return module;
}

session::Compiler& compiler() {
    static session::Compiler made(make_llvm_backend(),
                                  {.disk_cache = {}, .memory_limit = std::size_t{64} << 20, .workers = 2});
    return made;
}

bool compilable(const graph::Module& module) {
    return std::ranges::all_of(module.main->bindings, [](const graph::Binding& binding) {
        const auto* call = graph::as<graph::CallFunction>(binding.value);
        return binding.value->kind == graph::ExprKind::Constant || binding.value->kind == graph::ExprKind::Tuple ||
               binding.value->kind == graph::ExprKind::Project || (call && call->function->primitive());
    });
}

/// Kernels as they are; a module without any goes through `passes` on the way.
Result<Arrays> compiled_results(const Case& drawn, const graph::Module& module,
                                std::vector<transform::PassStep> passes = {}) {
    session::Recipe recipe = compiler().new_recipe({});
    recipe.passes = std::move(passes);
    recipe.rule = drawn.build.rule;
    recipe.build = drawn.build.options;
    ORRERY_TRY(const auto model, compiler().compile_module(recipe, module, {}));
    for (const session::FunctionPtr& function : model->functions)
        if (function->error) return *function->error;
    ORRERY_TRY(session::RunResult result, session::run(*model, drawn.inputs, drawn.build.threads, {}));
    return std::move(result.outputs);
}

/// Where branches, loops or calls are left: calls become what they compute, and kernels are made part by part, as the
/// program runs.
Result<Arrays> program_results(const Case& drawn) {
    ORRERY_TRY(const graph::Module module, transformed(drawn, Until::Kernels));
    ORRERY_TRY(const graph::Module flat, transform::inline_functions(module, {{}, {}, nullptr}));
    return compiled_results(drawn, flat, transform::default_pipeline());
}

Outcome run_unguarded(const Case& drawn) {
    Outcome outcome;
    const auto failed = [&outcome](const std::string& what) {
        outcome.failure = what;
        return outcome;
    };
    const Result<Reference> expected = reference(drawn);
    if (!expected) return failed("the interpreter refuses it: " + orrery::to_string(expected.error()));
    const Result<graph::Module> after = transformed(drawn);
    if (!after) return failed("a pass fails: " + orrery::to_string(after.error()));
    outcome.compiled = compilable(*after);
    const Result<Arrays> actual = outcome.compiled ? compiled_results(drawn, *after) : program_results(drawn);
    if (!actual) return failed("it does not compile: " + orrery::to_string(actual.error()));
    outcome.failure = difference(*expected, *actual, loss_of(drawn), outcome);
    if (!outcome.failure.empty() && outcome.compiled) {
        // Who is it: the passes, or what comes after them?
        Outcome ignored;
        const Result<Arrays> between = graph::evaluate(after->main, drawn.inputs, ops::interpreter_evaluator(), {});
        if (!between)
            outcome.failure += "\nthe interpreter refuses what the passes made: " + orrery::to_string(between.error());
        else if (const std::string passes = difference(*expected, *between, loss_of(drawn), ignored); !passes.empty())
            outcome.failure += "\nthe passes are at fault: " + passes;
        else
            outcome.failure += "\nwhat comes after the passes is at fault";
    }
    return outcome;
}

} // namespace

void add_backends() {
#ifdef ORRERY_HAS_DNNL
    static const bool added = (add_region_backend(make_dnnl_backend()), true);
    (void)added;
#endif
}

Outcome run_case(const Case& drawn) {
    try {
        add_backends();
        return run_unguarded(drawn);
    } catch (const std::exception& error) {
        Outcome outcome;
        outcome.failure = std::string("it throws: ") + error.what();
        return outcome;
    }
}

} // namespace orrery::differential
