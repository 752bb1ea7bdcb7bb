#include "core/base/parallel.hpp"
#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "core/ops/permute.hpp"
#include "core/ops/rows.hpp"
#include "core/transform/passes.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <unordered_map>

namespace orrery::transform {

namespace {

/// Whether the operands of a call are known, and the result is worth keeping: what is no larger than what it is made
/// from takes that one's place. `held`: bytes of the operands.
bool may_fold(const graph::CallOp& call, const graph::Type& result, std::size_t held, std::size_t max_bytes) {
    const auto* type = graph::as_tensor(result);
    if (call.op.random || !type || !graph::is_static(*type)) return false;
    const auto bytes = static_cast<std::size_t>(graph::byte_size(result));
    return bytes <= max_bytes || bytes <= held;
}

/// The operators by their definitions, but for what large weights go through: another shape is the same memory, and
/// what turns axes or takes batch normalization in is put off until all passes have had their turn.
graph::OpEvaluator folding_evaluator() {
    return [by_definition = ops::interpreter_evaluator()](const graph::CallOp& call, std::span<const NDArray> args,
                                                          const graph::Type& result,
                                                          const Progress& progress) -> Result<std::vector<NDArray>> {
        const auto* type = graph::as_tensor(result);
        const bool known =
            type && graph::is_static(*type) && !args.empty() && args[0].defined() && args[0].dtype() == type->dtype;
        if (known && call.op.name == "reshape" && args[0].size() == element_count(graph::static_shape(*type)))
            return std::vector{args[0].reshaped(graph::static_shape(*type))};
        if (known && call.op.name == "transpose" && call.attrs.has("perm"))
            return std::vector{ops::permuted(args[0], call.attrs.ints("perm"))};
        if (known && call.op.name == "multiply" && args.size() == 2)
            if (std::optional<NDArray> scaled = ops::row_product(args[0], args[1])) return std::vector{*scaled};
        return by_definition(call, args, result, progress);
    };
}

/// Values of calls on constants, computed beforehand on all cores: first those of constants alone, then those of these.
/// What it leaves out, the rewriter finds in order.
class Beforehand {
  public:
    Beforehand(const graph::Function& function, std::size_t max_bytes, const graph::OpEvaluator& evaluate)
        : evaluate_(evaluate) {
        for (const graph::Binding& binding : function->bindings) {
            if (const auto* constant = graph::as<graph::Constant>(binding.value))
                known_[binding.var] = {0, static_cast<std::size_t>(graph::byte_size(binding.var->type)),
                                       constant->value};
            else if (const auto* call = graph::as<graph::CallOp>(binding.value))
                plan(binding, *call, max_bytes);
        }
    }

    void run(const Progress& progress) {
        for (const std::vector<const graph::Binding*>& level : levels_)
            parallel_for(level.size(), 0, [&](std::size_t i) {
                if (!progress.cancelled()) compute(*level[i], progress);
            });
    }

    /// Null when the call's value is not known yet.
    [[nodiscard]] const Result<NDArray>* find(const graph::Var& var) const {
        const auto found = known_.find(var);
        return found != known_.end() && found->second.level > 0 && found->second.value ? &*found->second.value
                                                                                       : nullptr;
    }

  private:
    struct Known {
        std::size_t level = 0; ///< 0 for a constant, else one more than its operands'
        std::size_t bytes = 0;
        std::optional<Result<NDArray>> value;
    };

    void plan(const graph::Binding& binding, const graph::CallOp& call, std::size_t max_bytes) {
        std::size_t level = 0, held = 0;
        for (const graph::Var& arg : call.args) {
            if (!arg) continue;
            const auto found = known_.find(arg);
            if (found == known_.end()) return;
            level = std::max(level, found->second.level);
            held += found->second.bytes;
        }
        if (!may_fold(call, binding.var->type, held, max_bytes)) return;
        known_[binding.var] = {level + 1, static_cast<std::size_t>(graph::byte_size(binding.var->type)), std::nullopt};
        levels_.resize(std::max(levels_.size(), level + 1));
        levels_[level].push_back(&binding);
    }

