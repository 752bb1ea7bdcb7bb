#pragma once
// Figures of two points beside each other.

#include "views/model/diff_build.hpp"

namespace orrery::views {

/// Figure, left, right, difference. Errors: Cancelled.
[[nodiscard]] Result<Table> compare_statistics(const DiffRequest& request, const Progress& progress);

} // namespace orrery::views
