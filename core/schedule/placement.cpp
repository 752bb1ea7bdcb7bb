// compute_at, reverse_compute_at, set_scope: where a block's result lives and when it is computed.

#include "core/schedule/dependence.hpp"
#include "core/schedule/element_block.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/motion.hpp"
#include "core/schedule/primitives.hpp"
#include "core/schedule/tiles.hpp"
#include "core/tensor/affine.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <optional>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

bool contains(const std::vector<Buffer>& buffers, const Buffer& buffer) {
    return std::ranges::find(buffers, buffer) != buffers.end();
}
bool contains(const std::vector<Stmt>& path, const Stmt& stmt) { return std::ranges::find(path, stmt) != path.end(); }

/// The loops around a block that are not around its destination: they are gone, because.
auto left_behind(const BlockPlace& place, const LoopPlace& target, const std::string& because) {
    decltype(Rewritten::forward) out;
    for (const Stmt& around : place.path)
        if (const For* gone = as<For>(around); gone && !contains(target.block.path, around))
            out.push_back({gone->var, {}, because});
    return out;
}

/// New loops around a block: one a need wider than one element, with a guard where the box reaches past what the
/// iterator may be.
struct BoxLoops {
    std::vector<std::pair<VarRef, std::int64_t>> loops;
    Expr guard;
};

void bind_to_box(BlockIter& iter, const Need& need, Bounds& bounds, BoxLoops& out) {
    Expr at = need.min;
    if (need.extent > 1) {
        const VarRef var = Var::make(loop_name(iter));
        out.loops.emplace_back(var, need.extent);
        bounds[var] = {0, need.extent - 1};
        at = at + var;
    }
    iter.binding = simplify(at, bounds);
    const std::int64_t extent = extent_of(iter.extent);
    const auto require = [&](const Expr& condition) { out.guard = out.guard ? out.guard && condition : condition; };
    if (need.high + need.extent > extent) require(lt(iter.binding, imm(extent)));
    if (need.low < 0) require(ge(iter.binding, imm(0)));
}

Stmt wrap(Stmt body, const BoxLoops& box) {
    for (std::size_t i = box.loops.size(); i-- > 0;)
        body = For::make(box.loops[i].first, imm(box.loops[i].second), LoopKind::Serial, body);
    return body;
}

/// What stands for loops that are iterators' values, once those have other bindings.
VarMap moved_loops(const Block& block, const std::vector<BlockIter>& now) {
    VarMap out;
    for (std::size_t i = 0; i < block.fields.iters.size(); ++i)
        if (const Var* loop = as<Var>(block.fields.iters[i].binding)) out[VarRef(loop)] = now[i].binding;
    return out;
}
/// The loop around a block that its predicate asks for and that is no iterator's value; null for none.
const For* asked_for_alone(const BlockPlace& place) {
    const Expr& predicate = place.block->fields.predicate;
    for (const For* loop : place.loops())
        if (predicate && uses_var(predicate, loop->var) &&
            std::ranges::none_of(place.block->fields.iters,
                                 [&](const BlockIter& iter) { return iter.binding.get() == loop->var.get(); }))
            return loop;
    return nullptr;
}

/// Whether all that a block reads, but for its own buffer, lies inside when an iterator goes on to `extent`.
bool reads_inside(const Block& block, const ElementBlock& element, const VarRef& iter, std::int64_t extent) {
    Bounds bounds;
    for (const BlockIter& each : block.fields.iters) bounds[each.var] = {0, extent_of(each.extent) - 1};
    bounds[iter] = {0, extent - 1};
    LoadCollector collector;
    collector.visit(element.value);
    return std::ranges::all_of(collector.loads, [&](const Load* load) {
        for (std::size_t d = 0; d < load->indices.size() && load->buffer != element.buffer; ++d) {
            const std::optional<std::int64_t> size = as_int(load->buffer->shape[d]);
            const std::optional<Interval> at = interval_of(load->indices[d], bounds);
            if (!size || !at || at->min < 0 || at->max >= *size) return false;
        }
        return true;
    });
}

