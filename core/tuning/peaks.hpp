#pragma once
// What this machine can do at most: arithmetic, and reading from each level of memory.

#include "core/target/backend.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace orrery::tuning {

class Worker;

/// Reading at most so fast from one level of memory.
struct Bandwidth {
    std::string level;      ///< "L1", "L2", "L3", "DRAM"
    std::int64_t bytes = 0; ///< that each thread read again and again
    double gb_s = 0;        ///< Units: 10^9 bytes a second, of all threads together
    friend bool operator==(const Bandwidth&, const Bandwidth&) = default;
};

struct Peaks {
    double gflops = 0;           ///< fused multiply-adds of f32, each counting two. Units: 10^9 a second
    std::vector<Bandwidth> read; ///< nearest level first; levels this machine does not have are missing
    bool busy = false;           ///< other processes took part of the machine meanwhile: it may do better
    friend bool operator==(const Peaks&, const Peaks&) = default;
};

/// Small tensor programs, compiled for the target and run in the worker: independent vector accumulators, enough to
/// hide the latency of an operation; sums over arrays that fit the level. Takes about two seconds. Errors: those of
/// compiling and of the worker; ProcessFailed when a program does not come back.
[[nodiscard]] Result<Peaks> measure_peaks(const Backend& backend, Worker& worker, const Target& target, int threads,
                                          const Progress& progress);

/// The programs, for tests: `bytes` of 0 is the arithmetic's, else what each thread reads.
struct PeakProgram {
    std::string text;  ///< a tensor program
    double amount = 0; ///< of one run: operations, or bytes read
};
[[nodiscard]] PeakProgram peak_program(const Target& target, int threads, std::int64_t bytes);

} // namespace orrery::tuning
