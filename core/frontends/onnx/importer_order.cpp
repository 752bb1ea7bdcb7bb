// Order of nodes. A file whose nodes stand in order, as nearly all do, is only checked.

#include "core/frontends/onnx/importer.hpp"

#include <algorithm>
#include <queue>
#include <unordered_set>

namespace orrery::onnx {

namespace {

constexpr std::size_t kShownCycle = 16; // nodes of a cycle that a diagnostic names

using Names = std::unordered_set<std::string_view>;

/// Names that a graph inside a node takes from outside. Depth is bounded by the parser.
void add_captures(const ::onnx::GraphProto& graph, std::vector<std::string_view>& out) {
    Names local;
    for (const auto& input : graph.input()) local.insert(input.name());
    for (const auto& tensor : graph.initializer()) local.insert(tensor.name());
    for (const auto& node : graph.node())
        for (const auto& output : node.output()) local.insert(output);
    std::vector<std::string_view> used;
    for (const auto& node : graph.node()) {
        for (const auto& input : node.input()) used.push_back(input);
        for (const auto& attribute : node.attribute())
            if (attribute.has_g()) add_captures(attribute.g(), used);
    }
    for (const auto& output : graph.output()) used.push_back(output.name());
    for (const std::string_view name : used)
        if (!name.empty() && !local.contains(name)) out.push_back(name);
}

class Order {
  public:
    Order(const NodeList& nodes, const std::function<bool(std::string_view)>& known) : nodes_(nodes), known_(known) {}

    Result<std::vector<int>> run() {
        ORRERY_CHECK_OK(find_producers());
        const int count = nodes_.size();
        std::vector<std::vector<int>> users(static_cast<std::size_t>(count));
        std::vector<int> waiting(static_cast<std::size_t>(count));
        bool in_order = true;
        for (int i = 0; i < count; ++i) {
            ORRERY_TRY(const std::vector<int> needed, dependencies(i));
            for (const int producer : needed) {
                in_order = in_order && producer < i;
                users[static_cast<std::size_t>(producer)].push_back(i);
                ++waiting[static_cast<std::size_t>(i)];
            }
        }
        std::vector<int> order;
        order.reserve(static_cast<std::size_t>(count));
        if (in_order) {
            for (int i = 0; i < count; ++i) order.push_back(i);
            return order;
        }
        std::priority_queue<int, std::vector<int>, std::greater<>> ready; // the file's order where there is a choice
        for (int i = 0; i < count; ++i)
            if (waiting[static_cast<std::size_t>(i)] == 0) ready.push(i);
        while (!ready.empty()) {
            const int i = ready.top();
            ready.pop();
            order.push_back(i);
            for (const int user : users[static_cast<std::size_t>(i)])
                if (--waiting[static_cast<std::size_t>(user)] == 0) ready.push(user);
        }
        if (order.size() == static_cast<std::size_t>(count)) return order;
        return cycle(waiting);
    }

  private:
    ModelNode place(int i) const { return location_of(nodes_[i], nodes_[i].name()); }

    Result<void> find_producers() {
        for (int i = 0; i < nodes_.size(); ++i)
            for (const auto& output : nodes_[i].output()) {
                if (output.empty()) continue;
                const auto [it, added] = producer_.emplace(output, i);
                if (!added || known_(output)) {
                    Diagnostic error{
                        Code::MalformedModel, "the name '" + output + "' is defined twice", {place(i)}, {}};
                    if (!added) error.locations.push_back(place(it->second));
                    return error;
                }
            }
        return {};
    }

    Result<std::vector<int>> dependencies(int i) const {
        std::vector<int> needed;
        for (const auto& input : nodes_[i].input()) {
            if (input.empty()) continue;
            const auto it = producer_.find(input);
            if (it != producer_.end())
                needed.push_back(it->second);
            else if (!known_(input))
                return Diagnostic{
                    Code::MalformedModel, "the input '" + input + "' is computed nowhere", {place(i)}, {}};
        }
        std::vector<std::string_view> captured;
        for (const auto& attribute : nodes_[i].attribute()) {
            if (attribute.has_g()) add_captures(attribute.g(), captured);
            if (nodes_[i].op_type() != "Gradient") continue; // it names what it differentiates
            captured.insert(captured.end(), attribute.strings().begin(), attribute.strings().end());
            captured.emplace_back(attribute.s());
        }
        for (const std::string_view name : captured)
            if (const auto it = producer_.find(name); it != producer_.end()) needed.push_back(it->second);
        return needed;
    }

    /// Walks back from a node that never became ready: some node comes up twice.
    Diagnostic cycle(const std::vector<int>& waiting) const {
        int node = 0;
        while (waiting[static_cast<std::size_t>(node)] == 0) ++node;
        std::vector<int> path;
        std::unordered_map<int, std::size_t> seen;
        while (seen.emplace(node, path.size()).second) {
            path.push_back(node);
            const std::vector<int> needed = *dependencies(node);
            node = *std::ranges::find_if(needed, [&](int n) { return waiting[static_cast<std::size_t>(n)] > 0; });
        }
        path.erase(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(seen.at(node)));
        std::reverse(path.begin(), path.end());
        Diagnostic error{
            Code::MalformedModel, "the graph has a cycle of " + std::to_string(path.size()) + " nodes", {}, {}};
        for (std::size_t i = 0; i < path.size() && i < kShownCycle; ++i) error.locations.push_back(place(path[i]));
        return error;
    }

    const NodeList& nodes_;
    const std::function<bool(std::string_view)>& known_;
    std::unordered_map<std::string_view, int> producer_;
};

} // namespace

Result<std::vector<int>> order_nodes(const NodeList& nodes, const std::function<bool(std::string_view)>& known) {
    return Order(nodes, known).run();
}

} // namespace orrery::onnx
