#pragma once
// Records as lines of JSON: exchanged between machines, and shipped.

#include "core/tuning/records.hpp"

#include <string>
#include <string_view>

namespace orrery::tuning {

/// One line, without its end: {"workload": "...", "trace": "...", ...}. from_line(to_line(r)) equals r but for its id.
[[nodiscard]] std::string to_line(const Record& record);
/// What a line leaves out keeps its default; unknown keys are left aside. Errors: BadText for what is no JSON object,
/// has no workload, or a value of another type.
[[nodiscard]] Result<Record> from_line(std::string_view line);

} // namespace orrery::tuning
