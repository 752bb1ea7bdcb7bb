#include "core/session/check_steps.hpp"

#include "core/base/elapsed.hpp"
#include "core/graph/evaluate.hpp"
#include "core/graph/functions.hpp"
#include "core/ops/ops.hpp"

#include <algorithm>
#include <chrono>

namespace orrery::session {

namespace {

using Outputs = std::vector<NDArray>;

/// One kernel an operator: what a module means, with nothing of the pipeline in it but lowering.
Recipe plain_recipe(const Recipe& recipe, const graph::Module& module) {
    Recipe plain = recipe;
    plain.passes.clear();
    const bool fused = std::ranges::none_of(module.main->bindings, [](const graph::Binding& binding) {
        return binding.value->kind == graph::ExprKind::CallOp;
    });
    if (!fused) plain.passes.push_back({"FuseOps", {{"fuse", "false"}}, true});
    return plain;
}

/// Runs modules of one model on one set of inputs, all in the same way.
class ModuleRunner {
  public:
    ModuleRunner(Compiler& compiler, const Recipe& recipe, const StepCheckOptions& options)
        : compiler_(compiler), recipe_(recipe), options_(options) {}

    /// The import decides how all are run. Errors: those of running it.
    Result<Outputs> start(const graph::Module& import, const Progress& progress) {
        ORRERY_TRY(inputs_, seeded_inputs(*import.main, options_.seed));
        ORRERY_TRY(const double flops, work_of(import, progress));
        interpreted_ = flops <= options_.interpreted_up_to;
        return run(import, progress);
    }
    Result<Outputs> run(const graph::Module& module, const Progress& progress) {
        if (interpreted_) return graph::evaluate(module.main, inputs_, ops::interpreter_evaluator(), progress);
        ORRERY_TRY(const auto model, compiler_.compile_module(plain_recipe(recipe_, module), module, progress));
        const int threads = recipe_.threads > 0 ? recipe_.threads : recipe_.target.cores;
        ORRERY_TRY(RunResult result, session::run(*model, inputs_, threads, progress));
        return std::move(result.outputs);
    }
    [[nodiscard]] bool interpreted() const { return interpreted_; }

  private:
    /// Units: floating-point operations. A module that cannot be lowered is interpreted.
    Result<double> work_of(const graph::Module& module, const Progress& progress) {
        const Recipe plain = plain_recipe(recipe_, module);
        graph::Module one = module;
        for (const transform::PassStep& step : plain.passes) {
            ORRERY_TRY(one, transform::find_pass(step.name)->run(one, {step.options, progress, nullptr}));
        }
        const Result<Compiler::Functions> functions = compiler_.functions(plain, one, progress);
        if (!functions && functions.error().code == Code::Cancelled) return functions.error();
        double flops = 0;
        if (functions)
            for (const FunctionPtr& f : functions->functions)
                flops += f->cost.flops * static_cast<double>(std::max<std::size_t>(1, f->lowered.calls));
        return flops;
    }

