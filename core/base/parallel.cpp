#include "core/base/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <vector>

namespace orrery {

void parallel_for(std::size_t count, int workers, const std::function<void(std::size_t)>& work) {
    if (workers <= 0) workers = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    std::vector<std::exception_ptr> failures(count);
    std::atomic<std::size_t> next{0};
    const auto loop = [&] {
        for (std::size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
            try {
                work(i);
            } catch (...) { failures[i] = std::current_exception(); }
        }
    };
    {
        std::vector<std::jthread> threads;
        const std::size_t extra = std::min(count, static_cast<std::size_t>(workers));
        for (std::size_t t = 1; t < extra; ++t) threads.emplace_back(loop);
        loop();
    }
    for (const std::exception_ptr& failure : failures)
        if (failure) std::rethrow_exception(failure);
}

} // namespace orrery
