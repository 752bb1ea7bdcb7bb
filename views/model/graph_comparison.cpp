#include "views/model/graph_comparison.hpp"

#include "core/graph/op.hpp"
#include "views/model/session_views.hpp"

#include <algorithm>

// Outline: the comparison; reasons; words; the graph with both sides.

namespace orrery::views {
namespace {

using graph::NodeChange;
using graph::OpenedNode;

bool is_weight(const OpenedNode& node) { return node.value && node.value->kind == graph::ExprKind::Constant; }

NodeMark mark_of(NodeChange change) {
    switch (change) {
    case NodeChange::Same: return NodeMark::Same;
    case NodeChange::Changed: return NodeMark::Changed;
    case NodeChange::Moved: return NodeMark::Moved;
    case NodeChange::Removed: return NodeMark::Removed;
    case NodeChange::Added: return NodeMark::Added;
    }
    return NodeMark::None;
}

} // namespace

GraphComparison compare_graphs(const DiffRequest& request) {
    GraphComparison out;
    out.left = session::step_of(request.left_point, *request.left);
    out.right = session::step_of(request.right_point, *request.right);
    out.before = graph::open_function(out.left->module.main);
    out.after = graph::open_function(out.right->module.main);
    const bool same_model = session::same_sources(out.left->module, out.right->module);
    if (!same_model)
        out.origins = session::map_sources(request.left->steps.front()->module, request.right->steps.front()->module);
    out.match = graph::match_functions(out.before, out.after, {.same_model = same_model});
    return out;
}

// ------------------------------------------------------------------------------------------- reasons

Reasons::Reasons(const DiffRequest& request) {
    if (request.left != request.right) return;
    const auto& steps = request.left->steps;
    const auto index = [&](const session::Point& point) {
        const auto last = static_cast<int>(steps.size()) - 1;
        return static_cast<std::size_t>(point.step < 0 || point.step > last ? last : point.step);
    };
    if (steps.empty()) return;
    const std::size_t from = index(request.left_point), to = index(request.right_point);
    for (std::size_t s = from; s <= to && from < to; ++s) {
        for (const graph::Binding& b : steps[s]->module.main->bindings) {
            if (s > from) first_seen_.emplace(b.var.get(), steps[s]->name);
            if (s < to) last_seen_[b.var.get()] = steps[s + 1]->name;
        }
        if (s == to)
            for (const graph::Binding& b : steps[s]->module.main->bindings)
                if (b.value->kind == graph::ExprKind::CallFunction) calls_.emplace(b.var.get(), b.value.get());
        if (s == from) continue;
        for (const pass::Rewrite& r : steps[s]->rewrites) {
            before_.emplace(r.before.get(), Rule{&r, steps[s]->name});
            if (r.after) after_.emplace(r.after.get(), Rule{&r, steps[s]->name});
        }
    }
}

std::string Reasons::words(const Rule& rule, std::string& details) {
    const std::string_view file(rule.rewrite->file);
    const std::size_t at = file.rfind("/core/");
    details = std::string(at == std::string_view::npos ? file : file.substr(at + 1)) + ":" +
              std::to_string(rule.rewrite->line);
    return rule.step + ": " + rule.rewrite->rule;
}

std::string Reasons::gone(const OpenedNode& node, std::string& details) const {
    for (const Object* handle :
         {static_cast<const Object*>(node.var.get()), static_cast<const Object*>(node.value.get())})
        if (const auto it = before_.find(handle); it != before_.end()) return words(it->second, details);
    const auto it = last_seen_.find(node.var.get());
    return it == last_seen_.end() ? std::string() : it->second;
}

std::string Reasons::came(const OpenedNode& node, const graph::OpenedFunction& side, std::string& details) const {
    for (const Object* handle :
         {static_cast<const Object*>(node.var.get()), static_cast<const Object*>(node.value.get())})
        if (const auto it = after_.find(handle); it != after_.end()) return words(it->second, details);
    const graph::Var var = node.group < 0 ? node.var : side.groups[static_cast<std::size_t>(node.group)].var;
    if (node.group >= 0)
        if (const auto call = calls_.find(var.get()); call != calls_.end())
            if (const auto it = after_.find(call->second); it != after_.end()) return words(it->second, details);
    const auto it = first_seen_.find(var.get());
    return it == first_seen_.end() ? std::string() : it->second;
}

// --------------------------------------------------------------------------------------------- words

std::string node_text(const OpenedNode& node) {
    if (!node.value) return "input · " + graph::to_string(node.var->type);
    if (is_weight(node)) return "const " + graph::to_string(node.var->type);
    if (const auto* call = graph::as<graph::CallOp>(node.value))
        return call_title(*call) + " · " + short_type(node.var->type);
    if (const auto* call = graph::as<graph::CallFunction>(node.value)) return "@" + call->function->name;
    switch (node.value->kind) {
    case graph::ExprKind::If: return "if";
    case graph::ExprKind::Loop: return "loop";
    case graph::ExprKind::Tuple: return "tuple";
    case graph::ExprKind::Project: return "part of a tuple";
    default: return "function";
    }
}

namespace {

/// "strides [1, 1] → [2, 2], groups 1 → 4".
std::string attribute_text(const GraphComparison& c, std::size_t before_node) {
    const auto other = static_cast<std::size_t>(c.match.after_of[before_node]);
    const auto *x = graph::as<graph::CallOp>(c.before.nodes[before_node].value),
               *y = graph::as<graph::CallOp>(c.after.nodes[other].value);
    if (!x || !y) return "attributes";
    std::string text;
    const auto add = [&](const std::string& name, const graph::AttrValue* was, const graph::AttrValue* is) {
        text += (text.empty() ? "" : ", ") + name + " " + (was ? graph::to_string(*was) : "unset") + " → " +
                (is ? graph::to_string(*is) : "unset");
    };
    for (const auto& [name, value] : x->attrs.values())
        if (const graph::AttrValue* is = y->attrs.find(name); !is || !(*is == value)) add(name, &value, is);
    for (const auto& [name, value] : y->attrs.values())
        if (!x->attrs.has(name)) add(name, nullptr, &value);
    return text.empty() ? "attributes" : text;
}

} // namespace

std::string difference_text(const GraphComparison& c, std::size_t before_node) {
    const std::uint8_t bits = c.match.differs[before_node];
    std::string text;
    const auto add = [&](const std::string& word) { text += (text.empty() ? "" : ", ") + word; };
    if (bits & graph::kOperator) add("operator");
    if (bits & graph::kAttributes) add(attribute_text(c, before_node));
    if (bits & graph::kType) add("type");
    if (bits & graph::kContent) add("content");
    if (bits & graph::kOperands) add("operands");
    const std::int32_t other = c.match.after_of[before_node];
    if ((bits & graph::kGroup) != 0 && other >= 0) {
        const std::int32_t group = c.after.nodes[static_cast<std::size_t>(other)].group;
        add(group < 0 ? "out of its kernel" : "into " + c.after.groups[static_cast<std::size_t>(group)].function->name);
    }
    if (text.empty() && (bits & graph::kOrder) != 0) add("place in the order");
    return text;
}

// ------------------------------------------------------------------------------- the graph of both

namespace {

/// Items of a description with the nodes of the opened function that each stands for.
class ItemNodes {
  public:
    ItemNodes(const graph::OpenedFunction& opened, const std::vector<GraphItem>& items) {
        for (std::size_t i = 0; i < items.size(); ++i) index_.emplace(items[i].name, static_cast<std::int32_t>(i));
        // Kernels are one item; what a region of another backend holds are items of their own, named as inside.
        std::unordered_map<graph::Var, std::int32_t> group_of;
        for (std::size_t g = 0; g < opened.groups.size(); ++g)
            group_of.emplace(opened.groups[g].var, static_cast<std::int32_t>(g));
        nodes.resize(items.size(), {0, 0}); // outputs stand for no node
        item_of_node.assign(opened.nodes.size(), -1);
        std::int32_t node = 0;
        for (; node < opened.params; ++node) add(opened.nodes[static_cast<std::size_t>(node)].var, {node, 1});
        for (const graph::Binding& binding : opened.source->bindings) {
            const auto it = group_of.find(binding.var);
            const std::int32_t count =
                it == group_of.end() ? 1 : opened.groups[static_cast<std::size_t>(it->second)].count;
            const auto* call = graph::as<graph::CallFunction>(binding.value);
            if (it != group_of.end() && call && call->function->attrs.has("backend") &&
                !call->function->attrs.has("composite"))
                add_region(opened, *call->function, node);
            else if (is_item(binding))
                add(binding.var, {node, count});
            node += count;
        }
    }
    struct Range {
        std::int32_t first = 0, count = 0;
    };
    std::vector<Range> nodes;
    std::vector<std::int32_t> item_of_node;

