#include "core/base/check.hpp"
#include "core/graph/builder.hpp"
#include "core/graph/functions.hpp"

#include <unordered_set>

namespace orrery::graph {

namespace {

Diagnostic at_binding(Diagnostic error, const FunctionNode& function, const Var& var) {
    error.locations.push_back(ProgramPlace{function.name, var ? var->name : "result"});
    return error;
}

Result<void> verify_function(const FunctionNode& function) {
    std::unordered_set<Var> bound;
    bound.reserve(function.params.size() + function.bindings.size());
    const auto unknown = [&](const Var& used, const Var& by) {
        return at_binding({Code::UnknownName, used->name + " is used where it is not bound", {}, {}}, function, by);
    };
    const auto bind = [&](const Var& var) -> Result<void> {
        if (bound.insert(var).second) return {};
        return at_binding({Code::UnknownName, var->name + " is bound twice", {}, {}}, function, var);
    };
    for (const Var& param : function.params) ORRERY_CHECK_OK(bind(param));
    for (const Binding& binding : function.bindings) {
        for (const Var& var : operands(binding.value))
            if (var && !bound.contains(var)) return unknown(var, binding.var);
        const Result<Type> type = infer_expr(binding.value);
        if (!type) return at_binding(type.error(), function, binding.var);
        if (!equal(*type, binding.var->type))
            return at_binding({Code::BadType,
                               binding.var->name + " is declared " + to_string(binding.var->type) +
                                   " and computed as " + to_string(*type),
                               {},
                               {}},
                              function, binding.var);
        ORRERY_CHECK_OK(bind(binding.var));
    }
    if (!bound.contains(function.result)) return unknown(function.result, nullptr);
    return {};
}

} // namespace

Result<void> verify(const Module& module) {
    ORRERY_ASSERT(module.main != nullptr, "a module has a main function");
    for (const Function& function : functions_inside_out(module.main)) ORRERY_CHECK_OK(verify_function(*function));
    const TupleType* tuple = as_tuple(module.main->result->type);
    const std::size_t results = tuple ? tuple->fields.size() : 1;
    if (module.outputs.size() != results)
        return Diagnostic{Code::BadType,
                          "the module names " + std::to_string(module.outputs.size()) + " outputs and computes " +
                              std::to_string(results),
                          {ProgramPlace{module.main->name, "result"}},
                          {}};
    return {};
}

} // namespace orrery::graph
