#pragma once
// Numbers as views write them.

#include <cmath>
#include <cstdio>
#include <string>

namespace orrery::views {

/// As printf writes one number.
[[nodiscard]] inline std::string figure(const char* pattern, double value) {
    char text[64];
    std::snprintf(text, sizeof text, pattern, value);
    return text;
}

/// "41 %", "3.2 %".
[[nodiscard]] inline std::string percent_text(double share) {
    constexpr double kWhole = 0.0995; // from here on a digit more says nothing
    return figure(std::abs(share) < kWhole ? "%.1f %%" : "%.0f %%", 100 * share);
}

/// "1 trial", "12 trials".
[[nodiscard]] inline std::string counted_text(std::size_t count, const char* what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

} // namespace orrery::views
