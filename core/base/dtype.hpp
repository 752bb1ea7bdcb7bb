#pragma once
// Element types shared by every level.

#include <cstdint>
#include <optional>
#include <string_view>

namespace orrery {

// clang-format off
/// Element types. Text names: the enumerators in lower case.
/// A `Bool` occupies one byte, 0 or 1; an `I4` or `U4` one byte that holds its value. Hashes that outlive the process
/// hold the numbers: new ones go to the end.
enum class DType : std::uint8_t {
    Bool, I8, I16, I32, I64, U8, U16, U32, U64, F16, BF16, F32, F64, F8E4M3FN, F8E4M3FNUZ, F8E5M2, F8E5M2FNUZ, I4, U4
};
// clang-format on

inline constexpr int kDTypeCount = 19;

/// Units: bytes, of an element in memory.
[[nodiscard]] int byte_size(DType dtype);
/// Units: bits, of a value: 1 for Bool, 4 for I4 and U4, otherwise those of its bytes.
[[nodiscard]] int bit_width(DType dtype);
[[nodiscard]] std::string_view to_string(DType dtype);
[[nodiscard]] std::optional<DType> parse_dtype(std::string_view name);

[[nodiscard]] constexpr bool is_float(DType d) { return d >= DType::F16 && d <= DType::F8E5M2FNUZ; }
[[nodiscard]] constexpr bool is_float8(DType d) { return d >= DType::F8E4M3FN && d <= DType::F8E5M2FNUZ; }
/// Integers of 8 bits, the factors of products with sums in i32.
[[nodiscard]] constexpr bool is_byte(DType d) { return d == DType::I8 || d == DType::U8; }
/// Floats of 8 and 16 bits: computed in f32, and rounded.
[[nodiscard]] constexpr bool is_narrow_float(DType d) { return d == DType::F16 || d == DType::BF16 || is_float8(d); }
[[nodiscard]] constexpr bool is_signed_int(DType d) { return (d >= DType::I8 && d <= DType::I64) || d == DType::I4; }
[[nodiscard]] constexpr bool is_unsigned_int(DType d) { return (d >= DType::U8 && d <= DType::U64) || d == DType::U4; }
/// True for signed and unsigned integers; `Bool` is neither integer nor float.
[[nodiscard]] constexpr bool is_int(DType d) { return is_signed_int(d) || is_unsigned_int(d); }
/// False for I4 and U4, which are stored, moved and converted, never computed with.
[[nodiscard]] constexpr bool is_arithmetic(DType d) { return d < DType::I4; }

/// The codes of an 8-bit float without its sign. Values beyond the greatest become `overflow`.
/// Source: ONNX, "Float stored in 8 bits"; OCP 8-bit Floating Point Specification, revision 1.0, table 1.
struct Float8Format {
    int mantissa = 3;          ///< Units: bits.
    int bias = 7;              ///< of the exponent
    std::uint8_t greatest = 0; ///< the greatest finite value
    std::uint8_t overflow = 0; ///< infinity, or NaN where there is none
    bool negative_zero = true; ///< false: 0x80 is the one NaN, and there is no infinity
};
/// Pre: is_float8.
[[nodiscard]] Float8Format float8_format(DType dtype);
[[nodiscard]] float float8_to_float(DType dtype, std::uint8_t bits);
[[nodiscard]] std::uint8_t float_to_float8(DType dtype, float value);
/// The value of a narrow float's bits, and the bits of the nearest one. Pre: is_narrow_float.
[[nodiscard]] float narrow_to_float(DType dtype, std::uint16_t bits);
[[nodiscard]] std::uint16_t float_to_narrow(DType dtype, float value);
/// `value` rounded to a value of the dtype. Pre: is_float.
[[nodiscard]] double rounded_to(DType dtype, double value);

/// Half and bfloat conversions, round to nearest even (IEEE 754-2008 section 4.3.1).
[[nodiscard]] float half_to_float(std::uint16_t bits);
[[nodiscard]] std::uint16_t float_to_half(float value);
[[nodiscard]] float bfloat_to_float(std::uint16_t bits);
[[nodiscard]] std::uint16_t float_to_bfloat(float value);

} // namespace orrery