/// The producer's nest for one tile: loops over the tile and the reduction around the block bound to them.
Stmt tile_nest(const Block& block, const ElementBlock& element, const std::vector<Need>& needs, Bounds bounds,
               TileUser& user) {
    Block::Fields fields = block.fields;
    BoxLoops box;
    for (std::size_t d = 0; d < needs.size(); ++d) {
        BlockIter& iter = *std::ranges::find(fields.iters, element.iters[d], &BlockIter::var);
        const std::int64_t end = needs[d].high + needs[d].extent;
        // What nobody asks for may be computed, but costs less than to ask whether somebody does.
        if (end > extent_of(iter.extent) && reads_inside(block, element, iter.var, end)) iter.extent = imm(end);
        bind_to_box(iter, needs[d], bounds, box);
    }
    for (BlockIter& iter : fields.iters) {
        if (iter.kind != IterKind::Reduce) continue;
        const VarRef var = Var::make(loop_name(iter));
        box.loops.emplace_back(var, extent_of(iter.extent));
        iter.binding = var;
    }
    fields.predicate = box.guard;
    if (block.fields.predicate) {
        for (const auto& [loop, extent] : box.loops) bounds[loop] = {0, extent - 1};
        const Expr kept = simplify(substitute(block.fields.predicate, moved_loops(block, fields.iters)), bounds);
        if (as_int(kept) != 1) fields.predicate = fields.predicate ? fields.predicate && kept : kept;
    }
    return wrap(user.use(block, std::move(fields)), box);
}

/// The reduction iterator that does not take each value of its extent as the loops run: loops over the extent would add
/// up something else. Null when there is none.
const BlockIter* gapped(const BlockPlace& place) {
    Bounds loops;
    for (const For* loop : place.loops())
        if (const auto extent = as_int(loop->extent)) loops[loop->var] = {0, *extent - 1};
    for (const BlockIter& iter : place.block->fields.iters) {
        const auto extent = as_int(iter.extent);
        if (iter.kind != IterKind::Reduce || !extent) continue;
        const auto box = box_of({iter.binding}, loops);
        if (!box || box->front() != *extent) return &iter;
    }
    return nullptr;
}

/// What keeps a block from being computed at a loop of its readers; no value when nothing does.
std::optional<Diagnostic> refuse_compute_at(const Program& program, const BlockPlace& place,
                                            const ElementBlock& element, const LoopPlace& target,
                                            const std::string& loop_name) {
    const Refusal refuse{"compute_at", program, "block " + place.block->fields.name};
    const Buffer& buffer = element.buffer;
    if (std::ranges::find(program->params, buffer) != program->params.end())
        return refuse("its buffer " + buffer->name + " is a result of the program", "cache_write it first");
    if (place.block->fields.predicate && depends_on_data(place.block->fields.predicate))
        return refuse("its predicate reads memory", "choose a block whose predicate asks for loops alone");
    if (const For* loop = asked_for_alone(place))
        return refuse("its predicate asks for loop " + loop->var->name + ", which is the value of no iterator",
                      "move it before splitting its loops");
    if (inside_block(place) || inside_block(target.block))
        return refuse("a block is around it or around loop " + loop_name, "move it before blockize");
    if (const BlockIter* iter = gapped(place))
        return refuse("its loops do not take every value of iterator " + iter->var->name,
                      "move it before its reduction loops are split or taken apart");
    const Stmt nest = nest_of(place);
    const Stmt& target_loop = target.block.path[target.at];
    if (contains(target.block.path, nest))
        return refuse("loop " + loop_name + " is its own", "choose a loop of a block beside it");
    const Stmt rest = replace_stmt(replace_stmt(program->body, nest, nullptr), target_loop, nullptr);
    if (contains(buffers_read(rest), buffer))
        return refuse(buffer->name + " is read outside of loop " + loop_name, "choose a loop around all its readers");
    const Stmt others = replace_stmt(program->body, nest, nullptr);
    if (contains(buffers_written(others), buffer))
        return refuse(buffer->name + " is written elsewhere, too", "move it before decomposing its reduction");
    if (builds_on_before(*place.block, element))
        return refuse("it builds on what " + buffer->name + " holds before",
                      "move it before decomposing its reduction");
    if (!contains(buffers_read(target_loop), buffer))
        return refuse("loop " + loop_name + " reads nothing of " + buffer->name, "choose a loop of a block that does");
    const std::vector<BlockPlace> readers = readers_of(program, buffer);
    for (const BlockPlace& reader : readers)
        if (order_of(program, reader.block) < order_of(program, place.block))
            return refuse("block " + reader.block->fields.name + " reads " + buffer->name + " before it is computed",
                          "choose a block that runs before all its readers");
    if (bare_use(program, buffer))
        return refuse("a statement outside any block uses " + buffer->name, "put that statement into a block");
    if (const std::string why = changed_between(program, place, buffer, target.block.path); !why.empty())
        return refuse(why, "choose a loop inside of that one");
    return std::nullopt;
}

} // namespace

