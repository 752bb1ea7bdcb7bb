#pragma once

#include "vta-sim/cycle_model.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace orrery::vta {

/// SRAM memories whose occupancy is followed, in the order of the strips.
enum class Strip : std::uint8_t { Uop, Inp, Wgt, Acc, Out };
inline constexpr int kStrips = 5;

/// Occupancy over time in equal samples. An element is occupied from the completion of the instruction that writes it
/// to the completion of the last instruction that reads that value; a value nobody reads occupies nothing.
struct Occupancy {
    std::uint64_t cycles_per_sample = 1;
    std::array<std::vector<float>, kStrips> elements; ///< mean number of occupied elements in each sample
    std::array<std::uint64_t, kStrips> peak{};        ///< most elements occupied at once
    std::array<std::uint64_t, kStrips> depth{};       ///< elements the memory holds
};

/// Cost: one functional walk over the program (index sets, no arithmetic) plus the samples.
/// When the watch stops, what it returns is of no use. Pre: `result` was recorded with instructions.
[[nodiscard]] Occupancy sram_occupancy(const Program& program, const CycleResult& result, std::size_t samples,
                                       const Watch& watch = {});

} // namespace orrery::vta
