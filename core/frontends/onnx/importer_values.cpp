#include "core/frontends/onnx/importer_values.hpp"

#include <algorithm>

namespace orrery::onnx {

using graph::as;
using graph::Var;

namespace {

// Our choice: bounds the time that a hostile model can spend here; shape arithmetic of real models takes hundreds.
constexpr int kMaxEvaluations = 5'000;
// Operands may be larger than what is computed from them: a row gathered from a table.
constexpr std::int64_t kOperandFactor = 16;

} // namespace

void KnownValues::note(const Var& var) {
    const graph::Expr value = builder_.value_of(var);
    if (!value) return;
    if (const auto* constant = as<graph::Constant>(value)) {
        known_.emplace(var, std::vector<NDArray>{constant->value});
        return;
    }
    const auto* call = as<graph::CallOp>(value);
    if ((!call && value->kind != graph::ExprKind::Project) || (call && call->op.random)) return;
    const std::vector<Var> operands = graph::operands(value);
    if (std::ranges::all_of(operands, [&](const Var& v) { return !v || known_.contains(v); }))
        known_.emplace(var, std::vector<NDArray>{});
}

std::optional<NDArray> KnownValues::value(const Var& var, std::int64_t max_bytes) {
    const auto it = var ? known_.find(var) : known_.end();
    if (it == known_.end()) return std::nullopt;
    if (it->second.empty() && !compute(var, max_bytes)) return std::nullopt;
    return it->second.size() == 1 ? std::optional(it->second[0]) : std::nullopt;
}

bool KnownValues::compute(const Var& root, std::int64_t max_bytes) {
    std::vector<Var> stack{root}; // operands above the values that need them: no recursion
    while (!stack.empty()) {
        const Var var = stack.back();
        if (!known_.at(var).empty()) {
            stack.pop_back();
            continue;
        }
        const graph::Expr expr = builder_.value_of(var);
        const std::size_t height = stack.size();
        for (const Var& operand : graph::operands(expr))
            if (operand && known_.at(operand).empty()) stack.push_back(operand);
        if (stack.size() > height) continue;
        std::optional<std::vector<NDArray>> result = apply(var, expr, max_bytes);
        if (!result) return false;
        known_.at(var) = std::move(*result);
        stack.pop_back();
    }
    return true;
}

std::optional<std::vector<NDArray>> KnownValues::apply(const Var& var, const graph::Expr& expr,
                                                       std::int64_t max_bytes) {
    if (const auto* part = as<graph::Project>(expr))
        return std::vector<NDArray>{known_.at(part->tuple).at(part->index)};
    const auto& call = *as<graph::CallOp>(expr);
    if (graph::byte_size(var->type) > static_cast<std::size_t>(max_bytes) || evaluations_ >= kMaxEvaluations)
        return std::nullopt;
    std::vector<NDArray> args;
    std::size_t bytes = 0;
    for (const Var& arg : call.args) {
        args.push_back(arg ? known_.at(arg).at(0) : NDArray());
        if (arg) bytes += args.back().bytes();
    }
    if (bytes > static_cast<std::size_t>(kOperandFactor * max_bytes)) return std::nullopt;
    ++evaluations_;
    Result<std::vector<NDArray>> result = evaluator_(call, args, var->type, progress_);
    if (!result || result->empty()) return std::nullopt;
    return *std::move(result);
}

} // namespace orrery::onnx
