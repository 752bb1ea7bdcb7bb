#pragma once
// Normalizations that models spell out, as the operators that they are.

#include "core/transform/rule_rewriter.hpp"

namespace orrery::transform {

/// (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) over the last dimensions is layer_norm. Scale and bias stay
/// what they are: elementwise work that is fused behind it. Rounds one product in place of a quotient.
[[nodiscard]] const Rules& normalization_rules();

} // namespace orrery::transform
