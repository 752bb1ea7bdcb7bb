#include "core/graph/node.hpp"

#include "core/base/check.hpp"

#include <algorithm>
#include <span>

namespace orrery::graph {

Var make_var(std::string name, Type type) {
    ORRERY_ASSERT(type != nullptr, "a variable has a type");
    return make_ref<const VarNode>(std::move(name), std::move(type));
}

Function make_function(std::string name, std::vector<Var> params, std::vector<Binding> bindings, Var result,
                       Attrs attrs) {
    ORRERY_ASSERT(result != nullptr, "a function has a result");
    return make_ref<const FunctionNode>(std::move(name), std::move(params), std::move(bindings), std::move(result),
                                        std::move(attrs));
}

// Out of line, so that the members' destructors are made once. Nested functions are freed by the worklist of
// Object::release, without recursion.
FunctionNode::~FunctionNode() = default;

Type FunctionNode::type() const {
    std::vector<Type> types;
    types.reserve(params.size());
    for (const Var& param : params) types.push_back(param->type);
    return function_type(std::move(types), result->type);
}

std::vector<Var> operands(const Expr& expr) {
    switch (expr->kind) {
    case ExprKind::CallOp: return as<CallOp>(expr)->args;
    case ExprKind::CallFunction: return as<CallFunction>(expr)->args;
    case ExprKind::Constant: return {};
    case ExprKind::Tuple: return as<Tuple>(expr)->fields;
    case ExprKind::Project: return {as<Project>(expr)->tuple};
    case ExprKind::If: {
        const If& node = *as<If>(expr);
        std::vector<Var> vars{node.condition};
        vars.insert(vars.end(), node.args.begin(), node.args.end());
        return vars;
    }
    case ExprKind::Loop: {
        const Loop::Fields& fields = as<Loop>(expr)->fields;
        std::vector<Var> vars{fields.max_trips, fields.condition};
        vars.insert(vars.end(), fields.carried.begin(), fields.carried.end());
        vars.insert(vars.end(), fields.captured.begin(), fields.captured.end());
        return vars;
    }
    case ExprKind::FunctionLiteral: return {};
    }
    fail_internal("operands covers every kind");
}

namespace {

bool differs(const Expr& expr, std::span<const Var> replacement) {
    if (const CallOp* call = as<CallOp>(expr)) return !std::ranges::equal(call->args, replacement); // the usual case
    return !std::ranges::equal(operands(expr), replacement);
}

} // namespace

Expr with_operands(const Expr& expr, std::span<const Var> replacement) {
    if (!differs(expr, replacement)) return expr;
    const std::vector<Var> vars(replacement.begin(), replacement.end());
    switch (expr->kind) {
    case ExprKind::CallOp: {
        const CallOp& call = *as<CallOp>(expr);
        ORRERY_ASSERT(vars.size() == call.args.size(), "as many operands as before");
        return make_ref<const CallOp>(call.op, vars, call.attrs);
    }
    case ExprKind::CallFunction: return make_ref<const CallFunction>(as<CallFunction>(expr)->function, vars);
    case ExprKind::Tuple: return make_ref<const Tuple>(vars);
    case ExprKind::Project: return make_ref<const Project>(vars.at(0), as<Project>(expr)->index);
    case ExprKind::If: {
        const If& node = *as<If>(expr);
        return make_ref<const If>(vars.at(0), node.then_function, node.else_function,
                                  std::vector<Var>(vars.begin() + 1, vars.end()));
    }
    case ExprKind::Loop: {
        const Loop::Fields& old = as<Loop>(expr)->fields;
        ORRERY_ASSERT(vars.size() == 2 + old.carried.size() + old.captured.size(), "as many operands as before");
        const auto split = vars.begin() + 2 + static_cast<std::ptrdiff_t>(old.carried.size());
        return make_ref<const Loop>(
            Loop::Fields{vars[0], vars[1], {vars.begin() + 2, split}, {split, vars.end()}, old.body});
    }
    case ExprKind::Constant:
    case ExprKind::FunctionLiteral: break;
    }
    fail_internal("an expression without operands cannot get any");
}

std::vector<Function> inner_functions(const Expr& expr) {
    switch (expr->kind) {
    case ExprKind::CallFunction: return {as<CallFunction>(expr)->function};
    case ExprKind::If: return {as<If>(expr)->then_function, as<If>(expr)->else_function};
    case ExprKind::Loop: return {as<Loop>(expr)->fields.body};
    case ExprKind::FunctionLiteral: return {as<FunctionLiteral>(expr)->function};
    case ExprKind::CallOp:
    case ExprKind::Constant:
    case ExprKind::Tuple:
    case ExprKind::Project: return {};
    }
    fail_internal("inner_functions covers every kind");
}

Expr with_inner_functions(const Expr& value, std::span<const Function> inner) {
    if (std::ranges::equal(inner_functions(value), inner)) return value;
    switch (value->kind) {
    case ExprKind::CallFunction: return make_ref<const CallFunction>(inner[0], as<CallFunction>(value)->args);
    case ExprKind::If: return make_ref<const If>(as<If>(value)->condition, inner[0], inner[1], as<If>(value)->args);
    case ExprKind::Loop: {
        Loop::Fields fields = as<Loop>(value)->fields;
        fields.body = inner[0];
        return make_ref<const Loop>(std::move(fields));
    }
    case ExprKind::FunctionLiteral: return make_ref<const FunctionLiteral>(inner[0]);
    case ExprKind::CallOp:
    case ExprKind::Constant:
    case ExprKind::Tuple:
    case ExprKind::Project: break;
    }
    fail_internal("an expression without functions cannot get any");
}

} // namespace orrery::graph
