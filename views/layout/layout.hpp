#pragma once
// The data of a graph layout: what goes in, what comes out. No node meaning, no toolkit.

#include "core/base/hash.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace orrery::layout {

/// Units of all lengths: pixels at zoom 1. x grows to the right, y downwards.
struct Point {
    float x = 0, y = 0;
    bool operator==(const Point&) const = default;
};

struct Rect {
    float x = 0, y = 0, width = 0, height = 0;
    [[nodiscard]] float right() const { return x + width; }
    [[nodiscard]] float bottom() const { return y + height; }
    [[nodiscard]] bool intersects(const Rect& other) const {
        return x < other.right() && other.x < right() && y < other.bottom() && other.y < bottom();
    }
    [[nodiscard]] bool contains(Point p) const { return p.x >= x && p.x < right() && p.y >= y && p.y < bottom(); }
    bool operator==(const Rect&) const = default;
};

struct Node {
    float width = 0, height = 0;
    std::int32_t group = -1; ///< index into Input::groups, -1 for none
};

struct Edge {
    std::int32_t from = 0, to = 0; ///< indices into Input::nodes
};

struct Group {
    std::int32_t parent = -1; ///< index of an earlier group, -1 for none
    float header = 0;         ///< height kept free above the members for a title
};

/// A directed graph to be laid out from top to bottom.
struct Input {
    std::vector<Node> nodes;
    std::vector<Edge> edges;
    std::vector<Group> groups;
    float rank_gap = 34; ///< free height between rows
    float node_gap = 26; ///< free width between neighbours of a row
    float group_pad = 14;
    /// Where nodes stood in the picture shown before, x of their middle or kNoPrior; empty for none. Nodes that have
    /// one keep their order from left to right and move as little as the others allow.
    std::vector<float> prior;
};
inline constexpr float kNoPrior = -1e30f;

enum class Engine : std::uint8_t { Layered, Graphviz };

/// Positions for every node, a curve for every edge, a box for every group.
struct Result {
    std::vector<Point> centers;            ///< one per node
    std::vector<Rect> groups;              ///< one per group; empty groups have no size
    std::vector<Point> points;             ///< control points of all edges, edge after edge
    std::vector<std::uint32_t> edge_first; ///< first point of each edge, and one past the last: edges + 1 entries
    float width = 0, height = 0;
    Engine engine = Engine::Layered;
    std::string note; ///< why the layered layout was used; empty when nothing is to be said

    /// The control points of a chain of cubic Bezier curves: 3k + 1 points, from source to target.
    [[nodiscard]] std::span<const Point> edge(std::size_t index) const {
        return std::span(points).subspan(edge_first[index], edge_first[index + 1] - edge_first[index]);
    }
};

/// Of sizes, edges, groups and gaps.
[[nodiscard]] Hash content_hash(const Input& input);
/// True when every index is in range and every length is finite and not negative.
[[nodiscard]] bool is_valid(const Input& input);
/// True when `result` has the right number of finite positions for `input`.
[[nodiscard]] bool fits(const Result& result, const Input& input);

} // namespace orrery::layout
