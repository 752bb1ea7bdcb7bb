#include "backends/llvm/arithmetic.hpp"

#include "backends/llvm/vector_math.hpp"

#include <llvm/Analysis/VectorUtils.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <cmath>
#include <limits>

namespace orrery::codegen {

using llvm::Value;
using tensor::BinaryOp;
using tensor::Intrinsic;

namespace {

bool is_signed(DType dtype) { return is_signed_int(dtype); }

llvm::Type* with_scalar(Value* like, llvm::Type* scalar) { return like->getType()->getWithNewType(scalar); }

/// The C function of an elementary function of `type`; null when LLVM has an operation for it.
const char* library_name(Intrinsic intrinsic, bool single) {
    switch (intrinsic) {
    case Intrinsic::Exp: return single ? "expf" : "exp";
    case Intrinsic::Log: return single ? "logf" : "log";
    case Intrinsic::Sin: return single ? "sinf" : "sin";
    case Intrinsic::Cos: return single ? "cosf" : "cos";
    case Intrinsic::Tan: return single ? "tanf" : "tan";
    case Intrinsic::Asin: return single ? "asinf" : "asin";
    case Intrinsic::Acos: return single ? "acosf" : "acos";
    case Intrinsic::Atan: return single ? "atanf" : "atan";
    case Intrinsic::Sinh: return single ? "sinhf" : "sinh";
    case Intrinsic::Cosh: return single ? "coshf" : "cosh";
    case Intrinsic::Tanh: return single ? "tanhf" : "tanh";
    case Intrinsic::Asinh: return single ? "asinhf" : "asinh";
    case Intrinsic::Acosh: return single ? "acoshf" : "acosh";
    case Intrinsic::Atanh: return single ? "atanhf" : "atanh";
    case Intrinsic::Erf: return single ? "erff" : "erf";
    case Intrinsic::Pow: return single ? "powf" : "pow";
    case Intrinsic::Fmod: return single ? "fmodf" : "fmod";
    default: return nullptr;
    }
}

llvm::Intrinsic::ID native_operation(Intrinsic intrinsic) {
    switch (intrinsic) {
    case Intrinsic::Abs: return llvm::Intrinsic::fabs;
    case Intrinsic::Sqrt: return llvm::Intrinsic::sqrt;
    case Intrinsic::Floor: return llvm::Intrinsic::floor;
    case Intrinsic::Ceil: return llvm::Intrinsic::ceil;
    case Intrinsic::Round: return llvm::Intrinsic::roundeven;
    case Intrinsic::Trunc: return llvm::Intrinsic::trunc;
    default: return llvm::Intrinsic::not_intrinsic;
    }
}

/// A function base, exponent -> base^exponent modulo 2^bits by repeated squaring, for exponents read as unsigned.
llvm::Function* power_function(llvm::Module& module, llvm::IntegerType* type) {
    const std::string name = "orrery.power.i" + std::to_string(type->getBitWidth());
    if (llvm::Function* made = module.getFunction(name)) return made;
    auto* function = llvm::Function::Create(llvm::FunctionType::get(type, {type, type}, false),
                                            llvm::GlobalValue::InternalLinkage, name, module);
    llvm::LLVMContext& context = module.getContext();
    auto* entry = llvm::BasicBlock::Create(context, "entry", function);
    auto* loop = llvm::BasicBlock::Create(context, "loop", function);
    auto* done = llvm::BasicBlock::Create(context, "done", function);
    llvm::IRBuilder<> b(entry);
    Value* one = llvm::ConstantInt::get(type, 1);
    b.CreateBr(loop);
    b.SetInsertPoint(loop);
    llvm::PHINode *result = b.CreatePHI(type, 2), *base = b.CreatePHI(type, 2), *left = b.CreatePHI(type, 2);
    Value* odd = b.CreateTrunc(left, b.getInt1Ty());
    Value* next = b.CreateSelect(odd, b.CreateMul(result, base), result);
    Value* rest = b.CreateLShr(left, 1);
    Value* square = b.CreateMul(base, base);
    b.CreateCondBr(b.CreateICmpEQ(rest, llvm::ConstantInt::get(type, 0)), done, loop);
    result->addIncoming(one, entry);
    base->addIncoming(function->getArg(0), entry);
    left->addIncoming(function->getArg(1), entry);
    result->addIncoming(next, loop);
    base->addIncoming(square, loop);
    left->addIncoming(rest, loop);
    b.SetInsertPoint(done);
    b.CreateRet(next);
    return function;
}

} // namespace

llvm::Type* register_type(llvm::LLVMContext& context, DType dtype) {
    if (dtype == DType::F64) return llvm::Type::getDoubleTy(context);
    if (is_float(dtype)) return llvm::Type::getFloatTy(context);
    return llvm::Type::getIntNTy(context, static_cast<unsigned>(bit_width(dtype)));
}

llvm::Type* memory_type(llvm::LLVMContext& context, DType dtype) {
    if (dtype == DType::F32 || dtype == DType::F64) return register_type(context, dtype);
    return llvm::Type::getIntNTy(context, static_cast<unsigned>(byte_size(dtype)) * 8);
}

// ------------------------------------------------------------------------------- representations

Value* Arithmetic::from_half(Value* bits) {
    if (native_half_) {
        Value* half = b_.CreateBitCast(bits, with_scalar(bits, b_.getHalfTy()));
        if (half_arithmetic_) return b_.CreateFPExt(half, with_scalar(bits, b_.getFloatTy()));
        // Fenced, or LLVM would compute in half what it proves exact there, for which machines without such
        // arithmetic have no instructions.
        llvm::Type* real = with_scalar(bits, b_.getFloatTy());
        return b_.CreateArithmeticFence(b_.CreateFPExt(half, real), real);
    }
    // Exponent and mantissa move to f32's place; multiplying by 2^112 corrects the bias, subnormals included.
    llvm::Type* wide = with_scalar(bits, b_.getInt32Ty());
    llvm::Type* real = with_scalar(bits, b_.getFloatTy());
    const auto word = [wide](std::uint64_t v) { return llvm::ConstantInt::get(wide, v); };
    Value* all = b_.CreateZExt(bits, wide);
    Value* magnitude = b_.CreateShl(b_.CreateAnd(all, word(0x7fff)), 13);
    Value* scaled = b_.CreateFMul(b_.CreateBitCast(magnitude, real), llvm::ConstantFP::get(real, 0x1p112));
    Value* special = b_.CreateOr(magnitude, word(0x7f800000)); // infinity, NaN
    Value* is_special = b_.CreateICmpUGE(magnitude, word(0x7c00u << 13));
    Value* value = b_.CreateSelect(is_special, special, b_.CreateBitCast(scaled, wide));
    Value* sign = b_.CreateShl(b_.CreateAnd(all, word(0x8000)), 16);
    return b_.CreateBitCast(b_.CreateOr(value, sign), real);
}

Value* Arithmetic::to_half(Value* value) {
    llvm::Type* narrow = with_scalar(value, b_.getInt16Ty());
    if (native_half_) return b_.CreateBitCast(narrowed_to_half(value), narrow);
    llvm::Type* wide = with_scalar(value, b_.getInt32Ty());
    const auto word = [wide](std::uint64_t v) { return llvm::ConstantInt::get(wide, v); };
    Value* all = b_.CreateBitCast(value, wide);
    Value* magnitude = b_.CreateAnd(all, word(0x7fffffff));
    // Normal: round the 13 lost bits to nearest even, then correct the bias; a carry runs into the exponent.
    Value* even = b_.CreateAnd(b_.CreateLShr(magnitude, 13), word(1));
    Value* normal = b_.CreateLShr(b_.CreateAdd(b_.CreateAdd(magnitude, word(0xc8000fff)), even), 13);
    // Subnormal: adding 1/2 leaves the mantissa, rounded to 2^-24, in the low bits.
    Value* half = llvm::ConstantFP::get(value->getType(), 0.5);
    Value* shifted = b_.CreateFAdd(b_.CreateBitCast(magnitude, value->getType()), half);
    Value* subnormal = b_.CreateSub(b_.CreateBitCast(shifted, wide), b_.CreateBitCast(half, wide));
    Value* result = b_.CreateSelect(b_.CreateICmpULT(magnitude, word(0x38800000)), subnormal, normal);
    Value* special = b_.CreateSelect(b_.CreateICmpUGT(magnitude, word(0x7f800000)), word(0x7e00), word(0x7c00));
    result = b_.CreateSelect(b_.CreateICmpUGE(magnitude, word(0x477ff000)), special, result);
    return b_.CreateTrunc(b_.CreateOr(result, b_.CreateLShr(b_.CreateXor(all, magnitude), 16)), narrow);
}

/// What is in f16 already, and widened, is not rounded again.
Value* Arithmetic::narrowed_to_half(Value* value) {
    llvm::Type* half = with_scalar(value, b_.getHalfTy());
    const auto narrow_of = [](Value* from, llvm::Type* type) -> Value* {
        auto* wide = llvm::dyn_cast<llvm::FPExtInst>(from);
        return wide && wide->getOperand(0)->getType() == type ? wide->getOperand(0) : nullptr;
    };
    if (Value* narrow = narrow_of(value, half)) return narrow;
    // The same in all lanes.
    auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(half);
    Value* one = vector ? llvm::getSplatValue(value) : nullptr;
    if (Value* narrow = one ? narrow_of(one, b_.getHalfTy()) : nullptr)
        return b_.CreateVectorSplat(vector->getNumElements(), narrow);
    return b_.CreateFPTrunc(value, half);
}

Value* Arithmetic::from_bfloat(Value* bits) {
    Value* wide = b_.CreateShl(b_.CreateZExt(bits, with_scalar(bits, b_.getInt32Ty())), 16);
    return b_.CreateBitCast(wide, with_scalar(bits, b_.getFloatTy()));
}

Value* Arithmetic::to_bfloat(Value* value) {
    if (native_bfloat_)
        return b_.CreateBitCast(b_.CreateFPTrunc(value, with_scalar(value, b_.getBFloatTy())),
                                with_scalar(value, b_.getInt16Ty()));
    llvm::Type* wide = with_scalar(value, b_.getInt32Ty());
    const auto word = [wide](std::uint64_t v) { return llvm::ConstantInt::get(wide, v); };
    Value* all = b_.CreateBitCast(value, wide);
    Value* even = b_.CreateAnd(b_.CreateLShr(all, 16), word(1));
    Value* rounded = b_.CreateAdd(all, b_.CreateAdd(even, word(0x7fff)));
    Value* quiet = b_.CreateOr(all, word(0x400000));
    Value* chosen = b_.CreateSelect(b_.CreateFCmpUNO(value, value), quiet, rounded);
    return b_.CreateTrunc(b_.CreateLShr(chosen, 16), with_scalar(value, b_.getInt16Ty()));
}

Value* Arithmetic::from_float8(DType dtype, Value* bits) {
    // As from_half: exponent and mantissa move to f32's place, and a product corrects the bias.
    const Float8Format format = float8_format(dtype);
    llvm::Type* wide = with_scalar(bits, b_.getInt32Ty());
    llvm::Type* real = with_scalar(bits, b_.getFloatTy());
    const auto word = [wide](std::uint64_t v) { return llvm::ConstantInt::get(wide, v); };
    Value* all = b_.CreateZExt(bits, wide);
    Value* code = b_.CreateAnd(all, word(0x7f));
    Value* magnitude = b_.CreateBitCast(b_.CreateShl(code, static_cast<unsigned>(23 - format.mantissa)), real);
    Value* scaled = b_.CreateFMul(magnitude, llvm::ConstantFP::get(real, std::ldexp(1.0, 127 - format.bias)));
    Value* value = b_.CreateBitCast(scaled, wide);
    Value* nan = word(0x7fc00000);
    if (dtype == DType::F8E5M2)
        value = b_.CreateSelect(b_.CreateICmpEQ(code, word(format.overflow)), word(0x7f800000), value);
    Value* special = !format.negative_zero    ? b_.CreateICmpEQ(all, word(0x80))
                     : dtype == DType::F8E5M2 ? b_.CreateICmpUGT(code, word(format.overflow))
                                              : b_.CreateICmpUGT(code, word(format.greatest));
    value = b_.CreateSelect(special, nan, value);
    return b_.CreateBitCast(b_.CreateOr(value, b_.CreateShl(b_.CreateAnd(all, word(0x80)), 24)), real);
}

Value* Arithmetic::to_float8(DType dtype, Value* value) {
    const Float8Format format = float8_format(dtype);
    llvm::Type* wide = with_scalar(value, b_.getInt32Ty());
    llvm::Type* real = value->getType();
    const auto word = [wide](std::uint64_t v) { return llvm::ConstantInt::get(wide, v); };
    Value* all = b_.CreateBitCast(value, wide);
    Value* magnitude = b_.CreateAnd(all, word(0x7fffffff));
    // Normal: round the lost bits to nearest even, then correct the bias; a carry runs into the exponent.
    const auto lost = static_cast<unsigned>(23 - format.mantissa);
    Value* even = b_.CreateAnd(b_.CreateLShr(magnitude, lost), word(1));
    Value* half = word((std::uint64_t{1} << (lost - 1)) - 1);
    const auto moved = static_cast<std::uint64_t>(127 - format.bias) << format.mantissa;
    Value* normal = b_.CreateSub(b_.CreateLShr(b_.CreateAdd(b_.CreateAdd(magnitude, half), even), lost), word(moved));
    // Subnormal: the sum's last place is the least of the format, so its low bits are the code.
    const double least_normal = std::ldexp(1.0, 1 - format.bias);
    Value* shift = llvm::ConstantFP::get(real, std::ldexp(least_normal, 23 - format.mantissa));
    Value* small = b_.CreateFAdd(b_.CreateBitCast(magnitude, real), shift);
    Value* subnormal = b_.CreateSub(b_.CreateBitCast(small, wide), b_.CreateBitCast(shift, wide));
    Value* is_small = b_.CreateFCmpOLT(b_.CreateBitCast(magnitude, real), llvm::ConstantFP::get(real, least_normal));
    Value* code = b_.CreateSelect(is_small, subnormal, normal);
    code = b_.CreateSelect(b_.CreateICmpUGT(code, word(format.greatest)), word(format.overflow), code);
    Value* nan = b_.CreateICmpUGT(magnitude, word(0x7f800000));
    code = b_.CreateSelect(nan, word(format.negative_zero ? 0x7f : 0x80), code);
    Value* sign = b_.CreateAnd(b_.CreateLShr(all, 24), word(0x80));
    Value* result = b_.CreateOr(code, sign);
    if (!format.negative_zero) result = b_.CreateSelect(b_.CreateICmpEQ(code, word(0)), word(0), result);
    return b_.CreateTrunc(result, with_scalar(value, b_.getInt8Ty()));
}

Value* Arithmetic::from_memory(DType dtype, Value* value) {
    if (dtype == DType::Bool) return b_.CreateICmpNE(value, llvm::Constant::getNullValue(value->getType()));
    if (!is_arithmetic(dtype)) return b_.CreateTrunc(value, with_scalar(value, register_type(b_.getContext(), dtype)));
    if (dtype == DType::F16) return from_half(value);
    if (dtype == DType::BF16) return from_bfloat(value);
    return is_float8(dtype) ? from_float8(dtype, value) : value;
}

Value* Arithmetic::to_memory(DType dtype, Value* value) {
    if (bit_width(dtype) < 8) return b_.CreateIntCast(value, with_scalar(value, b_.getInt8Ty()), is_signed(dtype));
    if (dtype == DType::F16) return to_half(value);
    if (dtype == DType::BF16) return to_bfloat(value);
    return is_float8(dtype) ? to_float8(dtype, value) : value;
}

Value* Arithmetic::rounded(DType dtype, Value* value) {
    return is_narrow_float(dtype) ? from_memory(dtype, to_memory(dtype, value)) : value;
}

Value* Arithmetic::constant(DType dtype, double value) {
    return llvm::ConstantFP::get(register_type(b_.getContext(), dtype), value);
}

// ------------------------------------------------------------------------------------- operations

Value* Arithmetic::compare(BinaryOp op, DType dtype, Value* x, Value* y) {
    using P = llvm::CmpInst::Predicate;
    const bool real = is_float(dtype), sign = is_signed(dtype);
    const auto pick = [&](P f, P s, P u) { return b_.CreateCmp(real ? f : sign ? s : u, x, y); };
    switch (op) {
    case BinaryOp::Eq: return pick(P::FCMP_OEQ, P::ICMP_EQ, P::ICMP_EQ);
    case BinaryOp::Ne: return pick(P::FCMP_UNE, P::ICMP_NE, P::ICMP_NE);
    case BinaryOp::Lt: return pick(P::FCMP_OLT, P::ICMP_SLT, P::ICMP_ULT);
    case BinaryOp::Le: return pick(P::FCMP_OLE, P::ICMP_SLE, P::ICMP_ULE);
    case BinaryOp::Gt: return pick(P::FCMP_OGT, P::ICMP_SGT, P::ICMP_UGT);
    case BinaryOp::Ge: return pick(P::FCMP_OGE, P::ICMP_SGE, P::ICMP_UGE);
    default: fail_internal("compare is given a comparison");
    }
}

Value* Arithmetic::float_binary(BinaryOp op, Value* x, Value* y) {
    switch (op) {
    case BinaryOp::Add: return b_.CreateFAdd(x, y);
    case BinaryOp::Sub: return b_.CreateFSub(x, y);
    case BinaryOp::Mul: return b_.CreateFMul(x, y);
    case BinaryOp::Div: return b_.CreateFDiv(x, y);
    case BinaryOp::Min: return b_.CreateMinNum(x, y);
    case BinaryOp::Max: return b_.CreateMaxNum(x, y);
    default: fail_internal("a float operation is arithmetic");
    }
}

Value* Arithmetic::divide(BinaryOp op, bool is_signed, Value* x, Value* y) {
    // Where the quotient is undefined the divisor becomes 1 and the result 0.
    llvm::Type* type = x->getType();
    Value* zero = llvm::Constant::getNullValue(type);
    // Zeros go first, on their own: in a constant vector of divisors they are then gone before LLVM sees a division.
    Value* one = llvm::ConstantInt::get(type, 1);
    Value* undefined = b_.CreateICmpEQ(y, zero);
    Value* divisor = b_.CreateSelect(undefined, one, y);
    Value* minus = b_.CreateICmpEQ(divisor, llvm::Constant::getAllOnesValue(type));
    const auto* never = llvm::dyn_cast<llvm::Constant>(minus);
    if (is_signed && !(never && never->isZeroValue())) {
        Value* least = llvm::ConstantInt::get(type, llvm::APInt::getSignedMinValue(type->getScalarSizeInBits()));
        Value* overflows = b_.CreateAnd(b_.CreateICmpEQ(x, least), minus);
        undefined = b_.CreateOr(undefined, overflows);
        divisor = b_.CreateSelect(overflows, one, divisor);
    }
    const bool remainder = op == BinaryOp::Rem || op == BinaryOp::FloorMod;
    const bool floor = op == BinaryOp::FloorDiv || op == BinaryOp::FloorMod;
    Value* result = nullptr;
    if (!is_signed) {
        result = remainder ? b_.CreateURem(x, divisor) : b_.CreateUDiv(x, divisor);
    } else if (!floor) {
        result = remainder ? b_.CreateSRem(x, divisor) : b_.CreateSDiv(x, divisor);
    } else {
        Value* rest = b_.CreateSRem(x, divisor);
        Value* apart = b_.CreateAnd(b_.CreateICmpNE(rest, zero), b_.CreateICmpSLT(b_.CreateXor(rest, divisor), zero));
        if (remainder)
            result = b_.CreateAdd(rest, b_.CreateSelect(apart, divisor, zero));
        else
            result = b_.CreateAdd(b_.CreateSDiv(x, divisor), b_.CreateSExt(apart, type));
    }
    return b_.CreateSelect(undefined, zero, result);
}

Value* Arithmetic::shift(BinaryOp op, bool is_signed, Value* x, Value* y) {
    llvm::Type* type = x->getType();
    Value* zero = llvm::Constant::getNullValue(type);
    Value* last = llvm::ConstantInt::get(type, type->getScalarSizeInBits() - 1);
    Value* beyond = b_.CreateICmpUGT(y, last);
    Value* count = b_.CreateSelect(beyond, last, y);
    if (op == BinaryOp::Shr && is_signed) return b_.CreateAShr(x, count);
    return b_.CreateSelect(beyond, zero, op == BinaryOp::Shl ? b_.CreateShl(x, count) : b_.CreateLShr(x, count));
}

Value* Arithmetic::int_binary(BinaryOp op, bool is_signed, Value* x, Value* y) {
    using llvm::Intrinsic::ID;
    switch (op) {
    case BinaryOp::Add: return b_.CreateAdd(x, y);
    case BinaryOp::Sub: return b_.CreateSub(x, y);
    case BinaryOp::Mul: return b_.CreateMul(x, y);
    case BinaryOp::Div:
    case BinaryOp::Rem:
    case BinaryOp::FloorDiv:
    case BinaryOp::FloorMod: return divide(op, is_signed, x, y);
    case BinaryOp::Min:
        return b_.CreateBinaryIntrinsic(is_signed ? ID(llvm::Intrinsic::smin) : ID(llvm::Intrinsic::umin), x, y);
    case BinaryOp::Max:
        return b_.CreateBinaryIntrinsic(is_signed ? ID(llvm::Intrinsic::smax) : ID(llvm::Intrinsic::umax), x, y);
    case BinaryOp::And:
    case BinaryOp::BitAnd: return b_.CreateAnd(x, y);
    case BinaryOp::Or:
    case BinaryOp::BitOr: return b_.CreateOr(x, y);
    case BinaryOp::BitXor: return b_.CreateXor(x, y);
    case BinaryOp::Shl:
    case BinaryOp::Shr: return shift(op, is_signed, x, y);
    default: fail_internal("an integer operation is no comparison");
    }
}

Value* Arithmetic::binary(BinaryOp op, DType dtype, Value* x, Value* y) {
    if (tensor::is_comparison(op)) return compare(op, dtype, x, y);
    // Sums, differences, products and quotients of f16 in f32 have digits enough that rounding them again is right:
    // both ways give the same bits.
    if (dtype == DType::F16 && half_arithmetic_)
        return b_.CreateFPExt(float_binary(op, narrowed_to_half(x), narrowed_to_half(y)),
                              with_scalar(x, b_.getFloatTy()));
    if (is_float(dtype)) return rounded(dtype, float_binary(op, x, y));
    if (dtype != DType::Bool) return int_binary(op, is_signed(dtype), x, y);
    switch (op) { // arithmetic modulo 2
    case BinaryOp::Add:
    case BinaryOp::Sub: return b_.CreateXor(x, y);
    case BinaryOp::Mul:
    case BinaryOp::Div:
    case BinaryOp::FloorDiv: return b_.CreateAnd(x, y);
    case BinaryOp::Rem:
    case BinaryOp::FloorMod: return llvm::Constant::getNullValue(x->getType());
    case BinaryOp::Shl:
    case BinaryOp::Shr: return b_.CreateAnd(x, b_.CreateNot(y));
    default: return int_binary(op, false, x, y);
    }
}

Value* Arithmetic::float_power(Value* x, Value* y) {
    const auto* exponent = llvm::dyn_cast<llvm::Constant>(y);
    if (exponent && exponent->getType()->isVectorTy()) exponent = exponent->getSplatValue();
    const auto* number = llvm::dyn_cast_or_null<llvm::ConstantFP>(exponent);
    if (number && number->isExactlyValue(2)) return b_.CreateFMul(x, x);
    const bool single = x->getType()->getScalarType()->isFloatTy();
    if (single && number && number->isExactlyValue(-0.75)) return emit_inverse_three_quarters(b_, x);
    if (single) return emit_pow(b_, x, y);
    return call_per_lane(b_, library_name(Intrinsic::Pow, false), x, y);
}

Value* Arithmetic::float_intrinsic(Intrinsic intrinsic, Value* x, Value* y) {
    const bool single = x->getType()->getScalarType()->isFloatTy();
    if (const llvm::Intrinsic::ID id = native_operation(intrinsic); id != llvm::Intrinsic::not_intrinsic)
        return b_.CreateUnaryIntrinsic(id, x);
    const auto num = [x](double v) { return llvm::ConstantFP::get(x->getType(), v); };
    switch (intrinsic) {
    case Intrinsic::Neg: return b_.CreateFNeg(x);
    case Intrinsic::Sign: {
        Value* negative = b_.CreateSelect(b_.CreateFCmpOLT(x, num(0)), num(-1), x); // NaN stays
        Value* zero = b_.CreateSelect(b_.CreateFCmpOEQ(x, num(0)), num(0), negative);
        return b_.CreateSelect(b_.CreateFCmpOGT(x, num(0)), num(1), zero);
    }
    case Intrinsic::IsNan: return b_.CreateFCmpUNO(x, x);
    case Intrinsic::IsInf:
        return b_.CreateFCmpOEQ(b_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x),
                                num(std::numeric_limits<double>::infinity()));
    case Intrinsic::Pow: return float_power(x, y);
    default: break;
    }
    if (single)
        if (Value* made = emit_math(b_, intrinsic, x)) return made;
    const char* name = library_name(intrinsic, single);
    ORRERY_ASSERT(name != nullptr, "the function is defined for floats");
    return call_per_lane(b_, name, x, y);
}

