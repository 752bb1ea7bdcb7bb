// How a function is cut. Bindings are taken in order into the current region; a step of another kind ends it when it
// uses something computed in it. What follows from shapes alone (lengths, targets of reshapes) is computed again in
// every region that needs its value, so that it is known there when the region is specialized.

#include "core/session/program.hpp"

#include "core/base/check.hpp"
#include "core/graph/functions.hpp"
#include "core/graph/op.hpp"
#include "core/ops/open.hpp"

#include <algorithm>
#include <unordered_set>

namespace orrery::session {

namespace {

using graph::as;
using graph::Binding;
using graph::Var;

/// The tensors of a type, one after another.
void flatten(const graph::Type& type, std::vector<graph::Type>& out) {
    if (const graph::TupleType* tuple = graph::as_tuple(type)) {
        for (const graph::Type& field : tuple->fields) flatten(field, out);
    } else if (graph::as_tensor(type)) {
        out.push_back(type);
    }
}

std::vector<Var> fresh_leaves(const Var& var) {
    std::vector<graph::Type> types;
    flatten(var->type, types);
    if (graph::as_tensor(var->type)) return {var};
    std::vector<Var> leaves;
    for (std::size_t i = 0; i < types.size(); ++i)
        leaves.push_back(graph::make_var(var->name + "." + std::to_string(i), types[i]));
    return leaves;
}

/// Bindings of a region being gathered.
struct Region {
    std::vector<Binding> bindings;
    std::unordered_set<Var> defined;
    OriginSet origin;
    std::string name;
};

using Programs = std::unordered_map<graph::Function, ProgramPtr>;

class Cutter {
  public:
    /// `inner` holds the programs of the functions inside.
    explicit Cutter(const Programs& inner) : inner_(inner) {}

    ProgramPtr run(const graph::Function& function) {
        for (const Var& param : function->params) {
            leaves_[param] = fresh_leaves(param);
            program_->params.insert(program_->params.end(), leaves_[param].begin(), leaves_[param].end());
        }
        for (const Binding& binding : function->bindings) take(binding);
        program_->results = leaves_.at(function->result);
        flush();
        finish();
        return program_;
    }

  private:
    void take(const Binding& binding) {
        switch (binding.value->kind) {
        case graph::ExprKind::Constant:
            constants_.emplace(binding.var, binding);
            leaves_[binding.var] = {binding.var};
            return;
        case graph::ExprKind::Tuple: {
            std::vector<Var> all;
            for (const Var& field : as<graph::Tuple>(binding.value)->fields) {
                const std::vector<Var>& part = leaves_.at(field);
                all.insert(all.end(), part.begin(), part.end());
            }
            leaves_[binding.var] = std::move(all);
            return;
        }
        case graph::ExprKind::Project: return take_part(binding, *as<graph::Project>(binding.value));
        case graph::ExprKind::CallOp: return take_call(binding, *as<graph::CallOp>(binding.value));
        case graph::ExprKind::FunctionLiteral: leaves_[binding.var] = {}; return;
        case graph::ExprKind::If:
            return take_inner(
                binding, ProgramStep::Kind::Branch,
                {as<graph::If>(binding.value)->else_function, as<graph::If>(binding.value)->then_function});
        case graph::ExprKind::Loop:
            return take_inner(binding, ProgramStep::Kind::Loop, {as<graph::Loop>(binding.value)->fields.body});
        case graph::ExprKind::CallFunction:
            return take_inner(binding, ProgramStep::Kind::Call, {as<graph::CallFunction>(binding.value)->function});
        }
    }

    void take_part(const Binding& binding, const graph::Project& project) {
        const std::vector<graph::Type>& fields = graph::as_tuple(project.tuple->type)->fields;
        std::size_t first = 0;
        std::vector<graph::Type> before, own;
        for (std::size_t i = 0; i < project.index; ++i) flatten(fields[i], before);
        flatten(fields[project.index], own);
        first = before.size();
        const std::vector<Var>& all = leaves_.at(project.tuple);
        const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first);
        leaves_[binding.var] = {begin, begin + static_cast<std::ptrdiff_t>(own.size())};
    }

    // ------------------------------------------------------------------------ operators

    /// The tensor an operand stands for; null when it is left out.
    Var tensor(const Var& operand) const { return operand ? leaves_.at(operand).at(0) : Var(); }

