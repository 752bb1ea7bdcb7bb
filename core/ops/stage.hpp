#pragma once
// What definitions are written with: index arithmetic, broadcasting loads, accumulation in a wider type, padding,
// loops of statements.

#include "core/ops/ops.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/compute.hpp"

#include <functional>
#include <string>
#include <vector>

namespace orrery::ops {

using Indices = std::vector<tensor::Expr>;
using Names = std::vector<std::string>;

/// The type sums of `dtype` are accumulated in: f32 for narrow floats, otherwise the dtype itself.
[[nodiscard]] DType accumulator(DType dtype);

/// Indices into a buffer of `shape` that broadcasts (numpy's rule) to `out_shape`, at `out`. An extent of one is
/// indexed by 0 only where it is repeated, so that equal shapes are read at equal indices.
[[nodiscard]] Indices broadcast_indices(const Shape& shape, const Indices& out, const Shape& out_shape);
[[nodiscard]] tensor::Expr load_broadcast(const tensor::Buffer& buffer, const Indices& out, const Shape& out_shape);
/// Row-major position of `indices` in `shape`.
[[nodiscard]] tensor::Expr flatten(const Indices& indices, const Shape& shape);
/// The indices in `shape` of a row-major position.
[[nodiscard]] Indices unflatten(const tensor::Expr& position, const Shape& shape);
/// `index`, counted from the end when negative, moved into [0, extent): data never reads outside a buffer.
[[nodiscard]] tensor::Expr safe_index(const tensor::Expr& index, std::int64_t extent);
/// `low <= index < high`.
[[nodiscard]] tensor::Expr within(const tensor::Expr& index, std::int64_t low, std::int64_t high);

/// A compute stage with named axes.
struct StageSpec {
    std::string name;
    DType dtype = DType::F32;
    Shape shape;
    Names axes = {};
};
tensor::Buffer compute_stage(tensor::ComputeBuilder& builder, const StageSpec& spec,
                             const tensor::ComputeBuilder::Body& body);
/// A reduction accumulated in accumulator(spec.dtype) and cast to spec.dtype by a stage of its own where they differ.
/// The body may have any dtype; it is cast to the accumulator.
tensor::Buffer reduce_stage(tensor::ComputeBuilder& builder, const StageSpec& spec,
                            const tensor::ComputeBuilder::Reduction& reduction,
                            const tensor::ComputeBuilder::ReduceBody& body);

/// In what products are added up: in accumulator() of the result all the way, or first in the products' own type over
/// stretches of so many, as sum_stretch() says.
struct Stretches {
    DType dtype = DType::F32;
    std::int64_t length = 0; ///< the most products of a stretch; 0 for none
};
/// The type in which products of operand 0 with others are made, and its stretches.
[[nodiscard]] Stretches stretches_of(const DefineRequest& request);
/// reduce_stage of a sum of products. A stretch is as many of the last steps of the reduction as divide it evenly; its
/// products are of stretches.dtype.
tensor::Buffer product_sum_stage(tensor::ComputeBuilder& builder, const StageSpec& spec,
                                 const tensor::ComputeBuilder::Reduction& reduction, const Stretches& stretches,
                                 const tensor::ComputeBuilder::ReduceBody& body);

/// The trailing dimensions of `x` from axis `first` on, surrounded by `value`: extent[i] elements, the first
/// `before[i]` of which are outside. `x` itself when nothing is added or cut.
struct PadSpec {
    std::size_t first = 2;
    Shape before, extent;
    tensor::Expr value;
};
tensor::Buffer pad_stage(tensor::ComputeBuilder& builder, const tensor::Buffer& x, const PadSpec& spec);

/// for v0 in shape[0]: for v1 in shape[1]: ... body(v).
[[nodiscard]] tensor::Stmt loops(const Shape& shape, const Names& names,
                                 const std::function<tensor::Stmt(const Indices&)>& body);
/// One such loop.
[[nodiscard]] tensor::Stmt loop(std::int64_t extent, const std::string& name,
                                const std::function<tensor::Stmt(const tensor::Expr&)>& body);
/// out[i...] = in[i...], as a statement.
[[nodiscard]] tensor::Stmt copy_loops(const tensor::Buffer& from, const tensor::Buffer& to);

/// Names of spatial axes, outermost first: {"w"}, {"h", "w"}, {"d", "h", "w"}, with `prefix` before each.
[[nodiscard]] Names spatial_names(std::size_t count, const std::string& prefix = "");
/// {"n", "c"} and the spatial names; fewer for lower ranks.
[[nodiscard]] Names nchw_names(std::size_t rank);

} // namespace orrery::ops
