#include "views/model/text_view.hpp"

#include "views/model/json.hpp"

#include <algorithm>
#include <cstring>

namespace orrery::views {

std::string_view trimmed(std::string_view line) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return {};
    return line.substr(begin, line.find_last_not_of(" \t") - begin + 1);
}

namespace {

std::vector<FoldRange> folds_by_braces(const TextViewData& data) {
    std::vector<FoldRange> folds;
    std::vector<int> open;
    for (int i = 0; i < data.line_count(); ++i) {
        const std::string_view line = trimmed(data.line(i));
        if (line.empty()) continue;
        if (line.front() == '}' && !open.empty()) {
            if (i - 1 > open.back()) folds.push_back({open.back(), i});
            open.pop_back();
        }
        if (line.back() == '{') open.push_back(i);
    }
    std::sort(folds.begin(), folds.end(), [](const FoldRange& a, const FoldRange& b) { return a.first < b.first; });
    return folds;
}

std::vector<FoldRange> folds_by_labels(const TextViewData& data) {
    std::vector<FoldRange> folds;
    int label = -1;
    const auto close = [&](int next) {
        if (label >= 0 && next - 1 > label) folds.push_back({label, next - 1});
    };
    for (int i = 0; i < data.line_count(); ++i) {
        const std::string_view line = data.line(i);
        if (line.empty() || line[0] == ' ' || line[0] == '\t' || trimmed(line).find(':') == std::string_view::npos)
            continue;
        close(i);
        label = i;
    }
    close(data.line_count());
    return folds;
}

} // namespace

std::string_view TextViewData::line(int index) const {
    const std::uint64_t begin = line_start[static_cast<std::size_t>(index)],
                        end = line_start[static_cast<std::size_t>(index) + 1];
    std::string_view whole = std::string_view(*text).substr(begin, end - begin);
    if (!whole.empty() && whole.back() == '\n') whole.remove_suffix(1);
    return whole;
}

void set_text(TextViewData& data, std::string text) {
    data.line_start.assign(1, 0);
    if (!text.empty() && text.back() != '\n') text += '\n';
    data.line_start.reserve(text.size() / 40);
    const char* const begin = text.data();
    const char* at = begin;
    const char* const end = begin + text.size();
    while (at < end) {
        at = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at))) + 1;
        data.line_start.push_back(static_cast<std::uint64_t>(at - begin));
    }
    data.text = std::make_shared<const std::string>(std::move(text));
}

std::vector<FoldRange> folds_by_depth(const std::vector<int>& depths, const TextViewData& data) {
    std::vector<FoldRange> folds;
    std::vector<int> open;
    const int count = std::min(static_cast<int>(depths.size()), data.line_count());
    const auto close = [&](int next) {
        const int first = open.back();
        open.pop_back();
        const std::string_view line = next < count ? trimmed(data.line(next)) : std::string_view();
        const bool closes = !line.empty() && line.front() == '}' &&
                            depths[static_cast<std::size_t>(next)] == depths[static_cast<std::size_t>(first)];
        const int last = closes ? next : next - 1;
        if (last > first) folds.push_back({first, last});
    };
    for (int i = 0; i < count; ++i) {
        while (!open.empty() && depths[static_cast<std::size_t>(i)] <= depths[static_cast<std::size_t>(open.back())])
            close(i);
        if (i + 1 < count && depths[static_cast<std::size_t>(i) + 1] > depths[static_cast<std::size_t>(i)])
            open.push_back(i);
    }
    while (!open.empty()) close(count);
    std::sort(folds.begin(), folds.end(), [](const FoldRange& a, const FoldRange& b) {
        return a.first != b.first ? a.first < b.first : a.last > b.last;
    });
    return folds;
}

std::vector<FoldRange> folds_of(const TextViewData& data) {
    return data.language == TextLanguage::Assembly ? folds_by_labels(data) : folds_by_braces(data);
}

