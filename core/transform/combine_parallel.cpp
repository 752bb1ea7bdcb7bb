// 1. Branches are found in the function as it stands, grouped by input, attributes and the shapes that must agree, and
//    moved to the place of the last of them where nobody uses an earlier one before.
// 2. At the first branch of a group the joined call is emitted; each branch's result is a slice of it. The old calls
// are
//    left unused.

#include "core/transform/combine_parallel.hpp"

#include "core/graph/builder.hpp"
#include "core/graph/pattern.hpp"
#include "core/transform/options.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/rule_rewriter.hpp"

#include <algorithm>
#include <cstring>
#include <map>

namespace orrery::transform {

namespace {

using graph::Binding;
using graph::CallOp;
using graph::Expr;
using graph::FunctionValues;
using graph::Ints;
using graph::Var;

struct Branch {
    std::size_t index = 0; ///< of the call's binding
    Var result;            ///< the call's, or that of the sum after it
    std::int64_t width = 0;
    NDArray weight, bias; ///< where constant; the bias is a vector
    Var operand;          ///< operand 1, where it is not constant
    OriginSet origin;
};
struct Group {
    BranchShape shape;
    std::vector<Branch> branches;
    bool biased = false;
    Var joined; ///< once emitted
};

/// Arrays of one element type joined along an axis.
NDArray join(const std::vector<NDArray>& parts, std::size_t axis) {
    Shape shape = parts.front().shape();
    shape[axis] = 0;
    for (const NDArray& part : parts) shape[axis] += part.shape()[axis];
    NDArray out = NDArray::allocate(parts.front().dtype(), shape);
    const std::int64_t outer = element_count(std::span(shape).first(axis));
    auto* to = static_cast<char*>(out.mutable_data());
    for (std::int64_t o = 0; o < outer; ++o)
        for (const NDArray& part : parts) {
            const std::size_t bytes = part.bytes() / static_cast<std::size_t>(outer);
            std::memcpy(to, static_cast<const char*>(part.data()) + static_cast<std::size_t>(o) * bytes, bytes);
            to += bytes;
        }
    return out;
}

class Finder {
  public:
    Finder(const graph::Function& function, const ParallelKind& kind)
        : function_(function), values_(function), kind_(kind) {}

    std::vector<Group> groups(std::size_t min_branches, std::int64_t max_width) {
        std::map<Key, std::size_t> by_key;
        std::vector<Group> found;
        for (std::size_t i = 0; i < function_->bindings.size(); ++i) {
            const Binding& binding = function_->bindings[i];
            const auto* call = graph::as<CallOp>(binding.value);
            const std::optional<BranchShape> shape =
                call && graph::as_tensor(binding.var->type) ? kind_.shape(*call, binding.var) : std::nullopt;
            if (!shape || !shape_of(binding.var) || !shape_of(call->args[1])) continue;
            const auto constant = constant_of(call->args[1]);
            if (constant.defined() != kind_.constant_weights) continue;
            const std::int64_t width = (*shape_of(binding.var))[shape->result_axis];
            if (width > max_width) continue;
            const auto [it, fresh] = by_key.emplace(key_of(*call, *shape), found.size());
            if (fresh) found.push_back({*shape, {}, false, nullptr});
            found[it->second].branches.push_back(
                {i, binding.var, width, constant, {}, constant.defined() ? Var() : call->args[1], binding.origin});
        }
        std::erase_if(found, [&](Group& group) {
            if (!kind_.constant_weights) keep_movable(group);
            return group.branches.size() < min_branches;
        });
        if (kind_.followed_by_bias)
            for (Group& group : found) take_biases(group);
        return found;
    }

  private:
    using Key = std::pair<const void*, Hash>;

    NDArray constant_of(const Var& var) const {
        const Expr value = var ? values_.value_of(var) : Expr();
        const auto* constant = value ? graph::as<graph::Constant>(value) : nullptr;
        return constant ? constant->value : NDArray();
    }

