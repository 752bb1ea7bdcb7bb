#pragma once
// Programs whose shapes are known only when they run: steps over tensors, whose leaves are static plans.
//
// A function is cut into regions: as many operators in a row as need nothing but their operands' shapes to become
// static. A region is specialized for the shapes it meets, compiled as a static model is, and kept; meeting the same
// shapes again costs a lookup. Between regions stand steps of their own: branches, loops, and operators whose result's
// extents depend on data. A model without any of these is one static plan, and no program.

#include "core/base/ndarray.hpp"
#include "core/base/origin.hpp"
#include "core/base/progress.hpp"
#include "core/base/result.hpp"
#include "core/graph/node.hpp"

#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace orrery::session {

struct CompiledModel;
struct Program;
using ProgramPtr = std::shared_ptr<const Program>;

struct ProgramStep {
    enum class Kind : std::uint8_t {
        Region, ///< `function` on `args`
        Single, ///< one operator call whose extents depend on the values of `args`
        Branch, ///< inner[1] when args[0] is true, inner[0] otherwise, on the other args
        Loop,   ///< inner[0], as graph::Loop has it
        Call,   ///< inner[0] on `args`
    };
    Kind kind = Kind::Region;
    std::string name;
    graph::Function function;              ///< of a Region: static but for its parameters' extents
    graph::Expr expr;                      ///< of the other kinds
    std::vector<graph::Var> args, results; ///< tensors; null for operands left out
    std::vector<graph::Type> scanned;      ///< of a Loop: types of its scanned results
    std::vector<ProgramPtr> inner;
    std::vector<graph::Var> last_used; ///< values that nothing needs after this step
    OriginSet origin;
};

/// Tuples are taken apart: parameters and results are their tensors, one after another.
struct Program {
    std::vector<graph::Var> params, results;
    std::unordered_map<graph::Var, NDArray> constants; ///< those that steps other than regions use, and results
    std::vector<ProgramStep> steps;
};

/// Cuts a function, and the functions inside it. Pre: no primitive functions (before FuseOps).
[[nodiscard]] ProgramPtr make_program(const graph::Function& function);

/// Whether a function needs no program: static types, operators, kernels, constants, tuples and projections only.
[[nodiscard]] bool is_static_program(const graph::Function& function);

} // namespace orrery::session
