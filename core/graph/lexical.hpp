#pragma once
// Words shared by the printer and the parser of the text form: names, strings, numbers.

#include "core/base/dtype.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace orrery::graph {

/// Names are [A-Za-z_/][A-Za-z0-9_./]*.
[[nodiscard]] constexpr bool starts_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '/';
}
[[nodiscard]] constexpr bool continues_name(char c) { return starts_name(c) || (c >= '0' && c <= '9') || c == '.'; }
[[nodiscard]] bool is_name(std::string_view text);
/// The nearest name to any text: other characters become `_`; "v" for nothing.
[[nodiscard]] std::string to_name(std::string_view hint);
/// Words that cannot name a variable: `_ const fn if loop outputs return`.
[[nodiscard]] bool is_reserved(std::string_view name);

/// In double quotes, with \" \\ \n \t \xHH (control bytes and bytes above 126).
[[nodiscard]] std::string quoted(std::string_view text);
/// The shortest digits that read back as the same number, with a point or exponent; `inf`, `-inf`, `nan`.
[[nodiscard]] std::string float_text(double value);
[[nodiscard]] std::string float_text(float value);
/// A dimension's symbol as it stands in a type: a name or `?` as it is, anything else quoted.
[[nodiscard]] std::string symbol_text(std::string_view symbol);

} // namespace orrery::graph
