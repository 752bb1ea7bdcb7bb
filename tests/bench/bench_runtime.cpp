// What the runtime itself costs: handing a loop to other threads, awake or parked; a step of a plan; a run of an empty
// model; and, given a module file, a run through the C interface.
//
// usage: bench_runtime [THREADS] [MODULE.so]

#include "core/runtime/executor.hpp"
#include "core/runtime/orrery.h"
#include "core/runtime/thread_pool.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

using namespace orrery::runtime;
using Clock = std::chrono::steady_clock;

namespace {

double nanoseconds(Clock::duration time) { return std::chrono::duration<double, std::nano>(time).count(); }

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

/// Median of `samples` samples of `action`, each of `times` calls. Units: nanoseconds a call.
double each(int samples, int times, const std::function<void()>& action) {
    std::vector<double> all;
    for (int i = 0; i < samples; ++i) {
        const Clock::time_point start = Clock::now();
        for (int k = 0; k < times; ++k) action();
        all.push_back(nanoseconds(Clock::now() - start) / times);
    }
    return median(std::move(all));
}

void stay_busy(std::chrono::microseconds time) {
    for (const Clock::time_point end = Clock::now() + time; Clock::now() < end;) {}
}

void nothing(std::int64_t, std::int64_t, void*) {}

void measure_pool(int threads) {
    ThreadPool pool(threads);
    const auto loop = [&pool, threads] { pool.parallel_for(threads, nothing, nullptr); };
    std::printf("loop over %d threads, one after another   %9.0f ns\n", threads, each(50, 2000, loop));
    for (const int idle : {5, 20, 45, 80, 200, 1000, 10000}) {
        std::vector<double> all;
        for (int i = 0; i < 100; ++i) {
            stay_busy(std::chrono::microseconds(idle));
            const Clock::time_point start = Clock::now();
            loop();
            all.push_back(nanoseconds(Clock::now() - start));
        }
        std::sort(all.begin(), all.end());
        std::printf("loop after %5d us without one            %9.0f ns (90 %% below %.0f)\n", idle, all[50], all[90]);
    }
}

void no_kernel(void* const*, orrery_context*) {}

void measure_executor(int threads) {
    for (const std::size_t steps : {std::size_t(0), std::size_t(1000)}) {
        auto executable = std::make_shared<Executable>();
        executable->plan.kernels = {"none"};
        executable->kernels = {no_kernel};
        for (std::size_t i = 0; i < steps; ++i) executable->plan.steps.push_back({"none", 0, {}, 0, 0});
        Executor executor(executable, threads);
        const double run = each(50, steps == 0 ? 10000 : 20, [&executor] { executor.run({}, {}); });
        if (steps == 0)
            std::printf("run of an empty plan                      %9.0f ns\n", run);
        else
            std::printf("step of a plan                            %9.1f ns\n", run / static_cast<double>(steps));
    }
}

int measure_module(const char* path, int threads) {
    orrery_model* model = nullptr;
    if (orrery_load(path, threads, &model) != ORRERY_OK) {
        std::fprintf(stderr, "%s\n", orrery_last_error());
        return 1;
    }
    for (int i = 0; i < orrery_input_count(model); ++i) {
        orrery_tensor_info info;
        orrery_input_info(model, i, &info);
        std::vector<char> zeros(info.bytes + 64);
        std::vector<std::int64_t> shape(info.shape, info.shape + info.ndim);
        const DLTensor tensor{zeros.data(), {kDLCPU, 0}, info.ndim, info.dtype, shape.data(), nullptr, 0};
        if (orrery_set_input(model, i, &tensor) != ORRERY_OK) std::fprintf(stderr, "%s\n", orrery_last_error());
    }
    orrery_run(model);
    std::printf("run of %s through the C interface  %9.0f ns\n", path, each(51, 100, [model] { orrery_run(model); }));
    orrery_free(model);
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    const int threads = argc > 1 ? std::atoi(argv[1]) : 2;
    measure_pool(threads);
    measure_executor(threads);
    return argc > 2 ? measure_module(argv[2], threads) : 0;
}
