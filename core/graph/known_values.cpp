#include "core/graph/known_values.hpp"

#include "core/graph/op.hpp"

#include <algorithm>

namespace orrery::graph {

namespace {

// Our choice: bounds the time that a hostile model can spend here; shape arithmetic of real models takes hundreds.
constexpr int kMaxEvaluations = 5'000;
// Operands may be larger than what is computed from them: a row gathered from a table.
constexpr std::int64_t kOperandFactor = 16;

} // namespace

bool KnownValues::follows_from_types(const CallOp& call) const {
    if (!call.op.value_of_types) return false;
    return std::ranges::all_of(call.args, [&](const Var& arg) {
        const TensorType* type = arg ? as_tensor(arg->type) : nullptr;
        return !arg || (type && std::ranges::all_of(type->dims, [&](const Dim& dim) {
                            return dim.is_static() || (probe_ && probe_->value(dim.symbol));
                        }));
    });
}

void KnownValues::note(const Var& var, const Expr& value) {
    if (!value) return;
    if (const auto* constant = as<Constant>(value)) {
        known_.emplace(var, Entry{value, {constant->value}});
        return;
    }
    const auto* call = as<CallOp>(value);
    if (!call && value->kind != ExprKind::Project && value->kind != ExprKind::Tuple) return;
    if (call && call->op.random) return;
    const std::vector<Var> used = operands(value);
    if ((call && follows_from_types(*call)) ||
        std::ranges::all_of(used, [&](const Var& v) { return !v || known_.contains(v); }))
        known_.emplace(var, Entry{value, {}});
}

void KnownValues::set(const Var& var, NDArray value) { known_.insert_or_assign(var, Entry{{}, {std::move(value)}}); }

std::optional<NDArray> KnownValues::value(const Var& var, std::int64_t max_bytes) {
    const auto it = var ? known_.find(var) : known_.end();
    if (it == known_.end()) return std::nullopt;
    if (it->second.parts.empty() && !compute(var, max_bytes)) return std::nullopt;
    return it->second.parts.size() == 1 ? std::optional(it->second.parts[0]) : std::nullopt;
}

bool KnownValues::compute(const Var& root, std::int64_t max_bytes) {
    std::vector<Var> stack{root}; // operands above the values that need them: no recursion
    while (!stack.empty()) {
        const Var var = stack.back();
        Entry& entry = known_.at(var);
        if (!entry.parts.empty()) {
            stack.pop_back();
            continue;
        }
        const auto* call = as<CallOp>(entry.expr);
        std::optional<std::vector<NDArray>> result;
        if (call && follows_from_types(*call)) {
            result = apply_to_types(*call);
        } else {
            const std::size_t height = stack.size();
            for (const Var& operand : operands(entry.expr))
                if (operand && known_.at(operand).parts.empty()) stack.push_back(operand);
            if (stack.size() > height) continue;
            result = apply(var, entry.expr, max_bytes);
        }
        if (!result || result->empty()) return false;
        entry.parts = std::move(*result);
        stack.pop_back();
    }
    return true;
}

std::optional<std::vector<NDArray>> KnownValues::apply_to_types(const CallOp& call) {
    std::vector<Type> types;
    for (const Var& arg : call.args) types.push_back(!arg ? Type() : probe_ ? probe_->closed(arg->type) : arg->type);
    return std::vector<NDArray>{call.op.value_of_types(TypeRequest{types, call.attrs})};
}

std::optional<std::vector<NDArray>> KnownValues::apply(const Var& var, const Expr& expr, std::int64_t max_bytes) {
    if (const auto* part = as<Project>(expr)) {
        const std::vector<NDArray>& parts = known_.at(part->tuple).parts;
        if (part->index >= parts.size()) return std::nullopt;
        return std::vector<NDArray>{parts[part->index]};
    }
    if (const auto* tuple = as<Tuple>(expr)) {
        std::vector<NDArray> parts;
        for (const Var& field : tuple->fields) {
            if (known_.at(field).parts.size() != 1) return std::nullopt;
            parts.push_back(known_.at(field).parts[0]);
        }
        return parts;
    }
    const auto& call = *as<CallOp>(expr);
    if (evaluations_ >= kMaxEvaluations) return std::nullopt;
    std::vector<NDArray> args;
    std::vector<Type> types;
    std::size_t bytes = 0;
    for (const Var& arg : call.args) {
        if (arg && known_.at(arg).parts.size() != 1) return std::nullopt;
        args.push_back(arg ? known_.at(arg).parts[0] : NDArray());
        types.push_back(arg ? tensor_type(args.back().dtype(), args.back().shape()) : Type());
        if (arg) bytes += args.back().bytes();
    }
    if (bytes > static_cast<std::size_t>(kOperandFactor * max_bytes)) return std::nullopt;
    Type type = var->type;
    if (!fully_static(type)) {
        Result<Type> actual = infer_call(call.op, types, call.attrs);
        if (!actual) return std::nullopt;
        type = *std::move(actual);
    }
    if (fully_static(type) && byte_size(type) > static_cast<std::size_t>(max_bytes)) return std::nullopt;
    ++evaluations_;
    Result<std::vector<NDArray>> result = evaluator_(call, args, type, progress_);
    if (!result || result->empty()) return std::nullopt;
    return *std::move(result);
}

} // namespace orrery::graph
