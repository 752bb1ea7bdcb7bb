#include "core/graph/builder.hpp"
#include "core/transform/everywhere.hpp"
#include "core/transform/passes.hpp"

namespace orrery::transform {

namespace {

using graph::Var;

/// Bindings in order; a variable whose type does not follow from its value is replaced by one whose type does.
Result<graph::Function> infer_function(const graph::Function& function, pass::Recorder* recorder) {
    Replacements known;
    std::vector<graph::Binding> bindings;
    bool changed = false;
    for (const graph::Binding& binding : function->bindings) {
        const graph::Expr value = known.now(binding.value);
        Result<graph::Type> type = graph::infer_expr(value);
        if (!type) {
            type.error().locations.push_back(ProgramPlace{function->name, binding.var->name});
            return std::move(type.error());
        }
        Var var = binding.var;
        if (!graph::equal(*type, var->type)) {
            var = graph::make_var(binding.var->name, *type);
            known.vars.emplace(binding.var, var);
            if (recorder) recorder->add({binding.var, var, "a type that follows from the value", __FILE__, __LINE__});
        }
        changed = changed || var != binding.var || value != binding.value;
        bindings.push_back({var, value, binding.origin});
    }
    if (!changed) return function;
    return graph::make_function(function->name, function->params, std::move(bindings), known.now(function->result),
                                function->attrs);
}

} // namespace

Result<graph::Module> infer_types(const graph::Module& module, const pass::Context& context) {
    const auto infer = [&](const graph::Function& function, Level) {
        return infer_function(function, context.recorder);
    };
    return rewrite_everywhere(module, infer, Closed::Too);
}

} // namespace orrery::transform
