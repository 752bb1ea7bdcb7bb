#pragma once
// Internal to core/schedule: finding blocks and loops, replacing statements, refusing.

#include "core/base/result.hpp"
#include "core/schedule/trace.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/node.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace orrery::schedule {

/// A block and the statements around it, outermost first; the block is last.
struct BlockPlace {
    std::vector<tensor::Stmt> path;
    const tensor::Block* block = nullptr;
    [[nodiscard]] std::vector<const tensor::For*> loops() const;
    /// Bounds of the loops around the block.
    [[nodiscard]] tensor::Bounds bounds() const;
};

/// A loop of that name around that block.
struct LoopPlace {
    BlockPlace block;
    std::size_t at = 0; ///< index into block.path
    [[nodiscard]] const tensor::For& loop() const { return static_cast<const tensor::For&>(*block.path[at]); }
};

/// Errors: UnknownName, with the names there are.
[[nodiscard]] Result<BlockPlace> find_block(const tensor::Program& program, const std::string& block);
/// `loop` is "block.loop". Errors: UnknownName, BadArgument.
[[nodiscard]] Result<LoopPlace> find_loop(const tensor::Program& program, const std::string& loop);
/// Blocks in program order.
[[nodiscard]] std::vector<const tensor::Block*> blocks_of(const tensor::Stmt& stmt);

[[nodiscard]] bool has_block(const tensor::Program& program, const std::string& name);
/// The name with its dots made underscores (a loop is "block.loop"), or the first of name_1, name_2, ... that no
/// block has.
[[nodiscard]] std::string fresh_block(const tensor::Program& program, const std::string& name);
/// "global", "stack", "registers".
[[nodiscard]] std::string scope_name(tensor::Scope scope);

/// The program with one statement, found by identity, replaced; null removes it.
[[nodiscard]] tensor::Program replace_stmt(const tensor::Program& program, const tensor::Stmt& before,
                                           const tensor::Stmt& after);
[[nodiscard]] tensor::Stmt replace_stmt(const tensor::Stmt& in, const tensor::Stmt& before, const tensor::Stmt& after);
/// The program with `before`, a statement of the path, replaced, in the scope of new buffers: they exist throughout the
/// body of the loop, block or branch around it, or the program, so that what uses them can be moved within that.
[[nodiscard]] tensor::Program replace_allocating(const tensor::Program& program, const std::vector<tensor::Stmt>& path,
                                                 const tensor::Stmt& before, const tensor::Stmt& after,
                                                 const std::vector<tensor::Buffer>& buffers);
/// The program with another body.
[[nodiscard]] tensor::Program with_body(const tensor::Program& program, tensor::Stmt body);

/// The block under new fields, its declared regions found again from its body; keeps the origin.
[[nodiscard]] tensor::Stmt rebuild_block(const tensor::Block& block, tensor::Block::Fields fields);

/// Extent of a loop or iterator. Pre: static.
[[nodiscard]] std::int64_t extent_of(const tensor::Expr& extent);
[[nodiscard]] bool uses_var(const tensor::Expr& expr, const tensor::VarRef& var);

/// Buffers read by the loads below, and those written.
[[nodiscard]] std::vector<tensor::Buffer> buffers_read(const tensor::Stmt& stmt);
[[nodiscard]] std::vector<tensor::Buffer> buffers_written(const tensor::Stmt& stmt);

/// Whether an extern call below is given a part of the buffer: its layout and its elements are that function's.
[[nodiscard]] bool given_to_extern(const tensor::Stmt& stmt, const tensor::Buffer& buffer);

/// An IllegalSchedule diagnostic: why it is not legal, and what would make it so.
struct Refusal {
    const char* primitive;
    const tensor::Program& program;
    std::string place; ///< "loop conv.oc", "block pad"
    [[nodiscard]] Diagnostic operator()(const std::string& reason, const std::string& remedy) const;
};

} // namespace orrery::schedule
