#pragma once
// Attributes of operator calls: an immutable sorted map of small values.

#include "core/base/dtype.hpp"
#include "core/base/hash.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace orrery::graph {

using Ints = std::vector<std::int64_t>;
using Floats = std::vector<double>;
using Strings = std::vector<std::string>;
using AttrValue = std::variant<bool, std::int64_t, double, std::string, DType, Ints, Floats, Strings>;

/// Compared by value. Getters' Pre: the attribute is there with that kind (the operator's schema saw to it);
/// the forms with a fallback allow absence.
class Attrs {
  public:
    using Map = std::map<std::string, AttrValue, std::less<>>;
    Attrs() = default;
    Attrs(std::initializer_list<Map::value_type> values);
    explicit Attrs(Map values);

    [[nodiscard]] bool empty() const { return !map_ || map_->empty(); }
    [[nodiscard]] const Map& values() const;
    [[nodiscard]] const AttrValue* find(std::string_view name) const;
    [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
    [[nodiscard]] std::int64_t integer(std::string_view name) const;
    [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t fallback) const;
    [[nodiscard]] double number(std::string_view name) const; ///< an integer is converted
    [[nodiscard]] double number(std::string_view name, double fallback) const;
    [[nodiscard]] bool flag(std::string_view name, bool fallback = false) const;
    [[nodiscard]] const std::string& text(std::string_view name) const;
    [[nodiscard]] std::string text(std::string_view name, std::string fallback) const;
    [[nodiscard]] DType dtype(std::string_view name) const;
    [[nodiscard]] const Ints& ints(std::string_view name) const;
    [[nodiscard]] Ints ints(std::string_view name, Ints fallback) const;
    /// A copy with one value set.
    [[nodiscard]] Attrs with(std::string name, AttrValue value) const;

    friend bool operator==(const Attrs& a, const Attrs& b);
    void hash_into(Hasher& hasher) const;

  private:
    std::shared_ptr<const Map> map_;
};

/// "[1, 2]", "\"same\"", "0.5", "true", "f16".
[[nodiscard]] std::string to_string(const AttrValue& value);

} // namespace orrery::graph
