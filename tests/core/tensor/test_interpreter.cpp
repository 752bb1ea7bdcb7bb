#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/compute.hpp"
#include "core/tensor/text.hpp"
#include "tests/core/tensor/naive_interpreter.hpp"
#include "tests/core/tensor/parsed.hpp"
#include "tests/core/tensor/random_program.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <thread>

using namespace orrery;
using namespace orrery::tensor;

namespace {

using E = std::vector<Expr>;

std::vector<NDArray> arguments(const Program& program, std::uint64_t seed = 1) {
    std::mt19937_64 random(seed);
    std::vector<NDArray> args;
    for (const Buffer& param : program->params) {
        args.push_back(NDArray::zeros(param->dtype, param->static_shape()));
        for (std::int64_t i = 0; i < args.back().size(); ++i) {
            const auto draw = static_cast<std::int64_t>(random() % 2001) - 1000;
            if (is_float(param->dtype))
                args.back().set(i, static_cast<double>(draw) / 64.0);
            else if (param->dtype == DType::Bool)
                args.back().set_int(i, draw & 1);
            else
                args.back().set_int(i, is_unsigned_int(param->dtype) ? std::abs(draw) % 200 : draw % 100);
        }
    }
    return args;
}

void run(const Program& program, std::vector<NDArray>& args) {
    INFO(to_string(program));
    const Result<void> done = interpret(program, args);
    if (!done) FAIL(to_string(done.error()));
}

/// Index of the first byte-wise different element, NaN equal to NaN; -1 for none.
std::int64_t first_difference(const NDArray& a, const NDArray& b) {
    for (std::int64_t i = 0; i < a.size(); ++i) {
        if (!is_float(a.dtype())) {
            if (a.as_int(i) != b.as_int(i)) return i;
            continue;
        }
        const double x = a.as_double(i), y = b.as_double(i);
        if (std::isnan(x) && std::isnan(y)) continue;
        if (std::memcmp(&x, &y, sizeof x) != 0) return i;
    }
    return -1;
}

NDArray floats(const Shape& shape, const std::vector<float>& values) {
    return NDArray::of<float>(DType::F32, shape, values);
}

/// The value of `make(loads of the operands)`, computed by the interpreter from memory, so that nothing folds.
template <class Make> Expr computed(const std::vector<Expr>& operands, const Make& make) {
    std::vector<Buffer> params;
    std::vector<NDArray> args;
    std::vector<Expr> loads;
    for (const Expr& operand : operands) {
        params.push_back(make_buffer("x", operand->dtype, {1}));
        args.push_back(NDArray::zeros(operand->dtype, {1}));
        if (const FloatImm* number = as<FloatImm>(operand))
            args.back().set(0, number->value);
        else
            args.back().set_int(0, as<IntImm>(operand)->value);
        loads.push_back(load(params.back(), {imm(0)}));
    }
    const Expr value = make(loads);
    const Buffer out = make_buffer("y", value->dtype, {1});
    params.push_back(out);
    args.push_back(NDArray::zeros(value->dtype, {1}));
    const Program program = make_program("f", params, params.size() - 1, Store::make(out, {imm(0)}, value));
    run(program, args);
    if (is_float(value->dtype)) return FloatImm::make(value->dtype, args.back().as_double(0));
    return IntImm::make(value->dtype, args.back().as_int(0));
}

std::int64_t int_op(BinaryOp op, DType dtype, std::int64_t a, std::int64_t b) {
    const Expr value = computed({constant_int(dtype, a), constant_int(dtype, b)},
                                [op](const std::vector<Expr>& x) { return Binary::make(op, x[0], x[1]); });
    return as<IntImm>(value)->value;
}
double float_op(BinaryOp op, DType dtype, double a, double b) {
    const Expr value = computed({FloatImm::make(dtype, a), FloatImm::make(dtype, b)},
                                [op](const std::vector<Expr>& x) { return Binary::make(op, x[0], x[1]); });
    return as<FloatImm>(value)->value;
}
std::int64_t to_int(DType to, const Expr& from) {
    return as<IntImm>(computed({from}, [to](const std::vector<Expr>& x) { return Cast::make(to, x[0]); }))->value;
}
double to_float(DType to, const Expr& from) {
    return as<FloatImm>(computed({from}, [to](const std::vector<Expr>& x) { return Cast::make(to, x[0]); }))->value;
}
Expr f32(double value) { return FloatImm::make(DType::F32, value); }

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

} // namespace

