#include "core/tuning/peaks.hpp"

#include "core/tensor/text.hpp"
#include "core/tuning/worker.hpp"

#include <algorithm>

namespace orrery::tuning {

namespace {

/// Accumulators: an operation's latency of 4 to 5 cycles times two units, with room; each is one vector register.
constexpr std::int64_t kAccumulators = 12;
constexpr std::int64_t kMiB = std::int64_t{1} << 20;

struct Level {
    const char* name;
    std::int64_t bytes; ///< that each thread reads
};

/// Footprints that lie well inside a level and well outside the one before.
std::vector<Level> levels_of(const Target& target, int threads) {
    std::vector<Level> out{{"L1", target.l1_bytes / 2}};
    if (target.l2_bytes >= 4 * target.l1_bytes) out.push_back({"L2", target.l2_bytes / 2});
    const std::int64_t l3 = std::min(target.l3_bytes / 2 / threads, 8 * target.l2_bytes);
    if (l3 >= 2 * target.l2_bytes) out.push_back({"L3", l3});
    out.push_back({"DRAM", std::clamp(4 * target.l3_bytes, 128 * kMiB, 512 * kMiB) / threads});
    return out;
}

/// What the programs are compiled with and run in.
struct Bench {
    const Backend& backend;
    Worker& worker;
    const Target& target;
    RunRequest how;
    bool busy = false;

    /// Of the fastest run: what a program does a second. Units: 10^9.
    Result<double> speed(const PeakProgram& peak, const Progress& progress) {
        ORRERY_TRY(const tensor::Program program, tensor::parse_program(peak.text));
        RunRequest request = how;
        ORRERY_TRY(request.object, backend.compile(program, target, {}, progress));
        request.arguments = arguments_of(program);
        ORRERY_TRY(const WorkerRun run, worker.run(request, {progress.stop, {}}));
        if (run.outcome != Outcome::Ok)
            return Diagnostic{Code::ProcessFailed, "this machine's peaks cannot be measured: " + run.reason, {}, {}};
        busy = busy || run.report.busy_others > kBusyMachine || run.report.waiting > kBusyMachine;
        return peak.amount / summarize(run.report.milliseconds).min_ms / 1e6;
    }
};

} // namespace

PeakProgram peak_program(const Target& target, int threads, std::int64_t bytes) {
    const std::int64_t lanes = target.lanes(4);
    const std::string width = std::to_string(lanes), rows = std::to_string(kAccumulators),
                      parts = std::to_string(threads), loop = threads > 1 ? "parallel" : "for";
    const std::string every = "unrolled r in " + rows + " { vectorized l in " + width + " { ";
    const std::string result = "y: f32[" + parts + "," + rows + "," + width + "]";
    const std::string head =
        loop + " p in " + parts + " {\nalloc acc: f32[" + rows + "," + width + "] scope registers\n";
    const std::string tail = every + "y[p, r, l] = acc[r, l] } }\n} }";
    if (bytes == 0) {
        constexpr std::int64_t kSteps = 500'000; // some ten milliseconds
        return {"fn peak_fma(x: f32[2," + width + "]) -> (" + result + ") {\n" + head + every +
                    "acc[r, l] = x[0, l] } }\nfor t in " + std::to_string(kSteps) + " { " + every +
                    "acc[r, l] = acc[r, l] * x[1, l] + x[0, l] } } }\n" + tail,
                2.0 * static_cast<double>(kAccumulators * lanes * kSteps * threads)};
    }
    const std::int64_t step = kAccumulators * lanes;
    const std::int64_t steps = std::max<std::int64_t>(1, bytes / 4 / step), count = steps * step;
    const std::int64_t times = std::max<std::int64_t>(1, 128 * kMiB / (4 * count));
    const std::string at = "i * " + std::to_string(step) + " + r * " + width + " + l";
    return {"fn peak_read(x: f32[" + parts + "," + std::to_string(count) + "]) -> (" + result + ") {\n" + head + every +
                "acc[r, l] = 0.0 } }\nfor t in " + std::to_string(times) + " { for i in " + std::to_string(steps) +
                " { " + every + "acc[r, l] = acc[r, l] + x[p, " + at + "] } } } }\n" + tail,
            4.0 * static_cast<double>(count * times * threads)};
}

Result<Peaks> measure_peaks(const Backend& backend, Worker& worker, const Target& target, int threads,
                            const Progress& progress) {
    Bench bench{backend, worker, target, {}};
    bench.how.threads = threads;
    bench.how.warm_up_seconds = 0.05, bench.how.seconds = 0.2, bench.how.least_runs = 5, bench.how.most_runs = 60;
    Peaks out;
    progress.tell("this machine's arithmetic", 0);
    ORRERY_TRY(out.gflops, bench.speed(peak_program(target, threads, 0), progress));
    const std::vector<Level> levels = levels_of(target, threads);
    for (std::size_t i = 0; i < levels.size(); ++i) {
        progress.tell(std::string("this machine's reading from ") + levels[i].name,
                      static_cast<double>(i + 1) / static_cast<double>(levels.size() + 1));
        ORRERY_TRY(const double gb_s, bench.speed(peak_program(target, threads, levels[i].bytes), progress));
        out.read.push_back({levels[i].name, levels[i].bytes, gb_s});
    }
    out.busy = bench.busy;
    return out;
}

} // namespace orrery::tuning
