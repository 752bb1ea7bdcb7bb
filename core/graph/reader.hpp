#pragma once
// Characters of the text form, taken word by word, with the place of each.

#include "core/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace orrery::graph {

/// Reads one text from front to back; white space and `#` comments up to the end of a line are skipped before a word.
/// Errors of all readers: BadText at the word's line and column.
class Reader {
  public:
    explicit Reader(std::string_view text) : text_(text) {}

    [[nodiscard]] bool at_end();
    /// The next character, or 0 at the end.
    [[nodiscard]] char peek();
    /// Takes `symbol` when it comes next.
    bool accept(std::string_view symbol);
    /// Takes `word` when it comes next as a whole name.
    bool accept_word(std::string_view word);
    [[nodiscard]] Result<void> expect(std::string_view symbol);
    [[nodiscard]] Result<void> expect_word(std::string_view word);
    [[nodiscard]] Result<std::string> name(std::string_view what);
    [[nodiscard]] Result<std::string> string();
    /// Hexadecimal digits, 1 to 32.
    [[nodiscard]] Result<std::string_view> hex_digits();

    /// A number as it is written: digits with sign, point and exponent, or inf, -inf, nan, nan(0x...).
    struct Number {
        std::string_view text;
        bool whole = false; ///< neither point, exponent nor a word
    };
    [[nodiscard]] bool number_next();
    [[nodiscard]] Result<Number> number();
    [[nodiscard]] Result<std::int64_t> integer(std::string_view what);

    /// Place of the next word.
    [[nodiscard]] TextPosition here();
    [[nodiscard]] Diagnostic error(std::string message);
    [[nodiscard]] static Diagnostic error_at(TextPosition where, Code code, std::string message);

  private:
    void skip_space();
    [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }
    [[nodiscard]] std::string found() const;

    std::string_view text_;
    std::size_t at_ = 0, line_start_ = 0;
    int line_ = 1;
};

} // namespace orrery::graph
