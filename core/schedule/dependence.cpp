// Outline: TouchCollector (one walk), TouchPair (two touches as an integer set), questions about loops.

#include "core/schedule/dependence.hpp"

#include "core/tensor/affine.hpp"
#include "core/tensor/build.hpp"

#include <algorithm>
#include <set>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

bool commutes(BinaryOp op) {
    return op == BinaryOp::Add || op == BinaryOp::Mul || op == BinaryOp::Min || op == BinaryOp::Max ||
           op == BinaryOp::And || op == BinaryOp::Or;
}

namespace {

constexpr std::int64_t kUnbounded = IntegerSet::kUnbounded;

class TouchCollector final : public Visitor {
  public:
    std::vector<Touch> touches;
    bool with_local = false; ///< those of buffers allocated inside too

  protected:
    using Visitor::visit_node;

    void visit_node(const Load& node) override {
        Visitor::visit_node(node);
        record(node.buffer, node.indices, false, &node == update_load_ ? update_ : nullptr);
    }
    void visit_node(const Store& node) override {
        find_update(node);
        Visitor::visit_node(node);
        record(node.buffer, node.indices, true, update_);
        update_ = nullptr;
        update_load_ = nullptr;
    }
    void visit_node(const ExternCall& node) override {
        Visitor::visit_node(node);
        for (const ExternCall::Operand& operand : node.operands) {
            if (operand.reads()) record(operand.region, false);
            if (operand.writes()) record(operand.region, true);
        }
    }
    void visit_node(const Binary& node) override {
        visit(node.a);
        if (node.op == BinaryOp::And)
            where(node.a, true, [&] { visit(node.b); });
        else if (node.op == BinaryOp::Or)
            where(node.a, false, [&] { visit(node.b); });
        else
            visit(node.b);
    }
    void visit_node(const Select& node) override {
        visit(node.condition);
        where(node.condition, true, [&] { visit(node.then_value); });
        where(node.condition, false, [&] { visit(node.else_value); });
    }
    void visit_node(const If& node) override {
        visit(node.condition);
        where(node.condition, true, [&] { visit(node.then_body); });
        if (node.else_body) where(node.condition, false, [&] { visit(node.else_body); });
    }
    void visit_node(const For& node) override {
        visit(node.extent);
        loops_.push_back(&node);
        visit(node.body);
        loops_.pop_back();
    }
    void visit_node(const Let& node) override {
        visit(node.value);
        map_[node.var] = substitute(node.value, map_);
        visit(node.body);
    }
    void visit_node(const Alloc& node) override {
        if (!with_local) local_.insert(node.buffer.get());
        visit(node.body);
    }
    void visit_node(const Block& node) override {
        const Block* outer = std::exchange(block_, &node);
        VarMap inside = map_;
        for (const BlockIter& iter : node.fields.iters) inside[iter.var] = substitute(iter.binding, map_);
        const auto body = [&] {
            std::swap(map_, inside);
            if (node.fields.init) visit_init(node);
            visit(node.fields.body);
            std::swap(map_, inside);
        };
        if (node.fields.predicate)
            where(node.fields.predicate, true, body);
        else
            body();
        block_ = outer;
    }

