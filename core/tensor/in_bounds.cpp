// Outline: Facts (what conditions around an access say), Prover (one walk that keeps ranges and facts). An index is
// bounded by intervals; where they do not do, a fact "f >= 0" helps when index - f >= 0 holds by intervals.

#include "core/tensor/in_bounds.hpp"

#include "core/tensor/affine.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/interval.hpp"
#include "core/tensor/text.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace orrery::tensor {

namespace {

Diagnostic refusal(Code code, std::string message, std::string hint) {
    return {code, std::move(message), {}, std::move(hint)};
}

/// Conditions in force that are remembered, and nodes of one index: what is compared with what. Source: our choice, far
/// beyond what people write.
constexpr std::size_t kMaxFacts = 64;
constexpr int kMaxIndexNodes = 1000;

/// Both ends of what an expression may be, as far as they are known.
struct Ends {
    std::optional<std::int64_t> least, most;
};

class Prover final : public Visitor {
  public:
    explicit Prover(const ProgramNode& program) : program_(program) {
        for (std::size_t i = 0; i < program.input_count; ++i) inputs_.insert(program.params[i].get());
    }

    Result<void> run() {
        for (const Buffer& param : program_.params) check_size(param);
        if (!error_) visit(program_.body);
        if (error_) return *std::move(error_);
        return {};
    }

  protected:
    using Visitor::visit_node;
    void visit_node(const Binary& node) override {
        visit(node.a);
        if (node.op != BinaryOp::And && node.op != BinaryOp::Or) return visit(node.b);
        under(node.a, node.op == BinaryOp::And, [&] { visit(node.b); });
    }
    void visit_node(const Select& node) override {
        visit(node.condition);
        under(node.condition, true, [&] { visit(node.then_value); });
        under(node.condition, false, [&] { visit(node.else_value); });
    }
    void visit_node(const Load& node) override {
        Visitor::visit_node(node);
        check_access(node.buffer, node.indices);
    }
    void visit_node(const Store& node) override {
        Visitor::visit_node(node);
        check_access(node.buffer, node.indices);
        if (work_ > static_cast<double>(kMaxTypedWork))
            refuse(Code::LimitExceeded, "this is done more than 10^12 times", "make the extents smaller");
    }
    /// The function keeps to its boxes; those lie inside, as their first and their last element do.
    void visit_node(const ExternCall& node) override {
        Visitor::visit_node(node);
        for (const ExternCall::Operand& operand : node.operands) {
            std::vector<Expr> last;
            for (std::size_t d = 0; d < operand.region.min.size(); ++d) {
                const Ends count = ends_of(operand.region.extent[d]);
                if (!count.least || *count.least < 1)
                    return refuse(Code::BadShape, "a box given to " + node.symbol + " may be empty",
                                  "give it an extent of at least 1");
                last.push_back(operand.region.min[d] + operand.region.extent[d] - 1);
            }
            if (operand.number != nullptr) continue;
            check_access(operand.region.buffer, operand.region.min);
            check_access(operand.region.buffer, last);
        }
    }
    void visit_node(const For& node) override {
        const auto extent = as_int(node.extent);
        if (!extent) return refuse(Code::BadShape, "a loop's extent is no number", "write a number");
        if (*extent <= 0) return;
        repeat(*extent, [&] { bound(node.var, {0, *extent - 1}, [&] { visit(node.body); }); });
    }
    void visit_node(const If& node) override {
        visit(node.condition);
        under(node.condition, true, [&] { visit(node.then_body); });
        if (node.else_body != nullptr) under(node.condition, false, [&] { visit(node.else_body); });
    }
    void visit_node(const Let& node) override {
        visit(node.value);
        if (node.var->dtype != DType::I64) return visit(node.body);
        const Ends ends = ends_of(node.value);
        if (!ends.least || !ends.most) return visit(node.body);
        bound(node.var, {*ends.least, *ends.most}, [&] { visit(node.body); });
    }
    void visit_node(const Alloc& node) override {
        check_size(node.buffer);
        visit(node.body);
    }
    void visit_node(const Block& node) override {
        const std::string outside = std::exchange(place_, "block " + node.fields.name);
        const auto inside = [&] {
            for (const BlockIter& iter : node.fields.iters) check_iter(iter);
            bind_iters(node.fields.iters, 0, [&] {
                if (node.fields.init != nullptr) visit(node.fields.init);
                visit(node.fields.body);
            });
        };
        if (node.fields.predicate == nullptr)
            inside();
        else
            visit(node.fields.predicate), under(node.fields.predicate, true, inside);
        place_ = outside;
    }

