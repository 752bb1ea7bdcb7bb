#pragma once
// Internal to core/schedule: what expressions cost, and how loads move with an iterator.

#include "core/tensor/node.hpp"
#include "core/tensor/visitor.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace orrery::schedule {

/// Counts what an expression or statement costs to repeat.
class ExprCost final : public tensor::Visitor {
  public:
    int loads = 0, operations = 0, selects = 0, transcendental = 0, divisions = 0;

  protected:
    void visit_node(const tensor::Load& node) override;
    void visit_node(const tensor::Select& node) override;
    void visit_node(const tensor::Binary& node) override;
    void visit_node(const tensor::Call& node) override;
};
[[nodiscard]] ExprCost cost_of_expr(const tensor::Expr& expr);
[[nodiscard]] ExprCost cost_of_block(const tensor::Block& block);

/// The loads of what it visits, in order.
class LoadCollector final : public tensor::Visitor {
  public:
    std::vector<const tensor::Load*> loads;

  protected:
    void visit_node(const tensor::Load& node) override;
};

/// Coefficient of `var` in an index; nullopt when it stands in something that is no sum.
[[nodiscard]] std::optional<std::int64_t> coefficient(const tensor::Expr& index, const tensor::VarRef& var);
/// True when a load along `var` touches the same element or elements at a small constant distance.
[[nodiscard]] bool vector_access(const std::vector<tensor::Expr>& indices, const tensor::VarRef& var);
/// True when a load goes along `var`, so many elements, from one block of a split axis of as many into the next: the
/// end of one and the start of the other.
[[nodiscard]] bool across_blocks(const std::vector<tensor::Expr>& indices, const tensor::VarRef& var,
                                 std::int64_t extent);
/// Whether indices of what `expr` loads divide sums that hold both variables, so that neither alone makes them
/// constants.
[[nodiscard]] bool divided_together(const tensor::Expr& expr, const tensor::VarRef& a, const tensor::VarRef& b);
/// Where a dimension counts places through an image, how many its rows have; 0 where it does not.
[[nodiscard]] std::int64_t counted_width(const tensor::Load& load, const tensor::VarRef& row);

} // namespace orrery::schedule