  private:
    void visit_init(const Block& node) {
        const std::size_t before = conditions_.size();
        for (const BlockIter& iter : node.fields.iters)
            if (iter.kind == IterKind::Reduce) conditions_.push_back(eq(map_.at(iter.var), imm(0)));
        in_init_ = true;
        visit(node.fields.init);
        in_init_ = false;
        conditions_.resize(before);
    }
    template <class F> void where(const Expr& condition, bool truth, const F& inside) {
        const Expr here = substitute(condition, map_);
        conditions_.push_back(truth ? here : !here);
        inside();
        conditions_.pop_back();
    }
    void find_update(const Store& node) {
        const Binary* sum = as<Binary>(node.value);
        if (!sum || !commutes(sum->op)) return;
        for (const auto& [self, other] : {std::pair(&sum->a, &sum->b), std::pair(&sum->b, &sum->a)}) {
            const Load* load = as<Load>(*self);
            if (!load || load->buffer != node.buffer || reads(*other, node.buffer)) continue;
            if (!std::ranges::equal(load->indices, node.indices,
                                    [](const Expr& a, const Expr& b) { return structural_equal(a, b); }))
                continue;
            update_ = &node;
            update_load_ = load;
            return;
        }
    }
    static bool reads(const Expr& expr, const Buffer& buffer) {
        class Finder final : public Visitor {
          public:
            explicit Finder(const Buffer& buffer) : buffer_(buffer) {}
            bool found = false;

          protected:
            void visit_node(const Load& node) override {
                found |= node.buffer == buffer_;
                Visitor::visit_node(node);
            }

          private:
            const Buffer& buffer_;
        };
        Finder finder(buffer);
        finder.visit(expr);
        return finder.found;
    }
    void record(const Buffer& buffer, const std::vector<Expr>& indices, bool is_write, const Store* update) {
        ++position_;
        if (local_.contains(buffer.get())) return;
        Touch touch{buffer, is_write, {}, loops_, conditions_, block_, update, in_init_, position_};
        for (const Expr& index : indices) touch.indices.push_back(substitute(index, map_));
        touches.push_back(std::move(touch));
    }
    void record(const Region& box, bool is_write) {
        const std::size_t before = touches.size();
        record(box.buffer, box.min, is_write, nullptr);
        if (touches.size() == before) return;
        Touch& touch = touches.back();
        for (std::size_t d = 0; d < box.min.size(); ++d) {
            if (as_int(box.extent[d]) == 1) continue;
            const VarRef var = Var::make("at" + std::to_string(d));
            touch.indices[d] = touch.indices[d] + Expr(var);
            touch.box_loops.push_back(For::make(var, substitute(box.extent[d], map_), LoopKind::Serial, Seq::make({})));
            touch.loops.push_back(as<For>(touch.box_loops.back()));
        }
    }

    VarMap map_;
    std::vector<const For*> loops_;
    std::vector<Expr> conditions_;
    std::set<const BufferNode*> local_;
    const Block* block_ = nullptr;
    const Store* update_ = nullptr;
    const Load* update_load_ = nullptr;
    bool in_init_ = false;
    int position_ = 0;
};

/// Whether an expression uses loads or variables of a set.
class Uses final : public Visitor {
  public:
    explicit Uses(const std::map<const Var*, int>& vars) : vars_(vars) {}
    bool vars = false, loads = false;

  protected:
    using Visitor::visit_node;
    void visit_node(const Var& node) override { vars |= vars_.contains(&node); }
    void visit_node(const Load&) override { loads = true; }

  private:
    const std::map<const Var*, int>& vars_;
};

BinaryOp opposite(BinaryOp op) {
    switch (op) {
    case BinaryOp::Lt: return BinaryOp::Ge;
    case BinaryOp::Le: return BinaryOp::Gt;
    case BinaryOp::Gt: return BinaryOp::Le;
    case BinaryOp::Ge: return BinaryOp::Lt;
    case BinaryOp::Eq: return BinaryOp::Ne;
    default: return BinaryOp::Eq;
    }
}

} // namespace

std::vector<Touch> touches_of(const Stmt& stmt) {
    TouchCollector collector;
    collector.visit(stmt);
    return std::move(collector.touches);
}

std::vector<Touch> all_touches_of(const Stmt& stmt) {
    TouchCollector collector;
    collector.with_local = true;
    collector.visit(stmt);
    return std::move(collector.touches);
}

// ------------------------------------------------------------------------------------ TouchPair

TouchPair::TouchPair(const Touch& first, const Touch& second, const Bounds& outside)
    : touches_{&first, &second}, outside_(outside) {
    for (const Side side : {First, Second})
        for (const For* loop : touches_[side]->loops) {
            const auto extent = as_int(loop->extent);
            columns_[side][loop->var.get()] = set_.add_var(0, extent ? *extent - 1 : kUnbounded);
        }
    for (const Side side : {First, Second}) {
        for (const For* loop : touches_[side]->loops)
            if (!as_int(loop->extent)) compare(BinaryOp::Lt, loop->var, loop->extent, side);
        for (const Expr& condition : touches_[side]->conditions) assume(condition, side);
    }
}

