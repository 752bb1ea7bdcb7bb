#pragma once
// Reverse-mode derivatives of functions of the graph IR.

#include "core/graph/builder.hpp"

#include <span>
#include <string_view>
#include <vector>

namespace orrery::transform {

/// A function of the same parameters whose value is the derivatives of the sum of all elements of `function`'s result
/// by the parameters `by`, in that order: one tensor, or a tuple of several. Each has its parameter's type; where the
/// result does not depend on a parameter, or only through whole numbers, zeros. Operators whose result is not smooth
/// get the derivative of one side: relu 0 at 0, the maximum of equals that of its first operand.
/// Pre: `by` are indices of parameters.
/// Errors: UnsupportedFeature, with the binding's name, for operators that have no rule, for branches, loops and calls
/// between a parameter and the result, and where the result or a parameter is no floating-point tensor; BadShape where
/// shapes are not static; LimitExceeded.
/// Cost: linear in the function, whose own bindings stay where the derivatives use them. Every binding of the result
/// has the origin of the binding it differentiates. Example: fn(x: f32[2]) { y = exp(x); return y; } -> fn(x) { y =
/// exp(x); g = broadcast_to(1); d = multiply(g, y); return d; }
[[nodiscard]] Result<graph::Function> gradient(const graph::Function& function, std::span<const std::size_t> by);

/// Whether there is a rule for the operator of that name. Operators on whole numbers need none.
[[nodiscard]] bool has_gradient(std::string_view op);

/// What leads from `inputs` to `y` among the bindings of a builder, as a function of `inputs` and then of `free`, the
/// parameters it uses besides, which are added to that list.
[[nodiscard]] graph::Function slice_of(const graph::FunctionBuilder& builder, const graph::Var& y,
                                       std::span<const graph::Var> inputs, std::vector<graph::Var>& free);

} // namespace orrery::transform