    static Key key_of(const CallOp& call, const BranchShape& shape) {
        Hasher hasher;
        hasher.add(call.op.name);
        call.attrs.hash_into(hasher);
        Shape weight = *shape_of(call.args[1]);
        weight[shape.weight_axis] = 0;
        hasher.add(std::span<const std::int64_t>(weight))
            .add(static_cast<int>(graph::as_tensor(call.args[1]->type)->dtype));
        return {call.args[0].get(), hasher.finish()};
    }

    /// Only branches that can stand where the last one does: nobody uses them before.
    void keep_movable(Group& group) const {
        if (group.branches.empty()) return;
        const std::size_t last = group.branches.back().index;
        std::erase_if(group.branches, [&](const Branch& branch) {
            return branch.index != last && std::ranges::any_of(values_.users(branch.result), [&](const Var& user) {
                       return values_.index_of(user) < last;
                   });
        });
    }

    /// The vector added to a branch's result by its only user, and that user; undefined when there is none.
    NDArray bias_after(const Branch& branch, std::size_t axis, Var& user) const {
        const std::span<const Var> users = values_.users(branch.result);
        if (users.size() != 1 || values_.use_count(branch.result) != 1) return {};
        user = users.front();
        const Expr value = values_.value_of(user);
        const auto* call = graph::as<CallOp>(value);
        if (!call || !graph::equal(user->type, branch.result->type)) return {};
        const auto rank = static_cast<std::int64_t>(graph::as_tensor(user->type)->dims.size());
        if (call->op.name == "bias_add" && call->args[0] == branch.result) {
            const std::int64_t at = call->attrs.integer("axis", 1);
            return (at < 0 ? at + rank : at) == static_cast<std::int64_t>(axis) ? constant_of(call->args[1])
                                                                                : NDArray();
        }
        if (call->op.name != "add" || static_cast<std::int64_t>(axis) != rank - 1) return {};
        const NDArray bias = constant_of(call->args[call->args[0] == branch.result ? 1 : 0]);
        return bias.defined() && bias.shape() == Shape{branch.width} ? bias : NDArray();
    }

    void take_biases(Group& group) const {
        std::vector<std::pair<NDArray, Var>> biases;
        for (const Branch& branch : group.branches) {
            Var user;
            NDArray bias = bias_after(branch, group.shape.result_axis, user);
            if (!bias.defined()) return;
            biases.emplace_back(std::move(bias), user);
        }
        group.biased = true;
        for (std::size_t i = 0; i < biases.size(); ++i) {
            Branch& branch = group.branches[i];
            branch.bias = biases[i].first;
            branch.result = biases[i].second;
            branch.origin = unite(branch.origin, values_.binding_of(branch.result)->origin);
        }
    }

    graph::Function function_;
    FunctionValues values_;
    const ParallelKind& kind_;
};

class Joiner final : public graph::Rewriter {
  public:
    Joiner(pass::Recorder* recorder, const ParallelKind& kind, std::vector<Group> groups,
           const graph::Function& function)
        : Rewriter(recorder), kind_(kind), groups_(std::move(groups)) {
        for (std::size_t g = 0; g < groups_.size(); ++g) {
            starts_.emplace(function->bindings[groups_[g].branches.front().index].var, g);
            std::int64_t begin = 0;
            for (const Branch& branch : groups_[g].branches) {
                results_.emplace(branch.result, Part{g, begin, branch.width});
                begin += branch.width;
            }
        }
    }

  protected:
    Var rewrite_binding(const Binding& binding) override {
        if (const auto start = starts_.find(binding.var); start != starts_.end())
            emit_joined(binding, groups_[start->second]);
        const auto part = results_.find(binding.var);
        const Var var = part == results_.end() ? keep(binding) : slice(binding, part->second);
        now_.emplace(binding.var, var);
        return var;
    }

  private:
    struct Part {
        std::size_t group;
        std::int64_t begin, width;
    };

