#pragma once

#include "vta-sim/isa.hpp"
#include "vta-sim/program.hpp"

#include <random>

namespace orrery::vta::testing {

using Random = std::mt19937;

inline int pick(Random& random, int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); }
inline bool chance(Random& random, int percent) { return pick(random, 0, 99) < percent; }

/// A legal configuration with memories between `low` and `high` index bits.
Config random_config(Random& random, int low = 5, int high = 11);

/// An instruction with every field of its layout random.
Instruction random_instruction(Random& random, const Codec& codec);

/// Values that fit `bits` signed bits.
std::vector<std::int32_t> random_values(Random& random, std::size_t count, int bits);

} // namespace orrery::vta::testing
