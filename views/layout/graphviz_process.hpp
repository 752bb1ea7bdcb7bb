#pragma once
// Graphviz in a child process that can be killed.

#include "core/base/progress.hpp"
#include "core/base/result.hpp"
#include "views/layout/layout.hpp"

#include <filesystem>

namespace orrery::layout {

/// The helper program `orrery-layout`: $ORRERY_LAYOUT_WORKER, else beside this program. Empty when there is none.
[[nodiscard]] std::filesystem::path find_worker();

/// Runs the helper on `input` and waits for its answer, at most `seconds`.
/// Errors: ProcessFailed when the helper is missing, crashes, answers nonsense or passes its time box;
/// Cancelled within 20 ms of a stop request. In every case the child is dead when this returns.
[[nodiscard]] orrery::Result<Result> run_graphviz(const Input& input, const std::filesystem::path& worker,
                                                  double seconds, const Progress& progress);

} // namespace orrery::layout
