#include "core/tensor/visitor.hpp"

namespace orrery::tensor {

namespace {

/// `stmt` with that origin, in place when nobody else holds it yet.
Stmt stamp(Stmt stmt, const OriginSet& origin) {
    if (stmt->origin == origin) return stmt;
    if (!stmt->unique()) return with_origin(stmt, origin);
    const_cast<StmtNode&>(*stmt).origin = origin;
    return stmt;
}

/// A rebuilt statement holds what the old one came from and what its new children brought.
Stmt rebuilt(Stmt stmt, const Node& old) {
    OriginSet origin = unite(old.origin, stmt->origin);
    return stamp(std::move(stmt), origin);
}

} // namespace

Expr Rewriter::rewrite(const Expr& expr) {
    switch (expr->kind) {
// clang-format off
#define ORRERY_EXPR(Name)                                                                                              \
    case NodeKind::Name: return rewrite_node(static_cast<const Name&>(*expr));
#include "core/tensor/tensor_nodes.def"
        // clang-format on
    default: fail_internal("an expression has an expression's kind");
    }
}

Stmt Rewriter::rewrite(const Stmt& stmt) {
    const auto dispatch = [&]() -> Stmt {
        switch (stmt->kind) {
// clang-format off
#define ORRERY_STMT(Name)                                                                                              \
    case NodeKind::Name: return rewrite_node(static_cast<const Name&>(*stmt));
#include "core/tensor/tensor_nodes.def"
            // clang-format on
        default: fail_internal("a statement has a statement's kind");
        }
    };
    Stmt result = dispatch();
    ORRERY_ASSERT(result != nullptr, "a statement is removed by an empty sequence");
    if (result != stmt && result->origin.empty() && !stmt->origin.empty())
        result = stamp(std::move(result), stmt->origin);
    return result;
}

Program Rewriter::rewrite(const Program& program) {
    Stmt body = rewrite(program->body);
    if (body == program->body) return program;
    return make_program(program->name, program->params, program->input_count, std::move(body), program->origin);
}

std::vector<Expr> Rewriter::rewrite_all(const std::vector<Expr>& exprs, bool& changed) {
    std::vector<Expr> out;
    out.reserve(exprs.size());
    for (const Expr& expr : exprs) {
        out.push_back(rewrite(expr));
        changed |= out.back() != expr;
    }
    return out;
}

Region Rewriter::rewrite_region(const Region& region, bool& changed) {
    Buffer buffer = rewrite_buffer(region.buffer);
    changed |= buffer != region.buffer;
    std::vector<Expr> min = rewrite_all(region.min, changed);
    return {std::move(buffer), std::move(min), rewrite_all(region.extent, changed)};
}

Expr Rewriter::rewrite_node(const IntImm& node) { return handle(node); }
Expr Rewriter::rewrite_node(const FloatImm& node) { return handle(node); }
Expr Rewriter::rewrite_node(const Var& node) { return handle(node); }

Expr Rewriter::rewrite_node(const Binary& node) {
    Expr a = rewrite(node.a), b = rewrite(node.b);
    if (a == node.a && b == node.b) return handle(node);
    return Binary::make(node.op, std::move(a), std::move(b));
}

Expr Rewriter::rewrite_node(const Call& node) {
    bool changed = false;
    std::vector<Expr> args = rewrite_all(node.args, changed);
    if (!changed) return handle(node);
    return Call::make(node.intrinsic, std::move(args));
}

Expr Rewriter::rewrite_node(const Cast& node) {
    Expr value = rewrite(node.value);
    if (value == node.value) return handle(node);
    return Cast::make(node.dtype, std::move(value));
}

Expr Rewriter::rewrite_node(const Select& node) {
    Expr condition = rewrite(node.condition);
    Expr then_value = rewrite(node.then_value), else_value = rewrite(node.else_value);
    if (condition == node.condition && then_value == node.then_value && else_value == node.else_value)
        return handle(node);
    return Select::make(std::move(condition), std::move(then_value), std::move(else_value));
}

Expr Rewriter::rewrite_node(const Load& node) {
    bool changed = false;
    Buffer buffer = rewrite_buffer(node.buffer);
    std::vector<Expr> indices = rewrite_all(node.indices, changed);
    if (!changed && buffer == node.buffer) return handle(node);
    return Load::make(std::move(buffer), std::move(indices));
}

Stmt Rewriter::rewrite_node(const Store& node) {
    bool changed = false;
    Buffer buffer = rewrite_buffer(node.buffer);
    std::vector<Expr> indices = rewrite_all(node.indices, changed);
    Expr value = rewrite(node.value);
    if (!changed && buffer == node.buffer && value == node.value) return handle(node);
    return Store::make(std::move(buffer), std::move(indices), std::move(value), node.origin);
}

Stmt Rewriter::rewrite_node(const ExternCall& node) {
    bool changed = false;
    std::vector<ExternCall::Operand> operands;
    for (const ExternCall::Operand& operand : node.operands) {
        if (operand.number == nullptr) {
            operands.push_back({rewrite_region(operand.region, changed), operand.mode, nullptr});
            continue;
        }
        operands.push_back({{}, operand.mode, rewrite(operand.number)});
        changed |= operands.back().number != operand.number;
    }
    if (!changed) return handle(node);
    return ExternCall::make(node.symbol, std::move(operands), node.origin);
}

Stmt Rewriter::rewrite_node(const Prefetch& node) {
    bool changed = false;
    Buffer buffer = rewrite_buffer(node.buffer);
    std::vector<Expr> indices = rewrite_all(node.indices, changed);
    if (!changed && buffer == node.buffer) return handle(node);
    return Prefetch::make(std::move(buffer), std::move(indices), node.origin);
}

Stmt Rewriter::rewrite_node(const For& node) {
    Expr extent = rewrite(node.extent);
    Stmt body = rewrite(node.body);
    if (extent == node.extent && body == node.body) return handle(node);
    return rebuilt(For::make(node.var, std::move(extent), node.loop, std::move(body), node.annotations), node);
}

Stmt Rewriter::rewrite_node(const If& node) {
    Expr condition = rewrite(node.condition);
    Stmt then_body = rewrite(node.then_body);
    Stmt else_body = node.else_body ? rewrite(node.else_body) : nullptr;
    if (condition == node.condition && then_body == node.then_body && else_body == node.else_body) return handle(node);
    return rebuilt(If::make(std::move(condition), std::move(then_body), std::move(else_body)), node);
}

Stmt Rewriter::rewrite_node(const Let& node) {
    Expr value = rewrite(node.value);
    Stmt body = rewrite(node.body);
    if (value == node.value && body == node.body) return handle(node);
    return rebuilt(Let::make(node.var, std::move(value), std::move(body)), node);
}

Stmt Rewriter::rewrite_node(const Alloc& node) {
    Buffer buffer = rewrite_buffer(node.buffer);
    Stmt body = rewrite(node.body);
    if (buffer == node.buffer && body == node.body) return handle(node);
    return rebuilt(Alloc::make(std::move(buffer), std::move(body)), node);
}

Stmt Rewriter::rewrite_node(const Block& node) {
    bool changed = false;
    Block::Fields fields;
    for (const BlockIter& iter : node.fields.iters) {
        fields.iters.push_back({iter.var, rewrite(iter.extent), iter.kind, rewrite(iter.binding)});
        changed |= fields.iters.back().extent != iter.extent || fields.iters.back().binding != iter.binding;
    }
    if (node.fields.predicate) fields.predicate = rewrite(node.fields.predicate);
    for (const Region& region : node.fields.reads) fields.reads.push_back(rewrite_region(region, changed));
    for (const Region& region : node.fields.writes) fields.writes.push_back(rewrite_region(region, changed));
    if (node.fields.init) fields.init = rewrite(node.fields.init);
    fields.body = rewrite(node.fields.body);
    changed |=
        fields.predicate != node.fields.predicate || fields.init != node.fields.init || fields.body != node.fields.body;
    if (!changed) return handle(node);
    fields.name = node.fields.name;
    fields.annotations = node.fields.annotations;
    OriginSet origin = unite(node.origin, fields.body->origin);
    return Block::make(std::move(fields), std::move(origin));
}

Stmt Rewriter::rewrite_node(const Seq& node) {
    bool changed = false;
    std::vector<Stmt> stmts;
    stmts.reserve(node.stmts.size());
    for (const Stmt& stmt : node.stmts) {
        stmts.push_back(rewrite(stmt));
        changed |= stmts.back() != stmt;
    }
    if (!changed) return handle(node);
    // What is left of a sequence keeps its own origins: a single statement is not the whole of it.
    return Seq::make(std::move(stmts));
}

// ------------------------------------------------------------------------------- substitution

namespace {

class Substituter final : public Rewriter {
  public:
    Substituter(const VarMap& vars, const BufferMap& buffers) : vars_(vars), buffers_(buffers) {}
    using Rewriter::rewrite;

