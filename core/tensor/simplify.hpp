#pragma once
// The simplifier of expressions: rules as data, applied bottom-up to a fixpoint under bounds of the variables.

#include "core/tensor/interval.hpp"
#include "core/tensor/visitor.hpp"

#include <functional>
#include <span>
#include <string_view>

namespace orrery::tensor {

/// Told the name of each rule that fired.
using RuleTrace = std::function<void(std::string_view rule)>;

class ExprSimplifier {
  public:
    explicit ExprSimplifier(Bounds bounds = {}, RuleTrace trace = {});
    ExprSimplifier(const ExprSimplifier&) = delete;
    ExprSimplifier& operator=(const ExprSimplifier&) = delete;

    /// As tensor::simplify.
    Expr run(const Expr& expr);

    [[nodiscard]] const Bounds& bounds() const { return bounds_; }
    /// Bounds of `var` from here on; nullopt for none.
    void bind(const VarRef& var, std::optional<Interval> interval);
    void set_bounds(Bounds bounds);
    /// `var` stands for `value` from here on.
    void replace(const VarRef& var, Expr value);
    /// The bounds where `condition` is `truth` as well.
    [[nodiscard]] Bounds refined(const Expr& condition, bool truth);

    // For rules.
    std::optional<Interval> interval(const Expr& expr) { return intervals_.of(expr); }
    std::optional<Interval> interval(const Affine& sum) { return intervals_.of(sum); }
    /// The sum as an expression in canonical order: terms by first appearance, those that are added first.
    [[nodiscard]] Expr canonical(Affine sum);

  private:
    Expr visit(const Expr& expr);
    Expr rebuild(const Expr& expr);
    Expr rebuild_binary(const Binary& node, const Expr& expr);
    Expr rebuild_select(const Select& node, const Expr& expr);
    Expr visit_where(const Expr& expr, const Expr& condition, bool truth);
    Expr improve(const Expr& expr);
    void refine(Bounds& bounds, const Expr& condition, bool truth);
    void refine_sum(Bounds& bounds, const Affine& sum);
    void merge_remainders(Affine& sum);

    Bounds bounds_;
    RuleTrace trace_;
    VarMap replaced_;
    Intervals intervals_;
    std::unordered_map<Expr, Expr> done_;
    int fuel_ = 0;
};

/// One way to make an expression simpler. `apply` returns null where the rule does not fit, else an expression of
/// equal value; its operands are simplified already.
struct Rule {
    std::string_view name;
    Expr (*apply)(const Expr& expr, ExprSimplifier& under);
};

/// All rules in the order they are tried.
[[nodiscard]] std::span<const Rule> simplify_rules();

// The rules on sums of i64, which take more than a line; `a` is simplified, `c` > 1.

/// Null when `a // c` cannot be taken further apart.
[[nodiscard]] Expr divide_sum(const Expr& a, std::int64_t c, ExprSimplifier& under);
/// Null when `a % c` cannot be taken further apart.
[[nodiscard]] Expr reduce_sum(const Expr& a, std::int64_t c, ExprSimplifier& under);
/// Cancels and sorts both sides of a comparison of i64; null when it stands as it should.
[[nodiscard]] Expr compare_sums(const Binary& node, ExprSimplifier& under);

} // namespace orrery::tensor
