#pragma once
// Two graphs matched, and why they differ: shared by the views of a comparison.

#include "core/graph/match.hpp"
#include "core/session/source_map.hpp"
#include "views/model/diff_build.hpp"

#include <memory>
#include <string>
#include <unordered_map>

namespace orrery::views {

struct GraphComparison {
    std::shared_ptr<const session::GraphStep> left, right;
    session::SourceMap origins; ///< of the right model in terms of the left
    graph::OpenedFunction before, after;
    graph::FunctionMatch match;
};
/// Pre: both points are steps of graphs that are there.
[[nodiscard]] GraphComparison compare_graphs(const DiffRequest& request);

/// The passes' own words on why a node is not what it was: rules and steps between two points of one recipe.
class Reasons {
  public:
    explicit Reasons(const DiffRequest& request);
    /// "FuseOps: fuse"; empty when nothing is known. `details` gets the rule's place in the source.
    [[nodiscard]] std::string gone(const graph::OpenedNode& node, std::string& details) const;
    [[nodiscard]] std::string came(const graph::OpenedNode& node, const graph::OpenedFunction& side,
                                   std::string& details) const;

  private:
    struct Rule {
        const pass::Rewrite* rewrite = nullptr;
        std::string step;
    };
    static std::string words(const Rule& rule, std::string& details);
    std::unordered_map<const Object*, Rule> before_, after_;
    std::unordered_map<const Object*, const Object*> calls_; ///< kernels' variables to the calls that fusion recorded
    std::unordered_map<const Object*, std::string> first_seen_, last_seen_; ///< steps that made or dropped a variable
};

/// "conv2d 3×3 · 64×56×56", "const f32[64]", "x: input".
[[nodiscard]] std::string node_text(const graph::OpenedNode& node);
/// "attributes, operands", "into kernel conv2d_relu".
[[nodiscard]] std::string difference_text(const GraphComparison& comparison, std::size_t before_node);

} // namespace orrery::views
