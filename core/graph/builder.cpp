#include "core/graph/builder.hpp"

#include "core/base/check.hpp"

#include <algorithm>

namespace orrery::graph {

namespace {

/// A name for a value that was given none.
std::string hint_for(const Expr& value) {
    switch (value->kind) {
    case ExprKind::CallOp: return as<CallOp>(value)->op.name;
    case ExprKind::CallFunction: return as<CallFunction>(value)->function->name;
    case ExprKind::Constant: return "c";
    case ExprKind::Tuple: return "t";
    case ExprKind::Project: return as<Project>(value)->tuple->name + "_" + std::to_string(as<Project>(value)->index);
    case ExprKind::If: return "chosen";
    case ExprKind::Loop: return "looped";
    case ExprKind::FunctionLiteral: return "f";
    }
    fail_internal("hint_for covers every kind");
}

} // namespace

Var FunctionBuilder::param(std::string name, Type type) {
    Var var = make_var(std::move(name), std::move(type));
    params_.push_back(var);
    return var;
}

void FunctionBuilder::param(const Var& var) { params_.push_back(var); }

Var FunctionBuilder::emit(const Expr& value, std::string name, const OriginSet& origin) {
    return try_emit(value, std::move(name), origin).value();
}

Result<Var> FunctionBuilder::try_emit(const Expr& value, std::string name, const OriginSet& origin) {
    ORRERY_TRY(Type type, infer_expr(value));
    if (name.empty()) name = hint_for(value);
    return append(Binding{make_var(std::move(name), std::move(type)), value, origin});
}

Var FunctionBuilder::append(const Binding& binding) {
    const bool added = index_.emplace(binding.var, bindings_.size()).second;
    ORRERY_ASSERT(added, "a variable is bound once: " + binding.var->name);
    bindings_.push_back(binding);
    return binding.var;
}

Var FunctionBuilder::call(const Op& op, std::vector<Var> args, Attrs attrs, const OriginSet& origin, std::string name) {
    return emit(make_ref<const CallOp>(op, std::move(args), std::move(attrs)), std::move(name), origin);
}

Var FunctionBuilder::constant(NDArray value, const OriginSet& origin, std::string name) {
    return emit(make_ref<const Constant>(std::move(value)), std::move(name), origin);
}

void FunctionBuilder::roll_back(std::size_t count) {
    for (std::size_t i = count; i < bindings_.size(); ++i) index_.erase(bindings_[i].var);
    bindings_.erase(bindings_.begin() + static_cast<std::ptrdiff_t>(count), bindings_.end());
}

Expr FunctionBuilder::value_of(const Var& var) const {
    const auto it = index_.find(var);
    return it == index_.end() ? Expr() : bindings_[it->second].value;
}

OriginSet FunctionBuilder::origin_of(const Var& var) const {
    const auto it = index_.find(var);
    return it == index_.end() ? OriginSet() : bindings_[it->second].origin;
}

void FunctionBuilder::add_origin(const Var& var, const OriginSet& origin) {
    if (const auto it = index_.find(var); it != index_.end()) {
        OriginSet& held = bindings_[it->second].origin;
        held = unite(held, origin);
    }
}

Function FunctionBuilder::finish(std::string name, const Var& result, Attrs attrs) {
    index_.clear();
    return make_function(std::move(name), std::exchange(params_, {}), std::exchange(bindings_, {}), result,
                         std::move(attrs));
}

// ------------------------------------------------------------------------------ rewriter

namespace {

bool same_bindings(const std::vector<Binding>& a, const std::vector<Binding>& b) {
    return std::ranges::equal(a, b, [](const Binding& x, const Binding& y) {
        return x.var == y.var && x.value == y.value && x.origin == y.origin;
    });
}

} // namespace

Function Rewriter::run(const Function& function) {
    // A rewriter may run on an inner function while it is in the middle of the outer one.
    struct Outer {
        Rewriter& self;
        FunctionBuilder builder = std::exchange(self.builder_, {});
        std::unordered_map<Var, Var> replaced = std::exchange(self.replaced_, {});
        const Binding* original = std::exchange(self.original_, nullptr);
        ~Outer() {
            self.builder_ = std::move(builder);
            self.replaced_ = std::move(replaced);
            self.original_ = original;
        }
    } outer{*this};
    for (const Var& param : function->params) builder_.param(param);
    const auto now = [&](const Var& var) {
        const auto it = var ? replaced_.find(var) : replaced_.end();
        return it == replaced_.end() ? var : it->second;
    };
    std::vector<Var> vars;
    for (const Binding& binding : function->bindings) {
        vars = operands(binding.value);
        std::ranges::transform(vars, vars.begin(), now);
        Expr value = with_operands(binding.value, vars);
        if (std::vector<Function> inner = inner_functions(value); !inner.empty()) {
            const std::vector<Function> before = inner;
            for (Function& f : inner) f = rewrite_inner(f);
            if (inner != before) value = with_inner_functions(value, inner);
        }
        original_ = &binding;
        const Var result = rewrite_binding(Binding{binding.var, value, binding.origin});
        ORRERY_ASSERT(result != nullptr, "a rewrite says what stands for " + binding.var->name);
        if (result != binding.var) replaced_.emplace(binding.var, result);
    }
    const Var result = now(function->result);
    if (result == function->result && same_bindings(builder_.bindings(), function->bindings)) return function;
    return builder_.finish(function->name, result, function->attrs);
}

Var Rewriter::keep(const Binding& binding) {
    if (original_ && original_->var == binding.var && original_->value == binding.value)
        return builder_.append(binding);
    return builder_.emit(binding.value, binding.var->name, binding.origin);
}

Var Rewriter::replace(const Binding& binding, const Expr& value, const char* rule, std::span<const Var> consumed,
                      std::source_location where) {
    OriginSet origin = binding.origin;
    for (const Var& var : consumed) origin = unite(origin, builder_.origin_of(var));
    Var var = builder_.emit(value, binding.var->name, origin);
    if (recorder_) recorder_->add({binding.var, var, rule, where.file_name(), where.line()});
    return var;
}

Var Rewriter::emit(const Binding& binding, const Expr& value, std::string name) {
    return builder_.emit(value, std::move(name), binding.origin);
}

Var Rewriter::alias(const Binding& binding, const Var& existing, const char* rule, std::source_location where) {
    builder_.add_origin(existing, binding.origin);
    if (recorder_) recorder_->add({binding.var, existing, rule, where.file_name(), where.line()});
    return existing;
}

const NDArray* Rewriter::constant_of(const Var& var) const {
    const Expr value = var ? value_of(var) : Expr();
    const Constant* constant = as<Constant>(value);
    return constant ? &constant->value : nullptr; // the builder keeps the node alive
}

std::unordered_map<Var, int> use_counts(const Function& function) {
    std::unordered_map<Var, int> counts;
    counts.reserve(function->bindings.size() + function->params.size());
    for (const Binding& binding : function->bindings)
        for (const Var& var : operands(binding.value))
            if (var) ++counts[var];
    ++counts[function->result];
    return counts;
}

} // namespace orrery::graph
