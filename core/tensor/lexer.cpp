#include "core/tensor/lexer.hpp"

#include "core/tensor/notation.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace orrery::tensor {

Token Lexer::next() {
    skip_blanks();
    const TextPosition at{line_, static_cast<int>(pos_ - line_start_) + 1};
    const std::size_t start = pos_;
    const auto token = [&](TokenKind kind) { return Token{kind, text_.substr(start, pos_ - start), at}; };
    if (pos_ == text_.size()) return token(TokenKind::End);
    const char c = text_[pos_];
    if (is_word_start(c)) {
        while (is_word_char(peek(0))) ++pos_;
        return token(TokenKind::Word);
    }
    if (is_digit(c)) return scan_number(), token(TokenKind::Number);
    if (c == '"') return token(scan_string() ? TokenKind::String : TokenKind::Bad);
    constexpr std::string_view kPairs[] = {"//", "&&", "||", "<<", ">>", "==", "!=", "<=", ">=", "->", "+:"};
    for (std::string_view pair : kPairs)
        if (text_.substr(pos_, 2) == pair) return pos_ += 2, token(TokenKind::Symbol);
    ++pos_;
    constexpr std::string_view kSingle = "+-*/%&|^<>=!~(){}[],:@";
    return token(kSingle.find(c) == std::string_view::npos ? TokenKind::Bad : TokenKind::Symbol);
}

void Lexer::skip_blanks() {
    for (;; ++pos_) {
        const char c = peek(0);
        if (c == '#')
            while (pos_ < text_.size() && text_[pos_] != '\n') ++pos_;
        if (peek(0) == '\n') {
            ++line_;
            line_start_ = pos_ + 1;
        } else if (c != ' ' && c != '\t' && c != '\r') {
            return;
        }
    }
}

void Lexer::scan_number() {
    while (is_digit(peek(0))) ++pos_;
    if (peek(0) == '.' && is_digit(peek(1)))
        for (++pos_; is_digit(peek(0));) ++pos_;
    const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 2 : 1;
    if (peek(0) == 'e' && is_digit(peek(sign)))
        for (pos_ += sign; is_digit(peek(0));) ++pos_;
    while (is_word_char(peek(0))) ++pos_;
}

bool Lexer::scan_string() {
    for (++pos_; pos_ < text_.size() && text_[pos_] != '\n'; ++pos_) {
        if (text_[pos_] == '"') return ++pos_, true;
        if (text_[pos_] == '\\') ++pos_;
    }
    pos_ = std::min(pos_, text_.size());
    return false;
}

namespace {

/// Null when it does not fit.
Expr read_integer(std::string_view digits, DType dtype, bool negative) {
    std::uint64_t magnitude = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude);
    if (read.ec != std::errc()) return nullptr;
    const int bits = bit_width(dtype);
    const bool is_signed = is_signed_int(dtype);
    const std::uint64_t greatest = ~std::uint64_t{0} >> (64 - bits + (is_signed ? 1 : 0));
    if (magnitude > greatest + (is_signed && negative ? 1 : 0)) return nullptr;
    if (negative && !is_signed && magnitude != 0) return nullptr;
    return IntImm::make(dtype, static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude));
}

} // namespace

NumberText read_number(std::string_view text, bool negative) {
    const auto refuse = [](const char* problem) { return NumberText{nullptr, problem}; };
    const auto made = [&](DType dtype, double value, bool typed) {
        const double exact = negative ? -value : value;
        return NumberText{FloatImm::make(dtype, exact), "", typed, exact};
    };
    if (const auto type = non_finite_dtype(text))
        return made(*type, text.front() == 'n' ? std::nan("") : HUGE_VAL, text.size() > 3);
    std::size_t end = text.find_first_not_of("0123456789.");
    if (end != std::string_view::npos && text[end] == 'e') {
        end = text.find_first_not_of("+-", end + 1);
        end = end == std::string_view::npos ? end : text.find_first_not_of("0123456789", end);
    }
    const std::string_view digits = text.substr(0, end);
    const std::string_view suffix = end == std::string_view::npos ? std::string_view() : text.substr(end);
    const bool fractional = digits.find_first_of(".e") != std::string_view::npos;
    const auto type = suffix.empty() ? std::optional(fractional ? DType::F32 : DType::I64) : parse_dtype(suffix);
    if (!type || *type == DType::Bool || (fractional && !is_float(*type))) return refuse("has no such type");
    if (!is_float(*type)) {
        Expr value = read_integer(digits, *type, negative);
        return value != nullptr ? NumberText{std::move(value), "", !suffix.empty()} : refuse("does not fit its type");
    }
    const char* last = digits.data() + digits.size();
    double value = 0;
    float narrow = 0;
    const auto exactly = std::from_chars(digits.data(), last, value);
    const auto read = *type == DType::F64 ? exactly : std::from_chars(digits.data(), last, narrow);
    if (read.ec != std::errc() || read.ptr != last) return refuse("is out of range");
    NumberText number = made(*type, *type == DType::F64 ? value : narrow, !suffix.empty());
    number.exact = negative ? -value : value;
    return std::isfinite(as<FloatImm>(number.value)->value) ? number : refuse("is out of range");
}

} // namespace orrery::tensor
