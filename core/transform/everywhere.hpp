#pragma once
// Rewrites of all functions of a module, for passes that go inside.

#include "core/base/result.hpp"
#include "core/graph/node.hpp"

#include <functional>
#include <string>
#include <unordered_map>

namespace orrery::transform {

/// Which of a module's functions it is: `Inner` ones are called, chosen or repeated by others.
enum class Level : bool { Main, Inner };
/// What stands for a function whose inner functions are rewritten already; the same handle for no change.
using FunctionRewrite = std::function<Result<graph::Function>(const graph::Function& function, Level level)>;

/// Applies `rewrite` to every function, inner ones before those that use them, each once however often it is used.
/// Where an inner function's result type changes, the types after it follow. Kernels and regions (functions that are
/// primitive or have a backend) stay as they are unless `closed_too`.
/// Errors: those of `rewrite`; those of infer_expr where a changed type no longer fits.
enum class Closed : bool { Stay, Too };
[[nodiscard]] Result<graph::Module> rewrite_everywhere(const graph::Module& module, const FunctionRewrite& rewrite,
                                                       Closed closed = Closed::Stay);

/// A binding's value over the variables and functions that stand for its own now.
struct Replacements {
    std::unordered_map<graph::Var, graph::Var> vars;
    std::unordered_map<graph::Function, graph::Function> functions;
    [[nodiscard]] graph::Var now(const graph::Var& var) const;
    [[nodiscard]] graph::Expr now(const graph::Expr& value) const;
};

/// True for a kernel, or a region that another backend compiles: passes look at it from outside.
[[nodiscard]] bool is_closed_unit(const graph::Function& function);

/// A whole number of at least `least` from an option. Errors: BadArgument.
[[nodiscard]] Result<std::size_t> number_option(const std::string& name, const std::string& text, std::size_t least);

} // namespace orrery::transform
