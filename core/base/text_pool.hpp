#pragma once
// Strings as whole numbers: what tensors of strings hold.

#include "core/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace orrery {

/// The number of a string: 64 bits of its content hash, so that equal strings have equal numbers on every run and
/// machine. The string is kept for the life of the process. Errors: LimitExceeded when another string has that number
/// already. Thread: any.
[[nodiscard]] Result<std::int64_t> number_of_text(std::string_view text);
/// The string of a number that number_of_text gave. Thread: any.
[[nodiscard]] std::optional<std::string> text_of_number(std::int64_t number);

} // namespace orrery
