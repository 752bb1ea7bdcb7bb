#pragma once
// Internal to core/schedule: how often a reader asks for what a block computes.

#include "core/schedule/accesses.hpp"
#include "core/schedule/element_block.hpp"
#include "core/tensor/node.hpp"

namespace orrery::schedule {

/// True when a copy brings into a row what the reduction's lanes would otherwise have to gather.
[[nodiscard]] bool packs(const ElementBlock& producer, const ElementBlock& consumer);
/// Whether one element is read, or the same several times by a value small enough to be written down as often: the
/// code generator computes it once.
[[nodiscard]] bool read_once(const ElementBlock& consumer, const tensor::Buffer& buffer, const ExprCost& cost);
/// True when some spatial iterator of the consumer does not choose the element read.
[[nodiscard]] bool repeats(const tensor::Block& block, const ElementBlock& consumer, const tensor::Buffer& buffer);

} // namespace orrery::schedule