Value* Arithmetic::int_power(bool is_signed, Value* x, Value* y) {
    llvm::Module* module = b_.GetInsertBlock()->getModule();
    llvm::Function* power = power_function(*module, llvm::cast<llvm::IntegerType>(x->getType()->getScalarType()));
    llvm::Type* type = x->getType();
    Value* result = nullptr;
    if (auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(type)) {
        result = llvm::PoisonValue::get(type);
        for (unsigned i = 0; i < vector->getNumElements(); ++i) {
            Value* one = b_.CreateCall(power, {b_.CreateExtractElement(x, i), b_.CreateExtractElement(y, i)});
            result = b_.CreateInsertElement(result, one, i);
        }
    } else {
        result = b_.CreateCall(power, {x, y});
    }
    if (!is_signed) return result;
    // 1 / base^n, truncated: 1 and -1 have powers of their own, everything else gives 0.
    Value* one = llvm::ConstantInt::get(type, 1);
    Value* minus = llvm::Constant::getAllOnesValue(type);
    Value* zero = llvm::Constant::getNullValue(type);
    Value* unit = b_.CreateOr(b_.CreateICmpEQ(x, one), b_.CreateICmpEQ(x, minus));
    Value* odd = b_.CreateICmpNE(b_.CreateAnd(y, one), zero);
    Value* inverse = b_.CreateSelect(unit, b_.CreateSelect(odd, x, one), zero);
    return b_.CreateSelect(b_.CreateICmpSLT(y, zero), inverse, result);
}

