#include "views/model/sides_view.hpp"

#include "views/model/json.hpp"
#include "views/model/session_views.hpp"

#include <algorithm>

namespace orrery::views {

std::string target_title(const session::Recipe& recipe) {
    std::string title = recipe.target.backend + " · " + (recipe.target.cpu.empty() ? "native" : recipe.target.cpu);
    const int threads = recipe.threads > 0 ? recipe.threads : recipe.target.cores;
    return title + " · " + std::to_string(threads) + (threads == 1 ? " thread" : " threads");
}

int same_step(const session::Snapshot& from, int step, const session::Snapshot& to) {
    const auto last = static_cast<int>(from.steps.size()) - 1;
    if (step < 0 || step >= last) return -1;
    const std::string& name = from.steps[static_cast<std::size_t>(step)]->name;
    // The k-th of that name, or the last there is.
    const auto is_it = [&](const auto& each) { return each->name == name; };
    auto again = std::count_if(from.steps.begin(), from.steps.begin() + step + 1, is_it);
    int found = -1;
    for (std::size_t i = 0; i < to.steps.size() && again > 0; ++i)
        if (is_it(to.steps[i])) found = static_cast<int>(i), --again;
    return found;
}

GraphDescription describe_side(const SideStep& what, const session::SourceMap& origins,
                               const DescribeOptions& options) {
    constexpr SourceId kApart = 1u << 26; // more nodes than any model has
    GraphDescription description = describe_graph(what.other, what.step, options);
    if (origins.identity()) return description;
    const SourceId own = static_cast<SourceId>(what.first.steps.front()->module.sources->size());
    for (GraphItem& item : description.items) {
        const OriginSet mapped = origins(item.origins);
        std::vector<SourceId> ids;
        for (const SourceId id : mapped.ids())
            ids.push_back(id < own ? id : id + kApart * static_cast<SourceId>(what.side));
        item.origins = OriginSet(std::move(ids));
    }
    return description;
}

namespace {

/// Nodes of the first side that share an origin with a node of another.
std::vector<int> counterparts(const SidesViewData& data, const GraphNode& node) {
    return linked_nodes(*data.sides.front().graph, {node.origins, {}, {}});
}

} // namespace

std::string to_text(const SidesViewData& data) {
    std::string out = data.summary + "\n";
    for (std::size_t s = 0; s < data.sides.size(); ++s) {
        const Side& side = data.sides[s];
        out += "\n" + side.title + " (" + side.target + ")" + (side.status.empty() ? "" : ": " + side.status) + "\n";
        out += to_text(*side.graph);
        for (std::size_t i = 0; s > 0 && i < side.graph->nodes.size(); ++i) {
            out += "  " + std::to_string(i) + " =";
            for (const int other : counterparts(data, side.graph->nodes[i])) out += " " + std::to_string(other);
            out += "\n";
        }
    }
    return out + "\n" + to_text(data.figures);
}

std::string to_json(const SidesViewData& data) {
    Json sides = Json::array();
    for (std::size_t s = 0; s < data.sides.size(); ++s) {
        const Side& side = data.sides[s];
        Json links = Json::array();
        for (const GraphNode& node : side.graph->nodes) links.push_back(counterparts(data, node));
        sides.push_back({{"title", side.title},
                         {"target", side.target},
                         {"status", side.status},
                         {"graph", Json::parse(to_json(*side.graph))},
                         {"counterparts", std::move(links)}});
    }
    return dump(Json{
        {"view", "sides"}, {"summary", data.summary}, {"sides", std::move(sides)}, {"figures", json_of(data.figures)}});
}

} // namespace orrery::views
