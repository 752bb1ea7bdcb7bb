#pragma once
// Questions about tensor programs: equality, well-formedness, simplification, cost, evaluation.

#include "core/base/hash.hpp"
#include "core/base/ndarray.hpp"
#include "core/base/progress.hpp"
#include "core/base/result.hpp"
#include "core/tensor/node.hpp"

#include <optional>
#include <span>

namespace orrery::tensor {

/// Equal up to names of variables, buffers and the program, and up to origins.
[[nodiscard]] bool structural_equal(const Program& a, const Program& b);
[[nodiscard]] bool structural_equal(const Expr& a, const Expr& b); ///< free variables by identity
[[nodiscard]] bool structural_equal(const Stmt& a, const Stmt& b); ///< free variables and buffers by identity
/// Equal programs have equal hashes; the same on every run. This is the workload's key.
[[nodiscard]] Hash structural_hash(const Program& program);

/// Checks what node constructors cannot: variables in scope and bound once, unique block names, buffers
/// allocated or parameters, inputs never written, constant indices in bounds, declared regions cover accesses.
/// Errors: Internal codes never; a broken program is IllegalSchedule with its place.
[[nodiscard]] Result<void> verify(const Program& program);

/// Inclusive bounds of an index expression, given inclusive bounds of its variables.
struct Interval {
    std::int64_t min = 0, max = 0;
};
using Bounds = std::map<VarRef, Interval>;
/// nullopt when unknown or unbounded.
[[nodiscard]] std::optional<Interval> interval_of(const Expr& expr, const Bounds& bounds);

/// Equal in value wherever the original is defined; canonical sums of products for indices; uses bounds to
/// resolve floor_div, floor_mod, comparisons, min and max. The same handle when nothing gets simpler.
[[nodiscard]] Expr simplify(const Expr& expr, const Bounds& bounds = {});
/// Simplifies every expression with the bounds of the loops and block iterators around it; drops loops of extent
/// one (substituting 0), dead branches and empty statements.
[[nodiscard]] Stmt simplify(const Stmt& stmt);
[[nodiscard]] Program simplify(const Program& program);

/// Work a program does when run once.
struct Cost {
    double flops = 0;      ///< float operations; a fused multiply-add counts 2
    double bytes_read = 0; ///< of distinct parameter elements, each once
    double bytes_written = 0;
    std::int64_t alloc_bytes = 0; ///< of Global-scope allocations
};
[[nodiscard]] Cost cost_of(const Program& program);

/// How far two right results may be apart, of their largest element, because a number was rounded the other way: a unit
/// of the narrow floats that the program stores, some units where it adds up in them, since products of a sum may be
/// rounded or not. 0 where all is computed in wide types.
[[nodiscard]] double rounding_unit(const Program& program);

/// The reference: runs the program as its text says, one iteration after another. `args` are the parameters in
/// order, outputs preallocated; they are overwritten. Errors: BadShape, BadType for arguments that do not fit; those of
/// check_externs; Cancelled. Thread: any; parallel loops run serially.
[[nodiscard]] Result<void> interpret(const Program& program, std::span<NDArray> args, const Progress& progress = {});

} // namespace orrery::tensor
