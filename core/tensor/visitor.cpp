#include "core/tensor/visitor.hpp"

namespace orrery::tensor {

void Visitor::visit(const Expr& expr) {
    switch (expr->kind) {
// clang-format off
#define ORRERY_EXPR(Name)                                                                                              \
    case NodeKind::Name: return visit_node(static_cast<const Name&>(*expr));
#include "core/tensor/tensor_nodes.def"
        // clang-format on
    default: fail_internal("an expression has an expression's kind");
    }
}

void Visitor::visit(const Stmt& stmt) {
    switch (stmt->kind) {
// clang-format off
#define ORRERY_STMT(Name)                                                                                              \
    case NodeKind::Name: return visit_node(static_cast<const Name&>(*stmt));
#include "core/tensor/tensor_nodes.def"
        // clang-format on
    default: fail_internal("a statement has a statement's kind");
    }
}

void Visitor::visit_node(const IntImm&) {}
void Visitor::visit_node(const FloatImm&) {}
void Visitor::visit_node(const Var&) {}

void Visitor::visit_node(const Binary& node) {
    visit(node.a);
    visit(node.b);
}

void Visitor::visit_node(const Call& node) {
    for (const Expr& arg : node.args) visit(arg);
}

void Visitor::visit_node(const Cast& node) { visit(node.value); }

void Visitor::visit_node(const Select& node) {
    visit(node.condition);
    visit(node.then_value);
    visit(node.else_value);
}

void Visitor::visit_node(const Load& node) {
    for (const Expr& index : node.indices) visit(index);
}

void Visitor::visit_node(const Store& node) {
    for (const Expr& index : node.indices) visit(index);
    visit(node.value);
}

void Visitor::visit_node(const ExternCall& node) {
    for (const ExternCall::Operand& operand : node.operands) {
        if (operand.number != nullptr) visit(operand.number);
        for (const Expr& min : operand.region.min) visit(min);
        for (const Expr& extent : operand.region.extent) visit(extent);
    }
}

void Visitor::visit_node(const Prefetch& node) {
    for (const Expr& index : node.indices) visit(index);
}

void Visitor::visit_node(const For& node) {
    visit(node.extent);
    visit(node.body);
}

void Visitor::visit_node(const If& node) {
    visit(node.condition);
    visit(node.then_body);
    if (node.else_body) visit(node.else_body);
}

void Visitor::visit_node(const Let& node) {
    visit(node.value);
    visit(node.body);
}

void Visitor::visit_node(const Alloc& node) {
    for (const Expr& extent : node.buffer->shape) visit(extent);
    visit(node.body);
}

void Visitor::visit_node(const Block& node) {
    for (const BlockIter& iter : node.fields.iters) {
        visit(iter.extent);
        visit(iter.binding);
    }
    if (node.fields.predicate) visit(node.fields.predicate);
    for (const std::vector<Region>* regions : {&node.fields.reads, &node.fields.writes})
        for (const Region& region : *regions) {
            for (const Expr& min : region.min) visit(min);
            for (const Expr& extent : region.extent) visit(extent);
        }
    if (node.fields.init) visit(node.fields.init);
    visit(node.fields.body);
}

void Visitor::visit_node(const Seq& node) {
    for (const Stmt& stmt : node.stmts) visit(stmt);
}

void StmtVisitor::visit_node(const If& node) {
    visit(node.then_body);
    if (node.else_body) visit(node.else_body);
}

void StmtVisitor::visit_node(const Block& node) {
    if (node.fields.init) visit(node.fields.init);
    visit(node.fields.body);
}

} // namespace orrery::tensor
