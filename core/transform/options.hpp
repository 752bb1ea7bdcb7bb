#pragma once
// Options of passes as values, and what passes share in reading them.

#include "core/pass/pass.hpp"
#include "core/target/target.hpp"

#include <string>
#include <vector>

namespace orrery::transform {

/// "true" or "false". Errors: BadArgument.
[[nodiscard]] Result<bool> flag_option(const pass::Context& context, const char* name, bool fallback);
/// A whole number within [least, most]. Errors: BadArgument.
struct NumberRange {
    std::int64_t fallback = 0, least = 0, most = INT64_MAX;
};
[[nodiscard]] Result<std::int64_t> number_option(const pass::Context& context, const char* name,
                                                 const NumberRange& range);
/// Words separated by commas; spaces around them do not count, empty ones are dropped.
[[nodiscard]] std::vector<std::string> words_option(const pass::Context& context, const char* name,
                                                    const std::string& fallback);
/// One of `allowed`. Errors: BadArgument that lists them.
[[nodiscard]] Result<std::string> choice_option(const pass::Context& context, const char* name,
                                                const std::vector<std::string>& allowed);
/// The option "byte_products": how the target makes products of bytes.
[[nodiscard]] Result<ByteProducts> byte_products_option(const pass::Context& context);
/// The context for a pass within a pass: its own work is what the record shows.
[[nodiscard]] inline pass::Context quiet(const pass::Context& context) {
    return {context.options, context.progress, nullptr};
}

} // namespace orrery::transform
