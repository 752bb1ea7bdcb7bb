#include "core/transform/everywhere.hpp"

#include "core/graph/builder.hpp"
#include "core/graph/functions.hpp"

#include <algorithm>
#include <charconv>

namespace orrery::transform {

using graph::Function;
using graph::Var;

Var Replacements::now(const Var& var) const {
    const auto it = var ? vars.find(var) : vars.end();
    return it == vars.end() ? var : it->second;
}

graph::Expr Replacements::now(const graph::Expr& value) const {
    std::vector<Var> operands = graph::operands(value);
    std::ranges::transform(operands, operands.begin(), [this](const Var& var) { return now(var); });
    graph::Expr out = graph::with_operands(value, operands);
    if (functions.empty()) return out;
    std::vector<Function> inner = graph::inner_functions(out);
    for (Function& function : inner)
        if (const auto it = functions.find(function); it != functions.end()) function = it->second;
    return inner.empty() ? out : graph::with_inner_functions(out, inner);
}

bool is_closed_unit(const Function& function) { return function->primitive() || function->attrs.has("backend"); }

namespace {

/// The function over rewritten inner functions; the same handle when it has none of them.
Result<Function> with_rewritten(const Function& function, Replacements& known) {
    const bool any = std::ranges::any_of(function->bindings, [&](const graph::Binding& binding) {
        return std::ranges::any_of(graph::inner_functions(binding.value),
                                   [&](const Function& inner) { return known.functions.contains(inner); });
    });
    if (!any) return function;
    known.vars.clear();
    graph::FunctionBuilder builder;
    for (const Var& param : function->params) builder.param(param);
    for (const graph::Binding& binding : function->bindings) {
        const graph::Expr value = known.now(binding.value);
        if (value == binding.value) {
            builder.append(binding);
            continue;
        }
        Result<Var> var = builder.try_emit(value, binding.var->name, binding.origin);
        if (!var) {
            var.error().locations.push_back(ProgramPlace{function->name, binding.var->name});
            return std::move(var.error());
        }
        known.vars.emplace(binding.var, *var);
    }
    return builder.finish(function->name, known.now(function->result), function->attrs);
}

} // namespace

Result<graph::Module> rewrite_everywhere(const graph::Module& module, const FunctionRewrite& rewrite, Closed closed) {
    Replacements known;
    graph::Module out = module;
    for (const Function& function : graph::functions_inside_out(module.main)) {
        if (closed == Closed::Stay && function != module.main && is_closed_unit(function)) continue;
        ORRERY_TRY(const Function over, with_rewritten(function, known));
        ORRERY_TRY(const Function rewritten, rewrite(over, function == module.main ? Level::Main : Level::Inner));
        if (rewritten != function) known.functions.emplace(function, rewritten);
        if (function == module.main) out.main = rewritten;
    }
    return out;
}

Result<std::size_t> number_option(const std::string& name, const std::string& text, std::size_t least) {
    std::size_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code == std::errc{} && end == text.data() + text.size() && value >= least) return value;
    return Diagnostic{Code::BadArgument,
                      name + " is a number of " + std::to_string(least) + " or more, not \"" + text + "\"",
                      {},
                      {}};
}

} // namespace orrery::transform
