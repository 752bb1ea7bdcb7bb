#pragma once
// What every scalar operation of tensor IR computes, over a run of lanes: the one place where the arithmetic of
// node.hpp's essay is written down for running (build.cpp folds constants by the same rules).
//
// A register holds up to kLanes values of one dtype. Narrow floats are held as the f32 they equal, Bool as one
// byte 0 or 1, 4-bit integers as 8-bit ones, everything else as itself.

#include "core/tensor/node.hpp"

#include <cstdint>

namespace orrery::tensor {

/// Lanes of a register. Source: our choice, because 256 eight-byte lanes are 2 KiB, so that the ten or so
/// registers live at once stay in a 32 KiB first-level cache, while dispatch costs below 0.05 ns a lane.
inline constexpr int kLanes = 256;
/// Units: bytes, of the widest register.
inline constexpr int kRegisterBytes = kLanes * 8;

using UnaryKernel = void (*)(void* dst, const void* a, int n);
using BinaryKernel = void (*)(void* dst, const void* a, const void* b, int n);
using SelectKernel = void (*)(void* dst, const std::uint8_t* condition, const void* a, const void* b, int n);
/// dst[i] = buffer[pattern[i]], widened to the register's form.
using GatherKernel = void (*)(void* dst, const void* buffer, const std::int32_t* pattern, int n);
/// As GatherKernel with 64-bit element offsets; a negative offset is a lane that is off and reads 0.
using GatherAtKernel = void (*)(void* dst, const void* buffer, const std::int64_t* offsets, int n);
/// buffer[pattern[i]] = src[i] in lane order.
using ScatterKernel = void (*)(void* buffer, const void* src, const std::int32_t* pattern, int n);
using ScatterAtKernel = void (*)(void* buffer, const void* src, const std::int64_t* offsets, int n);

/// A reduction: buffer[offset] = op(buffer[offset], term), one lane after another.
struct FoldArgs {
    void* buffer = nullptr;
    const std::int32_t* pattern = nullptr; ///< element offsets of the lanes; equal within a run
    const std::int64_t* offsets = nullptr; ///< instead of `pattern`: any offsets, negative for lanes that are off
    const void* term = nullptr;
    const void* initial = nullptr;        ///< what the element is set to first in lanes whose `starts` is 1
    const std::uint8_t* starts = nullptr; ///< per lane; null for none. With `pattern`, read at run starts only
    int n = 0, run = 1;
};
using FoldKernel = void (*)(const FoldArgs&);

/// acc = acc + a * b over runs, product and sum each rounded.
struct MacArgs {
    FoldArgs fold; ///< with `pattern`; `term` unused
    const void *a = nullptr, *b = nullptr;
    const std::int32_t *a_pattern = nullptr, *b_pattern = nullptr;
};
using MacKernel = void (*)(const MacArgs&);

/// Units: bytes of one lane.
[[nodiscard]] int lane_bytes(DType dtype);

/// The kernels of operations on operands of `dtype`. Results of narrow floats still need `rounding_kernel`.
/// Broken invariant when the operation is not defined for the dtype. `And` and `Or` are evaluated eagerly.
[[nodiscard]] BinaryKernel binary_kernel(BinaryOp op, DType dtype);
[[nodiscard]] UnaryKernel unary_kernel(Intrinsic intrinsic, DType dtype);
[[nodiscard]] BinaryKernel intrinsic_kernel(Intrinsic intrinsic, DType dtype); ///< Pow, Fmod
/// Rounds f32 lanes to a narrow float's values; null for other dtypes, which need none.
[[nodiscard]] UnaryKernel rounding_kernel(DType dtype);
/// Includes the rounding of the target.
[[nodiscard]] UnaryKernel cast_kernel(DType to, DType from);
[[nodiscard]] SelectKernel select_kernel(DType dtype);
[[nodiscard]] UnaryKernel splat_kernel(DType dtype); ///< dst[i] = a[0]

[[nodiscard]] GatherKernel gather_kernel(DType dtype);
/// A gather whose pattern stays for `run` lanes in a row.
using SpreadKernel = void (*)(void* dst, const void* buffer, const std::int32_t* pattern, int n, int run);
[[nodiscard]] SpreadKernel spread_kernel(DType dtype);
[[nodiscard]] GatherAtKernel gather_at_kernel(DType dtype);
[[nodiscard]] ScatterKernel scatter_kernel(DType dtype);
[[nodiscard]] ScatterAtKernel scatter_at_kernel(DType dtype);
/// Null unless `op` is a combiner: Add, Mul, Min, Max, And, Or.
[[nodiscard]] FoldKernel fold_kernel(BinaryOp op, DType dtype);
[[nodiscard]] MacKernel mac_kernel(DType dtype); ///< null unless F32 or F64

/// Writes a constant (IntImm or FloatImm) into lane 0 of a register.
void write_constant(const Expr& constant, void* lane);

} // namespace orrery::tensor
