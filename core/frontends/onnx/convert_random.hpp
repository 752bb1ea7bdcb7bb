#pragma once
// Dropout in training, for the converters of other files.

#include "core/frontends/onnx/convert_support.hpp"

namespace orrery::onnx {

struct Dropped {
    Var value, mask; ///< mask: bool, true where an element stays
};
/// The node's input 0 with each element dropped with probability `ratio` (one element), the rest over (1 - ratio).
[[nodiscard]] Result<Dropped> random_dropout(NodeReader& node, const Var& ratio);

} // namespace orrery::onnx
