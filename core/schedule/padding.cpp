// split with padding, decompose_padding, pad_einsum.

#include "core/schedule/padding.hpp"

#include "core/schedule/dependence.hpp"
#include "core/schedule/element_block.hpp"
#include "core/schedule/motion.hpp"
#include "core/schedule/primitives.hpp"
#include "core/tensor/affine.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/compute.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <optional>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

bool is_param(const Program& program, const Buffer& buffer) {
    return std::ranges::find(program->params, buffer) != program->params.end();
}

/// Makes loads that could leave their buffer depend on a condition.
class LoadGuard final : public Rewriter {
  public:
    LoadGuard(Expr condition, const Bounds& bounds, const Buffer& but)
        : condition_(std::move(condition)), bounds_(bounds), but_(but) {}

  protected:
    using Rewriter::rewrite_node;
    Expr rewrite_node(const Load& node) override {
        const Expr load = Rewriter::rewrite_node(node);
        if (node.buffer == but_) return load;
        const std::vector<std::int64_t> shape = node.buffer->static_shape();
        bool inside = true;
        for (std::size_t d = 0; d < shape.size(); ++d) {
            const std::optional<Interval> range = interval_of(node.indices[d], bounds_);
            inside = inside && range && range->min >= 0 && range->max < shape[d];
        }
        return inside ? load : select(condition_, load, constant_int(node.dtype, 0));
    }

  private:
    Expr condition_;
    const Bounds& bounds_;
    const Buffer& but_;
};

Expr identity_of(BinaryOp op, DType dtype) {
    switch (op) {
    case BinaryOp::Add: return identity(Combiner::Sum, dtype);
    case BinaryOp::Mul: return identity(Combiner::Product, dtype);
    case BinaryOp::Min: return identity(Combiner::Min, dtype);
    case BinaryOp::Max: return identity(Combiner::Max, dtype);
    case BinaryOp::And: return identity(Combiner::And, dtype);
    case BinaryOp::Or: return identity(Combiner::Or, dtype);
    default: return nullptr;
    }
}

/// Adds the identity instead of a value where the condition does not hold.
Result<Stmt> pad_reduction(const Block& block, const Expr& condition, const Refusal& refuse) {
    const std::optional<Update> update = update_of(block);
    const Expr nothing = update ? identity_of(update->op, update->value->dtype) : Expr();
    if (nothing == nullptr)
        return refuse("it is a reduction that no value leaves as it is", "split with a predicate instead");
    const Store* store = as<Store>(block.fields.body);
    const Expr value = select(condition, update->value, nothing);
    return Store::make(store->buffer, store->indices, binary(update->op, update->self, value), store->origin);
}

} // namespace

Result<Program> pad_loop(const Program& program, const LoopPlace& place, std::int64_t extent, const Refusal& refuse) {
    const For& loop = place.loop();
    const Block& block = *place.block.block;
    if (blocks_of(loop.body).size() != 1 || inside_block(place.block))
        return refuse("a padded loop has one block inside and none around it", "split with a predicate instead");
    ORRERY_TRY(const ElementBlock element, element_block(block, refuse));
    if (block.fields.predicate) return refuse("its block has a predicate", "pad before other tails are split off");
    Block::Fields fields = block.fields;
    BlockIter* padded = nullptr;
    Bounds bounds;
    for (BlockIter& iter : fields.iters) {
        bounds[iter.var] = {0, extent_of(iter.extent) - 1};
        if (!uses_var(iter.binding, loop.var)) continue;
        if (iter.binding.get() != loop.var.get() || padded || as_int(iter.extent) != as_int(loop.extent))
            return refuse("it is not one iterator's own loop", "pad before it is split or fused");
        padded = &iter;
    }
    if (!padded) return refuse("no iterator of its block is bound to it", "split with a predicate instead");
    const Expr condition = lt(padded->var, padded->extent);
    padded->extent = imm(extent);
    bounds[padded->var] = {0, extent - 1};
    BufferMap grown;
    if (padded->kind == IterKind::Reduce) {
        ORRERY_TRY(fields.body, pad_reduction(block, condition, refuse));
    } else {
        if (is_param(program, element.buffer))
            return refuse("its block's buffer " + element.buffer->name + " is a result of the program",
                          "cache_write it first");
        std::vector<std::int64_t> shape = element.buffer->static_shape();
        for (std::size_t d = 0; d < shape.size(); ++d)
            if (element.iters[d] == padded->var) shape[d] = std::max(shape[d], extent);
        grown[element.buffer] = make_buffer(element.buffer->name, element.buffer->dtype, shape, element.buffer->scope);
        fields.body = LoadGuard(condition, bounds, element.buffer).rewrite(fields.body);
    }
    const Stmt made = rebuild_block(block, std::move(fields));
    const Stmt body = replace_stmt(loop.body, place.block.path.back(), made);
    const Stmt longer = For::make(loop.var, imm(extent), loop.loop, body, loop.annotations);
    const Stmt out = replace_stmt(program->body, place.block.path[place.at], longer);
    return with_body(program, substitute_buffers(out, grown));
}

