#pragma once
// Elementary functions of f32 as LLVM IR, for a scalar or a vector of any width; no library is called.

#include "core/tensor/node.hpp"

namespace llvm {
class IRBuilderBase;
class Value;
} // namespace llvm

namespace orrery::codegen {

/// The function's value for each lane of `x` (f32), or null when this file has no code for it and libm is to be called.
/// Exp, Log, Tanh, Erf, Sin, Cos; within 4 ulp of the exact value, IEEE special cases included. Sin and Cos call libm
/// for lanes when one is beyond 12000 in magnitude. May add basic blocks.
[[nodiscard]] llvm::Value* emit_math(llvm::IRBuilderBase& builder, tensor::Intrinsic intrinsic, llvm::Value* x);
/// x to the power y, f32, computed in f64.
[[nodiscard]] llvm::Value* emit_pow(llvm::IRBuilderBase& builder, llvm::Value* x, llvm::Value* y);
/// x to the power -3/4, f32, within 1 ulp where numbers are normal and as emit_pow elsewhere: what divides by a local
/// response. May add basic blocks.
[[nodiscard]] llvm::Value* emit_inverse_three_quarters(llvm::IRBuilderBase& builder, llvm::Value* x);

/// Calls the C function of that name lane by lane. The operands have one type, f32 or f64, scalar or vector.
[[nodiscard]] llvm::Value* call_per_lane(llvm::IRBuilderBase& builder, const char* name, llvm::Value* x,
                                         llvm::Value* y = nullptr);

} // namespace orrery::codegen
