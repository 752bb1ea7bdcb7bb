#include "core/graph/reader.hpp"

#include "core/graph/lexical.hpp"

#include <charconv>

namespace orrery::graph {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

} // namespace

void Reader::skip_space() {
    for (; at_ < text_.size(); ++at_) {
        const char c = text_[at_];
        if (c == '#') {
            while (at_ + 1 < text_.size() && text_[at_ + 1] != '\n') ++at_;
        } else if (c == '\n') {
            ++line_;
            line_start_ = at_ + 1;
        } else if (c != ' ' && c != '\t' && c != '\r')
            return;
    }
}

bool Reader::at_end() {
    skip_space();
    return at_ == text_.size();
}

char Reader::peek() { return at_end() ? '\0' : text_[at_]; }

bool Reader::accept(std::string_view symbol) {
    skip_space();
    if (!rest().starts_with(symbol)) return false;
    at_ += symbol.size();
    return true;
}

bool Reader::accept_word(std::string_view word) {
    skip_space();
    if (!rest().starts_with(word)) return false;
    if (rest().size() > word.size() && continues_name(rest()[word.size()])) return false;
    at_ += word.size();
    return true;
}

std::string Reader::found() const {
    if (at_ == text_.size()) return "the end of the text";
    std::size_t length = 0;
    while (length < 24 && length < rest().size() && continues_name(rest()[length])) ++length;
    return quoted(rest().substr(0, length ? length : 1));
}

Diagnostic Reader::error_at(TextPosition where, Code code, std::string message) {
    return {code, std::move(message), {where}, {}};
}

TextPosition Reader::here() {
    skip_space();
    return {line_, static_cast<int>(at_ - line_start_) + 1};
}

Diagnostic Reader::error(std::string message) {
    const TextPosition where = here();
    return error_at(where, Code::BadText, std::move(message) + ", found " + found());
}

Result<void> Reader::expect(std::string_view symbol) {
    if (accept(symbol)) return {};
    return error("expected " + quoted(symbol));
}

Result<void> Reader::expect_word(std::string_view word) {
    if (accept_word(word)) return {};
    return error("expected " + quoted(word));
}

Result<std::string> Reader::name(std::string_view what) {
    if (!starts_name(peek())) return error("expected " + std::string(what));
    const std::size_t begin = at_;
    while (at_ < text_.size() && continues_name(text_[at_])) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
}

Result<std::string> Reader::string() {
    const TextPosition where = here();
    ORRERY_CHECK_OK(expect("\""));
    std::string out;
    while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n') {
        const char c = text_[at_++];
        if (c != '\\') {
            out += c;
            continue;
        }
        const char kind = at_ < text_.size() ? text_[at_++] : '\0';
        if (kind == '"' || kind == '\\')
            out += kind;
        else if (kind == 'n')
            out += '\n';
        else if (kind == 't')
            out += '\t';
        else if (kind == 'x' && at_ + 1 < text_.size() && hex_value(text_[at_]) >= 0 &&
                 hex_value(text_[at_ + 1]) >= 0) {
            out += static_cast<char>(hex_value(text_[at_]) * 16 + hex_value(text_[at_ + 1]));
            at_ += 2;
        } else
            return error_at(where, Code::BadText, "a backslash in a string is followed by one of \" \\ n t xHH");
    }
    if (at_ == text_.size() || text_[at_] != '"')
        return error_at(where, Code::BadText, "a string does not end on its line");
    ++at_;
    return out;
}

Result<std::string_view> Reader::hex_digits() {
    skip_space();
    const std::size_t begin = at_;
    while (at_ < text_.size() && at_ - begin < 32 && hex_value(text_[at_]) >= 0) ++at_;
    if (at_ == begin) return error("expected hexadecimal digits");
    return text_.substr(begin, at_ - begin);
}

bool Reader::number_next() {
    const char c = peek();
    return is_digit(c) || c == '-' || rest().starts_with("inf") || rest().starts_with("nan");
}

Result<Reader::Number> Reader::number() {
    skip_space();
    const std::size_t begin = at_;
    if (accept("nan(0x")) {
        ORRERY_TRY(const std::string_view digits, hex_digits());
        (void)digits;
        ORRERY_CHECK_OK(expect(")"));
        return Number{text_.substr(begin, at_ - begin), false};
    }
    if (accept_word("inf") || accept_word("nan") || accept("-inf"))
        return Number{text_.substr(begin, at_ - begin), false};
    if (at_ < text_.size() && text_[at_] == '-') ++at_;
    const std::size_t digits = at_;
    bool whole = true;
    while (at_ < text_.size()) {
        const char c = text_[at_];
        const bool sign = at_ > digits && (c == '-' || c == '+') && text_[at_ - 1] == 'e';
        if (!is_digit(c) && c != '.' && c != 'e' && !sign) break;
        whole = whole && is_digit(c);
        ++at_;
    }
    if (at_ == digits) return error("expected a number");
    return Number{text_.substr(begin, at_ - begin), whole};
}

Result<std::int64_t> Reader::integer(std::string_view what) {
    const TextPosition where = here();
    ORRERY_TRY(const Number number, number());
    std::int64_t value = 0;
    const char* end = number.text.data() + number.text.size();
    if (const auto [stop, failed] = std::from_chars(number.text.data(), end, value);
        failed != std::errc() || stop != end)
        return error_at(where, Code::BadText, "expected " + std::string(what) + ", found " + std::string(number.text));
    return value;
}

} // namespace orrery::graph
