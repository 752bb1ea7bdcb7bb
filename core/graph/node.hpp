#pragma once
// Graph IR: a functional, typed program in A-normal form. What it means:
//
// A function is parameters, bindings in order, and a result variable. Each binding computes one expression, whose
// operands are variables bound before it (or parameters), and gives it a name and a type. Evaluation is strict, in
// order, without side effects: a binding whose variable nobody uses may be dropped. Functions are closed: they see
// nothing but their parameters. Operator calls mean what the operator's tensor expression says. `If` evaluates one of
// its two functions on `args`. `Loop` is ONNX's: see its node.

#include "core/base/ndarray.hpp"
#include "core/base/object.hpp"
#include "core/base/origin.hpp"
#include "core/graph/attrs.hpp"
#include "core/graph/type.hpp"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace orrery::graph {

class Op;

enum class ExprKind : std::uint8_t { CallOp, CallFunction, Constant, Tuple, Project, If, Loop, FunctionLiteral };

/// A variable: a parameter or a binding's name. Compared by identity; `name` is a hint that the printer makes unique.
class VarNode final : public Object {
  public:
    VarNode(std::string n, Type t) : name(std::move(n)), type(std::move(t)) {}
    const std::string name;
    const Type type; ///< never null
};
using Var = Ref<const VarNode>;
[[nodiscard]] Var make_var(std::string name, Type type);

class ExprNode : public Object {
  public:
    const ExprKind kind;

  protected:
    explicit ExprNode(ExprKind k) : kind(k) {}
};
using Expr = Ref<const ExprNode>;

template <class T> const T* as(const Expr& expr) {
    return expr && expr->kind == T::kKind ? static_cast<const T*>(expr.get()) : nullptr;
}

class FunctionNode;
using Function = Ref<const FunctionNode>;

/// An operator applied to variables. A missing optional operand is a null variable.
class CallOp final : public ExprNode {
  public:
    static constexpr ExprKind kKind = ExprKind::CallOp;
    CallOp(const Op& o, std::vector<Var> a, Attrs at)
        : ExprNode(kKind), op(o), args(std::move(a)), attrs(std::move(at)) {}
    const Op& op; ///< lives in the registry, for ever
    const std::vector<Var> args;
    const Attrs attrs;
};

/// A function applied to variables; after fusion each call of a primitive function is one kernel.
class CallFunction final : public ExprNode {
  public:
    static constexpr ExprKind kKind = ExprKind::CallFunction;
    CallFunction(Function f, std::vector<Var> a) : ExprNode(kKind), function(std::move(f)), args(std::move(a)) {}
    const Function function;
    const std::vector<Var> args;
};

class Constant final : public ExprNode {
  public:
    static constexpr ExprKind kKind = ExprKind::Constant;
    explicit Constant(NDArray v) : ExprNode(kKind), value(std::move(v)) {}
    const NDArray value;
};

class Tuple final : public ExprNode {
  public:
    static constexpr ExprKind kKind = ExprKind::Tuple;
    explicit Tuple(std::vector<Var> f) : ExprNode(kKind), fields(std::move(f)) {}
    const std::vector<Var> fields;
};

class Project final : public ExprNode {
  public:
    static constexpr ExprKind kKind = ExprKind::Project;
    Project(Var t, std::size_t i) : ExprNode(kKind), tuple(std::move(t)), index(i) {}
    const Var tuple;
    const std::size_t index;
};

/// `condition` (bool[]) chooses which function is applied to `args`; both have one type.
class If final : public ExprNode {
  public:
    static constexpr ExprKind kKind = ExprKind::If;
    If(Var c, Function t, Function e, std::vector<Var> a)
        : ExprNode(kKind), condition(std::move(c)), then_function(std::move(t)), else_function(std::move(e)),
          args(std::move(a)) {}
    const Var condition;
    const Function then_function, else_function;
    const std::vector<Var> args;
};

