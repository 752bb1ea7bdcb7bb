#include "core/base/dtype.hpp"

#include "core/base/check.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace orrery {

namespace {

struct Info {
    std::string_view name;
    int bytes;
};
constexpr std::array<Info, kDTypeCount> kInfo{{{"bool", 1},
                                               {"i8", 1},
                                               {"i16", 2},
                                               {"i32", 4},
                                               {"i64", 8},
                                               {"u8", 1},
                                               {"u16", 2},
                                               {"u32", 4},
                                               {"u64", 8},
                                               {"f16", 2},
                                               {"bf16", 2},
                                               {"f32", 4},
                                               {"f64", 8},
                                               {"f8e4m3fn", 1},
                                               {"f8e4m3fnuz", 1},
                                               {"f8e5m2", 1},
                                               {"f8e5m2fnuz", 1},
                                               {"i4", 1},
                                               {"u4", 1}}};

} // namespace

int byte_size(DType dtype) { return kInfo[static_cast<std::size_t>(dtype)].bytes; }

int bit_width(DType dtype) {
    if (dtype == DType::Bool) return 1;
    return is_arithmetic(dtype) ? byte_size(dtype) * 8 : 4;
}

std::string_view to_string(DType dtype) { return kInfo[static_cast<std::size_t>(dtype)].name; }

std::optional<DType> parse_dtype(std::string_view name) {
    for (std::size_t i = 0; i < kInfo.size(); ++i)
        if (kInfo[i].name == name) return static_cast<DType>(i);
    return std::nullopt;
}

float half_to_float(std::uint16_t bits) {
    const std::uint32_t sign = (bits & 0x8000u) << 16;
    const std::uint32_t exponent = (bits >> 10) & 0x1fu;
    const std::uint32_t mantissa = bits & 0x3ffu;
    if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
    if (exponent == 0) {
        const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
        return sign ? -magnitude : magnitude;
    }
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

std::uint16_t float_to_half(float value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (bits >> 16) & 0x8000u;
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u); // rounds to infinity
    if (magnitude < 0x38800000u) {                                                   // subnormal half
        const float scaled = std::ldexp(std::bit_cast<float>(magnitude), 24);
        return static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(std::nearbyint(scaled)));
    }
    const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
    return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

float bfloat_to_float(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

std::uint16_t float_to_bfloat(float value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
    return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

Float8Format float8_format(DType dtype) {
    switch (dtype) {
    case DType::F8E4M3FN: return {3, 7, 0x7e, 0x7f, true};
    case DType::F8E4M3FNUZ: return {3, 8, 0x7f, 0x80, false};
    case DType::F8E5M2: return {2, 15, 0x7b, 0x7c, true};
    case DType::F8E5M2FNUZ: return {2, 16, 0x7f, 0x80, false};
    default: fail_internal("float8_format is given an 8-bit float");
    }
}

float float8_to_float(DType dtype, std::uint8_t bits) {
    const Float8Format format = float8_format(dtype);
    const int magnitude = bits & 0x7f;
    const float sign = (bits & 0x80) != 0 ? -1.0f : 1.0f;
    constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
    if (!format.negative_zero && bits == 0x80) return kNan;
    if (format.negative_zero && magnitude > format.greatest)
        return dtype == DType::F8E5M2 && magnitude == format.overflow ? sign * std::numeric_limits<float>::infinity()
                                                                      : kNan;
    const int exponent = magnitude >> format.mantissa, fraction = magnitude & ((1 << format.mantissa) - 1);
    const int whole = exponent == 0 ? fraction : fraction + (1 << format.mantissa);
    return sign * std::ldexp(static_cast<float>(whole), std::max(exponent, 1) - format.bias - format.mantissa);
}

std::uint8_t float_to_float8(DType dtype, float value) {
    const Float8Format format = float8_format(dtype);
    const std::uint8_t sign = std::signbit(value) ? 0x80 : 0;
    if (std::isnan(value)) return format.negative_zero ? static_cast<std::uint8_t>(sign | 0x7f) : 0x80;
    const float magnitude = std::abs(value);
    int code = 0x100; // beyond every format
    if (magnitude < 0x1p20f) {
        // In units of the last place: normal numbers have their leading bit at `mantissa`, subnormal ones below.
        const int exponent = std::max(magnitude > 0 ? std::ilogb(magnitude) : 0, 1 - format.bias);
        const auto units = static_cast<int>(std::nearbyint(std::ldexp(magnitude, format.mantissa - exponent)));
        code = ((exponent + format.bias - 1) << format.mantissa) + units;
        if (magnitude == 0) code = 0;
    }
    if (code > format.greatest) code = format.overflow;
    if (code == 0 && !format.negative_zero) return 0;
    return static_cast<std::uint8_t>(code | sign);
}

float narrow_to_float(DType dtype, std::uint16_t bits) {
    if (dtype == DType::F16) return half_to_float(bits);
    if (dtype == DType::BF16) return bfloat_to_float(bits);
    return float8_to_float(dtype, static_cast<std::uint8_t>(bits));
}

std::uint16_t float_to_narrow(DType dtype, float value) {
    if (dtype == DType::F16) return float_to_half(value);
    if (dtype == DType::BF16) return float_to_bfloat(value);
    return float_to_float8(dtype, value);
}

double rounded_to(DType dtype, double value) {
    if (dtype == DType::F64) return value;
    const auto single = static_cast<float>(value);
    return is_narrow_float(dtype) ? narrow_to_float(dtype, float_to_narrow(dtype, single)) : single;
}

} // namespace orrery
