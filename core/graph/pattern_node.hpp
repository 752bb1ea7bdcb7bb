#pragma once
// The inside of patterns, shared by the matcher and the text form.

#include "core/graph/pattern.hpp"

namespace orrery::graph {

enum class PatternKind : std::uint8_t { Any, Missing, Constant, Parameter, Op, AnyOf, Dominated };

/// An attribute's condition.
struct AttrTest {
    std::string name;
    AttrValue value;
    bool may_be_absent = false;
};

struct Pattern::Node {
    PatternKind kind = PatternKind::Any;
    std::string op;                ///< Op: its name
    std::vector<Pattern> children; ///< Op: operands; AnyOf: alternatives; Dominated: from, path, to
    bool any_operands = false;     ///< Op: children says nothing
    bool either_order = false;     ///< Op: two operands, in either order

    // Conditions on what matched, all of which must hold.
    std::string capture; ///< empty for none
    bool once = false;
    std::vector<AttrTest> attrs;
    std::optional<DType> dtype;
    std::optional<Shape> shape; ///< -1: any extent
    std::function<bool(const Var&, const Expr&)> test;
    std::string what; ///< of `test`
};

} // namespace orrery::graph
