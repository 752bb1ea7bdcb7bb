#pragma once
// Element types shared by every level.

#include <cstdint>
#include <optional>
#include <string_view>

namespace orrery {

/// Element types. Text names: bool i8 i16 i32 i64 u8 u16 u32 u64 f16 bf16 f32 f64.
/// A `Bool` occupies one byte, 0 or 1.
enum class DType : std::uint8_t { Bool, I8, I16, I32, I64, U8, U16, U32, U64, F16, BF16, F32, F64 };

inline constexpr int kDTypeCount = 13;

/// Units: bytes.
[[nodiscard]] int byte_size(DType dtype);
[[nodiscard]] std::string_view to_string(DType dtype);
[[nodiscard]] std::optional<DType> parse_dtype(std::string_view name);

[[nodiscard]] constexpr bool is_float(DType d) { return d >= DType::F16; }
[[nodiscard]] constexpr bool is_signed_int(DType d) { return d >= DType::I8 && d <= DType::I64; }
[[nodiscard]] constexpr bool is_unsigned_int(DType d) { return d >= DType::U8 && d <= DType::U64; }
/// True for signed and unsigned integers; `Bool` is neither integer nor float.
[[nodiscard]] constexpr bool is_int(DType d) { return d >= DType::I8 && d <= DType::U64; }

/// Half and bfloat conversions, round to nearest even (IEEE 754-2008 section 4.3.1).
[[nodiscard]] float half_to_float(std::uint16_t bits);
[[nodiscard]] std::uint16_t float_to_half(float value);
[[nodiscard]] float bfloat_to_float(std::uint16_t bits);
[[nodiscard]] std::uint16_t float_to_bfloat(float value);

} // namespace orrery
