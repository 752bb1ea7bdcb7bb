#include "core/tensor/build.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace orrery;
using namespace orrery::tensor;

namespace {

std::int64_t folded(BinaryOp op, DType dtype, std::int64_t a, std::int64_t b) {
    const auto value = as_int(binary(op, constant_int(dtype, a), constant_int(dtype, b)));
    REQUIRE(value.has_value());
    return *value;
}
double folded_float(BinaryOp op, DType dtype, double a, double b) {
    const Expr value = binary(op, constant(dtype, a), constant(dtype, b));
    REQUIRE(value->kind == NodeKind::FloatImm);
    return as<FloatImm>(value)->value;
}
double float_of(const Expr& expr) {
    REQUIRE(expr->kind == NodeKind::FloatImm);
    return as<FloatImm>(expr)->value;
}

} // namespace

TEST_CASE("integer constants fold with the rules of the IR", "[tensor][build]") {
    CHECK(folded(BinaryOp::Add, DType::I8, 127, 1) == -128);
    CHECK(folded(BinaryOp::Sub, DType::U8, 0, 1) == 255);
    CHECK(folded(BinaryOp::Mul, DType::I32, 1 << 20, 1 << 20) == 0);
    CHECK(folded(BinaryOp::Mul, DType::U16, 300, 300) == 90000 - 65536);
    CHECK(folded(BinaryOp::Div, DType::I64, -7, 2) == -3);
    CHECK(folded(BinaryOp::Rem, DType::I64, -7, 2) == -1);
    CHECK(folded(BinaryOp::FloorDiv, DType::I64, -7, 2) == -4);
    CHECK(folded(BinaryOp::FloorMod, DType::I64, -7, 2) == 1);
    CHECK(folded(BinaryOp::FloorDiv, DType::I64, 7, -2) == -4);
    CHECK(folded(BinaryOp::FloorMod, DType::I64, 7, -2) == -1);
    for (BinaryOp op : {BinaryOp::Div, BinaryOp::Rem, BinaryOp::FloorDiv, BinaryOp::FloorMod}) {
        CHECK(folded(op, DType::I32, 5, 0) == 0);
        CHECK(folded(op, DType::I64, INT64_MIN, -1) == 0);
        CHECK(folded(op, DType::I8, -128, -1) == 0);
    }
    CHECK(folded(BinaryOp::Div, DType::U64, -1, 2) == INT64_MAX);
    CHECK(folded(BinaryOp::Max, DType::U64, -1, 2) == -1);
    CHECK(folded(BinaryOp::Lt, DType::U64, -1, 2) == 0);
    CHECK(folded(BinaryOp::Lt, DType::I64, -1, 2) == 1);
    CHECK(folded(BinaryOp::Shl, DType::I8, 1, 7) == -128);
    CHECK(folded(BinaryOp::Shl, DType::I8, 1, 8) == 0);
    CHECK(folded(BinaryOp::Shr, DType::I8, -128, 8) == -1);
    CHECK(folded(BinaryOp::Shr, DType::I8, -128, 2) == -32);
    CHECK(folded(BinaryOp::Shr, DType::U8, 128, 9) == 0);
    CHECK(folded(BinaryOp::Shr, DType::U64, -1, 63) == 1);
}

TEST_CASE("float constants fold with the rules of the IR", "[tensor][build]") {
    CHECK(folded_float(BinaryOp::Add, DType::F32, 16777216, 1) == 16777216);
    CHECK(folded_float(BinaryOp::Add, DType::F64, 16777216, 1) == 16777217);
    CHECK(folded_float(BinaryOp::Add, DType::F16, 2048, 1) == 2048);
    CHECK(std::isinf(folded_float(BinaryOp::Div, DType::F32, 1, 0)));
    const double nan = std::nan("");
    CHECK(folded_float(BinaryOp::Min, DType::F32, nan, 2) == 2);
    CHECK(folded_float(BinaryOp::Max, DType::F32, 2, nan) == 2);
    CHECK(as_int(lt(constant(DType::F32, nan), constant(DType::F32, nan))) == 0);
    CHECK(as_int(ne(constant(DType::F32, nan), constant(DType::F32, nan))) == 1);
    CHECK(float_of(call(Intrinsic::Round, constant(DType::F32, 2.5))) == 2);
    CHECK(float_of(call(Intrinsic::Sqrt, constant(DType::F32, 2))) == std::sqrt(2.0f));
    CHECK(call(Intrinsic::Exp, constant(DType::F32, 1))->kind == NodeKind::Call);
}

