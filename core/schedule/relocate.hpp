#pragma once
// Internal to core/schedule: accesses of one buffer as accesses of another, at other indices.

#include "core/tensor/node.hpp"
#include "core/tensor/visitor.hpp"

#include <vector>

namespace orrery::schedule {

/// Loads, stores and boxes of `before` become ones of `after`; dimensions that come in front have extent 1. Both
/// outlive it.
class Relocator : public tensor::Rewriter {
  public:
    Relocator(const tensor::Buffer& before, const tensor::Buffer& after) : before_(before), after_(after) {}

  protected:
    using Rewriter::rewrite_node;
    tensor::Expr rewrite_node(const tensor::Load& node) override;
    tensor::Stmt rewrite_node(const tensor::Store& node) override;
    tensor::Stmt rewrite_node(const tensor::ExternCall& node) override;
    /// Where the element with those indices of `before` is in `after`.
    [[nodiscard]] virtual std::vector<tensor::Expr> relocated(std::vector<tensor::Expr> indices) const = 0;
    /// Whether the statement, regions apart, reads or writes `before`.
    [[nodiscard]] bool concerns(const tensor::Block& block) const;

    const tensor::Buffer& before_;
    const tensor::Buffer& after_;
};

/// In copy `which` of a buffer that is there `count` times, the copy's number in front; blocks get the copy as an
/// iterator, so that they stay blind to the loops around them.
class CopyUser final : public Relocator {
  public:
    /// `which` is in terms of what is bound around the statement.
    CopyUser(const tensor::Buffer& before, const tensor::Buffer& after, tensor::Expr which, std::int64_t count)
        : Relocator(before, after), which_(std::move(which)), count_(count) {}

  protected:
    using Relocator::rewrite_node;
    tensor::Stmt rewrite_node(const tensor::Block& node) override;
    tensor::Stmt rewrite_node(const tensor::Alloc& node) override;
    [[nodiscard]] std::vector<tensor::Expr> relocated(std::vector<tensor::Expr> indices) const override;

  private:
    tensor::Expr which_, slot_; ///< the slot is a block's iterator, null outside of blocks
    std::int64_t count_;
};

} // namespace orrery::schedule