Result<Rewritten> compute_at(const Program& program, const std::string& name, const std::string& loop_name) {
    ORRERY_TRY(const BlockPlace place, find_block(program, name));
    ORRERY_TRY(const LoopPlace target, find_loop(program, loop_name));
    const Refusal refuse{"compute_at", program, "block " + name};
    ORRERY_TRY(const ElementBlock element, element_block(*place.block, refuse));
    if (auto refused = refuse_compute_at(program, place, element, target, loop_name)) return *std::move(refused);

    const Stmt nest = nest_of(place);
    const Stmt& target_loop = target.block.path[target.at];
    const For& loop = target.loop();
    const Bounds bounds = bounds_outside(target.block.path, target.at + 1);
    const std::vector<Need> needs = needs_of(element.buffer, loop.body, bounds, Uses::Reads);
    const Scope scope = element.buffer->scope == Scope::Global ? Scope::Stack : element.buffer->scope;
    const Buffer tile = tile_buffer(element.buffer, element.buffer->name, needs, scope);

    TileUser user(element.buffer, tile, needs);
    const Stmt made = tile_nest(*place.block, element, needs, bounds, user);
    const Stmt body = Alloc::make(tile, Seq::make({made, user.rewrite(loop.body)}));
    const Stmt new_loop = For::make(loop.var, loop.extent, loop.loop, body, loop.annotations);
    Stmt out = replace_stmt(replace_stmt(program->body, target_loop, new_loop), nest, nullptr);
    Rewritten result{with_body(program, drop_buffer(out, element.buffer)), {}};
    result.forward = left_behind(place, target, "block " + name + " moved to " + loop_name);
    return result;
}

// -------------------------------------------------------------------------- reverse_compute_at

