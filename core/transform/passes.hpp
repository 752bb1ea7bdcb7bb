#pragma once
// The graph passes and the pipelines made of them.

#include "core/graph/node.hpp"
#include "core/pass/pass.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::transform {

using GraphPass = pass::Pass<graph::Module>;

/// Invariants between graph passes.
enum Invariant : pass::Invariants {
    kTyped = 1u << 0, ///< every binding has its inferred type
    kFused = 1u << 1, ///< main holds only constants, calls of primitive functions, tuples and projections
};
[[nodiscard]] std::string describe(pass::Invariants invariants);

/// Every graph pass, in order of name.
[[nodiscard]] std::span<const GraphPass> passes();
/// Null when there is none of that name.
[[nodiscard]] const GraphPass* find_pass(std::string_view name);

/// A pass with its options, as a recipe lists it.
struct PassStep {
    std::string name;
    pass::Options options;
    bool enabled = true;
    friend bool operator==(const PassStep&, const PassStep&) = default;
};
/// The passes a new recipe starts with. Pre: 0 <= level <= 3.
[[nodiscard]] std::vector<PassStep> default_pipeline(int level = 3);

/// Checks, times, verifies and records passes on modules.
[[nodiscard]] pass::Manager<graph::Module> manager();

// The passes. Each is pure, keeps what the module means, and returns the same `main` when it has nothing to do.

/// Brings operators to the form schedules are made for: a constant second operand of a matrix product that is stored
/// transposed is turned once, so that the product's columns are contiguous.
/// Example: matmul(x, w) {transpose_b=true} -> t = transpose(w) {perm=[1, 0]}; matmul(x, t) {transpose_b=false}
[[nodiscard]] Result<graph::Module> canonicalize_ops(const graph::Module& module, const pass::Context& context);
/// Replaces calls whose operands are all constants by their value. Options: `max_bytes`, the largest result folded.
/// Example: `a = const 2.0; b = const 3.0; c = add(a, b)` -> `c = const 5.0`.
[[nodiscard]] Result<graph::Module> fold_constant(const graph::Module& module, const pass::Context& context);
/// Rewrites what only training needs: batch_norm to a scale and a shift, folded into a preceding convolution's weights
/// when these are constants; dropout and identity to their operand.
[[nodiscard]] Result<graph::Module> simplify_inference(const graph::Module& module, const pass::Context& context);
/// Drops bindings nobody uses.
[[nodiscard]] Result<graph::Module> dead_code(const graph::Module& module, const pass::Context& context);
/// Computes equal expressions once. Random operators are left alone.
[[nodiscard]] Result<graph::Module> eliminate_common_subexpr(const graph::Module& module, const pass::Context& context);
/// Groups operators into primitive functions, one kernel each, by the operators' fusion kinds and the
/// post-dominator rule. Options: `max_depth`, the most operators in a group; `enabled`, "false" for one operator a
/// function. Establishes kFused. Source: the rules are those of "TVM: An Automated End-to-End Optimizing Compiler for
/// Deep Learning", Chen et al., OSDI 2018, section 3.
[[nodiscard]] Result<graph::Module> fuse_ops(const graph::Module& module, const pass::Context& context);

} // namespace orrery::transform
