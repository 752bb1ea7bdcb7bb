#include "core/graph/op.hpp"

#include "core/base/check.hpp"
#include "core/graph/symbols.hpp"

#include <algorithm>

namespace orrery::graph {

std::string_view to_string(FusionKind kind) {
    switch (kind) {
    case FusionKind::Elementwise: return "elementwise";
    case FusionKind::Broadcast: return "broadcast";
    case FusionKind::Injective: return "injective";
    case FusionKind::Reduction: return "reduction";
    case FusionKind::OutFusable: return "out_fusable";
    case FusionKind::Opaque: return "opaque";
    }
    fail_internal("to_string covers every fusion kind");
}

const Op& OpRegistry::add(Op op) {
    std::string name = op.name;
    const auto [it, added] = ops_.emplace(name, std::make_unique<const Op>(std::move(op)));
    ORRERY_ASSERT(added, "the operator's name is new: " + name);
    return *it->second;
}

const Op* OpRegistry::find(std::string_view name) const {
    const auto it = ops_.find(std::string(name));
    return it == ops_.end() ? nullptr : it->second.get();
}

std::vector<const Op*> OpRegistry::all() const {
    std::vector<const Op*> list;
    list.reserve(ops_.size());
    for (const auto& [name, op] : ops_) list.push_back(op.get());
    std::ranges::sort(list, {}, &Op::name);
    return list;
}

namespace {

Diagnostic wrong(Code code, std::string message) { return {code, std::move(message), {}, {}}; }

const char* kind_name(AttrKind kind) {
    static constexpr const char* kNames[] = {
        "a boolean",       "an integer",         "a number",          "a text",
        "an element type", "a list of integers", "a list of numbers", "a list of texts"};
    return kNames[static_cast<std::size_t>(kind)];
}

bool fits(AttrKind kind, const AttrValue& value) {
    // An integer stands for a number.
    if (kind == AttrKind::Float)
        return std::holds_alternative<double>(value) || std::holds_alternative<std::int64_t>(value);
    static constexpr AttrKind kOrder[] = {AttrKind::Bool,  AttrKind::Int,  AttrKind::Float,  AttrKind::Text,
                                          AttrKind::DType, AttrKind::Ints, AttrKind::Floats, AttrKind::Texts};
    static_assert(std::variant_size_v<AttrValue> == std::size(kOrder));
    return kOrder[value.index()] == kind;
}

Result<void> check_attrs(const Op& op, const Attrs& attrs) {
    for (const AttrSpec& spec : op.attrs) {
        const AttrValue* value = attrs.find(spec.name);
        if (!value && spec.required) return wrong(Code::BadAttribute, op.name + " needs the attribute " + spec.name);
        if (value && !fits(spec.kind, *value))
            return wrong(Code::BadAttribute, "the attribute " + spec.name + " of " + op.name + " is " +
                                                 kind_name(spec.kind) + ", not " + to_string(*value));
    }
    if (op.open) return {};
    for (const auto& [name, value] : attrs.values())
        if (std::ranges::find(op.attrs, name, &AttrSpec::name) == op.attrs.end())
            return wrong(Code::BadAttribute, op.name + " has no attribute " + name);
    return {};
}

Result<void> check_operands(const Op& op, std::span<const Type> types) {
    const bool variadic = !op.operands.empty() && op.operands.back().variadic;
    if (types.size() > op.operands.size() && !variadic)
        return wrong(Code::BadType, op.name + " takes " + std::to_string(op.operands.size()) + " operands, not " +
                                        std::to_string(types.size()));
    for (std::size_t i = 0; i < op.operands.size(); ++i) {
        const OperandSpec& spec = op.operands[i];
        if (spec.optional) continue;
        if (i >= types.size() || !types[i]) return wrong(Code::BadType, op.name + " needs the operand " + spec.name);
    }
    for (std::size_t i = op.operands.size(); i < types.size(); ++i)
        if (!types[i] && !op.operands.back().optional)
            return wrong(Code::BadType, op.name + " has a missing operand in its list " + op.operands.back().name);
    return {};
}

} // namespace

Result<Type> infer_call(const Op& op, std::span<const Type> types, const Attrs& attrs) {
    ORRERY_CHECK_OK(check_attrs(op, attrs));
    ORRERY_CHECK_OK(check_operands(op, types));
    ORRERY_ASSERT(op.infer != nullptr, "the operator has a type relation: " + op.name);
    // Trailing optional operands may be left out; the relation sees all of them.
    std::vector<Type> all(types.begin(), types.end());
    if (all.size() < op.operands.size()) all.resize(op.operands.size());
    Result<Type> type = op.infer(TypeRequest{all, attrs});
    if (type || std::ranges::all_of(all, fully_static)) return type;
    return infer_by_probes(all, [&](std::span<const Type> closed) { return op.infer(TypeRequest{closed, attrs}); });
}

namespace {

std::vector<Type> types_of(std::span<const Var> vars) {
    std::vector<Type> types;
    types.reserve(vars.size());
    for (const Var& var : vars) types.push_back(var ? var->type : Type());
    return types;
}

Result<void> check_args(const Function& function, std::span<const Type> args, const char* what) {
    if (function->params.size() != args.size())
        return wrong(Code::BadType, std::string(what) + " " + function->name + " takes " +
                                        std::to_string(function->params.size()) + " arguments, not " +
                                        std::to_string(args.size()));
    for (std::size_t i = 0; i < args.size(); ++i)
        if (!accepts(function->params[i]->type, args[i]))
            return wrong(Code::BadType, std::string(what) + " " + function->name + " takes " +
                                            to_string(function->params[i]->type) + " as argument " + std::to_string(i) +
                                            ", not " + to_string(args[i]));
    return {};
}

Result<void> check_scalar(const Var& var, DType dtype, const char* what) {
    const TensorType* type = var ? as_tensor(var->type) : nullptr;
    if (type && type->dtype == dtype && type->dims.empty()) return {};
    return wrong(Code::BadType, std::string(what) + " is " + to_string(tensor_type(dtype, Shape{})) + ", not " +
                                    to_string(var ? var->type : Type()));
}

Result<Type> infer_project(const Project& node) {
    const TupleType* tuple = node.tuple ? as_tuple(node.tuple->type) : nullptr;
    if (!tuple) return wrong(Code::BadType, "a part is taken of something that is no tuple");
    if (node.index >= tuple->fields.size())
        return wrong(Code::BadType,
                     "part " + std::to_string(node.index) + " of a tuple of " + std::to_string(tuple->fields.size()));
    return tuple->fields[node.index];
}

Result<Type> infer_if(const If& node) {
    ORRERY_CHECK_OK(check_scalar(node.condition, DType::Bool, "a condition"));
    const std::vector<Type> args = types_of(node.args);
    ORRERY_CHECK_OK(check_args(node.then_function, args, "the branch"));
    ORRERY_CHECK_OK(check_args(node.else_function, args, "the branch"));
    const Type &a = node.then_function->result->type, &b = node.else_function->result->type;
    const Type both = join(a, b);
    if (!both) return wrong(Code::BadType, "the branches give " + to_string(a) + " and " + to_string(b));
    return both;
}

/// The body's result without the condition: carried values, then one iteration's part of each scanned output. The
/// number of iterations is unknown to the type: the scanned outputs' leading dimension is `?`.
Result<Type> infer_loop(const Loop::Fields& loop) {
    if (loop.max_trips) ORRERY_CHECK_OK(check_scalar(loop.max_trips, DType::I64, "a loop's limit"));
    if (loop.condition) ORRERY_CHECK_OK(check_scalar(loop.condition, DType::Bool, "a loop's condition"));
    std::vector<Type> args{tensor_type(DType::I64, Shape{}), tensor_type(DType::Bool, Shape{})};
    for (const std::vector<Var>* part : {&loop.carried, &loop.captured})
        for (const Type& type : types_of(*part)) args.push_back(type);
    ORRERY_CHECK_OK(check_args(loop.body, args, "the loop body"));

    const TupleType* result = as_tuple(loop.body->result->type);
    if (!result || result->fields.size() < 1 + loop.carried.size() || !equal(result->fields[0], args[1]))
        return wrong(Code::BadType,
                     "a loop body gives a tuple of the condition, carried values and scanned values, not " +
                         to_string(loop.body->result->type));
    std::vector<Type> fields;
    for (std::size_t i = 1; i < result->fields.size(); ++i) {
        const Type& type = result->fields[i];
        if (i <= loop.carried.size()) {
            const Type& carried = loop.body->params[i + 1]->type;
            if (!accepts(carried, type))
                return wrong(Code::BadType,
                             "the loop carries " + to_string(carried) + " in and " + to_string(type) + " out");
            fields.push_back(carried);
            continue;
        }
        const TensorType* tensor = as_tensor(type);
        if (!tensor) return wrong(Code::BadType, "a scanned value is a tensor, not " + to_string(type));
        std::vector<Dim> dims{Dim::named("?")};
        dims.insert(dims.end(), tensor->dims.begin(), tensor->dims.end());
        fields.push_back(tensor_type(tensor->dtype, std::move(dims)));
    }
    return tuple_type(std::move(fields));
}

} // namespace

Result<Type> infer_expr(const Expr& expr) {
    ORRERY_ASSERT(expr != nullptr, "an expression is there");
    switch (expr->kind) {
    case ExprKind::CallOp: {
        const CallOp& call = *as<CallOp>(expr);
        return infer_call(call.op, types_of(call.args), call.attrs);
    }
    case ExprKind::CallFunction: {
        const CallFunction& call = *as<CallFunction>(expr);
        ORRERY_CHECK_OK(check_args(call.function, types_of(call.args), "the function"));
        return call.function->result->type;
    }
    case ExprKind::Constant: {
        const NDArray& value = as<Constant>(expr)->value;
        return tensor_type(value.dtype(), value.shape());
    }
    case ExprKind::Tuple: {
        std::vector<Type> fields = types_of(as<Tuple>(expr)->fields);
        if (std::ranges::find(fields, nullptr) != fields.end())
            return wrong(Code::BadType, "a tuple has no missing parts");
        return tuple_type(std::move(fields));
    }
    case ExprKind::Project: return infer_project(*as<Project>(expr));
    case ExprKind::If: return infer_if(*as<If>(expr));
    case ExprKind::Loop: return infer_loop(as<Loop>(expr)->fields);
    case ExprKind::FunctionLiteral: return as<FunctionLiteral>(expr)->function->type();
    }
    fail_internal("infer_expr covers every kind");
}

} // namespace orrery::graph
