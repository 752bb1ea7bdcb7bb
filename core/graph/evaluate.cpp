#include "core/graph/evaluate.hpp"

#include "core/base/check.hpp"
#include "core/graph/op.hpp"
#include "core/graph/symbols.hpp"

#include <algorithm>
#include <cstring>
#include <unordered_map>

namespace orrery::graph {

namespace {

using Values = std::vector<NDArray>; // a tensor is one array; a tuple its parts', one after another

constexpr int kMaxDepth = 500; // nested function calls, each one frame of the machine's stack

std::size_t leaf_count(const Type& type) {
    if (as_tensor(type)) return 1;
    std::size_t count = 0;
    if (const TupleType* tuple = as_tuple(type))
        for (const Type& field : tuple->fields) count += leaf_count(field);
    return count; // a function value is known from the program, not at run time
}

Diagnostic bad(Code code, std::string message) { return {code, std::move(message), {}, {}}; }

class Evaluator {
  public:
    Evaluator(const OpEvaluator& op, const Progress& progress, const EvaluateOptions& options)
        : op_(op), progress_(progress), options_(options) {}

    Result<Values> apply(const Function& function, std::vector<Values> args, const Observer& observer) {
        if (++depth_ > kMaxDepth) return bad(Code::LimitExceeded, "functions call each other too deep to evaluate");
        Frame frame;
        for (std::size_t i = 0; i < args.size(); ++i) frame.values[function->params[i]] = std::move(args[i]);
        const std::unordered_map<Var, std::size_t> last = last_uses(*function);
        const std::size_t count = function->bindings.size();
        for (std::size_t i = 0; i < count; ++i) {
            const Binding& binding = function->bindings[i];
            if (progress_.cancelled()) return bad(Code::Cancelled, "cancelled");
            Result<Values> value = compute(binding, frame);
            if (!value) {
                if (value.error().locations.empty() && value.error().code != Code::Cancelled)
                    value.error().locations.push_back(ProgramPlace{function->name, binding.var->name});
                return std::move(value.error());
            }
            if (depth_ == 1) progress_.tell(binding.var->name, static_cast<double>(i + 1) / static_cast<double>(count));
            if (observer) observer(binding, *value);
            if (last.contains(binding.var)) frame.values[binding.var] = *std::move(value);
            for (const Var& var : operands(binding.value))
                if (const auto it = var ? last.find(var) : last.end(); it != last.end() && it->second == i)
                    frame.values.erase(var);
        }
        --depth_;
        return frame.values.at(function->result);
    }

  private:
    struct Frame {
        std::unordered_map<Var, Values> values;
    };

    /// Index of the last binding that uses each variable; past the end for the result.
    static std::unordered_map<Var, std::size_t> last_uses(const FunctionNode& function) {
        std::unordered_map<Var, std::size_t> last;
        for (std::size_t i = 0; i < function.bindings.size(); ++i)
            for (const Var& var : operands(function.bindings[i].value))
                if (var) last[var] = i;
        last[function.result] = function.bindings.size();
        return last;
    }

    static std::vector<Values> gather(const Frame& frame, const std::vector<Var>& vars) {
        std::vector<Values> out;
        out.reserve(vars.size());
        for (const Var& var : vars) out.push_back(var ? frame.values.at(var) : Values{});
        return out;
    }

    Result<Values> compute(const Binding& binding, const Frame& frame) {
        const Expr& value = binding.value;
        switch (value->kind) {
        case ExprKind::CallOp: return call(*as<CallOp>(value), binding.var->type, frame);
        case ExprKind::CallFunction:
            return apply(as<CallFunction>(value)->function, gather(frame, as<CallFunction>(value)->args), {});
        case ExprKind::Constant: return Values{as<Constant>(value)->value};
        case ExprKind::Tuple: {
            Values all;
            for (const Values& part : gather(frame, as<Tuple>(value)->fields))
                all.insert(all.end(), part.begin(), part.end());
            return all;
        }
        case ExprKind::Project: {
            const Project& node = *as<Project>(value);
            const std::vector<Type>& fields = as_tuple(node.tuple->type)->fields;
            std::size_t first = 0;
            for (std::size_t i = 0; i < node.index; ++i) first += leaf_count(fields[i]);
            const auto begin = frame.values.at(node.tuple).begin() + static_cast<std::ptrdiff_t>(first);
            return Values(begin, begin + static_cast<std::ptrdiff_t>(leaf_count(fields[node.index])));
        }
        case ExprKind::If: {
            const If& node = *as<If>(value);
            const bool yes = frame.values.at(node.condition).at(0).as_int(0) != 0;
            return apply(yes ? node.then_function : node.else_function, gather(frame, node.args), {});
        }
        case ExprKind::Loop: return loop(as<Loop>(value)->fields, binding.var->type, frame);
        case ExprKind::FunctionLiteral: return Values{};
        }
        fail_internal("compute covers every kind");
    }

    Result<Values> call(const CallOp& node, const Type& type, const Frame& frame) {
        Values args;
        args.reserve(node.args.size());
        for (const Var& var : node.args) {
            if (var && !as_tensor(var->type))
                return bad(Code::BadType, node.op.name + " is given a value that is no tensor");
            args.push_back(var ? frame.values.at(var).at(0) : NDArray());
        }
        const bool open = !fully_static(type) || std::ranges::any_of(node.args, [](const Var& var) {
            return var && !fully_static(var->type);
        });
        if (!open) return op_(node, args, type, progress_);
        ORRERY_TRY(const Type actual, actual_type(node, args));
        ORRERY_CHECK_OK(check_size(actual));
        return op_(node, args, actual, progress_);
    }

