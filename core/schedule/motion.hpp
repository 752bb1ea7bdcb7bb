#pragma once
// Internal to core/schedule: may a block's result be computed somewhere else, and do loops run through whole boxes.

#include "core/schedule/locate.hpp"
#include "core/tensor/node.hpp"

#include <optional>
#include <string>
#include <vector>

namespace orrery::schedule {

/// Whether another block is around it.
[[nodiscard]] bool inside_block(const BlockPlace& place);

/// Blocks of the program that write a buffer, in the order of the text; those inside other blocks, not around them.
[[nodiscard]] std::vector<BlockPlace> writers_of(const tensor::Program& program, const tensor::Buffer& buffer);
[[nodiscard]] std::vector<BlockPlace> readers_of(const tensor::Program& program, const tensor::Buffer& buffer);
/// Whether a statement outside any block loads or stores the buffer.
[[nodiscard]] bool bare_use(const tensor::Program& program, const tensor::Buffer& buffer);
/// The place of a block in the order of the text.
[[nodiscard]] std::size_t order_of(const tensor::Program& program, const tensor::Block* block);

/// Why computing the block's element of `result` again at `destination` (statements around it, outermost first) would
/// not give the same value: something writes what it reads in between. Empty when nothing does.
[[nodiscard]] std::string changed_between(const tensor::Program& program, const BlockPlace& producer,
                                          const tensor::Buffer& result, const std::vector<tensor::Stmt>& destination);

/// How far each expression goes while the loops run, when together they take every point of that box, each from what
/// it is at zero: sums of loops, or of the quotients and remainders of fused ones, like the digits of a number.
/// nullopt when that is not so. Example: [io * 4 + ii, f // 3, f % 3] -> extents [12, 2, 3]
[[nodiscard]] std::optional<std::vector<std::int64_t>> box_of(const std::vector<tensor::Expr>& exprs,
                                                              const tensor::Bounds& loops);

/// The conditions that `&&` joins.
[[nodiscard]] std::vector<tensor::Expr> conjuncts(const tensor::Expr& condition);

} // namespace orrery::schedule
