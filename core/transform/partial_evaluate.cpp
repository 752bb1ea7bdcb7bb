// Steps: bindings are taken in order, over what is known of their operands.
// - An operator whose operands are constants becomes one, when the result is small.
// - A branch whose condition is known, and a function whose arguments are all constants, are replaced by the bindings
// of
//   what would run, taken the same way.
// - A loop whose number of trips is known is replaced by that many copies of its body. The number is found beforehand
// by
//   running what the condition depends on; data it does not know ends that.

#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "core/transform/everywhere.hpp"
#include "core/transform/passes.hpp"

#include <algorithm>
#include <optional>

namespace orrery::transform {

namespace {

using graph::Binding;
using graph::Expr;
using graph::Function;
using graph::FunctionBuilder;
using graph::Loop;
using graph::Var;

/// Largest constant that is made, in bytes: enough for shapes, conditions and counters; FoldConstant takes the rest.
constexpr std::size_t kSmall = 4096;
/// Branches, calls and loops inside one another that are followed. Source: our choice; each takes stack.
constexpr int kMostDepth = 64;

NDArray scalar(DType dtype, std::int64_t value) {
    NDArray array = NDArray::allocate(dtype, {});
    array.set_int(0, value);
    return array;
}

bool is_small(const graph::Type& type) {
    const graph::TensorType* tensor = graph::as_tensor(type);
    return tensor && graph::is_static(*tensor) && graph::byte_size(type) <= kSmall;
}

class PartialEvaluator {
  public:
    struct Limits {
        std::size_t trips = 0, bindings = 0;
    };
    PartialEvaluator(const pass::Context& context, const Limits& limits)
        : context_(context), most_trips_(limits.trips), budget_(limits.bindings),
          evaluate_(ops::interpreter_evaluator()) {}

    /// Whether a result may get a narrower type (a known extent instead of `?`), or somebody relies on the one it has.
    enum class Types : bool { Stay, Narrow };

    Result<Function> run(const Function& function, Types types) {
        types_ = types;
        rewrites_ = 0;
        depth_ = 0;
        builder_ = {};
        for (const Var& param : function->params) builder_.param(param);
        Replacements known;
        for (const Binding& binding : function->bindings) {
            if (context_.progress.cancelled()) return Diagnostic{Code::Cancelled, "cancelled", {}, {}};
            ORRERY_TRY(const Var var, take(binding, known, {}));
            if (var != binding.var) known.vars.emplace(binding.var, var);
        }
        if (rewrites_ == 0) return function;
        return builder_.finish(function->name, known.now(function->result), function->attrs);
    }

  private:
    [[nodiscard]] const NDArray* constant_of(const Var& var) const {
        const Expr value = var ? builder_.value_of(var) : Expr();
        const auto* constant = graph::as<graph::Constant>(value);
        return constant ? &constant->value : nullptr;
    }

    /// What stands for a binding, whose origin is united with `origin`.
    Result<Var> take(const Binding& binding, const Replacements& known, const OriginSet& origin) {
        const Expr value = known.now(binding.value);
        const OriginSet all = unite(binding.origin, origin);
        ORRERY_TRY(const Var simpler, simplified({binding.var, value, all}));
        if (simpler) {
            ++rewrites_;
            if (context_.recorder)
                context_.recorder->add({binding.var, simpler, "known beforehand", __FILE__, __LINE__});
            return simpler;
        }
        if (value == binding.value && origin.empty()) return builder_.append(binding);
        return builder_.try_emit(value, binding.var->name, all);
    }

    /// What stands for the value, or null when there is nothing to know.
    Result<Var> simplified(const Binding& binding) {
        if (const auto* call = graph::as<graph::CallOp>(binding.value)) return folded(binding, *call);
        if (const auto* project = graph::as<graph::Project>(binding.value)) {
            const Expr tuple = builder_.value_of(project->tuple);
            const auto* fields = graph::as<graph::Tuple>(tuple);
            return fields ? fields->fields[project->index] : Var();
        }
        if (depth_ >= kMostDepth) return Var();
        if (const auto* branch = graph::as<graph::If>(binding.value)) {
            const NDArray* condition = constant_of(branch->condition);
            if (!condition) return Var();
            return applied(condition->as_int(0) != 0 ? branch->then_function : branch->else_function, branch->args,
                           binding.origin);
        }
        if (const auto* call = graph::as<graph::CallFunction>(binding.value)) {
            const bool all = std::ranges::all_of(call->args, [this](const Var& arg) { return constant_of(arg); });
            return all && !is_closed_unit(call->function) ? applied(call->function, call->args, binding.origin)
                                                          : Result<Var>(Var());
        }
        if (const auto* loop = graph::as<Loop>(binding.value)) return unrolled(binding, loop->fields);
        return Var();
    }