// ------------------------------------------------------------------------------------- against others

TEST_CASE("random programs give the numbers of a plain interpreter", "[tensor][interpreter][property]") {
    const std::uint64_t seed = Catch::rngSeed();
    for (std::uint64_t i = 0; i < 300; ++i) {
        const std::uint64_t program_seed = seed * 1000 + i;
        const Program program = testing::ProgramGenerator(program_seed, {.library_math = false}).program();
        std::vector<NDArray> args = arguments(program, program_seed), expected = arguments(program, program_seed);
        run(program, args);
        testing::NaiveInterpreter().run(program, expected);
        for (std::size_t p = 0; p < args.size(); ++p) {
            const std::int64_t at = first_difference(args[p], expected[p]);
            if (at >= 0)
                FAIL("seed " << program_seed << ", " << program->params[p]->name << " element " << at << ": "
                             << args[p].as_double(at) << " instead of " << expected[p].as_double(at) << "\n"
                             << to_string(program));
        }
    }
    SUCCEED();
}

TEST_CASE("a matrix product is a sum in order", "[tensor][interpreter]") {
    const int n = 5, k = 600, m = 7; // k is two full strips and a rest
    const Buffer a = make_buffer("a", DType::F32, {n, k}), b = make_buffer("b", DType::F32, {k, m});
    ComputeBuilder builder;
    const Buffer c = builder.reduce("c", DType::F32, {n, m}, {Combiner::Sum, {k}, {}}, [&](const E& i, const E& r) {
        return load(a, {i[0], r[0]}) * load(b, {r[0], i[1]});
    });
    const Program program = builder.program("matmul", {a, b}, {c});
    std::vector<NDArray> args = arguments(program);
    run(program, args);
    const auto x = args[0].values<float>(), y = args[1].values<float>(), z = args[2].values<float>();
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < m; ++j) {
            volatile float sum = 0;
            for (int r = 0; r < k; ++r) {
                volatile const float product =
                    x[static_cast<std::size_t>(i * k + r)] * y[static_cast<std::size_t>(r * m + j)];
                sum = sum + product;
            }
            if (z[static_cast<std::size_t>(i * m + j)] != sum) FAIL("element " << i << ", " << j);
        }
    SUCCEED();
}

TEST_CASE("the order of loops is the order of sums, not their meaning", "[tensor][interpreter]") {
    // Whole numbers, so that sums are exact in any order; the reduction outside, in the middle, split and fused.
    const char* nests[] = {
        R"(for i in 6 { for r in 40 { for j in 9 {
             block c(vi = i in 6, vj = j in 9, reduce vr = r in 40) { BODY } } } })",
        R"(for r in 40 { for i in 6 { for j in 9 {
             block c(vi = i in 6, vj = j in 9, reduce vr = r in 40) { BODY } } } })",
        R"(for i in 6 { for j in 9 { for ro in 6 { for ri in 7 {
             block c(vi = i in 6, vj = j in 9, reduce vr = ro * 7 + ri in 40) where ro * 7 + ri < 40 { BODY } } } } })",
        R"(for f in 2160 {
             block c(vi = f // 360 in 6, vj = f % 360 // 40 in 9, reduce vr = f % 40 in 40) { BODY } })",
        R"(for ij in 54 { for r in 40 {
             block c(vi = ij // 9 in 6, vj = ij % 9 in 9, reduce vr = r in 40) { BODY } } })",
    };
    std::vector<float> first;
    for (std::string nest : nests) {
        const std::string body = R"(reads a[vi, vr], b[vr, vj], c[vi, vj] writes c[vi, vj]
            init { c[vi, vj] = 0.0 } c[vi, vj] = c[vi, vj] + a[vi, vr] * b[vr, vj])";
        nest.replace(nest.find("BODY"), 4, body);
        const Program program = parsed("fn f(a: f32[6,40], b: f32[40,9]) -> (c: f32[6,9]) {" + nest + "}");
        std::vector<NDArray> args = arguments(program);
        for (std::size_t p = 0; p < 2; ++p)
            for (std::int64_t i = 0; i < args[p].size(); ++i)
                args[p].set(i, static_cast<double>((i * 7 + static_cast<std::int64_t>(p)) % 11 - 5));
        run(program, args);
        const auto values = args[2].values<float>();
        if (first.empty()) first.assign(values.begin(), values.end());
        INFO(to_string(program));
        CHECK(std::equal(values.begin(), values.end(), first.begin()));
    }
    // c[1, 2] by hand from the same numbers.
    float sum = 0;
    for (int r = 0; r < 40; ++r) sum += static_cast<float>(((40 + r) * 7 % 11 - 5) * (((r * 9 + 2) * 7 + 1) % 11 - 5));
    CHECK(first[1 * 9 + 2] == sum);
}

