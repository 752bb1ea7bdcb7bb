#pragma once
// Channel shuffles: a reshape that divides the channels into parts, a transpose of parts and channels of a part, and a
// reshape back. Channel j of the result is channel j % parts * (C / parts) + j / parts of what is shuffled.

#include "core/graph/node.hpp"

#include <functional>
#include <optional>

namespace orrery::transform {

struct ChannelShuffle {
    graph::Var of;
    std::int64_t parts = 1;
    graph::Expr cast; ///< of what was shuffled; null for none
};
/// The value bound to a variable; null for parameters.
using ValueOf = std::function<graph::Expr(const graph::Var&)>;

/// nullopt when `x`, of four axes with channels second, is none.
[[nodiscard]] std::optional<ChannelShuffle> channel_shuffle(const graph::Var& x, const ValueOf& value_of);
/// The same where `x` may also be a cast of what is shuffled.
[[nodiscard]] std::optional<ChannelShuffle> shuffle_read(const graph::Var& x, const ValueOf& value_of);

/// Binds an expression to a new variable.
using Emit = std::function<graph::Var(const graph::Expr&)>;
/// The same elements with those along `axis` shuffled.
[[nodiscard]] graph::Var shuffled(const graph::Var& x, std::size_t axis, std::int64_t parts, const Emit& emit);

} // namespace orrery::transform