// --------------------------------------------------------------------------- decompose_padding

namespace {

/// A nest with variables of its own, in which the block is another one.
class NestCopier final : public Rewriter {
  public:
    NestCopier(std::string name, Expr value) : name_(std::move(name)), value_(std::move(value)) {}

  protected:
    using Rewriter::rewrite_node;
    Stmt rewrite_node(const For& node) override {
        const VarRef var = Var::make(node.var->name);
        map_[node.var] = var;
        return For::make(var, rewrite(node.extent), node.loop, rewrite(node.body), node.annotations);
    }
    Expr rewrite_node(const Var& node) override {
        const auto found = map_.find(handle(node));
        return found == map_.end() ? Expr(handle(node)) : found->second;
    }
    Stmt rewrite_node(const Block& node) override {
        Block::Fields fields = node.fields;
        fields.name = name_;
        for (BlockIter& iter : fields.iters) {
            const VarRef var = Var::make(iter.var->name);
            iter.binding = rewrite(iter.binding);
            map_[iter.var] = var;
            iter.var = var;
        }
        if (fields.predicate) fields.predicate = rewrite(fields.predicate);
        const Store& store = static_cast<const Store&>(*fields.body);
        std::vector<Expr> indices;
        for (const Expr& index : store.indices) indices.push_back(rewrite(index));
        fields.body = Store::make(store.buffer, indices, value_, store.origin);
        return rebuild_block(node, std::move(fields));
    }

  private:
    std::string name_;
    Expr value_;
    VarMap map_;
};

bool is_constant(const Expr& expr) { return expr->kind == NodeKind::FloatImm || expr->kind == NodeKind::IntImm; }

/// `iter >= low` and `iter < high`, from conditions on that iterator alone.
struct Band {
    std::int64_t low = 0, high = 0;
};

/// Narrows the band when the condition bounds that iterator by a number.
bool narrow(const Expr& condition, const VarRef& iter, Band& band) {
    const Binary* node = as<Binary>(condition);
    if (!node || !is_comparison(node->op) || node->a->dtype != DType::I64) return false;
    Affine sum = affine_of(node->a - node->b); // sum op 0
    if (sum.terms.size() != 1 || sum.terms[0].term.get() != iter.get()) return false;
    const std::int64_t c = sum.terms[0].coefficient, k = sum.constant;
    if (c != 1 && c != -1) return false;
    const auto at_least = [&](std::int64_t v) { band.low = std::max(band.low, v); };
    const auto less_than = [&](std::int64_t v) { band.high = std::min(band.high, v); };
    // c * iter + k op 0
    switch (node->op) {
    case BinaryOp::Ge: c > 0 ? at_least(-k) : less_than(k + 1); return true;
    case BinaryOp::Gt: c > 0 ? at_least(-k + 1) : less_than(k); return true;
    case BinaryOp::Le: c > 0 ? less_than(-k + 1) : at_least(k); return true;
    case BinaryOp::Lt: c > 0 ? less_than(-k) : at_least(k + 1); return true;
    default: return false;
    }
}

/// Shrinks loops whose iterator a condition bounds; what is left of the conditions becomes the predicate.
class NestShrinker final : public Rewriter {
  public:
    explicit NestShrinker(std::map<VarRef, Band> bands) : bands_(std::move(bands)) {}

  protected:
    using Rewriter::rewrite_node;
    Stmt rewrite_node(const For& node) override {
        const auto band = bands_.find(node.var);
        const Stmt body = rewrite(node.body);
        const Expr extent =
            band == bands_.end() ? node.extent : imm(std::max<std::int64_t>(0, band->second.high - band->second.low));
        return For::make(node.var, extent, node.loop, body, node.annotations);
    }

