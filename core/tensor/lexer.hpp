#pragma once
// Words, numbers and signs of the text forms, with their places.

#include "core/base/diagnostic.hpp"
#include "core/tensor/expr.hpp"

#include <cstdint>
#include <string_view>

namespace orrery::tensor {

enum class TokenKind : std::uint8_t { End, Word, Number, String, Symbol, Bad };

struct Token {
    TokenKind kind = TokenKind::End;
    std::string_view text; ///< of a string: with its quotes
    TextPosition at;
};

/// One token after another; blanks, line ends and comments (`#` to the end of the line) lie between.
class Lexer {
  public:
    /// Pre: the text outlives the lexer and its tokens.
    explicit Lexer(std::string_view text) : text_(text) {}
    /// End again and again once the text is used up.
    Token next();

  private:
    [[nodiscard]] char peek(std::size_t ahead) const {
        return pos_ + ahead < text_.size() ? text_[pos_ + ahead] : '\0';
    }
    void skip_blanks();
    void scan_number();
    bool scan_string();

    std::string_view text_;
    std::size_t pos_ = 0, line_start_ = 0;
    int line_ = 1;
};

/// A number as it is written: digits, a point or an exponent, its dtype; or `nan`, `inf` with one.
struct NumberText {
    Expr value;               ///< null when it is refused
    const char* problem = ""; ///< then: what is wrong with it, "does not fit its type"
    bool typed = false;       ///< the text names the dtype; else it is i64 or f32
    double exact = 0;         ///< of a float: before it was rounded to the dtype
};
[[nodiscard]] NumberText read_number(std::string_view text, bool negative);

} // namespace orrery::tensor