    Compiler& compiler_;
    const Recipe& recipe_;
    StepCheckOptions options_;
    std::vector<NDArray> inputs_;
    bool interpreted_ = true;
};

Difference worst_difference(const Outputs& actual, const Outputs& expected) {
    Difference worst;
    worst.same_type = actual.size() == expected.size();
    for (std::size_t i = 0; worst.same_type && i < actual.size(); ++i) {
        const Difference one = compare(actual[i], expected[i]);
        if (i == 0 || !one.same_type || one.max_rel > worst.max_rel) worst = one;
    }
    return worst;
}

bool within(const Difference& difference, double tolerance) {
    return difference.same_type && difference.max_rel <= tolerance;
}

/// Steps whose module is another than that of the step before, the import left out.
std::vector<std::size_t> changed_steps(const Steps& steps) {
    std::vector<std::size_t> changed;
    for (std::size_t i = 1; i < steps.size(); ++i)
        if (!steps[i]->error && steps[i]->module.main != steps[i - 1]->module.main) changed.push_back(i);
    return changed;
}

/// Which 16-bit floats a module holds, and whether it approximates.
struct Roundings {
    bool half = false, bfloat = false, fast = false;
};

Roundings roundings_in(const graph::Module& module) {
    Roundings found;
    for (const graph::Function& function : graph::functions_inside_out(module.main))
        for (const graph::Binding& binding : function->bindings) {
            const graph::TensorType* type = graph::as_tensor(binding.var->type);
            found.half = found.half || (type && type->dtype == DType::F16);
            found.bfloat = found.bfloat || (type && type->dtype == DType::BF16);
            const auto* call = graph::as<graph::CallOp>(binding.value);
            found.fast = found.fast || (call && call->op.name.starts_with("fast_"));
        }
    return found;
}

} // namespace

double rounding_of(const graph::Module& module, const graph::Module& import) {
    const Roundings now = roundings_in(module), before = roundings_in(import);
    double allowed = 0;
    if (now.fast) allowed = 1e-2;
    if (now.half && !before.half) allowed = std::max(allowed, 64 * 0x1p-11);
    if (now.bfloat && !before.bfloat) allowed = std::max(allowed, 64 * 0x1p-8);
    return allowed;
}

Result<StepChecks> check_steps(Compiler& compiler, const Recipe& recipe, const StepCheckOptions& options,
                               const Progress& progress, const CheckSink& sink) {
    StepChecks checks;
    ORRERY_TRY(checks.of, compiler.graph_steps(recipe, progress));
    const Steps& steps = checks.of;
    checks.options = options;
    ModuleRunner runner(compiler, recipe, options);
    progress.tell("import", 0);
    auto start = std::chrono::steady_clock::now();
    ORRERY_TRY(const Outputs reference, runner.start(steps.front()->module, progress));
    checks.interpreted = runner.interpreted();
    checks.steps.push_back({.ran = true});
    checks.steps.back().milliseconds = milliseconds_since(start);
    if (sink) sink(checks);
    Outputs before = reference;
    const graph::Module& import = steps.front()->module;
    checks.steps.back().tolerance = options.tolerance;
    for (std::size_t i = 1; i < steps.size(); ++i) {
        StepCheck check;
        check.right = checks.steps.back().right;
        check.from_import = checks.steps.back().from_import;
        check.tolerance = checks.steps.back().tolerance;
        if (!steps[i]->error && steps[i]->module.main != steps[i - 1]->module.main) {
            progress.tell(steps[i]->name, static_cast<double>(i) / static_cast<double>(steps.size()));
            start = std::chrono::steady_clock::now();
            Result<Outputs> outputs = runner.run(steps[i]->module, progress);
            if (!outputs && outputs.error().code == Code::Cancelled) return std::move(outputs.error());
            check.ran = true;
            if (outputs) {
                check.from_before = worst_difference(*outputs, before);
                check.from_import = worst_difference(*outputs, reference);
                check.tolerance = std::max(options.tolerance, rounding_of(steps[i]->module, import));
                check.agrees = within(check.from_before, check.tolerance);
                check.right = within(check.from_import, check.tolerance);
                before = *std::move(outputs);
            } else {
                check.error = std::move(outputs.error());
                check.agrees = check.right = false;
            }
            check.milliseconds = milliseconds_since(start);
            checks.worst = std::max(checks.worst, check.from_before.max_rel);
            if (!check.agrees && checks.first_wrong < 0) checks.first_wrong = static_cast<std::ptrdiff_t>(i);
        }
        checks.steps.push_back(std::move(check));
        if (sink) sink(checks);
    }
    return checks;
}

namespace {

/// The search itself: `wrong` holds of candidates[high] and not of candidates[low].
struct Search {
    ModuleRunner& runner;
    const Outputs& reference;
    const StepCheckOptions& options;
    Bisection& found;

    /// Errors: Cancelled.
    Result<bool> wrong(std::size_t step, const Progress& progress) {
        Bisection::Probe probe{step, 0, true};
        Result<Outputs> outputs = runner.run(found.steps[step]->module, progress);
        if (!outputs && outputs.error().code == Code::Cancelled) return std::move(outputs.error());
        if (outputs) {
            const Difference difference = worst_difference(*outputs, reference);
            probe.worst = difference.max_rel;
            const double rounding = rounding_of(found.steps[step]->module, found.steps.front()->module);
            probe.wrong = !within(difference, std::max(options.tolerance, rounding));
        }
        if (probe.wrong) {
            found.error.reset();
            if (!outputs) found.error = std::move(outputs.error());
            found.worst = probe.worst;
        }
        found.probes.push_back(probe);
        return probe.wrong;
    }
};

} // namespace

Result<Bisection> bisect(Compiler& compiler, const Recipe& recipe, const StepCheckOptions& options,
                         const Progress& progress) {
    Bisection found;
    ORRERY_TRY(found.steps, compiler.graph_steps(recipe, progress));
    std::vector<std::size_t> candidates = changed_steps(found.steps);
    ModuleRunner runner(compiler, recipe, options);
    ORRERY_TRY(const Outputs reference, runner.start(found.steps.front()->module, progress));
    Search search{runner, reference, options, found};
    const auto choose = [&](std::size_t step) {
        found.first_wrong = static_cast<std::ptrdiff_t>(step);
        found.pass = found.steps[step]->name;
    };
    // A pass that failed is known to be wrong; the one to be found is that or an earlier one.
    if (found.steps.back()->error) candidates.push_back(found.steps.size() - 1);
    found.candidates = candidates.size();
    if (candidates.empty()) return found;
    std::size_t high = candidates.size() - 1;
    if (found.steps.back()->error) {
        found.error = found.steps.back()->error;
    } else {
        ORRERY_TRY(const bool wrong, search.wrong(candidates[high], progress));
        if (!wrong) return found;
    }
    for (std::size_t low = 0; low < high;) {
        const std::size_t middle = (low + high) / 2;
        progress.tell(found.steps[candidates[middle]]->name,
                      1 - static_cast<double>(high - low) / static_cast<double>(candidates.size()));
        ORRERY_TRY(const bool wrong, search.wrong(candidates[middle], progress));
        if (wrong)
            high = middle;
        else
            low = middle + 1;
    }
    choose(candidates[high]);
    return found;
}

} // namespace orrery::session
