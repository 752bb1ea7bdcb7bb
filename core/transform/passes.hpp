#pragma once
// The graph passes and the pipelines made of them.

#include "core/graph/node.hpp"
#include "core/pass/pass.hpp"
#include "core/target/target.hpp"

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
    kPlanned = 1u << 3,   ///< main says where in memory what its calls make lies (PlanMemory)
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

/// The pipeline with convolutions by constants and matrix products computed in bf16, where they fill tiles of 32 summed
/// elements and columns: for targets that multiply such tiles (Target::bf16_tiles). Between them values are kept in
/// bf16; all else is computed in f32.
[[nodiscard]] std::vector<PassStep> in_bf16(std::vector<PassStep> pipeline);
/// The pipeline with convolutions and products by constants computed in f16, in which sums go over short stretches
/// before they are added in f32: for targets with such arithmetic (Target::f16_arithmetic), others add in f32. Between
/// them values are kept in f16; all else is computed in f32.
[[nodiscard]] std::vector<PassStep> in_f16(std::vector<PassStep> pipeline);
/// A pipeline in which a region backend takes what it can before the rest gets its layouts and is fused.
[[nodiscard]] std::vector<PassStep> partitioned(std::vector<PassStep> pipeline, const std::string& backend);

/// Checks, times, verifies and records passes on modules.
[[nodiscard]] pass::Manager<graph::Module> manager();
/// What passes ask of a target, by the names of their options.
[[nodiscard]] pass::Options facts_of(const Target& target);
/// A step with options that the pass has and the step leaves out set to `facts`.
[[nodiscard]] PassStep with_facts(PassStep step, const pass::Options& facts);

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

/// Moves convolutions to a layout whose channels fill the target's vectors, and what lies between along with them; see
/// ConvertLayout. Options: `vector_bits`, the width of the target's registers. Convolutions whose channels would fill
/// less than half a register stay. Transposed convolutions with constant filters have these sorted by phase; see
/// ops/transposed.hpp. Constant matrices of products go into panels; see pack_products.hpp.
[[nodiscard]] Result<graph::Module> alter_op_layout(const graph::Module& module, const pass::Context& context);
/// Brings operators to the form schedules are made for: a constant second operand of a matrix product that is stored
/// transposed is turned once, so that the product's columns are contiguous; a recurrent network with constant weights
/// becomes one product for the input of all steps, and its steps; a layer norm that is spelled out becomes the operator
/// (normalization_rules.hpp), which changes rounding; a channel shuffle moves behind what keeps channels
/// apart, to the convolution in groups that can read it as it lay before; a transposed convolution with constant
/// filters at stride 1 becomes an ordinary one, and one of images of a single place a product. Example: matmul(x, w)
/// {transpose_b=true} -> t = transpose(w) {perm=[1, 0]}; matmul(x, t) {transpose_b=false}
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
/// Joins matrix products of one batch with several others. Options: `min_branches`, `max_width`: see
/// combine_parallel.hpp. Example: p = matmul(a, b); q = matmul(a, c) -> j = matmul(a, concat(b, c)); p = slice(j); q =
/// slice(j)
[[nodiscard]] Result<graph::Module> combine_parallel_batch_matmul(const graph::Module& module,
                                                                  const pass::Context& context);
