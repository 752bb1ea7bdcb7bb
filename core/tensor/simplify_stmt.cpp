#include "core/tensor/build.hpp"
#include "core/tensor/simplify.hpp"

#include <algorithm>

namespace orrery::tensor {

namespace {

/// Passes over a statement before it is taken as it is. Source: our choice; a dropped loop may decide a condition
/// that was looked at before it, but hardly twice.
constexpr int kPasses = 4;

Stmt nothing() { return Seq::make({}); }
bool is_nothing(const Stmt& stmt) {
    const Seq* seq = as<Seq>(stmt);
    return seq && seq->stmts.empty();
}

class UseFinder final : public Visitor {
  public:
    explicit UseFinder(const Var* var) : var_(var) {}
    bool found = false;

  protected:
    using Visitor::visit_node;
    void visit_node(const Var& node) override { found |= &node == var_; }

  private:
    const Var* var_;
};

bool uses(const Stmt& stmt, const VarRef& var) {
    UseFinder finder(var.get());
    finder.visit(stmt);
    return finder.found;
}

class MentionFinder final : public Visitor {
  public:
    explicit MentionFinder(const BufferNode* buffer) : buffer_(buffer) {}
    bool found = false;

  protected:
    using Visitor::visit_node;
    void visit_node(const Load& node) override {
        found |= node.buffer.get() == buffer_;
        Visitor::visit_node(node);
    }
    void visit_node(const Store& node) override {
        found |= node.buffer.get() == buffer_;
        Visitor::visit_node(node);
    }
    void visit_node(const ExternCall& node) override {
        for (const ExternCall::Operand& operand : node.operands) found |= operand.region.buffer.get() == buffer_;
        Visitor::visit_node(node);
    }
    void visit_node(const Block& node) override {
        for (const std::vector<Region>* regions : {&node.fields.reads, &node.fields.writes})
            for (const Region& region : *regions) found |= region.buffer.get() == buffer_;
        Visitor::visit_node(node);
    }

  private:
    const BufferNode* buffer_;
};

bool mentions(const Stmt& stmt, const Buffer& buffer) {
    MentionFinder finder(buffer.get());
    finder.visit(stmt);
    return finder.found;
}

class StmtSimplifier final : public Rewriter {
  protected:
    using Rewriter::rewrite_node;

#define ORRERY_EXPR(Name)                                                                                              \
    Expr rewrite_node(const Name& node) override { return exprs_.run(handle(node)); }
#include "core/tensor/tensor_nodes.def"

    Stmt rewrite_node(const For& node) override {
        const Expr extent = rewrite(node.extent);
        const std::optional<std::int64_t> count = as_int(extent);
        if (count && *count <= 0) return nothing();
        if (count && *count == 1) {
            exprs_.replace(node.var, imm(0));
            return rewrite(node.body);
        }
        const std::optional<Interval> interval = exprs_.interval(extent);
        exprs_.bind(node.var,
                    interval && interval->max >= 1 ? std::optional(Interval{0, interval->max - 1}) : std::nullopt);
        const Stmt body = rewrite(node.body);
        exprs_.bind(node.var, std::nullopt);
        if (is_nothing(body)) return nothing();
        if (extent == node.extent && body == node.body) return handle(node);
        return kept(For::make(node.var, extent, node.loop, body, node.annotations), node);
    }

    Stmt rewrite_node(const If& node) override {
        const Expr condition = rewrite(node.condition);
        if (const IntImm* known = as<IntImm>(condition)) {
            if (known->value) return rewrite(node.then_body);
            return node.else_body ? rewrite(node.else_body) : nothing();
        }
        const Stmt then_body = rewrite_where(node.then_body, condition, true);
        Stmt else_body = node.else_body ? rewrite_where(node.else_body, condition, false) : nullptr;
        if (else_body && is_nothing(else_body)) else_body = nullptr;
        if (is_nothing(then_body)) {
            if (!else_body) return nothing();
            return kept(If::make(exprs_.run(!condition), else_body), node);
        }
        if (condition == node.condition && then_body == node.then_body && else_body == node.else_body)
            return handle(node);
        return kept(If::make(condition, then_body, else_body), node);
    }

