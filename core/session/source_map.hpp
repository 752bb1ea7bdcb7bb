#pragma once
// Origins of one model in terms of another's, so that a selection links two models.

#include "core/graph/match.hpp"
#include "core/graph/node.hpp"

#include <vector>

namespace orrery::session {

/// Turns origins of model B into origins of model A. Nodes of B that have no counterpart get ids beyond A's table, so
/// that they are still told apart.
class SourceMap {
  public:
    SourceMap() = default; ///< of a model to itself
    explicit SourceMap(std::vector<SourceId> to) : to_(std::move(to)) {}
    [[nodiscard]] bool identity() const { return to_.empty(); }
    [[nodiscard]] OriginSet operator()(const OriginSet& origins) const;
    /// How many of B's nodes have a counterpart below `sources_of_a`.
    [[nodiscard]] std::size_t mapped(std::size_t sources_of_a) const;

  private:
    std::vector<SourceId> to_;
};

/// True when origins of both mean the same: one table of sources, or tables of equal content.
[[nodiscard]] bool same_sources(const graph::Module& a, const graph::Module& b);

/// By name where a node of the same name and operator exists, else by the structure of the two imported modules.
/// Cost: near linear in both.
[[nodiscard]] SourceMap map_sources(const graph::Module& a, const graph::Module& b);

} // namespace orrery::session
