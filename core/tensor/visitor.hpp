#pragma once
// Three ways over tensor IR: a lax walk, a strict visit of every kind, and a rewriter that shares what it keeps.

#include "core/tensor/node.hpp"

namespace orrery::tensor {

/// Walks everything; override the kinds of interest and call the base to go on below.
class Visitor {
  public:
    virtual ~Visitor() = default;
    void visit(const Expr& expr);
    void visit(const Stmt& stmt);

  protected:
// clang-format off
#define ORRERY_EXPR(Name) virtual void visit_node(const Name& node);
#define ORRERY_STMT(Name) virtual void visit_node(const Name& node);
#include "core/tensor/tensor_nodes.def"
    // clang-format on
};

/// Walks statements only. Expressions may share parts many times over, so that a walk through them takes long.
class StmtVisitor : public Visitor {
  protected:
    using Visitor::visit_node;
    void visit_node(const Store&) override {}
    void visit_node(const ExternCall&) override {}
    void visit_node(const Prefetch&) override {}
    void visit_node(const For& node) override { visit(node.body); }
    void visit_node(const If& node) override;
    void visit_node(const Let& node) override { visit(node.body); }
    void visit_node(const Alloc& node) override { visit(node.body); }
    void visit_node(const Block& node) override; ///< init, then body
};

/// One pure function a kind: a client that must handle a new node fails to compile until it does.
template <class R, class... Args> class StrictVisitor {
  public:
    virtual ~StrictVisitor() = default;
    R dispatch(const Node& node, Args... args) {
        switch (node.kind) {
// clang-format off
#define ORRERY_EXPR(Name)                                                                                    \
    case NodeKind::Name: return visit_node(static_cast<const Name&>(node), args...);
#define ORRERY_STMT(Name)                                                                                    \
    case NodeKind::Name: return visit_node(static_cast<const Name&>(node), args...);
#include "core/tensor/tensor_nodes.def"
            // clang-format on
        }
        fail_internal("dispatch covers every kind");
    }

  protected:
// clang-format off
#define ORRERY_EXPR(Name) virtual R visit_node(const Name& node, Args... args) = 0;
#define ORRERY_STMT(Name) virtual R visit_node(const Name& node, Args... args) = 0;
#include "core/tensor/tensor_nodes.def"
    // clang-format on
};

/// Rebuilds bottom-up. A node none of whose children changed is returned as the same handle; a rebuilt
/// statement keeps the origin of the one it replaces unless it brings its own.
class Rewriter {
  public:
    virtual ~Rewriter() = default;
    Expr rewrite(const Expr& expr);
    Stmt rewrite(const Stmt& stmt);
    /// Over the body; the same program when nothing changed.
    Program rewrite(const Program& program);

  protected:
// clang-format off
#define ORRERY_EXPR(Name) virtual Expr rewrite_node(const Name& node);
#define ORRERY_STMT(Name) virtual Stmt rewrite_node(const Name& node);
#include "core/tensor/tensor_nodes.def"
    // clang-format on
    /// Where buffers are mentioned (loads, stores, regions, extern calls, prefetches, allocations); returns `buffer` by
    /// default.
    virtual Buffer rewrite_buffer(const Buffer& buffer) { return buffer; }
    std::vector<Expr> rewrite_all(const std::vector<Expr>& exprs, bool& changed);
    Region rewrite_region(const Region& region, bool& changed);
};

/// The handle of a node a visitor was given.
template <class T> Ref<const T> handle(const T& node) { return Ref<const T>(&node); }

/// Replaces variables by expressions of the same dtype, everywhere below.
using VarMap = std::map<VarRef, Expr>;
[[nodiscard]] Expr substitute(const Expr& expr, const VarMap& map);
[[nodiscard]] Stmt substitute(const Stmt& stmt, const VarMap& map);
/// Replaces buffers of equal rank and dtype everywhere below.
using BufferMap = std::map<Buffer, Buffer>;
[[nodiscard]] Stmt substitute_buffers(const Stmt& stmt, const BufferMap& map);

} // namespace orrery::tensor
