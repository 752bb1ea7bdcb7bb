#pragma once
// Why FuseOps leaves two operators apart.

#include "core/graph/node.hpp"
#include "core/pass/pass.hpp"

#include <string>
#include <vector>

namespace orrery::transform {

enum class NotFused : std::uint8_t {
    Opaque,          ///< one of the two is fused with nothing
    NoOperator,      ///< the user is a tuple, a control flow construct or a call of a function
    Escapes,         ///< the value is the function's result, or its users come together nowhere
    ReadAccess,      ///< the user, or one before it, reads more than one element at once, or in another order
    Between,         ///< something of too wide a kind lies on the way to where all users come together
    SecondAnchor,    ///< a group holds one operator that sums; both sides have one
    NoPiece,         ///< of a depthwise convolution's rows stays in the cache until the next convolution has used it
    NoPieceToPool,   ///< the image stays in the cache, or not even two windows' rows do
    AcrossTiles,     ///< a convolution is computed in tiles of its image, and a window reads more than one of them
    NoPieceOfScores, ///< of a softmax's operand stays in the cache until the product after it has used it
    TooLarge,        ///< `max_depth`
    ElsewhereFused,  ///< the value's group ends before the user: the user computes from a finished value
};
[[nodiscard]] const char* name_of(NotFused reason);

/// An edge of main's dataflow between operators that FuseOps puts into different kernels.
struct UnfusedEdge {
    graph::Var producer, consumer;
    NotFused reason = NotFused::Opaque;
    std::string text; ///< one sentence with the operators' names
};

/// The edges FuseOps with these options would leave, in order of their consumers. Pre: `before` is what FuseOps is
/// given. Errors: those of fuse_ops. Cost: that of fuse_ops.
[[nodiscard]] Result<std::vector<UnfusedEdge>> fusion_reasons(const graph::Module& before,
                                                              const pass::Context& context);

} // namespace orrery::transform