namespace {

/// A consumer that reads one produced buffer at its own iterators, and how dimensions correspond.
struct Follower {
    ElementBlock element;
    Buffer produced;
    std::vector<VarRef> at; ///< the consumer's iterator at each dimension of `produced`
};

Result<Follower> follower_of(const Block& block, const std::vector<Buffer>& produced, const Refusal& refuse) {
    ORRERY_TRY(ElementBlock element, element_block(block, refuse));
    if (element.reduces) return refuse("it is a reduction", "move its producer to it with compute_at instead");
    if (builds_on_before(block, element))
        return refuse("it builds on other elements of " + element.buffer->name,
                      "move its producer to it with compute_at instead");
    Follower out{std::move(element), nullptr, {}};
    for (const Touch& touch : touches_of(block.fields.body)) {
        if (touch.is_write || !contains(produced, touch.buffer)) continue;
        if (out.produced && out.produced != touch.buffer)
            return refuse("it reads both " + out.produced->name + " and " + touch.buffer->name + " of that loop",
                          "choose a loop that computes one of them, or move a producer to it with compute_at");
        std::vector<VarRef> at;
        for (const Expr& index : touch.indices) {
            const auto iter =
                std::ranges::find_if(out.element.iters, [&](const VarRef& v) { return v.get() == index.get(); });
            if (iter == out.element.iters.end() || std::ranges::find(at, *iter) != at.end())
                return refuse("it reads " + touch.buffer->name + " at other places than its own iterators",
                              "move the producer to it with compute_at instead");
            at.push_back(*iter);
        }
        if (out.produced && at != out.at)
            return refuse("it reads " + touch.buffer->name + " in two ways",
                          "move the producer to it with compute_at instead");
        out.produced = touch.buffer;
        out.at = std::move(at);
    }
    if (!out.produced) return refuse("it reads nothing that loop computes", "choose a loop of a block it reads from");
    return out;
}

/// What one iteration of the loop completes of a buffer; a refusal when an iteration does not complete a box of its
/// own.
Result<std::vector<Need>> completed_box(const Program& program, const LoopPlace& loop, const Buffer& buffer,
                                        const Refusal& refuse) {
    for (std::size_t i = 0; i <= loop.at; ++i) {
        if (!as<For>(loop.block.path[i])) continue;
        if (const auto again = carried_dependence({loop.block, i}, buffer))
            return refuse("iterations of loop " + static_cast<const For&>(*loop.block.path[i]).var->name +
                              " share elements of " + buffer->name + ": " + again->text,
                          "choose a loop outside of the reduction");
    }
    const Bounds outside = bounds_outside(loop.block.path, loop.at + 1);
    std::vector<Need> needs = needs_of(buffer, loop.loop().body, outside, Uses::Writes);
    for (const BlockPlace& writer : writers_of(program, buffer)) {
        if (!contains(writer.path, loop.block.path[loop.at]))
            return refuse("block " + writer.block->fields.name + " writes " + buffer->name + " outside of the loop",
                          "choose a loop around all its writers");
        if (!writes_box(writer, loop.at + 1, buffer, needs))
            return refuse("what one iteration computes of " + buffer->name + " is no whole box",
                          "choose a loop further out, or split into factors that divide");
    }
    return needs;
}

std::optional<Diagnostic> refuse_follow(const Program& program, const BlockPlace& place, const Follower& follower,
                                        const LoopPlace& target) {
    const Refusal refuse{"reverse_compute_at", program, "block " + place.block->fields.name};
    const Stmt nest = nest_of(place);
    for (const Stmt& around : place.path) {
        if (around == nest) break;
        if (!contains(target.block.path, around))
            return refuse("it is inside loops that the destination is not", "choose a loop beside it");
    }
    const std::size_t own = order_of(program, place.block);
    const std::size_t first = order_of(program, blocks_of(target.block.path[target.at]).front());
    for (const Block* other : blocks_of(program->body)) {
        if (other == place.block) continue;
        const std::size_t order = order_of(program, other);
        const Stmt all = other->fields.init ? Seq::make({other->fields.init, other->fields.body}) : other->fields.body;
        const std::vector<Buffer> written = buffers_written(all);
        const bool uses_result =
            contains(written, follower.element.buffer) || contains(buffers_read(all), follower.element.buffer);
        if (uses_result && order < own)
            return refuse("block " + other->fields.name + " uses " + follower.element.buffer->name + " before it",
                          "choose a block that is the first to use its buffer");
        for (const Buffer& needed : buffers_read(place.block->fields.body)) {
            if (needed == follower.produced || !contains(written, needed)) continue;
            const std::vector<Stmt> path = find_block(program, other->fields.name)->path;
            // What both are in, but the block that moves is not, runs again between the two.
            const bool again = std::ranges::any_of(path, [&](const Stmt& stmt) {
                return as<For>(stmt) && contains(target.block.path, stmt) && !contains(place.path, stmt);
            });
            if (order >= first || again)
                return refuse("block " + other->fields.name + " writes " + needed->name +
                                  ", which it reads, and has not done so before that loop",
                              "move that block to the loop first, or choose a loop behind it");
        }
    }
    return std::nullopt;
}

} // namespace

