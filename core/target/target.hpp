#pragma once
// What code is made for.

#include "core/base/hash.hpp"
#include "core/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace orrery {

/// How a machine makes products of bytes, u8 by i8, with sums in i32: not at all, four at a time added to each lane of
/// a register (VNNI of x86), or in tiles and, where those are not filled, so too (AMX).
enum class ByteProducts : std::uint8_t { None, Dots, Tiles };
[[nodiscard]] std::string_view to_string(ByteProducts products);

/// A machine as schedules and code generators see it.
struct Target {
    std::string backend = "llvm";
    std::string triple;    ///< LLVM target triple; empty for the host's
    std::string cpu;       ///< LLVM processor name; empty for the host's, or the plain one of another triple
    std::string features;  ///< LLVM feature list, "+avx2,-avx512f"
    int vector_bits = 128; ///< widest vector register worth using; one element's where the processor has none
    int vector_registers = 16;
    int cores = 1;               ///< threads a run may use
    bool bf16_tiles = false;     ///< multiplies tiles of bf16 with sums in f32 (AMX of x86)
    bool f16_arithmetic = false; ///< computes in f16 (AVX512-FP16 of x86, FEAT_FP16 of Arm)
    ByteProducts byte_products = ByteProducts::None;
    std::int64_t l1_bytes = 32 << 10, l2_bytes = 512 << 10,
                 l3_bytes = 8 << 20; ///< data caches; per core, per core, shared

    friend bool operator==(const Target&, const Target&) = default;
    [[nodiscard]] Hash hash() const;
    /// How many elements of a size fill a vector register; at least 1. Units: bytes.
    [[nodiscard]] int lanes(int element_bytes) const;
    /// The most bytes that one part of a kernel leaves to the next one, a piece after the other, on a thread's stack:
    /// what its second-level cache keeps beside all else that passes through.
    [[nodiscard]] std::int64_t piece_bytes() const;
    /// The same of an image's rows, which are the longer the fewer of them are computed twice.
    [[nodiscard]] std::int64_t image_bytes() const;
};

/// "llvm -mcpu=znver4 -mattr=... -mtriple=... -threads=2 -vector-bits=512 ..."; parse_target(to_string(t)) equals t.
[[nodiscard]] std::string to_string(const Target& target);
/// What is left out is taken from `base`: features only when no processor is named, nothing of the processor when the
/// triple is of another architecture. Backend::read_target knows what a processor has. Errors: BadArgument.
[[nodiscard]] Result<Target> parse_target(std::string_view text, const Target& base);

} // namespace orrery
