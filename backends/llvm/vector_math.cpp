// Polynomials were fitted for this project with Sollya 8.0 (fpminimax, coefficients rounded to the format they are
// used in) where nothing else is said; each table says what was fitted, over which interval, and the error Sollya's
// dirtyinfnorm found. Range reduction follows Cody and Waite, "Software Manual for the Elementary Functions", 1980.
#include "backends/llvm/vector_math.hpp"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <array>
#include <limits>
#include <span>
#include <string>

namespace orrery::codegen {

namespace {

using llvm::Value;

/// (exp(r) - 1 - r) / r^2 on [-0.347, 0.347]; relative error of exp 2^-26.5.
constexpr std::array<double, 5> kExp = {0x1p-1, 0x1.5554dcp-3, 0x1.5554e8p-5, 0x1.120c44p-7, 0x1.6d4e7ep-10};
/// (log(1 + f) - f + f^2/2) / f^3 on [sqrt(1/2) - 1, sqrt(2) - 1]; relative error of log 2^-25.5.
constexpr std::array<double, 8> kLog = {0x1.555554p-2, -0x1.0000ccp-2, 0x1.999f42p-3, -0x1.54d14p-3,
                                        0x1.231308p-3, -0x1.0a1966p-3, 0x1.02d7a4p-3, -0x1.45561ep-4};
/// (tanh(t) / t - 1) / t^2 in t^2 on [0, 0.5]; relative error of tanh 2^-28.6.
constexpr std::array<double, 6> kTanh = {-0x1.555554p-2, 0x1.11105p-3,   -0x1.b9e242p-5,
                                         0x1.62c6a8p-6,  -0x1.075e82p-7, 0x1.065888p-9};
/// erf(t) / t - 1 in t^2 on [0, 1]; relative error of erf 2^-29.3.
constexpr std::array<double, 7> kErfSmall = {0x1.06eba8p-3, -0x1.81274p-2,   0x1.ce2d52p-4, -0x1.b7fec4p-6,
                                             0x1.542fecp-8, -0x1.a5197ap-11, 0x1.4c5cb4p-14};
/// log2(erfc(t)) on [0.99, 3.92]; absolute error of 2^ of it 2^-29.8. Fitted by reweighted least squares.
constexpr std::array<double, 7> kErfLarge = {-0x1.f74a18p-12, -0x1.a047b2p0,  -0x1.d75588p-1, -0x1.30c3d6p-3,
                                             0x1.024f5ap-5,   -0x1.17185cp-8, 0x1.1a8d1cp-12};
/// 2^r on [-1/2, 1/2] where it is multiplied by erfc, at most 0.16; relative error 2^-23.7. Fitted likewise.
constexpr std::array<double, 6> kErfPower = {0x1.000002p0,  0x1.62e428p-1, 0x1.ebf918p-3,
                                             0x1.c6b6e4p-5, 0x1.3d0c52p-7, 0x1.5c08e4p-10};
/// (sin(r) / r - 1) / r^2 in r^2 on [0, 0.63]; relative error of sin 2^-30.8.
constexpr std::array<double, 4> kSin = {-0x1.555556p-3, 0x1.111196p-7, -0x1.a07f68p-13, 0x1.861fa4p-19};
/// (cos(r) - 1 + r^2/2) / r^4 in r^2 on [0, 0.63]; relative error of cos 2^-33.2.
constexpr std::array<double, 4> kCos = {0x1.555556p-5, -0x1.6c17cep-10, 0x1.a0ec22p-16, -0x1.55ac28p-22};
/// log2((1 + s) / (1 - s)) / s in s^2 on [0, 0.1716^2]; relative error 2^-45.
constexpr std::array<double, 6> kLog2 = {0x1.71547652b8251p1,  0x1.ec709dc53cbb8p-1, 0x1.2776c292c6716p-1,
                                         0x1.a61a2f35657b6p-2, 0x1.479543519f4fp-2,  0x1.21b20cb6a3716p-2};
/// 2^r on [-1/2, 1/2]; relative error 2^-34.5.
constexpr std::array<double, 8> kExp2 = {0x1.ffffffffabbccp-1,  0x1.62e42ff116284p-1, 0x1.ebfbe0a4be89bp-3,
                                         0x1.c6b08aaf2fd1dp-5,  0x1.3b29dc40d1fb4p-7, 0x1.5d8a708773cc9p-10,
                                         0x1.446a1fddc880cp-13, 0x1.fe1784c35a78ap-17};

/// ((1 - e)^(-3/4) - 1) / e on [-0.159, 0.165]; relative error of (1 - e)^(-3/4) 2^-27.7. Interpolated at Chebyshev's
/// points.
constexpr std::array<double, 7> kThreeQuarters = {0x1.8p-1,      0x1.50002p-1,  0x1.34006ep-1, 0x1.2098c6p-1,
                                                  0x1.1202a6p-1, 0x1.127acap-1, 0x1.0d7842p-1};

/// log(2) in two parts, the first of 12 bits so that its product with an exponent is exact.
constexpr double kLn2High = 0x1.62ep-1, kLn2Low = 0x1.0bfbe8p-15;
/// pi/2 in parts of 8, 11, 24 and 24 bits, likewise.
constexpr std::array<double, 4> kHalfPi = {0x1.92p0, 0x1.fb4p-12, 0x1.4442d2p-24, -0x1.ee59dap-50};
/// Beyond this magnitude the quotient by pi/2 has more bits than the first parts leave room for.
constexpr double kTrigLimit = 12000;

/// Short names for building over scalars and vectors alike: every constant takes the shape of `like`.
class Math {
  public:
    Math(llvm::IRBuilderBase& builder, Value* like) : b(builder), type(like->getType()) {}

