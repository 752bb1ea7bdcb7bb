// cache_read, cache_write, reindex: copies of what a block reads or writes.

#include "core/schedule/dependence.hpp"
#include "core/schedule/element_block.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/motion.hpp"
#include "core/schedule/primitives.hpp"
#include "core/schedule/tiles.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <optional>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

std::size_t index_of(const BlockPlace& place, const Stmt& stmt) {
    return static_cast<std::size_t>(std::ranges::find(place.path, stmt) - place.path.begin());
}

bool writes(const Stmt& stmt, const Buffer& buffer) {
    const std::vector<Buffer> written = buffers_written(stmt);
    return std::ranges::find(written, buffer) != written.end();
}

/// The one buffer of that name that the block reads.
Result<Buffer> read_buffer(const Block& block, const std::string& name, const Refusal& refuse) {
    std::string names;
    for (const Buffer& buffer : buffers_read(block.fields.body)) {
        if (buffer->name == name) return buffer;
        names += (names.empty() ? "" : ", ") + buffer->name;
    }
    return refuse("it reads no buffer named " + name, "it reads " + (names.empty() ? "nothing" : names));
}

} // namespace

Result<Rewritten> cache_write(const Program& program, const std::string& name, Scope scope) {
    ORRERY_TRY(const BlockPlace place, find_block(program, name));
    const Refusal refuse{"cache_write", program, "block " + name};
    ORRERY_TRY(const ElementBlock element, element_block(*place.block, refuse));
    if (has_block(program, name + "_write"))
        return refuse("there is a block " + name + "_write already",
                      "its result is copied already: cache_write that block, or undo it");
    if (inside_block(place)) return refuse("a block is around it", "cache before blockize");
    for (const BlockPlace& writer : writers_of(program, element.buffer))
        if (writer.block != place.block)
            return refuse("block " + writer.block->fields.name + " writes " + element.buffer->name + ", too",
                          "cache before decomposing its reduction");
    if (builds_on_before(*place.block, element))
        return refuse("it builds on what " + element.buffer->name + " holds before",
                      "cache before decomposing its reduction, or choose a block that writes without reading");
    const Stmt nest = nest_of(place);
    const std::size_t at = index_of(place, nest);
    const Bounds outside = bounds_outside(place.path, at);
    const std::vector<Need> needs = needs_of(element.buffer, nest, outside, Uses::Writes);
    if (!writes_box(place, at, element.buffer, needs))
        return refuse("its loops do not write a whole box of " + element.buffer->name,
                      "cache before its loops are bound in other ways");
    const Buffer local = tile_buffer(element.buffer, element.buffer->name + "_local", needs, scope);
    std::vector<std::string> axes;
    for (const VarRef& iter : element.iters)
        axes.push_back(loop_name(*std::ranges::find(place.block->fields.iters, iter, &BlockIter::var)));
    const Stmt write = copy_nest({name + "_write", element.buffer, local, needs, false, axes}, *place.block, outside);
    TileUser user(element.buffer, local, needs);
    const Stmt both = Seq::make({user.rewrite(nest), write});
    return Rewritten{replace_allocating(program, place.path, nest, both, {local}), {}};
}

Result<Rewritten> cache_read(const Program& program, const std::string& name, const std::string& buffer_name,
                             Scope scope) {
    ORRERY_TRY(const BlockPlace place, find_block(program, name));
    const Refusal refuse{"cache_read", program, "block " + name};
    ORRERY_TRY(const Buffer buffer, read_buffer(*place.block, buffer_name, refuse));
    if (inside_block(place)) return refuse("a block is around it", "cache before blockize");
    const Stmt nest = nest_of(place);
    if (writes(nest, buffer))
        return refuse("it writes " + buffer->name + " as well", "cache_write copies what a block writes");
    const Bounds outside = bounds_outside(place.path, index_of(place, nest));
    const std::vector<Need> needs = needs_of(buffer, nest, outside, Uses::Reads);
    if (needs.empty()) return refuse("it reads nothing of " + buffer->name, "choose a buffer that its body loads from");
    const Buffer local = tile_buffer(buffer, buffer->name + "_" + scope_name(scope), needs, scope);
    const std::string made = fresh_block(program, buffer->name + "_read");
    const Stmt copy = copy_nest({made, buffer, local, needs, true}, *place.block, outside);
    TileUser user(buffer, local, needs);
    const Stmt both = Seq::make({copy, user.rewrite(nest)});
    return Rewritten{replace_allocating(program, place.path, nest, both, {local}), {}};
}