  private:
    std::map<VarRef, Band> bands_;
};

} // namespace

Result<Rewritten> decompose_padding(const Program& program, const std::string& name) {
    ORRERY_TRY(const BlockPlace place, find_block(program, name));
    const Refusal refuse{"decompose_padding", program, "block " + name};
    ORRERY_TRY(const ElementBlock element, element_block(*place.block, refuse));
    if (element.reduces) return refuse("it is a reduction", "choose a block that copies with a condition");
    if (inside_block(place)) return refuse("a block is around it", "decompose before blockize");
    if (has_block(program, name + "_fill"))
        return refuse("there is a block " + name + "_fill already", "its padding is apart already");
    const Select* choice = as<Select>(element.value);
    if (!choice || (!is_constant(choice->else_value) && !is_constant(choice->then_value)))
        return refuse("its value is not a choice between a constant and something else",
                      "a padding is written select(inside, x[...], 0)");
    if (builds_on_before(*place.block, element))
        return refuse("it builds on what its buffer holds before",
                      "choose a block that writes without reading its own buffer");
    const bool flip = !is_constant(choice->else_value);
    const Expr constant = flip ? choice->then_value : choice->else_value;
    const Expr inside = flip ? !choice->condition : choice->condition;
    const Stmt nest = nest_of(place);
    const Stmt fill = NestCopier(name + "_fill", constant).rewrite(nest);

    Block::Fields fields = place.block->fields;
    std::map<VarRef, Band> bands;
    VarMap bindings;
    for (const BlockIter& iter : fields.iters) bindings[iter.var] = iter.binding;
    std::map<VarRef, VarRef> loop_of;
    for (const BlockIter& iter : fields.iters) {
        const Var* loop = as<Var>(iter.binding);
        const bool alone = loop && std::ranges::count_if(fields.iters, [&](const BlockIter& other) {
                                       return uses_var(other.binding, VarRef(loop));
                                   }) == 1;
        const bool free = fields.predicate == nullptr || (loop && !uses_var(fields.predicate, VarRef(loop)));
        if (alone && free) loop_of[iter.var] = VarRef(loop);
    }
    // The extent of a loop of the nest that may be shrunk; 0 for others.
    const auto loop_extent = [&](const VarRef& var) {
        for (const For* loop : place.loops())
            if (loop->var == var && uses_loop(nest, var)) return as_int(loop->extent).value_or(0);
        return std::int64_t{0};
    };
    for (const Expr& condition : conjuncts(inside)) {
        bool done = false;
        for (BlockIter& iter : fields.iters) {
            const auto loop = loop_of.find(iter.var);
            const std::int64_t extent = loop == loop_of.end() ? 0 : loop_extent(loop->second);
            if (extent == 0) continue;
            Band& band = bands.try_emplace(loop->second, Band{0, extent}).first->second;
            done = done || narrow(condition, iter.var, band);
        }
        if (done) continue;
        const Expr here = substitute(condition, bindings);
        fields.predicate = fields.predicate ? fields.predicate && here : here;
    }
    for (BlockIter& iter : fields.iters) {
        const auto loop = loop_of.find(iter.var);
        const auto band = loop == loop_of.end() ? bands.end() : bands.find(loop->second);
        if (band != bands.end() && band->second.low != 0) iter.binding = Expr(loop->second) + band->second.low;
    }
    const Store& store = static_cast<const Store&>(*fields.body);
    fields.body =
        Store::make(store.buffer, store.indices, flip ? choice->else_value : choice->then_value, store.origin);
    const Stmt copied = replace_stmt(nest, place.path.back(), rebuild_block(*place.block, std::move(fields)));
    const Stmt both = Seq::make({fill, NestShrinker(std::move(bands)).rewrite(copied)});
    return Rewritten{replace_stmt(program, nest, both), {}};
}

// ---------------------------------------------------------------------------------- pad_einsum

