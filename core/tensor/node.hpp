#pragma once
// Tensor IR: loop nests over explicit buffers, with blocks. What a program means:
//
// Integers. Index arithmetic is i64 and must not overflow. Add, Sub, Mul of narrower integers wrap
//   modulo 2^bits. FloorDiv rounds towards minus infinity and FloorMod has the divisor's sign;
//   Div of integers truncates towards zero and Rem has the dividend's sign. Division by zero and
//   INT_MIN / -1 give 0 (Rem: 0). Shifts by the width or more give 0 (-1 for Shr of a negative).
// Floats. IEEE 754 in the node's own dtype; f16 and bf16 are computed in f32 and rounded after every
//   operation. No reassociation, no contraction, unless a schedule step or build option asks for it.
//   Min and Max return the other operand when one is NaN. Comparisons with NaN are false, Ne is true.
// Bool. And, Or evaluate the right side only when the left does not decide. Select evaluates
//   its condition and then only the chosen arm: an arm that is not chosen may index out of bounds.
// Casts. Float to integer truncates towards zero and saturates, NaN gives 0; integer to narrower integer
//   wraps; to Bool is `!= 0`.
// Buffers. Two buffers never alias. A Load or Store outside the shape is a broken invariant. A Load of
//   an element never stored is undefined (the interpreter reports it for allocated buffers it fills with NaN).
// Order. Statements run in order. `Serial`, `Unrolled` and `Vectorized` loops run iterations in order as if
//   one by one: vectorizing is legal only when no iteration depends on another. `Parallel` iterations may
//   run in any order and at once, and must not touch what another one writes.
// Blocks. A block's iterators are bound once per execution to its bindings. `init` runs before `body` in those
//   executions in which every Reduce iterator is 0. An execution whose predicate is false does nothing.

#include "core/base/check.hpp"
#include "core/base/dtype.hpp"
#include "core/base/object.hpp"
#include "core/base/origin.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace orrery::tensor {

enum class NodeKind : std::uint8_t {
#define ORRERY_EXPR(Name) Name,
#define ORRERY_STMT(Name) Name,
#include "core/tensor/tensor_nodes.def"
};

/// Common to all nodes. `origin` is left out of equality and hash.
class Node : public Object {
  public:
    const NodeKind kind;
    OriginSet origin;

  protected:
    explicit Node(NodeKind k) : kind(k) {}
};

/// A node with a value of one element type.
class ExprNode : public Node {
  public:
    const DType dtype;

  protected:
    ExprNode(NodeKind k, DType type) : Node(k), dtype(type) {}
};

class StmtNode : public Node {
  protected:
    using Node::Node;
};

using Expr = Ref<const ExprNode>;
using Stmt = Ref<const StmtNode>;

/// The node as its kind, or null. Example: `if (const Load* load = as<Load>(expr))`.
template <class T, class Base> const T* as(const Ref<const Base>& ref) {
    return ref && ref->kind == T::kKind ? static_cast<const T*>(ref.get()) : nullptr;
}
template <class T> const T* as(const Node* node) {
    return node && node->kind == T::kKind ? static_cast<const T*>(node) : nullptr;
}

/// Where a buffer lives: the whole program's memory, one thread's stack (a cache tile), or registers
/// (every index must be constant after unrolling and vectorizing).
enum class Scope : std::uint8_t { Global, Stack, Registers };

/// A dense row-major array. Compared by identity; `name` is a hint that the printer makes unique.
class BufferNode final : public Object {
  public:
    BufferNode(std::string name, DType dtype, std::vector<Expr> shape, Scope scope);
    const std::string name;
    const DType dtype;
    const std::vector<Expr> shape; ///< Units: elements; i64 expressions, constants in static programs
    const Scope scope;

    [[nodiscard]] std::size_t rank() const { return shape.size(); }
    /// Pre: every extent is an IntImm.
    [[nodiscard]] std::vector<std::int64_t> static_shape() const;
    [[nodiscard]] std::int64_t static_size() const; ///< Units: elements. Pre: as static_shape.
};
using Buffer = Ref<const BufferNode>;
[[nodiscard]] Buffer make_buffer(std::string name, DType dtype, const std::vector<std::int64_t>& shape,
                                 Scope scope = Scope::Global);

// ---------------------------------------------------------------------------------- expressions

class IntImm final : public ExprNode {
  public:
    static constexpr NodeKind kKind = NodeKind::IntImm;
    /// Pre: dtype is an integer or Bool; `value` fits.
    static Expr make(DType dtype, std::int64_t value);
    const std::int64_t value;

  private:
    IntImm(DType t, std::int64_t v) : ExprNode(kKind, t), value(v) {}
};

class FloatImm final : public ExprNode {
  public:
    static constexpr NodeKind kKind = NodeKind::FloatImm;
    /// `value` is rounded to the dtype. Pre: dtype is a float.
    static Expr make(DType dtype, double value);
    const double value;

