#pragma once
// What `virtual_thread` means to generated code: the loop's iterations side by side instead of one after another, so
// that what one waits for another computes.

#include "core/tensor/node.hpp"

#include <unordered_map>

namespace orrery::schedule {

struct Interleaved {
    tensor::Program program; ///< the same when no loop is a virtual thread
    /// New statements to those they stand for, so that what was said of those (lines, origins) holds for them.
    std::unordered_map<const tensor::Node*, const tensor::Node*> from;
};

/// Moves every loop that is a virtual thread inwards through loops that run alike in all its iterations, sequences,
/// conditions that do not depend on it, and allocations, of which every iteration gets one of its own, down to the
/// statements it repeats: blocks, vector loops and stores. There it is unrolled.
/// Example: for t in 2 @thread="vthread" { for k in 8 { block a(vt = t, vk = k) } for k in 8 { block b(vt = t, vk = k)
/// } }
///   -> for k in 8 { unrolled t in 2 { block a } } for k in 8 { unrolled t in 2 { block b } }
/// Pre: the loop's iterations do not depend on each other, as virtual_thread has checked.
[[nodiscard]] Interleaved interleave_virtual_threads(const tensor::Program& program);

} // namespace orrery::schedule
