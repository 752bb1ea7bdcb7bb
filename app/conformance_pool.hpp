#pragma once
// Worker processes for work that may crash or hang.

#include "core/base/progress.hpp"
#include "core/base/result.hpp"

#include <functional>
#include <string>
#include <vector>

namespace orrery::app {

/// How one item of work ended.
struct ItemResult {
    enum class End { Answered, Crashed, TimedOut };
    End end = End::Crashed;
    std::string text; ///< what the worker answered, or what ended it
};

struct PoolOptions {
    int workers = 2;
    int item_seconds = 20;
};

/// Calls `work(i)` for 0 <= i < count in forked processes and gathers the answers, in order. A worker that dies or
/// passes its time is replaced; only its item is lost. Errors: ProcessFailed when no worker can be started, Cancelled.
[[nodiscard]] Result<std::vector<ItemResult>> run_in_processes(std::size_t count,
                                                               const std::function<std::string(std::size_t)>& work,
                                                               const PoolOptions& options, const Progress& progress);

} // namespace orrery::app