  private:
    void visit(const Expr& expr) {
        if (!error_) Visitor::visit(expr);
    }
    void visit(const Stmt& stmt) {
        if (!error_) Visitor::visit(stmt);
    }
    void refuse(Code code, std::string message, std::string hint) {
        if (error_) return;
        error_ = refusal(code, std::move(message), std::move(hint));
        error_->locations.push_back(ProgramPlace{program_.name, place_});
    }

    std::string text_of(const Expr& expr) { return to_string(substitute(expr, shown_)); }

    // Ranges and facts.
    template <class F> void bound(const VarRef& var, Interval range, const F& inside) {
        bounds_[var] = range;
        intervals_.forget();
        inside();
        bounds_.erase(var);
        intervals_.forget();
    }
    template <class F> void repeat(std::int64_t times, const F& inside) {
        const double before = std::exchange(work_, work_ * static_cast<double>(times));
        inside();
        work_ = before;
    }
    template <class F> void bind_iters(const std::vector<BlockIter>& iters, std::size_t at, const F& inside) {
        if (error_) return;
        if (at == iters.size()) return inside();
        if (iters[at].binding->kind == NodeKind::Var) shown_[iters[at].var] = iters[at].binding;
        bound(iters[at].var, {0, *as_int(iters[at].extent) - 1}, [&] { bind_iters(iters, at + 1, inside); });
    }
    template <class F> void under(const Expr& condition, bool truth, const F& inside) {
        const std::size_t before = facts_.size();
        assume(condition, truth);
        inside();
        facts_.resize(before);
    }

    /// Adds what holds where `condition` is `truth`.
    void assume(const Expr& condition, bool truth) {
        if (const Call* call = as<Call>(condition); call && call->intrinsic == Intrinsic::Not)
            return assume(call->args.front(), !truth);
        const Binary* node = as<Binary>(condition);
        if (!node) return;
        if (node->op == (truth ? BinaryOp::And : BinaryOp::Or)) return assume(node->a, truth), assume(node->b, truth);
        if (!is_comparison(node->op) || node->a->dtype != DType::I64 || !lasting(condition)) return;
        const auto fact = [&](const Expr& more, const Expr& less, std::int64_t by) {
            if (facts_.size() < kMaxFacts) facts_.push_back(affine_of(tame(more) - tame(less) - imm(by)));
        };
        switch (node->op) {
        case BinaryOp::Lt: return truth ? fact(node->b, node->a, 1) : fact(node->a, node->b, 0);
        case BinaryOp::Le: return truth ? fact(node->b, node->a, 0) : fact(node->a, node->b, 1);
        case BinaryOp::Gt: return truth ? fact(node->a, node->b, 1) : fact(node->b, node->a, 0);
        case BinaryOp::Ge: return truth ? fact(node->a, node->b, 0) : fact(node->b, node->a, 1);
        case BinaryOp::Eq:
        case BinaryOp::Ne:
            if (truth != (node->op == BinaryOp::Eq)) return;
            fact(node->a, node->b, 0), fact(node->b, node->a, 0);
            return;
        default: return;
        }
    }

    /// Whether what an expression reads stays as it is: inputs are never written.
    bool lasting(const Expr& expr) {
        class Reads final : public Visitor {
          public:
            explicit Reads(const std::set<const BufferNode*>& inputs) : inputs_(inputs) {}
            bool all_inputs = true;

          protected:
            using Visitor::visit_node;
            void visit_node(const Load& node) override {
                all_inputs = all_inputs && inputs_.contains(node.buffer.get());
                Visitor::visit_node(node);
            }

          private:
            const std::set<const BufferNode*>& inputs_;
        } reads(inputs_);
        reads.visit(expr);
        return reads.all_inputs;
    }

