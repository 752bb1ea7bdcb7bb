#pragma once
// How a layout travels between the program and its Graphviz child, and into the cache.

#include "views/layout/layout.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace orrery::layout {

/// Without `prior`, which Graphviz has no use for.
[[nodiscard]] std::string encode(const Input& input);
[[nodiscard]] std::string encode(const Result& result);
/// None when the bytes are not a whole, valid input (is_valid).
[[nodiscard]] std::optional<Input> decode_input(std::string_view bytes);
/// None when the bytes are not whole; the caller checks `fits`.
[[nodiscard]] std::optional<Result> decode_result(std::string_view bytes);

} // namespace orrery::layout
