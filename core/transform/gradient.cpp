// Forward: which values depend on the parameters asked for. Backward: each binding hands the derivative of its value on
// to its operands; a variable's derivative is the sum of what all its users hand it, complete once they are all seen,
// since bindings stand in order.

#include "core/transform/gradient.hpp"

#include "core/ops/ops.hpp"
#include "core/transform/gradient_rules.hpp"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

namespace orrery::transform {

using graph::Binding;
using graph::CallOp;
using graph::Type;

namespace gradient_rules {

// --------------------------------------------------------------------------------------- emitting

Var Emitter::call(const char* op, std::vector<Var> args, Attrs attrs) {
    const Var fallback = args.front();
    if (error_) return fallback;
    Result<Var> var =
        builder_.try_emit(make_ref<const CallOp>(ops::op(op), std::move(args), std::move(attrs)), op, origin_);
    if (var) return *var;
    error_ = std::move(var.error());
    return fallback;
}

Var Emitter::constant(NDArray value) { return builder_.constant(std::move(value), origin_, "c"); }

Var Emitter::number(const Var& like, double value) {
    NDArray array = NDArray::allocate(dtype(like), {});
    array.set(0, value);
    return constant(std::move(array));
}

Var Emitter::project(const Var& tuple, std::size_t index) {
    if (error_) return tuple;
    return builder_.emit(make_ref<const graph::Project>(tuple, index), "part", origin_);
}

Var Emitter::sum(const Var& a, const Ints& axes, bool keepdims) {
    return call("reduce_sum", {a}, {{"axes", axes}, {"keepdims", keepdims}});
}

Var Emitter::filled(DType type, const Shape& extents, double value) {
    NDArray array = NDArray::allocate(type, {});
    array.set(0, value);
    const Var one = constant(std::move(array));
    return extents.empty() ? one : call("broadcast_to", {one}, {{"shape", extents}});
}

Var Emitter::fit(const Var& g, const Shape& extents) {
    if (error_) return g;
    const Shape from = shape(g);
    if (from == extents) return g;
    const std::size_t lead = from.size() - extents.size();
    Ints axes;
    for (std::size_t d = 0; d < from.size(); ++d)
        if (d < lead || (extents[d - lead] == 1 && from[d] != 1)) axes.push_back(static_cast<std::int64_t>(d));
    const Var total = axes.empty() ? g : sum(g, axes, true);
    return lead == 0 ? total : reshape(total, extents);
}

Shape shape(const Var& var) { return graph::static_shape(*graph::as_tensor(var->type)); }
DType dtype(const Var& var) { return graph::as_tensor(var->type)->dtype; }

Ints axes_from(std::size_t first, std::size_t rank) {
    Ints axes(rank - first);
    std::iota(axes.begin(), axes.end(), static_cast<std::int64_t>(first));
    return axes;
}

} // namespace gradient_rules

namespace {

using namespace gradient_rules;

const std::unordered_map<std::string_view, gradient_rules::Rule>& rules() {
    static const auto* const table = [] {
        auto* map = new std::unordered_map<std::string_view, gradient_rules::Rule>;
        for (const auto rows :
             {elementwise_rows(), activation_rows(), reduction_rows(), shape_rows(), product_rows(), pool_rows()})
            for (const Row& row : rows) map->emplace(row.op, row.rule);
        return map;
    }();
    return *table;
}

bool is_real(const Type& type) {
    const graph::TensorType* tensor = graph::as_tensor(type);
    return tensor && is_float(tensor->dtype);
}

Diagnostic refused(Code code, const Var& var, const std::string& why) {
    return {code, "the derivative of " + var->name + " " + why, {}, {}};
}

class Differentiator {
  public:
    Differentiator(const graph::Function& function, std::span<const std::size_t> by)
        : function_(function), by_(by), emit_(builder_) {}

    Result<graph::Function> run() {
        ORRERY_CHECK_OK(check_ends());
        for (const Var& param : function_->params) builder_.param(param);
        for (const Binding& binding : function_->bindings) builder_.append(binding);
        find_active();
        const Var& y = function_->result;
        if (active_.contains(y)) give(y, 0, emit_.filled(dtype(y), shape(y), 1));
        for (std::size_t i = function_->bindings.size(); i-- > 0;) ORRERY_CHECK_OK(step(function_->bindings[i]));
        std::vector<Var> results;
        emit_.begin({});
        for (const std::size_t i : by_) {
            const Var& param = function_->params[i];
            const Var g = derivative(param, 0);
            results.push_back(g ? g : emit_.zeros(dtype(param), shape(param)));
        }
        if (emit_.error()) return *emit_.error();
        const Var result =
            results.size() == 1 ? results[0] : builder_.emit(make_ref<const graph::Tuple>(results), "derivatives", {});
        return graph::make_function(function_->name + "_gradient", function_->params, used_for(result), result);
    }

  private:
    /// The bindings that lead to a value: rules also derive by operands that nobody asked about.
    std::vector<Binding> used_for(const Var& result) const {
        std::unordered_set<Var> wanted{result};
        std::vector<Binding> kept;
        const std::vector<Binding>& all = builder_.bindings();
        for (std::size_t i = all.size(); i-- > 0;) {
            if (!wanted.contains(all[i].var)) continue;
            kept.push_back(all[i]);
            for (const Var& operand : graph::operands(all[i].value))
                if (operand) wanted.insert(operand);
        }
        std::ranges::reverse(kept);
        return kept;
    }

