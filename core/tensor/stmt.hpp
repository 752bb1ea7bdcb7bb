#pragma once
// Statements, blocks and programs of tensor IR. What they mean: core/tensor/node.hpp.

#include "core/tensor/expr.hpp"

#include <map>

namespace orrery::tensor {

class Store final : public StmtNode {
  public:
    static constexpr NodeKind kKind = NodeKind::Store;
    static Stmt make(Buffer buffer, std::vector<Expr> indices, Expr value, OriginSet origin = {});
    const Buffer buffer;
    const std::vector<Expr> indices;
    const Expr value;

  private:
    Store(Buffer b, std::vector<Expr> i, Expr v)
        : StmtNode(kKind), buffer(std::move(b)), indices(std::move(i)), value(std::move(v)) {}
};

/// What an extern function does with a buffer it is given.
enum class AccessMode : std::uint8_t { Read, Write, ReadWrite };

/// A box of a buffer in terms of what is bound around it: dimension d covers [min[d], min[d] + extent[d]).
struct Region {
    Buffer buffer;
    std::vector<Expr> min, extent;
};

/// Calls a function written outside of the compiler, known by its symbol (core/runtime/externs.hpp). It touches the
/// boxes it is given and nothing else; what it does inside of them is not known, so that two calls may touch the same
/// element whenever their boxes meet.
class ExternCall final : public StmtNode {
  public:
    static constexpr NodeKind kKind = NodeKind::ExternCall;
    /// access_ptr(box, mode), or a number.
    struct Operand {
        Region region;
        AccessMode mode = AccessMode::Read;
        Expr number; ///< i64; null for a box
        [[nodiscard]] bool reads() const { return number == nullptr && mode != AccessMode::Write; }
        [[nodiscard]] bool writes() const { return number == nullptr && mode != AccessMode::Read; }
    };
    /// Pre: a box has one i64 range a dimension.
    static Stmt make(std::string symbol, std::vector<Operand> operands, OriginSet origin = {});
    const std::string symbol;
    const std::vector<Operand> operands;

  private:
    ExternCall(std::string s, std::vector<Operand> o) : StmtNode(kKind), symbol(std::move(s)), operands(std::move(o)) {}
};

/// Asks for the cache line of an element before it is needed. Changes nothing and reads nothing, so that indices may
/// lie outside of the buffer.
class Prefetch final : public StmtNode {
  public:
    static constexpr NodeKind kKind = NodeKind::Prefetch;
    static Stmt make(Buffer buffer, std::vector<Expr> indices, OriginSet origin = {});
    const Buffer buffer;
    const std::vector<Expr> indices;

  private:
    Prefetch(Buffer b, std::vector<Expr> i) : StmtNode(kKind), buffer(std::move(b)), indices(std::move(i)) {}
};

enum class LoopKind : std::uint8_t { Serial, Parallel, Vectorized, Unrolled };

/// Free-form hints on loops and blocks, kept by every transformation ("pragma" -> "...").
using Annotations = std::map<std::string, std::string>;

/// Runs `body` for var = 0, 1, ..., extent - 1.
class For final : public StmtNode {
  public:
    static constexpr NodeKind kKind = NodeKind::For;
    /// Pre: var and extent are i64.
    static Stmt make(VarRef var, Expr extent, LoopKind loop, Stmt body, Annotations annotations = {});
    const VarRef var;
    const Expr extent;
    const LoopKind loop;
    const Stmt body;
    const Annotations annotations;

  private:
    For(VarRef v, Expr e, LoopKind l, Stmt b, Annotations a)
        : StmtNode(kKind), var(std::move(v)), extent(std::move(e)), loop(l), body(std::move(b)),
          annotations(std::move(a)) {}
};

class If final : public StmtNode {
  public:
    static constexpr NodeKind kKind = NodeKind::If;
    static Stmt make(Expr condition, Stmt then_body, Stmt else_body = nullptr);
    const Expr condition;
    const Stmt then_body, else_body; ///< else_body may be null

  private:
    If(Expr c, Stmt t, Stmt e)
        : StmtNode(kKind), condition(std::move(c)), then_body(std::move(t)), else_body(std::move(e)) {}
};

/// Binds `var` to the value of `value`, computed once, in `body`.
class Let final : public StmtNode {
  public:
    static constexpr NodeKind kKind = NodeKind::Let;
    static Stmt make(VarRef var, Expr value, Stmt body);
    const VarRef var;
    const Expr value;
    const Stmt body;

  private:
    Let(VarRef v, Expr e, Stmt b) : StmtNode(kKind), var(std::move(v)), value(std::move(e)), body(std::move(b)) {}
};

/// `buffer` exists, uninitialized, during `body`.
class Alloc final : public StmtNode {
  public:
    static constexpr NodeKind kKind = NodeKind::Alloc;
    static Stmt make(Buffer buffer, Stmt body);
    const Buffer buffer;
    const Stmt body;

  private:
    Alloc(Buffer b, Stmt s) : StmtNode(kKind), buffer(std::move(b)), body(std::move(s)) {}
};

enum class IterKind : std::uint8_t { Spatial, Reduce };

/// An iterator of a block: takes every value of [0, extent) over the executions, as `binding` of the loops says.
/// Executions with distinct Spatial values are independent of each other.
struct BlockIter {
    VarRef var;
    Expr extent;
    IterKind kind = IterKind::Spatial;
    Expr binding;
};

/// The unit of scheduling: a computation on its iterators, blind to the loops around it.
class Block final : public StmtNode {
  public:
    static constexpr NodeKind kKind = NodeKind::Block;
    struct Fields {
        std::string name; ///< unique in its program
        std::vector<BlockIter> iters;
        Expr predicate; ///< in terms of the loops; null for always
        std::vector<Region> reads, writes;
        Stmt init; ///< null when there is none
        Stmt body;
        Annotations annotations;
    };
    static Stmt make(Fields fields, OriginSet origin = {});
    const Fields fields;

  private:
    explicit Block(Fields f) : StmtNode(kKind), fields(std::move(f)) {}
};

class Seq final : public StmtNode {
  public:
    static constexpr NodeKind kKind = NodeKind::Seq;
    /// Flattens nested sequences; one statement is returned as it is. An empty list is allowed and does nothing.
    static Stmt make(std::vector<Stmt> stmts);
    const std::vector<Stmt> stmts;

  private:
    explicit Seq(std::vector<Stmt> s) : StmtNode(kKind), stmts(std::move(s)) {}
};

/// A tensor program: `params` are its arrays, the first `input_count` only read, the rest only its results.
class ProgramNode final : public Object {
  public:
    ProgramNode(std::string name, std::vector<Buffer> params, std::size_t input_count, Stmt body, OriginSet origin);
    const std::string name;
    const std::vector<Buffer> params;
    const std::size_t input_count;
    const Stmt body;
    const OriginSet origin;
};
using Program = Ref<const ProgramNode>;
/// Pre: input_count <= params.size().
[[nodiscard]] Program make_program(std::string name, std::vector<Buffer> params, std::size_t input_count, Stmt body,
                                   OriginSet origin = {});

/// A copy of the node with that origin; the same node when it already has it.
[[nodiscard]] Stmt with_origin(const Stmt& stmt, const OriginSet& origin);

} // namespace orrery::tensor