TEST_CASE("a convolution reads its padding only where a select chooses it", "[tensor][interpreter]") {
    const int channels = 3, filters = 4, size = 9, stride = 2, out_size = 5;
    const Buffer x = make_buffer("x", DType::F32, {1, channels, size, size});
    const Buffer w = make_buffer("w", DType::F32, {filters, channels, 3, 3});
    ComputeBuilder builder;
    const Buffer y = builder.reduce("y", DType::F32, {1, filters, out_size, out_size},
                                    {Combiner::Sum, {channels, 3, 3}, {}}, [&](const E& i, const E& r) {
                                        const Expr h = i[2] * stride + r[1] - 1, v = i[3] * stride + r[2] - 1;
                                        const Expr inside =
                                            ge(h, imm(0)) && lt(h, imm(size)) && ge(v, imm(0)) && lt(v, imm(size));
                                        return select(inside, load(x, {i[0], r[0], h, v}), constant(DType::F32, 0)) *
                                               load(w, {i[1], r[0], r[1], r[2]});
                                    });
    const Program program = builder.program("conv", {x, w}, {y});
    std::vector<NDArray> args = arguments(program);
    run(program, args);
    const auto in = args[0].values<float>(), weight = args[1].values<float>(), out = args[2].values<float>();
    const auto at = [&](int c, int h, int v) {
        return h < 0 || v < 0 || h >= size || v >= size ? 0.0f
                                                        : in[static_cast<std::size_t>((c * size + h) * size + v)];
    };
    for (int f = 0; f < filters; ++f)
        for (int h = 0; h < out_size; ++h)
            for (int v = 0; v < out_size; ++v) {
                volatile float sum = 0;
                for (int c = 0; c < channels; ++c)
                    for (int kh = 0; kh < 3; ++kh)
                        for (int kv = 0; kv < 3; ++kv) {
                            volatile const float product =
                                at(c, h * stride + kh - 1, v * stride + kv - 1) *
                                weight[static_cast<std::size_t>(((f * channels + c) * 3 + kh) * 3 + kv)];
                            sum = sum + product;
                        }
                if (out[static_cast<std::size_t>((f * out_size + h) * out_size + v)] != sum)
                    FAIL("element " << f << ", " << h << ", " << v);
            }
    SUCCEED();
}

TEST_CASE("a softmax of four stages", "[tensor][interpreter]") {
    const int rows = 3, columns = 300;
    const Buffer x = make_buffer("x", DType::F32, {rows, columns});
    ComputeBuilder builder;
    const Buffer most =
        builder.reduce("most", DType::F32, {rows}, {Combiner::Max, {columns}, {}}, [&](const E& i, const E& r) {
            return load(x, {i[0], r[0]});
        });
    const Buffer power = builder.compute("power", DType::F32, {rows, columns}, [&](const E& i) {
        return call(Intrinsic::Exp, load(x, i) - load(most, {i[0]}));
    });
    const Buffer sum =
        builder.reduce("sum", DType::F32, {rows}, {Combiner::Sum, {columns}, {}}, [&](const E& i, const E& r) {
            return load(power, {i[0], r[0]});
        });
    const Buffer out = builder.compute("out", DType::F32, {rows, columns},
                                       [&](const E& i) { return load(power, i) / load(sum, {i[0]}); });
    const Program program = builder.program("softmax", {x}, {out});
    std::vector<NDArray> args = arguments(program);
    run(program, args);
    const auto in = args[0].values<float>(), result = args[1].values<float>();
    for (std::size_t row = 0; row < rows; ++row) {
        const auto line = in.subspan(row * columns, columns);
        const float peak = *std::max_element(line.begin(), line.end());
        float total = 0;
        for (float value : line) total += std::exp(value - peak);
        for (std::size_t column = 0; column < columns; ++column)
            if (result[row * columns + column] != std::exp(line[column] - peak) / total)
                FAIL("element " << row << ", " << column);
    }
    SUCCEED();
}