/// Joins convolutions of one input that differ in their constant filters only, with their biases. Options as above.
[[nodiscard]] Result<graph::Module> combine_parallel_conv2d(const graph::Module& module, const pass::Context& context);
/// Joins products of one tensor with constant matrices, with their biases. Options as above.
[[nodiscard]] Result<graph::Module> combine_parallel_dense(const graph::Module& module, const pass::Context& context);
/// Moves convolutions to a layout, and elementwise work, pooling, concatenations and reductions between them along.
/// Options: `layout`: NCHW, NHWC, or NCHW8c with any block. Convolutions whose channels the block does not divide stay.
/// Example: y = conv2d(x, w) -> t = layout_transform(x) {from="NCHW", to="NCHW8c"}; c = layout_conv2d(t, w') {...};
/// y = layout_transform(c) {from="NCHW8c", to="NCHW"}
[[nodiscard]] Result<graph::Module> convert_layout(const graph::Module& module, const pass::Context& context);
/// Replaces erf, gelu, sigmoid and tanh by approximations whose errors stand in their operators' documentation (1e-4 or
/// so). exp is left alone: the code generator's is a short polynomial already.
/// Example: y = tanh(x) -> y = fast_tanh(x)
[[nodiscard]] Result<graph::Module> fast_math(const graph::Module& module, const pass::Context& context);
/// Replaces calls whose operands are all constants by their value. Options: `max_bytes`, the largest result folded.
/// Example: `a = const 2.0; b = const 3.0; c = add(a, b)` -> `c = const 5.0`.
[[nodiscard]] Result<graph::Module> fold_constant(const graph::Module& module, const pass::Context& context);
/// Computes quantized convolutions and matrix products by constants as products of bytes with sums in i32: of the
/// operand as u8 (an i8 plus 128), with its zero point as border, and of weights as i8 without theirs. What the zero
/// point adds is taken off with the bias; what is known to follow (a bias, scales, relu, quantize_linear) is one factor
/// and one rounding. Between products, bytes are kept as u8, and max_pool, reshape, transpose and slice move them as
/// they are. Exact where the graph says integers (ConvInteger, QLinearConv); where it dequantizes first, sums are made
/// without its roundings. Options: `byte_products`, how the target makes such products: where it is "none", those of
/// f32 are faster, and what dequantizes first stays. Example: a = dequantize_linear(x, s, z); w = dequantize_linear(k,
/// t); y = matmul(a, w) -> p = matmul(x, k) {out_dtype=i32}; q = bias_add(p, -z * sums of k); f = cast(q); y =
/// multiply(f, s * t)
[[nodiscard]] Result<graph::Module> integer_products(const graph::Module& module, const pass::Context& context);
/// Takes products with one constant a channel into the constant weights of a convolution or matrix product before or
/// after them, across relu, leaky_relu, max_pool (positive constants only), avg_pool and sums with constants. Changes
/// rounding. Options: `forward`, `backward`: "false" leaves that direction out. Example: c = conv2d(x, w); r = relu(c);
/// y = multiply(r, s) -> c = conv2d(x, w * s); y = relu(c), for positive s.
[[nodiscard]] Result<graph::Module> fold_scale_axis(const graph::Module& module, const pass::Context& context);
/// Rewrites what a target lacks. Options: `lacks`, any of f16, bf16 (computed in f32, rounded after every operator as
/// before), int8_conv (products of bytes in i32), depthwise_conv (a product and a sum a place of the window),
/// grouped_conv (a convolution a group), dilated_conv (constant weights with zeros between). Numbers stay equal.
/// Example: y = add(a: f16, b) -> y = cast(add(cast(a), cast(b))) {dtype=f16}
[[nodiscard]] Result<graph::Module> legalize(const graph::Module& module, const pass::Context& context);
/// Removes detours: chains of reshapes, transposes, casts, slices; neutral elements; padding before convolutions.
/// Results stay equal bit by bit. Options: `reassociate`, "true" to join constants across floating-point sums and
/// products too. Example: t = transpose(x) {perm=[1, 0]}; r = relu(t); y = transpose(r) {perm=[1, 0]} -> y = relu(x)
[[nodiscard]] Result<graph::Module> simplify_expr(const graph::Module& module, const pass::Context& context);
/// Rewrites what only training needs: batch_norm to a scale and a shift, folded into a preceding convolution's weights
/// when these are constants; dropout and identity to their operand.
[[nodiscard]] Result<graph::Module> simplify_inference(const graph::Module& module, const pass::Context& context);
/// Goes on from graph text edited by hand, in place of the module it is given. A binding whose name the module's text
/// has keeps its origin. Option: `text`, as graph::print_module writes it; empty changes nothing.
/// Errors: BadText with line and column, BadType when inputs or outputs are no longer the model's.
[[nodiscard]] Result<graph::Module> hand_edit(const graph::Module& module, const pass::Context& context);
/// Puts the operators of kernels back into main: undoes FuseOps. Other backends' regions stay. Breaks kFused.
/// Example: y = @fused_conv2d_relu(x, w) -> c = conv2d(x, w); y = relu(c)
[[nodiscard]] Result<graph::Module> defuse_ops(const graph::Module& module, const pass::Context& context);
/// Drops bindings nobody uses.
[[nodiscard]] Result<graph::Module> dead_code(const graph::Module& module, const pass::Context& context);
/// Computes equal expressions once. Random operators are left alone.
[[nodiscard]] Result<graph::Module> eliminate_common_subexpr(const graph::Module& module, const pass::Context& context);
/// Groups operators into primitive functions, one kernel each, by the operators' fusion kinds and the
/// post-dominator rule. A depthwise convolution joins the kernel of the convolution of single places that alone reads
/// it, where a piece of its rows stays in the cache meanwhile; a plain convolution that of the pooling of its image,
/// and one in tiles where windows keep to these. Options: `max_depth`, the most operators in a group; `fuse`, "false"
/// for one operator a function; `piece_bytes` and, before pooling, `image_bytes`, what such a piece may take.
/// Establishes kFused. Source: the rules are those of "TVM: An Automated End-to-End Optimizing Compiler for Deep
/// Learning", Chen et al., OSDI 2018, section 3.
[[nodiscard]] Result<graph::Module> fuse_ops(const graph::Module& module, const pass::Context& context);
/// Gives every tensor that kernels make, outputs and parts of them apart, a place in one arena, shared by those that do
/// not live at the same time or are parts of others (core/ops/nesting.hpp), and writes the places into main's attribute
/// kMemoryAttr; lowering keeps to them and puts the kernels' workspaces between. Without this pass lowering places both
/// together. Options: `reuse`, "false" for memory of its own for each. Does nothing while extents are open. Establishes
/// kPlanned, which every other change of main ends. Example: fn main(x) { a = @f(x); b = @g(a); y = @h(b); return y; }
/// -> the same with {memory=[0, 64, -1]}
[[nodiscard]] Result<graph::Module> plan_memory(const graph::Module& module, const pass::Context& context);
/// Computes in f16 or bf16 what tolerates it: operators of the list `allow` (products), those of `follow` where an
/// operand is narrow already; `deny` takes names out of both. Parameters and results keep their types; casts that meet
/// cancel. With `products` other than "all" only factors are narrow, those of a concatenation rounded part by part.
/// Options: `dtype`, `allow`, `follow`, `deny`, `products`. Errors: UnknownName for operators there are none of.
/// Example: y = conv2d(x, w); z = relu(y) -> z = cast(relu(conv2d(cast(x), w'))) {dtype=f32}
[[nodiscard]] Result<graph::Module> to_mixed_precision(const graph::Module& module, const pass::Context& context);
/// Computes convolutions of f32 with constant 3x3 filters at stride 1 in tiles after Winograd, where a model of the
/// time of both ways says that this is faster; the filters are transformed at once. Changes rounding: see
/// winograd_conv2d. Options: `tile`, the extent of a tile of results: auto, 2, 4, or 0 for no convolution;
/// `vector_bits`, the width of the target's registers. Example: y = layout_conv2d(x, w) -> y = winograd_conv2d(x, w')
/// {tile=4}
[[nodiscard]] Result<graph::Module> winograd(const graph::Module& module, const pass::Context& context);

} // namespace orrery::transform
