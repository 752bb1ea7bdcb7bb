#include "core/transform/options.hpp"

#include <algorithm>
#include <charconv>

namespace orrery::transform {

namespace {

Diagnostic wrong(const char* name, const std::string& wanted, const std::string& given) {
    return {Code::BadArgument, std::string(name) + " is " + wanted + ", not \"" + given + "\"", {}, {}};
}

} // namespace

Result<bool> flag_option(const pass::Context& context, const char* name, bool fallback) {
    const std::string text = context.option(name, fallback ? "true" : "false");
    if (text != "true" && text != "false") return wrong(name, "true or false", text);
    return text == "true";
}

Result<std::int64_t> number_option(const pass::Context& context, const char* name, const NumberRange& range) {
    const std::string text = context.option(name, std::to_string(range.fallback));
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size() || value < range.least || value > range.most)
        return wrong(name, "a whole number from " + std::to_string(range.least) + " to " + std::to_string(range.most),
                     text);
    return value;
}

std::vector<std::string> words_option(const pass::Context& context, const char* name, const std::string& fallback) {
    std::vector<std::string> words;
    std::string word;
    for (char c : context.option(name, fallback) + ",") {
        if (c == ' ') continue;
        if (c != ',') {
            word += c;
        } else if (!word.empty()) {
            words.push_back(std::move(word));
            word.clear();
        }
    }
    return words;
}

Result<std::string> choice_option(const pass::Context& context, const char* name,
                                  const std::vector<std::string>& allowed) {
    std::string text = context.option(name, allowed.front());
    if (std::ranges::find(allowed, text) != allowed.end()) return text;
    std::string list;
    for (const std::string& word : allowed) list += (list.empty() ? "" : ", ") + word;
    return wrong(name, "one of " + list, text);
}

Result<ByteProducts> byte_products_option(const pass::Context& context) {
    ORRERY_TRY(const std::string text, choice_option(context, "byte_products", {"none", "dots", "tiles"}));
    return text == "none" ? ByteProducts::None : text == "dots" ? ByteProducts::Dots : ByteProducts::Tiles;
}

} // namespace orrery::transform
