#pragma once
// A model that learns from measured programs how fast others are.

#include "core/base/result.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace orrery::tuning {

/// One program that was measured.
struct Sample {
    std::vector<float> features; ///< see features_of
    float score = 0;             ///< in [0, 1]: its task's best time as a share of its own; 0 for what failed
};

/// The same samples make the same model. Thread: one call at a time.
class CostModel {
  public:
    virtual ~CostModel() = default;
    /// Learns from these, and forgets all others. Pre: at least one; all have the same number of features.
    virtual void learn(std::span<const Sample> samples) = 0;
    /// Scores, in order; none before it learned.
    [[nodiscard]] virtual std::vector<float> predict(std::span<const std::vector<float>> features) const = 0;
};

/// Gradient-boosted trees by XGBoost, on one thread. The library is loaded at the first call, so that whoever does not
/// tune does not wait for it. Errors: ProcessFailed when it is not there.
[[nodiscard]] Result<std::unique_ptr<CostModel>> boosted_trees(std::uint64_t seed);

} // namespace orrery::tuning
