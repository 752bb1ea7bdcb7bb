#include "core/schedule/tiles.hpp"

#include "core/schedule/dependence.hpp"
#include "core/schedule/motion.hpp"
#include "core/tensor/affine.hpp"
#include "core/tensor/build.hpp"

#include <algorithm>
#include <optional>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

bool uses_any(const Expr& expr, const Bounds& vars) {
    return std::ranges::any_of(vars, [&](const auto& entry) { return uses_var(expr, entry.first); });
}

class LoadFinder final : public Visitor {
  public:
    bool found = false;

  protected:
    using Visitor::visit_node;
    void visit_node(const Load&) override { found = true; }
};

} // namespace

bool depends_on_data(const Expr& expr) {
    LoadFinder finder;
    finder.visit(expr);
    return finder.found;
}

namespace {

std::optional<Need> range_of(const Expr& index, const Bounds& inner, const Bounds& all);

/// The range of the smaller or larger of a sum and a constant: as wide as that of the sum, and no wider to find where
/// the sum starts on the right side of the constant.
std::optional<Need> clipped_range(const Expr& term, const Bounds& inner, const Bounds& all) {
    const Binary* node = as<Binary>(term);
    const std::optional<std::int64_t> limit = node ? as_int(node->b) : std::nullopt;
    if (!limit || (node->op != BinaryOp::Min && node->op != BinaryOp::Max)) return std::nullopt;
    std::optional<Need> sum = range_of(node->a, inner, all);
    if (sum) sum->min = simplify(Binary::make(node->op, sum->min, imm(*limit)), all);
    return sum;
}

/// The range of an index while the inner loops run; nullopt when it is not a sum of their variables, or of such sums
/// against constants. `all`: bounds of loops inside and outside.
std::optional<Need> range_of(const Expr& index, const Bounds& inner, const Bounds& all) {
    if (depends_on_data(index)) return std::nullopt; // computed where it is used, and only under its conditions
    Affine outer = affine_of(index);
    std::int64_t low = 0, high = 0;
    std::vector<Affine::Term> kept;
    for (const Affine::Term& term : outer.terms) {
        if (!uses_any(term.term, inner)) {
            kept.push_back(term);
            continue;
        }
        if (const std::optional<Interval> interval = interval_of(term.term, inner)) {
            low += term.coefficient * (term.coefficient > 0 ? interval->min : interval->max);
            high += term.coefficient * (term.coefficient > 0 ? interval->max : interval->min);
        } else if (const auto need = clipped_range(term.term, inner, all); need && term.coefficient == 1) {
            kept.push_back({need->min, 1});
            high += need->extent - 1;
        } else {
            return std::nullopt;
        }
    }
    outer.terms = std::move(kept);
    outer.constant += low;
    return Need{to_expr(outer), high - low + 1};
}

/// What one access needs, in terms of the loops outside.
std::vector<std::optional<Need>> ranges_of(const Touch& touch, const Bounds& outside) {
    Bounds inner, all = outside;
    for (const For* loop : touch.loops)
        if (const auto extent = as_int(loop->extent)) inner[loop->var] = all[loop->var] = {0, *extent - 1};
    // Nothing is known of an index that runs with a loop of unknown length.
    const auto unknown = [&](const Expr& index) {
        return std::ranges::any_of(
            touch.loops, [&](const For* loop) { return !as_int(loop->extent) && uses_var(index, loop->var); });
    };
    std::vector<std::optional<Need>> out;
    for (const Expr& index : touch.indices)
        out.push_back(unknown(index) ? std::nullopt : range_of(simplify(index, all), inner, all));
    return out;
}

} // namespace

std::vector<Need> needs_of(const Buffer& buffer, const Stmt& inside, const Bounds& outside, Uses uses) {
    std::vector<std::vector<std::optional<Need>>> accesses;
    for (const Touch& touch : touches_of(inside))
        if (touch.buffer == buffer && touch.is_write == (uses == Uses::Writes))
            accesses.push_back(ranges_of(touch, outside));
    if (accesses.empty()) return {};
    const std::vector<std::int64_t> shape = buffer->static_shape();
    std::vector<Need> needs;
    for (std::size_t d = 0; d < shape.size(); ++d) {
        std::optional<Need> all;
        for (const auto& access : accesses) {
            const std::optional<Need>& one = access[d];
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
            all = Need{all->min + imm(low), std::max(all->extent, *shift + one->extent) - low};
        }
        const std::optional<Interval> corner = interval_of(all->min, outside);
        if (all->extent >= shape[d] || !corner) all = Need{imm(0), shape[d]};
        all->low = corner && !as_int(all->min) ? corner->min : as_int(all->min).value_or(0);
        all->high = corner && !as_int(all->min) ? corner->max : all->low;
        needs.push_back(*std::move(all));
    }
    return needs;
}

namespace {

/// Whether a predicate only keeps indices inside the buffer, and reduction iterators inside their extents.
bool only_trims(const Block& block, const std::vector<Expr>& indices, const std::vector<std::int64_t>& shape) {
    for (const Expr& condition : conjuncts(block.fields.predicate)) {
        const Binary* node = as<Binary>(condition);
        const auto limit = node && node->op == BinaryOp::Lt ? as_int(node->b) : std::nullopt;
        if (!limit || node->a->dtype != DType::I64) return false;
        bool known = false;
        for (std::size_t d = 0; d < indices.size(); ++d)
            known |= *limit == shape[d] && constant_difference(node->a, indices[d]) == 0;
        for (const BlockIter& iter : block.fields.iters)
            known |= iter.kind == IterKind::Reduce && as_int(iter.extent) == limit &&
                     constant_difference(node->a, iter.binding) == 0;
        if (!known) return false;
    }
    return true;
}

} // namespace

