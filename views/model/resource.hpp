#pragma once
// The one way to data files built into the program (folder `resources`).

#include <string_view>

namespace orrery {

/// The bytes of `resources/<id>`, for example "theme.json". Empty when there is no such file.
[[nodiscard]] std::string_view resource(std::string_view id);

} // namespace orrery