    Var slice(const Binding& binding, const Part& part) {
        const Group& group = groups_[part.group];
        const Shape shape = *shape_of(group.joined);
        Ints begins(shape.size(), 0), sizes(shape);
        begins[group.shape.result_axis] = part.begin;
        sizes[group.shape.result_axis] = part.width;
        return replace(binding, make_call("slice", {group.joined}, {{"begins", begins}, {"sizes", sizes}}), kind_.rule);
    }

    void emit_joined(const Binding& first, Group& group) {
        const auto& call = *graph::as<CallOp>(first.value);
        OriginSet origin;
        std::vector<NDArray> weights, biases;
        std::vector<Var> operands;
        for (const Branch& branch : group.branches) {
            origin = unite(origin, branch.origin);
            weights.push_back(branch.weight);
            if (group.biased) biases.push_back(branch.bias);
            const auto it = now_.find(branch.operand);
            operands.push_back(it == now_.end() ? branch.operand : it->second);
        }
        const Binding from{first.var, first.value, origin};
        const auto axis = static_cast<std::int64_t>(group.shape.weight_axis);
        const Var weight =
            kind_.constant_weights
                ? emit(from, make_ref<const graph::Constant>(join(weights, group.shape.weight_axis)), "weights")
                : emit(from, make_call("concat", operands, {{"axis", axis}}));
        std::vector<Var> args = call.args;
        args[1] = weight;
        group.joined = emit(from, make_ref<const CallOp>(call.op, args, call.attrs), call.op.name + "_joined");
        if (!group.biased) return;
        const Var bias = emit(from, make_ref<const graph::Constant>(join(biases, 0)), "biases");
        const auto result_axis = static_cast<std::int64_t>(group.shape.result_axis);
        group.joined = emit(from, make_call("bias_add", {group.joined, bias}, {{"axis", result_axis}}));
    }

    const ParallelKind& kind_;
    std::vector<Group> groups_;
    std::unordered_map<Var, std::size_t> starts_;
    std::unordered_map<Var, Part> results_;
    std::unordered_map<Var, Var> now_;
};

/// The function with the branches of each group side by side, at the place of the last.
graph::Function gathered(const graph::Function& function, std::vector<Group>& groups) {
    std::map<std::size_t, const Group*> ends;
    std::unordered_map<std::size_t, bool> moved;
    for (const Group& group : groups) {
        ends.emplace(group.branches.back().index, &group);
        for (const Branch& branch : group.branches) moved.emplace(branch.index, true);
    }
    std::vector<Binding> bindings;
    std::unordered_map<Var, std::size_t> place;
    for (std::size_t i = 0; i < function->bindings.size(); ++i) {
        if (!moved.contains(i)) bindings.push_back(function->bindings[i]);
        if (const auto end = ends.find(i); end != ends.end())
            for (const Branch& branch : end->second->branches) {
                place.emplace(function->bindings[branch.index].var, bindings.size());
                bindings.push_back(function->bindings[branch.index]);
            }
    }
    for (Group& group : groups)
        for (Branch& branch : group.branches) branch.index = place.at(function->bindings[branch.index].var);
    return graph::make_function(function->name, function->params, std::move(bindings), function->result,
                                function->attrs);
}

} // namespace

Result<graph::Module> combine_parallel(const graph::Module& module, const pass::Context& context,
                                       const ParallelKind& kind) {
    ORRERY_TRY(const std::int64_t min_branches,
               number_option(context, "min_branches", {std::stoll(kind.min_branches), 2, 1 << 20}));
    ORRERY_TRY(const std::int64_t max_width,
               number_option(context, "max_width", {std::stoll(kind.max_width), 1, std::int64_t{1} << 40}));
    std::vector<Group> groups = Finder(module.main, kind).groups(static_cast<std::size_t>(min_branches), max_width);
    if (groups.empty()) return module;
    graph::Module out = module;
    // Constants are joined as arrays, so that only operands that are computed say where the joined call can stand.
    const graph::Function start = kind.constant_weights ? module.main : gathered(module.main, groups);
    out.main = Joiner(context.recorder, kind, std::move(groups), start).run(start);
    return dead_code(out, quiet(context));
}

} // namespace orrery::transform