    void compute(const graph::Binding& binding, const Progress& progress) {
        const auto& call = *graph::as<graph::CallOp>(binding.value);
        std::vector<NDArray> args;
        for (const graph::Var& arg : call.args) {
            const std::optional<Result<NDArray>>& value = arg ? known_.at(arg).value : kNothing;
            if (arg && (!value || !*value)) return; // failed: the first failure is reported in order
            args.push_back(arg ? **value : NDArray{});
        }
        Result<std::vector<NDArray>> folded = evaluate_(call, args, binding.var->type, progress);
        if (folded)
            known_.at(binding.var).value = folded->front();
        else
            known_.at(binding.var).value = folded.error();
    }

    static inline const std::optional<Result<NDArray>> kNothing;
    const graph::OpEvaluator& evaluate_;
    std::unordered_map<graph::Var, Known> known_; ///< as it is while threads write different elements
    std::vector<std::vector<const graph::Binding*>> levels_;
};

class Folder final : public graph::Rewriter {
  public:
    Folder(const pass::Context& context, std::size_t max_bytes)
        : Rewriter(context.recorder), progress_(context.progress), max_bytes_(max_bytes),
          evaluate_(folding_evaluator()) {}

    graph::Function fold(const graph::Function& function) {
        Beforehand values(function, max_bytes_, evaluate_);
        values.run(progress_);
        values_ = &values;
        graph::Function out = run(function);
        values_ = nullptr;
        return out;
    }
    const std::optional<Diagnostic>& error() const { return error_; }

  protected:
    graph::Var rewrite_binding(const graph::Binding& binding) override {
        if (const auto* project = graph::as<graph::Project>(binding.value))
            if (const graph::Expr tuple = value_of(project->tuple))
                if (const auto* fields = graph::as<graph::Tuple>(tuple))
                    return alias(binding, fields->fields[project->index], "project of a tuple");
        const auto* call = graph::as<graph::CallOp>(binding.value);
        if (!call || error_ || progress_.cancelled()) return keep(binding);
        std::vector<NDArray> args;
        std::size_t held = 0;
        for (const graph::Var& arg : call->args) {
            const NDArray* value = arg ? constant_of(arg) : nullptr;
            if (arg && !value) return keep(binding);
            args.push_back(value ? *value : NDArray{});
            held += value ? value->bytes() : 0;
        }
        if (!may_fold(*call, binding.var->type, held, max_bytes_)) return keep(binding);
        const Result<NDArray> folded = value_of_call(binding, *call, args);
        if (!folded) {
            error_ = folded.error();
            return keep(binding);
        }
        return replace(binding, make_ref<const graph::Constant>(*folded), "fold a call on constants", call->args);
    }

  private:
    Result<NDArray> value_of_call(const graph::Binding& binding, const graph::CallOp& call,
                                  const std::vector<NDArray>& args) const {
        if (const Result<NDArray>* known = values_->find(binding.var)) return *known;
        ORRERY_TRY(const std::vector<NDArray> folded, evaluate_(call, args, binding.var->type, progress_));
        return folded.front();
    }

    const Progress& progress_;
    std::size_t max_bytes_;
    graph::OpEvaluator evaluate_;
    const Beforehand* values_ = nullptr;
    std::optional<Diagnostic> error_;
};

} // namespace

Result<graph::Module> fold_constant(const graph::Module& module, const pass::Context& context) {
    const std::string text = context.option("max_bytes", "268435456");
    std::size_t max_bytes = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), max_bytes);
    if (code != std::errc{} || end != text.data() + text.size())
        return Diagnostic{Code::BadArgument, "max_bytes is a number of bytes, not \"" + text + "\"", {}, {}};
    Folder folder(context, max_bytes);
    graph::Module out = module;
    out.main = folder.fold(module.main);
    if (folder.error()) return *folder.error();
    if (context.progress.cancelled()) return Diagnostic{Code::Cancelled, "cancelled", {}, {}};
    return out;
}

} // namespace orrery::transform
