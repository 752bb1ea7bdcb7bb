#pragma once
// What is known of a kernel's speed: how it ended, and what its runs say.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace orrery::tuning {

/// How a measurement ended. All but the first have a reason.
/// Refused: a primitive or the tuner did not let it be run at all; such are not kept.
enum class Outcome : std::uint8_t { Ok, Crashed, TimedOut, WrongAnswer, CompileError, Refused };
/// "ok", "crashed", "timed out", "wrong answer", "compile error", "refused".
[[nodiscard]] const char* outcome_name(Outcome outcome);
[[nodiscard]] std::optional<Outcome> parse_outcome(std::string_view name);

/// Runs in few numbers. Units: milliseconds, but for `spread` and `runs`.
struct Times {
    double median_ms = 0, min_ms = 0;
    /// The true median lies between them with 95 % confidence, as far as the runs are independent; the extremes where
    /// there are fewer than 6 runs.
    double low_ms = 0, high_ms = 0;
    double spread = 0; ///< the middle half of the runs, as a share of the median
    int runs = 0;
    friend bool operator==(const Times&, const Times&) = default;
};
/// Source of the interval: order statistics, ranks n/2 -+ 0.98 sqrt(n); Conover, "Practical Nonparametric Statistics",
/// 3rd edition, section 3.2. Pre: at least one run.
[[nodiscard]] Times summarize(std::span<const double> milliseconds);
/// The interval's width as a share of the median.
[[nodiscard]] double uncertainty(const Times& times);

/// How far away weights are: a run of a model goes through all of its weights before it comes back to a kernel's own,
/// and where these are found then depends on how many bytes there are. Kernels are measured so, and times taken at one
/// distance are comparable. A power of two from 1 MiB to 256 MiB, more than caches hold (source: our choice; weights
/// of 64 to 100 MiB stay in the last cache of the machines we measured); 0 for a model of less than 1 MiB, whose
/// kernels find theirs where the run before left them.
[[nodiscard]] std::int64_t weights_distance(std::size_t model_bytes);
inline constexpr std::int64_t kMostWeightsDistance = std::int64_t{256} << 20;

/// More than this of other processes' work, in cores, disturbs a measurement.
/// Source: our choice; a quarter of a core is beyond what an idle desktop does.
inline constexpr double kBusyMachine = 0.25;

} // namespace orrery::tuning