TEST_CASE("casts of constants truncate, saturate and wrap", "[tensor][build]") {
    CHECK(as_int(cast(DType::I8, constant(DType::F32, 300))) == 127);
    CHECK(as_int(cast(DType::I8, constant(DType::F32, -300))) == -128);
    CHECK(as_int(cast(DType::U8, constant(DType::F32, -1))) == 0);
    CHECK(as_int(cast(DType::U8, constant(DType::F32, -0.5))) == 0);
    CHECK(as_int(cast(DType::I32, constant(DType::F32, -2.9))) == -2);
    CHECK(as_int(cast(DType::I64, constant(DType::F32, std::nan("")))) == 0);
    CHECK(as_int(cast(DType::I64, constant(DType::F64, 1e30))) == INT64_MAX);
    CHECK(as_int(cast(DType::U64, constant(DType::F64, 1e30))) == -1);
    CHECK(as_int(cast(DType::U64, constant(DType::F64, 9223372036854775808.0))) == INT64_MIN);
    CHECK(as_int(cast(DType::I8, constant_int(DType::I32, 200))) == -56);
    CHECK(as_int(cast(DType::Bool, constant_int(DType::I32, 256))) == 1);
    CHECK(as_int(cast(DType::Bool, constant(DType::F32, std::nan("")))) == 1);
    CHECK(float_of(cast(DType::F64, constant_int(DType::U64, -1))) == 18446744073709551616.0);
    CHECK(float_of(cast(DType::F32, imm(16777217))) == 16777216);
}

TEST_CASE("identities vanish and floats keep their signs", "[tensor][build]") {
    const VarRef i = Var::make("i"), f = Var::make("f", DType::F32), b = Var::make("b", DType::Bool);
    CHECK(i + 0 == i);
    CHECK(imm(0) + i == i);
    CHECK(i * 1 == i);
    CHECK(is_zero(i * 0));
    CHECK(is_zero(i - i));
    CHECK(floor_div(i, imm(1)) == i);
    CHECK(is_zero(floor_mod(i, imm(1))));
    CHECK(as<Binary>((i + 3) - 5)->op == BinaryOp::Sub);
    CHECK(as_int(as<Binary>((i + 3) - 5)->b) == 2);
    CHECK((i + 3) - 3 == i);
    CHECK(as_int(as<Binary>((i * 3) * 5)->b) == 15);
    CHECK((b && boolean(true)) == b);
    CHECK(as_int(b && boolean(false)) == 0);
    CHECK((boolean(false) || b) == b);
    CHECK(call(Intrinsic::Not, call(Intrinsic::Not, b)) == b);
    CHECK(select(boolean(false), i, i + 1) != i);
    CHECK(select(b, i, i) == i);
    // -0.0 + 0.0 is 0.0, so only -0.0 is neutral; a NaN is not equal to itself.
    CHECK(f + constant(DType::F32, -0.0) == f);
    CHECK(f + constant(DType::F32, 0.0) != f);
    CHECK(f * constant(DType::F32, 1) == f);
    CHECK_FALSE(is_zero(f * constant(DType::F32, 0)));
    CHECK(eq(f, f)->kind == NodeKind::Binary);
    CHECK(as_int(eq(i, i)) == 1);
    CHECK_THROWS_AS(i + f, InternalError);
}

TEST_CASE("lowest and highest are the ends of each type", "[tensor][build]") {
    CHECK(as_int(lowest(DType::I8)) == -128);
    CHECK(as_int(highest(DType::I8)) == 127);
    CHECK(as_int(lowest(DType::I64)) == INT64_MIN);
    CHECK(as_int(highest(DType::I64)) == INT64_MAX);
    CHECK(as_int(highest(DType::U32)) == 4294967295);
    CHECK(as_int(highest(DType::U64)) == -1);
    CHECK(as_int(lowest(DType::Bool)) == 0);
    CHECK(as_int(highest(DType::Bool)) == 1);
    CHECK(float_of(lowest(DType::BF16)) == -HUGE_VAL);
}
