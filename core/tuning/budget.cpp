#include "core/tuning/budget.hpp"

#include <algorithm>

namespace orrery::tuning {

double least_ms(const TaskProgress& task, const Peaks& peaks) {
    double out = peaks.gflops > 0 ? task.flops / peaks.gflops / 1e6 : 0;
    for (const Bandwidth& level : peaks.read) {
        const bool last = &level == &peaks.read.back();
        if (task.bytes > 2 * static_cast<double>(level.bytes) && !last) continue;
        if (level.gb_s > 0) out = std::max(out, task.bytes / level.gb_s / 1e6);
        break;
    }
    return out;
}

double expected_gain_ms(const TaskProgress& task, double least, int round) {
    if (task.best_ms <= 0) return 0;
    // Source of the shares: our choice. A program at its least time may still gain a little, as that is an estimate.
    constexpr double kLeastPotential = 0.01, kReached = 0.3;
    double before = task.best_ms;
    for (const BestPoint& point : task.best_so_far)
        if (point.own <= task.trials - 2 * round) before = point.milliseconds;
    if (task.trials < 2 * round && !task.best_so_far.empty()) before = task.best_so_far.front().milliseconds;
    const double recent = (before - task.best_ms) / 2;
    const double potential = std::max(kLeastPotential * task.best_ms, kReached * (task.best_ms - least));
    const double rounds = static_cast<double>(task.trials) / std::max(round, 1);
    return static_cast<double>(task.calls) * (0.5 * recent + 0.5 * potential / (1 + rounds));
}

std::optional<std::size_t> next_task(std::span<const TaskProgress> tasks) {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < tasks.size(); ++i)
        if (!tasks[i].exhausted && (!best || tasks[i].expected_gain_ms > tasks[*best].expected_gain_ms)) best = i;
    return best;
}

} // namespace orrery::tuning
