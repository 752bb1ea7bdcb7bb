// rfactor: a reduction in two steps, the first of which keeps one of its loops apart.

#include "core/schedule/dependence.hpp"
#include "core/schedule/element_block.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/motion.hpp"
#include "core/schedule/primitives.hpp"
#include "core/schedule/relocate.hpp"
#include "core/tensor/affine.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/compute.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <numeric>
#include <optional>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

Combiner combiner_of(BinaryOp op) {
    switch (op) {
    case BinaryOp::Mul: return Combiner::Product;
    case BinaryOp::Min: return Combiner::Min;
    case BinaryOp::Max: return Combiner::Max;
    case BinaryOp::And: return Combiner::And;
    case BinaryOp::Or: return Combiner::Or;
    default: return Combiner::Sum;
    }
}

/// The part of a reduction iterator that the loop gives, and the rest: binding = coefficient * loop + rest.
struct Parts {
    std::int64_t coefficient = 0;
    Expr rest;
};

std::optional<Parts> parts_of(const BlockIter& iter, const VarRef& loop) {
    Affine sum = affine_of(iter.binding);
    Parts out;
    std::vector<Affine::Term> kept;
    for (const Affine::Term& term : sum.terms) {
        if (term.term.get() == loop.get())
            out.coefficient = term.coefficient;
        else if (uses_var(term.term, loop))
            return std::nullopt;
        else
            kept.push_back(term);
    }
    sum.terms = std::move(kept);
    out.rest = to_expr(sum);
    return out;
}

/// A sum of loops over the common divisor of what they are multiplied with, and that divisor.
std::pair<Expr, std::int64_t> steps_of(const Expr& sum) {
    Affine parts = affine_of(sum);
    std::int64_t step = parts.constant;
    for (const Affine::Term& term : parts.terms) step = std::gcd(step, term.coefficient);
    if (step < 2) return {sum, 1};
    parts.constant /= step;
    for (Affine::Term& term : parts.terms) term.coefficient /= step;
    return {to_expr(parts), step};
}

/// Whether the predicate holds in the first step of every iteration of the loop: with all other reduction loops at 0.
bool starts_everywhere(const Block& block, const LoopPlace& place, const Bounds& all) {
    VarMap zero;
    for (const For* loop : place.block.loops()) {
        if (loop->var == place.loop().var) continue;
        for (const BlockIter& iter : block.fields.iters)
            if (iter.kind == IterKind::Reduce && uses_var(iter.binding, loop->var)) zero[loop->var] = imm(0);
    }
    for (const Expr& condition : conjuncts(block.fields.predicate)) {
        if (!uses_var(condition, place.loop().var)) continue;
        const std::optional<Interval> always = interval_of(simplify(substitute(condition, zero), all), all);
        if (!always || always->min != 1) return false;
    }
    return true;
}

/// What stands in the way; no value when nothing does.
std::optional<Diagnostic> refuse_rfactor(const Program& program, const LoopPlace& place, const ElementBlock& element,
                                         const Refusal& refuse) {
    const Block& block = *place.block.block;
    const For& loop = place.loop();
    if (inside_block(place.block)) return refuse("a block is around its block", "rfactor before blockize");
    if (!block.fields.init)
        return refuse("block " + block.fields.name + " has no initial value of its own",
                      "rfactor before decompose_reduction");
    if (!as_int(loop.extent))
        return refuse("its extent is not a constant", "give the size a value, or choose a loop of constant extent");
    bool reduces = false;
    for (const BlockIter& iter : block.fields.iters) {
        if (!uses_var(iter.binding, loop.var)) continue;
        if (iter.kind == IterKind::Spatial)
            return refuse("it gives spatial iterator " + iter.var->name + " its value", "choose a reduction loop");
        reduces = true;
        if (!parts_of(iter, loop.var))
            return refuse("iterator " + iter.var->name + " is no sum of loops", "rfactor before fusing");
    }
    if (!reduces) return refuse("no reduction iterator depends on it", "choose a reduction loop");
    for (const BlockPlace& writer : writers_of(program, element.buffer))
        if (writer.block != &block)
            return refuse("block " + writer.block->fields.name + " writes " + element.buffer->name + ", too",
                          "rfactor before decomposing its reduction");
    if (bare_use(program, element.buffer))
        return refuse("a statement outside any block uses its buffer", "put that statement into a block");
    const Stmt nest = nest_of(place.block);
    const auto at = std::ranges::find(place.block.path, nest);
    for (auto stmt = place.block.path.begin(); stmt != at; ++stmt)
        if (as<For>(*stmt))
            return refuse("other blocks share its outer loops", "rfactor before moving blocks together");
    const Store* init = as<Store>(block.fields.init);
    if (!init || !buffers_read(block.fields.init).empty())
        return refuse("its initial value is read from memory",
                      "choose a reduction whose initial value is a constant or computed");
    // Every execution must add something of its own, and the initial value must be set once, first.
    if (const auto late = late_init({place.block, static_cast<std::size_t>(at - place.block.path.begin())}))
        return refuse(
            "its initial value is set again after something was added: " + late->text,
            "reorder its reduction loops inside of the spatial ones, and split them into factors that divide");
    if (!starts_everywhere(block, place, bounds_outside(place.block.path, place.block.path.size())))
        return refuse("its predicate leaves some iterations without a first step", "choose factors without a tail");
    return std::nullopt;
}

