#pragma once
// Values of tensor IR: node kinds, buffers, expressions. What they mean: core/tensor/node.hpp.

#include "core/base/check.hpp"
#include "core/base/dtype.hpp"
#include "core/base/object.hpp"
#include "core/base/origin.hpp"

#include <cstdint>
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

// clang-format off
enum class BinaryOp : std::uint8_t {
    Add, Sub, Mul, Div, Rem, FloorDiv, FloorMod, Min, Max, And, Or, BitAnd, BitOr, BitXor, Shl, Shr, Eq, Ne, Lt, Le, Gt, Ge
};
// clang-format on
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

// clang-format off
/// Functions of values. All take and return one dtype, except IsNan and IsInf (to Bool) and Not (Bool only);
/// BitNot, CountOnes take integers. Round is to nearest even. Pow and Fmod take two operands.
enum class Intrinsic : std::uint8_t {
    Neg, Not, BitNot, Abs, Sign, Sqrt, Exp, Log, Sin, Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Tanh, Asinh, Acosh, Atanh,
    Erf, Floor, Ceil, Round, Trunc, Pow, Fmod, IsNan, IsInf, CountOnes
};
// clang-format on
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

} // namespace orrery::tensor