Result<Rewritten> reindex(const Program& program, const std::string& name, const std::string& buffer_name) {
    ORRERY_TRY(const BlockPlace place, find_block(program, name));
    const Refusal refuse{"reindex", program, "block " + name};
    ORRERY_TRY(const Buffer buffer, read_buffer(*place.block, buffer_name, refuse));
    if (inside_block(place)) return refuse("a block is around it", "reindex before blockize");
    const Stmt nest = nest_of(place);
    if (writes(nest, buffer))
        return refuse("it writes " + buffer->name + " as well",
                      "choose a buffer that is only read there, or cache_write the block");
    if (given_to_extern(nest, buffer))
        return refuse("an extern call is given a box of " + buffer->name, "cache_read copies boxes");
    std::optional<std::vector<Expr>> indices;
    Bounds bounds;
    for (const BlockIter& iter : place.block->fields.iters) {
        const auto extent = as_int(iter.extent);
        if (!extent) return refuse("iterator " + iter.var->name + " has no constant extent", "give the size a value");
        bounds[iter.var] = {0, *extent - 1};
    }
    for (const Touch& touch : touches_of(place.block->fields.body)) {
        if (touch.buffer != buffer) continue;
        if (!touch.loops.empty())
            return refuse("it reads " + buffer->name + " in loops of its own",
                          "cache_read copies what loops inside a block read");
        const auto same = [](const Expr& a, const Expr& b) { return structural_equal(a, b); };
        if (indices && !std::ranges::equal(*indices, touch.indices, same))
            return refuse("it reads " + buffer->name + " at several places", "cache_read copies them all");
        indices = touch.indices;
    }
    if (!indices) return refuse("it reads nothing of " + buffer->name, "choose a buffer that its body loads from");
    const std::vector<std::int64_t> shape = buffer->static_shape();
    for (std::size_t d = 0; d < shape.size(); ++d) {
        const std::optional<Interval> range = interval_of((*indices)[d], bounds);
        if (!range || range->min < 0 || range->max >= shape[d])
            return refuse("it may read outside of " + buffer->name + ", where a condition keeps it from",
                          "compute the padding in a block of its own");
    }

    // A dimension for each iterator that the index depends on, in the block's order.
    Block::Fields fields;
    fields.name = fresh_block(program, buffer->name + "_reindex");
    std::vector<VarRef> loops;
    std::vector<Expr> own, at;
    std::vector<std::int64_t> extents;
    VarMap map;
    for (const BlockIter& iter : place.block->fields.iters) {
        if (std::ranges::none_of(*indices, [&](const Expr& e) { return uses_var(e, iter.var); })) continue;
        loops.push_back(Var::make(loop_name(iter)));
        const VarRef var = Var::make(iter.var->name);
        fields.iters.push_back({var, iter.extent, IterKind::Spatial, loops.back()});
        extents.push_back(extent_of(iter.extent));
        map[iter.var] = var;
        at.push_back(var);
        own.push_back(iter.var);
    }
    constexpr std::int64_t kMostElements = std::int64_t{1} << 31; // our choice: a copy of memory's size is a mistake
    if (element_count(extents) > kMostElements)
        return refuse("the copy would have more than 2^31 elements", "cache_read copies only the box that is read");
    const Buffer copy = make_buffer(buffer->name + "_reindexed", buffer->dtype, extents);
    std::vector<Expr> from;
    for (const Expr& index : *indices) from.push_back(substitute(index, map));
    fields.body = Store::make(copy, at, Load::make(buffer, from), place.block->origin);
    Stmt made = rebuild_block(*place.block, std::move(fields));
    for (std::size_t d = loops.size(); d-- > 0;) made = For::make(loops[d], imm(extents[d]), LoopKind::Serial, made);

    Block::Fields user = place.block->fields;
    const Expr here = Load::make(copy, own);
    user.body = replace_loads(user.body, buffer, here);
    if (user.init) user.init = replace_loads(user.init, buffer, here);
    const Stmt changed = replace_stmt(nest, place.path.back(), rebuild_block(*place.block, std::move(user)));
    return Rewritten{replace_allocating(program, place.path, nest, Seq::make({made, changed}), {copy}), {}};
}

} // namespace orrery::schedule
