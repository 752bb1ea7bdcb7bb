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

/// More than this of other processes' work, in cores, disturbs a measurement.
/// Source: our choice; a quarter of a core is beyond what an idle desktop does.
inline constexpr double kBusyMachine = 0.25;

} // namespace orrery::tuning