    llvm::IRBuilderBase& b;
    llvm::Type* type;

    [[nodiscard]] llvm::Type* int_type() const {
        return type->getWithNewType(b.getIntNTy(type->getScalarSizeInBits()));
    }
    [[nodiscard]] Value* num(double value) const { return llvm::ConstantFP::get(type, value); }
    [[nodiscard]] Value* bits(std::uint64_t value) const { return llvm::ConstantInt::get(int_type(), value); }
    Value* to_bits(Value* v) { return b.CreateBitCast(v, int_type()); }
    Value* from_bits(Value* v) { return b.CreateBitCast(v, type); }
    Value* add(Value* x, Value* y) { return b.CreateFAdd(x, y); }
    Value* sub(Value* x, Value* y) { return b.CreateFSub(x, y); }
    Value* mul(Value* x, Value* y) { return b.CreateFMul(x, y); }
    /// x * y + z, rounded once where the machine can.
    Value* fma(Value* x, Value* y, Value* z) { return b.CreateIntrinsic(llvm::Intrinsic::fmuladd, {type}, {x, y, z}); }
    Value* abs(Value* x) { return b.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x); }
    Value* with_sign(Value* magnitude, Value* sign) {
        return b.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, magnitude, sign);
    }
    /// The lesser; NaN in x stays NaN.
    Value* at_most(Value* x, double bound) { return b.CreateSelect(b.CreateFCmpOLT(num(bound), x), num(bound), x); }
    Value* at_least(Value* x, double bound) { return b.CreateSelect(b.CreateFCmpOGT(num(bound), x), num(bound), x); }

    Value* poly(std::span<const double> c, Value* x) {
        Value* sum = num(c.back());
        for (std::size_t i = c.size() - 1; i-- > 0;) sum = fma(sum, x, num(c[i]));
        return sum;
    }
    /// x * scale to the nearest integer, as a float and as an integer. Adding 1.5 * 2^(mantissa bits) leaves the
    /// integer in the low bits. Pre: the result is below 2^21 in magnitude.
    std::pair<Value*, Value*> round_scaled(Value* x, double scale) {
        const double magic = type->getScalarSizeInBits() == 32 ? 0x1.8p23 : 0x1.8p52;
        Value* shifted = fma(x, num(scale), num(magic));
        Value* integer = b.CreateSub(to_bits(shifted), to_bits(num(magic)));
        return {sub(shifted, num(magic)), integer};
    }
};

Value* emit_exp(Math& m, Value* x) {
    // exp(x) = 2^n exp(r), |r| <= log(2)/2. Below -104 everything rounds to 0, above 89 to infinity.
    Value* clamped = m.at_least(m.at_most(x, 89), -104);
    const auto [n, exponent] = m.round_scaled(clamped, 0x1.715476p0); // 1 / log(2)
    Value* minus_n = m.b.CreateFNeg(n);
    Value* r = m.fma(minus_n, m.num(kLn2Low), m.fma(minus_n, m.num(kLn2High), clamped));
    Value* p = m.add(m.fma(m.mul(r, r), m.poly(kExp, r), r), m.num(1));
    // 2^n in two factors: n reaches 128 and, for subnormal results, -150.
    const auto power = [&m](Value* e) { return m.from_bits(m.b.CreateShl(m.b.CreateAdd(e, m.bits(127)), 23)); };
    Value* half = m.b.CreateAShr(exponent, 1);
    return m.mul(m.mul(p, power(half)), power(m.b.CreateSub(exponent, half)));
}

