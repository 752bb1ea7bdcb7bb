#include "views/model/table.hpp"

#include <algorithm>

namespace orrery::views {
namespace {

/// Characters, not bytes.
std::size_t width_of(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

void append_cell(std::string& line, const std::string& text, std::size_t width, Align align) {
    const std::string pad(width - std::min(width, width_of(text)), ' ');
    if (!line.empty()) line += "  ";
    line += align == Align::Right ? pad + text : text + pad;
}

} // namespace

std::string to_text(const Table& table) {
    if (table.rows.empty()) return table.empty_reason.empty() ? std::string() : table.empty_reason + "\n";
    std::vector<std::size_t> widths;
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
        std::size_t width = width_of(table.columns[c].title);
        for (const TableRow& row : table.rows) width = std::max(width, width_of(row.cells[c].text));
        widths.push_back(width);
    }
    std::string out;
    const auto add = [&](auto&& text_at) {
        std::string line;
        for (std::size_t c = 0; c < table.columns.size(); ++c)
            append_cell(line, text_at(c), widths[c], table.columns[c].align);
        while (!line.empty() && line.back() == ' ') line.pop_back();
        out += line + "\n";
    };
    add([&](std::size_t c) { return table.columns[c].title; });
    for (const TableRow& row : table.rows) add([&](std::size_t c) { return row.cells[c].text; });
    return out;
}

} // namespace orrery::views