// ------------------------------------------------------------------------------------- arithmetic

TEST_CASE("integers wrap, divide and shift as the IR says", "[tensor][interpreter]") {
    using B = BinaryOp;
    CHECK(int_op(B::Add, DType::I8, 127, 1) == -128);
    CHECK(int_op(B::Mul, DType::I16, 300, 300) == 90000 - 65536);
    CHECK(int_op(B::Mul, DType::U16, 65535, 65535) == 1);
    CHECK(int_op(B::Sub, DType::U8, 0, 1) == 255);
    CHECK(int_op(B::Add, DType::I32, std::numeric_limits<std::int32_t>::max(), 1) ==
          std::numeric_limits<std::int32_t>::min());
    CHECK(int_op(B::FloorDiv, DType::I64, -7, 2) == -4);
    CHECK(int_op(B::FloorMod, DType::I64, -7, 2) == 1);
    CHECK(int_op(B::FloorMod, DType::I64, 7, -2) == -1);
    CHECK(int_op(B::FloorDiv, DType::I32, 7, -2) == -4);
    CHECK(int_op(B::Div, DType::I64, -7, 2) == -3);
    CHECK(int_op(B::Rem, DType::I64, -7, 2) == -1);
    CHECK(int_op(B::Rem, DType::I32, 7, -2) == 1);
    for (const BinaryOp op : {B::Div, B::Rem, B::FloorDiv, B::FloorMod}) {
        CHECK(int_op(op, DType::I32, 5, 0) == 0);
        CHECK(int_op(op, DType::U8, 5, 0) == 0);
        CHECK(int_op(op, DType::I8, -128, -1) == 0);
        CHECK(int_op(op, DType::I64, std::numeric_limits<std::int64_t>::min(), -1) == 0);
    }
    CHECK(int_op(B::Div, DType::U64, -1, 2) == std::numeric_limits<std::int64_t>::max()); // 2^64 - 1
    CHECK(int_op(B::Shl, DType::I32, 1, 32) == 0);
    CHECK(int_op(B::Shl, DType::I32, 1, 31) == std::numeric_limits<std::int32_t>::min());
    CHECK(int_op(B::Shl, DType::I8, 3, -1) == 0);
    CHECK(int_op(B::Shr, DType::I8, -2, 8) == -1);
    CHECK(int_op(B::Shr, DType::I8, -2, 1) == -1);
    CHECK(int_op(B::Shr, DType::I8, 64, 8) == 0);
    CHECK(int_op(B::Shr, DType::U8, 200, 1) == 100);
    CHECK(int_op(B::Lt, DType::U64, -1, 1) == 0);
    CHECK(int_op(B::Lt, DType::I64, -1, 1) == 1);
    CHECK(int_op(B::BitXor, DType::I16, 0x0ff0, 0x00ff) == 0x0f0f);
    CHECK(int_op(B::Max, DType::U32, 0xffffffff, 1) == 0xffffffff);
    const auto called = [](Intrinsic f, DType dtype, std::int64_t a) {
        return as<IntImm>(computed({constant_int(dtype, a)}, [f](const E& x) { return Call::make(f, {x[0]}); }))->value;
    };
    CHECK(called(Intrinsic::Abs, DType::I8, -128) == -128);
    CHECK(called(Intrinsic::Neg, DType::U8, 1) == 255);
    CHECK(called(Intrinsic::Sign, DType::I32, -9) == -1);
    CHECK(called(Intrinsic::BitNot, DType::U16, 0) == 65535);
    CHECK(called(Intrinsic::CountOnes, DType::I8, -1) == 8);
    CHECK(called(Intrinsic::Not, DType::Bool, 1) == 0);
    const auto power = [](std::int64_t a, std::int64_t b) {
        return as<IntImm>(computed({constant_int(DType::I32, a), constant_int(DType::I32, b)},
                                   [](const E& x) {
                                       return Call::make(Intrinsic::Pow, {x[0], x[1]});
                                   }))
            ->value;
    };
    CHECK(power(-3, 5) == -243);
    CHECK(power(2, 40) == 0);
    CHECK(power(2, -1) == 0);
    CHECK(power(-1, -3) == -1);
}

