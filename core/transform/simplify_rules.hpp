#pragma once
// The rules of SimplifyExpr, by what they are about.

#include "core/transform/rule_rewriter.hpp"

namespace orrery::transform {

/// Reshapes, transposes, slices, concatenations, padding: what moves elements.
[[nodiscard]] Rules layout_rules();
/// Neutral elements, repeated work, chains of casts: equal results bit by bit, but for the sign of a zero where a rule
/// says so.
[[nodiscard]] Rules algebra_rules();
/// What changes floating-point results by rounding: constants joined across additions and products.
[[nodiscard]] Rules reassociation_rules();

} // namespace orrery::transform