Value* emit_log(Math& m, Value* x) {
    // x = 2^e (1 + f), 1 + f in [sqrt(1/2), sqrt(2)).
    llvm::IRBuilderBase& b = m.b;
    Value* tiny = b.CreateFCmpOLT(x, m.num(0x1p-126));
    Value* scaled = b.CreateSelect(tiny, m.mul(x, m.num(0x1p23)), x);
    constexpr std::uint64_t kRootHalf = 0x3f3504f3; // bits of sqrt(1/2)
    Value* offset = b.CreateSub(m.to_bits(scaled), m.bits(kRootHalf));
    Value* mantissa = b.CreateAdd(b.CreateAnd(offset, m.bits(0x7fffff)), m.bits(kRootHalf));
    Value* e = m.add(b.CreateSIToFP(b.CreateAShr(offset, 23), m.type), b.CreateSelect(tiny, m.num(-23), m.num(0)));
    Value* f = m.sub(m.from_bits(mantissa), m.num(1));
    Value* f2 = m.mul(f, f);
    Value* tail = m.fma(m.mul(f, f2), m.poly(kLog, f), m.mul(e, m.num(kLn2Low)));
    tail = m.fma(m.num(-0.5), f2, tail);
    Value* result = m.fma(e, m.num(kLn2High), m.add(f, tail));
    const double infinity = std::numeric_limits<double>::infinity();
    result = b.CreateSelect(b.CreateFCmpOLT(x, m.num(infinity)), result, x); // infinity and NaN stay
    Value* at_zero =
        b.CreateSelect(b.CreateFCmpOEQ(x, m.num(0)), m.num(-infinity), m.num(std::numeric_limits<double>::quiet_NaN()));
    return b.CreateSelect(b.CreateFCmpOGT(x, m.num(0)), result, at_zero);
}

Value* emit_tanh(Math& m, Value* x) {
    Value* magnitude = m.abs(x);
    Value* square = m.mul(x, x);
    Value* small = m.fma(m.mul(x, square), m.poly(kTanh, square), x);
    // 1 - 2 / (exp(2|x|) + 1); beyond 10 it rounds to 1.
    Value* bounded = m.at_most(magnitude, 10);
    Value* large = m.sub(m.num(1), m.b.CreateFDiv(m.num(2), m.add(emit_exp(m, m.add(bounded, bounded)), m.num(1))));
    return m.b.CreateSelect(m.b.CreateFCmpOLT(magnitude, m.num(0.70703125)), small, m.with_sign(large, x));
}

Value* emit_erf(Math& m, Value* x) {
    Value* magnitude = m.abs(x);
    Value* square = m.mul(x, x);
    Value* small = m.fma(x, m.poly(kErfSmall, square), x);
    // 1 - erfc(|x|), erfc a power of two; beyond 3.92 it rounds to 1. Below 1.3 ulp in all.
    Value* power = m.poly(kErfLarge, m.at_most(magnitude, 3.92));
    const auto [n, integer] = m.round_scaled(power, 1);
    Value* scale = m.from_bits(m.b.CreateShl(m.b.CreateAdd(integer, m.bits(127)), 23));
    Value* large = m.fma(m.b.CreateFNeg(m.poly(kErfPower, m.sub(power, n))), scale, m.num(1));
    return m.b.CreateSelect(m.b.CreateFCmpOLT(magnitude, m.num(1)), small, m.with_sign(large, x));
}

/// Whether a condition holds for one lane at least; what lanes hold that nobody asked for decides nothing wrong.
Value* any_lane(llvm::IRBuilderBase& b, Value* condition) {
    return b.CreateFreeze(condition->getType()->isVectorTy() ? b.CreateOrReduce(condition) : condition);
}
/// `quick`, but for the lanes of `far`: those of what `exact` builds, in a branch taken where there are any.
template <class Exact> Value* where_far(Math& m, Value* far, Value* quick, const char* name, const Exact& exact) {
    llvm::IRBuilderBase& b = m.b;
    llvm::BasicBlock* before = b.GetInsertBlock();
    auto* far_block = llvm::BasicBlock::Create(b.getContext(), std::string(name) + ".far", before->getParent());
    auto* done = llvm::BasicBlock::Create(b.getContext(), std::string(name) + ".done", before->getParent());
    Value* any = any_lane(b, far);
    b.CreateCondBr(any, far_block, done);
    b.SetInsertPoint(far_block);
    Value* chosen = b.CreateSelect(far, exact(), quick);
    far_block = b.GetInsertBlock();
    b.CreateBr(done);
    b.SetInsertPoint(done);
    llvm::PHINode* result = b.CreatePHI(m.type, 2);
    result->addIncoming(chosen, far_block);
    result->addIncoming(quick, before);
    return result;
}

