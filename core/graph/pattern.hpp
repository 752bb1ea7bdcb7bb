#pragma once
// Patterns over A-normal form: what passes and partitioning look for. A pattern is a value, built from the functions
// below or read from text; a match says which variables it stands on.
//
//   const Pattern conv = op("conv2d", {any(), constant().as("weight")}).single_use().as("conv");
//   const Pattern block = optional("relu", optional("bias_add", conv, {constant().as("bias")}));
//
// The same as text, as pass options take it; grammar in docs/text-forms.md:
//
//   relu?(bias_add?($conv=conv2d(*, $weight=const) once, $bias=const))

#include "core/base/result.hpp"
#include "core/graph/node.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace orrery::graph {

/// What a matcher knows of the values around a variable.
class Values {
  public:
    virtual ~Values() = default;
    /// Null for a parameter.
    [[nodiscard]] virtual Expr value_of(const Var& var) const = 0;
    /// Operands that are `var`, plus one when it is the function's result.
    [[nodiscard]] virtual int use_count(const Var& var) const = 0;
    /// The variables of the bindings that use `var`, one entry an operand; fewer than use_count() where it is the
    /// result.
    [[nodiscard]] virtual std::span<const Var> users(const Var& var) const = 0;
};

/// The values of a whole function. Cost: linear to make. Holds the function.
class FunctionValues final : public Values {
  public:
    explicit FunctionValues(const Function& function);
    [[nodiscard]] Expr value_of(const Var& var) const override;
    [[nodiscard]] int use_count(const Var& var) const override;
    [[nodiscard]] std::span<const Var> users(const Var& var) const override;
    [[nodiscard]] const Binding* binding_of(const Var& var) const;
    /// Index among the bindings; npos for a parameter or a stranger.
    [[nodiscard]] std::size_t index_of(const Var& var) const;
    static constexpr std::size_t npos = static_cast<std::size_t>(-1);

  private:
    Function function_;
    std::unordered_map<Var, std::size_t> index_;
    std::unordered_map<Var, std::vector<Var>> users_;
};

/// Where a pattern stands.
struct Match {
    Var root;                            ///< the variable that was asked about
    std::map<std::string, Var> captures; ///< by name; a capture inside an alternative not taken is missing
    std::vector<Var> calls;              ///< operator calls the pattern names, root first; paths included
    std::vector<Var> constants;          ///< constants it names

    [[nodiscard]] bool has(const std::string& name) const { return captures.contains(name); }
    /// The captured variable, or null.
    [[nodiscard]] Var operator[](const std::string& name) const {
        const auto it = captures.find(name);
        return it == captures.end() ? Var() : it->second;
    }
};

class Pattern {
  public:
    struct Node;
    explicit Pattern(std::shared_ptr<const Node> node) : node_(std::move(node)) {}

    /// Names what matched. A name that stands twice asks for the same variable both times.
    [[nodiscard]] Pattern as(std::string name) const;
    /// Only where nobody else uses it.
    [[nodiscard]] Pattern single_use() const;
    /// Only a call whose attribute has that value.
    [[nodiscard]] Pattern attr(std::string name, AttrValue value) const;
    /// The same, or a call that leaves the attribute out.
    [[nodiscard]] Pattern attr_or_absent(std::string name, AttrValue value) const;
    /// Only a tensor of that element type.
    [[nodiscard]] Pattern dtype(DType dtype) const;
    /// Only a tensor of that shape; -1 stands for any extent.
    [[nodiscard]] Pattern shape(Shape shape) const;
    /// Only where `test` holds; `what` is how the text form names it, which does not read back.
    [[nodiscard]] Pattern where(std::function<bool(const Var& var, const Expr& value)> test, std::string what) const;

    /// Operators a match's root may be a call of; empty when it may be something else.
    [[nodiscard]] std::vector<std::string> root_operators() const;
    [[nodiscard]] const Node& node() const { return *node_; }

  private:
    std::shared_ptr<const Node> node_;
};

/// Anything, a parameter included; not a missing operand.
[[nodiscard]] Pattern any();
/// An optional operand that was left out.
[[nodiscard]] Pattern missing();
/// A constant of the function.
[[nodiscard]] Pattern constant();
/// A parameter of the function.
[[nodiscard]] Pattern parameter();
/// A call of that operator, whatever its operands.
[[nodiscard]] Pattern op(std::string name);
/// A call with these operands in order; further operands, if any, must be left out.
[[nodiscard]] Pattern op(std::string name, std::vector<Pattern> operands);
/// The same with the two operands in either order.
[[nodiscard]] Pattern commutative(std::string name, Pattern a, Pattern b);
/// The first alternative with which the whole pattern matches.
[[nodiscard]] Pattern any_of(std::vector<Pattern> alternatives);
/// `name(inner, more...)`, or `inner` alone.
[[nodiscard]] Pattern optional(const std::string& name, const Pattern& inner, const std::vector<Pattern>& more = {});
/// A value matching `to` that everything computed from one matching `from` flows into, by way of values that all match
/// `path`: between the two nothing leaves. There may be nothing between. At most kLongestPath values are looked at (our
/// choice: it bounds the cost at every root).
[[nodiscard]] Pattern dominated(const Pattern& from, const Pattern& path, const Pattern& to);
inline constexpr std::size_t kLongestPath = 64;

/// The match of a pattern whose root is `root`.
[[nodiscard]] std::optional<Match> match(const Pattern& pattern, const Var& root, const Values& values);
/// The same for a binding that `values` does not know yet: what a rewriter is handed.
[[nodiscard]] std::optional<Match> match(const Pattern& pattern, const Binding& root, const Values& values);
/// True when, besides the root, nothing the match's calls compute is used outside of it: the calls can be cut out.
[[nodiscard]] bool is_closed(const Match& match, const Values& values);
/// Closed matches that share no call, found from the last binding to the first (so the largest come first), returned in
/// order of their roots. With several patterns the first that matches at a root counts; `pattern` says which.
struct FoundMatch {
    std::size_t pattern = 0;
    Match match;
};
[[nodiscard]] std::vector<FoundMatch> find_matches(std::span<const Pattern> patterns, const Function& function);

/// The text form; parse_pattern(to_string(p)) prints the same, but for `where`.
[[nodiscard]] std::string to_string(const Pattern& pattern);
/// Errors: BadText with the place. Operators are not looked up: a name nobody has matches nothing.
[[nodiscard]] Result<Pattern> parse_pattern(std::string_view text);

} // namespace orrery::graph
