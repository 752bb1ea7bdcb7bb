#include "tests/differential/nesting.hpp"

#include "core/graph/builder.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace orrery::differential {

namespace {

using graph::Binding;
using graph::Expr;
using graph::Function;
using graph::FunctionBuilder;

/// Bindings [first, end) of a function as a function of its own.
struct Part {
    Function function;
    std::vector<Var> args;    ///< what it is applied to
    std::vector<Var> results; ///< of the outer function, in the order of the function's tuple
};

/// A copy of `function` with variables of its own. Pre: closed.
Part outline(const Function& main, std::size_t first, std::size_t end) {
    std::unordered_set<Var> bound, used_after{main->result};
    for (std::size_t i = first; i < end; ++i) bound.insert(main->bindings[i].var);
    for (std::size_t i = end; i < main->bindings.size(); ++i)
        for (const Var& var : graph::operands(main->bindings[i].value)) used_after.insert(var);
    FunctionBuilder builder;
    Part part;
    std::unordered_map<Var, Var> inside;
    for (std::size_t i = first; i < end; ++i) {
        const Binding& binding = main->bindings[i];
        std::vector<Var> operands = graph::operands(binding.value);
        for (Var& operand : operands) {
            if (!operand) continue;
            if (!bound.contains(operand) && !inside.contains(operand)) {
                inside.emplace(operand, builder.param(operand->name, operand->type));
                part.args.push_back(operand);
            }
            operand = inside.at(operand);
        }
        inside.emplace(binding.var, builder.emit(graph::with_operands(binding.value, operands), binding.var->name, {}));
    }
    std::vector<Var> fields;
    for (std::size_t i = first; i < end; ++i)
        if (used_after.contains(main->bindings[i].var)) {
            if (!graph::as_tensor(main->bindings[i].var->type)) return {}; // a tuple taken apart outside
            part.results.push_back(main->bindings[i].var);
            fields.push_back(inside.at(main->bindings[i].var));
        }
    if (fields.empty()) return {};
    part.function = builder.finish("part", builder.emit(make_ref<const graph::Tuple>(fields), "parts", {}));
    return part;
}

/// A function of the same type that gives zeros.
Function zeros_like(const Function& function) {
    FunctionBuilder builder;
    for (const Var& param : function->params) builder.param(param->name, param->type);
    std::vector<Var> fields;
    for (const graph::Type& field : graph::as_tuple(function->result->type)->fields) {
        const graph::TensorType& type = *graph::as_tensor(field);
        fields.push_back(builder.constant(NDArray::zeros(type.dtype, graph::static_shape(type)), {}));
    }
    return builder.finish("zeros", builder.emit(make_ref<const graph::Tuple>(fields), "parts", {}));
}

NDArray truth(bool value) {
    NDArray array = NDArray::allocate(DType::Bool, {});
    array.set_int(0, value ? 1 : 0);
    return array;
}

/// The part as the body of a loop that goes round once, its results carried: it starts from zeros.
Expr loop_once(FunctionBuilder& outer, const Part& part) {
    FunctionBuilder body;
    body.param("iteration", graph::tensor_type(DType::I64, Shape{}));
    const Var going = body.param("going", graph::tensor_type(DType::Bool, Shape{}));
    std::vector<Var> carried, captured, fields{going};
    for (const Var& result : part.results) {
        body.param("carried", result->type);
        const graph::TensorType& type = *graph::as_tensor(result->type);
        carried.push_back(outer.constant(NDArray::zeros(type.dtype, graph::static_shape(type)), {}));
    }
    for (const Var& arg : part.args) captured.push_back(body.param(arg->name, arg->type));
    const Var parts = body.emit(make_ref<const graph::CallFunction>(part.function, captured), "parts", {});
    for (std::size_t i = 0; i < part.results.size(); ++i)
        fields.push_back(body.emit(make_ref<const graph::Project>(parts, i), {}, {}));
    const Var result = body.emit(make_ref<const graph::Tuple>(fields), "next", {});
    NDArray trips = NDArray::allocate(DType::I64, {});
    trips.set_int(0, 2); // the same result both times
    graph::Loop::Fields loop{outer.constant(trips, {}), nullptr, carried, part.args, body.finish("body", result)};
    return make_ref<const graph::Loop>(std::move(loop));
}

Expr applied(Draw& draw, FunctionBuilder& outer, const Part& part) {
    switch (draw.number(0, 3)) {
    case 0: return loop_once(outer, part);
    case 1: {
        const bool yes = draw.chance(50);
        const Var condition = outer.constant(truth(yes), {}, "condition");
        const Function other = zeros_like(part.function);
        return make_ref<const graph::If>(condition, yes ? part.function : other, yes ? other : part.function,
                                         part.args);
    }
    default: return make_ref<const graph::CallFunction>(part.function, part.args);
    }
}

} // namespace

Function nest(Draw& draw, const Function& main) {
    if (main->bindings.empty()) return main;
    const auto count = static_cast<std::int64_t>(main->bindings.size());
    const std::int64_t first = draw.number(0, count - 1), end = std::min(count, first + draw.number(1, 4));
    Part part = outline(main, static_cast<std::size_t>(first), static_cast<std::size_t>(end));
    if (!part.function) return main;
    if (draw.chance(30)) part.function = nest(draw, part.function);
    FunctionBuilder builder;
    for (const Var& param : main->params) builder.param(param);
    for (std::int64_t i = 0; i < first; ++i) builder.append(main->bindings[static_cast<std::size_t>(i)]);
    const Var parts = builder.emit(applied(draw, builder, part), "parts", {});
    std::unordered_map<Var, Var> now;
    for (std::size_t i = 0; i < part.results.size(); ++i)
        now.emplace(part.results[i], builder.emit(make_ref<const graph::Project>(parts, i), part.results[i]->name, {}));
    const auto renamed = [&](const Var& var) {
        const auto it = var ? now.find(var) : now.end();
        return it == now.end() ? var : it->second;
    };
    for (std::int64_t i = end; i < count; ++i) {
        const Binding& binding = main->bindings[static_cast<std::size_t>(i)];
        std::vector<Var> operands = graph::operands(binding.value);
        std::ranges::transform(operands, operands.begin(), renamed);
        now.insert_or_assign(binding.var,
                             builder.emit(graph::with_operands(binding.value, operands), binding.var->name, {}));
    }
    return builder.finish(main->name, renamed(main->result), main->attrs);
}

} // namespace orrery::differential
