// Which units may become one: a value's level is how often, on the way to it from the inputs, the work goes from a
// backend's units to something else and back. Units of one level that feed each other are joined: a path that leaves
// them and comes back would have come back on a higher level, so that no region waits for itself. The bindings are then
// put in order anew, each as soon as what it needs is there.

#include "core/graph/builder.hpp"
#include "core/target/region.hpp"
#include "core/transform/everywhere.hpp"
#include "core/transform/passes.hpp"

#include <algorithm>
#include <functional>
#include <queue>
#include <unordered_set>

namespace orrery::transform {

namespace {

using graph::Binding;
using graph::Function;
using graph::Var;

constexpr int kNothing = -1; ///< the level of what depends on no unit

class Merger {
  public:
    Merger(const Function& function, pass::Recorder* recorder) : function_(function), recorder_(recorder) {
        for (std::size_t i = 0; i < function->bindings.size(); ++i) index_.emplace(function->bindings[i].var, i);
        group_.resize(function->bindings.size());
        for (std::size_t i = 0; i < group_.size(); ++i) group_[i] = i;
    }

    Function run() {
        join();
        std::unordered_map<std::size_t, std::vector<std::size_t>> members;
        for (std::size_t i = 0; i < group_.size(); ++i) members[root(i)].push_back(i);
        const bool any = std::ranges::any_of(members, [](const auto& group) { return group.second.size() > 1; });
        return any ? rebuilt(members) : function_;
    }

  private:
    /// The backend of a unit that is not closed yet; empty for anything else.
    [[nodiscard]] std::string unit(std::size_t i) const {
        const auto* call = graph::as<graph::CallFunction>(function_->bindings[i].value);
        return call && !call->function->primitive() ? region_of(call->function) : "";
    }

    std::size_t root(std::size_t i) {
        while (group_[i] != i) i = group_[i] = group_[group_[i]];
        return i;
    }

    void join() {
        std::vector<int> levels(group_.size(), kNothing);
        std::vector<std::string> units;
        for (std::size_t i = 0; i < group_.size(); ++i) {
            units.push_back(unit(i));
            int level = units[i].empty() ? kNothing : 0;
            for_operands(i, [&](std::size_t from) {
                const bool comes_back = !units[i].empty() && units[from] != units[i] && levels[from] != kNothing;
                level = std::max(level, levels[from] + (comes_back ? 1 : 0));
            });
            levels[i] = level;
            if (units[i].empty()) continue;
            for_operands(i, [&](std::size_t from) {
                if (units[from] == units[i] && levels[from] == level) group_[root(from)] = root(i);
            });
        }
    }

    template <class Body> void for_operands(std::size_t i, Body body) const {
        for (const Var& var : graph::operands(function_->bindings[i].value))
            if (const auto it = var ? index_.find(var) : index_.end(); it != index_.end()) body(it->second);
    }

    /// Groups in an order in which each stands behind what it needs, otherwise as before.
    std::vector<std::size_t> order(const std::unordered_map<std::size_t, std::vector<std::size_t>>& members) {
        std::unordered_map<std::size_t, std::unordered_set<std::size_t>> needs, needed_by;
        for (const auto& [group, all] : members)
            for (std::size_t i : all)
                for_operands(i, [&, group = group](std::size_t from) {
                    if (root(from) == group) return;
                    needs[group].insert(root(from));
                    needed_by[root(from)].insert(group);
                });
        // The earliest of those that are ready, by first member.
        std::priority_queue<std::pair<std::size_t, std::size_t>, std::vector<std::pair<std::size_t, std::size_t>>,
                            std::greater<>>
            ready;
        for (const auto& [group, all] : members)
            if (needs[group].empty()) ready.emplace(all.front(), group);
        std::vector<std::size_t> out;
        while (!ready.empty()) {
            const std::size_t group = ready.top().second;
            ready.pop();
            out.push_back(group);
            for (std::size_t user : needed_by[group])
                if (needs[user].erase(group) && needs[user].empty()) ready.emplace(members.at(user).front(), user);
        }
        ORRERY_ASSERT(out.size() == members.size(), "no region waits for itself");
        return out;
    }

    Function rebuilt(const std::unordered_map<std::size_t, std::vector<std::size_t>>& members) {
        std::unordered_set<Var> outside{function_->result};
        for (std::size_t i = 0; i < group_.size(); ++i)
            for_operands(i, [&](std::size_t from) {
                if (root(from) != root(i)) outside.insert(function_->bindings[from].var);
            });
        graph::FunctionBuilder builder;
        for (const Var& param : function_->params) builder.param(param);
        Replacements known;
        for (std::size_t group : order(members)) {
            const std::vector<std::size_t>& all = members.at(group);
            if (all.size() > 1) {
                region(builder, all, outside, known);
                continue;
            }
            const Binding& binding = function_->bindings[all.front()];
            const graph::Expr value = known.now(binding.value);
            if (value == binding.value)
                builder.append(binding);
            else
                known.vars.emplace(binding.var, builder.emit(value, binding.var->name, binding.origin));
        }
        return builder.finish(function_->name, known.now(function_->result), function_->attrs);
    }

    /// One function of several units, and its call.
    void region(graph::FunctionBuilder& builder, const std::vector<std::size_t>& members,
                const std::unordered_set<Var>& outside, Replacements& known) {
        graph::FunctionBuilder body;
        Replacements inside;
        std::vector<Var> args, results;
        OriginSet origin;
        for (std::size_t i : members) {
            const Binding& binding = function_->bindings[i];
            for (const Var& operand : graph::operands(binding.value))
                if (operand && !inside.vars.contains(operand)) {
                    inside.vars.emplace(operand, body.param(operand->name, operand->type));
                    args.push_back(known.now(operand));
                }
            inside.vars.emplace(binding.var, body.emit(inside.now(binding.value), binding.var->name, binding.origin));
            origin = unite(origin, binding.origin);
            if (outside.contains(binding.var)) results.push_back(binding.var);
        }
        Var result = inside.now(results.front());
        if (results.size() > 1) {
            std::vector<Var> fields;
            for (const Var& var : results) fields.push_back(inside.now(var));
            result = body.emit(make_ref<const graph::Tuple>(fields), "results", origin);
        }
        const std::string backend = unit(members.front());
        const Function function = body.finish(backend + "_region", result, {{"backend", backend}});
        const graph::Expr call = make_ref<const graph::CallFunction>(function, args);
        const Var made = builder.emit(call, results.size() == 1 ? results.front()->name : backend + "_region", origin);
        if (recorder_)
            for (std::size_t i : members)
                recorder_->add({function_->bindings[i].value, call, "units of one backend", __FILE__, __LINE__});
        if (results.size() == 1) {
            known.vars.emplace(results.front(), made);
            return;
        }
        for (std::size_t i = 0; i < results.size(); ++i)
            known.vars.emplace(results[i], builder.emit(make_ref<const graph::Project>(made, i), results[i]->name,
                                                        function_->bindings[index_.at(results[i])].origin));
    }

    const Function& function_;
    pass::Recorder* recorder_;
    std::unordered_map<Var, std::size_t> index_;
    std::vector<std::size_t> group_;
};

} // namespace

Result<graph::Module> merge_regions(const graph::Module& module, const pass::Context& context) {
    graph::Module out = module;
    out.main = Merger(module.main, context.recorder).run();
    return out;
}

} // namespace orrery::transform
