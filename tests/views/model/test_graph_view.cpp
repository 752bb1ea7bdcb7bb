#include "views/model/graph_view.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::views;

namespace {

int add(GraphDescription& g, const std::string& title, std::vector<int> inputs, const std::string& scope = "",
        OperatorKind kind = OperatorKind::Other) {
    GraphItem item;
    item.name = "v" + std::to_string(g.items.size());
    item.title = item.signature = title;
    item.subtitle = "8×8";
    item.scope = scope;
    item.kind = kind == OperatorKind::Other ? operator_kind(title) : kind;
    item.origins = OriginSet(static_cast<SourceId>(g.items.size()));
    item.inputs = std::move(inputs);
    g.items.push_back(std::move(item));
    return static_cast<int>(g.items.size()) - 1;
}

/// Input, conv, `blocks` residual blocks of four with a weight each, softmax.
GraphDescription residual(int blocks) {
    GraphDescription g;
    g.title = "fused";
    int at = add(g, "input", {}, "", OperatorKind::Input);
    at = add(g, "conv2d", {at});
    for (int b = 0; b < blocks; ++b) {
        const std::string scope = "layer/" + std::to_string(b);
        const int before = at;
        const int weight = add(g, "weight", {}, "", OperatorKind::Constant);
        int x = add(g, "conv2d", {before, weight}, scope);
        x = add(g, "relu", {x}, scope);
        x = add(g, "conv2d", {x, weight}, scope);
        at = add(g, "add", {x, before}, scope);
    }
    add(g, "softmax", {at});
    return g;
}

GraphViewData built(const GraphDescription& g, const GraphOptions& options = {}) {
    layout::Options plain;
    plain.graphviz_limit = 0; // the layered layout: what is tested here is not where boxes are
    layout::LayoutEngine engine(plain);
    auto data = build_graph_view(g, options, engine, {});
    REQUIRE(data);
    return *std::move(data);
}

int node(const GraphViewData& data, const std::string& name) {
    for (std::size_t i = 0; i < data.nodes.size(); ++i)
        if (data.nodes[i].name == name) return static_cast<int>(i);
    return -1;
}

} // namespace

TEST_CASE("repeated residual blocks are found, cut where one value comes in and one goes out", "[views][graph]") {
    GraphDescription g;
    int at = add(g, "input", {}, "", OperatorKind::Input);
    at = add(g, "pool", {at});
    for (int b = 0; b < 4; ++b) {
        const int before = at;
        int x = add(g, "conv2d", {before}, "layer/" + std::to_string(b));
        x = add(g, "relu", {x}, "layer/" + std::to_string(b));
        x = add(g, "conv2d", {x}, "layer/" + std::to_string(b));
        at = add(g, "add", {x, before}, "layer/" + std::to_string(b));
    }
    add(g, "softmax", {at});
    const auto blocks = find_blocks(g.items);
    REQUIRE(blocks.size() == 4);
    for (int b = 0; b < 4; ++b) {
        CHECK(blocks[static_cast<std::size_t>(b)].first == 2 + 4 * b);
        CHECK(blocks[static_cast<std::size_t>(b)].count == 4);
        CHECK(blocks[static_cast<std::size_t>(b)].title == "layer/" + std::to_string(b));
    }
}

TEST_CASE("a graph without repetition has no blocks", "[views][graph]") {
    GraphDescription g;
    int at = add(g, "input", {}, "", OperatorKind::Input);
    for (const char* op : {"conv2d", "relu", "pool", "dense", "softmax"}) at = add(g, op, {at});
    CHECK(find_blocks(g.items).empty());
    CHECK(find_blocks({}).empty());
}

TEST_CASE("weights are hidden unless asked for, shared ones drawn at each use", "[views][graph]") {
    GraphOptions options;
    options.group_repeats = false;
    const GraphDescription g = residual(2);
    CHECK(built(g, options).nodes.size() == 11);
    options.show_constants = true;
    const GraphViewData with = built(g, options);
    CHECK(with.nodes.size() == 15); // two weights, and a stub for the second use of each
    int stubs = 0;
    for (const GraphNode& n : with.nodes) stubs += n.stub ? 1 : 0;
    CHECK(stubs == 2);
}

TEST_CASE("a value that very many read is detached", "[views][graph]") {
    GraphDescription g;
    const int mask = add(g, "mask", {}, "", OperatorKind::Input);
    int at = add(g, "input", {}, "", OperatorKind::Input);
    for (int i = 0; i < 20; ++i) at = add(g, "op" + std::to_string(i), {at, mask});
    GraphOptions options;
    options.stub_fan_out = 12;
    const GraphViewData data = built(g, options);
    CHECK(data.nodes.size() == 22 + 19);
    int from_mask = 0;
    for (const GraphEdge& e : data.edges) from_mask += e.from == 0 ? 1 : 0;
    CHECK(from_mask == 1);
    options.stub_fan_out = 100;
    CHECK(built(g, options).nodes.size() == 22);
}

