#pragma once
// Independent pieces of compiler work on several threads; results do not depend on how many.

#include <cstddef>
#include <functional>

namespace orrery {

/// Calls work(0) ... work(count - 1), each once, on up to `workers` threads (0: all cores), the caller's included.
/// Returns when all are done; an exception of any is rethrown here, the first by index.
void parallel_for(std::size_t count, int workers, const std::function<void(std::size_t)>& work);

} // namespace orrery