TEST_CASE("floats are rounded after every operation, in their own format", "[tensor][interpreter]") {
    using B = BinaryOp;
    // f16 has 11 bits: 2048 + 1 is 2048, and 2048 + 3 is 2052 (ties to even).
    CHECK(float_op(B::Add, DType::F16, 2048, 1) == 2048);
    CHECK(float_op(B::Add, DType::F16, 2048, 3) == 2052);
    CHECK(float_op(B::Mul, DType::F16, 256, 256) == kInfinity);
    CHECK(float_op(B::Add, DType::BF16, 256, 1) == 256); // 8 bits
    CHECK(float_op(B::Add, DType::F32, 16777216, 1) == 16777216);
    CHECK(float_op(B::Add, DType::F64, 16777216, 1) == 16777217);
    CHECK(float_op(B::Div, DType::F32, 1, 0) == kInfinity);
    CHECK(std::isnan(float_op(B::Sub, DType::F32, kInfinity, kInfinity)));
    CHECK(float_op(B::Min, DType::F32, kNan, 3) == 3);
    CHECK(float_op(B::Max, DType::F64, 3, kNan) == 3);
    CHECK(std::isnan(float_op(B::Max, DType::F32, kNan, kNan)));
    const auto compared = [](BinaryOp op, double a, double b) {
        return as<IntImm>(computed({f32(a), f32(b)}, [op](const E& x) { return Binary::make(op, x[0], x[1]); }))->value;
    };
    for (const BinaryOp op : {B::Eq, B::Lt, B::Le, B::Gt, B::Ge}) CHECK(compared(op, kNan, kNan) == 0);
    CHECK(compared(B::Ne, kNan, kNan) == 1);
    const auto rounded = [](double a) {
        return as<FloatImm>(computed({f32(a)}, [](const E& x) { return Call::make(Intrinsic::Round, {x[0]}); }))->value;
    };
    CHECK(rounded(2.5) == 2);
    CHECK(rounded(-3.5) == -4);
    // A product and a sum are two roundings: (1 + 2^-12)^2 - (1 + 2^-11) is 2^-24 exactly, but the product rounds it
    // off.
    const double near_one = 1 + std::ldexp(1.0, -12);
    const Expr sum =
        computed({f32(near_one), f32(-1 - std::ldexp(1.0, -11))}, [](const E& x) { return x[0] * x[0] + x[1]; });
    CHECK(as<FloatImm>(sum)->value == 0);
}

TEST_CASE("a sum of half floats rounds at every step", "[tensor][interpreter]") {
    const int n = 5000;
    for (const DType dtype : {DType::F16, DType::BF16}) {
        const Buffer x = make_buffer("x", dtype, {n});
        ComputeBuilder builder;
        const Buffer y = builder.reduce("y", dtype, {}, {Combiner::Sum, {n}, {}},
                                        [&](const E&, const E& r) { return load(x, {r[0]}); });
        const Program program = builder.program("sum", {x}, {y});
        std::vector<NDArray> args = arguments(program);
        for (std::int64_t i = 0; i < n; ++i) args[0].set(i, 1);
        run(program, args);
        // Adding ones stops where one is half of the last place, ties to even: 2^11 and 2^8.
        CHECK(args[1].as_double(0) == (dtype == DType::F16 ? 2048 : 256));
    }
}

