#pragma once
// Internal to core/session: the bytes of resources/traces.jsonl; the build writes what is behind it.

#include <string_view>

namespace orrery::session {

[[nodiscard]] std::string_view shipped_lines();

} // namespace orrery::session
