#include "core/graph/builder.hpp"
#include "core/transform/everywhere.hpp"
#include "core/transform/passes.hpp"

#include <algorithm>
#include <optional>

namespace orrery::transform {

namespace {

using graph::Binding;
using graph::Function;
using graph::If;
using graph::Var;

/// Branches inside branches that are gone into. Source: our choice; each takes stack.
constexpr int kMostDepth = 64;

bool uses(const Function& function, const Var& var) {
    return function->result == var || std::ranges::any_of(function->bindings, [&](const Binding& binding) {
               const std::vector<Var> operands = graph::operands(binding.value);
               return std::ranges::find(operands, var) != operands.end();
           });
}

/// A branch with parameter `index` computed inside, from parameters `given` that stand at the end.
Function with_inside(const Function& branch, std::size_t index, const Binding& moved, const std::vector<Var>& given) {
    std::vector<Var> params = branch->params;
    const Var param = params[index];
    params.erase(params.begin() + static_cast<std::ptrdiff_t>(index));
    std::vector<Binding> bindings;
    Replacements inside;
    for (const Var& var : given) {
        params.push_back(graph::make_var(var->name, var->type));
        inside.vars.emplace(var, params.back());
    }
    if (uses(branch, param)) bindings.push_back({param, inside.now(moved.value), moved.origin});
    bindings.insert(bindings.end(), branch->bindings.begin(), branch->bindings.end());
    return graph::make_function(branch->name, std::move(params), std::move(bindings), branch->result, branch->attrs);
}

class Sinker {
  public:
    explicit Sinker(pass::Recorder* recorder) : recorder_(recorder) {}

    Function run(const Function& function, int depth = 0) {
        if (depth > kMostDepth) return function;
        std::vector<std::optional<Binding>> bindings(function->bindings.begin(), function->bindings.end());
        std::unordered_map<Var, std::size_t> index;
        for (std::size_t i = 0; i < bindings.size(); ++i) index.emplace(bindings[i]->var, i);
        std::unordered_map<Var, int> uses = graph::use_counts(function);
        bool changed = false;
        for (std::size_t i = bindings.size(); i-- > 0;) {
            if (!bindings[i]) continue;
            bool sank = false;
            while (sink_one(bindings, i, index, uses)) sank = true;
            if (!sank) continue;
            changed = true;
            const If& branch = *graph::as<If>(bindings[i]->value);
            bindings[i]->value = make_ref<const If>(branch.condition, run(branch.then_function, depth + 1),
                                                    run(branch.else_function, depth + 1), branch.args);
        }
        if (!changed) return function;
        std::vector<Binding> kept;
        for (std::optional<Binding>& binding : bindings)
            if (binding) kept.push_back(*std::move(binding));
        return graph::make_function(function->name, function->params, std::move(kept), function->result,
                                    function->attrs);
    }

  private:
    /// Moves one argument of the `If` of binding `at` into the branch that uses it; false when there is none.
    bool sink_one(std::vector<std::optional<Binding>>& bindings, std::size_t at,
                  const std::unordered_map<Var, std::size_t>& index, std::unordered_map<Var, int>& counts) {
        const auto* branch = graph::as<If>(bindings[at]->value);
        if (!branch || is_closed_unit(branch->then_function) || is_closed_unit(branch->else_function)) return false;
        for (std::size_t a = 0; a < branch->args.size(); ++a) {
            const Var arg = branch->args[a];
            const auto it = index.find(arg);
            if (it == index.end() || !bindings[it->second] || counts[arg] != 1) continue;
            const Binding moved = *bindings[it->second];
            const auto* call = graph::as<graph::CallOp>(moved.value);
            if ((!call && moved.value->kind != graph::ExprKind::Constant) || (call && call->op.random)) continue;
            const bool in_then = uses(branch->then_function, branch->then_function->params[a]),
                       in_else = uses(branch->else_function, branch->else_function->params[a]);
            if (in_then && in_else) continue;
            std::vector<Var> given;
            for (const Var& var : graph::operands(moved.value))
                if (var && std::ranges::find(given, var) == given.end()) given.push_back(var);
            std::vector<Var> args = branch->args;
            args.erase(args.begin() + static_cast<std::ptrdiff_t>(a));
            args.insert(args.end(), given.begin(), given.end());
            // The operands are used by the `If` now, once each, and no longer by the binding.
            for (const Var& var : graph::operands(moved.value))
                if (var) --counts[var];
            for (const Var& var : given) ++counts[var];
            if (recorder_)
                recorder_->add({arg, bindings[at]->var, "computed in the branch that uses it", __FILE__, __LINE__});
            bindings[at]->value =
                make_ref<const If>(branch->condition, with_inside(branch->then_function, a, moved, given),
                                   with_inside(branch->else_function, a, moved, given), std::move(args));
            bindings[it->second].reset();
            return true;
        }
        return false;
    }

    pass::Recorder* recorder_;
};

} // namespace

Result<graph::Module> to_basic_block(const graph::Module& module, const pass::Context& context) {
    Sinker sinker(context.recorder);
    return rewrite_everywhere(
        module, [&](const Function& function, Level) -> Result<Function> { return sinker.run(function); });
}

} // namespace orrery::transform