int TouchPair::column(const VarRef& var, Side side) {
    if (const auto found = columns_[side].find(var.get()); found != columns_[side].end()) return found->second;
    const auto [entry, fresh] = shared_.try_emplace(var.get(), 0);
    if (!fresh) return entry->second;
    const auto bound = outside_.find(var);
    entry->second = bound == outside_.end() ? set_.add_var(-kUnbounded, kUnbounded)
                                            : set_.add_var(bound->second.min, bound->second.max);
    return entry->second;
}

bool TouchPair::own(const Expr& expr, Side side) const {
    Uses uses(columns_[side]);
    uses.visit(expr);
    return uses.vars || uses.loads;
}

Linear TouchPair::linear(const Expr& expr, Side side) {
    Linear out;
    const Affine sum = affine_of(expr);
    out.constant = sum.constant;
    for (const Affine::Term& part : sum.terms) out.add(term(part.term, side), part.coefficient);
    return out;
}

Linear TouchPair::term(const Expr& expr, Side side) {
    Linear out;
    if (const Var* var = as<Var>(expr)) {
        out.add(column(VarRef(var), side), 1);
        return out;
    }
    std::vector<Known>& known = own(expr, side) ? known_[side] : known_shared_;
    for (const Known& entry : known)
        if (entry.expr == expr || structural_equal(entry.expr, expr)) return entry.value;
    const Binary* node = as<Binary>(expr);
    const std::optional<std::int64_t> divisor = node ? as_int(node->b) : std::nullopt;
    const bool division = node && (node->op == BinaryOp::FloorDiv || node->op == BinaryOp::FloorMod);
    if (division && divisor && *divisor > 0)
        out = divided(*node, expr, side);
    else if (node && (node->op == BinaryOp::Min || node->op == BinaryOp::Max))
        out = extreme(*node, expr, side);
    else
        out.add(set_.add_var(-kUnbounded, kUnbounded), 1); // anything: what is read from memory, for example
    (own(expr, side) ? known_[side] : known_shared_).push_back({expr, out});
    return out;
}

/// a = divisor * quotient + remainder; both are remembered, since both tend to be there. What the divisor divides in a
/// is taken out first, so that a // 7 and a % 7 meet however a was simplified: (x * 10 + y) // 7 = x + (x * 3 + y)
/// // 7.
Linear TouchPair::divided(const Binary& node, const Expr& expr, Side side) {
    const std::int64_t divisor = *as_int(node.b);
    Affine whole, rest = affine_of(node.a);
    const auto take = [&](std::int64_t& value) {
        const std::int64_t remainder = (value % divisor + divisor) % divisor;
        const std::int64_t quotient = (value - remainder) / divisor;
        value = remainder;
        return quotient;
    };
    whole.constant = take(rest.constant);
    for (Affine::Term& part : rest.terms)
        if (const std::int64_t quotient = take(part.coefficient); quotient != 0)
            whole.terms.push_back({part.term, quotient});
    if (whole.constant != 0 || !whole.terms.empty()) {
        std::erase_if(rest.terms, [](const Affine::Term& part) { return part.coefficient == 0; });
        Linear out = term(Binary::make(node.op, to_expr(rest), node.b), side);
        if (node.op == BinaryOp::FloorDiv) out.add(linear(to_expr(whole), side));
        return out;
    }
    const Linear dividend = linear(node.a, side);
    const int quotient = set_.add_var(-kUnbounded, kUnbounded), remainder = set_.add_var(0, divisor - 1);
    Linear equation = dividend;
    equation.add(quotient, -divisor);
    equation.add(remainder, -1);
    set_.require_zero(std::move(equation));
    Linear q, r;
    q.add(quotient, 1);
    r.add(remainder, 1);
    const bool is_quotient = node.op == BinaryOp::FloorDiv;
    const Expr twin = Binary::make(is_quotient ? BinaryOp::FloorMod : BinaryOp::FloorDiv, node.a, node.b);
    (own(expr, side) ? known_[side] : known_shared_).push_back({twin, is_quotient ? r : q});
    return is_quotient ? q : r;
}

