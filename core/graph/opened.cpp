#include "core/graph/opened.hpp"

#include "core/graph/op.hpp"

#include <unordered_map>

namespace orrery::graph {

namespace {

std::uint64_t short_hash(const Hasher& hasher) { return hasher.finish().low; }

bool is_group(const FunctionNode& function) { return function.primitive() || function.attrs.has("backend"); }
bool is_part(const FunctionNode& function) { return function.attrs.has("composite"); }

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
            if (call != nullptr && is_group(*call->function) && out_.nodes.size() < kMostOpenedNodes) {
                const auto group = static_cast<std::int32_t>(out_.groups.size());
                const auto first = static_cast<std::int32_t>(out_.nodes.size());
                out_.groups.push_back({binding.var, call->function, binding.origin, first, 0});
                open(binding, *call, scope, group);
                out_.groups.back().count = static_cast<std::int32_t>(out_.nodes.size()) - first;
            } else {
                add(binding, scope, -1);
            }
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

    /// The bindings of a group, or of a part of one: parts have no parts of their own.
    void open(const Binding& binding, const CallFunction& call, Scope& scope, std::int32_t group, bool inside = false) {
        Scope inner;
        for (std::size_t i = 0; i < call.args.size() && i < call.function->params.size(); ++i)
            inner[call.function->params[i]] = node_of(call.args[i], scope);
        for (const Binding& each : call.function->bindings) {
            const auto* part = as<CallFunction>(each.value);
            if (inside || part == nullptr || !is_part(*part->function) || out_.nodes.size() >= kMostOpenedNodes) {
                add(each, inner, group);
                continue;
            }
            const auto first = static_cast<std::int32_t>(out_.nodes.size());
            open(each, *part, inner, group, true);
            out_.parts.push_back(
                {each.var, part->function, first, static_cast<std::int32_t>(out_.nodes.size()) - first});
        }
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
