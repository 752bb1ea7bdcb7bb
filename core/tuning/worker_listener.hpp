#pragma once
// A worker for other machines, or other processes of this one: started again whenever a kernel ends it.

#include "core/base/progress.hpp"
#include "core/base/result.hpp"

#include <filesystem>
#include <functional>
#include <string>

namespace orrery::tuning {

struct ListenOptions {
    std::filesystem::path program = {}; ///< see Worker::Options
    std::string address;                ///< "HOST:PORT"
    /// Whoever can reach the port can run any code in this process's name: others than this machine only when asked.
    bool from_outside = false;
};

/// Keeps a worker listening until a stop request. `say` is told when it listens, and how each one ended. Errors:
/// BadArgument for an address that is none, or not of this machine while `from_outside` is false; ProcessFailed for a
/// worker that cannot listen; Cancelled.
[[nodiscard]] Result<void> listen_worker(const ListenOptions& options,
                                         const std::function<void(const std::string&)>& say, const Progress& progress);

} // namespace orrery::tuning