    Result<Var> folded(const Binding& binding, const graph::CallOp& call) {
        if (call.op.random || !is_small(binding.var->type)) return Var();
        std::vector<NDArray> args;
        for (const Var& arg : call.args) {
            const NDArray* value = constant_of(arg);
            if (arg && !value) return Var();
            args.push_back(value ? *value : NDArray{});
        }
        ORRERY_TRY(const graph::Type type, graph::infer_expr(binding.value));
        if (!is_small(type)) return Var();
        ORRERY_TRY(const std::vector<NDArray> results, evaluate_(call, args, type, context_.progress));
        return builder_.constant(results.front(), binding.origin, binding.var->name);
    }

    /// The bindings of a function applied to `args`; null when they are more than the budget allows.
    Result<Var> applied(const Function& function, std::span<const Var> args, const OriginSet& origin) {
        if (function->bindings.size() > budget_) return Var();
        budget_ -= function->bindings.size();
        return copied(function, args, origin);
    }

    /// The same, already paid for.
    Result<Var> copied(const Function& function, std::span<const Var> args, const OriginSet& origin) {
        ++depth_;
        Replacements known;
        for (std::size_t i = 0; i < args.size(); ++i) known.vars.emplace(function->params[i], args[i]);
        for (const Binding& binding : function->bindings) {
            ORRERY_TRY(const Var var, take_copy(binding, known, origin));
            known.vars.emplace(binding.var, var);
        }
        --depth_;
        return known.now(function->result);
    }

    /// As take(), of a function that may be applied again: never the binding's own variable.
    Result<Var> take_copy(const Binding& binding, const Replacements& known, const OriginSet& origin) {
        const Expr value = known.now(binding.value);
        const OriginSet all = unite(binding.origin, origin);
        ORRERY_TRY(const Var simpler, simplified({binding.var, value, all}));
        return simpler ? Result<Var>(simpler) : builder_.try_emit(value, binding.var->name, all);
    }

    // -------------------------------------------------------------------------- loops

    /// What is known of a loop's parameters in one trip; undefined arrays are not.
    using Known = std::unordered_map<Var, NDArray>;

    /// Evaluates what bindings of the body follow from what is known.
    Result<void> follow(const Function& body, Known& known) const {
        for (const Binding& binding : body->bindings) {
            if (const auto* constant = graph::as<graph::Constant>(binding.value))
                if (constant->value.bytes() <= kSmall) known.emplace(binding.var, constant->value);
            const auto* call = graph::as<graph::CallOp>(binding.value);
            if (!call || call->op.random || !is_small(binding.var->type)) continue;
            std::vector<NDArray> args;
            bool all = true;
            for (const Var& arg : call->args) {
                const auto it = arg ? known.find(arg) : known.end();
                all = all && (!arg || it != known.end());
                args.push_back(it == known.end() ? NDArray{} : it->second);
            }
            if (!all) continue;
            ORRERY_TRY(const std::vector<NDArray> results,
                       evaluate_(*call, args, binding.var->type, context_.progress));
            known.emplace(binding.var, results.front());
        }
        return {};
    }

    /// The loop's number of trips, or nothing when data decides it or it is too large.
    Result<std::optional<std::int64_t>> trip_count(const Loop::Fields& loop) const {
        const std::optional<std::int64_t> unknown;
        const NDArray *limit = constant_of(loop.max_trips), *condition = constant_of(loop.condition);
        if ((loop.max_trips && !limit) || (loop.condition && !condition)) return unknown;
        const std::int64_t most = limit ? limit->as_int(0) : INT64_MAX;
        bool going = !condition || condition->as_int(0) != 0;
        const std::vector<Var>* next = results_of(loop.body);
        if (!next) return unknown;
        Known fixed, carried;
        for (std::size_t i = 0; i < loop.captured.size(); ++i)
            if (const NDArray* value = constant_of(loop.captured[i]))
                fixed.emplace(loop.body->params[2 + loop.carried.size() + i], *value);
        for (std::size_t i = 0; i < loop.carried.size(); ++i)
            if (const NDArray* value = constant_of(loop.carried[i])) carried.emplace(loop.body->params[2 + i], *value);
        std::int64_t trip = 0;
        for (; going && trip < most; ++trip) {
            if (trip >= static_cast<std::int64_t>(most_trips_)) return unknown;
            Known known = fixed;
            known.insert(carried.begin(), carried.end());
            known.emplace(loop.body->params[0], scalar(DType::I64, trip));
            known.emplace(loop.body->params[1], scalar(DType::Bool, 1));
            ORRERY_CHECK_OK(follow(loop.body, known));
            const auto again = known.find((*next)[0]);
            if (again == known.end()) return unknown;
            going = again->second.as_int(0) != 0;
            carried.clear();
            for (std::size_t i = 0; i < loop.carried.size(); ++i)
                if (const auto it = known.find((*next)[1 + i]); it != known.end())
                    carried.emplace(loop.body->params[2 + i], it->second);
        }
        return std::optional<std::int64_t>(trip);
    }

