#include "core/base/check.hpp"

namespace orrery {

InternalError::InternalError(const std::string& what, const std::source_location& where)
    : std::logic_error(what + " (" + where.file_name() + ":" + std::to_string(where.line()) + ")") {}

void fail_internal(const char* condition, const std::string& message, const std::source_location& where) {
    std::string what = std::string("broken invariant: ") + condition;
    if (!message.empty()) what += ": " + message;
    throw InternalError(what, where);
}

} // namespace orrery