    Stmt rewrite_node(const Let& node) override {
        const Expr value = rewrite(node.value);
        if (value->kind == NodeKind::IntImm || value->kind == NodeKind::FloatImm || value->kind == NodeKind::Var) {
            exprs_.replace(node.var, value);
            return rewrite(node.body);
        }
        exprs_.bind(node.var, exprs_.interval(value));
        const Stmt body = rewrite(node.body);
        exprs_.bind(node.var, std::nullopt);
        if (is_nothing(body) || !uses(body, node.var)) return body;
        if (value == node.value && body == node.body) return handle(node);
        return kept(Let::make(node.var, value, body), node);
    }

    Stmt rewrite_node(const Alloc& node) override {
        const Stmt body = rewrite(node.body);
        if (is_nothing(body) || !mentions(body, node.buffer)) return body;
        return body == node.body ? Stmt(handle(node)) : kept(Alloc::make(node.buffer, body), node);
    }

    Stmt rewrite_node(const Seq& node) override {
        std::vector<Stmt> stmts;
        for (const Stmt& stmt : node.stmts) {
            Stmt next = rewrite(stmt);
            if (!is_nothing(next)) stmts.push_back(std::move(next));
        }
        return stmts == node.stmts ? Stmt(handle(node)) : Seq::make(std::move(stmts));
    }

    Stmt rewrite_node(const Block& node) override {
        Block::Fields fields;
        fields.name = node.fields.name;
        fields.annotations = node.fields.annotations;
        if (node.fields.predicate) fields.predicate = rewrite(node.fields.predicate);
        if (const IntImm* known = as<IntImm>(fields.predicate)) {
            if (!known->value) return nothing();
            fields.predicate = nullptr;
        }
        const Bounds outside = exprs_.bounds();
        if (fields.predicate) exprs_.set_bounds(exprs_.refined(fields.predicate, true));
        bool changed = fields.predicate != node.fields.predicate;
        for (const BlockIter& iter : node.fields.iters) {
            fields.iters.push_back({iter.var, rewrite(iter.extent), iter.kind, rewrite(iter.binding)});
            changed |= fields.iters.back().extent != iter.extent || fields.iters.back().binding != iter.binding;
        }
        for (const BlockIter& iter : fields.iters) exprs_.bind(iter.var, iterator_interval(iter));
        for (const Region& region : node.fields.reads) fields.reads.push_back(rewrite_region(region, changed));
        for (const Region& region : node.fields.writes) fields.writes.push_back(rewrite_region(region, changed));
        if (node.fields.init) fields.init = rewrite(node.fields.init);
        if (fields.init && is_nothing(fields.init)) fields.init = nullptr;
        fields.body = rewrite(node.fields.body);
        changed |= fields.init != node.fields.init || fields.body != node.fields.body;
        exprs_.set_bounds(outside);
        if (!fields.init && is_nothing(fields.body)) return nothing();
        return changed ? Block::make(std::move(fields), node.origin) : Stmt(handle(node));
    }

  private:
    Stmt rewrite_where(const Stmt& stmt, const Expr& condition, bool truth) {
        const Bounds outside = exprs_.bounds();
        exprs_.set_bounds(exprs_.refined(condition, truth));
        Stmt result = rewrite(stmt);
        exprs_.set_bounds(outside);
        return result;
    }

    /// Within [0, extent), and within what its binding can be.
    std::optional<Interval> iterator_interval(const BlockIter& iter) {
        const std::optional<Interval> extent = exprs_.interval(iter.extent), binding = exprs_.interval(iter.binding);
        if (!extent || extent->max < 1) return binding;
        Interval interval{0, extent->max - 1};
        if (binding && std::max(interval.min, binding->min) <= std::min(interval.max, binding->max))
            interval = {std::max(interval.min, binding->min), std::min(interval.max, binding->max)};
        return interval;
    }

    static Stmt kept(const Stmt& stmt, const Node& old) { return with_origin(stmt, unite(old.origin, stmt->origin)); }

    ExprSimplifier exprs_;
};

} // namespace

Stmt simplify(const Stmt& stmt) {
    Stmt result = stmt;
    for (int pass = 0; pass < kPasses; ++pass) {
        Stmt next = StmtSimplifier().rewrite(result);
        if (next == result) break;
        result = std::move(next);
    }
    return result;
}

Program simplify(const Program& program) {
    Stmt body = simplify(program->body);
    if (body == program->body) return program;
    return make_program(program->name, program->params, program->input_count, std::move(body), program->origin);
}

} // namespace orrery::tensor