Value* Arithmetic::int_intrinsic(Intrinsic intrinsic, DType dtype, Value* x, Value* y) {
    llvm::Type* type = x->getType();
    Value* zero = llvm::Constant::getNullValue(type);
    switch (intrinsic) {
    case Intrinsic::Neg: return dtype == DType::Bool ? x : b_.CreateNeg(x);
    case Intrinsic::Not:
    case Intrinsic::BitNot: return b_.CreateNot(x);
    case Intrinsic::Abs: return is_signed(dtype) ? b_.CreateBinaryIntrinsic(llvm::Intrinsic::abs, x, b_.getFalse()) : x;
    case Intrinsic::Sign: {
        Value* positive = b_.CreateZExt(b_.CreateICmpNE(x, zero), type);
        return is_signed(dtype)
                   ? b_.CreateSelect(b_.CreateICmpSLT(x, zero), llvm::Constant::getAllOnesValue(type), positive)
                   : positive;
    }
    case Intrinsic::CountOnes: return b_.CreateUnaryIntrinsic(llvm::Intrinsic::ctpop, x);
    case Intrinsic::Floor:
    case Intrinsic::Ceil:
    case Intrinsic::Round:
    case Intrinsic::Trunc: return x;
    case Intrinsic::IsNan:
    case Intrinsic::IsInf: return llvm::Constant::getNullValue(with_scalar(x, b_.getInt1Ty()));
    case Intrinsic::Fmod: return divide(BinaryOp::Rem, is_signed(dtype), x, y);
    case Intrinsic::Pow: return int_power(is_signed(dtype), x, y);
    default: fail_internal("the function is defined for integers");
    }
}

