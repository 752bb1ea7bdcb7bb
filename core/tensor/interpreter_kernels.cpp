// One value of each operation first, then loops over lanes: operations, casts, memory, folds; at the end, the tables
// from operation and dtype to kernel.

#include "core/tensor/interpreter_kernels.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

namespace orrery::tensor {

namespace {

/// Calls `f` with a value of the register type of `dtype`.
template <class F> auto with_lane(DType dtype, F&& f) {
    switch (dtype) {
    case DType::Bool:
    case DType::U4:
    case DType::U8: return f(std::uint8_t{});
    case DType::I4:
    case DType::I8: return f(std::int8_t{});
    case DType::I16: return f(std::int16_t{});
    case DType::I32: return f(std::int32_t{});
    case DType::I64: return f(std::int64_t{});
    case DType::U16: return f(std::uint16_t{});
    case DType::U32: return f(std::uint32_t{});
    case DType::U64: return f(std::uint64_t{});
    case DType::F8E4M3FN:
    case DType::F8E4M3FNUZ:
    case DType::F8E5M2:
    case DType::F8E5M2FNUZ:
    case DType::F16:
    case DType::BF16:
    case DType::F32: return f(float{});
    case DType::F64: return f(double{});
    }
    fail_internal("with_lane covers every dtype");
}

// ------------------------------------------------------------------------------------- one value

template <class T> T wrap_add(T a, T b) {
    return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
template <class T> T wrap_sub(T a, T b) {
    return static_cast<T>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
template <class T> T wrap_mul(T a, T b) {
    return static_cast<T>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

/// True where an integer division gives 0 by definition.
template <class T> bool undivided(T a, T b) {
    if constexpr (std::is_signed_v<T>) {
        if (b == -1 && a == std::numeric_limits<T>::min()) return true;
    }
    return b == 0;
}

template <class T> T floor_quotient(T a, T b) {
    if (undivided(a, b)) return 0;
    const T quotient = static_cast<T>(a / b);
    if constexpr (std::is_signed_v<T>) {
        if (a % b != 0 && (a < 0) != (b < 0)) return static_cast<T>(quotient - 1);
    }
    return quotient;
}

template <class T> T floor_remainder(T a, T b) {
    if (undivided(a, b)) return 0;
    const T rest = static_cast<T>(a % b);
    if constexpr (std::is_signed_v<T>) {
        if (rest != 0 && (rest < 0) != (b < 0)) return static_cast<T>(rest + b);
    }
    return rest;
}

/// A negative count is a count of at least the width.
template <class T> T shift_left(T a, T b) {
    using U = std::make_unsigned_t<T>;
    const std::uint64_t count = static_cast<std::uint64_t>(static_cast<U>(b));
    return count >= sizeof(T) * 8 ? T{0} : static_cast<T>(static_cast<std::uint64_t>(a) << count);
}
template <class T> T shift_right(T a, T b) {
    using U = std::make_unsigned_t<T>;
    const std::uint64_t count = static_cast<std::uint64_t>(static_cast<U>(b));
    if (count >= sizeof(T) * 8) return a < T{0} ? static_cast<T>(-1) : T{0};
    return static_cast<T>(a >> count);
}

template <class T> T least(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) {
        if (a != a) return b;
        if (b != b) return a;
    }
    return b < a ? b : a;
}
template <class T> T most(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) {
        if (a != a) return b;
        if (b != b) return a;
    }
    return a < b ? b : a;
}

template <class T> T integer_power(T base, T exponent) {
    if constexpr (std::is_signed_v<T>) {
        if (exponent < 0) { // 1 / base^n, truncated; division by zero gives 0
            if (base == 1) return 1;
            if (base == -1) return (exponent & 1) != 0 ? static_cast<T>(-1) : T{1};
            return 0;
        }
    }
    T result = 1;
    for (auto n = static_cast<std::uint64_t>(exponent); n != 0; n >>= 1) {
        if (n & 1) result = wrap_mul(result, base);
        base = wrap_mul(base, base);
    }
    return result;
}

// ------------------------------------------------------------------------------------- kernels

template <class T, class R, class F> void map2(void* dst, const void* a, const void* b, int n, F f) {
    R* __restrict out = static_cast<R*>(dst);
    const T* x = static_cast<const T*>(a);
    const T* y = static_cast<const T*>(b);
    for (int i = 0; i < n; ++i) out[i] = f(x[i], y[i]);
}

/// `dst` and `a` may be one register.
template <class T, class R, class F> void map1(void* dst, const void* a, int n, F f) {
    R* out = static_cast<R*>(dst);
    const T* x = static_cast<const T*>(a);
#pragma GCC ivdep
    for (int i = 0; i < n; ++i) out[i] = f(x[i]);
}

#define ORRERY_MAP2(R, expression)                                                                                     \
    [](void* dst, const void* pa, const void* pb, int n) {                                                             \
        map2<T, R>(dst, pa, pb, n, [](T a, T b) { return static_cast<R>(expression); });                               \
    }
#define ORRERY_MAP1(R, expression)                                                                                     \
    [](void* dst, const void* pa, int n) { map1<T, R>(dst, pa, n, [](T a) { return static_cast<R>(expression); }); }

/// Operations whose bits do not depend on the sign, for unsigned T.
template <class T> BinaryKernel signless_kernel(BinaryOp op) {
    switch (op) {
    case BinaryOp::Add: return ORRERY_MAP2(T, wrap_add(a, b));
    case BinaryOp::Sub: return ORRERY_MAP2(T, wrap_sub(a, b));
    case BinaryOp::Mul: return ORRERY_MAP2(T, wrap_mul(a, b));
    case BinaryOp::And:
    case BinaryOp::BitAnd: return ORRERY_MAP2(T, a & b);
    case BinaryOp::Or:
    case BinaryOp::BitOr: return ORRERY_MAP2(T, a | b);
    case BinaryOp::BitXor: return ORRERY_MAP2(T, a ^ b);
    case BinaryOp::Shl: return ORRERY_MAP2(T, shift_left(a, b));
    case BinaryOp::Eq: return ORRERY_MAP2(std::uint8_t, a == b);
    case BinaryOp::Ne: return ORRERY_MAP2(std::uint8_t, a != b);
    default: return nullptr;
    }
}

template <class T> BinaryKernel ordered_kernel(BinaryOp op) {
    switch (op) {
    case BinaryOp::Min: return ORRERY_MAP2(T, least(a, b));
    case BinaryOp::Max: return ORRERY_MAP2(T, most(a, b));
    case BinaryOp::Lt: return ORRERY_MAP2(std::uint8_t, a < b);
    case BinaryOp::Le: return ORRERY_MAP2(std::uint8_t, a <= b);
    case BinaryOp::Gt: return ORRERY_MAP2(std::uint8_t, a > b);
    case BinaryOp::Ge: return ORRERY_MAP2(std::uint8_t, a >= b);
    default: return nullptr;
    }
}

template <class T> BinaryKernel integer_kernel(BinaryOp op) {
    if (BinaryKernel kernel = signless_kernel<std::make_unsigned_t<T>>(op)) return kernel;
    if (BinaryKernel kernel = ordered_kernel<T>(op)) return kernel;
    switch (op) {
    case BinaryOp::Div: return ORRERY_MAP2(T, undivided(a, b) ? T{0} : a / b);
    case BinaryOp::Rem: return ORRERY_MAP2(T, undivided(a, b) ? T{0} : a % b);
    case BinaryOp::FloorDiv: return ORRERY_MAP2(T, floor_quotient(a, b));
    case BinaryOp::FloorMod: return ORRERY_MAP2(T, floor_remainder(a, b));
    case BinaryOp::Shr: return ORRERY_MAP2(T, shift_right(a, b));
    default: return nullptr;
    }
}

template <class T> BinaryKernel float_kernel(BinaryOp op) {
    if (BinaryKernel kernel = ordered_kernel<T>(op)) return kernel;
    switch (op) {
    case BinaryOp::Add: return ORRERY_MAP2(T, a + b);
    case BinaryOp::Sub: return ORRERY_MAP2(T, a - b);
    case BinaryOp::Mul: return ORRERY_MAP2(T, a * b);
    case BinaryOp::Div: return ORRERY_MAP2(T, a / b);
    case BinaryOp::Eq: return ORRERY_MAP2(std::uint8_t, a == b);
    case BinaryOp::Ne: return ORRERY_MAP2(std::uint8_t, a != b);
    default: return nullptr;
    }
}

/// Arithmetic on Bool is arithmetic modulo 2, on bytes that are 0 or 1.
BinaryOp on_bytes(BinaryOp op) {
    switch (op) {
    case BinaryOp::Add:
    case BinaryOp::Sub: return BinaryOp::BitXor;
    case BinaryOp::Shl:
    case BinaryOp::Shr: return BinaryOp::Gt;
    default: return op;
    }
}

template <class T> UnaryKernel float_intrinsic(Intrinsic intrinsic) {
    switch (intrinsic) {
    case Intrinsic::Neg: return ORRERY_MAP1(T, -a);
    case Intrinsic::Abs: return ORRERY_MAP1(T, std::abs(a));
    case Intrinsic::Sign: return ORRERY_MAP1(T, a > 0 ? T{1} : a < 0 ? T{-1} : a == 0 ? T{0} : a);
    case Intrinsic::Sqrt: return ORRERY_MAP1(T, std::sqrt(a));
    case Intrinsic::Exp: return ORRERY_MAP1(T, std::exp(a));
    case Intrinsic::Log: return ORRERY_MAP1(T, std::log(a));
    case Intrinsic::Sin: return ORRERY_MAP1(T, std::sin(a));
    case Intrinsic::Cos: return ORRERY_MAP1(T, std::cos(a));
    case Intrinsic::Tan: return ORRERY_MAP1(T, std::tan(a));
    case Intrinsic::Asin: return ORRERY_MAP1(T, std::asin(a));
    case Intrinsic::Acos: return ORRERY_MAP1(T, std::acos(a));
    case Intrinsic::Atan: return ORRERY_MAP1(T, std::atan(a));
    case Intrinsic::Sinh: return ORRERY_MAP1(T, std::sinh(a));
    case Intrinsic::Cosh: return ORRERY_MAP1(T, std::cosh(a));
    case Intrinsic::Tanh: return ORRERY_MAP1(T, std::tanh(a));
    case Intrinsic::Asinh: return ORRERY_MAP1(T, std::asinh(a));
    case Intrinsic::Acosh: return ORRERY_MAP1(T, std::acosh(a));
    case Intrinsic::Atanh: return ORRERY_MAP1(T, std::atanh(a));
    case Intrinsic::Erf: return ORRERY_MAP1(T, std::erf(a));
    case Intrinsic::Floor: return ORRERY_MAP1(T, std::floor(a));
    case Intrinsic::Ceil: return ORRERY_MAP1(T, std::ceil(a));
    case Intrinsic::Round: return ORRERY_MAP1(T, std::nearbyint(a));
    case Intrinsic::Trunc: return ORRERY_MAP1(T, std::trunc(a));
    case Intrinsic::IsNan: return ORRERY_MAP1(std::uint8_t, a != a);
    case Intrinsic::IsInf: return ORRERY_MAP1(std::uint8_t, std::abs(a) == std::numeric_limits<T>::infinity());
    default: return nullptr;
    }
}

template <class T> T integer_sign(T a) { return a > T{0} ? T{1} : a < T{0} ? static_cast<T>(-1) : T{0}; }

template <class T> UnaryKernel integer_intrinsic(Intrinsic intrinsic) {
    switch (intrinsic) {
    case Intrinsic::Neg: return ORRERY_MAP1(T, wrap_sub(T{0}, a));
    case Intrinsic::BitNot: return ORRERY_MAP1(T, ~a);
    case Intrinsic::Abs: return ORRERY_MAP1(T, a < T{0} ? wrap_sub(T{0}, a) : a);
    case Intrinsic::Sign: return ORRERY_MAP1(T, integer_sign(a));
    case Intrinsic::CountOnes: return ORRERY_MAP1(T, std::popcount(static_cast<std::make_unsigned_t<T>>(a)));
    case Intrinsic::Floor:
    case Intrinsic::Ceil:
    case Intrinsic::Round:
    case Intrinsic::Trunc: return ORRERY_MAP1(T, a);
    case Intrinsic::IsNan:
    case Intrinsic::IsInf:
        return [](void* dst, const void*, int n) { std::fill_n(static_cast<std::uint8_t*>(dst), n, std::uint8_t{0}); };
    default: return nullptr;
    }
}

/// Truncates, saturates, NaN to 0.
template <class To, class From> To saturate(From value) {
    // 2^digits is exact in every float type here, and is the first value beyond the range.
    const From beyond = std::ldexp(From{1}, std::numeric_limits<To>::digits);
    if (value != value) return 0;
    if (value >= beyond) return std::numeric_limits<To>::max();
    if constexpr (std::is_signed_v<To>) {
        if (value < -beyond) return std::numeric_limits<To>::min();
    } else {
        if (value <= From{-1}) return 0;
    }
    return static_cast<To>(value);
}

template <class From, class To> UnaryKernel convert() {
    using T = From;
    if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>)
        return ORRERY_MAP1(To, (saturate<To>(a)));
    else
        return ORRERY_MAP1(To, a);
}

template <class T> UnaryKernel truth() { return ORRERY_MAP1(std::uint8_t, a != T{0}); }

void round_half(void* dst, const void* a, int n) {
    map1<float, float>(dst, a, n, [](float x) { return half_to_float(float_to_half(x)); });
}
void round_bfloat(void* dst, const void* a, int n) {
    map1<float, float>(dst, a, n, [](float x) { return bfloat_to_float(float_to_bfloat(x)); });
}
template <DType Type> void round_float8(void* dst, const void* a, int n) {
    map1<float, float>(dst, a, n, [](float x) { return float8_to_float(Type, float_to_float8(Type, x)); });
}

/// To a 4-bit integer, in the lane of an 8-bit one: floats saturate, wider integers lose their upper bits.
template <class From, class To> UnaryKernel convert_nibble() {
    return [](void* dst, const void* a, int n) {
        map1<From, To>(dst, a, n, [](From x) -> To {
            if constexpr (std::is_floating_point_v<From>) {
                constexpr From kLow = std::is_signed_v<To> ? -8 : 0, kHigh = std::is_signed_v<To> ? 7 : 15;
                return x != x ? To{0} : static_cast<To>(std::min(std::max(std::trunc(x), kLow), kHigh));
            } else {
                const auto bits = static_cast<std::uint8_t>(static_cast<std::uint64_t>(x) << 4);
                return static_cast<To>(static_cast<To>(bits) >> 4);
            }
        });
    };
}

/// Rounds f64 to a narrow float through f32, as everything of that width is computed.
template <class From, UnaryKernel Round> UnaryKernel convert_rounded() {
    return [](void* dst, const void* a, int n) {
        map1<From, float>(dst, a, n, [](From x) { return static_cast<float>(x); });
        Round(dst, dst, n);
    };
}

// ------------------------------------------------------------------------------------- memory

struct HalfForm {
    using Memory = std::uint16_t;
    using Lane = float;
    static float widen(std::uint16_t bits) { return half_to_float(bits); }
    static std::uint16_t narrow(float value) { return float_to_half(value); }
};
struct BfloatForm {
    using Memory = std::uint16_t;
    using Lane = float;
    static float widen(std::uint16_t bits) { return bfloat_to_float(bits); }
    static std::uint16_t narrow(float value) { return float_to_bfloat(value); }
};
template <DType Type> struct Float8Form {
    using Memory = std::uint8_t;
    using Lane = float;
    static float widen(std::uint8_t bits) { return float8_to_float(Type, bits); }
    static std::uint8_t narrow(float value) { return float_to_float8(Type, value); }
};
struct BoolForm {
    using Memory = std::uint8_t;
    using Lane = std::uint8_t;
    static std::uint8_t widen(std::uint8_t value) { return value != 0; }
    static std::uint8_t narrow(std::uint8_t value) { return value; }
};
template <class T> struct PlainForm {
    using Memory = T;
    using Lane = T;
    static T widen(T value) { return value; }
    static T narrow(T value) { return value; }
};

/// Calls `f` with how elements of `dtype` are held in memory and in registers.
template <class F> auto with_form(DType dtype, F&& f) {
    if (dtype == DType::F16) return f(HalfForm{});
    if (dtype == DType::BF16) return f(BfloatForm{});
    if (dtype == DType::F8E4M3FN) return f(Float8Form<DType::F8E4M3FN>{});
    if (dtype == DType::F8E4M3FNUZ) return f(Float8Form<DType::F8E4M3FNUZ>{});
    if (dtype == DType::F8E5M2) return f(Float8Form<DType::F8E5M2>{});
    if (dtype == DType::F8E5M2FNUZ) return f(Float8Form<DType::F8E5M2FNUZ>{});
    if (dtype == DType::Bool) return f(BoolForm{});
    return with_lane(dtype, [&f](auto zero) { return f(PlainForm<decltype(zero)>{}); });
}

template <class Form, class Index> void gather(void* dst, const void* buffer, const Index* at, int n) {
    auto* out = static_cast<typename Form::Lane*>(dst);
    const auto* memory = static_cast<const typename Form::Memory*>(buffer);
    for (int i = 0; i < n; ++i) {
        if constexpr (sizeof(Index) == 8)
            out[i] = at[i] < 0 ? typename Form::Lane{} : Form::widen(memory[at[i]]);
        else
            out[i] = Form::widen(memory[at[i]]);
    }
}

template <class Form> void spread(void* dst, const void* buffer, const std::int32_t* at, int n, int run) {
    auto* out = static_cast<typename Form::Lane*>(dst);
    const auto* memory = static_cast<const typename Form::Memory*>(buffer);
    for (int i = 0; i < n; i += run) std::fill_n(out + i, std::min(run, n - i), Form::widen(memory[at[i]]));
}

template <class Form, class Index> void scatter(void* buffer, const void* src, const Index* at, int n) {
    const auto* in = static_cast<const typename Form::Lane*>(src);
    auto* memory = static_cast<typename Form::Memory*>(buffer);
    for (int i = 0; i < n; ++i) {
        if constexpr (sizeof(Index) == 8) {
            if (at[i] < 0) continue;
        }
        memory[at[i]] = Form::narrow(in[i]);
    }
}

template <class Form, BinaryOp Op> typename Form::Lane combine_lanes(typename Form::Lane a, typename Form::Lane b) {
    using T = typename Form::Lane;
    constexpr bool floating = std::is_floating_point_v<T>;
    T result{};
    if constexpr (Op == BinaryOp::Min)
        result = least(a, b);
    else if constexpr (Op == BinaryOp::Max)
        result = most(a, b);
    else if constexpr (Op == BinaryOp::Add) {
        if constexpr (floating)
            result = a + b;
        else if constexpr (std::is_same_v<Form, BoolForm>)
            result = static_cast<T>(a ^ b);
        else
            result = wrap_add(a, b);
    } else if constexpr (Op == BinaryOp::Mul) {
        if constexpr (floating)
            result = a * b;
        else
            result = wrap_mul(a, b);
    }
    if constexpr (sizeof(typename Form::Memory) != sizeof(T))
        return Form::widen(Form::narrow(result));
    else
        return result;
}

/// Runs of lanes that fold into one element keep it in a register in between.
template <class Form, BinaryOp Op> void fold(const FoldArgs& args) {
    using T = typename Form::Lane;
    auto* memory = static_cast<typename Form::Memory*>(args.buffer);
    const T* term = static_cast<const T*>(args.term);
    const T* initial = static_cast<const T*>(args.initial);
    if (args.offsets) {
        for (int i = 0; i < args.n; ++i) {
            if (args.offsets[i] < 0) continue;
            auto& element = memory[args.offsets[i]];
            const T old = args.starts && args.starts[i] ? initial[i] : Form::widen(element);
            element = Form::narrow(combine_lanes<Form, Op>(old, term[i]));
        }
        return;
    }
    for (int start = 0; start < args.n; start += args.run) {
        const int end = std::min(args.n, start + args.run);
        auto& element = memory[args.pattern[start]];
        T value = args.starts && args.starts[start] ? initial[start] : Form::widen(element);
        for (int i = start; i < end; ++i) value = combine_lanes<Form, Op>(value, term[i]);
        element = Form::narrow(value);
    }
}

template <class T> void multiply_accumulate(const MacArgs& args) {
    const FoldArgs& f = args.fold;
    T* memory = static_cast<T*>(f.buffer);
    const T *a = static_cast<const T*>(args.a), *b = static_cast<const T*>(args.b);
    const std::int32_t *at = args.a_pattern, *bt = args.b_pattern;
    for (int start = 0; start < f.n; start += f.run) {
        const int end = std::min(f.n, start + f.run);
        T& element = memory[f.pattern[start]];
        T value = f.starts && f.starts[start] ? static_cast<const T*>(f.initial)[start] : element;
        for (int i = start; i < end; ++i) value = value + a[at[i]] * b[bt[i]];
        element = value;
    }
}

template <class T> void blend(void* dst, const std::uint8_t* condition, const void* a, const void* b, int n) {
    T* __restrict out = static_cast<T*>(dst);
    const T *x = static_cast<const T*>(a), *y = static_cast<const T*>(b);
    for (int i = 0; i < n; ++i) out[i] = condition[i] ? x[i] : y[i];
}

} // namespace

int lane_bytes(DType dtype) {
    return with_lane(dtype, [](auto zero) { return static_cast<int>(sizeof zero); });
}

BinaryKernel binary_kernel(BinaryOp op, DType dtype) {
    if (dtype == DType::Bool) op = on_bytes(op);
    const BinaryKernel kernel = with_lane(dtype, [op](auto zero) -> BinaryKernel {
        using T = decltype(zero);
        if constexpr (std::is_floating_point_v<T>)
            return float_kernel<T>(op);
        else
            return integer_kernel<T>(op);
    });
    ORRERY_ASSERT(kernel != nullptr, "the operation is defined for " + std::string(to_string(dtype)));
    return kernel;
}

UnaryKernel unary_kernel(Intrinsic intrinsic, DType dtype) {
    if (dtype == DType::Bool && (intrinsic == Intrinsic::Not || intrinsic == Intrinsic::BitNot)) {
        using T = std::uint8_t;
        return ORRERY_MAP1(T, a ^ 1);
    }
    if (dtype == DType::Bool && intrinsic == Intrinsic::Neg) intrinsic = Intrinsic::Abs; // modulo 2
    const UnaryKernel kernel = with_lane(dtype, [intrinsic](auto zero) -> UnaryKernel {
        using T = decltype(zero);
        if constexpr (std::is_floating_point_v<T>)
            return float_intrinsic<T>(intrinsic);
        else
            return integer_intrinsic<T>(intrinsic);
    });
    ORRERY_ASSERT(kernel != nullptr, "the function is defined for " + std::string(to_string(dtype)));
    return kernel;
}

BinaryKernel intrinsic_kernel(Intrinsic intrinsic, DType dtype) {
    ORRERY_ASSERT(intrinsic == Intrinsic::Pow || intrinsic == Intrinsic::Fmod, "a function of two operands");
    const bool power = intrinsic == Intrinsic::Pow;
    return with_lane(dtype, [power](auto zero) -> BinaryKernel {
        using T = decltype(zero);
        if constexpr (std::is_floating_point_v<T>) {
            if (power) return ORRERY_MAP2(T, std::pow(a, b));
            return ORRERY_MAP2(T, std::fmod(a, b));
        } else {
            if (power) return ORRERY_MAP2(T, integer_power(a, b));
            return ORRERY_MAP2(T, undivided(a, b) ? T{0} : a % b);
        }
    });
}

UnaryKernel rounding_kernel(DType dtype) {
    switch (dtype) {
    case DType::F8E4M3FN: return round_float8<DType::F8E4M3FN>;
    case DType::F8E4M3FNUZ: return round_float8<DType::F8E4M3FNUZ>;
    case DType::F8E5M2: return round_float8<DType::F8E5M2>;
    case DType::F8E5M2FNUZ: return round_float8<DType::F8E5M2FNUZ>;
    case DType::F16: return round_half;
    case DType::BF16: return round_bfloat;
    default: return nullptr;
    }
}

UnaryKernel cast_kernel(DType to, DType from) {
    return with_lane(from, [to](auto source) -> UnaryKernel {
        using From = decltype(source);
        if (to == DType::Bool) return truth<From>();
        switch (to) {
        case DType::I4: return convert_nibble<From, std::int8_t>();
        case DType::U4: return convert_nibble<From, std::uint8_t>();
        case DType::F8E4M3FN: return convert_rounded<From, round_float8<DType::F8E4M3FN>>();
        case DType::F8E4M3FNUZ: return convert_rounded<From, round_float8<DType::F8E4M3FNUZ>>();
        case DType::F8E5M2: return convert_rounded<From, round_float8<DType::F8E5M2>>();
        case DType::F8E5M2FNUZ: return convert_rounded<From, round_float8<DType::F8E5M2FNUZ>>();
        case DType::F16: return convert_rounded<From, round_half>();
        case DType::BF16: return convert_rounded<From, round_bfloat>();
        default: break;
        }
        return with_lane(to, [](auto target) { return convert<From, decltype(target)>(); });
    });
}

SelectKernel select_kernel(DType dtype) {
    switch (lane_bytes(dtype)) {
    case 1: return blend<std::uint8_t>;
    case 2: return blend<std::uint16_t>;
    case 4: return blend<std::uint32_t>;
    default: return blend<std::uint64_t>;
    }
}

UnaryKernel splat_kernel(DType dtype) {
    return with_lane(dtype, [](auto zero) -> UnaryKernel {
        using T = decltype(zero);
        return [](void* dst, const void* a, int n) { std::fill_n(static_cast<T*>(dst), n, *static_cast<const T*>(a)); };
    });
}

GatherKernel gather_kernel(DType dtype) {
    return with_form(dtype, [](auto form) -> GatherKernel { return gather<decltype(form), std::int32_t>; });
}
SpreadKernel spread_kernel(DType dtype) {
    return with_form(dtype, [](auto form) -> SpreadKernel { return spread<decltype(form)>; });
}
GatherAtKernel gather_at_kernel(DType dtype) {
    return with_form(dtype, [](auto form) -> GatherAtKernel { return gather<decltype(form), std::int64_t>; });
}
ScatterKernel scatter_kernel(DType dtype) {
    return with_form(dtype, [](auto form) -> ScatterKernel { return scatter<decltype(form), std::int32_t>; });
}
ScatterAtKernel scatter_at_kernel(DType dtype) {
    return with_form(dtype, [](auto form) -> ScatterAtKernel { return scatter<decltype(form), std::int64_t>; });
}

FoldKernel fold_kernel(BinaryOp op, DType dtype) {
    if (dtype == DType::Bool && op == BinaryOp::And) op = BinaryOp::Min;
    if (dtype == DType::Bool && op == BinaryOp::Or) op = BinaryOp::Max;
    return with_form(dtype, [op](auto form) -> FoldKernel {
        using Form = decltype(form);
        switch (op) {
        case BinaryOp::Add: return fold<Form, BinaryOp::Add>;
        case BinaryOp::Mul: return fold<Form, BinaryOp::Mul>;
        case BinaryOp::Min: return fold<Form, BinaryOp::Min>;
        case BinaryOp::Max: return fold<Form, BinaryOp::Max>;
        default: return nullptr;
        }
    });
}

MacKernel mac_kernel(DType dtype) {
    if (dtype == DType::F32) return multiply_accumulate<float>;
    if (dtype == DType::F64) return multiply_accumulate<double>;
    return nullptr;
}

// ------------------------------------------------------------------------------------- constants

void write_constant(const Expr& constant, void* lane) {
    with_lane(constant->dtype, [&](auto zero) {
        using T = decltype(zero);
        if (const IntImm* integer = as<IntImm>(constant))
            *static_cast<T*>(lane) = static_cast<T>(integer->value);
        else if (const FloatImm* number = as<FloatImm>(constant))
            *static_cast<T*>(lane) = static_cast<T>(number->value);
        else
            fail_internal("a constant is an IntImm or FloatImm");
    });
}

} // namespace orrery::tensor
