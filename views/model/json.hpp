#pragma once
// Shared by the to_json functions of this folder.

#include "core/base/origin.hpp"
#include "views/model/table.hpp"

#include <nlohmann/json.hpp>

namespace orrery::views {

using Json = nlohmann::ordered_json;

[[nodiscard]] Json json_of(const OriginSet& origins);
[[nodiscard]] Json json_of(const Table& table);
/// Text that is not UTF-8 is shown with replacement characters.
[[nodiscard]] std::string dump(const Json& json);

} // namespace orrery::views
