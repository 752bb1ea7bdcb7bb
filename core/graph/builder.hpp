#pragma once
// Building and rewriting functions: types inferred, origins carried, rewrites recorded.

#include "core/base/progress.hpp"
#include "core/base/result.hpp"
#include "core/graph/node.hpp"
#include "core/graph/op.hpp"
#include "core/pass/record.hpp"

#include <source_location>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace orrery::graph {

/// Appends bindings in order. Not for several threads.
class FunctionBuilder {
  public:
    Var param(std::string name, Type type);
    /// Adds an existing variable as a parameter.
    void param(const Var& var);
    /// Binds `value` to a new variable. The type is inferred; a broken invariant when that fails, so untrusted
    /// calls go through try_emit.
    Var emit(const Expr& value, std::string name, const OriginSet& origin);
    /// Errors: those of infer_expr.
    [[nodiscard]] Result<Var> try_emit(const Expr& value, std::string name, const OriginSet& origin);
    /// Appends a binding as it is, keeping its variable.
    Var append(const Binding& binding);
    Var call(const Op& op, std::vector<Var> args, Attrs attrs, const OriginSet& origin, std::string name = {});
    Var constant(NDArray value, const OriginSet& origin, std::string name = {});
    [[nodiscard]] const std::vector<Binding>& bindings() const { return bindings_; }
    /// Drops all bindings but the first `count`.
    void roll_back(std::size_t count);
    /// Value last bound to `var` in this builder, or null for a parameter.
    [[nodiscard]] Expr value_of(const Var& var) const;
    [[nodiscard]] OriginSet origin_of(const Var& var) const;
    /// Unites the origin of the binding of `var` with `origin`; nothing for a parameter.
    void add_origin(const Var& var, const OriginSet& origin);
    [[nodiscard]] Function finish(std::string name, const Var& result, Attrs attrs = {});

  private:
    std::vector<Var> params_;
    std::vector<Binding> bindings_;
    std::unordered_map<Var, std::size_t> index_;
};

/// Goes over a function once, in order, handing each binding with operands already replaced to `rewrite_binding`.
/// What that returns stands for the old variable from there on. New bindings emitted for a binding get its origin
/// united with the origins of values they replace, and the recorder, when set, learns of each replacement, so that a
/// pass author writes nothing for provenance: an entry is from the variable that went to the one that stands for it.
/// A function in which nothing changed is returned as the same handle.
class Rewriter {
  public:
    explicit Rewriter(pass::Recorder* recorder = nullptr) : recorder_(recorder) {}
    virtual ~Rewriter() = default;
    Function run(const Function& function);

  protected:
    /// `binding` has its operands replaced; its var is the old one. Default: keep(binding).
    virtual Var rewrite_binding(const Binding& binding) = 0;
    /// Functions inside expressions; default: the same. Primitive functions are not entered by default.
    virtual Function rewrite_inner(const Function& function) { return function; }

    /// Appends the binding unchanged, keeping its variable when its operands did not change.
    Var keep(const Binding& binding);
    /// Emits a new value in place of `binding`: its origin united with those of `consumed`.
    Var replace(const Binding& binding, const Expr& value, const char* rule, std::span<const Var> consumed = {},
                std::source_location where = std::source_location::current());
    /// Emits a helper value with the origin of `binding`.
    Var emit(const Binding& binding, const Expr& value, std::string name = {});
    /// Says that `binding` is already computed by `existing`, whose origin absorbs its own.
    Var alias(const Binding& binding, const Var& existing, const char* rule,
              std::source_location where = std::source_location::current());

    FunctionBuilder& builder() { return builder_; }
    /// The value of a variable as rewritten so far; null for parameters.
    [[nodiscard]] Expr value_of(const Var& var) const { return builder_.value_of(var); }
    /// The constant bound to a variable, or null.
    [[nodiscard]] const NDArray* constant_of(const Var& var) const;

  private:
    FunctionBuilder builder_;
    pass::Recorder* recorder_ = nullptr;
    std::unordered_map<Var, Var> replaced_;
    const Binding* original_ = nullptr; ///< the binding being rewritten, as it stands in the function
};

/// How often each variable is used as an operand in the function (the result counts once).
[[nodiscard]] std::unordered_map<Var, int> use_counts(const Function& function);

/// Checks the invariants of node.hpp: bound before used, bound once, types as inferred, functions closed.
/// Errors: UnknownName for a variable that is unbound or bound twice, and those of infer_expr; places name the binding.
[[nodiscard]] Result<void> verify(const Module& module);

} // namespace orrery::graph
