#pragma once
// The graph: boxes, curves, groups, with positions; folded to what is visible.

#include "core/base/origin.hpp"
#include "core/base/progress.hpp"
#include "core/base/result.hpp"
#include "views/layout/engine.hpp"
#include "views/model/selection.hpp"

#include <cstdint>
#include <memory>
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
inline constexpr int kOperatorKinds = 14;
[[nodiscard]] std::string_view to_string(OperatorKind kind);
/// By the operator's name: "conv2d" is a Convolution.
[[nodiscard]] OperatorKind operator_kind(std::string_view op_name);

/// What happened to a node between the two points compared. None: nothing is compared.
enum class NodeMark : std::uint8_t { None, Same, Added, Removed, Changed, Moved };
[[nodiscard]] std::string_view to_string(NodeMark mark);

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
    std::vector<int> inputs; ///< items it reads
    double time_ms = -1;     ///< measured; negative when not
    NodeMark change = NodeMark::None;
    std::string was; ///< of a changed node: what it was, in a few words
};

/// All nodes of one stage.
struct GraphDescription {
    std::vector<GraphItem> items;
    std::string title; ///< "fused", "after FoldConstant"
};

/// How groups are shown that nobody toggled. Automatic: open while the graph is small.
enum class GroupState : std::uint8_t { Automatic, Open, Closed };

struct GraphOptions {
    bool group_repeats = true;   ///< group modules and repeated blocks
    bool show_constants = false; ///< draw weights as nodes
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
    float heat = -1;          ///< share of the slowest node's time in [0, 1]; negative when not measured
    std::int32_t members = 0; ///< operators folded into it; 0 for a single node
    bool stub = false;        ///< stands for a value drawn elsewhere
    NodeMark change = NodeMark::None;
    std::string was; ///< of a changed node: what it was
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
    bool has_times = false;
};

/// A run of consecutive items; weights among them are part of it.
struct GraphBlock {
    int first = 0, count = 0;
    int operators = 0; ///< without weights
    std::string name, title;
};
/// Disjoint groups, in order: modules, where names have paths ("layer1/0"), and elsewhere runs of operators that
/// occur more than once. Each is convex, since the items are in topological order. Cost: O(items * kMaxBlock).
[[nodiscard]] std::vector<GraphBlock> find_blocks(const std::vector<GraphItem>& items);
inline constexpr int kMinBlock = 3;  ///< operators in a group. Source: our choice
inline constexpr int kMaxBlock = 48; ///< Source: our choice; a transformer layer has about 36

/// Folds, detaches, lays out. Errors: Cancelled.
[[nodiscard]] Result<GraphViewData> build_graph_view(const GraphDescription& description, const GraphOptions& options,
                                                     layout::LayoutEngine& engine, const Progress& progress);
/// The same picture with other times: heat and subtitles only.
[[nodiscard]] GraphViewData with_times(const GraphViewData& data, const GraphDescription& description);

/// Nodes `selection` means, sorted.
[[nodiscard]] std::vector<int> linked_nodes(const GraphViewData& data, const Selection& selection);
/// Nodes whose title, name or subtitle holds all words of `query`, case ignored, in order.
[[nodiscard]] std::vector<int> find_nodes(const GraphViewData& data, std::string_view query);

[[nodiscard]] std::string to_text(const GraphViewData& data);
[[nodiscard]] std::string to_json(const GraphViewData& data);

} // namespace orrery::views
