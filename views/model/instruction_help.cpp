#include "views/model/instruction_help.hpp"

#include "views/model/resource.hpp"

#include <array>
#include <optional>
#include <unordered_map>

namespace orrery::views {

namespace {

using Meanings = std::unordered_map<std::string_view, std::string_view>;

/// Lines "KEY TAB text" of the resource; '#' starts a comment.
const Meanings& table() {
    static const Meanings read = [] {
        Meanings out;
        std::string_view text = resource("instructions_x86.txt");
        while (!text.empty()) {
            const std::size_t end = std::min(text.find('\n'), text.size());
            const std::string_view line = text.substr(0, end);
            text.remove_prefix(std::min(end + 1, text.size()));
            const std::size_t tab = line.find('\t');
            if (tab != std::string_view::npos && line.front() != '#') out[line.substr(0, tab)] = line.substr(tab + 1);
        }
        return out;
    }();
    return read;
}

/// The element type a mnemonic's last letters mean.
std::optional<std::string_view> element(std::string_view suffix) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kTypes = {{{"ps", "packed f32"},
                                                                                      {"pd", "packed f64"},
                                                                                      {"ss", "one f32"},
                                                                                      {"sd", "one f64"},
                                                                                      {"ph", "packed f16"},
                                                                                      {"sh", "one f16"}}};
    for (const auto& [letters, meaning] : kTypes)
        if (suffix == letters) return meaning;
    return std::nullopt;
}

/// vf[n]m{add,sub,addsub,subadd}{132,213,231}: the digits say which operands are multiplied and which is overwritten.
std::string fused_help(std::string_view base, std::string_view type) {
    if (!base.starts_with("vf")) return {};
    base.remove_prefix(2);
    const bool negated = base.starts_with("nm");
    base.remove_prefix(negated ? 1 : 0);
    if (!base.starts_with("m") || base.size() < 7) return {};
    const std::string_view digits = base.substr(base.size() - 3), sign = base.substr(1, base.size() - 4);
    if (sign != "add" && sign != "sub") return {};
    std::string out = "multiplies operands " + std::string(1, digits[0]) + " and " + digits[1] + ", ";
    out += negated ? "takes the negative, " : "";
    out += sign == "add" ? "adds" : "subtracts";
    return out + " operand " + digits[2] + ", of " + std::string(type) + ", with one rounding";
}

} // namespace

std::string instruction_help(std::string_view mnemonic) {
    const auto exact = table().find(mnemonic);
    if (exact != table().end()) return std::string(exact->second);
    if (mnemonic.size() < 4) return {};
    const auto type = element(mnemonic.substr(mnemonic.size() - 2));
    if (!type) return {};
    const std::string_view base = mnemonic.substr(0, mnemonic.size() - 2);
    const auto found = table().find(std::string(base) + "*");
    if (found == table().end()) return fused_help(base, *type);
    std::string text(found->second);
    const std::size_t hole = text.find("{t}");
    if (hole != std::string::npos) text.replace(hole, 3, *type);
    return text;
}

std::string_view mnemonic_of(std::string_view line) {
    for (;;) {
        const std::size_t begin = line.find_first_not_of(" \t");
        if (begin == 0 || begin == std::string_view::npos) return {}; // a label
        const std::size_t end = line.find_first_of(" \t", begin);
        const std::string_view word = line.substr(begin, end == std::string_view::npos ? end : end - begin);
        const bool prefix = word == "rep" || word == "repne" || word == "lock" || word == "notrack";
        if (!prefix || end == std::string_view::npos) return word;
        line.remove_prefix(end);
    }
}

} // namespace orrery::views