  protected:
    using Rewriter::rewrite_node;

    Expr rewrite_node(const Var& node) override {
        const auto found = vars_.find(handle(node));
        if (found == vars_.end()) return handle(node);
        ORRERY_ASSERT(found->second->dtype == node.dtype, node.name + ": substituted by a value of its dtype");
        return found->second;
    }

    /// A buffer allocated below may have a shape in terms of the variables replaced.
    Stmt rewrite_node(const Alloc& node) override {
        bool changed = false;
        std::vector<Expr> shape = rewrite_all(node.buffer->shape, changed);
        if (changed && !buffers_.contains(node.buffer)) {
            const BufferNode& old = *node.buffer;
            reshaped_[node.buffer] = make_ref<const BufferNode>(old.name, old.dtype, std::move(shape), old.scope);
        }
        return Rewriter::rewrite_node(node);
    }

    Buffer rewrite_buffer(const Buffer& buffer) override {
        if (const auto found = buffers_.find(buffer); found != buffers_.end()) {
            ORRERY_ASSERT(found->second->dtype == buffer->dtype && found->second->rank() == buffer->rank(),
                          buffer->name + ": substituted by a buffer of its dtype and rank");
            return found->second;
        }
        const auto found = reshaped_.find(buffer);
        return found == reshaped_.end() ? buffer : found->second;
    }

  private:
    const VarMap& vars_;
    const BufferMap& buffers_;
    BufferMap reshaped_;
};

} // namespace

Expr substitute(const Expr& expr, const VarMap& map) {
    const BufferMap none;
    return map.empty() ? expr : Substituter(map, none).rewrite(expr);
}

Stmt substitute(const Stmt& stmt, const VarMap& map) {
    const BufferMap none;
    return map.empty() ? stmt : Substituter(map, none).rewrite(stmt);
}

Stmt substitute_buffers(const Stmt& stmt, const BufferMap& map) {
    const VarMap none;
    return map.empty() ? stmt : Substituter(none, map).rewrite(stmt);
}

} // namespace orrery::tensor
