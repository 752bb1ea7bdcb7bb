// The conversions of dtype.cpp without branches, so that loops over them become vectors.

#include "core/base/narrow.hpp"

#include "core/base/check.hpp"

#include <bit>
#include <cstddef>

namespace orrery {

namespace {

std::uint32_t half_bits(std::uint32_t bits) {
    const std::uint32_t sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
    const std::uint32_t normal = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u) >> 13;
    // Added to 1/2, a subnormal half's units are the last bits of the sum, which the addition rounds.
    const float moved = std::bit_cast<float>(magnitude) + 0.5f;
    const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(moved) - std::bit_cast<std::uint32_t>(0.5f);
    std::uint32_t half = magnitude < 0x38800000u ? subnormal : normal;
    half = magnitude >= 0x477ff000u ? 0x7c00u : half; // rounds to infinity
    half = magnitude > 0x7f800000u ? 0x7e00u : half;  // NaN
    return sign | half;
}

std::uint32_t bfloat_bits(std::uint32_t bits) {
    const std::uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    return (bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16) | 0x40u : rounded;
}

} // namespace

void round_to_narrow(DType dtype, std::span<const float> values, std::span<std::uint16_t> out) {
    ORRERY_ASSERT((dtype == DType::F16 || dtype == DType::BF16) && values.size() == out.size(),
                  "round_to_narrow is given f16 or bf16, and room for all values");
    const float* from = values.data();
    std::uint16_t* to = out.data();
    const std::size_t count = values.size();
    if (dtype == DType::F16)
        for (std::size_t i = 0; i < count; ++i)
            to[i] = static_cast<std::uint16_t>(half_bits(std::bit_cast<std::uint32_t>(from[i])));
    else
        for (std::size_t i = 0; i < count; ++i)
            to[i] = static_cast<std::uint16_t>(bfloat_bits(std::bit_cast<std::uint32_t>(from[i])));
}

double unit_of(DType dtype) {
    if (!is_narrow_float(dtype)) return 0;
    double unit = 1; // from 1 to the next number
    while (rounded_to(dtype, 1 + unit / 2) == 1 + unit / 2) unit /= 2;
    return unit;
}

} // namespace orrery
