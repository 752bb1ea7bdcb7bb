#pragma once
// The values of a lowered model as arrays, for running its calls one by one.

#include "core/base/ndarray.hpp"
#include "core/lower/lower.hpp"

#include <cstdint>
#include <vector>

namespace orrery::lower {

/// Arrays by value id. Whoever sets a value that is part of another sets that piece of its host.
class ValueArrays {
  public:
    /// Pre: the model outlives this.
    explicit ValueArrays(const LoweredModel& model) : model_(model), arrays_(model.values.size()) {}

    void set(std::uint32_t id, NDArray array);
    /// Pre: it was set, or all that it consists of.
    [[nodiscard]] NDArray get(std::uint32_t id) const;
    /// Frees a value that is part of none, and with it its parts.
    void drop(std::uint32_t id) { arrays_[id] = {}; }

  private:
    const LoweredModel& model_;
    std::vector<NDArray> arrays_; ///< of those that are part of none
};

} // namespace orrery::lower
