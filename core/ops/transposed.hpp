#pragma once
// Transposed convolutions as ordinary ones. Results whose places leave the same remainder by the stride, a phase, are a
// convolution of x at stride 1 with every stride-th tap of the filter, turned round:
//   out[q * stride + r] = sum over t < taps of x[q + shift(r) + t] * w[(r + before) % stride + stride * (taps - 1 - t)]

#include "core/base/ndarray.hpp"
#include "core/graph/attrs.hpp"
#include "core/ops/ops.hpp"
#include "core/tensor/node.hpp"

#include <cstdint>
#include <vector>

namespace orrery::ops {

/// One spatial axis of a transposed convolution. Units: elements.
struct PhaseAxis {
    std::int64_t kernel = 1, stride = 1, dilation = 1;
    std::int64_t before = 0; ///< cut off before the result
    std::int64_t extent = 1; ///< of the result

    /// Whether its phases are convolutions: taps in reach of a place are a stride apart.
    [[nodiscard]] bool has_phases() const { return stride == 1 || dilation == 1; }
    [[nodiscard]] std::int64_t phases() const { return stride < extent ? stride : extent; }
    /// Places of a phase, so many that all phases together are not less than the result.
    [[nodiscard]] std::int64_t places() const { return (extent + stride - 1) / stride; }
    /// Most taps a phase has.
    [[nodiscard]] std::int64_t taps() const { return stride == 1 ? kernel : (kernel + stride - 1) / stride; }
    /// Taps of phase `r`: the last of taps().
    [[nodiscard]] std::int64_t taps_of(std::int64_t r) const;
    /// The filter's tap that is tap `t` of taps() of phase `r`; not below `kernel` where it has none.
    [[nodiscard]] std::int64_t tap(std::int64_t r, std::int64_t t) const {
        return (r + before) % stride + stride * (taps() - 1 - t);
    }
    /// Zeros before x, so that a window never starts before them.
    [[nodiscard]] std::int64_t border() const;
    /// Elements of x, with that border, which windows reach.
    [[nodiscard]] std::int64_t reach() const;
    /// Where in that place `q` of phase `r` finds what its tap `t` is multiplied with.
    [[nodiscard]] tensor::Expr read_at(const tensor::Expr& q, const tensor::Expr& r, const tensor::Expr& t) const;
};

/// The axes of a transposed convolution with these attributes. Pre: its type could be inferred.
[[nodiscard]] std::vector<PhaseAxis> phase_axes(const graph::Attrs& attrs, const Shape& kernel, const Shape& result);

/// The filters of all phases, those of the last axis innermost, 0 where a phase has fewer taps. The array is lazy.
/// Shape: [C, M / groups, kernel...] -> [phases, M, C / groups, taps...]. Pre: axes have phases.
[[nodiscard]] NDArray phase_filters(const NDArray& weights, std::int64_t groups, const std::vector<PhaseAxis>& axes);

/// What conv_transpose computes, by phases. Pre: axes have phases.
[[nodiscard]] std::vector<tensor::Buffer> define_by_phases(const DefineRequest& request,
                                                           const std::vector<PhaseAxis>& axes);

} // namespace orrery::ops
