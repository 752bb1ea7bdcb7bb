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
    kTyped = 1u << 0,     ///< every binding has its inferred type
    kFused = 1u << 1,     ///< main holds only constants, calls of primitive functions, tuples and projections
    kAnnotated = 1u << 2, ///< what a region backend takes stands in functions that say so (AnnotateTarget)
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

/// A pipeline in which a region backend takes what it can before the rest is fused.
[[nodiscard]] std::vector<PassStep> partitioned(std::vector<PassStep> pipeline, const std::string& backend);

/// Checks, times, verifies and records passes on modules.
[[nodiscard]] pass::Manager<graph::Module> manager();

// The passes. Each is pure, keeps what the module means, and returns the same `main` when it has nothing to do.

/// Puts each operator or pattern that a region backend takes into a function with the attributes "backend" and
/// "composite". Options: `backend`, its name. Establishes kAnnotated.
/// Example: c = conv2d(x, w); y = relu(c) -> y = @conv2d_relu(x), with the constant w inside
/// Errors: BadArgument when there is no such backend.
[[nodiscard]] Result<graph::Module> annotate_target(const graph::Module& module, const pass::Context& context);
/// Joins functions of one backend that feed each other into one region, where nothing that leaves a region comes back
/// into it. Example: u = @conv2d_relu(x); y = @max_pool(u) -> y = @dnnl_region(x)
[[nodiscard]] Result<graph::Module> merge_regions(const graph::Module& module, const pass::Context& context);
/// Makes each region one step of the plan, which its backend compiles; what is too small goes back to the graph.
/// Options: `min_operators`, the least operators of a region that stays.
[[nodiscard]] Result<graph::Module> partition_graph(const graph::Module& module, const pass::Context& context);

/// Brings operators to the form schedules are made for: a constant second operand of a matrix product that is stored
/// transposed is turned once, so that the product's columns are contiguous.
/// Example: matmul(x, w) {transpose_b=true} -> t = transpose(w) {perm=[1, 0]}; matmul(x, t) {transpose_b=false}
[[nodiscard]] Result<graph::Module> canonicalize_ops(const graph::Module& module, const pass::Context& context);
/// Infers every type anew, in all functions, from parameters and values. Establishes kTyped.
/// Example: `y: f32[8] = relu(x)` with x of f32[4] -> `y: f32[4] = relu(x)`.
/// Errors: those of the operators' type relations, with the binding.
[[nodiscard]] Result<graph::Module> infer_types(const graph::Module& module, const pass::Context& context);
/// Replaces calls of functions (but not of kernels and regions) by their bindings, inner ones first, and drops
/// functions nobody uses. Options: `max_size`, the most bindings of a function that is replaced. Example: y = @f(x)
/// with f(a) = relu(a) -> y = relu(x)
[[nodiscard]] Result<graph::Module> inline_functions(const graph::Module& module, const pass::Context& context);
/// Makes functions take what they use, each value once, and equal functions one.
/// Example: y = @f(x, x, z) with f(a, b, c) = add(a, b) -> y = @f(x) with f(a) = add(a, a)
[[nodiscard]] Result<graph::Module> lambda_lift(const graph::Module& module, const pass::Context& context);
/// Does beforehand what does not depend on inputs: branches whose condition is known, loops whose number of trips is
/// known, functions of constants, small operators on constants. Options: `max_trips`, the most copies of a loop's body;
/// `budget`, the most bindings that are added.
/// Example: c = const true; y = if c then @f else @g (x) -> y = relu(x), with f(a) = relu(a)
[[nodiscard]] Result<graph::Module> partial_evaluate(const graph::Module& module, const pass::Context& context);
/// Verifies the form (bound before used, types as inferred, functions closed) and takes tuples apart: parts of a tuple
/// made here, tuples given to functions and branches, tuples inside the tuple they give.
/// Example: t = (a, b); y = relu(t[0]) -> t = (a, b); y = relu(a)
/// Errors: those of graph::verify.
[[nodiscard]] Result<graph::Module> to_a_normal(const graph::Module& module, const pass::Context& context);
/// Moves a value that only one branch of an `if` uses into that branch, so that it is computed only where it is needed.
/// Example: e = exp(x); y = if c then @f else @g (e, x), where only f uses e -> y = if c then @f else @g (x), with exp
/// in f
[[nodiscard]] Result<graph::Module> to_basic_block(const graph::Module& module, const pass::Context& context);
/// Replaces calls whose operands are all constants by their value. Options: `max_bytes`, the largest result folded.
/// Example: `a = const 2.0; b = const 3.0; c = add(a, b)` -> `c = const 5.0`.
[[nodiscard]] Result<graph::Module> fold_constant(const graph::Module& module, const pass::Context& context);
/// Rewrites what only training needs: batch_norm to a scale and a shift, folded into a preceding convolution's weights
/// when these are constants; dropout and identity to their operand.
[[nodiscard]] Result<graph::Module> simplify_inference(const graph::Module& module, const pass::Context& context);
/// Goes on from graph text edited by hand, in place of the module it is given. A binding whose name the module's text
/// has keeps its origin. Option: `text`, as graph::print_module writes it; empty changes nothing.
/// Errors: BadText with line and column, BadType when inputs or outputs are no longer the model's.
[[nodiscard]] Result<graph::Module> hand_edit(const graph::Module& module, const pass::Context& context);
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
