#pragma once
// Sliding windows: sizes of convolutions and pooling.

#include "core/ops/relation.hpp"

namespace orrery::ops {

/// A window over one axis. Units: elements.
struct Window {
    std::int64_t kernel = 1, stride = 1, dilation = 1, before = 0, after = 0;
    bool ceil = false; ///< keep a last window that sticks out, unless it starts in the padding after

    /// Elements from a window's first to its last.
    [[nodiscard]] std::int64_t span() const { return (kernel - 1) * dilation + 1; }
};

/// The windows of an operator with attributes strides, dilations, pads (all "before", then all "after").
/// Errors: BadAttribute for wrong counts, zero or negative strides and dilations, sizes beyond kMaxWindow.
[[nodiscard]] Result<std::vector<Window>> read_windows(const Attrs& attrs, const Ints& kernel);
/// Number of windows over `extent` elements. Errors: BadShape when not one fits, LimitExceeded.
[[nodiscard]] Result<std::int64_t> window_count(const Window& window, std::int64_t extent);

/// Errors: LimitExceeded when a working copy of x with these spatial extents would be far larger than the
/// operator's input: no honest model pads like that.
[[nodiscard]] Result<void> check_copy(const TensorType& x, const Shape& extents);

/// Attribute descriptions shared by convolutions and pooling.
[[nodiscard]] std::vector<graph::AttrSpec> window_attrs();

} // namespace orrery::ops
