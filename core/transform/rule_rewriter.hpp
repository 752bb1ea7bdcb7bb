#pragma once
// Rewriting by rules: a pattern and what stands for its matches, as rows of tables. Used by passes of this folder.

#include "core/graph/builder.hpp"
#include "core/graph/pattern.hpp"

#include <algorithm>
#include <source_location>
#include <string>
#include <unordered_map>
#include <vector>

namespace orrery::transform {

class Site;

/// What a rule puts in place of a match: a value, a variable that is there already, or neither when the rule does not
/// apply after all. One of another type than the root's is not taken.
struct Replacement {
    graph::Expr value;
    graph::Var existing;
    static Replacement none() { return {}; }
    static Replacement by(graph::Expr value) { return {std::move(value), nullptr}; }
    static Replacement by(graph::Var existing) { return {nullptr, std::move(existing)}; }
};

/// One row: the record of rewrites shows its name and where it stands.
struct Rule {
    using Apply = Replacement (*)(Site&);
    Rule(const char* n, graph::Pattern p, Apply a, std::source_location w = std::source_location::current())
        : name(n), pattern(std::move(p)), apply(a), where(w) {}
    const char* name;
    graph::Pattern pattern;
    Apply apply;
    std::source_location where;
};
using Rules = std::vector<Rule>;

/// Tries the rules at each binding in order, again on what a rule gave, up to kMostSteps times. Operands are already
/// rewritten. Rules are found by the operator at their root, so that the cost is linear in the function.
/// Patterns' `flow` never matches here: users of a value are not known while it is rewritten.
class RuleRewriter final : public graph::Rewriter, private graph::Values {
  public:
    RuleRewriter(const Rules& rules, const graph::Function& function, pass::Recorder* recorder);
    static constexpr int kMostSteps = 16; ///< our choice: far beyond any chain of rules seen

  protected:
    graph::Var rewrite_binding(const graph::Binding& binding) override;

  private:
    friend class Site;
    [[nodiscard]] graph::Expr value_of(const graph::Var& var) const override { return Rewriter::value_of(var); }
    [[nodiscard]] int use_count(const graph::Var& var) const override;
    [[nodiscard]] std::span<const graph::Var> users(const graph::Var&) const override { return {}; }
    void count(const graph::Expr& value, int change);
    graph::Var rewritten(const graph::Binding& binding);
    const Rule* step(graph::Binding& current, Replacement& out, std::vector<graph::Var>& consumed);

    std::unordered_map<std::string, std::vector<const Rule*>> by_root_;
    std::unordered_map<graph::Var, int> uses_;
};

/// Where a rule matched, and what it may do there.
class Site {
  public:
    Site(RuleRewriter& rewriter, const graph::Binding& binding, const graph::Match& match)
        : rewriter_(rewriter), binding_(binding), match_(match) {}

    /// A captured variable. Pre: the pattern always captures it.
    [[nodiscard]] graph::Var operator[](const char* name) const { return match_.captures.at(name); }
    [[nodiscard]] bool has(const char* name) const { return match_.has(name); }
    /// The call at the root. Pre: the root is a call of an operator.
    [[nodiscard]] const graph::CallOp& root() const { return *graph::as<graph::CallOp>(binding_.value); }
    /// The call bound to a variable, or null.
    [[nodiscard]] const graph::CallOp* call_of(const graph::Var& var) const;
    [[nodiscard]] const NDArray* constant_of(const graph::Var& var) const;
    [[nodiscard]] bool used_once(const graph::Var& var) const;
    /// The type of the root's value. Pre: a tensor.
    [[nodiscard]] const graph::TensorType& type() const { return *graph::as_tensor(binding_.var->type); }
    [[nodiscard]] const graph::Type& result_type() const { return binding_.var->type; }
    /// True when `var` has exactly the root's type; two unknown extents are not known to be the same.
    [[nodiscard]] bool same_type(const graph::Var& var) const {
        const graph::TensorType* tensor = graph::as_tensor(binding_.var->type);
        return graph::equal(var->type, binding_.var->type) &&
               (!tensor || std::ranges::none_of(tensor->dims, &graph::Dim::is_unknown));
    }
    /// Binds a helper before the root.
    graph::Var emit(const graph::Expr& value, const std::string& name = {});
    graph::Var emit(NDArray constant, const std::string& name = {});

  private:
    RuleRewriter& rewriter_;
    const graph::Binding& binding_;
    const graph::Match& match_;
};

/// A call of a registered operator.
[[nodiscard]] graph::Expr make_call(const char* op, std::vector<graph::Var> args, graph::Attrs attrs = {});
/// The static shape of a tensor variable; nullopt otherwise.
[[nodiscard]] std::optional<Shape> shape_of(const graph::Var& var);
/// True when every element equals `value`; false for arrays of more than 65,536 elements, which are not looked at.
[[nodiscard]] bool all_equal(const NDArray& array, double value);

} // namespace orrery::transform