  private:
    FloatImm(DType t, double v) : ExprNode(kKind, t), value(v) {}
};

/// A loop variable, block iterator, let-bound value or size parameter; compared by identity.
class Var final : public ExprNode {
  public:
    static constexpr NodeKind kKind = NodeKind::Var;
    static Ref<const Var> make(std::string name, DType dtype = DType::I64);
    const std::string name;

  private:
    Var(DType t, std::string n) : ExprNode(kKind, t), name(std::move(n)) {}
};
using VarRef = Ref<const Var>;

enum class BinaryOp : std::uint8_t {
    Add, Sub, Mul, Div, Rem, FloorDiv, FloorMod, Min, Max, And, Or, BitAnd, BitOr, BitXor, Shl, Shr, Eq, Ne, Lt, Le, Gt, Ge
};
[[nodiscard]] constexpr bool is_comparison(BinaryOp op) { return op >= BinaryOp::Eq; }

class Binary final : public ExprNode {
  public:
    static constexpr NodeKind kKind = NodeKind::Binary;
    /// The result has the operands' dtype, Bool for comparisons. Pre: equal dtypes; And, Or: Bool;
    /// FloorDiv, FloorMod, Rem, bit operations and shifts: integers. Folds nothing.
    static Expr make(BinaryOp op, Expr a, Expr b);
    const BinaryOp op;
    const Expr a, b;

  private:
    Binary(DType t, BinaryOp o, Expr x, Expr y) : ExprNode(kKind, t), op(o), a(std::move(x)), b(std::move(y)) {}
};

/// Functions of values. All take and return one dtype, except IsNan and IsInf (to Bool) and Not (Bool only);
/// BitNot, CountOnes take integers. Round is to nearest even. Pow and Fmod take two operands.
enum class Intrinsic : std::uint8_t {
    Neg, Not, BitNot, Abs, Sign, Sqrt, Exp, Log, Sin, Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Tanh, Asinh, Acosh, Atanh,
    Erf, Floor, Ceil, Round, Trunc, Pow, Fmod, IsNan, IsInf, CountOnes
};
[[nodiscard]] int arity(Intrinsic intrinsic);

class Call final : public ExprNode {
  public:
    static constexpr NodeKind kKind = NodeKind::Call;
    static Expr make(Intrinsic intrinsic, std::vector<Expr> args);
    const Intrinsic intrinsic;
    const std::vector<Expr> args;

  private:
    Call(DType t, Intrinsic i, std::vector<Expr> a) : ExprNode(kKind, t), intrinsic(i), args(std::move(a)) {}
};

class Cast final : public ExprNode {
  public:
    static constexpr NodeKind kKind = NodeKind::Cast;
    /// Returns `value` itself when it already has the dtype.
    static Expr make(DType dtype, Expr value);
    const Expr value;

  private:
    Cast(DType t, Expr v) : ExprNode(kKind, t), value(std::move(v)) {}
};

class Select final : public ExprNode {
  public:
    static constexpr NodeKind kKind = NodeKind::Select;
    /// Pre: condition is Bool, both arms have one dtype.
    static Expr make(Expr condition, Expr then_value, Expr else_value);
    const Expr condition, then_value, else_value;

  private:
    Select(Expr c, Expr t, Expr e)
        : ExprNode(kKind, t->dtype), condition(std::move(c)), then_value(std::move(t)), else_value(std::move(e)) {}
};

class Load final : public ExprNode {
  public:
    static constexpr NodeKind kKind = NodeKind::Load;
    /// Pre: one i64 index per dimension.
    static Expr make(Buffer buffer, std::vector<Expr> indices);
    const Buffer buffer;
    const std::vector<Expr> indices;

  private:
    Load(Buffer b, std::vector<Expr> i) : ExprNode(kKind, b->dtype), buffer(std::move(b)), indices(std::move(i)) {}
};

// ----------------------------------------------------------------------------------- statements

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
        : StmtNode(kKind), var(std::move(v)), extent(std::move(e)), loop(l), body(std::move(b)), annotations(std::move(a)) {}
};

class If final : public StmtNode {
  public:
    static constexpr NodeKind kKind = NodeKind::If;
    static Stmt make(Expr condition, Stmt then_body, Stmt else_body = nullptr);
    const Expr condition;
    const Stmt then_body, else_body; ///< else_body may be null

  private:
    If(Expr c, Stmt t, Stmt e) : StmtNode(kKind), condition(std::move(c)), then_body(std::move(t)), else_body(std::move(e)) {}
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

/// A box of a buffer in terms of block iterators: dimension d covers [min[d], min[d] + extent[d]).
struct Region {
    Buffer buffer;
    std::vector<Expr> min, extent;
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