TEST_CASE("groups are folded, opened by name, and enclosed by a frame", "[views][graph]") {
    GraphDescription g = residual(0);
    g.items.pop_back();
    int at = 1;
    for (int b = 0; b < 3; ++b) {
        const int before = at;
        int x = add(g, "conv2d", {before}, "layer/" + std::to_string(b));
        x = add(g, "relu", {x}, "layer/" + std::to_string(b));
        x = add(g, "conv2d", {x}, "layer/" + std::to_string(b));
        at = add(g, "add", {x, before}, "layer/" + std::to_string(b));
    }
    GraphOptions options;
    options.groups = GroupState::Closed;
    const GraphViewData closed = built(g, options);
    CHECK(closed.nodes.size() == 5);
    CHECK(closed.operators == 13);
    const int block = node(closed, "block:v2");
    REQUIRE(block >= 0);
    CHECK(closed.nodes[static_cast<std::size_t>(block)].members == 4);
    CHECK(closed.nodes[static_cast<std::size_t>(block)].origins.contains(3));
    options.toggled = {"block:v2"};
    const GraphViewData open = built(g, options);
    CHECK(open.nodes.size() == 8);
    REQUIRE(open.frames.size() == 1);
    for (const char* member : {"v2", "v3", "v4", "v5"}) {
        const layout::Rect& box = open.nodes[static_cast<std::size_t>(node(open, member))].box;
        CHECK(open.frames[0].box.contains({box.x + 1, box.y + 1}));
        CHECK(open.frames[0].box.contains({box.right() - 1, box.bottom() - 1}));
    }
    CHECK(open.operators == 13);
    CHECK(built(g).frames.size() == 3); // a graph this small starts with its groups open
    options = {};
    options.open_up_to = 5;
    CHECK(built(g, options).frames.empty());
}

TEST_CASE("modules group by path, a long one by its parts", "[views][graph]") {
    GraphDescription g;
    int at = add(g, "input", {}, "", OperatorKind::Input);
    for (int layer = 0; layer < 8; ++layer)
        for (int k = 0; k < 10; ++k) {
            const int weight = add(g, "weight", {}, "", OperatorKind::Constant);
            at = add(g, "op" + std::to_string(k) + "_" + std::to_string(layer), {at, weight},
                     "encoder/layer" + std::to_string(layer));
        }
    const auto blocks = find_blocks(g.items);
    REQUIRE(blocks.size() == 8);
    CHECK(blocks[0].title == "encoder/layer0");
    CHECK(blocks[0].operators == 10);
    CHECK(blocks[0].count == 19); // with the nine weights in between
    CHECK(g.items[static_cast<std::size_t>(blocks[0].first)].kind != OperatorKind::Constant);
}

TEST_CASE("times become heat, summed over a folded block", "[views][graph]") {
    GraphDescription g;
    int at = add(g, "input", {}, "", OperatorKind::Input);
    at = add(g, "conv2d", {at});
    at = add(g, "softmax", {at});
    const GraphViewData before = built(g);
    CHECK_FALSE(before.has_times);
    CHECK(before.nodes[1].heat < 0);
    g.items[1].time_ms = 2;
    g.items[2].time_ms = 0.5;
    const GraphViewData after = with_times(before, g);
    CHECK(after.has_times);
    CHECK(after.nodes[1].heat == Approx(1));
    CHECK(after.nodes[2].heat == Approx(0.25));
    CHECK(after.nodes[1].subtitle.find("2.00 ms") != std::string::npos);
    CHECK(after.nodes[1].box == before.nodes[1].box);
}

TEST_CASE("nodes are found by all words, and linked by origin", "[views][graph]") {
    const GraphViewData data = built(residual(1));
    CHECK(find_nodes(data, "CONV").size() == 3);
    CHECK(find_nodes(data, "conv 8×8 v3").size() == 1);
    CHECK(find_nodes(data, "  ").empty());
    CHECK(find_nodes(data, "conv nothing").empty());
    CHECK(linked_nodes(data, {OriginSet(3), {}, {}}) == std::vector<int>{node(data, "v3")});
    CHECK(linked_nodes(data, {}).empty());
}

TEST_CASE("cancelling the build is an error, not a graph", "[views][graph]") {
    layout::LayoutEngine engine;
    std::stop_source stop;
    stop.request_stop();
    Progress progress;
    progress.stop = stop.get_token();
    const auto data = build_graph_view(residual(3), {}, engine, progress);
    REQUIRE_FALSE(data);
    CHECK(data.error().code == Code::Cancelled);
}

TEST_CASE("the text form lists boxes and their readers", "[views][graph]") {
    GraphDescription g;
    g.title = "fused";
    const int at = add(g, "input", {}, "", OperatorKind::Input);
    add(g, "conv2d", {at});
    CHECK(to_text(built(g)) ==
          "fused: 1 operators, 2 boxes\n  0 [input] input  8×8  -> 1\n  1 [convolution] conv2d  8×8\n");
    CHECK(to_json(built(g)).find("\"kind\": \"convolution\"") != std::string::npos);
}

TEST_CASE("operators have the kind their name says", "[views][graph]") {
    CHECK(operator_kind("conv2d") == OperatorKind::Convolution);
    CHECK(operator_kind("Gemm") == OperatorKind::MatMul);
    CHECK(operator_kind("max_pool") == OperatorKind::Pool);
    CHECK(operator_kind("batch_norm") == OperatorKind::Normalization);
    CHECK(operator_kind("relu") == OperatorKind::Activation);
    CHECK(operator_kind("reshape") == OperatorKind::Shape);
    CHECK(operator_kind("lstm") == OperatorKind::Recurrent);
    CHECK(operator_kind("zzz") == OperatorKind::Other);
}
