#include "core/graph/opened.hpp"

#include "core/graph/op.hpp"

#include <unordered_map>

namespace orrery::graph {

namespace {

std::uint64_t short_hash(const Hasher& hasher) { return hasher.finish().low; }

class Opener {
  public:
    explicit Opener(const Function& function) { out_.source = function; }

    OpenedFunction run() {
        const Function& main = out_.source;
        std::unordered_map<Var, std::int32_t> scope;
        for (const Var& param : main->params) {
            scope[param] = static_cast<std::int32_t>(out_.nodes.size());
            Hasher hasher;
            hash_into(hasher.add("param"), param->type);
            out_.nodes.push_back({param, nullptr, {}, {}, -1, short_hash(hasher), 1});
        }
        out_.params = static_cast<std::int32_t>(out_.nodes.size());
        for (const Binding& binding : main->bindings) {
            const auto* call = as<CallFunction>(binding.value);
            if (call != nullptr && call->function->primitive())
                open(binding, *call, scope);
            else
                add(binding, scope, -1);
        }
        if (const auto it = scope.find(main->result); it != scope.end()) out_.result = it->second;
        return std::move(out_);
    }

  private:
    using Scope = std::unordered_map<Var, std::int32_t>;

    static std::int32_t node_of(const Var& var, const Scope& scope) {
        const auto it = var ? scope.find(var) : scope.end();
        return it == scope.end() ? -1 : it->second;
    }

    void open(const Binding& binding, const CallFunction& call, Scope& scope) {
        Scope inner;
        for (std::size_t i = 0; i < call.args.size() && i < call.function->params.size(); ++i)
            inner[call.function->params[i]] = node_of(call.args[i], scope);
        const auto group = static_cast<std::int32_t>(out_.groups.size());
        const auto first = static_cast<std::int32_t>(out_.nodes.size());
        for (const Binding& each : call.function->bindings) add(each, inner, group);
        const auto count = static_cast<std::int32_t>(out_.nodes.size()) - first;
        out_.groups.push_back({binding.var, call.function, binding.origin, first, count});
        scope[binding.var] = node_of(call.function->result, inner);
    }

    void add(const Binding& binding, Scope& scope, std::int32_t group) {
        OpenedNode node{binding.var, binding.value, binding.origin, {}, group, 0, 0};
        for (const Var& operand : operands(binding.value)) node.inputs.push_back(node_of(operand, scope));
        hash(node);
        scope[binding.var] = static_cast<std::int32_t>(out_.nodes.size());
        out_.nodes.push_back(std::move(node));
    }

    void hash(OpenedNode& node) {
        Hasher hasher;
        hasher.add(static_cast<int>(node.value->kind));
        const auto* call = as<CallOp>(node.value);
        if (call != nullptr) hasher.add(std::string_view(call->op.name));
        node.kind = short_hash(hasher);
        hash_into(hasher, node.var->type);
        if (call != nullptr)
            call->attrs.hash_into(hasher);
        else if (const auto* constant = as<Constant>(node.value))
            hasher.add(constant_hash(constant->value));
        else if (const auto* project = as<Project>(node.value))
            hasher.add(static_cast<std::uint64_t>(project->index));
        for (const Function& inner : inner_functions(node.value)) {
            const auto [it, fresh] = closed_.try_emplace(inner);
            if (fresh) it->second = structural_hash(inner);
            hasher.add(it->second);
        }
        node.own = short_hash(hasher);
    }

    OpenedFunction out_;
    std::unordered_map<Function, Hash> closed_;
};

} // namespace

OpenedFunction open_function(const Function& function) { return Opener(function).run(); }

} // namespace orrery::graph