    static Result<Type> actual_type(const CallOp& node, const Values& args) {
        std::vector<Type> types;
        for (const NDArray& arg : args) types.push_back(arg.defined() ? tensor_type(arg.dtype(), arg.shape()) : Type());
        return infer_call(node.op, types, node.attrs);
    }

    Result<void> check_size(const Type& type) const {
        if (const TupleType* tuple = as_tuple(type)) {
            for (const Type& field : tuple->fields) ORRERY_CHECK_OK(check_size(field));
            return {};
        }
        const TensorType* tensor = as_tensor(type);
        if (!tensor || !is_static(*tensor)) return {};
        const Result<std::int64_t> count =
            checked_elements(static_shape(*tensor), tensor->dtype, static_cast<std::int64_t>(options_.max_bytes));
        if (!count) return count.error();
        return {};
    }

    Result<Values> loop(const Loop::Fields& fields, const Type& type, const Frame& frame) {
        const std::int64_t limit = fields.max_trips ? frame.values.at(fields.max_trips).at(0).as_int(0) : INT64_MAX;
        bool going = !fields.condition || frame.values.at(fields.condition).at(0).as_int(0) != 0;
        std::vector<Values> carried = gather(frame, fields.carried);
        const std::vector<Values> captured = gather(frame, fields.captured);
        const std::vector<Type>& results = as_tuple(type)->fields;
        std::vector<Values> scanned(results.size() - carried.size());
        std::size_t scanned_bytes = 0;
        for (std::int64_t trip = 0; going && trip < limit; ++trip) {
            if (progress_.cancelled()) return bad(Code::Cancelled, "cancelled");
            if (++iterations_ > options_.max_iterations)
                return bad(Code::LimitExceeded,
                           "the loops make more than " + std::to_string(options_.max_iterations) + " iterations");
            NDArray iteration = NDArray::allocate(DType::I64, {}), condition = NDArray::allocate(DType::Bool, {});
            iteration.set_int(0, trip);
            condition.set_int(0, 1);
            std::vector<Values> args{{iteration}, {condition}};
            args.insert(args.end(), carried.begin(), carried.end());
            args.insert(args.end(), captured.begin(), captured.end());
            ORRERY_TRY(Values out, apply(fields.body, std::move(args), {}));
            going = out.at(0).as_int(0) != 0;
            std::size_t next = 1;
            for (std::size_t i = 0; i < carried.size(); ++i) {
                const std::size_t leaves = leaf_count(results[i]);
                carried[i].assign(out.begin() + static_cast<std::ptrdiff_t>(next),
                                  out.begin() + static_cast<std::ptrdiff_t>(next + leaves));
                next += leaves;
            }
            for (Values& parts : scanned) {
                parts.push_back(out.at(next++));
                scanned_bytes += parts.back().bytes() + sizeof(NDArray);
            }
            if (scanned_bytes > options_.max_bytes)
                return bad(Code::LimitExceeded,
                           "a loop scans more than " + std::to_string(options_.max_bytes) + " bytes");
        }
        Values all;
        for (const Values& value : carried) all.insert(all.end(), value.begin(), value.end());
        for (std::size_t i = 0; i < scanned.size(); ++i) {
            ORRERY_TRY(NDArray stacked, stack(scanned[i], *as_tensor(results[carried.size() + i])));
            all.push_back(std::move(stacked));
        }
        return all;
    }

    const OpEvaluator& op_;
    const Progress& progress_;
    const EvaluateOptions& options_;
    int depth_ = 0;
    std::int64_t iterations_ = 0;
};

/// Arguments against parameters: element types and ranks, static extents, and symbols that agree.
Result<void> check_args(const FunctionNode& function, std::span<const NDArray> args) {
    if (args.size() != function.params.size())
        return bad(Code::BadShape, function.name + " takes " + std::to_string(function.params.size()) +
                                       " arguments, not " + std::to_string(args.size()));
    SymbolBindings symbols;
    for (std::size_t i = 0; i < args.size(); ++i) {
        const TensorType* type = as_tensor(function.params[i]->type);
        const bool fits =
            type && args[i].defined() && type->dtype == args[i].dtype() && bind_shape(*type, args[i].shape(), symbols);
        if (!fits)
            return bad(Code::BadShape,
                       "the argument " + function.params[i]->name + " is " +
                           (args[i].defined() ? type_text(args[i].dtype(), args[i].shape()) : "missing") + ", not " +
                           to_string(function.params[i]->type));
    }
    return {};
}

} // namespace

Result<NDArray> stack(std::span<const NDArray> parts, const TensorType& type) {
    Shape shape{static_cast<std::int64_t>(parts.size())};
    for (std::size_t i = 1; i < type.dims.size(); ++i)
        shape.push_back(parts.empty() ? std::max<std::int64_t>(type.dims[i].value, 0) : parts[0].shape()[i - 1]);
    NDArray all = NDArray::allocate(type.dtype, std::move(shape));
    auto* out = static_cast<std::byte*>(all.mutable_data());
    for (const NDArray& part : parts) {
        if (part.shape() != parts[0].shape())
            return bad(Code::BadShape, "a scanned value changes its shape between iterations");
        std::memcpy(out, part.data(), part.bytes());
        out += part.bytes();
    }
    return all;
}

Result<std::vector<NDArray>> evaluate(const Function& function, std::span<const NDArray> args,
                                      const OpEvaluator& evaluator, const Progress& progress,
                                      const EvaluateOptions& options) {
    ORRERY_CHECK_OK(check_args(*function, args));
    std::vector<Values> values;
    values.reserve(args.size());
    for (const NDArray& arg : args) values.push_back({arg});
    return Evaluator(evaluator, progress, options).apply(function, std::move(values), options.observer);
}

} // namespace orrery::graph
