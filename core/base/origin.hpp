#pragma once
// Provenance: which nodes of the model a piece of any level came from.

#include "core/base/object.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace orrery {

/// Index of a node of the model in its source table (`graph::Module::sources`).
using SourceId = std::uint32_t;

/// An immutable sorted set of source ids; one pointer wide, empty is null, shared between nodes.
class OriginSet {
  public:
    OriginSet() = default;
    explicit OriginSet(SourceId id);
    explicit OriginSet(std::vector<SourceId> ids); ///< any order, duplicates allowed

    [[nodiscard]] bool empty() const { return rep_ == nullptr; }
    [[nodiscard]] std::span<const SourceId> ids() const;
    [[nodiscard]] bool contains(SourceId id) const;
    [[nodiscard]] bool intersects(const OriginSet& other) const;
    friend OriginSet unite(const OriginSet& a, const OriginSet& b);
    friend bool operator==(const OriginSet& a, const OriginSet& b);

  private:
    struct Rep : Object {
        std::vector<SourceId> ids;
    };
    Ref<const Rep> rep_;
};

/// The union; shares a side when it already holds the other.
[[nodiscard]] OriginSet unite(const OriginSet& a, const OriginSet& b);
[[nodiscard]] bool operator==(const OriginSet& a, const OriginSet& b);

} // namespace orrery
