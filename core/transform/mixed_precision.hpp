#pragma once
// Which operators ToMixedPrecision computes in a narrow type when a recipe does not say.

namespace orrery::transform {

/// Products: their sums are made in f32 whatever the type of their operands.
inline constexpr const char* kNarrowAllowed =
    "conv1d,conv2d,conv3d,conv_transpose,einsum,layout_conv2d,layout_conv_transpose,layout_matmul,matmul";
/// What maps or moves elements without growing them much. Our choice: exponentials, quotients, powers, reductions and
/// normalizations stay in f32, because their results leave the range or the digits of narrow types.
inline constexpr const char* kNarrowFollowing =
    "abs,add,avg_pool,bias_add,broadcast_to,clip,concat,fast_gelu,fast_sigmoid,fast_tanh,gelu,hard_sigmoid,hard_swish,"
    "identity,layout_avg_pool,layout_max_pool,layout_transform,leaky_relu,max_pool,maximum,minimum,multiply,negative,"
    "pad,"
    "prelu,relu,reshape,sigmoid,slice,subtract,tanh,tile,transpose";

/// What moves elements and rounds none: all that follows where only products are computed in a narrow type.
inline constexpr const char* kNarrowMovers =
    "broadcast_to,concat,identity,layout_max_pool,layout_transform,max_pool,relu,reshape,slice,transpose";

} // namespace orrery::transform
