#pragma once
// Many floats rounded to a narrow type at once.

#include "core/base/dtype.hpp"

#include <cstdint>
#include <span>

namespace orrery {

/// out[i] = float_to_narrow(dtype, values[i]), in vectors. Pre: `dtype` is F16 or BF16; both spans are as long.
void round_to_narrow(DType dtype, std::span<const float> values, std::span<std::uint16_t> out);

/// How far apart numbers of a float type are, at most, over the larger: what one may differ by that was rounded the
/// other way. 0 for types that are no narrow floats.
[[nodiscard]] double unit_of(DType dtype);

} // namespace orrery
