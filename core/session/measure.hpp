#pragma once
// One tensor program compiled, run alone and timed, and what this machine's arithmetic can do at most.

#include "core/base/ndarray.hpp"
#include "core/base/result.hpp"
#include "core/target/backend.hpp"
#include "core/tensor/node.hpp"

#include <vector>

namespace orrery::session {

/// A program as machine code with arguments of its own: inputs drawn from a seed, outputs zeroed.
struct ProgramRun {
    std::vector<double> milliseconds; ///< of each timed run, in order
    std::vector<NDArray> results;     ///< outputs after the last run
    double compile_ms = 0;
    [[nodiscard]] double median_ms() const; ///< Pre: at least one run
};

struct RunOptions {
    int threads = 1;
    double seconds = 1; ///< runs are repeated that long, after one to warm up
    int least_runs = 5, most_runs = 200;
    std::uint64_t seed = 1;
};
/// Errors: those of compiling; LimitExceeded when the arguments take more than 8 GiB. Thread: any.
[[nodiscard]] Result<ProgramRun> run_program(const Backend& backend, const tensor::Program& program,
                                             const Target& target, const RunOptions& options);

/// The most fused multiply-adds of f32 a core does, in 10^9 operations a second, each counting two: measured with
/// enough independent vector accumulators to hide their latency. Errors: those of compiling. Cost: about 0.3 s.
[[nodiscard]] Result<double> peak_gflops(const Backend& backend, const Target& target);

} // namespace orrery::session