Linear TouchPair::extreme(const Binary& node, const Expr& expr, Side side) {
    (void)expr;
    Linear out;
    out.add(set_.add_var(-kUnbounded, kUnbounded), 1);
    for (const Expr& operand : {node.a, node.b}) {
        Linear rest = linear(operand, side); // min: operand - result >= 0; max: result - operand >= 0
        rest.add(out, -1);
        if (node.op == BinaryOp::Max) {
            Linear negated;
            negated.add(rest, -1);
            rest = std::move(negated);
        }
        set_.require_not_negative(std::move(rest));
    }
    return out;
}

void TouchPair::compare(BinaryOp op, const Expr& a, const Expr& b, Side side) {
    if (a->dtype != DType::I64) return;
    Linear difference = linear(a, side); // a - b
    difference.add(linear(b, side), -1);
    Linear negated;
    negated.add(difference, -1);
    switch (op) {
    case BinaryOp::Eq: return set_.require_zero(std::move(difference));
    case BinaryOp::Lt: negated.constant -= 1; return set_.require_not_negative(std::move(negated));
    case BinaryOp::Le: return set_.require_not_negative(std::move(negated));
    case BinaryOp::Gt: difference.constant -= 1; return set_.require_not_negative(std::move(difference));
    case BinaryOp::Ge: return set_.require_not_negative(std::move(difference));
    default: return;
    }
}

void TouchPair::assume(const Expr& condition, Side side, bool truth) {
    if (const Call* node = as<Call>(condition); node && node->intrinsic == Intrinsic::Not)
        return assume(node->args.front(), side, !truth);
    if (const IntImm* known = as<IntImm>(condition)) {
        if ((known->value != 0) != truth) set_.require_not_negative({{}, -1});
        return;
    }
    const Binary* node = as<Binary>(condition);
    if (!node) return;
    if (is_comparison(node->op)) return compare(truth ? node->op : opposite(node->op), node->a, node->b, side);
    // Of `not (a and b)` nothing is known of either.
    if (node->op == (truth ? BinaryOp::And : BinaryOp::Or)) {
        assume(node->a, side, truth);
        assume(node->b, side, truth);
    }
}

void TouchPair::same_element() {
    for (std::size_t d = 0; d < touches_[0]->indices.size(); ++d)
        equal(touches_[0]->indices[d], First, touches_[1]->indices[d], Second);
}

void TouchPair::equal(const Expr& a, Side a_side, const Expr& b, Side b_side) {
    Linear difference = linear(a, a_side);
    difference.add(linear(b, b_side), -1);
    set_.require_zero(std::move(difference));
}

void TouchPair::same(const For* loop) { equal(loop->var, First, loop->var, Second); }

void TouchPair::less(const For* loop, Side side) {
    Linear difference;
    difference.add(column(loop->var, side == First ? Second : First), 1);
    difference.add(column(loop->var, side), -1);
    difference.constant = -1;
    set_.require_not_negative(std::move(difference));
}

void TouchPair::at_most(const For* first, const For* second, std::int64_t difference) {
    Linear form;
    form.add(column(second->var, Second), 1);
    form.add(column(first->var, First), -1);
    form.constant = difference;
    set_.require_not_negative(std::move(form));
}

void TouchPair::at_least(const For* first, const For* second, std::int64_t difference) {
    Linear form;
    form.add(column(first->var, First), 1);
    form.add(column(second->var, Second), -1);
    form.constant = -difference;
    set_.require_not_negative(std::move(form));
}

std::string TouchPair::loop_text(const IntegerSet::Solution& at, const For* loop, Side side) {
    return loop->var->name + " = " + std::to_string(at.point[static_cast<std::size_t>(column(loop->var, side))]);
}

