#include "core/graph/builder.hpp"
#include "core/graph/pattern.hpp"
#include "core/target/region.hpp"
#include "core/transform/everywhere.hpp"
#include "core/transform/passes.hpp"

#include <algorithm>
#include <unordered_set>

namespace orrery::transform {

namespace {

using graph::Binding;
using graph::Function;
using graph::Var;

/// Operators that become one function.
struct Unit {
    std::string name;
    std::vector<std::size_t> members; ///< indices of bindings, in order; the last is the result
};

bool takes(const RegionBackend& backend, const Binding& binding) {
    const auto* call = graph::as<graph::CallOp>(binding.value);
    return call && !backend.refuses(*call, binding.var->type);
}

/// Composites first, then single operators, in order of their last binding.
std::vector<Unit> find_units(const RegionBackend& backend, const Function& function) {
    std::vector<graph::Pattern> patterns;
    for (const Composite& composite : backend.composites()) patterns.push_back(composite.pattern);
    const graph::FunctionValues values(function);
    std::vector<Unit> units;
    std::unordered_set<std::size_t> used;
    for (const graph::FoundMatch& found : graph::find_matches(patterns, function)) {
        Unit unit{backend.composites()[found.pattern].name, {}};
        for (const Var& var : found.match.calls) unit.members.push_back(values.index_of(var));
        std::ranges::sort(unit.members);
        const bool all =
            std::ranges::all_of(unit.members, [&](std::size_t i) { return takes(backend, function->bindings[i]); });
        if (!all) continue;
        used.insert(unit.members.begin(), unit.members.end());
        units.push_back(std::move(unit));
    }
    for (std::size_t i = 0; i < function->bindings.size(); ++i)
        if (!used.contains(i) && takes(backend, function->bindings[i]))
            units.push_back({graph::as<graph::CallOp>(function->bindings[i].value)->op.name, {i}});
    std::ranges::sort(units, {}, [](const Unit& unit) { return unit.members.back(); });
    return units;
}

/// The unit's function and what it is applied to; constants of the graph are its own.
struct Made {
    Function function;
    std::vector<Var> args;
    OriginSet origin;
};

Made make_function(const Unit& unit, const Function& main, const graph::FunctionValues& values,
                   const std::string& backend) {
    Made made;
    graph::FunctionBuilder builder;
    Replacements inside;
    for (std::size_t i : unit.members) {
        const Binding& binding = main->bindings[i];
        for (const Var& operand : graph::operands(binding.value)) {
            if (!operand || inside.vars.contains(operand)) continue;
            const Binding* source = values.binding_of(operand);
            if (source && source->value->kind == graph::ExprKind::Constant) {
                inside.vars.emplace(operand, builder.emit(source->value, operand->name, source->origin));
            } else {
                inside.vars.emplace(operand, builder.param(operand->name, operand->type));
                made.args.push_back(operand);
            }
        }
        inside.vars.emplace(binding.var, builder.emit(inside.now(binding.value), binding.var->name, binding.origin));
        made.origin = unite(made.origin, binding.origin);
    }
    const Var result = inside.now(main->bindings[unit.members.back()].var);
    made.function = builder.finish(unit.name, result, {{"backend", backend}, {"composite", unit.name}});
    return made;
}

Result<Function> annotated(const RegionBackend& backend, const Function& main, pass::Recorder* recorder) {
    const std::vector<Unit> units = find_units(backend, main);
    if (units.empty()) return main;
    const graph::FunctionValues values(main);
    std::unordered_map<std::size_t, const Unit*> ends;
    std::unordered_set<std::size_t> inner;
    for (const Unit& unit : units) {
        ends.emplace(unit.members.back(), &unit);
        inner.insert(unit.members.begin(), unit.members.end() - 1);
    }
    std::vector<Binding> bindings;
    for (std::size_t i = 0; i < main->bindings.size(); ++i) {
        if (inner.contains(i)) continue;
        const auto end = ends.find(i);
        if (end == ends.end()) {
            bindings.push_back(main->bindings[i]);
            continue;
        }
        Made made = make_function(*end->second, main, values, backend.name());
        const graph::Expr call = make_ref<const graph::CallFunction>(made.function, made.args);
        if (recorder)
            for (std::size_t m : end->second->members)
                recorder->add({main->bindings[m].value, call, "taken by a backend", __FILE__, __LINE__});
        bindings.push_back({main->bindings[i].var, call, made.origin});
    }
    return graph::make_function(main->name, main->params, std::move(bindings), main->result, main->attrs);
}

} // namespace

Result<graph::Module> annotate_target(const graph::Module& module, const pass::Context& context) {
    const std::string name = context.option("backend", "dnnl");
    const std::shared_ptr<const RegionBackend> backend = find_region_backend(name);
    if (!backend) {
        std::string names;
        for (const std::string& known : region_backend_names()) names += (names.empty() ? "" : ", ") + known;
        return Diagnostic{Code::BadArgument,
                          "no backend named \"" + name + "\" takes parts of a graph",
                          {},
                          names.empty() ? "this build has none" : "set the option `backend` to one of " + names};
    }
    graph::Module out = module;
    ORRERY_TRY(out.main, annotated(*backend, module.main, context.recorder));
    if (out.main == module.main) return module;
    // Constants that went inside are no longer used here.
    return dead_code(out, pass::Context{context.options, context.progress, nullptr});
}

} // namespace orrery::transform
