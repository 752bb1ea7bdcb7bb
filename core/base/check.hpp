#pragma once
// Broken invariants of ours: always checked, always thrown, caught by the job runner and `main`.

#include <concepts>
#include <source_location>
#include <stdexcept>
#include <string>

namespace orrery {

/// A broken invariant of this program, never a user's mistake.
class InternalError : public std::logic_error {
  public:
    InternalError(const std::string& what, const std::source_location& where);
};

/// Throws InternalError naming `condition`, `message` and the place.
[[noreturn]] void fail_internal(const char* condition, const std::string& message = {},
                                const std::source_location& where = std::source_location::current());

/// Accepts exactly `bool`, so that a string literal cannot pass as a condition.
template <std::same_as<bool> T> constexpr bool exactly_bool(T value) { return value; }

} // namespace orrery

#define ORRERY_ASSERT(condition, ...)                                                                                  \
    do {                                                                                                               \
        if (!::orrery::exactly_bool(condition)) ::orrery::fail_internal(#condition __VA_OPT__(, ) __VA_ARGS__);        \
    } while (false)
