#pragma once
// The graph: boxes, curves, groups, with positions; folded to what is visible.

#include "core/base/origin.hpp"
#include "core/base/progress.hpp"
#include "core/base/result.hpp"
#include "views/layout/engine.hpp"
#include "views/model/selection.hpp"
#include "views/model/table.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace orrery::views {

/// What a node does, as far as its colour says.
enum class OperatorKind : std::uint8_t {
    Input,
    Output,
    Constant,
    Convolution,
    MatMul,
    Pool,
    Normalization,
    Activation,
    Elementwise,
    Reduction,
    Shape,
    Recurrent,
    Other,
    Group,
};
/// Drawn as a rounded label rather than a box.
constexpr bool is_pill(OperatorKind kind) {
    return kind == OperatorKind::Input || kind == OperatorKind::Output || kind == OperatorKind::Constant;
}
inline constexpr int kOperatorKinds = 14;
[[nodiscard]] std::string_view to_string(OperatorKind kind);
/// By the operator's name: "conv2d" is a Convolution.
[[nodiscard]] OperatorKind operator_kind(std::string_view op_name);

/// What happened to a node between the two points compared. None: nothing is compared.
enum class NodeMark : std::uint8_t { None, Same, Added, Removed, Changed, Moved };
[[nodiscard]] std::string_view to_string(NodeMark mark);
/// What a node costs; negative when not known.
struct NodeValues {
    double time_ms = -1; ///< measured by the last run
    double flops = -1;
    double bytes = -1; ///< read and written, each element once
    double error = -1; ///< of its kernel against the interpreter, relative to the largest element
    friend bool operator==(const NodeValues&, const NodeValues&) = default;
};

/// What is drawn over the graph as heat.
enum class Overlay : std::uint8_t { Latency, Flops, Bytes, Intensity, Error };
inline constexpr int kOverlays = 5;
/// "latency", as the command line has it.
[[nodiscard]] std::string_view to_string(Overlay overlay);
[[nodiscard]] std::optional<Overlay> parse_overlay(std::string_view name);
/// The overlay's value; negative when not known. Intensity is FLOP per byte.
[[nodiscard]] double value_of(const NodeValues& values, Overlay overlay);
/// "1.02 ms", "231 MFLOP", "9.2 MB", "12.4 FLOP/B", "1.2e-07".
[[nodiscard]] std::string value_text(double value, Overlay overlay);

/// A node before grouping and layout. Nodes come in an order in which inputs stand before their readers.
struct GraphItem {
    std::string name;      ///< unique, stable from build to build: variable or source name
    std::string title;     ///< "conv2d 3x3 · relu"
    std::string subtitle;  ///< "64x56x56"
    std::string scope;     ///< "layer1/0": the name's path, used to name groups
    std::string function;  ///< the tensor program that computes it; empty when none does
    std::string signature; ///< equal for nodes that count as the same when repeated blocks are looked for
    OperatorKind kind = OperatorKind::Other;
    OriginSet origins;
    std::vector<int> inputs;                   ///< items it reads
    double time_ms = -1;                       ///< measured; negative when not
    double flops = -1, bytes = -1, error = -1; ///< see NodeValues
    int cluster = -1;                          ///< of GraphDescription::clusters; -1 for none
    std::string reason; ///< why it was not fused with what reads it; empty when that is not known
    NodeMark change = NodeMark::None;
    std::string was; ///< of a changed node: what it was, in a few words
    [[nodiscard]] NodeValues values() const { return {time_ms, flops, bytes, error}; }
};

/// Items that belong together by what became of them: one kernel, one backend's part. Its items stand in one run.
struct GraphCluster {
    std::string name, title;  ///< unique; "conv2d_add_relu_3"
    NodeValues values;        ///< of the whole; not known where the items' own are
    std::string backend = {}; ///< that takes it as one part; empty for what the target's own code generator compiles
};

/// All nodes of one stage.
struct GraphDescription {
    std::vector<GraphItem> items;
    std::vector<GraphCluster> clusters;
    std::string title; ///< "fused", "after FoldConstant"
};
/// Brings the items of each cluster together, inputs still before their readers; a cluster that cannot be (something
/// outside stands between its items) stays in pieces. Cost: O(n log n).
void gather_clusters(GraphDescription& description);

/// What groups are made of.
enum class GroupBy : std::uint8_t {
    Blocks,   ///< modules by their path, and repeated blocks elsewhere
    Modules,  ///< modules only
    Repeats,  ///< repeated blocks only
    Kernels,  ///< what is or will be one kernel
    Backends, ///< what goes to another backend
};
inline constexpr int kGroupings = 5;
/// "blocks", as the command line has it.
[[nodiscard]] std::string_view to_string(GroupBy by);
[[nodiscard]] std::optional<GroupBy> parse_group_by(std::string_view name);

/// How groups are shown that nobody toggled. Automatic: open while the graph is small.
enum class GroupState : std::uint8_t { Automatic, Open, Closed };