/// body(iteration: i64[], condition: bool[], carried..., captured...) -> (condition, carried..., scanned...), run while
/// the condition holds and fewer than `max_trips` iterations were made; the value is a tuple of the final carried
/// values and, for each scanned output, its values stacked along a new leading axis.
class Loop final : public ExprNode {
  public:
    static constexpr ExprKind kKind = ExprKind::Loop;
    struct Fields {
        Var max_trips; ///< i64[]; null for no limit
        Var condition; ///< bool[]; null for true
        std::vector<Var> carried, captured;
        Function body;
    };
    explicit Loop(Fields f) : ExprNode(kKind), fields(std::move(f)) {}
    const Fields fields;
};

class FunctionLiteral final : public ExprNode {
  public:
    static constexpr ExprKind kKind = ExprKind::FunctionLiteral;
    explicit FunctionLiteral(Function f) : ExprNode(kKind), function(std::move(f)) {}
    const Function function;
};

/// `var = value`. `origin` is left out of equality and hash.
struct Binding {
    Var var;
    Expr value;
    OriginSet origin;
};

/// Attributes a function may carry: "primitive" (flag: one kernel), "kind" (text: fusion kind of the group), "backend"
/// (text: who compiles it, when that is not the target's code generator), "composite" (text: the pattern it matches).
class FunctionNode final : public Object {
  public:
    FunctionNode(std::string n, std::vector<Var> p, std::vector<Binding> b, Var r, Attrs a)
        : name(std::move(n)), params(std::move(p)), bindings(std::move(b)), result(std::move(r)), attrs(std::move(a)) {}
    ~FunctionNode() override;
    const std::string name; ///< a hint; the printer makes it unique in a module
    const std::vector<Var> params;
    const std::vector<Binding> bindings;
    const Var result;
    const Attrs attrs;
    [[nodiscard]] bool primitive() const { return attrs.flag("primitive"); }
    [[nodiscard]] Type type() const;
};
[[nodiscard]] Function make_function(std::string name, std::vector<Var> params, std::vector<Binding> bindings,
                                     Var result, Attrs attrs = {});

/// A node of the model file, as its author named it; what OriginSets point to.
struct Source {
    std::string name;    ///< "/layer1/0/conv1/Conv"; made from the operator and a number when the file has none
    std::string op_type; ///< the framework's operator name
};

/// A whole model at one point of the recipe. The value of `main` is a tensor or a tuple; `outputs` names its parts.
struct Module {
    Function main;
    std::vector<std::string> outputs;                   ///< the model's output names, one a result
    std::shared_ptr<const std::vector<Source>> sources; ///< shared by all modules of one model; never null
};

/// Variables an expression uses, in order; functions inside are closed and not entered.
[[nodiscard]] std::vector<Var> operands(const Expr& expr);
/// The same kind of expression over other variables; the same handle when none differs.
/// Pre: as many as operands() returned.
[[nodiscard]] Expr with_operands(const Expr& expr, std::span<const Var> replacement);
/// Functions inside an expression (called, branches, body, literal).
[[nodiscard]] std::vector<Function> inner_functions(const Expr& expr);
/// The same kind of expression over other functions; the same handle when none differs.
/// Pre: as many as inner_functions() returned.
[[nodiscard]] Expr with_inner_functions(const Expr& expr, std::span<const Function> replacement);

/// Equal up to names and origins; constants by content.
[[nodiscard]] bool structural_equal(const Function& a, const Function& b);
[[nodiscard]] bool structural_equal(const Module& a, const Module& b);
/// The same on every run; cost linear in the program plus one pass over constants, cached by storage.
[[nodiscard]] Hash structural_hash(const Function& function);
[[nodiscard]] Hash structural_hash(const Module& module);
/// NDArray::content_hash, computed once for each large storage that is alive. Thread: any.
[[nodiscard]] Hash constant_hash(const NDArray& value);
/// Whether two constants have one type and equal bytes.
[[nodiscard]] bool same_constant(const NDArray& a, const NDArray& b);

} // namespace orrery::graph