namespace {

/// Whether a product is zero where the iterator is past its extent and what is read there is zero. Every factor must
/// be: zero times infinity is none.
bool vanishes(const Expr& expr, const VarRef& iter) {
    if (const Binary* node = as<Binary>(expr))
        return node->op == BinaryOp::Mul && vanishes(node->a, iter) && vanishes(node->b, iter);
    if (const Cast* node = as<Cast>(expr)) return vanishes(node->value, iter);
    const Load* node = as<Load>(expr);
    return node && std::ranges::any_of(node->indices, [&](const Expr& index) { return index.get() == iter.get(); });
}

/// A buffer of an einsum with the iterator of each dimension.
struct Operand {
    Buffer buffer;
    std::vector<VarRef> iters;
};

std::optional<std::vector<VarRef>> plain_indices(const std::vector<Expr>& indices, const Block& block) {
    std::vector<VarRef> out;
    for (const Expr& index : indices) {
        const auto iter =
            std::ranges::find_if(block.fields.iters, [&](const BlockIter& i) { return i.var.get() == index.get(); });
        if (iter == block.fields.iters.end() || std::ranges::find(out, iter->var) != out.end()) return std::nullopt;
        out.push_back(iter->var);
    }
    return out;
}

Result<std::vector<Operand>> operands_of(const Block& block, const Refusal& refuse) {
    std::vector<Operand> out;
    for (const Touch& touch : touches_of(block.fields.body)) {
        const auto iters = plain_indices(touch.indices, block);
        if (!iters)
            return refuse("it uses " + touch.buffer->name + " at indices that are no iterators",
                          "reindex " + touch.buffer->name + " first");
        const auto known = std::ranges::find(out, touch.buffer, &Operand::buffer);
        if (known == out.end())
            out.push_back({touch.buffer, *iters});
        else if (known->iters != *iters)
            return refuse("it uses " + touch.buffer->name + " at two places",
                          "cache_read or reindex one of the two uses");
    }
    return out;
}

/// Loops around a block that stores `value(iterators)` at its iterators, one a dimension of `shape`.
template <class F>
Stmt element_nest(const std::string& name, const std::vector<std::int64_t>& shape, const Block& like, const F& store) {
    Block::Fields fields;
    fields.name = name;
    std::vector<VarRef> loops;
    std::vector<Expr> at;
    for (std::size_t d = 0; d < shape.size(); ++d) {
        loops.push_back(Var::make("i" + std::to_string(d)));
        const VarRef iter = Var::make("vi" + std::to_string(d));
        fields.iters.push_back({iter, imm(shape[d]), IterKind::Spatial, loops.back()});
        at.push_back(iter);
    }
    fields.body = store(at);
    Stmt nest = rebuild_block(like, std::move(fields));
    for (std::size_t d = loops.size(); d-- > 0;) nest = For::make(loops[d], imm(shape[d]), LoopKind::Serial, nest);
    return nest;
}

/// The block's loops with new extents.
class ExtentSetter final : public Rewriter {
  public:
    explicit ExtentSetter(std::map<VarRef, std::int64_t> extents) : extents_(std::move(extents)) {}

  protected:
    using Rewriter::rewrite_node;
    Stmt rewrite_node(const For& node) override {
        const Stmt body = rewrite(node.body);
        const auto found = extents_.find(node.var);
        return For::make(node.var, found == extents_.end() ? node.extent : imm(found->second), node.loop, body,
                         node.annotations);
    }

  private:
    std::map<VarRef, std::int64_t> extents_;
};

/// Extents rounded up, by iterator. Errors: the refusal when the block is no einsum whose extra terms vanish.
Result<std::map<VarRef, std::int64_t>> padded_extents(const Block& block, const std::vector<std::int64_t>& multiples,
                                                      const Refusal& refuse) {
    const std::optional<Update> update = update_of(block);
    if (!update || update->op != BinaryOp::Add || !block.fields.init)
        return refuse("it is no sum with an initial value of its own", "pad before decompose_reduction");
    if (block.fields.predicate) return refuse("it has a predicate", "pad before splitting");
    if (multiples.size() != block.fields.iters.size())
        return refuse("it has " + std::to_string(block.fields.iters.size()) + " iterators, and " +
                          std::to_string(multiples.size()) + " numbers are given",
                      "give one multiple an iterator, 1 where nothing is padded");
    std::map<VarRef, std::int64_t> out;
    for (std::size_t i = 0; i < multiples.size(); ++i) {
        const BlockIter& iter = block.fields.iters[i];
        const std::int64_t extent = extent_of(iter.extent), multiple = multiples[i];
        if (multiple < 1 || multiple > (std::int64_t{1} << 20))
            return refuse("multiple " + std::to_string(multiple) + " is not from 1 to 2^20",
                          "choose a multiple from 1 to 2^20; 1 leaves an iterator as it is");
        out[iter.var] = (extent + multiple - 1) / multiple * multiple;
        if (!as<Var>(iter.binding)) return refuse("iterator " + iter.var->name + " is not a loop's own", "pad first");
        if (out[iter.var] != extent && iter.kind == IterKind::Reduce && !vanishes(update->value, iter.var))
            return refuse("what is summed over " + iter.var->name + " is no product of values that all depend on it",
                          "give that iterator the multiple 1");
    }
    return out;
}

} // namespace