  private:
    static bool is_item(const graph::Binding& binding) {
        return binding.value->kind != graph::ExprKind::Tuple && binding.value->kind != graph::ExprKind::Project;
    }
    void add_region(const graph::OpenedFunction& opened, const graph::FunctionNode& region, std::int32_t node) {
        for (const graph::Binding& binding : region.bindings) {
            const auto part = std::ranges::lower_bound(opened.parts, node, {}, &graph::OpenedPart::first);
            const bool whole = part != opened.parts.end() && part->first == node && part->var == binding.var;
            const std::int32_t count = whole ? part->count : 1;
            if (is_item(binding)) add(binding.var, {node, count});
            node += count;
        }
    }
    /// The item named after a variable, as the description names them: the k-th repetition as "name#k".
    void add(const graph::Var& var, Range range) {
        const int again = seen_[var->name]++;
        const auto it = index_.find(again == 0 ? var->name : var->name + "#" + std::to_string(again));
        if (it == index_.end()) return;
        nodes[static_cast<std::size_t>(it->second)] = range;
        for (std::int32_t k = range.first; k < range.first + range.count; ++k)
            item_of_node[static_cast<std::size_t>(k)] = it->second;
    }
    std::unordered_map<std::string, std::int32_t> index_;
    std::unordered_map<std::string, int> seen_;
};

/// The mark of an item from those of its nodes. A kernel whose operators only came together has moved.
NodeMark combined(const std::vector<NodeChange>& changes, const ItemNodes::Range& range) {
    NodeMark mark = NodeMark::None;
    for (std::int32_t k = range.first; k < range.first + range.count; ++k) {
        const NodeMark own = mark_of(changes[static_cast<std::size_t>(k)]);
        if (mark == NodeMark::None || mark == own)
            mark = own;
        else if ((mark == NodeMark::Same || mark == NodeMark::Moved) &&
                 (own == NodeMark::Same || own == NodeMark::Moved))
            mark = NodeMark::Moved;
        else
            mark = NodeMark::Changed;
    }
    return mark == NodeMark::None ? NodeMark::Same : mark;
}

std::string was_text(const GraphComparison& c, const ItemNodes::Range& range) {
    std::string text;
    int more = 0;
    for (std::int32_t j = range.first; j < range.first + range.count; ++j) {
        const std::int32_t i = c.match.before_of[static_cast<std::size_t>(j)];
        if (i < 0 || c.match.before[static_cast<std::size_t>(i)] == NodeChange::Same) continue;
        const OpenedNode& node = c.before.nodes[static_cast<std::size_t>(i)];
        if (is_weight(node)) continue;
        if (!text.empty()) {
            ++more;
            continue;
        }
        text = "was " + node_text(node) + " (" + difference_text(c, static_cast<std::size_t>(i)) + ")";
    }
    return more > 0 ? text + ", and " + std::to_string(more) + " more" : text;
}

} // namespace

GraphDescription describe_diff(const DiffRequest& request) {
    const GraphComparison c = compare_graphs(request);
    GraphDescription left = describe_graph(*request.left, request.left_point.step);
    GraphDescription right = describe_graph(*request.right, request.right_point.step);
    const ItemNodes left_nodes(c.before, left.items), right_nodes(c.after, right.items);

    // Where each item of the left graph is in the right one; -1: gone.
    std::vector<std::int32_t> now(left.items.size(), -1);
    for (std::size_t i = 0; i < left.items.size(); ++i)
        for (std::int32_t k = 0; k < left_nodes.nodes[i].count && now[i] < 0; ++k) {
            const std::int32_t j = c.match.after_of[static_cast<std::size_t>(left_nodes.nodes[i].first + k)];
            if (j >= 0) now[i] = right_nodes.item_of_node[static_cast<std::size_t>(j)];
        }
    std::vector<std::vector<std::size_t>> gone_after(right.items.size() + 1); // by the item before them, plus one
    std::size_t place = 0;
    for (std::size_t i = 0; i < left.items.size(); ++i) {
        if (now[i] >= 0)
            place = std::max(place, static_cast<std::size_t>(now[i]) + 1);
        else if (left.items[i].kind != OperatorKind::Output)
            gone_after[std::min(place, right.items.size())].push_back(i);
    }

    std::vector<std::vector<int>> lost(right.items.size()); // inputs an item had that are gone
    for (std::size_t i = 0; i < left.items.size(); ++i)
        for (const int input : left.items[i].inputs)
            if (now[i] >= 0 && now[static_cast<std::size_t>(input)] < 0)
                lost[static_cast<std::size_t>(now[i])].push_back(input);

    GraphDescription both;
    both.clusters = right.clusters;
    both.title = left.title + " → " + right.title;
    std::vector<int> at_right(right.items.size(), -1), at_left(left.items.size(), -1);
    const auto add_gone = [&](std::size_t after) {
        for (const std::size_t i : gone_after[after]) {
            GraphItem item = std::move(left.items[i]);
            item.name += " (gone)";
            item.change = NodeMark::Removed;
            item.function.clear();
            item.time_ms = -1, item.cluster = -1;
            std::vector<int> inputs;
            for (const int input : item.inputs) {
                const std::int32_t there = now[static_cast<std::size_t>(input)];
                const int mapped =
                    there >= 0 ? at_right[static_cast<std::size_t>(there)] : at_left[static_cast<std::size_t>(input)];
                if (mapped >= 0) inputs.push_back(mapped);
            }
            item.inputs = std::move(inputs);
            at_left[i] = static_cast<int>(both.items.size());
            both.items.push_back(std::move(item));
        }
    };
    add_gone(0);
    for (std::size_t j = 0; j < right.items.size(); ++j) {
        GraphItem item = std::move(right.items[j]);
        for (int& input : item.inputs) input = at_right[static_cast<std::size_t>(input)];
        for (const int input : lost[j])
            if (const int there = at_left[static_cast<std::size_t>(input)]; there >= 0) item.inputs.push_back(there);
        item.origins = c.origins(item.origins);
        item.change = combined(c.match.after, right_nodes.nodes[j]);
        if (item.change == NodeMark::Changed || item.change == NodeMark::Moved)
            item.was = was_text(c, right_nodes.nodes[j]);
        at_right[j] = static_cast<int>(both.items.size());
        both.items.push_back(std::move(item));
        add_gone(j + 1);
    }
    if (!both.clusters.empty()) gather_clusters(both); // what is gone stood between their items
    return both;
}

} // namespace orrery::views
