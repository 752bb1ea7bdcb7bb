#include "core/session/source_map.hpp"

#include <algorithm>
#include <limits>
#include <unordered_map>

namespace orrery::session {

namespace {
constexpr SourceId kUnmapped = std::numeric_limits<SourceId>::max();
}

OriginSet SourceMap::operator()(const OriginSet& origins) const {
    if (identity() || origins.empty()) return origins;
    std::vector<SourceId> ids;
    for (const SourceId id : origins.ids())
        if (id < to_.size()) ids.push_back(to_[id]);
    return OriginSet(std::move(ids));
}

std::size_t SourceMap::mapped(std::size_t sources_of_a) const {
    return static_cast<std::size_t>(std::ranges::count_if(to_, [&](SourceId id) { return id < sources_of_a; }));
}

bool same_sources(const graph::Module& a, const graph::Module& b) {
    return a.sources == b.sources ||
           std::ranges::equal(*a.sources, *b.sources, [](const graph::Source& x, const graph::Source& y) {
               return x.name == y.name && x.op_type == y.op_type;
           });
}

SourceMap map_sources(const graph::Module& a, const graph::Module& b) {
    if (same_sources(a, b)) return {};
    std::vector<SourceId> to(b.sources->size(), kUnmapped);
    std::unordered_map<std::string, SourceId> named;
    for (SourceId id = 0; id < a.sources->size(); ++id)
        named.emplace((*a.sources)[id].op_type + '\n' + (*a.sources)[id].name, id);
    std::vector<bool> taken(a.sources->size(), false);
    for (SourceId id = 0; id < b.sources->size(); ++id)
        if (const auto it = named.find((*b.sources)[id].op_type + '\n' + (*b.sources)[id].name);
            it != named.end() && !taken[it->second]) {
            to[id] = it->second;
            taken[it->second] = true;
        }
    const graph::OpenedFunction x = graph::open_function(a.main), y = graph::open_function(b.main);
    const graph::FunctionMatch match = graph::match_functions(x, y, {.same_model = false});
    for (std::size_t i = 0; i < x.nodes.size(); ++i) {
        const std::int32_t j = match.after_of[i];
        if (j < 0) continue;
        const auto from = x.nodes[i].origin.ids(), other = y.nodes[static_cast<std::size_t>(j)].origin.ids();
        if (from.size() != 1 || other.size() != 1 || other[0] >= to.size() || from[0] >= taken.size()) continue;
        if (to[other[0]] != kUnmapped || taken[from[0]]) continue;
        to[other[0]] = from[0];
        taken[from[0]] = true;
    }
    for (SourceId id = 0; id < to.size(); ++id)
        if (to[id] == kUnmapped) to[id] = static_cast<SourceId>(a.sources->size()) + id;
    return SourceMap(std::move(to));
}

} // namespace orrery::session
