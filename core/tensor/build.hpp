#pragma once
// Short ways to write tensor-IR expressions. Constants fold; `x + 0`, `x * 1` and the like vanish.

#include "core/tensor/node.hpp"

#include <optional>

namespace orrery::tensor {

[[nodiscard]] inline Expr imm(std::int64_t value) { return IntImm::make(DType::I64, value); }
/// A constant of any dtype.
[[nodiscard]] Expr constant(DType dtype, double value);
[[nodiscard]] Expr constant_int(DType dtype, std::int64_t value);
[[nodiscard]] Expr boolean(bool value);
/// The least and greatest finite-or-infinite values of a dtype: identities of Max and Min.
[[nodiscard]] Expr lowest(DType dtype);
[[nodiscard]] Expr highest(DType dtype);

/// The integer of an IntImm.
[[nodiscard]] std::optional<std::int64_t> as_int(const Expr& expr);
[[nodiscard]] bool is_zero(const Expr& expr);
[[nodiscard]] bool is_one(const Expr& expr);

[[nodiscard]] Expr operator+(const Expr& a, const Expr& b);
[[nodiscard]] Expr operator-(const Expr& a, const Expr& b);
[[nodiscard]] Expr operator*(const Expr& a, const Expr& b);
[[nodiscard]] Expr operator/(const Expr& a, const Expr& b); ///< Div: IEEE for floats, truncating for integers
[[nodiscard]] Expr floor_div(const Expr& a, const Expr& b);
[[nodiscard]] Expr floor_mod(const Expr& a, const Expr& b);
[[nodiscard]] Expr min(const Expr& a, const Expr& b);
[[nodiscard]] Expr max(const Expr& a, const Expr& b);
/// Careful: with these in scope, test handles with `== nullptr`, never with `!handle` or `handle && ...`.
[[nodiscard]] Expr operator&&(const Expr& a, const Expr& b);
[[nodiscard]] Expr operator||(const Expr& a, const Expr& b);
[[nodiscard]] Expr operator!(const Expr& a);
[[nodiscard]] Expr eq(const Expr& a, const Expr& b);
[[nodiscard]] Expr ne(const Expr& a, const Expr& b);
[[nodiscard]] Expr lt(const Expr& a, const Expr& b);
[[nodiscard]] Expr le(const Expr& a, const Expr& b);
[[nodiscard]] Expr gt(const Expr& a, const Expr& b);
[[nodiscard]] Expr ge(const Expr& a, const Expr& b);
[[nodiscard]] Expr select(const Expr& condition, const Expr& then_value, const Expr& else_value);
[[nodiscard]] Expr cast(DType dtype, const Expr& value);
[[nodiscard]] Expr call(Intrinsic intrinsic, const Expr& a);
[[nodiscard]] Expr call(Intrinsic intrinsic, const Expr& a, const Expr& b);
[[nodiscard]] Expr load(const Buffer& buffer, std::vector<Expr> indices);

inline Expr operator+(const Expr& a, std::int64_t b) { return a + imm(b); }
inline Expr operator-(const Expr& a, std::int64_t b) { return a - imm(b); }
inline Expr operator*(const Expr& a, std::int64_t b) { return a * imm(b); }

/// Binary of any operator, with the same folding.
[[nodiscard]] Expr binary(BinaryOp op, const Expr& a, const Expr& b);

} // namespace orrery::tensor
