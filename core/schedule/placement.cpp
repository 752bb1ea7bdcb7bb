// cache_write, compute_at, set_scope: where a block's result lives and when it is computed.

#include "core/schedule/element_block.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/primitives.hpp"
#include "core/tensor/affine.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <optional>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

/// What one iteration of a loop needs of one dimension: [min, min + extent), min in terms of loops outside.
struct Need {
    Expr min;
    std::int64_t extent = 0;
};

/// Collects the indices, in terms of loops, at which blocks below read a buffer.
class ReadCollector final : public Visitor {
  public:
    ReadCollector(const Buffer& buffer, Bounds bounds) : buffer_(buffer), bounds_(std::move(bounds)) {}
    std::vector<std::vector<Expr>> reads;
    Bounds inner; ///< of the loops met

  protected:
    void visit_node(const For& node) override {
        if (const auto extent = as_int(node.extent)) inner[node.var] = bounds_[node.var] = {0, *extent - 1};
        Visitor::visit_node(node);
    }
    void visit_node(const Block& node) override {
        const VarMap saved = map_;
        for (const BlockIter& iter : node.fields.iters) map_[iter.var] = substitute(iter.binding, saved);
        if (node.fields.init) visit(node.fields.init);
        visit(node.fields.body);
        map_ = saved;
    }
    void visit_node(const Load& node) override {
        if (node.buffer == buffer_) {
            std::vector<Expr> indices;
            for (const Expr& index : node.indices) indices.push_back(simplify(substitute(index, map_), bounds_));
            reads.push_back(std::move(indices));
        }
        Visitor::visit_node(node);
    }

  private:
    const Buffer& buffer_;
    Bounds bounds_;
    VarMap map_;
};

bool uses_any(const Expr& expr, const Bounds& vars) {
    return std::ranges::any_of(vars, [&](const auto& entry) { return uses_var(expr, entry.first); });
}

/// The range of an index while the inner loops run; nullopt when it is not a sum of their variables.
std::optional<Need> range_of(const Expr& index, const Bounds& inner) {
    Affine outer = affine_of(index);
    std::int64_t low = 0, high = 0;
    std::vector<Affine::Term> kept;
    for (const Affine::Term& term : outer.terms) {
        if (!uses_any(term.term, inner)) {
            kept.push_back(term);
            continue;
        }
        const std::optional<Interval> interval = interval_of(term.term, inner);
        if (!interval) return std::nullopt;
        low += term.coefficient * (term.coefficient > 0 ? interval->min : interval->max);
        high += term.coefficient * (term.coefficient > 0 ? interval->max : interval->min);
    }
    outer.terms = std::move(kept);
    outer.constant += low;
    return Need{to_expr(outer), high - low + 1};
}

/// The needs of all reads together, one a dimension; a whole dimension where they cannot be joined.
std::vector<Need> needs_of(const Buffer& buffer, const ReadCollector& collected) {
    const std::vector<std::int64_t> shape = buffer->static_shape();
    std::vector<Need> needs;
    for (std::size_t d = 0; d < shape.size(); ++d) {
        std::optional<Need> all;
        for (const std::vector<Expr>& read : collected.reads) {
            const std::optional<Need> one = range_of(read[d], collected.inner);
            const auto shift = one && all ? constant_difference(one->min, all->min) : std::optional<std::int64_t>(0);
            if (!one || !shift) {
                all = Need{imm(0), shape[d]};
                break;
            }
            if (!all) {
                all = one;
                continue;
            }
            const std::int64_t low = std::min<std::int64_t>(0, *shift);
            const std::int64_t high = std::max(all->extent, *shift + one->extent);
            all = Need{all->min + imm(low), high - low};
        }
        if (!all || all->extent >= shape[d]) all = Need{imm(0), shape[d]};
        needs.push_back(*std::move(all));
    }
    return needs;
}

/// Makes blocks use the tile instead of the whole buffer: indices become relative to the tile's corner, which each
/// block gets as an iterator of its own, so that it stays blind to the loops around it.
class TileUser final : public Rewriter {
  public:
    TileUser(const Buffer& whole, const Buffer& tile, const std::vector<Need>& needs)
        : whole_(whole), tile_(tile), needs_(needs) {}