/// The first step's block, but for its name: the loop is one more spatial iterator, and index, of a buffer of partial
/// results.
Block::Fields partial_fields(const Block& block, const VarRef& loop, std::int64_t extent, const Bounds& all) {
    Block::Fields out = block.fields;
    const VarRef apart = Var::make("v" + loop->name);
    VarMap map;
    std::vector<BlockIter> iters{{apart, imm(extent), IterKind::Spatial, loop}};
    for (const BlockIter& iter : block.fields.iters) {
        if (!uses_var(iter.binding, loop)) {
            iters.push_back(iter);
            continue;
        }
        const Parts parts = *parts_of(iter, loop);
        if (const auto constant = as_int(parts.rest)) {
            map[iter.var] = Expr(apart) * parts.coefficient + *constant;
            continue;
        }
        // The rest starts at 0, as loops do, so that its first step is that of the reduction, and goes on by one.
        const VarRef rest = Var::make(iter.var->name);
        const auto [binding, step] = steps_of(parts.rest);
        const std::optional<Interval> range = interval_of(binding, all);
        iters.push_back({rest, imm(range ? range->max + 1 : extent_of(iter.extent)), IterKind::Reduce, binding});
        map[iter.var] = Expr(apart) * parts.coefficient + Expr(rest) * step;
    }
    out.iters = std::move(iters);
    out.body = substitute(out.body, map);
    return out;
}

/// x[s] becomes partial[loop, s].
class Lifter final : public Relocator {
  public:
    Lifter(const Buffer& before, const Buffer& after, Expr first)
        : Relocator(before, after), first_(std::move(first)) {}

  protected:
    std::vector<Expr> relocated(std::vector<Expr> indices) const override {
        indices.insert(indices.begin(), first_);
        return indices;
    }

  private:
    Expr first_;
};

/// The second step's nest: x[s] from its own initial value over partial[loop, s].
Stmt final_nest(const Block& block, const ElementBlock& element, const Update& update, const Buffer& partial,
                const std::string& loop_text) {
    Block::Fields fields;
    fields.name = block.fields.name;
    std::vector<std::pair<VarRef, Expr>> loops;
    VarMap map;
    std::vector<Expr> at;
    for (const VarRef& iter : element.iters) {
        const BlockIter& own = *std::ranges::find(block.fields.iters, iter, &BlockIter::var);
        loops.emplace_back(Var::make(loop_name(own)), own.extent);
        const VarRef var = Var::make(iter->name);
        fields.iters.push_back({var, own.extent, IterKind::Spatial, loops.back().first});
        map[iter] = var;
        at.push_back(var);
    }
    loops.emplace_back(Var::make(loop_text), partial->shape.front());
    const VarRef apart = Var::make("v" + loop_text);
    fields.iters.push_back({apart, partial->shape.front(), IterKind::Reduce, loops.back().first});
    std::vector<Expr> from = at;
    from.insert(from.begin(), apart);
    fields.init = substitute(block.fields.init, map);
    fields.body =
        Store::make(element.buffer, at, binary(update.op, Load::make(element.buffer, at), Load::make(partial, from)),
                    block.fields.body->origin);
    Stmt nest = rebuild_block(block, std::move(fields));
    for (std::size_t i = loops.size(); i-- > 0;)
        nest = For::make(loops[i].first, loops[i].second, LoopKind::Serial, nest);
    return nest;
}

} // namespace

Result<Rewritten> rfactor(const Program& program, const std::string& loop_text) {
    ORRERY_TRY(const LoopPlace place, find_loop(program, loop_text));
    const Refusal refuse{"rfactor", program, "loop " + loop_text};
    const Block& block = *place.block.block;
    ORRERY_TRY(const ElementBlock element, element_block(block, refuse));
    const std::optional<Update> update = update_of(block);
    if (!update)
        return refuse("block " + block.fields.name + " is no sum, product, minimum, maximum, and or or",
                      "choose a reduction");
    if (auto refused = refuse_rfactor(program, place, element, refuse)) return *std::move(refused);

    const For& loop = place.loop();
    std::vector<std::int64_t> shape = element.buffer->static_shape();
    shape.insert(shape.begin(), extent_of(loop.extent));
    const Buffer partial = make_buffer(element.buffer->name + "_rf", element.buffer->dtype, shape);
    const Bounds all = bounds_outside(place.block.path, place.block.path.size());
    Block::Fields fields = partial_fields(block, loop.var, shape.front(), all);
    fields.name = fresh_block(program, block.fields.name + "_rf");
    Lifter lift(element.buffer, partial, fields.iters.front().var);
    const bool reduces =
        std::ranges::any_of(fields.iters, [](const BlockIter& iter) { return iter.kind == IterKind::Reduce; });
    const Store& store = static_cast<const Store&>(*fields.body);
    std::vector<Expr> at = store.indices;
    at.insert(at.begin(), fields.iters.front().var);
    if (reduces) {
        fields.init = Store::make(partial, at, identity(combiner_of(update->op), partial->dtype), store.origin);
        fields.body = lift.rewrite(fields.body);
    } else {
        // Nothing is left to add up: the value alone.
        const Update now = *update_of(*as<Block>(Block::make(fields)));
        fields.init = nullptr;
        fields.body = Store::make(partial, at, now.value, store.origin);
    }
    const Stmt nest = nest_of(place.block);
    const Stmt first = replace_stmt(nest, place.block.path.back(), rebuild_block(block, std::move(fields)));
    const Stmt second = final_nest(block, element, *update, partial, loop.var->name);
    const Stmt both = Seq::make({first, second});
    return Rewritten{replace_allocating(program, place.block.path, nest, both, {partial}), {}};
}

} // namespace orrery::schedule