bool writes_box(const BlockPlace& writer, std::size_t from, const Buffer& buffer, const std::vector<Need>& needs) {
    for (std::size_t i = from; i < writer.path.size(); ++i)
        if (as<If>(writer.path[i])) return false;
    Bounds inner, all = bounds_outside(writer.path, writer.path.size());
    VarMap zero;
    for (std::size_t i = from; i < writer.path.size(); ++i)
        if (const For* loop = as<For>(writer.path[i])) {
            const auto extent = as_int(loop->extent);
            if (!extent || *extent < 1) return false;
            inner[loop->var] = {0, *extent - 1};
            zero[loop->var] = imm(0);
        }
    VarMap bindings;
    for (const BlockIter& iter : writer.block->fields.iters) bindings[iter.var] = iter.binding;
    const std::vector<std::int64_t> shape = buffer->static_shape();
    std::optional<std::vector<Expr>> indices;
    for (const Touch& touch : touches_of(writer.block->fields.body)) {
        if (touch.buffer != buffer || !touch.is_write) continue;
        if (indices || !touch.conditions.empty() || !touch.loops.empty()) return false;
        indices.emplace();
        for (const Expr& index : touch.indices) indices->push_back(simplify(substitute(index, bindings), all));
    }
    if (!indices || !only_trims(*writer.block, *indices, shape)) return false;
    const auto box = box_of(*indices, inner);
    if (!box) return false;
    for (std::size_t d = 0; d < shape.size(); ++d) {
        const Expr start = simplify(substitute((*indices)[d], zero), all);
        if (constant_difference(start, needs[d].min) != 0) return false;
        const bool clipped = as_int(needs[d].min) == 0 && needs[d].extent == shape[d];
        if ((*box)[d] != needs[d].extent && !(clipped && (*box)[d] >= shape[d])) return false;
    }
    return true;
}

Buffer tile_buffer(const Buffer& whole, const std::string& name, const std::vector<Need>& needs, Scope scope) {
    std::vector<std::int64_t> shape;
    for (const Need& need : needs) shape.push_back(need.extent);
    return make_buffer(name, whole->dtype, shape, scope);
}

// ------------------------------------------------------------------------------------- TileUser

Stmt TileUser::use(const Block& block, Block::Fields fields) {
    corners_.clear();
    for (std::size_t d = 0; d < needs_.size(); ++d) {
        const Need& need = needs_[d];
        if (as_int(need.min)) {
            corners_.push_back(need.min);
            continue;
        }
        // The iterator counts from the least corner, so that it is never negative.
        const VarRef corner = Var::make(after_->name + "_at" + std::to_string(d));
        fields.iters.push_back({corner, imm(need.high - need.low + 1), IterKind::Spatial, need.min - need.low});
        corners_.push_back(Expr(corner) + need.low);
    }
    ++depth_;
    fields.body = rewrite(fields.body);
    if (fields.init) fields.init = rewrite(fields.init);
    --depth_;
    return rebuild_block(block, std::move(fields));
}

Stmt TileUser::rewrite_node(const Block& node) {
    if (!concerns(node)) return handle(node);
    if (depth_ == 0) return use(node, node.fields);
    Block::Fields fields = node.fields; // inside a block that has the corners already
    fields.body = rewrite(fields.body);
    if (fields.init) fields.init = rewrite(fields.init);
    return rebuild_block(node, std::move(fields));
}

std::vector<Expr> TileUser::relocated(std::vector<Expr> indices) const {
    for (std::size_t d = 0; d < indices.size(); ++d) indices[d] = simplify(indices[d] - corners_[d]);
    return indices;
}

// ------------------------------------------------------------------------------------ copy_nest

Stmt copy_nest(const TileCopy& copy, const Block& like, const Bounds& outside) {
    Block::Fields fields;
    fields.name = copy.block;
    Bounds bounds = outside;
    std::vector<VarRef> loops;
    std::vector<Expr> whole, tile;
    const std::vector<std::int64_t> shape = copy.whole->static_shape();
    for (std::size_t d = 0; d < copy.needs.size(); ++d) {
        const Need& need = copy.needs[d];
        const std::string axis = d < copy.axes.size() ? copy.axes[d] : "i" + std::to_string(d);
        const VarRef loop = Var::make(axis), iter = Var::make("v" + axis);
        loops.push_back(loop);
        bounds[loop] = {0, need.extent - 1};
        fields.iters.push_back({iter, imm(need.extent), IterKind::Spatial, loop});
        tile.push_back(iter);
        if (as_int(need.min)) {
            whole.push_back(need.min + iter);
        } else {
            const VarRef corner = Var::make(axis + "_at");
            fields.iters.push_back({corner, imm(need.high - need.low + 1), IterKind::Spatial, need.min - need.low});
            whole.push_back(simplify(Expr(corner) + iter + imm(need.low)));
        }
        const Expr at = simplify(need.min + loop, bounds);
        const auto guard = [&](const Expr& condition) {
            fields.predicate = fields.predicate ? fields.predicate && condition : condition;
        };
        if (need.high + need.extent > shape[d]) guard(lt(at, imm(shape[d])));
        if (need.low < 0) guard(ge(at, imm(0)));
    }
    fields.body = copy.into_tile ? Store::make(copy.tile, tile, Load::make(copy.whole, whole), like.origin)
                                 : Store::make(copy.whole, whole, Load::make(copy.tile, tile), like.origin);
    Stmt nest = rebuild_block(like, std::move(fields));
    for (std::size_t d = loops.size(); d-- > 0;)
        nest = For::make(loops[d], imm(copy.needs[d].extent), LoopKind::Serial, nest);
    return nest;
}

} // namespace orrery::schedule
