#include "core/session/layout_choices.hpp"

#include "core/transform/passes.hpp"

namespace orrery::session {

Result<transform::LayoutReport> layout_report(const Recipe& recipe, const Steps& steps) {
    for (std::size_t i = 0; i < recipe.passes.size() && i + 1 < steps.size(); ++i)
        if (recipe.passes[i].name == "AlterOpLayout" && recipe.passes[i].enabled)
            return transform::layout_reasons(
                steps[i]->module,
                {transform::with_facts(recipe.passes[i], transform::facts_of(recipe.target)).options, {}, nullptr});
    return Diagnostic{Code::UnknownName, "no pass of the recipe chooses layouts", {}, "put AlterOpLayout into it"};
}

std::string to_text(const transform::LayoutReport& report) {
    std::string text;
    for (const transform::LayoutChoice& choice : report.choices) text += choice.value->name + ": " + choice.text + "\n";
    return text + (report.text.empty() ? "each convolution chooses for itself" : report.text) + "\n";
}

} // namespace orrery::session