    /// Pre: i64.
    Ends ends_of(const Expr& expr) {
        if (const auto range = intervals_.of(expr)) return {range->min, range->max};
        if (const Select* node = as<Select>(expr))
            return picked(ends_of(node->then_value), ends_of(node->else_value), Pick::Any);
        const Binary* node = as<Binary>(expr);
        if (!node || (node->op != BinaryOp::Min && node->op != BinaryOp::Max)) {
            const Expr tamed = tame(expr);
            if (tamed == expr) return {};
            const auto range = intervals_.of(tamed);
            return range ? Ends{range->min, range->max} : Ends{};
        }
        return picked(ends_of(node->a), ends_of(node->b), node->op == BinaryOp::Min ? Pick::Lesser : Pick::Greater);
    }
    /// Of one of two values: any, the greater, the lesser. Of the greater one the least of either is a bound already.
    enum class Pick : std::uint8_t { Any, Greater, Lesser };
    static Ends picked(const Ends& a, const Ends& b, Pick pick) {
        Ends out;
        if (a.least && b.least)
            out.least = pick == Pick::Greater ? std::max(*a.least, *b.least) : std::min(*a.least, *b.least);
        else if (pick == Pick::Greater)
            out.least = a.least ? a.least : b.least;
        if (a.most && b.most)
            out.most = pick == Pick::Lesser ? std::min(*a.most, *b.most) : std::max(*a.most, *b.most);
        else if (pick == Pick::Lesser)
            out.most = a.most ? a.most : b.most;
        return out;
    }

    /// The expression with a variable of known range for each clamp of something unknown.
    Expr tame(const Expr& expr) {
        class Clamps final : public Rewriter {
          public:
            explicit Clamps(Prover& prover) : prover_(prover) {}

          protected:
            using Rewriter::rewrite_node;
            Expr rewrite_node(const Load& node) override { return handle(node); }
            Expr rewrite_node(const Binary& node) override {
                const bool clamp = node.op == BinaryOp::Min || node.op == BinaryOp::Max;
                return clamp && node.dtype == DType::I64 ? prover_.clamped(handle(node)) : Rewriter::rewrite_node(node);
            }

          private:
            Prover& prover_;
        };
        return Clamps(*this).rewrite(expr);
    }
    Expr clamped(const Expr& expr) {
        if (intervals_.of(expr)) return expr;
        for (const auto& [known, var] : clamps_)
            if (structural_equal(known, expr)) return var;
        const Ends ends = ends_of(expr);
        if (!ends.least || !ends.most) return expr;
        const VarRef var = Var::make("clamped");
        bounds_[var] = {*ends.least, *ends.most};
        intervals_.forget();
        clamps_.emplace_back(expr, var);
        return var;
    }

    [[nodiscard]] bool never_negative(const Affine& sum) {
        const auto range = intervals_.of(sum);
        return range && range->min >= 0;
    }
    /// expr >= 0, by intervals or with one of the facts.
    bool nonnegative(const Expr& expr) {
        const Affine sum = affine_of(tame(expr));
        if (never_negative(sum)) return true;
        return std::ranges::any_of(
            facts_, [&](const Affine& fact) { return never_negative(affine_of(to_expr(sum) - to_expr(fact))); });
    }
    /// 0 <= index, or index <= last.
    bool side(const Expr& index, std::int64_t last, bool low) {
        if (low ? nonnegative(index) : nonnegative(imm(last) - index)) return true;
        if (const Select* node = as<Select>(index)) {
            bool holds = false;
            under(node->condition, true, [&] { holds = side(node->then_value, last, low); });
            under(node->condition, false, [&] { holds = holds && side(node->else_value, last, low); });
            return holds;
        }
        const Binary* node = as<Binary>(index);
        if (!node) return false;
        if (node->op == BinaryOp::Min || node->op == BinaryOp::Max) {
            const bool a = side(node->a, last, low), b = side(node->b, last, low);
            return low == (node->op == BinaryOp::Max) ? a || b : a && b;
        }
        if (node->op != BinaryOp::FloorDiv) return false;
        const auto by = as_int(node->b);
        return by && *by > 0 && last < kMaxTypedConstant / *by && side(node->a, (last + 1) * *by - 1, low);
    }

