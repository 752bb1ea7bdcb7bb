#pragma once
// A call replaced by the bindings of what it calls; shared by passes.

#include "core/graph/builder.hpp"

namespace orrery::transform {

/// Appends the bindings of `function` applied to `args`, their origins united with `origin`; returns what stands for
/// the call. Errors: those of infer_expr, where arguments have other types than the parameters.
[[nodiscard]] Result<graph::Var> inline_call(graph::FunctionBuilder& builder, const graph::Function& function,
                                             std::span<const graph::Var> args, const OriginSet& origin);

} // namespace orrery::transform
