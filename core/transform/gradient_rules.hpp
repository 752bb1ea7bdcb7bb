#pragma once
// How a derivative is written down: what a rule is given, and the tables of rules. Private to gradient.

#include "core/graph/builder.hpp"

#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace orrery::transform::gradient_rules {

using graph::Attrs;
using graph::Ints;
using graph::Var;

/// Emits the operators of derivatives. The first error stays and ends the work: what is emitted after it is never
/// used, so that rules read as formulas.
class Emitter {
  public:
    explicit Emitter(graph::FunctionBuilder& builder) : builder_(builder) {}
    void begin(const OriginSet& origin) { origin_ = origin; }
    [[nodiscard]] const std::optional<Diagnostic>& error() const { return error_; }
    void fail(Diagnostic error) {
        if (!error_) error_ = std::move(error);
    }

    Var call(const char* op, std::vector<Var> args, Attrs attrs = {});
    Var constant(NDArray value);
    /// A scalar of the element type of `like`.
    Var number(const Var& like, double value);
    Var project(const Var& tuple, std::size_t index);

    Var add(const Var& a, const Var& b) { return call("add", {a, b}); }
    Var sub(const Var& a, const Var& b) { return call("subtract", {a, b}); }
    Var mul(const Var& a, const Var& b) { return call("multiply", {a, b}); }
    Var div(const Var& a, const Var& b) { return call("divide", {a, b}); }
    Var neg(const Var& a) { return call("negative", {a}); }
    Var scaled(const Var& a, double factor) { return mul(a, number(a, factor)); }
    Var shifted(const Var& a, double term) { return add(a, number(a, term)); }
    Var square(const Var& a) { return mul(a, a); }
    /// `g` where the condition holds, otherwise 0.
    Var only_where(const Var& condition, const Var& g) { return call("where", {condition, g, number(g, 0)}); }
    Var reshape(const Var& a, const Ints& shape) { return call("reshape", {a}, {{"shape", shape}}); }
    Var transpose(const Var& a, const Ints& perm) { return call("transpose", {a}, {{"perm", perm}}); }
    Var sum(const Var& a, const Ints& axes, bool keepdims);
    Var zeros(DType dtype, const Shape& shape) { return filled(dtype, shape, 0); }
    /// One number broadcast, so that nothing large is kept.
    Var filled(DType dtype, const Shape& shape, double value);
    /// Sums a derivative of what `shape` was broadcast to back to that shape.
    Var fit(const Var& g, const Shape& shape);

  private:
    graph::FunctionBuilder& builder_;
    OriginSet origin_;
    std::optional<Diagnostic> error_;
};

/// Pre: a static tensor, which gradient() saw to for every value of the function.
[[nodiscard]] Shape shape(const Var& var);
[[nodiscard]] DType dtype(const Var& var);
/// All axes from `first` on.
[[nodiscard]] Ints axes_from(std::size_t first, std::size_t rank);

/// One call on the way back.
struct Request {
    Emitter& emit;
    const graph::CallOp& call;
    const Var& out;           ///< the call's value
    std::span<const Var> all; ///< derivatives by its parts, one for a tensor; null where there is none

    [[nodiscard]] const Var& x(std::size_t i = 0) const { return call.args[i]; }
    [[nodiscard]] bool has(std::size_t i) const { return i < call.args.size() && call.args[i] != nullptr; }
    [[nodiscard]] const Var& g() const { return all[0]; }
};
/// The derivatives by the operands, in order: null for those that have none; operands left out at the end have none.
/// Pre: `g` is there.
using Rule = std::vector<Var> (*)(const Request&);

struct Row {
    const char* op;
    Rule rule;
};
[[nodiscard]] std::span<const Row> elementwise_rows();
[[nodiscard]] std::span<const Row> activation_rows();
[[nodiscard]] std::span<const Row> reduction_rows();
[[nodiscard]] std::span<const Row> shape_rows();
[[nodiscard]] std::span<const Row> product_rows();
[[nodiscard]] std::span<const Row> pool_rows();

} // namespace orrery::transform::gradient_rules
