#pragma once
// Windows of convolutions and pooling as ONNX writes them, shared with the quantized forms.

#include "core/frontends/onnx/convert_support.hpp"

namespace orrery::onnx {

struct WindowAttrs {
    Ints kernel, strides, dilations;
    Ints pads; ///< before each axis, then after each
};

/// Strides, dilations and padding of a window over [N, C, spatial...], auto_pad worked out. Errors: BadAttribute,
/// BadShape.
[[nodiscard]] Result<WindowAttrs> read_window(NodeReader& node, const Shape& input, const Ints& kernel);
/// The same for a convolution by `weight`, whose shape kernel_shape must agree with.
[[nodiscard]] Result<WindowAttrs> read_conv_window(NodeReader& node, const Shape& input, const Shape& weight);
/// The convolution of x with weight by the node's attributes, without bias. Pre: both static tensors.
[[nodiscard]] Result<Var> convolution(NodeReader& node, const Var& x, const Var& weight);

} // namespace orrery::onnx
