#pragma once
// Internal to core/schedule: blocks that compute one element at their own spatial indices.

#include "core/schedule/locate.hpp"
#include "core/tensor/node.hpp"

#include <optional>
#include <vector>

namespace orrery::schedule {

/// buffer[iters...] = value: the shape of block that operators' tensor expressions lower to.
struct ElementBlock {
    tensor::Buffer buffer;
    std::vector<tensor::VarRef> iters; ///< one a dimension, in order, all spatial
    tensor::Expr value;                ///< of the store in the body
    bool reduces = false;
};

/// Errors: the refusal, when the block is not of that shape.
[[nodiscard]] Result<ElementBlock> element_block(const tensor::Block& block, const Refusal& refuse);

/// x[s] = x[s] op value, op commutative and associative; the value does not read x.
struct Update {
    tensor::BinaryOp op = tensor::BinaryOp::Add;
    tensor::Expr self, value;
};
/// nullopt when the block's body is no such store.
[[nodiscard]] std::optional<Update> update_of(const tensor::Block& block);
/// Whether what the block stores depends on other elements of its buffer, or on what that holds before it first runs.
[[nodiscard]] bool builds_on_before(const tensor::Block& block, const ElementBlock& element);
/// The name of the loop an iterator is bound to, or was lowered for: iterators are named v and the loop's name.
[[nodiscard]] std::string loop_name(const tensor::BlockIter& iter);

/// Loads of a buffer replaced by a value, whatever their indices.
[[nodiscard]] tensor::Stmt replace_loads(const tensor::Stmt& in, const tensor::Buffer& buffer,
                                         const tensor::Expr& value);
/// Whether a loop of that variable is in the statement.
[[nodiscard]] bool uses_loop(const tensor::Stmt& stmt, const tensor::VarRef& loop);
/// The outermost statement that holds this block and no other.
[[nodiscard]] tensor::Stmt nest_of(const BlockPlace& place);
/// The statement without the block's nest.
[[nodiscard]] tensor::Stmt remove_nest(const tensor::Stmt& in, const BlockPlace& place);
/// The statement without the buffer's allocation; nobody may use it any more.
[[nodiscard]] tensor::Stmt drop_buffer(const tensor::Stmt& in, const tensor::Buffer& buffer);
/// Everywhere below, loads, stores, regions and allocations of one buffer name another of the same rank.
[[nodiscard]] tensor::Stmt rename_buffer(const tensor::Stmt& in, const tensor::Buffer& before,
                                         const tensor::Buffer& after);

} // namespace orrery::schedule
