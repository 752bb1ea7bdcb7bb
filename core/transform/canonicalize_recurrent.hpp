#pragma once
// A recurrent network as a product and its steps. Used by CanonicalizeOps.

#include "core/graph/node.hpp"

#include <functional>

namespace orrery::transform {

/// Binds a helper value and returns its variable.
using EmitValue = std::function<graph::Var(const graph::Expr& value, const char* name)>;

/// What stands for a call of rnn, gru or lstm whose weights are constants: the input's share of all gates as one matrix
/// product over all steps, then the steps, with R in the order they read it. Null for any other call.
/// Example: lstm(x, w, r) -> lstm_steps(matmul(x, w'), r')
[[nodiscard]] graph::Expr split_recurrent(const graph::CallOp& call,
                                          const std::function<bool(const graph::Var&)>& is_constant,
                                          const EmitValue& emit);

} // namespace orrery::transform
