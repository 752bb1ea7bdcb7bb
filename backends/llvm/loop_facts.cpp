#include "backends/llvm/loop_facts.hpp"

#include "core/tensor/analysis.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <optional>

namespace orrery::codegen {

using namespace tensor;

namespace {

/// Arithmetic of variables that always has a value. A long one is not worth it: it may share parts many times over.
class PlainCondition : public Visitor {
  public:
    bool plain = true;
    void look(const Expr& expr) { visit(expr); }

  protected:
    using Visitor::visit_node;
    void visit_node(const IntImm&) override { count(); }
    void visit_node(const Var&) override { count(); }
    void visit_node(const Load&) override { plain = false; }
    void visit_node(const Call&) override { plain = false; }
    void visit_node(const Binary& node) override {
        count();
        const bool divides = node.op == BinaryOp::FloorDiv || node.op == BinaryOp::FloorMod;
        const IntImm* divisor = as<IntImm>(node.b);
        if (node.op == BinaryOp::Div || node.op == BinaryOp::Rem) plain = false;
        if (divides && (!divisor || divisor->value <= 0)) plain = false;
        if (plain) Visitor::visit_node(node);
    }

  private:
    void count() {
        constexpr int kMostNodes = 64;
        if (++nodes_ > kMostNodes) plain = false;
    }
    int nodes_ = 0;
};

class Mentions : public Visitor {
  public:
    explicit Mentions(const Var* var) : var_(var) {}
    bool found = false;

  protected:
    using Visitor::visit_node;
    void visit_node(const Var& var) override { found = found || &var == var_; }

  private:
    const Var* var_;
};

void add_conjuncts(const Expr& condition, std::vector<Expr>& out) {
    const Binary* node = as<Binary>(condition);
    if (node && node->op == BinaryOp::And) {
        add_conjuncts(node->a, out);
        return add_conjuncts(node->b, out);
    }
    PlainCondition check;
    check.look(condition);
    if (check.plain) out.push_back(condition);
}

void drop_mentions(const Var* var, std::vector<Expr>& guards) {
    std::erase_if(guards, [var](const Expr& guard) {
        Mentions mentions(var);
        mentions.visit(guard);
        return mentions.found;
    });
}

} // namespace

/// Of a statement: its guards, none when it has no effect at all; and the loops it is written as.
class LoopFacts::Find {
  public:
    explicit Find(std::unordered_map<const For*, Fact>& facts) : facts_(facts) {}

    struct Found {
        std::optional<std::vector<Expr>> guards;
        std::int64_t loops = 0;
    };
    Found find(const Stmt& stmt) {
        if (const For* loop = as<For>(stmt)) return find_loop(*loop);
        if (const Block* block = as<Block>(stmt)) return find_block(*block);
        if (const Alloc* alloc = as<Alloc>(stmt)) return find(alloc->body);
        if (const Let* let = as<Let>(stmt)) {
            Found found = find(let->body);
            if (found.guards) drop_mentions(let->var.get(), *found.guards);
            return found;
        }
        if (const Seq* seq = as<Seq>(stmt)) return find_seq(*seq);
        if (const If* branch = as<If>(stmt)) {
            Found found = find(branch->then_body);
            found.guards = std::vector<Expr>();
            if (branch->else_body) found.loops += find(branch->else_body).loops;
            return found;
        }
        if (stmt->kind == NodeKind::Prefetch) return {};
        return {std::vector<Expr>(), 0};
    }

  private:
    Found find_loop(const For& loop) {
        Found found = find(loop.body);
        Fact& fact = facts_[&loop];
        fact.loops = found.loops;
        if (found.guards) {
            drop_mentions(loop.var.get(), *found.guards);
            fact.guards = *found.guards;
        }
        const IntImm* extent = as<IntImm>(loop.extent);
        if (extent && extent->value <= 1) return found;
        switch (loop.loop) {
        case LoopKind::Vectorized: break;
        case LoopKind::Unrolled:
            if (found.loops == 0) break;
            if (extent && extent->value <= kMostCopiedLoops / found.loops)
                found.loops *= extent->value;
            else
                ++found.loops;
            break;
        case LoopKind::Serial:
        case LoopKind::Parallel: ++found.loops; break;
        }
        return found;
    }
    Found find_block(const Block& block) {
        Found found = find(block.fields.body);
        if (block.fields.init) found.loops += find(block.fields.init).loops;
        if (block.fields.annotations.contains("tensorize")) found.loops = 0; // its loops say what one instruction does
        found.guards = std::vector<Expr>();
        if (block.fields.predicate != nullptr) add_conjuncts(block.fields.predicate, *found.guards);
        return found;
    }
    Found find_seq(const Seq& seq) {
        Found found;
        for (const Stmt& stmt : seq.stmts) {
            Found one = find(stmt);
            found.loops += one.loops;
            if (!one.guards) continue;
            if (!found.guards)
                found.guards = std::move(one.guards);
            else
                std::erase_if(*found.guards, [&](const Expr& guard) { return !holds(*one.guards, guard); });
        }
        return found;
    }

    std::unordered_map<const For*, Fact>& facts_;
};

LoopFacts::LoopFacts(const Stmt& body) { Find(facts_).find(body); }

const std::vector<Expr>& LoopFacts::guards(const For& loop) const {
    static const std::vector<Expr> none;
    const auto found = facts_.find(&loop);
    return found == facts_.end() ? none : found->second.guards;
}

std::int64_t LoopFacts::loops_inside(const For& loop) const {
    const auto found = facts_.find(&loop);
    return found == facts_.end() ? 0 : found->second.loops;
}

bool holds(const std::vector<Expr>& guards, const Expr& guard) {
    return std::ranges::any_of(guards, [&](const Expr& one) { return structural_equal(one, guard); });
}

Expr without(const Expr& predicate, const std::vector<Expr>& held) {
    if (holds(held, predicate)) return nullptr;
    const Binary* node = as<Binary>(predicate);
    if (!node || node->op != BinaryOp::And) return predicate;
    Expr a = without(node->a, held), b = without(node->b, held);
    if (a == nullptr) return b;
    if (b == nullptr) return a;
    return a.get() == node->a.get() && b.get() == node->b.get()
               ? predicate
               : Binary::make(BinaryOp::And, std::move(a), std::move(b));
}

} // namespace orrery::codegen
