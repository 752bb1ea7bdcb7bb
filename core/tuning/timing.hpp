#pragma once
// One compiled kernel run alone, again and again, in the process that calls.

#include "core/base/ndarray.hpp"
#include "core/target/backend.hpp"
#include "core/tensor/node.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace orrery::tuning {

/// A parameter of a kernel.
struct Argument {
    DType dtype = DType::F32;
    Shape shape;
    bool input = true;    ///< drawn from the seed; a result otherwise
    bool weights = false; ///< an input that is as far away as weights_distance says
};
/// Those of a program, in order.
[[nodiscard]] std::vector<Argument> arguments_of(const tensor::Program& program);

/// Inputs drawn from a seed, the same on every machine: floats in [-1, 1], integers small, booleans either. Results
/// hold what no kernel may rely on: every byte 0xFF, NaN in floats.
/// Errors: LimitExceeded when all together take more than 8 GiB.
[[nodiscard]] Result<std::vector<NDArray>> draw_arguments(std::span<const Argument> arguments, std::uint64_t seed);

/// What is to be run, and how long.
struct RunRequest {
    KernelObject object;             ///< compiled for the machine it runs on
    std::vector<Argument> arguments; ///< in the kernel's order
    std::uint64_t seed = 1;
    int threads = 1;              ///< as many cores are kept for it
    double warm_up_seconds = 0.1; ///< of untimed runs before; at least one
    double seconds = 1;           ///< of timed runs, at most, once there are `least_runs`
    int least_runs = 10, most_runs = 1000;
    double interval = 0.01;       ///< no further runs once the median is known to this share of it
    double deadline_seconds = 30; ///< of everything, loading included; kept by whoever watches
    bool want_outputs = false;
    double give_up_ms = 0;        ///< a kernel that takes longer is not run again; 0 for never
    std::int64_t flush_bytes = 0; ///< walked through before each timed run, so that caches hold nothing of use
    /// Weights of floats are others in each timed run, and the first again after so many bytes; 0 for always the same.
    std::int64_t weights_distance = 0;
};

/// What came of it.
struct RunReport {
    std::vector<double> milliseconds; ///< of each timed run, in order; runs too short to time are timed many at once
    std::vector<NDArray> outputs;     ///< of the first run, when they were asked for
    double busy_others = 0;           ///< cores that other processes kept busy meanwhile
    double waiting = 0;               ///< share of the time in which the calling thread was not on its core
};

/// Pinned, warmed, repeated until the median is known well enough. Errors: those of loading the object; LimitExceeded.
/// What a broken kernel does, it does to this process: a worker calls this. Thread: one at a time; two would disturb
/// each other's times. Weights that are far away are kept for the next call: up to kMostWeightsDistance bytes.
[[nodiscard]] Result<RunReport> run_here(const Backend& backend, const RunRequest& request);

} // namespace orrery::tuning
