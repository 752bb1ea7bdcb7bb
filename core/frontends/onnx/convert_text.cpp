// Strings normalized: stop words dropped, letters made small or large.

#include "core/frontends/onnx/convert_text.hpp"
#include "core/base/text_pool.hpp"
#include "core/frontends/onnx/convert_support.hpp"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cwctype>
#include <locale.h>
#include <set>

namespace orrery::onnx {

namespace {

enum class Letters : std::uint8_t { Kept, Lower, Upper };

/// Code points of UTF-8; nullopt where it is none.
std::optional<std::u32string> decoded(std::string_view text) {
    std::u32string out;
    for (std::size_t i = 0; i < text.size();) {
        const auto first = static_cast<unsigned char>(text[i]);
        const std::size_t length = first < 0x80       ? 1
                                   : first >> 5 == 6  ? 2
                                   : first >> 4 == 14 ? 3
                                   : first >> 3 == 30 ? 4
                                                      : 0;
        if (length == 0 || i + length > text.size()) return std::nullopt;
        char32_t point = length == 1 ? first : first & (0x7Fu >> length);
        for (std::size_t k = 1; k < length; ++k) {
            const auto next = static_cast<unsigned char>(text[i + k]);
            if (next >> 6 != 2) return std::nullopt;
            point = point << 6 | (next & 0x3F);
        }
        out.push_back(point);
        i += length;
    }
    return out;
}

std::string encoded(std::u32string_view points) {
    std::string out;
    for (const char32_t c : points) {
        const int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
        constexpr unsigned kLead[] = {0, 0xC0, 0xE0, 0xF0};
        out.push_back(static_cast<char>(kLead[more] | c >> (6 * more)));
        for (int k = more; k-- > 0;) out.push_back(static_cast<char>(0x80 | (c >> (6 * k) & 0x3F)));
    }
    return out;
}

/// One letter for one, by Unicode's tables: the node's own locale says nothing that ONNX's tests or models use.
std::string with_letters(const std::string& text, Letters letters) {
    if (letters == Letters::Kept) return text;
    std::optional<std::u32string> points = decoded(text);
    if (!points) return text; // no letters are known in it
    static const locale_t unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    for (char32_t& c : *points) {
        const auto wide = static_cast<wint_t>(c);
        if (unicode)
            c = static_cast<char32_t>(letters == Letters::Lower ? towlower_l(wide, unicode)
                                                                : towupper_l(wide, unicode));
        else
            c = static_cast<char32_t>(letters == Letters::Lower ? std::towlower(wide) : std::towupper(wide));
    }
    return encoded(*points);
}

Result<Letters> letters_of(NodeReader& node) {
    const std::string action = node.text("case_change_action", "NONE");
    if (action == "NONE") return Letters::Kept;
    if (action == "LOWER") return Letters::Lower;
    if (action == "UPPER") return Letters::Upper;
    return bad_attribute("case_change_action is LOWER, UPPER or NONE, not \"" + action + "\"");
}

/// Its length depends on the strings, so that they must be known: it is computed as they are converted.
Converted string_normalizer(NodeReader& node) {
    ORRERY_TRY(const Letters letters, letters_of(node));
    const bool exact = node.integer("is_case_sensitive", 0) != 0;
    const auto compared = [&](const std::string& text) { return exact ? text : with_letters(text, Letters::Lower); };
    std::set<std::string> stop;
    for (const std::string& word : node.texts("stopwords", {})) stop.insert(compared(word));
    ORRERY_TRY(const NDArray given, node.required_constant(0, "X"));
    const Shape& shape = given.shape();
    if (given.dtype() != DType::I64 || shape.empty() || shape.size() > 2 || (shape.size() == 2 && shape[0] != 1))
        return bad_shape("StringNormalizer takes [C] or [1, C] strings");
    std::vector<std::int64_t> kept;
    for (const std::int64_t number : given.to_ints()) {
        const std::optional<std::string> text = text_of_number(number);
        if (!text) return Diagnostic{Code::BadType, "StringNormalizer is given a number that is no string", {}, {}};
        if (stop.contains(compared(*text))) continue;
        ORRERY_TRY(const std::int64_t changed, number_of_text(with_letters(*text, letters)));
        kept.push_back(changed);
    }
    if (kept.empty()) {
        ORRERY_TRY(const std::int64_t nothing, number_of_text(""));
        kept.push_back(nothing);
    }
    NDArray result = int_vector(kept);
    if (shape.size() == 2) result = result.reshaped({1, result.size()});
    return results(node, {node.constant_var(std::move(result))});
}

// ------------------------------------------------------------------------------- to and from numbers

/// As Python writes it: the shortest digits that read back equal, with a point, or an exponent beyond 1e-4 and 1e16.
/// Source: ONNX says "plain or scientific notation"; its own tests' strings are Python's.
template <class T> std::string text_of(T value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    char buffer[64];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
    const std::string all(buffer, end);
    const std::size_t e = all.find('e'), sign = value < 0 || std::signbit(value) ? 1 : 0;
    const int exponent = std::atoi(all.c_str() + e + 1);
    if (exponent < -4 || exponent >= 16) return all;
    std::string digits = all.substr(sign, 1);
    if (e > sign + 2) digits += all.substr(sign + 2, e - sign - 2);
    const auto whole = static_cast<std::size_t>(std::max(exponent, 0)) + 1;
    if (exponent < 0) digits.insert(0, static_cast<std::size_t>(-exponent), '0');
    if (digits.size() < whole + 1) digits.append(whole + 1 - digits.size(), '0');
    return std::string(sign, '-') + digits.substr(0, whole) + "." + digits.substr(whole);
}

Result<std::string> element_text(const NDArray& array, std::int64_t i) {
    if (array.dtype() == DType::F64) return text_of(array.as_double(i));
    if (array.dtype() == DType::F32) return text_of(static_cast<float>(array.as_double(i)));
    if (is_int(array.dtype()) && array.dtype() != DType::U64) return std::to_string(array.as_int(i));
    return unsupported("Cast of " + std::string(to_string(array.dtype())) + " to strings");
}

template <class T> std::optional<T> number_of(std::string_view text) {
    if (text.starts_with('+')) text.remove_prefix(1);
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

Result<void> set_element(NDArray& array, std::int64_t i, const std::string& text) {
    const Diagnostic error{Code::BadType, "Cast is given \"" + text + "\", which is no number of its type", {}, {}};
    if (is_int(array.dtype())) {
        const std::optional<std::int64_t> value = number_of<std::int64_t>(text);
        if (!value) return error;
        array.set_int(i, *value);
        return array.as_int(i) == *value ? Result<void>() : error;
    }
    // Read in the type itself: rounding twice could give another number.
    std::optional<double> value;
    if (array.dtype() == DType::F64)
        value = number_of<double>(text);
    else if (const std::optional<float> single = number_of<float>(text))
        value = *single;
    if (!value || !is_float(array.dtype())) return error;
    array.set(i, *value);
    return {};
}

Converted text_print(NodeReader& node) {
    ORRERY_TRY(const NDArray given, node.required_constant(0, "input"));
    NDArray out = NDArray::allocate(DType::I64, given.shape());
    for (std::int64_t i = 0; i < given.size(); ++i) {
        ORRERY_TRY(const std::string text, element_text(given, i));
        ORRERY_TRY(const std::int64_t number, number_of_text(text));
        out.set_int(i, number);
    }
    return results(node, {node.constant_var(std::move(out))});
}

Converted text_parse(NodeReader& node) {
    ORRERY_TRY(const NDArray given, node.required_constant(0, "input"));
    const std::optional<DType> dtype = parse_dtype(node.text("to", ""));
    if (!dtype) return bad_attribute("`to` names no element type");
    NDArray out = NDArray::allocate(*dtype, given.shape());
    for (std::int64_t i = 0; i < given.size(); ++i) {
        const std::optional<std::string> text = text_of_number(given.as_int(i));
        if (!text) return Diagnostic{Code::BadType, "Cast is given a number that is no string", {}, {}};
        ORRERY_CHECK_OK(set_element(out, i, *text));
    }
    return results(node, {node.constant_var(std::move(out))});
}

constexpr ConverterRow kTextRows[] = {
    {"StringNormalizer", 10, string_normalizer},
    {kTextParse, 1, text_parse},
    {kTextPrint, 1, text_print},
};

} // namespace

Rows text_rows() { return kTextRows; }

} // namespace orrery::onnx
