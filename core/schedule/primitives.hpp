#pragma once
// The primitives as functions. Each is pure: it returns the program that means the same, or a refusal with the
// place, the reason and a remedy (IllegalSchedule), or UnknownName for what is not there. Loops are "block.loop".
// What each means, when it is legal and an example: primitives() in trace.hpp, where windows and documents find it.

#include "core/schedule/trace.hpp"
#include "core/tensor/node.hpp"

#include <string>
#include <vector>

namespace orrery::schedule {

// ---------------------------------------------------------------------- loops (loops.cpp, loop_kinds.cpp)

/// What covers iterations past the extent when the factors' product is larger: a predicate on the blocks inside, or a
/// larger buffer whose extra elements nobody reads.
enum class Tail : std::uint8_t { Predicate, Padding };
/// New loops are named v_o, v_i, or v_0, v_1, ... for more than two. One factor may be -1: what the others leave.
[[nodiscard]] Result<Rewritten> split(const tensor::Program& program, const std::string& loop,
                                      std::vector<std::int64_t> factors, Tail tail = Tail::Predicate);
/// The new loop is named a_b.
[[nodiscard]] Result<Rewritten> fuse(const tensor::Program& program, const std::vector<std::string>& loops);
[[nodiscard]] Result<Rewritten> reorder(const tensor::Program& program, const std::vector<std::string>& loops);
[[nodiscard]] Result<Rewritten> parallel(const tensor::Program& program, const std::string& loop);
[[nodiscard]] Result<Rewritten> vectorize(const tensor::Program& program, const std::string& loop);
[[nodiscard]] Result<Rewritten> unroll(const tensor::Program& program, const std::string& loop);

// ----------------------------------------------------------------------------- notes (annotations.cpp)

/// Binds a loop to an axis of an accelerator's threads: blockIdx.x, threadIdx.x, ... Where there are none it runs
/// serially.
[[nodiscard]] Result<Rewritten> bind(const tensor::Program& program, const std::string& loop, const std::string& axis);
[[nodiscard]] Result<Rewritten> virtual_thread(const tensor::Program& program, const std::string& loop);
/// `place` is "block" or "block.loop".
[[nodiscard]] Result<Rewritten> annotate(const tensor::Program& program, const std::string& place,
                                         const std::string& key, const std::string& value);
/// The annotation "pragma_KEY" of a loop.
[[nodiscard]] Result<Rewritten> pragma(const tensor::Program& program, const std::string& loop, const std::string& key,
                                       const std::string& value);

// --------------------------------------------------- where results are computed and live (placement.cpp, inlining.cpp)

[[nodiscard]] Result<Rewritten> compute_inline(const tensor::Program& program, const std::string& block);
[[nodiscard]] Result<Rewritten> reverse_compute_inline(const tensor::Program& program, const std::string& block);
/// What the last iterations ask for past the block's own extents is computed where all the block reads lies inside
/// then, and left out by a predicate otherwise.
[[nodiscard]] Result<Rewritten> compute_at(const tensor::Program& program, const std::string& block,
                                           const std::string& loop);
[[nodiscard]] Result<Rewritten> reverse_compute_at(const tensor::Program& program, const std::string& block,
                                                   const std::string& loop);
[[nodiscard]] Result<Rewritten> set_scope(const tensor::Program& program, const std::string& block,
                                          tensor::Scope scope);

// ---------------------------------------------------------------------------------- copies (caching.cpp)

/// The copy is made by a block named block_write.
[[nodiscard]] Result<Rewritten> cache_write(const tensor::Program& program, const std::string& block,
                                            tensor::Scope scope);
/// The copy is made by a block named buffer_read.
[[nodiscard]] Result<Rewritten> cache_read(const tensor::Program& program, const std::string& block,
                                           const std::string& buffer, tensor::Scope scope);
/// The copy is made by a block named buffer_reindex.
[[nodiscard]] Result<Rewritten> reindex(const tensor::Program& program, const std::string& block,
                                        const std::string& buffer);

// -------------------------------------------------------------------------------------- padding (padding.cpp)

/// Fills the padding in a block named block_fill and copies only what is inside in the block itself.
[[nodiscard]] Result<Rewritten> decompose_padding(const tensor::Program& program, const std::string& block);
/// Rounds the extents of a sum of products up to multiples, one an iterator, through padded copies of what it uses.
[[nodiscard]] Result<Rewritten> pad_einsum(const tensor::Program& program, const std::string& block,
                                           const std::vector<std::int64_t>& multiples);

// ------------------------------------------------------------------------------ reductions (reduction.cpp)

/// The new block is named block_init.
[[nodiscard]] Result<Rewritten> decompose_reduction(const tensor::Program& program, const std::string& block,
                                                    const std::string& loop);

/// Sums up in two steps: a block block_rf keeps the loop apart in partial results, the block then adds those up.
[[nodiscard]] Result<Rewritten> rfactor(const tensor::Program& program, const std::string& loop);

// ---------------------------------------------------------------------------------------- layouts (layout.cpp)

/// `map` is text: "n, c, h -> n, c // 4, h, c % 4".
[[nodiscard]] Result<Rewritten> transform_layout(const tensor::Program& program, const std::string& block,
                                                 const std::string& map);
/// The stride of dimension `dim` becomes `offset` modulo `factor`. Units: elements.
[[nodiscard]] Result<Rewritten> storage_align(const tensor::Program& program, const std::string& block,
                                              std::int64_t dim, std::int64_t factor, std::int64_t offset);

// ---------------------------------------------------------------------------------- pipelines (pipelining.cpp,
// prefetching.cpp)

[[nodiscard]] Result<Rewritten> double_buffer(const tensor::Program& program, const std::string& block);
/// One stage a statement of the loop's body. Copies of blocks before and after the loop are named block_inT,
/// block_outT.
[[nodiscard]] Result<Rewritten> software_pipeline(const tensor::Program& program, const std::string& loop,
                                                  const std::vector<std::int64_t>& stages);

/// What is fetched at once, of x86 and most Arm cores; where lines are longer, some are asked for twice.
inline constexpr std::int64_t kCacheLineBytes = 64;
/// Fetches what `loop` reads of an input `distance` iterations on, in equal parts at the beginning of each iteration of
/// `inner`: `loop` or one inside of it.
[[nodiscard]] Result<Rewritten> prefetch(const tensor::Program& program, const std::string& loop,
                                         const std::string& input, const std::string& inner, std::int64_t distance = 1);

// --------------------------------------------------------------------------- blocks of blocks (blockize.cpp)

/// The new block is named block_o.
[[nodiscard]] Result<Rewritten> blockize(const tensor::Program& program, const std::string& loop);
/// blockize, and the new block stands for an intrinsic (intrinsics.hpp).
[[nodiscard]] Result<Rewritten> tensorize(const tensor::Program& program, const std::string& loop,
                                          const std::string& intrinsic);

} // namespace orrery::schedule