    /// The block with its corner iterators added.
    Stmt use(const Block& block, Block::Fields fields) {
        corners_.clear();
        for (std::size_t d = 0; d < needs_.size(); ++d) {
            if (as_int(needs_[d].min)) {
                corners_.push_back(needs_[d].min);
                continue;
            }
            const VarRef corner = Var::make(tile_->name + "_at" + std::to_string(d));
            fields.iters.push_back({corner, whole_->shape[d], IterKind::Spatial, needs_[d].min});
            corners_.push_back(corner);
        }
        fields.body = rewrite(fields.body);
        if (fields.init) fields.init = rewrite(fields.init);
        return rebuild_block(block, std::move(fields));
    }

  protected:
    using Rewriter::rewrite_node;
    Stmt rewrite_node(const Block& node) override {
        const std::vector<Buffer> read = buffers_read(handle(node));
        if (std::ranges::find(read, whole_) == read.end()) return handle(node);
        return use(node, node.fields);
    }
    Expr rewrite_node(const Load& node) override {
        const Expr load = Rewriter::rewrite_node(node);
        return node.buffer == whole_ ? Load::make(tile_, relative(as<Load>(load)->indices)) : load;
    }
    Stmt rewrite_node(const Store& node) override {
        const Stmt stmt = Rewriter::rewrite_node(node);
        const Store* store = as<Store>(stmt);
        return node.buffer == whole_ ? Store::make(tile_, relative(store->indices), store->value, stmt->origin) : stmt;
    }

  private:
    std::vector<Expr> relative(const std::vector<Expr>& indices) const {
        std::vector<Expr> out;
        for (std::size_t d = 0; d < indices.size(); ++d) out.push_back(simplify(indices[d] - corners_[d]));
        return out;
    }
    const Buffer& whole_;
    const Buffer& tile_;
    const std::vector<Need>& needs_;
    std::vector<Expr> corners_;
};

/// The producer's nest for one tile: loops over the tile and the reduction around the block bound to them.
Stmt tile_nest(const Block& block, const ElementBlock& element, const std::vector<Need>& needs, Bounds bounds,
               TileUser& user) {
    Block::Fields fields = block.fields;
    std::vector<std::pair<VarRef, std::int64_t>> loops;
    Expr guard;
    const std::vector<std::int64_t> shape = element.buffer->static_shape();
    for (std::size_t d = 0; d < needs.size(); ++d) {
        const auto iter = std::ranges::find(fields.iters, element.iters[d], &BlockIter::var);
        Expr at = needs[d].min;
        if (needs[d].extent > 1) {
            const VarRef var = Var::make(loop_name(*iter));
            loops.emplace_back(var, needs[d].extent);
            bounds[var] = {0, needs[d].extent - 1};
            at = at + var;
        }
        iter->binding = simplify(at, bounds);
        const std::optional<Interval> range = interval_of(iter->binding, bounds);
        const Expr below = lt(iter->binding, imm(shape[d])), above = ge(iter->binding, imm(0));
        if (!range || range->max >= shape[d]) guard = guard ? guard && below : below;
        if (!range || range->min < 0) guard = guard ? guard && above : above;
    }
    for (BlockIter& iter : fields.iters) {
        if (iter.kind != IterKind::Reduce) continue;
        const VarRef var = Var::make(loop_name(iter));
        loops.emplace_back(var, extent_of(iter.extent));
        iter.binding = var;
    }
    fields.predicate = guard;
    Stmt nest = user.use(block, std::move(fields));
    for (std::size_t i = loops.size(); i-- > 0;)
        nest = For::make(loops[i].first, imm(loops[i].second), LoopKind::Serial, nest);
    return nest;
}

} // namespace

