#include "core/session/statistics.hpp"

#include "core/graph/functions.hpp"
#include "core/graph/op.hpp"
#include "core/lower/lower.hpp"

#include <mutex>
#include <unordered_map>

namespace orrery::session {

namespace {

using graph::Binding;
using graph::Var;

/// Works by structural hash of the function that was lowered. Thread: any.
class KnownWorks {
  public:
    std::optional<tensor::Cost> of(const graph::Function& function) {
        const Hash key = graph::structural_hash(function);
        {
            const std::lock_guard lock(mutex_);
            if (const auto it = works_.find(key); it != works_.end()) return it->second;
        }
        std::optional<tensor::Cost> work;
        if (const Result<tensor::Program> program = lower::lower_function(function, "counted"))
            work = tensor::cost_of(*program);
        constexpr std::size_t kMostKept = 100'000; // a few dozen bytes each
        const std::lock_guard lock(mutex_);
        if (works_.size() >= kMostKept) works_.clear();
        works_.emplace(key, work);
        return work;
    }

  private:
    std::mutex mutex_;
    std::unordered_map<Hash, std::optional<tensor::Cost>> works_;
};

bool is_static(const graph::Type& type) {
    if (const graph::TensorType* tensor = graph::as_tensor(type)) return graph::is_static(*tensor);
    const graph::TupleType* tuple = graph::as_tuple(type);
    if (!tuple) return false;
    for (const graph::Type& field : tuple->fields)
        if (!is_static(field)) return false;
    return true;
}

/// The call as a function of its own, every operand a parameter; null when an extent is not known.
graph::Function wrapped(const Binding& binding) {
    if (!is_static(binding.var->type)) return nullptr;
    std::vector<Var> params, args;
    std::unordered_map<Var, Var> seen;
    for (const Var& operand : graph::operands(binding.value)) {
        if (!operand) {
            args.emplace_back();
            continue;
        }
        if (!is_static(operand->type)) return nullptr;
        auto [it, fresh] = seen.try_emplace(operand);
        if (fresh) {
            it->second = graph::make_var(operand->name, operand->type);
            params.push_back(it->second);
        }
        args.push_back(it->second);
    }
    const Var result = graph::make_var(binding.var->name, binding.var->type);
    return graph::make_function("counted", params, {{result, graph::with_operands(binding.value, args), {}}}, result);
}

std::size_t bytes_of(const graph::Type& type) { return is_static(type) ? graph::byte_size(type) : 0; }

/// Bytes of main's values that are live at once. A tuple and its parts share memory.
std::size_t peak_of(const graph::FunctionNode& main) {
    std::unordered_map<Var, std::size_t> last; // index of the last binding that needs it
    const std::size_t count = main.bindings.size();
    last[main.result] = count;
    for (std::size_t i = count; i-- > 0;) {
        const Binding& binding = main.bindings[i];
        const graph::ExprKind kind = binding.value->kind;
        const bool shares = kind == graph::ExprKind::Tuple || kind == graph::ExprKind::Project;
        const auto own = last.find(binding.var);
        const std::size_t until = shares && own != last.end() ? own->second : i;
        for (const Var& operand : graph::operands(binding.value))
            if (operand) {
                std::size_t& at = last[operand];
                at = std::max(at, until);
            }
    }
    std::vector<std::size_t> freed(count + 1, 0);
    std::size_t live = 0, peak = 0;
    const auto define = [&](const Var& var, std::size_t at) {
        const auto it = last.find(var);
        const std::size_t bytes = bytes_of(var->type);
        live += bytes;
        peak = std::max(peak, live);
        if (it == last.end()) // nobody reads it
            live -= bytes;
        else if (std::max(it->second, at) <= count)
            freed[std::max(it->second, at)] += bytes;
    };
    for (const Var& param : main.params) define(param, 0);
    for (std::size_t i = 0; i < count; ++i) {
        const Binding& binding = main.bindings[i];
        const graph::ExprKind kind = binding.value->kind;
        if (kind != graph::ExprKind::Constant && kind != graph::ExprKind::Tuple && kind != graph::ExprKind::Project)
            define(binding.var, i);
        live -= std::min(live, freed[i]);
    }
    return peak;
}

void count_operators(Statistics& out, const graph::Function& main) {
    std::vector<graph::Function> todo{main};
    constexpr std::size_t kMostFunctions = 1'000'000; // a chain of shared functions could be opened for ever
    for (std::size_t seen = 0; !todo.empty() && seen < kMostFunctions; ++seen) {
        const graph::Function function = todo.back();
        todo.pop_back();
        for (const Binding& binding : function->bindings) {
            if (const auto* call = graph::as<graph::CallOp>(binding.value)) {
                ++out.operators[call->op.name];
                ++out.total;
            } else if (const auto* constant = graph::as<graph::Constant>(binding.value)) {
                ++out.weights;
                out.weight_elements += constant->value.size();
                out.weight_bytes += constant->value.bytes();
            }
            for (graph::Function& inner : graph::inner_functions(binding.value)) todo.push_back(std::move(inner));
        }
    }
}

/// One binding of main, or of a region that is not a kernel yet: then what it is made of is counted.
void count_work(Statistics& out, const Binding& binding, int depth) {
    constexpr int kDeepest = 2; // a region, an operator of several in it
    const graph::ExprKind kind = binding.value->kind;
    if (kind == graph::ExprKind::Constant || kind == graph::ExprKind::Tuple || kind == graph::ExprKind::Project) return;
    const auto* call = graph::as<graph::CallFunction>(binding.value);
    const bool parts = call && !call->function->primitive() && depth < kDeepest &&
                       (call->function->attrs.has("backend") || call->function->attrs.has("composite"));
    if (parts) {
        for (const Binding& inner : call->function->bindings) count_work(out, inner, depth + 1);
        return;
    }
    out.kernels += call && call->function->primitive() ? 1 : 0;
    const std::optional<tensor::Cost> work = work_of(binding);
    if (!work) {
        ++out.unknown;
        return;
    }
    out.flops += work->flops;
    out.bytes_read += work->bytes_read;
    out.bytes_written += work->bytes_written;
}

} // namespace

std::optional<tensor::Cost> work_of(const Binding& binding) {
    static KnownWorks works;
    if (const auto* kernel = graph::as<graph::CallFunction>(binding.value))
        return kernel->function->primitive() ? works.of(kernel->function) : std::nullopt;
    if (binding.value->kind != graph::ExprKind::CallOp) return std::nullopt;
    const graph::Function function = wrapped(binding);
    return function ? works.of(function) : std::nullopt;
}

Result<Statistics> statistics_of(const graph::Module& module, const Progress& progress) {
    Statistics out;
    count_operators(out, module.main);
    for (const Binding& binding : module.main->bindings) {
        if (progress.cancelled()) return Diagnostic{Code::Cancelled, "cancelled", {}, {}};
        count_work(out, binding, 0);
    }
    out.peak_bytes = peak_of(*module.main);
    return out;
}

} // namespace orrery::session
