#pragma once
// Passes that are not in the table, for tests: wrong ones, to see that they are found.

#include "core/transform/passes.hpp"

#include <vector>

namespace orrery::transform::testing {

/// While it lives, find_pass finds these passes too; `passes()` never lists them. One at a time. Thread: the passes may
/// be used from any thread; work that uses them ends before this does.
class PlantedPasses {
  public:
    explicit PlantedPasses(std::vector<GraphPass> passes);
    ~PlantedPasses();
    PlantedPasses(const PlantedPasses&) = delete;
    PlantedPasses& operator=(const PlantedPasses&) = delete;
};

} // namespace orrery::transform::testing
