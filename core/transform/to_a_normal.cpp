#include "core/graph/builder.hpp"
#include "core/transform/everywhere.hpp"
#include "core/transform/passes.hpp"

#include <algorithm>

namespace orrery::transform {

namespace {

using graph::Expr;
using graph::Function;
using graph::FunctionBuilder;
using graph::Type;
using graph::Var;

bool holds_tuple(const Type& type) {
    const graph::TupleType* tuple = graph::as_tuple(type);
    return tuple && std::ranges::any_of(tuple->fields, [](const Type& f) { return graph::as_tuple(f) != nullptr; });
}

bool is_nested(const Function& function) {
    return holds_tuple(function->result->type) || std::ranges::any_of(function->params, [](const Var& param) {
               return graph::as_tuple(param->type) != nullptr;
           });
}

/// Part `index` of a tuple: its field where the tuple is made here.
Result<Var> part(FunctionBuilder& builder, const Var& tuple, std::size_t index, const OriginSet& origin) {
    const Expr value = builder.value_of(tuple);
    if (const auto* fields = graph::as<graph::Tuple>(value)) return fields->fields[index];
    return builder.try_emit(make_ref<const graph::Project>(tuple, index), {}, origin);
}

/// Appends the tensors a value consists of.
Result<void> take_apart(FunctionBuilder& builder, const Var& value, const OriginSet& origin, std::vector<Var>& leaves) {
    const graph::TupleType* tuple = graph::as_tuple(value->type);
    if (!tuple) return leaves.push_back(value), Result<void>();
    for (std::size_t i = 0; i < tuple->fields.size(); ++i) {
        ORRERY_TRY(const Var field, part(builder, value, i, origin));
        ORRERY_CHECK_OK(take_apart(builder, field, origin, leaves));
    }
    return {};
}

/// A value of that type from its tensors, of which `next` is the first not yet used.
Result<Var> put_together(FunctionBuilder& builder, const Type& type, std::span<const Var> leaves, std::size_t& next) {
    const graph::TupleType* tuple = graph::as_tuple(type);
    if (!tuple) return leaves[next++];
    std::vector<Var> fields;
    for (const Type& field : tuple->fields) {
        ORRERY_TRY(const Var one, put_together(builder, field, leaves, next));
        fields.push_back(one);
    }
    return builder.try_emit(make_ref<const graph::Tuple>(fields), {}, {});
}

std::vector<Type> leaf_types(const Type& type) {
    const graph::TupleType* tuple = graph::as_tuple(type);
    if (!tuple) return {type};
    std::vector<Type> all;
    for (const Type& field : tuple->fields)
        for (Type& leaf : leaf_types(field)) all.push_back(std::move(leaf));
    return all;
}

class Flattener {
  public:
    explicit Flattener(pass::Recorder* recorder) : recorder_(recorder) {}

    Result<Function> run(const Function& function) {
        FunctionBuilder builder;
        for (const Var& param : function->params) builder.param(param);
        Replacements known;
        bool changed = false;
        for (const graph::Binding& binding : function->bindings) {
            const Expr value = known.now(binding.value);
            ORRERY_TRY(Var var, flattened(builder, {binding.var, value, binding.origin}));
            if (var && recorder_) recorder_->add({binding.var, var, "tuples taken apart", __FILE__, __LINE__});
            changed = changed || var != nullptr;
            if (!var && value == binding.value)
                var = builder.append(binding);
            else if (!var) { ORRERY_TRY(var, builder.try_emit(value, binding.var->name, binding.origin)); }
            if (var != binding.var) known.vars.emplace(binding.var, var);
        }
        if (!changed) return function;
        return builder.finish(function->name, known.now(function->result), function->attrs);
    }

  private:
    /// What stands for the binding, or null when it is flat.
    Result<Var> flattened(FunctionBuilder& builder, const graph::Binding& binding) {
        if (const auto* project = graph::as<graph::Project>(binding.value)) {
            const Expr tuple = builder.value_of(project->tuple);
            const auto* fields = graph::as<graph::Tuple>(tuple);
            return fields ? fields->fields[project->index] : Var();
        }
        const std::vector<Function> inner = graph::inner_functions(binding.value);
        const bool calls =
            binding.value->kind == graph::ExprKind::CallFunction || binding.value->kind == graph::ExprKind::If;
        if (!calls || std::ranges::any_of(inner, is_closed_unit) || std::ranges::none_of(inner, is_nested))
            return Var();
        std::vector<Function> flat;
        for (const Function& function : inner) {
            ORRERY_TRY(Function made, flat_function(function));
            flat.push_back(std::move(made));
        }
        const auto* branch = graph::as<graph::If>(binding.value);
        const std::vector<Var>& args = branch ? branch->args : graph::as<graph::CallFunction>(binding.value)->args;
        std::vector<Var> leaves;
        for (const Var& arg : args) ORRERY_CHECK_OK(take_apart(builder, arg, binding.origin, leaves));
        const Expr call = branch ? Expr(make_ref<const graph::If>(branch->condition, flat[0], flat[1], leaves))
                                 : Expr(make_ref<const graph::CallFunction>(flat[0], leaves));
        ORRERY_TRY(const Var result, builder.try_emit(call, binding.var->name, binding.origin));
        if (!holds_tuple(inner[0]->result->type)) return result;
        std::vector<Var> results;
        ORRERY_CHECK_OK(take_apart(builder, result, binding.origin, results));
        std::size_t next = 0;
        return put_together(builder, inner[0]->result->type, results, next);
    }

    /// The function from tensors to a tensor or a tuple of tensors.
    Result<Function> flat_function(const Function& function) {
        if (const auto it = flat_.find(function); it != flat_.end()) return it->second;
        FunctionBuilder builder;
        std::vector<Var> leaves;
        for (const Var& param : function->params)
            for (const Type& type : leaf_types(param->type)) leaves.push_back(builder.param(param->name, type));
        Replacements known;
        std::size_t next = 0;
        for (const Var& param : function->params) {
            ORRERY_TRY(const Var whole, put_together(builder, param->type, leaves, next));
            known.vars.emplace(param, whole);
        }
        for (const graph::Binding& binding : function->bindings) {
            ORRERY_TRY(const Var var, builder.try_emit(known.now(binding.value), binding.var->name, binding.origin));
            known.vars.emplace(binding.var, var);
        }
        Var result = known.now(function->result);
        if (holds_tuple(result->type)) {
            std::vector<Var> parts;
            ORRERY_CHECK_OK(take_apart(builder, result, {}, parts));
            ORRERY_TRY(result, builder.try_emit(make_ref<const graph::Tuple>(parts), {}, {}));
        }
        ORRERY_TRY(Function made, run(builder.finish(function->name, result, function->attrs)));
        flat_.emplace(function, made);
        return made;
    }

    pass::Recorder* recorder_;
    std::unordered_map<Function, Function> flat_;
};

} // namespace

Result<graph::Module> to_a_normal(const graph::Module& module, const pass::Context& context) {
    ORRERY_CHECK_OK(graph::verify(module));
    Flattener flattener(context.recorder);
    return rewrite_everywhere(module, [&](const Function& function, Level) { return flattener.run(function); });
}

} // namespace orrery::transform