    void take_call(const Binding& binding, const graph::CallOp& call) {
        std::vector<Var> args;
        for (const Var& arg : call.args) args.push_back(tensor(arg));
        std::vector<Var> by_value;
        if (call.op.open)
            if (const Result<ops::OpenCall> open = ops::read_open(call.attrs))
                for (const std::int64_t i : open->values)
                    if (i >= 0 && i < static_cast<std::int64_t>(args.size()) && args[static_cast<std::size_t>(i)])
                        by_value.push_back(args[static_cast<std::size_t>(i)]);
        const bool needs_data = !std::ranges::all_of(by_value, [&](const Var& v) { return follows_from_shapes(v); });
        if (needs_data) return take_single(binding, args);
        for (const Var& value : by_value) bring_in(value);
        const bool shaped = call.op.value_of_types ||
                            (!args.empty() && !call.op.open && !call.op.random &&
                             std::ranges::all_of(args, [&](const Var& v) { return !v || follows_from_shapes(v); }));
        const Binding own{binding.var, graph::with_operands(binding.value, args), binding.origin};
        if (shaped && graph::as_tensor(binding.var->type)) shaped_.emplace(binding.var, own);
        add(own);
        leaves_[binding.var] = fresh_leaves(binding.var);
        if (graph::as_tensor(binding.var->type)) return;
        for (std::size_t i = 0; i < leaves_[binding.var].size(); ++i)
            add({leaves_[binding.var][i], make_ref<const graph::Project>(binding.var, i), binding.origin});
    }

    bool follows_from_shapes(const Var& var) const { return constants_.contains(var) || shaped_.contains(var); }

    /// Appends a binding to the current region, with the constants it uses.
    void add(const Binding& binding) {
        for (const Var& operand : graph::operands(binding.value))
            if (operand && !current_.defined.contains(operand))
                if (const auto it = constants_.find(operand); it != constants_.end()) {
                    current_.bindings.push_back(it->second);
                    current_.defined.insert(operand);
                }
        current_.bindings.push_back(binding);
        current_.defined.insert(binding.var);
        current_.origin = unite(current_.origin, binding.origin);
        if (current_.name.empty()) current_.name = binding.var->name;
    }

    /// Computes what follows from shapes in the current region too. The depth is that of shape arithmetic.
    void bring_in(const Var& root) {
        std::vector<Var> stack{root};
        while (!stack.empty()) {
            const Var var = stack.back();
            const auto it = shaped_.find(var);
            if (it == shaped_.end() || current_.defined.contains(var)) {
                stack.pop_back();
                continue;
            }
            const std::size_t height = stack.size();
            const auto* call = as<graph::CallOp>(it->second.value);
            if (!call->op.value_of_types)
                for (const Var& operand : call->args)
                    if (operand && shaped_.contains(operand) && !current_.defined.contains(operand))
                        stack.push_back(operand);
            if (stack.size() > height) continue;
            add(it->second);
            stack.pop_back();
        }
    }

    // ---------------------------------------------------------------------- other steps

    /// Ends the region when a step uses something of it.
    void flush_for(const std::vector<Var>& args) {
        if (std::ranges::any_of(args, [&](const Var& v) { return v && current_.defined.contains(v); })) flush();
    }

    void append(ProgramStep step) {
        flush_for(step.args);
        for (const Var& arg : step.args)
            if (const auto it = arg ? constants_.find(arg) : constants_.end(); it != constants_.end())
                program_->constants.emplace(arg, as<graph::Constant>(it->second.value)->value);
        program_->steps.push_back(std::move(step));
    }

    void take_single(const Binding& binding, const std::vector<Var>& args) {
        leaves_[binding.var] = fresh_leaves(binding.var);
        append({ProgramStep::Kind::Single,
                binding.var->name,
                {},
                graph::with_operands(binding.value, args),
                args,
                leaves_[binding.var],
                {},
                {},
                {},
                binding.origin});
    }

    void take_inner(const Binding& binding, ProgramStep::Kind kind, const std::vector<graph::Function>& functions) {
        ProgramStep step;
        step.kind = kind;
        step.name = binding.var->name;
        step.expr = binding.value;
        step.origin = binding.origin;
        for (const Var& operand : graph::operands(binding.value)) {
            if (!operand) {
                step.args.emplace_back();
                continue;
            }
            const std::vector<Var>& parts = leaves_.at(operand);
            step.args.insert(step.args.end(), parts.begin(), parts.end());
        }
        for (const graph::Function& function : functions) step.inner.push_back(inner_.at(function));
        leaves_[binding.var] = step.results = fresh_leaves(binding.var);
        if (const auto* loop = as<graph::Loop>(binding.value)) {
            const std::vector<graph::Type>& fields = graph::as_tuple(binding.var->type)->fields;
            step.scanned.assign(fields.begin() + static_cast<std::ptrdiff_t>(loop->fields.carried.size()),
                                fields.end());
        }
        append(std::move(step));
    }

