#pragma once
// The words and operators of the text form, shared by printer and parser. Grammar: docs/text-forms.md.

#include "core/tensor/node.hpp"

#include <array>
#include <optional>
#include <string_view>

namespace orrery::tensor {

/// How a binary operator is written: infix with a precedence, or as a function when that is 0.
struct OperatorNotation {
    BinaryOp op;
    std::string_view token;
    int precedence;
};

inline constexpr int kComparison = 3; ///< comparisons do not chain; every other operator groups to the left
inline constexpr int kUnary = 10;
inline constexpr int kPrimary = 11;

/// In the order of BinaryOp. Precedences are Python's: our choice, because bit operations then bind tighter than
/// comparisons.
inline constexpr std::array<OperatorNotation, 22> kOperators{{
    {BinaryOp::Add, "+", 8},   {BinaryOp::Sub, "-", 8},       {BinaryOp::Mul, "*", 9},      {BinaryOp::Div, "/", 9},
    {BinaryOp::Rem, "rem", 0}, {BinaryOp::FloorDiv, "//", 9}, {BinaryOp::FloorMod, "%", 9}, {BinaryOp::Min, "min", 0},
    {BinaryOp::Max, "max", 0}, {BinaryOp::And, "&&", 2},      {BinaryOp::Or, "||", 1},      {BinaryOp::BitAnd, "&", 6},
    {BinaryOp::BitOr, "|", 4}, {BinaryOp::BitXor, "^", 5},    {BinaryOp::Shl, "<<", 7},     {BinaryOp::Shr, ">>", 7},
    {BinaryOp::Eq, "==", 3},   {BinaryOp::Ne, "!=", 3},       {BinaryOp::Lt, "<", 3},       {BinaryOp::Le, "<=", 3},
    {BinaryOp::Gt, ">", 3},    {BinaryOp::Ge, ">=", 3},
}};
[[nodiscard]] constexpr const OperatorNotation& notation(BinaryOp op) {
    return kOperators[static_cast<std::size_t>(op)];
}

/// In the order of Intrinsic; Neg, Not and BitNot are written as prefixes.
inline constexpr std::array<std::string_view, 30> kIntrinsics{
    "-",   "!",     "~",    "abs",   "sign",  "sqrt", "exp",  "log",   "sin",   "cos",
    "tan", "asin",  "acos", "atan",  "sinh",  "cosh", "tanh", "asinh", "acosh", "atanh",
    "erf", "floor", "ceil", "round", "trunc", "pow",  "fmod", "isnan", "isinf", "popcount"};
[[nodiscard]] constexpr std::string_view notation(Intrinsic intrinsic) {
    return kIntrinsics[static_cast<std::size_t>(intrinsic)];
}
[[nodiscard]] constexpr bool is_prefix(Intrinsic intrinsic) { return intrinsic <= Intrinsic::BitNot; }

/// In the order of LoopKind and Scope.
inline constexpr std::array<std::string_view, 4> kLoops{"for", "parallel", "vectorized", "unrolled"};
inline constexpr std::array<std::string_view, 3> kScopes{"global", "stack", "registers"};

/// In the order of AccessMode.
inline constexpr std::array<std::string_view, 3> kAccessModes{"r", "w", "rw"};

/// Words that name no variable and no buffer.
inline constexpr std::array<std::string_view, 22> kKeywords{
    "fn",     "for",    "parallel", "vectorized",  "unrolled",   "in",      "block", "where",
    "reads",  "writes", "init",     "if",          "else",       "let",     "alloc", "scope",
    "reduce", "true",   "false",    "call_extern", "access_ptr", "prefetch"};

/// "nan", "inff64": the dtype of a word for a non-finite number.
[[nodiscard]] inline std::optional<DType> non_finite_dtype(std::string_view word) {
    if (!word.starts_with("nan") && !word.starts_with("inf")) return std::nullopt;
    if (word.size() == 3) return DType::F32;
    const std::optional<DType> dtype = parse_dtype(word.substr(3));
    return dtype && is_float(*dtype) ? dtype : std::nullopt;
}

[[nodiscard]] inline bool is_reserved(std::string_view word) {
    for (std::string_view keyword : kKeywords)
        if (keyword == word) return true;
    return non_finite_dtype(word).has_value();
}

[[nodiscard]] constexpr bool is_word_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
[[nodiscard]] constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
[[nodiscard]] constexpr bool is_word_char(char c) { return is_word_start(c) || is_digit(c); }

} // namespace orrery::tensor
