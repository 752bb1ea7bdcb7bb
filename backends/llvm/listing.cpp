#include "backends/llvm/listing.hpp"

#include <charconv>
#include <unordered_map>

namespace orrery::codegen {

namespace {

template <class F> void each_line(std::string_view text, F&& visit) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        visit(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

int read_int(std::string_view text) {
    int value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

/// The number after `key`, or -1.
int number_after(std::string_view line, std::string_view key) {
    const std::size_t at = line.find(key);
    return at == std::string_view::npos ? -1 : read_int(line.substr(at + key.size()));
}

std::string_view trim_end(std::string_view line) {
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    return line;
}

bool is_ir_noise(std::string_view line) {
    for (std::string_view start : {"!", "; ModuleID", "source_filename", "target ", "attributes #", "; Function Attrs"})
        if (line.starts_with(start)) return true;
    return false;
}

/// Takes `, !dbg !7` out of an instruction and ` !dbg !7` out of a definition.
std::string without_location(std::string_view line) {
    std::string out(line);
    for (std::string_view key : {", !dbg !", " !dbg !"}) {
        const std::size_t at = out.find(key);
        if (at == std::string::npos) continue;
        std::size_t end = at + key.size();
        while (end < out.size() && out[end] >= '0' && out[end] <= '9') ++end;
        out.erase(at, end - at);
    }
    const std::size_t preds = out.find("; preds = ");
    if (preds != std::string::npos) out.resize(preds);
    return std::string(trim_end(out));
}

} // namespace

std::string spaced(std::string_view line) {
    std::string out;
    bool start = true;
    for (char c : line) {
        if (c != '\t')
            out += c, start = false;
        else
            out += start ? "    " : " ";
    }
    return std::string(trim_end(out));
}

Listing read_ir(std::string_view text) {
    std::unordered_map<int, int> line_of; // by metadata number
    each_line(text, [&](std::string_view line) {
        if (!line.starts_with("!") || line.find("!DILocation(") == std::string_view::npos) return;
        line_of[read_int(line.substr(1))] = std::max(number_after(line, "line: "), 0);
    });
    Listing out;
    each_line(text, [&](std::string_view line) {
        if (is_ir_noise(line)) return;
        ListingLine entry;
        const int location = number_after(line, "!dbg !");
        const auto found = line_of.find(location);
        if (found != line_of.end()) entry.tensor_line = found->second;
        entry.text = without_location(line);
        const bool blank_before = out.lines.empty() || out.lines.back().text.empty();
        if (!entry.text.empty() || !blank_before) out.lines.push_back(std::move(entry));
    });
    while (!out.lines.empty() && out.lines.back().text.empty()) out.lines.pop_back();
    return out;
}

AssemblyListing read_assembly(std::string_view text) {
    AssemblyListing out;
    int current = 0;
    int at = -1;
    bool code = true; // the section being read holds instructions
    const auto keep = [&out, &at](std::string kept, int tensor_line) {
        out.listing.lines.push_back({std::move(kept), tensor_line});
        out.text_lines.push_back(at);
    };
    each_line(text, [&](std::string_view line) {
        ++at;
        line = trim_end(line);
        if (line.empty()) return;
        if (line.front() != '\t' && line.front() != ' ') {
            if (line.back() != ':' || !code) return;
            const bool internal = line.starts_with(".L") && !line.starts_with(".LBB");
            if (internal || line.starts_with("$")) return;
            if (!line.starts_with(".LBB")) current = 0; // another function
            keep(std::string(line), 0);
            return;
        }
        std::string_view word = line.substr(line.find_first_not_of(" \t"));
        if (word.starts_with(".loc")) {
            const std::size_t file = word.find_first_of(" \t");
            const std::size_t number = file == std::string_view::npos ? file : word.find(' ', file + 1);
            current = number == std::string_view::npos ? 0 : read_int(word.substr(number + 1));
        } else if (word.starts_with(".text") || word.starts_with(".section\t.text")) {
            code = true;
        } else if (word.starts_with(".section") || word.starts_with(".data") || word.starts_with(".bss")) {
            code = false;
        } else if (word.front() != '.' && word.front() != '#' && code) {
            keep(spaced(line), current);
        }
    });
    return out;
}

} // namespace orrery::codegen
