#include "core/graph/builder.hpp"
#include "core/graph/functions.hpp"
#include "core/target/region.hpp"
#include "core/transform/everywhere.hpp"
#include "core/transform/inlining.hpp"
#include "core/transform/passes.hpp"

namespace orrery::transform {

namespace {

using graph::Binding;
using graph::Function;
using graph::Var;

/// Operators of a region and of the composites inside.
std::size_t operators_in(const Function& region) {
    std::size_t count = 0;
    for (const Function& function : graph::functions_inside_out(region))
        for (const Binding& binding : function->bindings)
            count += binding.value->kind == graph::ExprKind::CallOp ? 1 : 0;
    return count;
}

class Partitioner {
  public:
    Partitioner(std::size_t least, pass::Recorder* recorder) : least_(least), recorder_(recorder) {}

    Result<Function> run(const Function& function) {
        graph::FunctionBuilder builder;
        for (const Var& param : function->params) builder.param(param);
        Replacements known;
        bool changed = false;
        for (const Binding& binding : function->bindings) {
            const graph::Expr value = known.now(binding.value);
            const auto* call = graph::as<graph::CallFunction>(value);
            const bool open = call && !region_of(call->function).empty() && !call->function->primitive();
            changed = changed || open;
            if (!open && value == binding.value) {
                builder.append(binding);
                continue;
            }
            Var var;
            if (!open) {
                ORRERY_TRY(var, builder.try_emit(value, binding.var->name, binding.origin));
            } else if (operators_in(call->function) < least_) {
                ORRERY_TRY(var, put_back(builder, call->function, call->args, binding.origin));
            } else {
                ORRERY_TRY(var,
                           builder.try_emit(make_ref<const graph::CallFunction>(closed(call->function), call->args),
                                            binding.var->name, binding.origin));
            }
            if (open && recorder_)
                recorder_->add({binding.var, var, "a region of its own, or none", __FILE__, __LINE__});
            known.vars.emplace(binding.var, var);
        }
        if (!changed) return function;
        return builder.finish(function->name, known.now(function->result), function->attrs);
    }

  private:
    /// The region as one step of the plan.
    Function closed(const Function& function) {
        const std::string name = region_of(function) + "_" + function->name;
        return graph::make_function(function->name.starts_with(region_of(function)) ? function->name : name,
                                    function->params, function->bindings, function->result,
                                    function->attrs.with("primitive", true));
    }

    /// The operators of a region where its call was, for the target's own code generator.
    static Result<Var> put_back(graph::FunctionBuilder& builder, const Function& function, std::span<const Var> args,
                                const OriginSet& origin) {
        Replacements known;
        for (std::size_t i = 0; i < args.size(); ++i) known.vars.emplace(function->params[i], args[i]);
        for (const Binding& binding : function->bindings) {
            const graph::Expr value = known.now(binding.value);
            const auto* unit = graph::as<graph::CallFunction>(value);
            Result<Var> var = unit ? inline_call(builder, unit->function, unit->args, origin)
                                   : builder.try_emit(value, binding.var->name, unite(binding.origin, origin));
            if (!var) return var;
            known.vars.emplace(binding.var, *var);
        }
        return known.now(function->result);
    }

    std::size_t least_;
    pass::Recorder* recorder_;
};

} // namespace

Result<graph::Module> partition_graph(const graph::Module& module, const pass::Context& context) {
    ORRERY_TRY(const std::size_t least, number_option("min_operators", context.option("min_operators", "1"), 1));
    graph::Module out = module;
    ORRERY_TRY(out.main, Partitioner(least, context.recorder).run(module.main));
    return out;
}

} // namespace orrery::transform
