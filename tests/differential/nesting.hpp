#pragma once
// Functions, branches and loops in drawn programs.

#include "tests/differential/draw.hpp"

namespace orrery::differential {

/// The function with a few of its bindings moved into a function of their own, which is called, chosen by a condition
/// or run in a loop; what it means stays. Some of the functions are nested again.
[[nodiscard]] graph::Function nest(Draw& draw, const graph::Function& main);

} // namespace orrery::differential
