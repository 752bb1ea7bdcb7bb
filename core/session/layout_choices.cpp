#include "core/session/layout_choices.hpp"

#include "core/session/compiler.hpp"
#include "core/session/measure.hpp"
#include "core/transform/passes.hpp"

#include <map>

namespace orrery::session {

namespace {

using graph::Binding;

void set_option(Recipe& recipe, const char* pass, const char* option, const std::string& value) {
    for (transform::PassStep& step : recipe.passes)
        if (step.name == pass) step.options[option] = value;
}

/// Times that no kernel has, for which every convolution that can lies in blocks of that many channels.
std::string blocks_wanted(const graph::Module& module, std::int64_t bits, std::int64_t registers) {
    transform::KernelTimes times;
    for (const Binding& binding : module.main->bindings) {
        const std::optional<transform::ConvWork> work = transform::conv_work(binding);
        if (!work) continue;
        const std::string layout = "NCHW" + std::to_string(registers * bits / 8 / byte_size(work->dtype)) + "c";
        for (const std::int64_t tile : {0, 2, 4}) times.set(kernel_key(*work, {layout, layout, tile}), 1);
    }
    return times.text();
}

/// The recipe's model with its convolutions in other layouts and tiles.
std::vector<Recipe> variants_of(const Recipe& recipe, const graph::Module& before) {
    std::vector<Recipe> out;
    for (const bool wide : {false, true})
        for (const char* tile : {"auto", "0", "2", "4"}) {
            Recipe variant = recipe;
            set_option(variant, "AlterOpLayout", "choose", wide ? "graph" : "local");
            set_option(variant, "AlterOpLayout", "costs",
                       wide ? blocks_wanted(before, recipe.target.vector_bits, 2) : std::string());
            set_option(variant, "Winograd", "costs", "");
            set_option(variant, "Winograd", "tile", tile);
            out.push_back(std::move(variant));
        }
    out.push_back(recipe);
    return out;
}

/// The only convolution of a kernel; null where there are none or several.
const Binding* only_convolution(const graph::Function& kernel) {
    const Binding* found = nullptr;
    for (const Binding& binding : kernel->bindings) {
        if (!transform::conv_work(binding)) continue;
        if (found) return nullptr;
        found = &binding;
    }
    return found;
}

/// The step before the first AlterOpLayout that is on. Errors: UnknownName.
Result<std::size_t> layouts_step(const Recipe& recipe, const Steps& steps) {
    for (std::size_t i = 0; i < recipe.passes.size() && i + 1 < steps.size(); ++i)
        if (recipe.passes[i].name == "AlterOpLayout" && recipe.passes[i].enabled) return i;
    return Diagnostic{Code::UnknownName, "no pass of the recipe chooses layouts", {}, "put AlterOpLayout into it"};
}

} // namespace

Result<transform::LayoutReport> layout_report(const Recipe& recipe, const Steps& steps) {
    ORRERY_TRY(const std::size_t at, layouts_step(recipe, steps));
    return transform::layout_reasons(
        steps[at]->module,
        {transform::with_facts(recipe.passes[at], transform::facts_of(recipe.target)).options, {}, nullptr});
}

std::string to_text(const transform::LayoutReport& report) {
    std::string text;
    for (const transform::LayoutChoice& choice : report.choices) text += choice.value->name + ": " + choice.text + "\n";
    return text + (report.text.empty() ? "each convolution chooses for itself" : report.text) + "\n";
}

Result<LayoutTimes> layout_times(const Recipe& recipe, Compiler& compiler, tuning::Measurer& measurer,
                                 const std::optional<tuning::MeasureOptions>& measure, const Progress& progress) {
    ORRERY_TRY(const Steps steps, compiler.graph_steps(recipe, progress));
    ORRERY_TRY(const std::size_t at, layouts_step(recipe, steps));
    LayoutTimes out;
    std::map<std::string, double> seen; ///< by workload; 0 for no time
    std::map<std::string, double> least;
    for (const Recipe& variant : variants_of(recipe, steps[at]->module)) {
        ORRERY_TRY(const Steps laid, compiler.graph_steps(variant, progress));
        if (laid.back()->error) return *laid.back()->error;
        ORRERY_TRY(const Compiler::Functions functions, compiler.functions(variant, laid.back()->module, progress));
        for (const FunctionPtr& function : functions.functions) {
            const Binding* conv = function->error ? nullptr : only_convolution(function->lowered.source);
            const std::string workload = to_string(function->lowered.workload);
            if (!conv || !function->lowered.backend.empty() || !seen.try_emplace(workload, 0).second) continue;
            const std::int64_t distance = tuning::weights_distance(function->lowered.model_weights);
            std::optional<tuning::Record> record = measurer.best_of(
                {workload, to_string(recipe.target), measurer.machine(), threads_of(recipe), distance});
            // Times of other distances say nothing of which of two kernels is faster here.
            if (record && record->weights_distance != distance) record.reset();
            if (!record && measure) {
                progress.tell(function->lowered.name, 0);
                ORRERY_TRY(const tuning::Candidate candidate, candidate_of(variant, *function));
                ORRERY_TRY(record, measurer.measure(candidate, *measure, progress));
            }
            ++out.kernels;
            if (!record || record->outcome != tuning::Outcome::Ok) continue;
            ++out.known;
            // What is fused to it differs from layer to layer: the least serves all.
            const std::string key = kernel_key(*transform::conv_work(*conv), transform::conv_variant(*conv));
            double& ns = least.try_emplace(key, record->times.median_ms * 1e6).first->second;
            ns = std::min(ns, record->times.median_ms * 1e6);
        }
    }
    for (const auto& [key, ns] : least) out.times.set(key, ns);
    return out;
}

Recipe with_layout_times(Recipe recipe, const transform::KernelTimes& times) {
    for (const char* pass : {"AlterOpLayout", "Winograd"}) set_option(recipe, pass, "costs", times.text());
    return recipe;
}

} // namespace orrery::session
