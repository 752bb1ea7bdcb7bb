#pragma once
// One tensor-IR operation on values of one dtype, as LLVM IR with the meaning core/tensor/node.hpp gives it.
// Operands are scalars, or vectors of equal length.
//
// In registers a Bool is i1, a 4-bit integer i4, and narrow floats are floats that hold a value of theirs exactly; in
// memory a Bool and a 4-bit integer are a byte, and narrow floats are the 8 or 16 bits they have.

#include "core/tensor/node.hpp"

namespace llvm {
class IRBuilderBase;
class LLVMContext;
class Type;
class Value;
} // namespace llvm

namespace orrery::codegen {

[[nodiscard]] llvm::Type* register_type(llvm::LLVMContext& context, DType dtype);
[[nodiscard]] llvm::Type* memory_type(llvm::LLVMContext& context, DType dtype);

class Arithmetic {
  public:
    /// `native_half`: the machine converts between f16 and f32.
    Arithmetic(llvm::IRBuilderBase& builder, bool native_half) : b_(builder), native_half_(native_half) {}

    /// Rounds to bf16 by the machine's instruction, which takes subnormal numbers as zero.
    void use_native_bfloat(bool use) { native_bfloat_ = use; }

    /// Computes in f16 what is of that type, instead of in f32 with a rounding.
    void use_half_arithmetic(bool use) { half_arithmetic_ = use; }

    [[nodiscard]] llvm::Value* from_memory(DType dtype, llvm::Value* value);
    [[nodiscard]] llvm::Value* to_memory(DType dtype, llvm::Value* value);
    [[nodiscard]] llvm::Value* constant(DType dtype, double value);
    /// `dtype` is the operands'. And and Or evaluate both sides.
    [[nodiscard]] llvm::Value* binary(tensor::BinaryOp op, DType dtype, llvm::Value* x, llvm::Value* y);
    /// `y` for Pow and Fmod.
    [[nodiscard]] llvm::Value* intrinsic(tensor::Intrinsic intrinsic, DType dtype, llvm::Value* x, llvm::Value* y);
    [[nodiscard]] llvm::Value* cast(DType to, DType from, llvm::Value* value);

  private:
    llvm::Value* rounded(DType dtype, llvm::Value* value);
    llvm::Value* to_float8(DType dtype, llvm::Value* value);
    llvm::Value* to_few_bits(DType to, llvm::Value* value);
    llvm::Value* from_float8(DType dtype, llvm::Value* bits);
    llvm::Value* to_half(llvm::Value* value);
    llvm::Value* from_half(llvm::Value* bits);
    llvm::Value* narrowed_to_half(llvm::Value* value);
    llvm::Value* to_bfloat(llvm::Value* value);
    llvm::Value* from_bfloat(llvm::Value* bits);
    llvm::Value* compare(tensor::BinaryOp op, DType dtype, llvm::Value* x, llvm::Value* y);
    llvm::Value* float_binary(tensor::BinaryOp op, llvm::Value* x, llvm::Value* y);
    llvm::Value* int_binary(tensor::BinaryOp op, bool is_signed, llvm::Value* x, llvm::Value* y);
    llvm::Value* divide(tensor::BinaryOp op, bool is_signed, llvm::Value* x, llvm::Value* y);
    llvm::Value* shift(tensor::BinaryOp op, bool is_signed, llvm::Value* x, llvm::Value* y);
    llvm::Value* float_intrinsic(tensor::Intrinsic intrinsic, llvm::Value* x, llvm::Value* y);
    llvm::Value* int_intrinsic(tensor::Intrinsic intrinsic, DType dtype, llvm::Value* x, llvm::Value* y);
    llvm::Value* float_power(llvm::Value* x, llvm::Value* y);
    llvm::Value* int_power(bool is_signed, llvm::Value* x, llvm::Value* y);

    llvm::IRBuilderBase& b_;
    bool native_half_;
    bool native_bfloat_ = false;
    bool half_arithmetic_ = false;
};

} // namespace orrery::codegen
