#pragma once
// A function seen as one list of operators: calls of kernels and of regions opened in place. Fusion moves operators
// into functions and out again; seen this way they stay where they are, and two points of a pipeline can be compared.

#include "core/graph/node.hpp"
#include "core/graph/text.hpp"

#include <cstdint>
#include <vector>

namespace orrery::graph {

/// A parameter, or one binding.
struct OpenedNode {
    Var var;
    Expr value; ///< null for a parameter
    OriginSet origin;
    std::vector<std::int32_t> inputs; ///< nodes of its operands, in order; -1 for one left out
    std::int32_t group = -1;          ///< the call it stands in; -1 for main itself
    std::uint64_t own = 0;            ///< hash of operator, attributes, type and content, without operands
    std::uint64_t kind = 0;           ///< hash of the operator alone
};

/// A call that was opened: a kernel, after fusion; a region of another backend, with what it is made of.
struct OpenedGroup {
    Var var; ///< the call's
    Function function;
    OriginSet origin;
    std::int32_t first = 0, count = 0; ///< its nodes
};
/// A call inside a group that was opened too: operators that the region's backend takes as one.
struct OpenedPart {
    Var var;
    Function function;
    std::int32_t first = 0, count = 0;
};

/// Nodes stand in order: parameters, then bindings, each after its inputs.
struct OpenedFunction {
    Function source;
    std::vector<OpenedNode> nodes;
    std::vector<OpenedGroup> groups;
    std::vector<OpenedPart> parts; ///< in order
    std::int32_t params = 0;
    std::int32_t result = -1; ///< node of the function's result
};

inline constexpr std::size_t kMostOpenedNodes = 2'000'000; ///< what comes after stays closed. Source: our choice

/// Opens each call of a primitive function or a region in `function`, and a region's composite parts with it; other
/// functions stay closed and are compared by structural hash. Cost: linear in the bindings shown, plus one pass over
/// constants.
[[nodiscard]] OpenedFunction open_function(const Function& function);

/// The text of an opened module: the text form, but each kernel's bindings stand in place between `kernel NAME {` and
/// `}`, over the variables of main. For reading and comparing; it does not parse back.
struct OpenedText {
    std::vector<PrintedLine> lines;
    std::vector<std::int32_t> nodes; ///< the node each line binds; -1 on other lines
};
[[nodiscard]] OpenedText print_opened(const Module& module, const OpenedFunction& opened);

} // namespace orrery::graph
