#pragma once
// A function for arguments of known shapes: every type inferred again, and what waited for shapes closed.

#include "core/base/progress.hpp"
#include "core/graph/builder.hpp"
#include "core/graph/known_values.hpp"

#include <functional>
#include <span>
#include <vector>

namespace orrery::graph {

/// Where an open call is closed: its operands now, and what is known of them.
struct CloseRequest {
    const CallOp& call; ///< as it stands in the function
    const std::vector<Var>& args;
    const Binding& binding; ///< its name and origin
    FunctionBuilder& builder;
    KnownValues& known;
};
/// Emits what an open call means, now that its operands' types are static; the variable that stands for its result.
/// Errors: those of the operator; UnsupportedFeature when a value is still missing.
using CloseCall = std::function<Result<Var>(const CloseRequest&)>;

struct Specializer {
    OpEvaluator evaluator; ///< computes what is known
    CloseCall close;
};

/// The function with parameters of those types. Values that follow from types are constants in it. A parameter in
/// `values` that is defined is a constant too, and no parameter any more.
/// Pre: one static type a parameter, one (perhaps undefined) value a parameter or none at all.
/// Errors: those of type relations and of closing, with the binding's place; Cancelled.
[[nodiscard]] Result<Function> specialize(const Function& function, std::span<const Type> types,
                                          std::span<const NDArray> values, const Specializer& with,
                                          const Progress& progress);

} // namespace orrery::graph
