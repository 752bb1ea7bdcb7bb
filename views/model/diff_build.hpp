#pragma once
// How comparisons are made from snapshots.

#include "core/session/point.hpp"
#include "views/model/diff_view.hpp"
#include "views/model/graph_view.hpp"

#include <string>
#include <vector>

namespace orrery::views {

/// What is compared. Both snapshots are the same object when two points of one recipe are.
struct DiffRequest {
    session::SnapshotPtr left, right;
    session::Point left_point, right_point;
    std::string empty_reason; ///< why there is nothing to compare; then the rest is not looked at
};

/// Errors: Cancelled. Cost: near linear in both texts; work of operators counted before is remembered.
[[nodiscard]] Result<DiffViewData> build_diff(const DiffRequest& request, const Progress& progress);

/// The nodes of the right graph with what happened to each, and those of the left one that are gone among them.
/// Pre: both points are graph steps.
[[nodiscard]] GraphDescription describe_diff(const DiffRequest& request);

/// One graph among several that are compared.
struct ComparedStep {
    session::SnapshotPtr snapshot;
    int step = -1;
    std::string title = {}; ///< empty: the snapshot's
};
/// The costs of any number of recipes beside each other, a column each: bars are shares of the largest. Times where
/// they were run. Errors: Cancelled.
[[nodiscard]] Result<Table> compare_figures(const std::vector<ComparedStep>& sides, const Progress& progress);

/// The costs of one point as a table of figures, for the dump of a single point.
[[nodiscard]] Table build_statistics(const session::Snapshot& snapshot, const session::Point& point);

} // namespace orrery::views