    // Checks.
    void check_access(const Buffer& buffer, const std::vector<Expr>& indices) {
        for (std::size_t d = 0; d < indices.size() && !error_; ++d) {
            const std::int64_t extent = *as_int(buffer->shape[d]);
            if (!within_reach(indices[d])) return;
            const bool low = side(indices[d], extent - 1, true), high = side(indices[d], extent - 1, false);
            if (low && high) continue;
            const std::string what = buffer->rank() == 1 ? "" : "dimension " + std::to_string(d) + " of ";
            refuse(Code::BadShape,
                   "index " + text_of(indices[d]) + " may be " +
                       (low    ? "past"
                        : high ? "before"
                               : "outside") +
                       " the " + std::to_string(extent) + " elements of " + what + buffer->name,
                   "ask first, as in select(0 <= i && i < " + std::to_string(extent) + ", " + buffer->name +
                       "[i], 0.0), or clamp the index with min and max");
        }
    }
    bool within_reach(const Expr& index) {
        class Extent final : public Visitor {
          public:
            bool too_large = false;
            int nodes = 0;

          protected:
            using Visitor::visit_node;
            void visit_node(const IntImm& node) override {
                ++nodes;
                too_large = too_large || node.value > kMaxTypedConstant || node.value < -kMaxTypedConstant;
            }
            void visit_node(const Binary& node) override { ++nodes, Visitor::visit_node(node); }
            void visit_node(const Select& node) override { ++nodes, Visitor::visit_node(node); }
            void visit_node(const Call& node) override { ++nodes, Visitor::visit_node(node); }
        } extent;
        extent.visit(index);
        if (extent.nodes > kMaxIndexNodes)
            refuse(Code::LimitExceeded, "an index is too long", "compute it in a definition of its own");
        else if (extent.too_large)
            refuse(Code::LimitExceeded, "index " + text_of(index) + " holds a number beyond 2^40",
                   "use smaller numbers in indices");
        return !error_;
    }
    void check_iter(const BlockIter& iter) {
        const auto extent = as_int(iter.extent);
        if (!extent || *extent < 1)
            return refuse(Code::BadShape, "the extent of " + iter.var->name + " is no positive number",
                          "write a number");
        if (!within_reach(iter.binding)) return;
        if (side(iter.binding, *extent - 1, true) && side(iter.binding, *extent - 1, false)) return;
        refuse(Code::BadShape,
               iter.var->name + " = " + text_of(iter.binding) + " may leave its extent of " + std::to_string(*extent),
               "leave those out with \"where " + text_of(iter.binding) + " < " + std::to_string(*extent) + "\"");
    }
    void check_size(const Buffer& buffer) {
        const std::string outside = place_;
        if (!place_.starts_with("block")) place_ = "buffer " + buffer->name;
        std::int64_t bytes = byte_size(buffer->dtype);
        for (const Expr& extent : buffer->shape) {
            const auto known = as_int(extent);
            if (!known || *known < 1) {
                refuse(Code::BadShape, "an extent of " + buffer->name + " is no positive number",
                       "write every extent as a number of 1 or more");
            } else if (__builtin_mul_overflow(bytes, *known, &bytes) || bytes > kMaxTypedBytes) {
                refuse(Code::LimitExceeded, buffer->name + " is larger than 4 GiB", "make its extents smaller");
            }
            if (error_) return;
        }
        place_ = outside;
    }

    const ProgramNode& program_;
    std::optional<Diagnostic> error_;
    std::string place_ = "body";
    std::set<const BufferNode*> inputs_;
    Bounds bounds_;
    Intervals intervals_{bounds_};
    std::vector<Affine> facts_; ///< each at least 0
    std::vector<std::pair<Expr, VarRef>> clamps_;
    VarMap shown_; ///< iterators as the loops they are bound to, for messages
    double work_ = 1;
};

} // namespace

Result<void> prove_in_bounds(const Program& program) { return Prover(*program).run(); }

} // namespace orrery::tensor
