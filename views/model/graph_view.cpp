#include "views/model/graph_view.hpp"

#include "views/model/json.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <unordered_map>

// From items to boxes: hide weights, fold blocks, detach widely shared values, lay out, fill in.

namespace orrery::views {
namespace {

// Box sizes. Units: pixels at zoom 1; widths follow the mean advance of Inter at 13 px semibold.
constexpr float kCharWidth = 7.2f;
constexpr float kSmallCharWidth = 6.6f;
constexpr float kBoxHeight = 46, kPillHeight = 28, kStubHeight = 22;
constexpr float kMinWidth = 112, kMaxWidth = 300;
constexpr float kFrameHeader = 20;
constexpr std::size_t kValueCharacters = 13; // "  5.88 kFLOP", and one to spare

std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

layout::Node size_of(const GraphNode& node) {
    // Room for a value is kept from the start, so that a run does not move the picture.
    const float title = kCharWidth * static_cast<float>(characters(node.title));
    const float subtitle = kSmallCharWidth * static_cast<float>(characters(node.subtitle) + kValueCharacters);
    if (node.stub)
        return {std::clamp(20 + kSmallCharWidth * static_cast<float>(characters(node.title)), 40.f, 140.f), kStubHeight,
                -1};
    if (is_pill(node.kind))
        return {std::clamp(44 + title + kCharWidth * static_cast<float>(characters(node.subtitle)), 90.f, kMaxWidth),
                kPillHeight, -1};
    const float width = std::clamp(28 + std::max(title, node.subtitle.empty() ? 0 : subtitle), kMinWidth, kMaxWidth);
    return {std::ceil(width / 8) * 8, kBoxHeight, -1};
}

/// The picture before layout.
struct Draft {
    GraphViewData data;
    layout::Input input;
    std::vector<int> node_of_item; ///< -1 for hidden items
};

GraphNode single(const GraphItem& item) {
    GraphNode node;
    node.name = item.name, node.title = item.title, node.subtitle = item.subtitle, node.function = item.function;
    node.kind = item.kind, node.origins = item.origins, node.reason = item.reason;
    node.change = item.change, node.was = item.was;
    return node;
}

int add_node(Draft& draft, GraphNode node, int group) {
    layout::Node box = size_of(node);
    box.group = group;
    draft.input.nodes.push_back(box);
    draft.data.nodes.push_back(std::move(node));
    return static_cast<int>(draft.data.nodes.size()) - 1;
}

GraphNode folded(const GraphDescription& description, const GraphBlock& block) {
    GraphNode node;
    node.name = block.name;
    node.title =
        block.title + " ⊞ " + std::to_string(block.operators) + (block.operators == 1 ? " operator" : " operators");
    node.kind = OperatorKind::Group;
    node.backend = block.backend;
    node.members = block.operators;
    int changed = 0;
    for (int i = block.first; i < block.first + block.count; ++i) {
        const GraphItem& item = description.items[static_cast<std::size_t>(i)];
        if (item.kind == OperatorKind::Constant) continue;
        node.origins = unite(node.origins, item.origins);
        node.subtitle = item.subtitle; // the last member's: what the block gives
        changed += item.change > NodeMark::Same ? 1 : 0;
        node.change = node.change == NodeMark::None || node.change == item.change ? item.change : NodeMark::Changed;
    }
    if (node.change == NodeMark::Changed) node.was = std::to_string(changed) + " of its operators changed";
    return node;
}

void add_nodes(Draft& draft, const GraphDescription& description, const GraphOptions& options) {
    const auto& items = description.items;
    draft.node_of_item.assign(items.size(), -1);
    const std::vector<GraphBlock> blocks =
        options.group_repeats ? find_blocks(description, options.group_by) : std::vector<GraphBlock>();
    for (const GraphBlock& b : blocks) draft.data.group_names.push_back(b.name);
    for (const GraphItem& item : items) draft.data.operators += is_pill(item.kind) ? 0 : 1;
    const bool open_first = options.groups == GroupState::Open ||
                            (options.groups == GroupState::Automatic && draft.data.operators <= options.open_up_to);
    std::size_t next = 0;
    int group = -1, group_end = 0;
    for (int i = 0; i < static_cast<int>(items.size()); ++i) {
        const GraphItem& item = items[static_cast<std::size_t>(i)];
        if (i >= group_end) group = -1;
        if (next < blocks.size() && blocks[next].first == i) {
            const GraphBlock& block = blocks[next++];
            if (open_first == options.toggled.contains(block.name)) {
                const int node = add_node(draft, folded(description, block), -1);
                std::fill_n(draft.node_of_item.begin() + i, block.count, node);
                i += block.count - 1;
                continue;
            }
            group = static_cast<int>(draft.input.groups.size());
            group_end = i + block.count;
            draft.input.groups.push_back({-1, kFrameHeader});
            draft.data.frames.push_back({block.name, block.title, {}, block.operators, block.backend});
        }
        if (item.kind == OperatorKind::Constant && !options.show_constants) continue;
        draft.node_of_item[static_cast<std::size_t>(i)] = add_node(draft, single(item), group);
    }
}

void add_edges(Draft& draft, const GraphDescription& description, const GraphOptions& options) {
    std::vector<std::pair<int, int>> pairs;
    for (std::size_t i = 0; i < description.items.size(); ++i) {
        const int to = draft.node_of_item[i];
        if (to < 0) continue;
        for (const int input : description.items[i].inputs) {
            if (description.items[static_cast<std::size_t>(input)].kind == OperatorKind::Constant &&
                !options.show_constants)
                continue;
            const int from = draft.node_of_item[static_cast<std::size_t>(input)];
            if (from >= 0 && from != to) pairs.emplace_back(from, to);
        }
    }
    std::sort(pairs.begin(), pairs.end());
    pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
    std::vector<int> readers(draft.data.nodes.size(), 0);
    for (const auto& [from, to] : pairs) ++readers[static_cast<std::size_t>(from)];
    std::vector<int> seen(draft.data.nodes.size(), 0);
    for (const auto& [from, to] : pairs) {
        const auto source = static_cast<std::size_t>(from);
        int begin = from;
        const bool detach = readers[source] > options.stub_fan_out ||
                            (draft.data.nodes[source].kind == OperatorKind::Constant && readers[source] > 1);
        if (detach && seen[source]++ > 0) {
            GraphNode stub = draft.data.nodes[source];
            stub.name += " > " + draft.data.nodes[static_cast<std::size_t>(to)].name;
            stub.stub = true, stub.members = 0, stub.subtitle.clear();
            begin = add_node(draft, std::move(stub), draft.input.nodes[static_cast<std::size_t>(to)].group);
        }
        draft.input.edges.push_back({begin, to});
    }
}

void fill_in(Draft& draft, const layout::Result& drawn) {
    GraphViewData& data = draft.data;
    for (std::size_t i = 0; i < data.nodes.size(); ++i) {
        const layout::Node& size = draft.input.nodes[i];
        const layout::Point c = drawn.centers[i];
        data.nodes[i].box = {c.x - size.width / 2, c.y - size.height / 2, size.width, size.height};
    }
    data.points = drawn.points;
    for (std::size_t e = 0; e < draft.input.edges.size(); ++e)
        data.edges.push_back({draft.input.edges[e].from, draft.input.edges[e].to, drawn.edge_first[e],
                              drawn.edge_first[e + 1] - drawn.edge_first[e]});
    for (std::size_t g = 0; g < data.frames.size(); ++g) data.frames[g].box = drawn.groups[g];
    data.width = drawn.width, data.height = drawn.height;
    data.note = drawn.note;
}

/// The picture before, when it shows the same boxes and edges: then that is the layout.
bool draw_as_before(Draft& draft, const GraphViewData& before) {
    GraphViewData& data = draft.data;
    if (before.nodes.size() != data.nodes.size() || before.edges.size() != draft.input.edges.size() ||
        before.frames.size() != data.frames.size())
        return false;
    for (std::size_t i = 0; i < data.nodes.size(); ++i) {
        const layout::Node& size = draft.input.nodes[i];
        const GraphNode& then = before.nodes[i];
        if (then.name != data.nodes[i].name || then.box.width != size.width || then.box.height != size.height)
            return false;
    }
    for (std::size_t e = 0; e < before.edges.size(); ++e)
        if (before.edges[e].from != draft.input.edges[e].from || before.edges[e].to != draft.input.edges[e].to)
            return false;
    for (std::size_t f = 0; f < data.frames.size(); ++f)
        if (before.frames[f].name != data.frames[f].name) return false;
    for (std::size_t i = 0; i < data.nodes.size(); ++i) data.nodes[i].box = before.nodes[i].box;
    for (std::size_t f = 0; f < data.frames.size(); ++f) data.frames[f].box = before.frames[f].box;
    data.edges = before.edges, data.points = before.points;
    data.width = before.width, data.height = before.height, data.note = before.note;
    return true;
}

/// Where the nodes stood in the picture before; nothing when it shows too little of them to go on from.
void remember(Draft& draft, const GraphViewData& before) {
    std::unordered_map<std::string_view, const GraphNode*> stood;
    for (const GraphNode& node : before.nodes) stood.emplace(node.name, &node);
    std::vector<float> prior(draft.data.nodes.size(), layout::kNoPrior);
    std::size_t known = 0;
    for (std::size_t i = 0; i < prior.size(); ++i)
        if (const auto it = stood.find(draft.data.nodes[i].name); it != stood.end()) {
            prior[i] = it->second->box.x + it->second->box.width / 2;
            ++known;
        }
    constexpr std::size_t kShare = 4; // a quarter. Source: our choice; with less it is another picture
    if (known * kShare >= prior.size()) draft.input.prior = std::move(prior);
}

std::string lowered(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

} // namespace

std::string_view to_string(OperatorKind kind) {
    static constexpr std::array<std::string_view, kOperatorKinds> kNames = {
        "input",      "output",      "constant",  "convolution", "matmul",    "pool",  "normalization",
        "activation", "elementwise", "reduction", "shape",       "recurrent", "other", "group"};
    return kNames[static_cast<std::size_t>(kind)];
}

std::string_view to_string(NodeMark mark) {
    static constexpr std::array<std::string_view, 6> kNames = {"", "same", "added", "removed", "changed", "moved"};
    return kNames[static_cast<std::size_t>(mark)];
}

OperatorKind operator_kind(std::string_view op_name) {
    struct Row {
        std::string_view part;
        OperatorKind kind;
    };
    // The first part found in the name decides.
    static constexpr Row kRows[] = {
        {"input", OperatorKind::Input},
        {"conv", OperatorKind::Convolution},
        {"matmul", OperatorKind::MatMul},
        {"gemm", OperatorKind::MatMul},
        {"dense", OperatorKind::MatMul},
        {"einsum", OperatorKind::MatMul},
        {"pool", OperatorKind::Pool},
        {"norm", OperatorKind::Normalization},
        {"softmax", OperatorKind::Normalization},
        {"lrn", OperatorKind::Normalization},
        {"lstm", OperatorKind::Recurrent},
        {"gru", OperatorKind::Recurrent},
        {"rnn", OperatorKind::Recurrent},
        {"reduce", OperatorKind::Reduction},
        {"argm", OperatorKind::Reduction},
        {"cumsum", OperatorKind::Reduction},
        {"top_k", OperatorKind::Reduction},
        {"prelu", OperatorKind::Activation},
        {"relu", OperatorKind::Activation},
        {"elu", OperatorKind::Activation},
        {"sigmoid", OperatorKind::Activation},
        {"tanh", OperatorKind::Activation},
        {"swish", OperatorKind::Activation},
        {"clip", OperatorKind::Activation},
        {"softplus", OperatorKind::Activation},
        {"softsign", OperatorKind::Activation},
        {"erf", OperatorKind::Activation},
        {"reshape", OperatorKind::Shape},
        {"transpose", OperatorKind::Shape},
        {"concat", OperatorKind::Shape},
        {"slice", OperatorKind::Shape},
        {"split", OperatorKind::Shape},
        {"squeeze", OperatorKind::Shape},
        {"flatten", OperatorKind::Shape},
        {"expand", OperatorKind::Shape},
        {"gather", OperatorKind::Shape},
        {"scatter", OperatorKind::Shape},
        {"tile", OperatorKind::Shape},
        {"pad", OperatorKind::Shape},
        {"broadcast", OperatorKind::Shape},
        {"space", OperatorKind::Shape},
        {"resize", OperatorKind::Shape},
        {"shape", OperatorKind::Shape},
        {"cast", OperatorKind::Elementwise},
        {"add", OperatorKind::Elementwise},
        {"sub", OperatorKind::Elementwise},
        {"mul", OperatorKind::Elementwise},
        {"div", OperatorKind::Elementwise},
        {"pow", OperatorKind::Elementwise},
        {"sqrt", OperatorKind::Elementwise},
        {"exp", OperatorKind::Elementwise},
        {"log", OperatorKind::Elementwise},
        {"abs", OperatorKind::Elementwise},
        {"neg", OperatorKind::Elementwise},
        {"min", OperatorKind::Elementwise},
        {"max", OperatorKind::Elementwise},
        {"mean", OperatorKind::Elementwise},
        {"sum", OperatorKind::Elementwise},
        {"where", OperatorKind::Elementwise},
        {"select", OperatorKind::Elementwise},
        {"equal", OperatorKind::Elementwise},
        {"less", OperatorKind::Elementwise},
        {"greater", OperatorKind::Elementwise},
        {"not", OperatorKind::Elementwise},
        {"and", OperatorKind::Elementwise},
        {"or", OperatorKind::Elementwise},
    };
    const std::string name = lowered(op_name);
    for (const Row& row : kRows)
        if (name.find(row.part) != std::string::npos) return row.kind;
    return OperatorKind::Other;
}

Result<GraphViewData> build_graph_view(const GraphDescription& description, const GraphOptions& options,
                                       layout::LayoutEngine& engine, const Progress& progress,
                                       const GraphViewData* before) {
    Draft draft;
    draft.data.overlay = options.overlay, draft.data.group_by = options.group_by;
    draft.data.title = description.title;
    draft.data.empty_reason = "This stage has no operators: everything was folded into constants.";
    progress.tell("grouping repeated blocks", 0.1);
    add_nodes(draft, description, options);
    add_edges(draft, description, options);
    progress.tell("laying out the graph", 0.3);
    if (before == nullptr || !draw_as_before(draft, *before)) {
        if (before != nullptr) remember(draft, *before);
        ORRERY_TRY(const auto drawn, engine.run(draft.input, progress));
        fill_in(draft, *drawn);
    }
    return with_values(draft.data, description, options.overlay);
}

std::vector<int> linked_nodes(const GraphViewData& data, const Selection& selection) {
    std::vector<int> nodes;
    if (selection.origins.empty()) return nodes;
    for (std::size_t i = 0; i < data.nodes.size(); ++i)
        if (data.nodes[i].origins.intersects(selection.origins)) nodes.push_back(static_cast<int>(i));
    return nodes;
}

std::vector<int> find_nodes(const GraphViewData& data, std::string_view query) {
    std::vector<std::string> words;
    std::string word;
    for (const char c : lowered(query) + " ") {
        if (c != ' ')
            word += c;
        else if (!word.empty())
            words.push_back(std::exchange(word, {}));
    }
    std::vector<int> found;
    if (words.empty()) return found;
    for (std::size_t i = 0; i < data.nodes.size(); ++i) {
        const GraphNode& n = data.nodes[i];
        const std::string all = lowered(n.title + "\n" + n.name + "\n" + n.subtitle + "\n" + n.function);
        if (std::all_of(words.begin(), words.end(),
                        [&](const std::string& w) { return all.find(w) != std::string::npos; }))
            found.push_back(static_cast<int>(i));
    }
    return found;
}

std::string to_text(const GraphViewData& data) {
    if (data.nodes.empty()) return data.empty_reason + "\n";
    std::string out = data.title + ": " + std::to_string(data.operators) + " operators, " +
                      std::to_string(data.nodes.size()) + " boxes\n";
    std::vector<std::vector<int>> readers(data.nodes.size());
    for (const GraphEdge& e : data.edges) readers[static_cast<std::size_t>(e.from)].push_back(e.to);
    for (std::size_t i = 0; i < data.nodes.size(); ++i) {
        const GraphNode& n = data.nodes[i];
        out +=
            "  " + std::to_string(i) + " [" + std::string(to_string(n.kind)) + (n.stub ? " stub" : "") + "] " + n.title;
        if (!n.subtitle.empty()) out += "  " + n.subtitle;
        if (!n.backend.empty()) out += "  for " + n.backend;
        if (n.change > NodeMark::Same) out += " (" + std::string(to_string(n.change)) + ")";
        if (!n.reason.empty()) out += "  (" + n.reason + ")";
        if (!readers[i].empty()) {
            out += "  ->";
            for (const int to : readers[i]) out += " " + std::to_string(to);
        }
        out += "\n";
    }
    for (const GraphFrame& f : data.frames) {
        out += "  frame " + f.title + (f.value.empty() ? ":" : "  " + f.value + ":");
        for (std::size_t i = 0; i < data.nodes.size(); ++i)
            if (f.box.contains({data.nodes[i].box.x + data.nodes[i].box.width / 2,
                                data.nodes[i].box.y + data.nodes[i].box.height / 2}))
                out += " " + std::to_string(i);
        out += "\n";
    }
    return out;
}

std::string to_json(const GraphViewData& data) {
    Json nodes = Json::array(), edges = Json::array(), frames = Json::array();
    for (const GraphNode& n : data.nodes)
        nodes.push_back(Json{{"name", n.name},
                             {"title", n.title},
                             {"subtitle", n.subtitle},
                             {"kind", to_string(n.kind)},
                             {"function", n.function},
                             {"value", n.value},
                             {"heat", n.heat},
                             {"reason", n.reason},
                             {"members", n.members},
                             {"backend", n.backend},
                             {"stub", n.stub},
                             {"change", to_string(n.change)},
                             {"origins", json_of(n.origins)},
                             {"box", {n.box.x, n.box.y, n.box.width, n.box.height}}});
    for (const GraphEdge& e : data.edges) edges.push_back(Json::array({e.from, e.to}));
    for (const GraphFrame& f : data.frames)
        frames.push_back(Json{{"name", f.name},
                              {"title", f.title},
                              {"members", f.members},
                              {"backend", f.backend},
                              {"value", f.value},
                              {"box", {f.box.x, f.box.y, f.box.width, f.box.height}}});
    return dump(Json{{"view", "graph"},
                     {"title", data.title},
                     {"note", data.note},
                     {"operators", data.operators},
                     {"overlay", to_string(data.overlay)},
                     {"legend",
                      {{"title", data.legend.title},
                       {"low", data.legend.low},
                       {"high", data.legend.high},
                       {"total", data.legend.total}}},
                     {"size", {data.width, data.height}},
                     {"nodes", std::move(nodes)},
                     {"edges", std::move(edges)},
                     {"groups", std::move(frames)}});
}

} // namespace orrery::views
