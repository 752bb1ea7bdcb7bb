#pragma once
// interval_of for many questions under the same bounds.

#include "core/tensor/affine.hpp"
#include "core/tensor/analysis.hpp"

#include <unordered_map>

namespace orrery::tensor {

/// Remembers the interval of every expression it was asked about. Pre: `bounds` outlives it unchanged.
class Intervals {
  public:
    explicit Intervals(const Bounds& bounds) : bounds_(bounds) {}
    /// As interval_of; nullopt for floats.
    std::optional<Interval> of(const Expr& expr);
    std::optional<Interval> of(const Affine& sum);
    /// To be called when the bounds have changed.
    void forget() { known_.clear(); }

  private:
    std::optional<Interval> compute(const Expr& expr);
    std::optional<Interval> of_binary(const Binary& node, const Expr& expr);
    std::optional<Interval> of_call(const Call& node);
    std::optional<Interval> of_cast(const Cast& node);

    const Bounds& bounds_;
    std::unordered_map<Expr, std::optional<Interval>> known_; ///< keeps the expressions it knows alive
};

/// Everything a dtype may hold; nullopt for i64, u64 and floats.
[[nodiscard]] std::optional<Interval> range_of(DType dtype);
/// Towards minus infinity. Pre: b != 0, not INT64_MIN / -1.
[[nodiscard]] std::int64_t divide_floor(std::int64_t a, std::int64_t b);

} // namespace orrery::tensor