    Result<void> check_ends() const {
        std::vector<Var> ends{function_->result};
        for (const std::size_t i : by_) ends.push_back(function_->params[i]);
        for (const Var& var : ends) {
            if (!is_real(var->type))
                return refused(Code::UnsupportedFeature, var, "is asked for, which is no floating-point tensor");
            if (!graph::fully_static(var->type)) return refused(Code::BadShape, var, "needs static shapes");
        }
        return {};
    }

    /// Values that depend on the parameters through floating-point numbers.
    void find_active() {
        for (const std::size_t i : by_) active_.insert(function_->params[i]);
        for (const Binding& binding : function_->bindings) {
            if (graph::as_tensor(binding.var->type) && !is_real(binding.var->type)) continue;
            const std::vector<Var> used = graph::operands(binding.value);
            if (std::ranges::any_of(used, [&](const Var& v) { return v && active_.contains(v); }))
                active_.insert(binding.var);
        }
    }

    /// The derivative by part `index` of a variable, so far; null when there is none.
    Var derivative(const Var& var, std::size_t index) {
        const auto it = found_.find(var);
        return it != found_.end() && index < it->second.size() ? it->second[index] : Var();
    }

    void give(const Var& var, std::size_t index, const Var& g) {
        if (!var || !g || !active_.contains(var)) return;
        std::vector<Var>& parts = found_[var];
        if (parts.size() <= index) parts.resize(index + 1);
        parts[index] = parts[index] ? emit_.add(parts[index], g) : g;
    }

    Result<void> step(const Binding& binding) {
        const auto it = found_.find(binding.var);
        if (it == found_.end()) return {};
        emit_.begin(binding.origin);
        const std::vector<Var> parts = it->second;
        if (const auto* project = graph::as<graph::Project>(binding.value)) {
            give(project->tuple, project->index, parts[0]);
        } else if (const auto* tuple = graph::as<graph::Tuple>(binding.value)) {
            for (std::size_t i = 0; i < parts.size(); ++i) give(tuple->fields[i], 0, parts[i]);
        } else if (const auto* call = graph::as<CallOp>(binding.value)) {
            ORRERY_CHECK_OK(step_back(binding, *call, parts));
        } else {
            return refused(Code::UnsupportedFeature, binding.var, "goes through a branch, a loop or a call");
        }
        if (emit_.error()) return *emit_.error();
        return {};
    }

    Result<void> step_back(const Binding& binding, const CallOp& call, const std::vector<Var>& parts) {
        if (!parts[0]) return {};
        const auto rule = rules().find(call.op.name);
        if (rule == rules().end())
            return refused(Code::UnsupportedFeature, binding.var,
                           "goes through " + call.op.name + ", which has no rule for it");
        const auto is_static = [](const Var& v) { return !v || graph::fully_static(v->type); };
        if (!is_static(binding.var) || !std::ranges::all_of(call.args, is_static))
            return refused(Code::BadShape, binding.var, "needs static shapes");
        const std::vector<Var> back = rule->second({emit_, call, binding.var, parts});
        for (std::size_t i = 0; i < back.size() && i < call.args.size(); ++i) give(call.args[i], 0, back[i]);
        return {};
    }

    const graph::Function& function_;
    const std::span<const std::size_t> by_;
    graph::FunctionBuilder builder_;
    Emitter emit_;
    std::unordered_set<Var> active_;
    std::unordered_map<Var, std::vector<Var>> found_;
};

} // namespace

Result<graph::Function> gradient(const graph::Function& function, std::span<const std::size_t> by) {
    return Differentiator(function, by).run();
}

bool has_gradient(std::string_view op) { return rules().contains(op); }

graph::Function slice_of(const graph::FunctionBuilder& builder, const Var& y, std::span<const Var> inputs,
                         std::vector<Var>& free) {
    const std::unordered_set<Var> given(inputs.begin(), inputs.end());
    std::unordered_set<Var> wanted;
    std::vector<Binding> bindings;
    if (!given.contains(y)) wanted.insert(y);
    const std::vector<Binding>& all = builder.bindings();
    for (std::size_t i = all.size(); i-- > 0;) {
        if (wanted.erase(all[i].var) == 0) continue;
        bindings.push_back(all[i]);
        for (const Var& operand : graph::operands(all[i].value))
            if (operand && !given.contains(operand)) wanted.insert(operand);
    }
    std::ranges::reverse(bindings);
    // What is left is bound nowhere: parameters, in the order in which they are used.
    for (const Binding& binding : bindings)
        for (const Var& operand : graph::operands(binding.value))
            if (operand && wanted.erase(operand) > 0) free.push_back(operand);
    if (wanted.erase(y) > 0) free.push_back(y);
    std::vector<Var> params(inputs.begin(), inputs.end());
    params.insert(params.end(), free.begin(), free.end());
    return graph::make_function("slice", std::move(params), std::move(bindings), y);
}

} // namespace orrery::transform