Value* Arithmetic::intrinsic(Intrinsic intrinsic, DType dtype, Value* x, Value* y) {
    if (!is_float(dtype)) return int_intrinsic(intrinsic, dtype, x, y);
    Value* result = float_intrinsic(intrinsic, x, y);
    const bool test = intrinsic == Intrinsic::IsNan || intrinsic == Intrinsic::IsInf;
    return test ? result : rounded(dtype, result);
}

/// An f32 held within the range of an integer of up to 16 bits, NaN as 0: in f32, where machines have a minimum and a
/// maximum that take their second operand for NaN, then by way of i32. LLVM takes saturating conversions of vectors to
/// such integers apart, number by number.
Value* Arithmetic::to_few_bits(DType to, Value* value) {
    const double values = std::ldexp(1.0, bit_width(to)), least = is_signed(to) ? -values / 2 : 0;
    Value* low = llvm::ConstantFP::get(value->getType(), least);
    Value* high = llvm::ConstantFP::get(value->getType(), least + values - 1);
    Value* held = b_.CreateSelect(b_.CreateFCmpOGT(value, low), value, low);
    held = b_.CreateSelect(b_.CreateFCmpOLT(held, high), held, high);
    if (is_signed(to))
        held = b_.CreateSelect(b_.CreateFCmpUNO(value, value), llvm::Constant::getNullValue(value->getType()), held);
    return b_.CreateTrunc(b_.CreateFPToSI(held, with_scalar(value, b_.getInt32Ty())),
                          with_scalar(value, register_type(b_.getContext(), to)));
}

Value* Arithmetic::cast(DType to, DType from, Value* value) {
    llvm::Type* type = with_scalar(value, register_type(b_.getContext(), to));
    Value* zero = llvm::Constant::getNullValue(value->getType());
    if (to == DType::Bool) return is_float(from) ? b_.CreateFCmpUNE(value, zero) : b_.CreateICmpNE(value, zero);
    if (is_float(to)) {
        if (!is_float(from))
            value = is_signed(from) ? b_.CreateSIToFP(value, type) : b_.CreateUIToFP(value, type);
        else
            value = b_.CreateFPCast(value, type);
        return rounded(to, value);
    }
    if (!is_float(from)) return b_.CreateIntCast(value, type, is_signed(from));
    if (bit_width(to) <= 16 && value->getType()->getScalarType()->isFloatTy()) return to_few_bits(to, value);
    const auto saturating = is_signed(to) ? llvm::Intrinsic::fptosi_sat : llvm::Intrinsic::fptoui_sat;
    return b_.CreateIntrinsic(saturating, {type, value->getType()}, {value});
}

} // namespace orrery::codegen
