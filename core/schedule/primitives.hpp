#pragma once
// The primitives as functions. Each is pure: it returns the program that means the same, or a refusal with the
// place, the reason and a remedy (IllegalSchedule), or UnknownName for what is not there. Loops are "block.loop".

#include "core/schedule/trace.hpp"
#include "core/tensor/node.hpp"

#include <string>
#include <vector>

namespace orrery::schedule {

/// Splits a loop into a nest. One factor may be -1: it is what the others leave. When the product is larger than the
/// extent, blocks inside get a predicate. New loops are named v_o, v_i, or v_0, v_1, ... for more than two.
/// Pre: factors are positive but for one; blocks, not bare statements, are inside when there is a tail.
/// Example: for i in 10 -> split(b.i, [-1, 4]) -> for i_o in 3 { for i_i in 4 { ... where i_o*4 + i_i < 10 } }
[[nodiscard]] Result<Rewritten> split(const tensor::Program& program, const std::string& loop,
                                      std::vector<std::int64_t> factors);

/// Makes one loop of two or more, each directly inside the one before. The new loop is named a_b.
/// Example: for i in 2 { for j in 3 } -> fuse([b.i, b.j]) -> for i_j in 6, with i = i_j // 3, j = i_j % 3
[[nodiscard]] Result<Rewritten> fuse(const tensor::Program& program, const std::vector<std::string>& loops);

/// Puts the loops, all around one block and on one chain, in the given order; loops between keep their place.
/// Pre: one block inside the chain.
/// Example: for i { for j } -> reorder([b.j, b.i]) -> for j { for i }
[[nodiscard]] Result<Rewritten> reorder(const tensor::Program& program, const std::vector<std::string>& loops);

/// Runs iterations of the loop on several threads. Pre: no iteration depends on or writes what another does.
[[nodiscard]] Result<Rewritten> parallel(const tensor::Program& program, const std::string& loop);
/// Runs iterations of the loop as lanes of vectors. Pre: as parallel; innermost; extent at most 256.
[[nodiscard]] Result<Rewritten> vectorize(const tensor::Program& program, const std::string& loop);
/// Writes out all iterations. Pre: extent at most 1024.
[[nodiscard]] Result<Rewritten> unroll(const tensor::Program& program, const std::string& loop);

/// Removes a block that computes one element at its own indices and puts its expression where its buffer is read.
/// Pre: no reduction, no predicate, the buffer is not a result of the program.
/// Example: b[i] = x[i] + 1; c[i] = b[i] * 2 -> compute_inline(b) -> c[i] = (x[i] + 1) * 2
[[nodiscard]] Result<Rewritten> compute_inline(const tensor::Program& program, const std::string& block);

/// Makes a block write a new buffer of that scope, copied to the old one by a new block named block_write after it.
/// Pre: the block has a loop nest of its own.
[[nodiscard]] Result<Rewritten> cache_write(const tensor::Program& program, const std::string& block,
                                            tensor::Scope scope);

/// Moves a block's computation inside a loop of its consumers: each iteration computes just what it needs, in a
/// buffer of just that size. Pre: the block has a loop nest of its own before the consumers', computes one element at
/// its own indices, its buffer is read under that loop only and is not a result.
[[nodiscard]] Result<Rewritten> compute_at(const tensor::Program& program, const std::string& block,
                                           const std::string& loop);

/// Gives the buffer a block writes another scope. Pre: it is not a parameter.
[[nodiscard]] Result<Rewritten> set_scope(const tensor::Program& program, const std::string& block,
                                          tensor::Scope scope);

/// Makes a block of its own, named block_init, of a reduction's initial value, run before that loop.
/// Pre: no reduction loop of the block is outside of it.
[[nodiscard]] Result<Rewritten> decompose_reduction(const tensor::Program& program, const std::string& block,
                                                    const std::string& loop);

} // namespace orrery::schedule
