#include "core/graph/builder.hpp"
#include "core/transform/everywhere.hpp"
#include "core/transform/passes.hpp"

#include <algorithm>
#include <unordered_set>

namespace orrery::transform {

namespace {

using graph::Binding;
using graph::Expr;
using graph::Function;
using graph::Var;

/// Which parameters of functions that are given the same arguments stay: those one of them uses, but for the second of
/// two that are given the same variable.
struct Kept {
    std::vector<std::size_t> params; ///< indices of those that stay
    std::vector<std::size_t> source; ///< for each parameter, the index of the one that stands for it
};

std::unordered_set<Var> used_in(const Function& function) {
    std::unordered_set<Var> used{function->result};
    for (const Binding& binding : function->bindings)
        for (const Var& var : graph::operands(binding.value)) used.insert(var);
    return used;
}

Kept kept_params(std::span<const Function> functions, std::span<const Var> args, std::size_t offset) {
    Kept kept;
    std::vector<std::unordered_set<Var>> used;
    for (const Function& function : functions) used.push_back(used_in(function));
    std::unordered_map<Var, std::size_t> first;
    for (std::size_t i = 0; i < args.size(); ++i) {
        kept.source.push_back(first.emplace(args[i], i).first->second);
        const std::size_t source = kept.source.back();
        const auto needs = [&](std::size_t param) {
            for (std::size_t f = 0; f < functions.size(); ++f)
                if (used[f].contains(functions[f]->params[offset + param])) return true;
            return false;
        };
        bool needed = source == i && needs(i);
        for (std::size_t later = i + 1; source == i && !needed && later < args.size(); ++later)
            needed = args[later] == args[i] && needs(later);
        if (needed) kept.params.push_back(i);
    }
    return kept;
}

/// The function over the parameters that stay; the first `offset` always do.
Function narrowed(const Function& function, const Kept& kept, std::size_t offset) {
    const auto begin = function->params.begin() + static_cast<std::ptrdiff_t>(offset);
    std::vector<Var> params(function->params.begin(), begin);
    for (std::size_t i : kept.params) params.push_back(*(begin + static_cast<std::ptrdiff_t>(i)));
    Replacements known;
    for (std::size_t i = 0; i < kept.source.size(); ++i)
        if (kept.source[i] != i)
            known.vars.emplace(*(begin + static_cast<std::ptrdiff_t>(i)),
                               *(begin + static_cast<std::ptrdiff_t>(kept.source[i])));
    std::vector<Binding> bindings = function->bindings;
    for (Binding& binding : bindings) binding.value = known.now(binding.value);
    return graph::make_function(function->name, std::move(params), std::move(bindings), known.now(function->result),
                                function->attrs);
}

/// Equal for functions that are equal, where their inner functions are the same ones: no need to go inside.
Hash shallow_hash(const Function& function) {
    std::unordered_map<Var, std::uint64_t> numbers;
    Hasher hasher;
    const auto define = [&](const Var& var) {
        numbers.emplace(var, numbers.size());
        graph::hash_into(hasher, var->type);
    };
    for (const Var& param : function->params) define(param);
    hasher.add(static_cast<std::uint64_t>(function->bindings.size()));
    for (const Binding& binding : function->bindings) {
        hasher.add(static_cast<int>(binding.value->kind));
        if (const auto* call = graph::as<graph::CallOp>(binding.value)) {
            hasher.add(call->op.name);
            call->attrs.hash_into(hasher);
        }
        if (const auto* constant = graph::as<graph::Constant>(binding.value))
            hasher.add(graph::constant_hash(constant->value));
        if (const auto* project = graph::as<graph::Project>(binding.value))
            hasher.add(static_cast<std::uint64_t>(project->index));
        for (const Function& inner : graph::inner_functions(binding.value))
            hasher.add(static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(inner.get())));
        for (const Var& var : graph::operands(binding.value)) hasher.add(var ? numbers.at(var) + 1 : 0);
        define(binding.var);
    }
    hasher.add(numbers.at(function->result));
    function->attrs.hash_into(hasher);
    return hasher.finish();
}

class Lifter {
  public:
    explicit Lifter(pass::Recorder* recorder) : recorder_(recorder) {}

    Result<Function> run(const Function& function) {
        std::vector<Binding> bindings;
        bool changed = false;
        for (const Binding& binding : function->bindings) {
            Expr value = shared(narrow(binding.value));
            if (value != binding.value) {
                changed = true;
                if (recorder_)
                    recorder_->add({binding.value, value, "functions that take what they use", __FILE__, __LINE__});
            }
            bindings.push_back({binding.var, std::move(value), binding.origin});
        }
        if (!changed) return function;
        return graph::make_function(function->name, function->params, std::move(bindings), function->result,
                                    function->attrs);
    }

  private:
    /// The value with functions that take no more than they use.
    static Expr narrow(const Expr& value) {
        const std::vector<Function> inner = graph::inner_functions(value);
        if (std::ranges::any_of(inner, is_closed_unit)) return value;
        if (const auto* call = graph::as<graph::CallFunction>(value)) {
            const Kept kept = kept_params(inner, call->args, 0);
            if (kept.params.size() == call->args.size()) return value;
            return make_ref<const graph::CallFunction>(narrowed(inner[0], kept, 0), pick(call->args, kept));
        }
        if (const auto* branch = graph::as<graph::If>(value)) {
            const Kept kept = kept_params(inner, branch->args, 0);
            if (kept.params.size() == branch->args.size()) return value;
            return make_ref<const graph::If>(branch->condition, narrowed(inner[0], kept, 0),
                                             narrowed(inner[1], kept, 0), pick(branch->args, kept));
        }
        if (const auto* loop = graph::as<graph::Loop>(value)) {
            graph::Loop::Fields fields = loop->fields;
            const std::size_t offset = 2 + fields.carried.size(); // iteration, condition, carried
            const Kept kept = kept_params(inner, fields.captured, offset);
            if (kept.params.size() == fields.captured.size()) return value;
            fields.body = narrowed(fields.body, kept, offset);
            fields.captured = pick(fields.captured, kept);
            return make_ref<const graph::Loop>(std::move(fields));
        }
        return value;
    }

    static std::vector<Var> pick(const std::vector<Var>& args, const Kept& kept) {
        std::vector<Var> out;
        for (std::size_t i : kept.params) out.push_back(args[i]);
        return out;
    }

    /// The value over the first of equal functions.
    Expr shared(const Expr& value) {
        std::vector<Function> inner = graph::inner_functions(value);
        if (inner.empty()) return value;
        for (Function& function : inner)
            if (!is_closed_unit(function)) function = first_equal(function);
        return graph::with_inner_functions(value, inner);
    }

    Function first_equal(const Function& function) {
        std::vector<Function>& alike = functions_[shallow_hash(function)];
        for (const Function& other : alike)
            if (graph::structural_equal(other, function)) return other;
        alike.push_back(function);
        return function;
    }

    pass::Recorder* recorder_;
    std::unordered_map<Hash, std::vector<Function>> functions_;
};

} // namespace

Result<graph::Module> lambda_lift(const graph::Module& module, const pass::Context& context) {
    Lifter lifter(context.recorder);
    return rewrite_everywhere(module, [&](const Function& function, Level) { return lifter.run(function); });
}

} // namespace orrery::transform