Result<Rewritten> compute_at(const Program& program, const std::string& name, const std::string& loop_name) {
    ORRERY_TRY(const BlockPlace place, find_block(program, name));
    ORRERY_TRY(const LoopPlace target, find_loop(program, loop_name));
    const Refusal refuse{"compute_at", program, "block " + name};
    ORRERY_TRY(const ElementBlock element, element_block(*place.block, refuse));
    if (std::ranges::find(program->params, element.buffer) != program->params.end())
        return refuse("its buffer " + element.buffer->name + " is a result of the program", "cache_write it first");
    const Stmt nest = nest_of(place);
    if (place.block->fields.predicate) return refuse("it has a predicate", "move it before splitting its loops");
    const Stmt target_loop = target.block.path[target.at];
    if (std::ranges::find(target.block.path, nest) != target.block.path.end())
        return refuse("loop " + loop_name + " is its own");

    const Stmt rest = replace_stmt(replace_stmt(program->body, nest, nullptr), target_loop, nullptr);
    const auto reads = buffers_read(rest);
    if (std::ranges::find(reads, element.buffer) != reads.end())
        return refuse(element.buffer->name + " is read outside of loop " + loop_name,
                      "choose a loop around all its readers");
    const auto written = buffers_written(rest);
    if (std::ranges::find(written, element.buffer) != written.end())
        return refuse(element.buffer->name + " is written elsewhere, too");
    for (const Buffer& needed : buffers_read(nest))
        if (const auto later = buffers_written(target_loop);
            needed != element.buffer && std::ranges::find(later, needed) != later.end())
            return refuse("it reads " + needed->name + ", which loop " + loop_name + " computes");

    Bounds bounds;
    for (std::size_t i = 0; i <= target.at; ++i)
        if (const For* around = as<For>(target.block.path[i]))
            if (const auto extent = as_int(around->extent)) bounds[around->var] = {0, *extent - 1};
    const For& loop = target.loop();
    ReadCollector collected(element.buffer, bounds);
    collected.visit(loop.body);
    if (collected.reads.empty()) return refuse("loop " + loop_name + " reads nothing of " + element.buffer->name);
    const std::vector<Need> needs = needs_of(element.buffer, collected);
    std::vector<std::int64_t> shape;
    for (const Need& need : needs) shape.push_back(need.extent);
    const Scope scope = element.buffer->scope == Scope::Global ? Scope::Stack : element.buffer->scope;
    const Buffer tile = make_buffer(element.buffer->name, element.buffer->dtype, shape, scope);

    TileUser user(element.buffer, tile, needs);
    const Stmt made = tile_nest(*place.block, element, needs, bounds, user);
    const Stmt body = Alloc::make(tile, Seq::make({made, user.rewrite(loop.body)}));
    const Stmt new_loop = For::make(loop.var, loop.extent, loop.loop, body, loop.annotations);
    Stmt out = replace_stmt(replace_stmt(program->body, target_loop, new_loop), nest, nullptr);
    Rewritten result{with_body(program, drop_buffer(out, element.buffer)), {}};
    for (const For* gone : place.loops())
        result.forward.push_back({gone->var, {}, "block " + name + " moved to " + loop_name});
    return result;
}

Result<Rewritten> cache_write(const Program& program, const std::string& name, Scope scope) {
    ORRERY_TRY(const BlockPlace place, find_block(program, name));
    const Refusal refuse{"cache_write", program, "block " + name};
    ORRERY_TRY(const ElementBlock element, element_block(*place.block, refuse));
    for (const Block* other : blocks_of(program->body))
        if (other->fields.name == name + "_write") return refuse("there is a block " + name + "_write already");
    const Buffer local =
        make_buffer(element.buffer->name + "_local", element.buffer->dtype, element.buffer->static_shape(), scope);
    const Stmt nest = nest_of(place);

    Block::Fields fields;
    fields.name = name + "_write";
    std::vector<VarRef> loops;
    std::vector<Expr> indices;
    for (std::size_t d = 0; d < element.iters.size(); ++d) {
        loops.push_back(
            Var::make(loop_name(*std::ranges::find(place.block->fields.iters, element.iters[d], &BlockIter::var))));
        const VarRef iter = Var::make(element.iters[d]->name);
        fields.iters.push_back({iter, element.buffer->shape[d], IterKind::Spatial, loops.back()});
        indices.push_back(iter);
    }
    fields.body = Store::make(element.buffer, indices, Load::make(local, indices), place.block->origin);
    Stmt write = rebuild_block(*place.block, std::move(fields));
    for (std::size_t d = loops.size(); d-- > 0;)
        write = For::make(loops[d], element.buffer->shape[d], LoopKind::Serial, write);
    const Stmt both = Alloc::make(local, Seq::make({rename_buffer(nest, element.buffer, local), write}));
    return Rewritten{replace_stmt(program, nest, both), {}};
}

Result<Rewritten> set_scope(const Program& program, const std::string& name, Scope scope) {
    ORRERY_TRY(const BlockPlace place, find_block(program, name));
    const Refusal refuse{"set_scope", program, "block " + name};
    const std::vector<Buffer> written = buffers_written(place.block->fields.body);
    if (written.size() != 1) return refuse("it writes " + std::to_string(written.size()) + " buffers");
    const Buffer& before = written.front();
    if (std::ranges::find(program->params, before) != program->params.end())
        return refuse(before->name + " is a parameter", "cache_write it first");
    if (before->scope == scope) return Rewritten{program, {}};
    const Buffer after = make_ref<const BufferNode>(before->name, before->dtype, before->shape, scope);
    return Rewritten{with_body(program, rename_buffer(program->body, before, after)), {}};
}

} // namespace orrery::schedule