std::string TouchPair::touch_text(const IntegerSet::Solution& at, Side side) {
    std::string text = touches_[side]->buffer->name + "[";
    for (std::size_t d = 0; d < touches_[side]->indices.size(); ++d) {
        const Linear index = linear(touches_[side]->indices[d], side);
        std::int64_t value = index.constant;
        for (const auto& [var, coefficient] : index.terms)
            value += coefficient * at.point[static_cast<std::size_t>(var)];
        text += (d ? ", " : "") + std::to_string(value);
    }
    return text + "]";
}

// ------------------------------------------------------------------------------------ questions

namespace {

std::string said(TouchPair& pair, const IntegerSet::Solution& solution, const std::vector<const Touch*>& touches,
                 const For* loop) {
    const Touch &first = *touches[0], &second = *touches[1];
    if (solution.answer != IntegerSet::Answer::Found)
        return "it could not be ruled out that iterations touch one element of " + first.buffer->name;
    return "iteration " + pair.loop_text(solution, loop, TouchPair::Second) +
           (second.is_write ? " writes " : " reads ") + pair.touch_text(solution, TouchPair::Second) +
           ", which iteration " + pair.loop_text(solution, loop, TouchPair::First) +
           (first.is_write ? " writes" : " reads");
}

Conflict conflict_of(const Touch& first, const Touch& second, std::string text) {
    const Touch& named = second.block ? second : first;
    const bool start = (first.in_init || second.in_init) && first.block == second.block;
    return {named.block ? named.block->fields.name : std::string(),
            (first.update && first.update == second.update) || start, std::move(text)};
}

bool same_touch(const Touch& a, const Touch& b) {
    const auto same = [](const Expr& x, const Expr& y) { return structural_equal(x, y); };
    return a.buffer == b.buffer && a.is_write == b.is_write && a.loops == b.loops && a.update == b.update &&
           a.in_init == b.in_init && std::ranges::equal(a.indices, b.indices, same) &&
           std::ranges::equal(a.conditions, b.conditions, same);
}

/// Touches without repetitions, and without those of buffers that are only read.
std::vector<Touch> relevant_touches(const Stmt& stmt) {
    std::vector<Touch> all = touches_of(stmt);
    std::set<const BufferNode*> written;
    for (const Touch& touch : all)
        if (touch.is_write) written.insert(touch.buffer.get());
    std::vector<Touch> out;
    for (Touch& touch : all) {
        if (!written.contains(touch.buffer.get())) continue;
        if (std::ranges::none_of(out, [&](const Touch& known) { return same_touch(known, touch); }))
            out.push_back(std::move(touch));
    }
    return out;
}

std::optional<Conflict> carried(const LoopPlace& place, const BufferNode* only) {
    const For& loop = place.loop();
    if (const auto extent = as_int(loop.extent); extent && *extent < 2) return std::nullopt;
    const Bounds outside = bounds_outside(place.block.path, place.at);
    const std::vector<Touch> touches = relevant_touches(place.block.path[place.at]);
    std::optional<Conflict> reduction;
    for (std::size_t i = 0; i < touches.size(); ++i)
        for (std::size_t j = 0; j < touches.size(); ++j) {
            const Touch &first = touches[i], &second = touches[j];
            if (first.buffer != second.buffer || (!first.is_write && !second.is_write)) continue;
            if (only && first.buffer.get() != only) continue;
            if (reduction && first.update && first.block == second.block) continue; // known already
            TouchPair pair(first, second, outside);
            pair.same_element();
            pair.less(&loop, TouchPair::First);
            const IntegerSet::Solution solution = pair.solve();
            if (solution.answer == IntegerSet::Answer::Empty) continue;
            Conflict found = conflict_of(first, second, said(pair, solution, {&first, &second}, &loop));
            if (!found.reduction) return found;
            if (!reduction) reduction = std::move(found);
        }
    return reduction;
}

} // namespace

Bounds bounds_outside(const std::vector<Stmt>& path, std::size_t end) {
    Bounds bounds;
    for (std::size_t i = 0; i < end; ++i) {
        if (const For* loop = as<For>(path[i])) {
            if (const auto extent = as_int(loop->extent)) bounds[loop->var] = {0, *extent - 1};
        } else if (const Block* block = as<Block>(path[i])) {
            for (const BlockIter& iter : block->fields.iters)
                if (const auto extent = as_int(iter.extent)) bounds[iter.var] = {0, *extent - 1};
        }
    }
    return bounds;
}

