#pragma once
// Which candidates of a task to try next, given what was measured.

#include "core/tuning/candidates.hpp"
#include "core/tuning/cost_model.hpp"

#include <set>
#include <string>
#include <vector>

namespace orrery::tuning {

/// One candidate that was tried.
struct Tried {
    std::optional<Point> point;
    double milliseconds = 0; ///< 0 when it failed
};

/// What is known of a task.
struct TaskHistory {
    std::vector<Tried> tried;
    std::set<Hash> programs; ///< those tried: none is tried twice
    double best_ms = 0;
};

/// A candidate to be tried.
struct Proposal {
    Prepared prepared;
    std::optional<double> predicted_ms;
};

/// Thread: one call at a time. The same seed and the same history give the same proposals.
class Search {
  public:
    /// `model` may be null; only SearchKind::Model asks it.
    Search(SearchKind kind, std::uint64_t seed, const CostModel* model) : kind_(kind), dice_(seed), model_(model) {}
    /// Another model, or null.
    void use(const CostModel* model) { model_ = model; }
    /// At most `count`, none tried before, none that was refused. Fewer, or none, when the spaces seem exhausted.
    [[nodiscard]] std::vector<Proposal> propose(const CandidateSpace& space, const TaskHistory& history, int count);

  private:
    class Round;
    SearchKind kind_;
    Dice dice_;
    const CostModel* model_;
    std::uint64_t next_ = 0;  ///< of the grid
    std::set<Point> refused_; ///< not looked at again
};

} // namespace orrery::tuning