struct GraphOptions {
    bool group_repeats = true; ///< group modules and repeated blocks
    GroupBy group_by = GroupBy::Blocks;
    bool show_constants = false; ///< draw weights as nodes
    Overlay overlay = Overlay::Latency;
    GroupState groups = GroupState::Automatic;
    std::set<std::string> toggled; ///< groups shown the other way, by name
    int open_up_to = 40;   ///< operators of a graph whose groups start open. Source: our choice, about two screens
    int stub_fan_out = 12; ///< a value with more readers is drawn as a stub at each. Source: our choice, UX section 3
    friend bool operator==(const GraphOptions&, const GraphOptions&) = default;
};

/// A box on the canvas.
struct GraphNode {
    std::string name, title, subtitle, function;
    OperatorKind kind = OperatorKind::Other;
    OriginSet origins;
    layout::Rect box;
    float heat = -1;          ///< of the overlay's value in [0, 1]; negative when it is not known
    std::string value;        ///< the overlay's value in words; empty when it is not known
    std::string reason;       ///< GraphItem::reason
    std::int32_t members = 0; ///< operators folded into it; 0 for a single node
    bool stub = false;        ///< stands for a value drawn elsewhere
    NodeMark change = NodeMark::None;
    std::string was;     ///< of a changed node: what it was
    std::string backend; ///< of a folded part of another backend: its name
};

struct GraphEdge {
    std::int32_t from = 0, to = 0;
    std::uint32_t first_point = 0, point_count = 0; ///< into GraphViewData::points; cubic Bezier chain
};

/// A frame around the members of an open group.
struct GraphFrame {
    std::string name, title;
    layout::Rect box;
    std::int32_t members = 0;
    std::string backend = {}; ///< that takes what stands inside; empty for other groups
    std::string value = {};   ///< the overlay's, of the whole; empty when it is not known
    float heat = -1;          ///< of a value that is known of the whole only; negative for others
};

/// What the colours of an overlay mean.
struct GraphLegend {
    std::string title;     ///< "Time of the last run"
    std::string low, high; ///< the values at both ends
    std::string total;     ///< "13.4 ms in all"; empty where a sum means nothing
    friend bool operator==(const GraphLegend&, const GraphLegend&) = default;
};

struct GraphViewData {
    std::string title;
    std::string note;         ///< which layout, why
    std::string empty_reason; ///< shown when there are no nodes
    std::vector<GraphNode> nodes;
    std::vector<GraphEdge> edges;
    std::vector<layout::Point> points;
    std::vector<GraphFrame> frames;
    std::vector<std::string> group_names; ///< all groups found, open or not
    float width = 0, height = 0;
    std::int32_t operators = 0; ///< nodes of the model shown, folded ones included
    bool has_times = false;     ///< some node was measured
    Overlay overlay = Overlay::Latency;
    GroupBy group_by = GroupBy::Blocks;
    std::array<bool, kOverlays> has_overlay{}; ///< some node has a value
    GraphLegend legend;                        ///< of `overlay`
    Table table;                               ///< every operator, folded or not: the canvas's twin
};

/// A run of consecutive items; weights among them are part of it.
struct GraphBlock {
    int first = 0, count = 0;
    int operators = 0; ///< without weights
    std::string name, title;
    int cluster = -1;         ///< of GraphDescription::clusters
    std::string backend = {}; ///< GraphCluster::backend
};
/// Disjoint groups, in order: modules, where names have paths ("layer1/0"), and elsewhere runs of operators that
/// occur more than once. Each is convex, since the items are in topological order. Cost: O(items * kMaxBlock).
[[nodiscard]] std::vector<GraphBlock> find_blocks(const std::vector<GraphItem>& items, GroupBy by = GroupBy::Blocks);
/// The same of a description, whose clusters are the groups of the last two kinds. Parts of other backends are groups
/// of any kind.
[[nodiscard]] std::vector<GraphBlock> find_blocks(const GraphDescription& description, GroupBy by);
inline constexpr int kMinBlock = 3;  ///< operators in a group. Source: our choice
inline constexpr int kMaxBlock = 48; ///< Source: our choice; a transformer layer has about 36

/// Folds, detaches, lays out. With a picture of the same model before it, nodes that stood there keep their order and
/// move as little as the new ones allow; a picture of the same boxes and edges is drawn as it was. Errors: Cancelled.
[[nodiscard]] Result<GraphViewData> build_graph_view(const GraphDescription& description, const GraphOptions& options,
                                                     layout::LayoutEngine& engine, const Progress& progress,
                                                     const GraphViewData* before = nullptr);
/// The same picture with other values: heat, legend, subtitles, table.
[[nodiscard]] GraphViewData with_values(const GraphViewData& data, const GraphDescription& description,
                                        Overlay overlay);
[[nodiscard]] GraphViewData with_times(const GraphViewData& data, const GraphDescription& description);

/// Nodes `selection` means, sorted.
[[nodiscard]] std::vector<int> linked_nodes(const GraphViewData& data, const Selection& selection);
/// Nodes whose title, name or subtitle holds all words of `query`, case ignored, in order.
[[nodiscard]] std::vector<int> find_nodes(const GraphViewData& data, std::string_view query);

[[nodiscard]] std::string to_text(const GraphViewData& data);
[[nodiscard]] std::string to_json(const GraphViewData& data);

} // namespace orrery::views
