#include "core/schedule/accesses.hpp"

#include "core/schedule/locate.hpp"
#include "core/tensor/affine.hpp"
#include "core/tensor/build.hpp"

#include <algorithm>
#include <cmath>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

void ExprCost::visit_node(const Load& node) {
    ++loads;
    Visitor::visit_node(node);
}
void ExprCost::visit_node(const Select& node) {
    ++selects;
    Visitor::visit_node(node);
}
void ExprCost::visit_node(const Binary& node) {
    if (is_float(node.a->dtype)) ++operations;
    if (node.op == BinaryOp::FloorDiv || node.op == BinaryOp::FloorMod) ++divisions;
    Visitor::visit_node(node);
}
void ExprCost::visit_node(const Call& node) {
    ++operations;
    if (node.intrinsic >= Intrinsic::Exp && node.intrinsic <= Intrinsic::Erf) ++transcendental;
    if (node.intrinsic == Intrinsic::Pow || node.intrinsic == Intrinsic::Fmod) ++transcendental;
    Visitor::visit_node(node);
}

ExprCost cost_of_expr(const Expr& expr) {
    ExprCost cost;
    cost.visit(expr);
    return cost;
}
ExprCost cost_of_block(const Block& block) {
    ExprCost cost;
    cost.visit(block.fields.body);
    return cost;
}

void LoadCollector::visit_node(const Load& node) {
    loads.push_back(&node);
    Visitor::visit_node(node);
}

std::optional<std::int64_t> coefficient(const Expr& index, const VarRef& var) {
    std::int64_t found = 0;
    for (const Affine::Term& term : affine_of(index).terms) {
        if (term.term.get() == var.get())
            found = term.coefficient;
        else if (uses_var(term.term, var))
            return std::nullopt;
    }
    return found;
}

bool vector_access(const std::vector<Expr>& indices, const VarRef& var) {
    constexpr std::int64_t kFarthest = 4;
    for (std::size_t d = 0; d < indices.size(); ++d) {
        const auto c = coefficient(indices[d], var);
        if (!c) return false;
        if (d + 1 < indices.size() ? *c != 0 : std::abs(*c) > kFarthest) return false;
    }
    return true;
}

namespace {

/// Whether a variable stands in quotients by that many of sums with its place alone.
class BlockQuotients final : public Visitor {
  public:
    BlockQuotients(const VarRef& var, std::int64_t block) : var_(var), block_(block) {}
    bool only = true;

    /// A sum whose other terms are whole blocks.
    static bool neighbours(const Expr& sum, const VarRef& var, std::int64_t block) {
        return coefficient(sum, var) == 1 && std::ranges::all_of(affine_of(sum).terms, [&](const Affine::Term& term) {
                   return term.term.get() == var.get() || term.coefficient % block == 0;
               });
    }

  protected:
    using Visitor::visit_node;
    void visit_node(const Var& node) override { only = only && &node != var_.get(); }
    void visit_node(const Binary& node) override {
        if (node.op != BinaryOp::FloorDiv || as_int(node.b) != block_ || !neighbours(node.a, var_, block_))
            Visitor::visit_node(node);
    }

  private:
    const VarRef& var_;
    std::int64_t block_;
};

} // namespace

bool across_blocks(const std::vector<Expr>& indices, const VarRef& var, std::int64_t extent) {
    const Binary* rest = indices.empty() ? nullptr : as<Binary>(indices.back());
    if (!rest || rest->op != BinaryOp::FloorMod || as_int(rest->b) != extent ||
        !BlockQuotients::neighbours(rest->a, var, extent))
        return false;
    BlockQuotients blocks(var, extent);
    for (std::size_t d = 0; d + 1 < indices.size(); ++d) blocks.visit(indices[d]);
    return blocks.only;
}

namespace {

class SharedDivisions final : public Visitor {
  public:
    SharedDivisions(const VarRef& a, const VarRef& b) : a_(a), b_(b) {}
    bool found = false;

  protected:
    using Visitor::visit_node;
    void visit_node(const Load& node) override {
        for (const Expr& index : node.indices) visit(index);
    }
    void visit_node(const Binary& node) override {
        const bool divides = node.op == BinaryOp::FloorDiv || node.op == BinaryOp::FloorMod;
        found = found || (divides && uses_var(node.a, a_) && uses_var(node.a, b_));
        if (!found) Visitor::visit_node(node);
    }

  private:
    const VarRef &a_, &b_;
};

} // namespace

bool divided_together(const Expr& expr, const VarRef& a, const VarRef& b) {
    SharedDivisions divisions(a, b);
    divisions.visit(expr);
    return divisions.found;
}

std::int64_t counted_width(const Load& a, const VarRef& row) {
    class Finder final : public Visitor {
      public:
        explicit Finder(const VarRef& row) : row_(row) {}
        std::int64_t width = 0;

      protected:
        using Visitor::visit_node;
        void visit_node(const Binary& node) override {
            if (node.op == BinaryOp::FloorMod && node.a.get() == row_.get()) width = as_int(node.b).value_or(0);
            Visitor::visit_node(node);
        }

      private:
        VarRef row_;
    };
    Finder finder(row);
    for (const Expr& index : a.indices) finder.visit(index);
    return finder.width;
}

} // namespace orrery::schedule