    void flush() {
        if (current_.bindings.empty()) return;
        regions_.emplace(program_->steps.size(), std::move(current_));
        ProgramStep step;
        step.kind = ProgramStep::Kind::Region;
        program_->steps.push_back(std::move(step));
        current_ = {};
    }

    // ------------------------------------------------------------------------ functions

    /// With all steps known: regions get their parameters and results, and every value its last use.
    void finish() {
        std::unordered_set<Var> wanted(program_->results.begin(), program_->results.end());
        for (const Var& result : program_->results)
            if (const auto it = constants_.find(result); it != constants_.end())
                program_->constants.emplace(result, as<graph::Constant>(it->second.value)->value);
        std::vector<ProgramStep> kept;
        for (std::size_t s = program_->steps.size(); s-- > 0;) {
            ProgramStep& step = program_->steps[s];
            if (const auto it = regions_.find(s); it != regions_.end() && !make_region(step, it->second, wanted))
                continue;
            for (const Var& arg : step.args)
                if (arg && wanted.insert(arg).second) step.last_used.push_back(arg);
            kept.push_back(std::move(step));
        }
        std::ranges::reverse(kept);
        program_->steps = std::move(kept);
        for (const auto& [var, value] : program_->constants)
            for (ProgramStep& step : program_->steps) std::erase(step.last_used, var);
    }

    /// False when nobody wants anything of the region.
    static bool make_region(ProgramStep& step, Region& region, const std::unordered_set<Var>& wanted) {
        std::vector<Var> params;
        std::unordered_set<Var> seen;
        for (const Binding& binding : region.bindings) {
            for (const Var& operand : graph::operands(binding.value))
                if (operand && !region.defined.contains(operand) && seen.insert(operand).second)
                    params.push_back(operand);
            if (wanted.contains(binding.var) && graph::as_tensor(binding.var->type) &&
                binding.value->kind != graph::ExprKind::Constant)
                step.results.push_back(binding.var);
        }
        if (step.results.empty()) return false;
        Var result = step.results.front();
        if (step.results.size() > 1) {
            std::vector<graph::Type> types;
            for (const Var& var : step.results) types.push_back(var->type);
            result = graph::make_var("results", graph::tuple_type(std::move(types)));
            region.bindings.push_back({result, make_ref<const graph::Tuple>(step.results), {}});
        }
        step.name = region.name;
        step.origin = region.origin;
        step.args = params;
        step.function = graph::make_function(region.name, std::move(params), std::move(region.bindings), result);
        return true;
    }

    const Programs& inner_;
    std::shared_ptr<Program> program_ = std::make_shared<Program>();
    std::unordered_map<Var, std::vector<Var>> leaves_;
    std::unordered_map<Var, Binding> constants_, shaped_;
    std::unordered_map<std::size_t, Region> regions_; ///< by the step they become
    Region current_;
};

} // namespace

ProgramPtr make_program(const graph::Function& function) {
    Programs programs;
    for (const graph::Function& each : graph::functions_inside_out(function))
        programs.emplace(each, Cutter(programs).run(each));
    return programs.at(function);
}

bool is_static_program(const graph::Function& function) {
    const auto is_static = [](const Var& var) { return graph::fully_static(var->type); };
    const auto is_plain = [](const graph::Expr& value) {
        if (const auto* call = as<graph::CallOp>(value)) return !call->op.open;
        if (const auto* call = as<graph::CallFunction>(value)) {
            // A kernel, or a region for another backend; calls of other functions are refused with a hint.
            const bool compiled = call->function->primitive() || call->function->attrs.has("backend");
            return !compiled || is_static_program(call->function);
        }
        return value->kind == graph::ExprKind::Constant || value->kind == graph::ExprKind::Tuple ||
               value->kind == graph::ExprKind::Project;
    };
    return std::ranges::all_of(function->params, is_static) &&
           std::ranges::all_of(function->bindings,
                               [&](const Binding& b) { return is_static(b.var) && is_plain(b.value); });
}

} // namespace orrery::session
