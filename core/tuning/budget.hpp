#pragma once
// Which task is worth the next round of trials.

#include "core/tuning/tuning.hpp"

#include <cstddef>
#include <optional>
#include <span>

namespace orrery::tuning {

/// The least time a task can take: its arithmetic at this machine's peak, or its data from the level it fits.
/// Units: milliseconds.
[[nodiscard]] double least_ms(const TaskProgress& task, const Peaks& peaks);

/// By how much the next round of `round` trials should shorten the model's run: calls by what the last two rounds
/// brought, and by what is left to the least time, less the more rounds have tried. Units: milliseconds.
[[nodiscard]] double expected_gain_ms(const TaskProgress& task, double least_ms, int round);

/// The task with the largest expected gain that is not exhausted; nullopt when all are.
[[nodiscard]] std::optional<std::size_t> next_task(std::span<const TaskProgress> tasks);

} // namespace orrery::tuning