TEST_CASE("casts truncate, saturate and wrap", "[tensor][interpreter]") {
    CHECK(to_int(DType::I32, f32(-1.9)) == -1);
    CHECK(to_int(DType::I32, f32(3e9)) == std::numeric_limits<std::int32_t>::max());
    CHECK(to_int(DType::I32, f32(2147483648.0)) == std::numeric_limits<std::int32_t>::max());
    CHECK(to_int(DType::I32, f32(-2147483648.0)) == std::numeric_limits<std::int32_t>::min());
    CHECK(to_int(DType::I64, f32(-kInfinity)) == std::numeric_limits<std::int64_t>::min());
    CHECK(to_int(DType::U8, f32(-0.5)) == 0);
    CHECK(to_int(DType::U8, f32(-7)) == 0);
    CHECK(to_int(DType::U8, f32(255.9)) == 255);
    CHECK(to_int(DType::U8, f32(256)) == 255);
    CHECK(to_int(DType::I8, FloatImm::make(DType::F16, 1e9)) == 127);
    CHECK(to_int(DType::I16, f32(kNan)) == 0);
    CHECK(to_int(DType::Bool, f32(kNan)) == 1);
    CHECK(to_int(DType::Bool, f32(-0.0)) == 0);
    CHECK(to_int(DType::Bool, constant_int(DType::I32, 256)) == 1);
    CHECK(to_int(DType::I8, constant_int(DType::I32, 300)) == 44);
    CHECK(to_int(DType::U32, constant_int(DType::I8, -1)) == 0xffffffff);
    CHECK(to_int(DType::I64, constant_int(DType::U32, 0xffffffff)) == 0xffffffff);
    CHECK(to_float(DType::F32, constant_int(DType::U64, -1)) == std::ldexp(1.0, 64));
    CHECK(to_float(DType::F16, constant_int(DType::I32, 70000)) == kInfinity);
    CHECK(to_float(DType::F16, FloatImm::make(DType::F64, 2049)) == 2048);
    CHECK(to_float(DType::BF16, constant_int(DType::I16, 257)) == 256);
}

// ------------------------------------------------------------------------------------- laziness and bounds

TEST_CASE("what is not evaluated may be out of bounds", "[tensor][interpreter]") {
    const Program program = parsed(R"(fn f(x: f32[4], p: bool[4]) -> (y: f32[600], z: bool[600]) {
      for i in 600 { y[i] = select(i >= 100 && i < 104, x[i - 100], select(i == 7, x[i - 7] + x[i - 4], -1.0)) }
      for i in 600 { z[i] = i < 4 && p[i] || i > 595 && p[i - 596] } })");
    std::vector<NDArray> args = arguments(program);
    run(program, args);
    const auto x = args[0].values<float>(), y = args[2].values<float>();
    for (std::size_t i = 0; i < 600; ++i) {
        const float expected = i >= 100 && i < 104 ? x[i - 100] : i == 7 ? x[0] + x[3] : -1.0f;
        if (y[i] != expected) FAIL("y element " << i);
        const bool truth = i < 4 ? args[1].as_int(static_cast<std::int64_t>(i))
                                 : i > 595 && args[1].as_int(static_cast<std::int64_t>(i) - 596);
        if (args[3].as_int(static_cast<std::int64_t>(i)) != truth) FAIL("z element " << i);
    }
    SUCCEED();
}

TEST_CASE("a fold stops looking when the old element decides", "[tensor][interpreter]") {
    // any = any || x[r + 3 * any], which is out of bounds once any holds.
    const Program program = parsed(R"(fn f(x: bool[4]) -> (any: bool[]) {
      any[] = false
      for r in 9 { any[] = any[] || x[r] } })");
    std::vector<NDArray> args = arguments(program);
    for (std::int64_t i = 0; i < 4; ++i) args[0].set_int(i, i == 3);
    run(program, args);
    CHECK(args[1].as_int(0) == 1);
}

TEST_CASE("an access outside its buffer is a broken invariant that says where", "[tensor][interpreter]") {
    const auto failure = [](const std::string& text) -> std::string {
        const Program program = parsed(text);
        std::vector<NDArray> args = arguments(program);
        try {
            (void)interpret(program, args);
        } catch (const InternalError& error) { return error.what(); }
        return "none";
    };
    using Catch::Matchers::Contains;
    CHECK_THAT(failure("fn f(x: f32[4,5]) -> (y: f32[9]) { for i in 9 { y[i] = x[2, i] } }"),
               Contains("x[2, 5]") && Contains("f32[4,5]"));
    CHECK_THAT(failure("fn f(x: f32[9]) -> (y: f32[9]) { for i in 9 { y[i - 1] = x[i] } }"), Contains("y[-1]"));
    CHECK_THAT(failure("fn f(x: i64[9]) -> (y: i64[9]) { for i in 9 { y[i] = x[x[i] + 1000] } }"), Contains("x["));
    CHECK_THAT(failure("fn f(x: f32[9]) -> (y: f32[]) { y[] = 0.0 for i in 500 { y[] = y[] + x[i] } }"),
               Contains("x[9]"));
    CHECK_THAT(failure("fn f(x: f32[9]) -> (y: f32[]) { y[] = 0.0 for i in 500 { if i < 10 { y[] = y[] + x[i] } } }"),
               Contains("x[9]"));
    CHECK(failure("fn f(x: f32[9]) -> (y: f32[]) { y[] = 0.0 for i in 500 { if i < 9 { y[] = y[] + x[i] } } }") ==
          "none");
}

