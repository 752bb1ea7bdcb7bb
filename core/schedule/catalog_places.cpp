// Rows of the primitives on where results are computed and live.

#include "core/schedule/catalog.hpp"
#include "core/schedule/motion.hpp"
#include "core/schedule/primitives.hpp"
#include "core/tensor/build.hpp"

#include <algorithm>

namespace orrery::schedule {

using tensor::as;
using tensor::Block;
using tensor::Buffer;
using tensor::For;
using tensor::Program;
using tensor::Scope;

#define ORRERY_OPERANDS(...) ORRERY_CHECK_OK(args.done(__VA_ARGS__))

namespace {

Candidates with_scopes(const MenuPlace& menu) {
    if (menu.on_loop()) return {};
    return {{menu.block, std::string("stack")},
            {menu.block, std::string("registers")},
            {menu.block, std::string("global")}};
}

/// Loops of the blocks in `users`, innermost first, a handful.
void add_loops(const std::vector<BlockPlace>& users, const std::string& block, Candidates& out) {
    constexpr std::size_t kMost = 6;
    for (const BlockPlace& user : users) {
        if (user.block->fields.name == block) continue;
        const std::vector<const For*> loops = user.loops();
        for (std::size_t i = loops.size(); i-- > 0 && out.size() < kMost;)
            out.push_back({block, user.block->fields.name + "." + loops[i]->var->name});
    }
}

Candidates compute_at_candidates(const MenuPlace& menu) {
    if (menu.on_loop()) return {};
    Candidates out;
    for (const Buffer& buffer : buffers_written(menu.place.block->fields.body))
        add_loops(readers_of(menu.program, buffer), menu.block, out);
    if (out.empty())
        for (const For* loop : menu.place.loops()) out.push_back({menu.block, menu.loop_named(*loop)});
    return out;
}

Candidates reverse_compute_at_candidates(const MenuPlace& menu) {
    if (menu.on_loop()) return {};
    Candidates out;
    for (const Buffer& buffer : buffers_read(menu.place.block->fields.body))
        add_loops(writers_of(menu.program, buffer), menu.block, out);
    if (out.empty())
        for (const For* loop : menu.place.loops()) out.push_back({menu.block, menu.loop_named(*loop)});
    return out;
}

Candidates per_read_buffer(const MenuPlace& menu) {
    if (menu.on_loop()) return {};
    Candidates out;
    const std::vector<Buffer> written = buffers_written(menu.place.block->fields.body);
    for (const Buffer& buffer : buffers_read(menu.place.block->fields.body))
        if (std::ranges::find(written, buffer) == written.end()) out.push_back({menu.block, buffer->name});
    return out;
}

Candidates cache_read_candidates(const MenuPlace& menu) {
    Candidates out = per_read_buffer(menu);
    for (std::vector<Arg>& operands : out) operands.emplace_back(std::string("stack"));
    return out;
}

template <Result<Rewritten> (*primitive)(const Program&, const std::string&)>
Result<Rewritten> on_block(const Program& program, Args& args) {
    const std::string block = args.name(0);
    ORRERY_OPERANDS(1);
    return primitive(program, block);
}

template <Result<Rewritten> (*primitive)(const Program&, const std::string&, const std::string&)>
Result<Rewritten> on_two_names(const Program& program, Args& args) {
    const std::string block = args.name(0), other = args.name(1);
    ORRERY_OPERANDS(2);
    return primitive(program, block, other);
}

template <Result<Rewritten> (*primitive)(const Program&, const std::string&, Scope)>
Result<Rewritten> with_scope(const Program& program, Args& args) {
    const std::string block = args.name(0);
    const Scope scope = args.scope(1);
    ORRERY_OPERANDS(2);
    return primitive(program, block, scope);
}

Result<Rewritten> apply_cache_read(const Program& program, Args& args) {
    const std::string block = args.name(0), buffer = args.name(1);
    const Scope scope = args.scope(2);
    ORRERY_OPERANDS(3);
    return cache_read(program, block, buffer, scope);
}

const ArgInfo kBuffer{"buffer", ArgKind::Buffer}, kScope{"scope", ArgKind::Scope, {"stack", "registers", "global"}};

std::vector<CatalogRow> inline_rows() {
    return {
        {info("compute_inline", {kBlock}, "Removes a block and puts its expression where its buffer is read.",
              "the block computes one element at its own iterators, is no reduction, has no predicate; nothing else "
              "writes its buffer, which is no result; what it reads is the same where its buffer is read.",
              "b[i] = x[i] + 1; c[i] = b[i] * 2", "compute_inline(b)\nc[i] = (x[i] + 1) * 2"),
         on_block<compute_inline>, this_block},
        {info("reverse_compute_inline", {kBlock},
              "Removes a block and puts its expression into the one block that computes what it reads.",
              "both compute one element at their own iterators, which correspond one to one; neither is a reduction or "
              "has a predicate; nobody else reads what is between them; they stand beside each other.",
              "b[i] = x[i] + 1; c[i] = b[i] * 2", "reverse_compute_inline(c)\nc[i] = (x[i] + 1) * 2, in block b"),
         on_block<reverse_compute_inline>, this_block},
        {info("compute_at", {kBlock, kLoop},
              "Moves a block's computation inside a loop of its readers: each iteration computes what it needs, in a "
              "buffer of that size. At the end of a dimension a predicate leaves out what nobody needs, or it is "
              "computed "
              "too where all that the block reads is there. Loops around the block are made anew.",
              "the block computes one element at its own iterators, with no predicate; its buffer is no result, is "
              "written by it alone and read under that loop only; what it reads is the same there.",
              "for i { b[i] = ... }; for i { for k { c[i] += b[i + k] } }",
              "compute_at(b, c.i)\nfor i { for i_ in K { b[i_] = ... }; for k { c[i] += b[k] } }"),
         on_two_names<compute_at>, compute_at_candidates},
        {info("reverse_compute_at", {kBlock, kLoop},
              "Moves a block's computation inside a loop of the block it reads from: each iteration goes on with what "
              "it "
              "has just completed.",
              "the block computes one element at its own iterators from one buffer that the loop writes, read at those "
              "iterators; each iteration of the loop completes a box of that buffer, which no other one touches.",
              "for i { for k { b[i] += ... } }; for i { c[i] = max(b[i], 0) }",
              "reverse_compute_at(c, b.i)\nfor i { for k { b[i] += ... }; c[i] = max(b[i], 0) }"),
         on_two_names<reverse_compute_at>, reverse_compute_at_candidates},
    };
}

std::vector<CatalogRow> buffer_rows() {
    return {
        {info(
             "cache_write", {kBlock, kScope},
             "Makes a block write a new buffer of that scope, copied to the old one by a new block block_write after "
             "it.",
             "the block computes one element at its own iterators and alone writes its buffer; its loops write a whole "
             "box of it.",
             "for i { c[i] = ... }", "cache_write(c, stack)\nfor i { c_local[i] = ... }; for i { c[i] = c_local[i] }"),
         with_scope<cache_write>, with_scopes},
        {info("cache_read", {kBlock, kBuffer, kScope},
              "Copies what a block's loops read of a buffer to a new one of that scope, in a new block buffer_read "
              "before "
              "them, and makes the block read that. compute_at then moves the copy to where it is used.",
              "the block's loops do not write the buffer.", "for i { c[i] = a[i] * 2 }",
              "cache_read(c, a, stack)\nfor i { a_stack[i] = a[i] }; for i { c[i] = a_stack[i] * 2 }"),
         apply_cache_read, cache_read_candidates},
        {info("reindex", {kBlock, kBuffer},
              "Copies what a block reads of a buffer to a new one with a dimension for each iterator of the block it "
              "depends on, in a block buffer_reindex, and makes the block read that at its own iterators: im2col for a "
              "convolution.",
              "the block reads the buffer at one place, always inside of it, and does not write it.",
              "for i { for k { c[i] += a[i * 2 + k] } }",
              "reindex(c, a)\nfor i { for k { a_reindexed[i, k] = a[i * 2 + k] } }; for i { for k { c[i] += "
              "a_reindexed[i, k] } }"),
         on_two_names<reindex>, per_read_buffer},
        {info("set_scope", {kBlock, kScope},
              "Gives the buffer a block writes another scope: memory, the thread's stack, or registers.",
              "the block writes one buffer, which is no parameter.", "alloc t: f32[8] scope global",
              "set_scope(b, registers)\nalloc t: f32[8] scope registers"),
         with_scope<set_scope>, with_scopes},
    };
}

} // namespace

std::vector<CatalogRow> place_rows() {
    std::vector<CatalogRow> out = inline_rows();
    for (CatalogRow& row : buffer_rows()) out.push_back(std::move(row));
    return out;
}

} // namespace orrery::schedule