/// sin(x), or cos(x) with `quarter` 1, for |x| <= kTrigLimit.
Value* emit_near_trig(Math& m, Value* x, std::uint64_t quarter) {
    llvm::IRBuilderBase& b = m.b;
    const auto [n, integer] = m.round_scaled(x, 0x1.45f306p-1); // 2 / pi
    Value* minus_n = b.CreateFNeg(n);
    Value* r = x;
    for (double part : kHalfPi) r = m.fma(minus_n, m.num(part), r);
    Value* square = m.mul(r, r);
    Value* sine = m.fma(m.mul(r, square), m.poly(kSin, square), r);
    Value* cosine = m.fma(m.mul(square, square), m.poly(kCos, square), m.fma(m.num(-0.5), square, m.num(1)));
    Value* turn = b.CreateAdd(integer, m.bits(quarter));
    Value* odd = b.CreateICmpNE(b.CreateAnd(turn, m.bits(1)), m.bits(0));
    Value* sign = b.CreateShl(b.CreateAnd(turn, m.bits(2)), 30);
    Value* chosen = b.CreateSelect(odd, cosine, sine);
    return m.from_bits(b.CreateXor(m.to_bits(chosen), sign));
}

Value* emit_trig(Math& m, Value* x, bool cosine) {
    // A lane gets the same bits whatever the other lanes hold.
    llvm::IRBuilderBase& b = m.b;
    Value* quick = emit_near_trig(m, x, cosine ? 1 : 0);
    Value* far = b.CreateFCmpUGT(m.abs(x), m.num(kTrigLimit)); // or NaN
    return where_far(m, far, quick, "trig", [&] { return call_per_lane(b, cosine ? "cosf" : "sinf", x); });
}

/// log2 of a nonnegative f64 that an f32 can hold: -infinity at 0, infinity and NaN stay.
Value* emit_log2(Math& m, Value* x) {
    llvm::IRBuilderBase& b = m.b;
    constexpr std::uint64_t kRootHalf = 0x3fe6a09e667f3bcd; // bits of sqrt(1/2)
    Value* offset = b.CreateSub(m.to_bits(x), m.bits(kRootHalf));
    Value* mantissa = m.from_bits(b.CreateAdd(b.CreateAnd(offset, m.bits(0xfffffffffffff)), m.bits(kRootHalf)));
    Value* e = b.CreateSIToFP(b.CreateTrunc(b.CreateAShr(offset, 52), m.type->getWithNewType(b.getInt32Ty())), m.type);
    Value* s = b.CreateFDiv(m.sub(mantissa, m.num(1)), m.add(mantissa, m.num(1)));
    Value* result = m.fma(s, m.poly(kLog2, m.mul(s, s)), e);
    const double infinity = std::numeric_limits<double>::infinity();
    result = b.CreateSelect(b.CreateFCmpOLT(x, m.num(infinity)), result, x);
    return b.CreateSelect(b.CreateFCmpOEQ(x, m.num(0)), m.num(-infinity), result);
}

/// 2^x in f64 for results within f32's range; beyond it, enough to round to 0 or infinity there.
Value* emit_exp2(Math& m, Value* x) {
    Value* clamped = m.at_least(m.at_most(x, 200), -200);
    const auto [n, exponent] = m.round_scaled(clamped, 1);
    Value* scale = m.from_bits(m.b.CreateShl(m.b.CreateAdd(exponent, m.bits(1023)), 52));
    return m.mul(m.poly(kExp2, m.sub(clamped, n)), scale);
}

} // namespace

Value* emit_math(llvm::IRBuilderBase& builder, tensor::Intrinsic intrinsic, Value* x) {
    using tensor::Intrinsic;
    Math m(builder, x);
    switch (intrinsic) {
    case Intrinsic::Exp: return emit_exp(m, x);
    case Intrinsic::Log: return emit_log(m, x);
    case Intrinsic::Tanh: return emit_tanh(m, x);
    case Intrinsic::Erf: return emit_erf(m, x);
    case Intrinsic::Sin: return emit_trig(m, x, false);
    case Intrinsic::Cos: return emit_trig(m, x, true);
    default: return nullptr;
    }
}

