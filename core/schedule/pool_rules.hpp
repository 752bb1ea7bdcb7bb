#pragma once
// Internal to core/schedule: the rule for a convolution whose image is pooled.

#include "core/schedule/trace_writer.hpp"

#include <string>

namespace orrery::schedule {

/// Where windows of one pooling, and nobody else, read what becomes of a convolution element by element, schedules both
/// in one nest: rows of the image that the second-level cache keeps, then what is pooled of them. Rows that the windows
/// of two pieces share are computed twice. False where `first` is no such convolution, or no pieces are worth that.
bool tile_pooled(Draft& draft, const std::string& first);

} // namespace orrery::schedule