// ------------------------------------------------------------------------------------- statements

TEST_CASE("what depends on the iteration before runs in order", "[tensor][interpreter]") {
    const Program program = parsed(R"(fn f(x: f32[300]) -> (sum: f32[300], count: i32[4], last: f32[2], swap: f32[3]) {
      for i in 300 { sum[i] = select(i > 0, sum[i - 1], 0.0) + x[i] }
      for i in 4 { count[i] = 0i32 }
      for i in 300 { count[i64(abs(x[i])) % 4] = count[i64(abs(x[i])) % 4] + 1i32 }
      for i in 300 { last[i % 2] = x[i] }
      for i in 3 { swap[i] = x[i] }
      for i in 2 { let t = swap[i] swap[i] = swap[i + 1] swap[i + 1] = t } })");
    std::vector<NDArray> args = arguments(program);
    run(program, args);
    const auto x = args[0].values<float>();
    float sum = 0;
    std::int32_t count[4] = {};
    for (std::size_t i = 0; i < 300; ++i) {
        sum += x[i];
        if (args[1].values<float>()[i] != sum) FAIL("sum " << i);
        ++count[static_cast<int>(std::abs(x[i])) % 4];
    }
    for (std::size_t i = 0; i < 4; ++i) CHECK(args[2].values<std::int32_t>()[i] == count[i]);
    CHECK(args[3].values<float>()[0] == x[298]);
    CHECK(args[3].values<float>()[1] == x[299]);
    const auto swapped = args[4].values<float>();
    CHECK((swapped[0] == x[1] && swapped[1] == x[2] && swapped[2] == x[0]));
}

TEST_CASE("init runs where every reduce iterator is 0, the predicate guards both", "[tensor][interpreter]") {
    const Program program = parsed(R"(fn f(x: i32[10]) -> (y: i32[3], z: i32[3]) {
      for i in 3 { y[i] = 77i32 }
      for i in 3 { for r in 5 { for s in 2 {
        block y(vi = i in 3, reduce vr = r in 5, reduce vs = s in 2) where i != 1 {
          reads x[vr * 2 + vs], y[vi]
          writes y[vi]
          init { y[vi] = 1000i32 }
          y[vi] = y[vi] + x[vr * 2 + vs] } } } }
      for i in 3 { for r in 2 {
        block z(vi = i in 3, reduce vr = 1 - r in 2) {
          reads x[vi], z[vi]
          writes z[vi]
          init { z[vi] = 5i32 }
          z[vi] = z[vi] + x[vi] } } } })");
    std::vector<NDArray> args = arguments(program);
    run(program, args);
    std::int32_t total = 1000;
    for (std::int32_t value : args[0].values<std::int32_t>()) total += value;
    CHECK(args[1].to_ints() == std::vector<std::int64_t>{total, 77, total});
    // Reduced backwards, the init comes last but one and forgets what was before it.
    for (std::int64_t i = 0; i < 3; ++i) CHECK(args[2].as_int(i) == 5 + args[0].as_int(i));
}

TEST_CASE("allocated memory starts as NaN and is new every time", "[tensor][interpreter]") {
    const Program program = parsed(R"(fn f(x: f32[2]) -> (y: f32[2], z: bf16[2], n: i32[]) {
      for i in 2 { alloc t: f32[2] scope stack if i == 0 { t[0] = x[0] } y[i] = t[0] }
      { alloc u: bf16[2] scope global for i in 2 { z[i] = u[i] } }
      alloc v: i32[] scope registers n[] = v[] })");
    std::vector<NDArray> args = arguments(program);
    run(program, args);
    CHECK(args[1].as_double(0) == args[0].as_double(0));
    CHECK(std::isnan(args[1].as_double(1)));
    CHECK(std::isnan(args[2].as_double(1)));
    CHECK(args[3].as_int(0) == static_cast<std::int32_t>(0xa5a5a5a5));
}

