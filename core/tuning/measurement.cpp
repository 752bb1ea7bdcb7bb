#include "core/tuning/measurement.hpp"

#include "core/base/check.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

namespace orrery::tuning {

namespace {
constexpr const char* kNames[] = {"ok", "crashed", "timed out", "wrong answer", "compile error", "refused"};
}

const char* outcome_name(Outcome outcome) { return kNames[static_cast<std::size_t>(outcome)]; }

std::optional<Outcome> parse_outcome(std::string_view name) {
    for (std::size_t i = 0; i < std::size(kNames); ++i)
        if (name == kNames[i]) return static_cast<Outcome>(i);
    return std::nullopt;
}

Times summarize(std::span<const double> milliseconds) {
    ORRERY_ASSERT(!milliseconds.empty(), "there are runs");
    std::vector<double> sorted(milliseconds.begin(), milliseconds.end());
    std::ranges::sort(sorted);
    const std::size_t n = sorted.size();
    Times out;
    out.runs = static_cast<int>(n);
    out.min_ms = sorted.front();
    out.median_ms = n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
    const double half = static_cast<double>(n) / 2, reach = 0.98 * std::sqrt(static_cast<double>(n));
    const auto low = static_cast<std::size_t>(std::max(0.0, std::floor(half - reach)));
    const auto high = static_cast<std::size_t>(std::min(static_cast<double>(n) - 1, std::ceil(half + reach)));
    out.low_ms = sorted[n < 6 ? 0 : low];
    out.high_ms = sorted[n < 6 ? n - 1 : high];
    if (out.median_ms > 0) out.spread = (sorted[n - 1 - n / 4] - sorted[n / 4]) / out.median_ms;
    return out;
}

double uncertainty(const Times& times) {
    return times.median_ms > 0 ? (times.high_ms - times.low_ms) / times.median_ms : 0;
}

std::int64_t weights_distance(std::size_t model_bytes) {
    constexpr std::size_t kLeast = std::size_t{1} << 20, kMost = kMostWeightsDistance;
    return model_bytes < kLeast ? 0 : static_cast<std::int64_t>(std::bit_ceil(std::min(model_bytes, kMost)));
}

} // namespace orrery::tuning