std::optional<Conflict> carried_dependence(const LoopPlace& place) { return carried(place, nullptr); }

std::optional<Conflict> carried_dependence(const LoopPlace& place, const Buffer& buffer) {
    return carried(place, buffer.get());
}

std::optional<Conflict> reversed_dependence(const LoopPlace& outermost, const std::vector<const For*>& before,
                                            const std::vector<const For*>& after) {
    const Bounds outside = bounds_outside(outermost.block.path, outermost.at);
    const std::vector<Touch> touches = relevant_touches(outermost.block.path[outermost.at]);
    const auto place_after = [&](const For* loop) { return std::ranges::find(after, loop) - after.begin(); };
    const auto crosses = [&](const Touch& first, const Touch& second, std::size_t p,
                             std::size_t q) -> std::optional<Conflict> {
        // First runs before Second because loop p says so; in the new order loop q says otherwise.
        TouchPair pair(first, second, outside);
        pair.same_element();
        for (std::size_t i = 0; i < before.size(); ++i)
            if (i < p || place_after(before[i]) < place_after(before[q])) pair.same(before[i]);
        pair.less(before[p], TouchPair::First);
        pair.less(before[q], TouchPair::Second);
        const IntegerSet::Solution solution = pair.solve();
        if (solution.answer == IntegerSet::Answer::Empty) return std::nullopt;
        return conflict_of(first, second, said(pair, solution, {&first, &second}, before[p]));
    };
    for (const Touch& first : touches)
        for (const Touch& second : touches) {
            if (first.buffer != second.buffer || (!first.is_write && !second.is_write)) continue;
            if (first.update && first.update == second.update) continue;
            // Most loops have one value for one element: then no two of them need to be asked about together.
            std::vector<std::optional<bool>> ahead(before.size()), behind(before.size());
            const auto moves = [&](std::vector<std::optional<bool>>& known, std::size_t loop, TouchPair::Side side) {
                if (!known[loop]) {
                    TouchPair pair(first, second, outside);
                    pair.same_element();
                    pair.less(before[loop], side);
                    known[loop] = pair.solve().answer != IntegerSet::Answer::Empty;
                }
                return *known[loop];
            };
            for (std::size_t p = 0; p < before.size(); ++p)
                for (std::size_t q = p + 1; q < before.size(); ++q)
                    if (place_after(before[q]) < place_after(before[p]) && moves(ahead, p, TouchPair::First) &&
                        moves(behind, q, TouchPair::Second))
                        if (auto found = crosses(first, second, p, q)) return found;
        }
    return std::nullopt;
}

std::optional<Conflict> late_init(const LoopPlace& place) {
    const Bounds outside = bounds_outside(place.block.path, place.at);
    const std::vector<Touch> touches = touches_of(place.block.path[place.at]);
    std::vector<const For*> loops;
    for (std::size_t i = place.at; i < place.block.path.size(); ++i)
        if (const For* loop = as<For>(place.block.path[i])) loops.push_back(loop);
    for (const Touch& init : touches) {
        if (!init.in_init || !init.is_write || init.block != place.block.block) continue;
        for (const Touch& update : touches) {
            if (update.block != init.block || update.in_init || !update.is_write || update.buffer != init.buffer)
                continue;
            for (std::size_t p = 0; p < loops.size(); ++p) {
                TouchPair pair(update, init, outside);
                pair.same_element();
                for (std::size_t i = 0; i < p; ++i) pair.same(loops[i]);
                pair.less(loops[p], TouchPair::First);
                const IntegerSet::Solution solution = pair.solve();
                if (solution.answer != IntegerSet::Answer::Empty)
                    return conflict_of(update, init, said(pair, solution, {&update, &init}, loops[p]));
            }
        }
    }
    return std::nullopt;
}

} // namespace orrery::schedule