Result<Rewritten> pad_einsum(const Program& program, const std::string& name,
                             const std::vector<std::int64_t>& multiples) {
    ORRERY_TRY(const BlockPlace place, find_block(program, name));
    const Refusal refuse{"pad_einsum", program, "block " + name};
    const Block& block = *place.block;
    ORRERY_TRY(const ElementBlock element, element_block(block, refuse));
    if (inside_block(place)) return refuse("a block is around it", "pad before blockize");
    ORRERY_TRY(const auto extents, padded_extents(block, multiples, refuse));
    ORRERY_TRY(const std::vector<Operand> operands, operands_of(block, refuse));
    if (writers_of(program, element.buffer).size() != 1)
        return refuse(element.buffer->name + " is written elsewhere, too", "pad before decomposing its reduction");
    const Stmt nest = nest_of(place);
    std::map<VarRef, std::int64_t> loops;
    for (const BlockIter& iter : block.fields.iters) {
        const VarRef loop(as<Var>(iter.binding));
        if (!uses_loop(nest, loop) || loops.contains(loop))
            return refuse("iterator " + iter.var->name + " has no loop of its own in its nest",
                          "pad before its loops are split or fused");
        loops[loop] = extents.at(iter.var);
    }

    std::vector<Stmt> before, after;
    std::vector<std::string> names; ///< of the blocks made: operands may be called alike
    const auto fresh = [&](const std::string& wanted) {
        std::string free = fresh_block(program, wanted);
        for (int n = 1; std::ranges::find(names, free) != names.end(); ++n)
            free = fresh_block(program, wanted + "_" + std::to_string(n));
        return names.emplace_back(free);
    };
    std::vector<Buffer> made;
    BufferMap padded;
    for (const Operand& operand : operands) {
        std::vector<std::int64_t> shape, own; // the part that is used: the buffer may be larger, for its alignment
        bool grows = false;
        for (const VarRef& iter : operand.iters) {
            own.push_back(extent_of(std::ranges::find(block.fields.iters, iter, &BlockIter::var)->extent));
            shape.push_back(extents.at(iter));
            grows |= shape.back() != own.back();
        }
        if (!grows) continue;
        const Buffer copy = make_buffer(operand.buffer->name + "_pad", operand.buffer->dtype, shape);
        made.push_back(copy);
        padded[operand.buffer] = copy;
        if (operand.buffer == element.buffer) {
            after.push_back(element_nest(fresh(name + "_unpad"), own, block, [&](const auto& at) {
                return Store::make(operand.buffer, at, Load::make(copy, at), block.origin);
            }));
            continue;
        }
        before.push_back(element_nest(fresh(operand.buffer->name + "_pad"), shape, block, [&](const auto& at) {
            Expr guard = boolean(true);
            for (std::size_t d = 0; d < at.size(); ++d)
                if (shape[d] != own[d]) guard = guard && lt(at[d], imm(own[d]));
            const Expr value = select(guard, Load::make(operand.buffer, at), constant_int(copy->dtype, 0));
            return Store::make(copy, at, value, block.origin);
        }));
    }
    if (made.empty()) return refuse("every extent is a multiple already", "choose a multiple that some extent is not");
    Block::Fields fields = block.fields;
    for (BlockIter& iter : fields.iters) iter.extent = imm(extents.at(iter.var));
    fields.body = substitute_buffers(fields.body, padded);
    fields.init = substitute_buffers(fields.init, padded);
    const Stmt changed = replace_stmt(nest, place.path.back(), rebuild_block(block, std::move(fields)));
    std::vector<Stmt> all = before;
    all.push_back(ExtentSetter(std::move(loops)).rewrite(changed));
    all.insert(all.end(), after.begin(), after.end());
    return Rewritten{replace_allocating(program, place.path, nest, Seq::make(std::move(all)), made), {}};
}

} // namespace orrery::schedule