void tint_blocks(TextViewData& tensor, const std::vector<bool>& is_block) {
    if (tensor.links.size() != static_cast<std::size_t>(tensor.line_count())) return;
    int next = 0;
    int until = -1;
    for (int i = 0; i < tensor.line_count(); ++i) {
        if (i <= until || !is_block[static_cast<std::size_t>(i)]) continue;
        const auto fold = std::lower_bound(tensor.folds.begin(), tensor.folds.end(), i,
                                           [](const FoldRange& f, int line) { return f.first < line; });
        until = fold != tensor.folds.end() && fold->first == i ? fold->last : i;
        for (int k = i; k <= until; ++k)
            tensor.links[static_cast<std::size_t>(k)].tint = static_cast<std::int8_t>(next % kTintCount);
        ++next;
    }
}

void tint_like(TextViewData& code, const TextViewData& tensor) {
    for (LineLink& link : code.links) {
        const auto index = static_cast<std::size_t>(link.tensor_line) - 1;
        link.tint = link.tensor_line > 0 && index < tensor.links.size() ? tensor.links[index].tint
                                                                        : static_cast<std::int8_t>(-1);
    }
}

std::vector<int> linked_lines(const TextViewData& data, const Selection& selection) {
    std::vector<int> lines;
    if (selection.empty()) return lines;
    const bool by_line = !selection.tensor_lines.empty();
    if (by_line && selection.function != data.subject) return lines;
    for (std::size_t i = 0; i < data.links.size(); ++i) {
        const LineLink& link = data.links[i];
        const bool meant =
            by_line ? std::binary_search(selection.tensor_lines.begin(), selection.tensor_lines.end(), link.tensor_line)
                    : link.origins.intersects(selection.origins);
        if (meant) lines.push_back(static_cast<int>(i));
    }
    return lines;
}

Selection select_line(const TextViewData& data, int line) {
    Selection selection;
    if (line < 0 || static_cast<std::size_t>(line) >= data.links.size()) return selection;
    const LineLink& link = data.links[static_cast<std::size_t>(line)];
    selection.origins = link.origins;
    selection.function = data.subject;
    if (link.tensor_line > 0) selection.tensor_lines.push_back(link.tensor_line);
    return selection;
}

Selection select_block(const TextViewData& data, int line) {
    Selection selection = select_line(data, line);
    const auto fold = std::lower_bound(data.folds.begin(), data.folds.end(), line,
                                       [](const FoldRange& f, int at) { return f.first < at; });
    if (fold == data.folds.end() || fold->first != line) return selection;
    for (int i = line + 1; i <= fold->last && static_cast<std::size_t>(i) < data.links.size(); ++i) {
        const LineLink& link = data.links[static_cast<std::size_t>(i)];
        selection.origins = unite(selection.origins, link.origins);
        if (link.tensor_line > 0) selection.tensor_lines.push_back(link.tensor_line);
    }
    std::sort(selection.tensor_lines.begin(), selection.tensor_lines.end());
    selection.tensor_lines.erase(std::unique(selection.tensor_lines.begin(), selection.tensor_lines.end()),
                                 selection.tensor_lines.end());
    return selection;
}

std::string to_text(const TextViewData& data) {
    if (data.line_count() == 0) return data.empty_reason + "\n";
    return *data.text;
}

std::string to_json(const TextViewData& data) {
    Json lines = Json::array(), folds = Json::array();
    for (int i = 0; i < data.line_count(); ++i) {
        Json line{{"text", data.line(i)}};
        if (static_cast<std::size_t>(i) < data.links.size()) {
            const LineLink& link = data.links[static_cast<std::size_t>(i)];
            line["tensor_line"] = link.tensor_line;
            line["tint"] = link.tint;
            line["origins"] = json_of(link.origins);
        }
        lines.push_back(std::move(line));
    }
    for (const FoldRange& f : data.folds) folds.push_back(Json::array({f.first, f.last}));
    return dump(Json{{"view", data.title},
                     {"function", data.subject},
                     {"note", data.note},
                     {"lines", std::move(lines)},
                     {"folds", std::move(folds)}});
}

} // namespace orrery::views