Value* emit_pow(llvm::IRBuilderBase& b, Value* x, Value* y) {
    // |x|^y = 2^(y log2 |x|) in f64, whose 45 bits of log2 leave the f32 result right to the last place or so;
    // then the cases of ISO C, F.10.4.4.
    Math single(b, x);
    llvm::Type* wide = x->getType()->getWithNewType(b.getDoubleTy());
    Value* magnitude = b.CreateFPExt(single.abs(x), wide);
    Math m(b, magnitude);
    Value* wide_y = b.CreateFPExt(y, wide);
    Value* result = b.CreateFPTrunc(emit_exp2(m, m.mul(wide_y, emit_log2(m, magnitude))), x->getType());
    // Whole and odd: y/2 is not whole, or y is; floats of 2^24 and more are even.
    const auto is_whole = [&b](Value* v) {
        return b.CreateFCmpOEQ(b.CreateUnaryIntrinsic(llvm::Intrinsic::floor, v), v);
    };
    Value* whole = is_whole(y);
    Value* odd = b.CreateAnd(whole, b.CreateNot(is_whole(single.mul(y, single.num(0.5)))));
    Value* negative = b.CreateICmpSLT(single.to_bits(x), single.bits(0)); // -0 too
    result = b.CreateSelect(b.CreateAnd(odd, negative), b.CreateFNeg(result), result);
    const double infinity = std::numeric_limits<double>::infinity();
    Value* undefined = b.CreateAnd(
        b.CreateAnd(b.CreateFCmpOLT(x, single.num(0)), b.CreateFCmpOGT(x, single.num(-infinity))), b.CreateNot(whole));
    result = b.CreateSelect(undefined, single.num(std::numeric_limits<double>::quiet_NaN()), result);
    Value* far_y = b.CreateFCmpOEQ(single.abs(y), single.num(infinity));
    Value* unit = b.CreateFCmpOEQ(single.abs(x), single.num(1));
    Value* one = b.CreateOr(b.CreateOr(b.CreateFCmpOEQ(x, single.num(1)), b.CreateFCmpOEQ(y, single.num(0))),
                            b.CreateAnd(unit, far_y));
    return b.CreateSelect(one, single.num(1), result);
}

Value* emit_inverse_three_quarters(llvm::IRBuilderBase& b, Value* x) {
    // y of six bits, near x^(-1/4), from x's bits: an exponent's quarter is the exponent of the root. With
    // e = 1 - x y^4, x^(-3/4) = y^3 (1 - e)^(-3/4); y^4 has 24 bits, so that e is rounded once.
    constexpr std::uint64_t kFirst = 0x4f598000, kSixBits = 0xfffc0000; // e is least; found by trying
    constexpr std::uint64_t kLeastNormal = 0x00800000, kNormals = 0x7f000000;
    Math m(b, x);
    Value* whole = m.to_bits(x);
    Value* y = m.from_bits(b.CreateAnd(b.CreateSub(m.bits(kFirst), b.CreateLShr(whole, 2)), m.bits(kSixBits)));
    Value* square = m.mul(y, y);
    Value* cube = m.mul(square, y);
    Value* e = m.fma(b.CreateFNeg(x), m.mul(square, square), m.num(1));
    Value* quick = m.fma(m.mul(cube, e), m.poly(kThreeQuarters, e), cube);
    Value* far = b.CreateICmpUGE(b.CreateSub(whole, m.bits(kLeastNormal)), m.bits(kNormals));
    return where_far(m, far, quick, "power", [&] { return emit_pow(b, x, m.num(-0.75)); });
}

Value* call_per_lane(llvm::IRBuilderBase& b, const char* name, Value* x, Value* y) {
    llvm::Module* module = b.GetInsertBlock()->getModule();
    llvm::Type* scalar = x->getType()->getScalarType();
    llvm::SmallVector<llvm::Type*, 2> params(y ? 2 : 1, scalar);
    llvm::FunctionCallee callee = module->getOrInsertFunction(name, llvm::FunctionType::get(scalar, params, false));
    auto* function = llvm::cast<llvm::Function>(callee.getCallee());
    function->setDoesNotAccessMemory(); // errno is nobody's business here
    function->setDoesNotThrow();
    function->setWillReturn();
    const auto call = [&](Value* a, Value* c) { return c ? b.CreateCall(callee, {a, c}) : b.CreateCall(callee, {a}); };
    auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(x->getType());
    if (!vector) return call(x, y);
    Value* result = llvm::PoisonValue::get(vector);
    for (unsigned lane = 0; lane < vector->getNumElements(); ++lane) {
        Value* one = call(b.CreateExtractElement(x, lane), y ? b.CreateExtractElement(y, lane) : nullptr);
        result = b.CreateInsertElement(result, one, lane);
    }
    return result;
}

} // namespace orrery::codegen