TEST_CASE("loops of every kind and of extents that loops decide", "[tensor][interpreter]") {
    const Program program = parsed(R"(fn f(x: i32[10]) -> (y: i32[10], n: i32[]) {
      n[] = 0i32
      parallel i in 10 { y[i] = x[i] }
      vectorized i in 5 { unrolled j in 2 { y[i * 2 + j] = y[i * 2 + j] * 2i32 } }
      for i in 40 { for j in i { n[] = n[] + 1i32 } }
      for i in 0 { n[] = 0i32 } })");
    std::vector<NDArray> args = arguments(program);
    run(program, args);
    for (std::int64_t i = 0; i < 10; ++i) CHECK(args[1].as_int(i) == 2 * args[0].as_int(i));
    CHECK(args[2].as_int(0) == 40 * 39 / 2);
}

TEST_CASE("values shared by many expressions are computed once", "[tensor][interpreter]") {
    const Buffer x = make_buffer("x", DType::F32, {4}), y = make_buffer("y", DType::F32, {4});
    const VarRef i = Var::make("i");
    Expr value = load(x, {i});
    for (int k = 0; k < 200; ++k) value = (value + value) * constant(DType::F32, 0.5); // 2^200 nodes as a tree
    const Program program =
        make_program("f", {x, y}, 1, For::make(i, imm(4), LoopKind::Serial, Store::make(y, {i}, value)));
    std::vector<NDArray> args = arguments(program);
    REQUIRE(interpret(program, args).has_value());
    CHECK(first_difference(args[0], args[1]) == -1);
}

// ------------------------------------------------------------------------------------- arguments

TEST_CASE("arguments that do not fit are refused", "[tensor][interpreter]") {
    const Program program = parsed("fn f(x: f32[4]) -> (y: f32[4]) { for i in 4 { y[i] = x[i] } }");
    const auto refused = [&](std::vector<NDArray> args) {
        const Result<void> done = interpret(program, args);
        REQUIRE_FALSE(done.has_value());
        REQUIRE_FALSE(done.error().locations.empty());
        CHECK(std::get<ProgramPlace>(done.error().locations.front()).function == "f");
        return done.error().code;
    };
    const NDArray good = NDArray::zeros(DType::F32, {4});
    CHECK(refused({good}) == Code::BadShape);
    CHECK(refused({good, NDArray::zeros(DType::F32, {5})}) == Code::BadShape);
    CHECK(refused({good, NDArray::zeros(DType::F32, {4, 1})}) == Code::BadShape);
    CHECK(refused({good, NDArray()}) == Code::BadShape);
    CHECK(refused({NDArray::zeros(DType::F64, {4}), good}) == Code::BadType);
}

TEST_CASE("a size parameter takes the argument's extent", "[tensor][interpreter]") {
    const VarRef n = Var::make("n"), i = Var::make("i");
    const Buffer x = make_ref<const BufferNode>("x", DType::F32, E{n, imm(2)}, Scope::Global);
    const Buffer y = make_ref<const BufferNode>("y", DType::F32, E{n * imm(2)}, Scope::Global);
    const Stmt body = For::make(i, n * imm(2), LoopKind::Serial,
                                Store::make(y, {i}, load(x, {floor_div(i, imm(2)), floor_mod(i, imm(2))})));
    const Program program = make_program("f", {x, y}, 1, body);
    std::vector<NDArray> args{floats({3, 2}, {1, 2, 3, 4, 5, 6}), NDArray::zeros(DType::F32, {6})};
    REQUIRE(interpret(program, args).has_value());
    CHECK(args[1].as_double(5) == 6);
    args[1] = NDArray::zeros(DType::F32, {7});
    const Result<void> done = interpret(program, args);
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().code == Code::BadShape);
}

TEST_CASE("a run can be stopped before and while it runs", "[tensor][interpreter]") {
    const Program program = parsed(R"(fn f(x: f32[1000]) -> (y: f32[]) {
      for i in 1000000000 { y[] = y[] + x[i % 1000] } })");
    std::vector<NDArray> args = arguments(program);
    std::stop_source source;
    const Progress progress{source.get_token(), {}};
    std::jthread stopper([&source] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20)); // the run takes seconds; any moment will do
        source.request_stop();
    });
    const auto start = std::chrono::steady_clock::now();
    const Result<void> during = interpret(program, args, progress);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
    REQUIRE_FALSE(during.has_value());
    CHECK(during.error().code == Code::Cancelled);
    const Result<void> before = interpret(program, args, progress);
    REQUIRE_FALSE(before.has_value());
    CHECK(before.error().code == Code::Cancelled);
}
