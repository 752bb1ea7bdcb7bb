#include "views/layout/layout.hpp"

#include <cmath>

namespace orrery::layout {
namespace {

bool length_ok(float value) { return std::isfinite(value) && value >= 0; }
bool finite(const Point& p) { return std::isfinite(p.x) && std::isfinite(p.y); }

} // namespace

Hash content_hash(const Input& input) {
    Hasher hasher;
    hasher.add(std::string_view("layout-2")); // the version of the algorithms
    hasher.add(static_cast<std::int64_t>(input.nodes.size()));
    for (const Node& n : input.nodes)
        hasher.bytes(&n.width, sizeof n.width).bytes(&n.height, sizeof n.height).add(n.group);
    hasher.add(static_cast<std::int64_t>(input.edges.size()));
    for (const Edge& e : input.edges) hasher.add(e.from).add(e.to);
    hasher.add(static_cast<std::int64_t>(input.groups.size()));
    for (const Group& g : input.groups) hasher.add(g.parent).add(static_cast<double>(g.header));
    hasher.add(static_cast<double>(input.rank_gap)).add(static_cast<double>(input.node_gap));
    hasher.add(static_cast<double>(input.group_pad));
    if (!input.prior.empty()) hasher.bytes(input.prior.data(), input.prior.size() * sizeof(float));
    return hasher.finish();
}

bool is_valid(const Input& input) {
    const auto nodes = static_cast<std::int32_t>(input.nodes.size());
    const auto groups = static_cast<std::int32_t>(input.groups.size());
    for (const Node& n : input.nodes)
        if (!length_ok(n.width) || !length_ok(n.height) || n.group < -1 || n.group >= groups) return false;
    for (const Edge& e : input.edges)
        if (e.from < 0 || e.to < 0 || e.from >= nodes || e.to >= nodes) return false;
    for (std::int32_t i = 0; i < groups; ++i)
        if (input.groups[i].parent < -1 || input.groups[i].parent >= i || !length_ok(input.groups[i].header))
            return false;
    if (!input.prior.empty() && input.prior.size() != input.nodes.size()) return false;
    for (const float x : input.prior)
        if (!std::isfinite(x)) return false;
    return length_ok(input.rank_gap) && length_ok(input.node_gap) && length_ok(input.group_pad);
}

bool fits(const Result& result, const Input& input) {
    if (result.centers.size() != input.nodes.size() || result.groups.size() != input.groups.size()) return false;
    if (result.edge_first.size() != input.edges.size() + 1 || result.edge_first.front() != 0 ||
        result.edge_first.back() != result.points.size())
        return false;
    for (std::size_t i = 0; i + 1 < result.edge_first.size(); ++i) {
        if (result.edge_first[i] > result.edge_first[i + 1]) return false;
        const std::uint32_t count = result.edge_first[i + 1] - result.edge_first[i];
        if (count != 0 && (count < 4 || count % 3 != 1)) return false;
    }
    for (const Point& p : result.centers)
        if (!finite(p)) return false;
    for (const Point& p : result.points)
        if (!finite(p)) return false;
    return std::isfinite(result.width) && std::isfinite(result.height);
}

} // namespace orrery::layout
