#pragma once
// Filters that fill blocks of registers: internal to AlterOpLayout.

#include "core/graph/node.hpp"
#include "core/pass/pass.hpp"

#include <functional>

namespace orrery::transform {

/// How many filters a convolution of so many is to have, as many or more.
using WantedFilters = std::function<std::int64_t(std::int64_t filters)>;

/// Where channels are looked at one by one until each is a single number (a classifier that is a convolution, and the
/// mean of each class over the image), a convolution of constant filters gets filters of zeros up to the wanted number,
/// and the channels they make are cut off after that.
///     y = reduce_mean(relu(conv2d(x, w)))   ->   y = slice(reduce_mean(relu(conv2d(x, w and zeros))))
[[nodiscard]] graph::Module with_whole_blocks(const graph::Module& module, const pass::Context& context,
                                              const WantedFilters& wanted);

} // namespace orrery::transform
