#include "core/graph/specialize.hpp"

#include "core/base/check.hpp"

#include <algorithm>

namespace orrery::graph {

namespace {

class Specialization {
  public:
    Specialization(const Specializer& with, const Progress& progress)
        : with_(with), progress_(progress), known_(with.evaluator, progress) {}

    Result<Function> run(const Function& function, std::span<const Type> types, std::span<const NDArray> values) {
        ORRERY_ASSERT(types.size() == function->params.size(), "a type for each parameter");
        for (std::size_t i = 0; i < types.size(); ++i) {
            const Var& param = function->params[i];
            if (i < values.size() && values[i].defined())
                now_[param] = noted(builder_.constant(values[i], {}, param->name));
            else
                now_[param] = builder_.param(param->name, types[i]);
        }
        for (const Binding& binding : function->bindings) {
            if (progress_.cancelled()) return Diagnostic{Code::Cancelled, "cancelled", {}, {}};
            Result<Var> var = emit(binding);
            if (!var) {
                if (var.error().locations.empty() && var.error().code != Code::Cancelled)
                    var.error().locations.push_back(ProgramPlace{function->name, binding.var->name});
                return std::move(var.error());
            }
            now_[binding.var] = *std::move(var);
        }
        return builder_.finish(function->name, now_.at(function->result), function->attrs);
    }

  private:
    Var noted(const Var& var) {
        known_.note(var, builder_.value_of(var));
        return var;
    }

    Result<Var> emit(const Binding& binding) {
        std::vector<Var> args = operands(binding.value);
        for (Var& arg : args)
            if (arg) arg = now_.at(arg);
        const auto* call = as<CallOp>(binding.value);
        if (call && call->op.open) return with_.close({*call, args, binding, builder_, known_});
        const bool all_static = std::ranges::all_of(args, [](const Var& v) { return !v || fully_static(v->type); });
        if (call && call->op.value_of_types && all_static) {
            std::vector<Type> types;
            for (const Var& arg : args) types.push_back(arg ? arg->type : Type());
            return noted(builder_.constant(call->op.value_of_types(TypeRequest{types, call->attrs}), binding.origin,
                                           binding.var->name));
        }
        // The binding itself where nothing about it changed.
        const Expr value = with_operands(binding.value, args);
        if (value == binding.value && fully_static(binding.var->type)) return noted(builder_.append(binding));
        ORRERY_TRY(const Var var, builder_.try_emit(value, binding.var->name, binding.origin));
        return noted(var);
    }

    const Specializer& with_;
    const Progress& progress_;
    KnownValues known_;
    FunctionBuilder builder_;
    std::unordered_map<Var, Var> now_;
};

} // namespace

Result<Function> specialize(const Function& function, std::span<const Type> types, std::span<const NDArray> values,
                            const Specializer& with, const Progress& progress) {
    return Specialization(with, progress).run(function, types, values);
}

} // namespace orrery::graph