    /// The fields of the tuple a body ends in; null when it ends in something else.
    static const std::vector<Var>* results_of(const Function& body) {
        for (const Binding& binding : body->bindings)
            if (binding.var == body->result)
                if (const auto* tuple = graph::as<graph::Tuple>(binding.value)) return &tuple->fields;
        return nullptr;
    }

    static bool scans_static_tensors(const Function& body, std::size_t carried) {
        const std::vector<graph::Type>& fields = graph::as_tuple(body->result->type)->fields;
        return std::all_of(fields.begin() + 1 + static_cast<std::ptrdiff_t>(carried), fields.end(),
                           [](const graph::Type& type) { return graph::is_static(*graph::as_tensor(type)); });
    }

    Result<Var> unrolled(const Binding& binding, const Loop::Fields& loop) {
        const std::size_t scanned = graph::as_tuple(loop.body->result->type)->fields.size() - 1 - loop.carried.size();
        // What is scanned gets a known extent.
        if (scanned > 0 && (types_ == Types::Stay || !scans_static_tensors(loop.body, loop.carried.size())))
            return Var();
        ORRERY_TRY(const std::optional<std::int64_t> trips, trip_count(loop));
        if (!trips) return Var();
        const std::size_t copies = static_cast<std::size_t>(*trips) * (loop.body->bindings.size() + 2);
        if (copies > budget_) return Var();
        budget_ -= copies;
        std::vector<Var> carried = loop.carried;
        std::vector<std::vector<Var>> parts(scanned);
        for (std::int64_t trip = 0; trip < *trips; ++trip) {
            std::vector<Var> args{builder_.constant(scalar(DType::I64, trip), binding.origin, "iteration"),
                                  builder_.constant(scalar(DType::Bool, 1), binding.origin, "going")};
            args.insert(args.end(), carried.begin(), carried.end());
            args.insert(args.end(), loop.captured.begin(), loop.captured.end());
            ORRERY_TRY(const Var next, copied(loop.body, args, binding.origin));
            const Expr tuple = builder_.value_of(next);
            const std::vector<Var>& fields = graph::as<graph::Tuple>(tuple)->fields;
            carried.assign(fields.begin() + 1, fields.begin() + 1 + static_cast<std::ptrdiff_t>(carried.size()));
            for (std::size_t i = 0; i < scanned; ++i) parts[i].push_back(fields[1 + carried.size() + i]);
        }
        std::vector<Var> results = carried;
        for (std::size_t i = 0; i < scanned; ++i) {
            const graph::Type& part = graph::as_tuple(loop.body->result->type)->fields[1 + carried.size() + i];
            ORRERY_TRY(const Var stacked, stack(parts[i], *graph::as_tensor(part), binding.origin));
            results.push_back(stacked);
        }
        return builder_.try_emit(make_ref<const graph::Tuple>(results), binding.var->name, binding.origin);
    }

    /// The parts along a new leading axis.
    Result<Var> stack(const std::vector<Var>& parts, const graph::TensorType& type, const OriginSet& origin) {
        Shape shape = graph::static_shape(type);
        shape.insert(shape.begin(), parts.empty() ? 0 : 1);
        if (parts.empty()) return builder_.constant(NDArray::zeros(type.dtype, shape), origin);
        std::vector<Var> rows;
        for (const Var& part : parts) {
            ORRERY_TRY(const Var row,
                       builder_.try_emit(make_ref<const graph::CallOp>(ops::op("reshape"), std::vector{part},
                                                                       graph::Attrs{{"shape", graph::Ints(shape)}}),
                                         {}, origin));
            rows.push_back(row);
        }
        return builder_.try_emit(
            make_ref<const graph::CallOp>(ops::op("concat"), rows, graph::Attrs{{"axis", std::int64_t{0}}}), {},
            origin);
    }

    const pass::Context& context_;
    std::size_t most_trips_, budget_;
    graph::OpEvaluator evaluate_;
    FunctionBuilder builder_;
    Types types_ = Types::Stay;
    int depth_ = 0;
    std::size_t rewrites_ = 0;
};

} // namespace

Result<graph::Module> partial_evaluate(const graph::Module& module, const pass::Context& context) {
    PartialEvaluator::Limits limits;
    ORRERY_TRY(limits.trips, number_option("max_trips", context.option("max_trips", "64"), 0));
    ORRERY_TRY(limits.bindings, number_option("budget", context.option("budget", "10000"), 0));
    using Types = PartialEvaluator::Types;
    return rewrite_everywhere(module, [&](const Function& function, Level level) -> Result<Function> {
        if (level == Level::Main) {
            Result<Function> narrowed = PartialEvaluator(context, limits).run(function, Types::Narrow);
            // Where something insists on the wider type, that stays.
            if (narrowed || narrowed.error().code == Code::Cancelled) return narrowed;
        }
        return PartialEvaluator(context, limits).run(function, Types::Stay);
    });
}

} // namespace orrery::transform