Result<Rewritten> reverse_compute_at(const Program& program, const std::string& name, const std::string& loop_name) {
    ORRERY_TRY(const BlockPlace place, find_block(program, name));
    ORRERY_TRY(const LoopPlace target, find_loop(program, loop_name));
    const Refusal refuse{"reverse_compute_at", program, "block " + name};
    if (place.block->fields.predicate) return refuse("it has a predicate", "move it before splitting its loops");
    if (inside_block(place) || inside_block(target.block))
        return refuse("a block is around it or around loop " + loop_name, "move it before blockize");
    const Stmt nest = nest_of(place);
    const Stmt& target_loop = target.block.path[target.at];
    if (contains(target.block.path, nest))
        return refuse("loop " + loop_name + " is its own", "choose a loop of a block beside it");
    if (contains(place.path, target_loop))
        return refuse("it is inside loop " + loop_name + " already", "choose a loop of a block it reads from");
    if (order_of(program, place.block) < order_of(program, target.block.block))
        return refuse("it runs before loop " + loop_name, "use compute_at");
    ORRERY_TRY(const Follower follower, follower_of(*place.block, buffers_written(target_loop), refuse));
    if (bare_use(program, follower.produced) || bare_use(program, follower.element.buffer))
        return refuse("a statement outside any block uses its buffers", "put that statement into a block");
    if (auto refused = refuse_follow(program, place, follower, target)) return *std::move(refused);
    ORRERY_TRY(const std::vector<Need> needs, completed_box(program, target, follower.produced, refuse));

    Block::Fields fields = place.block->fields;
    Bounds bounds = bounds_outside(target.block.path, target.at + 1);
    BoxLoops box;
    for (BlockIter& iter : fields.iters) {
        const auto at = std::ranges::find(follower.at, iter.var);
        const Need whole{imm(0), extent_of(iter.extent)};
        bind_to_box(iter, at == follower.at.end() ? whole : needs[static_cast<std::size_t>(at - follower.at.begin())],
                    bounds, box);
    }
    fields.predicate = box.guard;
    const Stmt made = wrap(rebuild_block(*place.block, std::move(fields)), box);
    const For& loop = target.loop();
    const Stmt new_loop = For::make(loop.var, loop.extent, loop.loop, Seq::make({loop.body, made}), loop.annotations);
    const Stmt out = replace_stmt(replace_stmt(program->body, nest, nullptr), target_loop, new_loop);
    Rewritten result{with_body(program, out), {}};
    result.forward = left_behind(place, target, "block " + name + " moved to " + loop_name);
    return result;
}

Result<Rewritten> set_scope(const Program& program, const std::string& name, Scope scope) {
    ORRERY_TRY(const BlockPlace place, find_block(program, name));
    const Refusal refuse{"set_scope", program, "block " + name};
    const std::vector<Buffer> written = buffers_written(place.block->fields.body);
    if (written.size() != 1)
        return refuse("it writes " + std::to_string(written.size()) + " buffers",
                      "choose a block that writes one buffer");
    const Buffer& before = written.front();
    if (std::ranges::find(program->params, before) != program->params.end())
        return refuse(before->name + " is a parameter", "cache_write it first");
    if (before->scope == scope) return Rewritten{program, {}};
    const Buffer after = make_ref<const BufferNode>(before->name, before->dtype, before->shape, scope);
    return Rewritten{with_body(program, rename_buffer(program->body, before, after)), {}};
}

} // namespace orrery::schedule
