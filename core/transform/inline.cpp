#include "core/graph/builder.hpp"
#include "core/transform/everywhere.hpp"
#include "core/transform/inlining.hpp"
#include "core/transform/passes.hpp"

#include <algorithm>
#include <unordered_set>

namespace orrery::transform {

using graph::Binding;
using graph::Function;
using graph::FunctionBuilder;
using graph::Var;

Result<Var> inline_call(FunctionBuilder& builder, const Function& function, std::span<const Var> args,
                        const OriginSet& origin) {
    Replacements known;
    for (std::size_t i = 0; i < args.size(); ++i) known.vars.emplace(function->params[i], args[i]);
    for (const Binding& binding : function->bindings) {
        ORRERY_TRY(const Var var,
                   builder.try_emit(known.now(binding.value), binding.var->name, unite(binding.origin, origin)));
        known.vars.emplace(binding.var, var);
    }
    return known.now(function->result);
}

namespace {

class Inliner {
  public:
    Inliner(std::size_t most, pass::Recorder* recorder) : most_(most), recorder_(recorder) {}

    Result<Function> run(const Function& function) const {
        const std::unordered_set<Var> unused = unused_literals(*function);
        const bool any = !unused.empty() || std::ranges::any_of(function->bindings, [this](const Binding& binding) {
            return called(binding) != nullptr;
        });
        if (!any) return function;
        FunctionBuilder builder;
        for (const Var& param : function->params) builder.param(param);
        Replacements known;
        for (const Binding& binding : function->bindings) {
            if (unused.contains(binding.var)) {
                record(binding.var, nullptr, "a function nobody uses");
                continue;
            }
            ORRERY_TRY(const Var var, rewritten(builder, binding, known));
            if (var != binding.var) known.vars.emplace(binding.var, var);
        }
        return builder.finish(function->name, known.now(function->result), function->attrs);
    }

  private:
    Result<Var> rewritten(FunctionBuilder& builder, const Binding& binding, const Replacements& known) const {
        const graph::Expr value = known.now(binding.value);
        const graph::CallFunction* call = called(binding);
        if (!call && value == binding.value) return builder.append(binding);
        if (!call) return builder.try_emit(value, binding.var->name, binding.origin);
        const std::vector<Var>& args = graph::as<graph::CallFunction>(value)->args;
        ORRERY_TRY(const Var result, inline_call(builder, call->function, args, binding.origin));
        record(binding.var, result, "a call replaced by what it computes");
        return result;
    }

    /// The call that is replaced, or null.
    [[nodiscard]] const graph::CallFunction* called(const Binding& binding) const {
        const auto* call = graph::as<graph::CallFunction>(binding.value);
        if (!call || is_closed_unit(call->function) || call->function->bindings.size() > most_) return nullptr;
        return call;
    }

    static std::unordered_set<Var> unused_literals(const graph::FunctionNode& function) {
        std::unordered_set<Var> literals;
        for (const Binding& binding : function.bindings) {
            for (const Var& var : graph::operands(binding.value)) literals.erase(var);
            if (binding.value->kind == graph::ExprKind::FunctionLiteral) literals.insert(binding.var);
        }
        literals.erase(function.result);
        return literals;
    }

    void record(const Var& before, const Var& after, const char* rule) const {
        if (recorder_) recorder_->add({before, after, rule, __FILE__, __LINE__});
    }

    std::size_t most_;
    pass::Recorder* recorder_;
};

} // namespace

Result<graph::Module> inline_functions(const graph::Module& module, const pass::Context& context) {
    ORRERY_TRY(const std::size_t most, number_option("max_size", context.option("max_size", "1000"), 0));
    const Inliner inliner(most, context.recorder);
    return rewrite_everywhere(module, [&](const Function& function, Level) { return inliner.run(function); });
}

} // namespace orrery::transform
