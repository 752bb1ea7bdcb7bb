#include "views/model/diff_html.hpp"

#include "views/model/resource.hpp"

#include <algorithm>
#include <cstdio>

// Outline: escaping; tables; texts; the picture; the page.

namespace orrery::views {
namespace {

void escape(std::string& out, std::string_view text) {
    for (const char c : text) switch (c) {
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '&': out += "&amp;"; break;
        case '"': out += "&quot;"; break;
        case '\t': out += "        "; break;
        default:
            if (static_cast<unsigned char>(c) >= ' ') out += c;
        }
}

std::string escaped(std::string_view text) {
    std::string out;
    escape(out, text);
    return out;
}

const char* class_of(LineChange change) {
    switch (change) {
    case LineChange::None: return "";
    case LineChange::Added: return "add";
    case LineChange::Removed: return "del";
    case LineChange::Changed: return "chg";
    case LineChange::Moved: return "mov";
    case LineChange::Filler: return "fil";
    }
    return "";
}

const char* sign_of(LineChange change) {
    switch (change) {
    case LineChange::Added: return "+";
    case LineChange::Removed: return "−";
    case LineChange::Changed: return "~";
    case LineChange::Moved: return "⇄";
    case LineChange::None:
    case LineChange::Filler: return "";
    }
    return "";
}

void write_table(std::string& out, const Table& table, const char* id) {
    if (table.rows.empty()) {
        out += "<p class=dim>" + escaped(table.empty_reason) + "</p>\n";
        return;
    }
    out += std::string("<table class=grid id=") + id + "><thead><tr>";
    for (const TableColumn& c : table.columns)
        out += std::string(c.align == Align::Right ? "<th class=r>" : "<th>") + escaped(c.title) + "</th>";
    out += "</tr></thead><tbody>\n";
    for (const TableRow& row : table.rows) {
        out += row.tone == Tone::Dim ? "<tr class=dim title=\"" : "<tr title=\"";
        for (const char c : row.details) c == '\n' ? out += "&#10;" : (escape(out, std::string_view(&c, 1)), out);
        out += "\">";
        for (std::size_t c = 0; c < row.cells.size(); ++c)
            out += std::string(table.columns[c].align == Align::Right ? "<td class=r>" : "<td>") +
                   escaped(row.cells[c].text) + "</td>";
        out += "</tr>\n";
    }
    out += "</tbody></table>\n";
}

/// One side's half of a row: number, sign, text with the words that differ marked.
void write_half(std::string& out, const TextViewData& side, int line, std::size_t& word) {
    const auto at = static_cast<std::size_t>(line);
    const LineChange change = side.changes[at];
    out += "<td class=n>";
    if (side.numbers[at] > 0) out += std::to_string(side.numbers[at]);
    out += std::string("</td><td class=\"s ") + class_of(change) + "\">" + sign_of(change) + "</td><td class=\"t " +
           class_of(change) + "\">";
    const std::string_view text = side.line(line);
    std::size_t from = 0;
    while (word < side.words.size() && side.words[word].line < line) ++word;
    for (; word < side.words.size() && side.words[word].line == line; ++word) {
        const TextHit& hit = side.words[word];
        escape(out, text.substr(from, hit.begin - from));
        out += "<b>";
        escape(out, text.substr(hit.begin, hit.end - hit.begin));
        out += "</b>";
        from = hit.end;
    }
    escape(out, text.substr(from));
    out += "</td>";
}

void write_texts(std::string& out, const DiffViewData& data) {
    const int count = data.left->line_count();
    const std::size_t bytes = data.left->text->size() + data.right->text->size();
    const bool all = bytes * 3 / 2 + 120 * static_cast<std::size_t>(count) < kMostReportBytes;
    out += "<table class=diff><colgroup><col class=cn><col class=cs><col><col class=cn><col class=cs><col></colgroup>";
    out += "<thead><tr><th colspan=3>" + escaped(data.left_title) + "</th><th colspan=3>" + escaped(data.right_title) +
           "</th></tr></thead><tbody>\n";
    std::size_t left_word = 0, right_word = 0, left_out = 0;
    auto fold = data.left->folds.begin();
    bool cut = false;
    for (int i = 0; i < count; ++i) {
        while (fold != data.left->folds.end() && fold->last < i) ++fold;
        const bool hidden = fold != data.left->folds.end() && fold->first < i && i <= fold->last;
        if (hidden && i == fold->first + 1) {
            const std::string lines = std::to_string(fold->last - fold->first) + " lines alike";
            out += all ? "</tbody><tbody class=more><tr class=fold><td colspan=6>" + lines +
                             "</td></tr></tbody>"
                             "<tbody class=hid>\n"
                       : "<tr class=gap><td colspan=6>" + lines + "</td></tr>\n";
        }
        if (hidden && !all) {
            ++left_out;
            continue;
        }
        if (out.size() > kMostReportBytes) {
            cut = true;
            out += "<tr class=gap><td colspan=6>" + std::to_string(count - i) +
                   " more lines are left out: the report would grow beyond what opens well</td></tr>\n";
            break;
        }
        out += "<tr>";
        write_half(out, *data.left, i, left_word);
        write_half(out, *data.right, i, right_word);
        out += "</tr>\n";
        if (hidden && i == fold->last) out += "</tbody><tbody>\n";
    }
    out += "</tbody></table>\n";
    if (left_out > 0 && !cut)
        out += "<p class=dim>" + std::to_string(left_out) + " lines that are alike are left out.</p>\n";
}

std::string number(float value) {
    char text[24];
    std::snprintf(text, sizeof text, "%.1f", static_cast<double>(value));
    return text;
}

void write_node(std::string& out, const GraphNode& node) {
    static constexpr const char* kClasses[] = {"same", "same", "add", "del", "chg", "mov"};
    static constexpr const char* kSigns[] = {"", "", "+", "−", "~", "⇄"};
    const auto mark = static_cast<std::size_t>(node.change);
    const layout::Rect& b = node.box;
    out += std::string("<g class=\"node ") + kClasses[mark] + "\"><title>" + escaped(node.title + "\n" + node.was) +
           "</title><rect x=" + number(b.x) + " y=" + number(b.y) + " width=" + number(b.width) +
           " height=" + number(b.height) + " rx=6 /><text x=" + number(b.x + 10) +
           " y=" + number(b.y + (node.subtitle.empty() ? b.height / 2 + 4 : b.height / 2 - 3)) + ">" +
           escaped(node.title) + "</text>";
    if (!node.subtitle.empty() && b.height > 40)
        out += "<text class=sub x=" + number(b.x + 10) + " y=" + number(b.y + b.height / 2 + 14) + ">" +
               escaped(node.subtitle) + "</text>";
    if (kSigns[mark][0] != '\0')
        out +=
            "<text class=sign x=" + number(b.right() - 14) + " y=" + number(b.y + 15) + ">" + kSigns[mark] + "</text>";
    out += "</g>\n";
}

void write_graph(std::string& out, const GraphViewData& graph) {
    constexpr std::size_t kMostNodes = 4000; // beyond it a picture in a page helps nobody
    if (graph.nodes.empty() || graph.nodes.size() > kMostNodes) return;
    out += "<h2>Graph</h2><div class=scroll><svg viewBox=\"-10 -10 " + number(graph.width + 20) + " " +
           number(graph.height + 20) + "\" width=" + number(graph.width + 20) + " height=" + number(graph.height + 20) +
           ">\n";
    for (const GraphFrame& f : graph.frames)
        out += "<rect class=frame x=" + number(f.box.x) + " y=" + number(f.box.y) + " width=" + number(f.box.width) +
               " height=" + number(f.box.height) + " rx=8 /><text class=sub x=" + number(f.box.x + 8) +
               " y=" + number(f.box.y + 14) + ">" + escaped(f.title) + "</text>\n";
    for (const GraphEdge& e : graph.edges) {
        if (e.point_count < 4) continue;
        const bool gone = graph.nodes[static_cast<std::size_t>(e.from)].change == NodeMark::Removed ||
                          graph.nodes[static_cast<std::size_t>(e.to)].change == NodeMark::Removed;
        out += gone ? "<path class=gone d=\"" : "<path d=\"";
        for (std::uint32_t k = 0; k < e.point_count; ++k) {
            const layout::Point p = graph.points[e.first_point + k];
            out += k == 0 ? "M" : k % 3 == 1 ? "C" : " ";
            out += number(p.x) + "," + number(p.y);
        }
        out += "\"/>\n";
    }
    for (const GraphNode& node : graph.nodes) write_node(out, node);
    out += "</svg></div>\n";
}

} // namespace

std::string to_html(const DiffViewData& data, const GraphViewData* graph) {
    std::string out = "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
                      "<meta name=viewport content=\"width=device-width, initial-scale=1\"><title>";
    escape(out, data.left_title + " → " + data.right_title);
    out += "</title>\n<style>\n";
    out += resource("report.css");
    out += "</style></head>\n<body><header><h1>" + escaped(data.left_title) + " <span class=dim>→</span> " +
           escaped(data.right_title) + "</h1><p>" + escaped(data.summary) +
           "</p><button id=theme type=button>Dark / light</button></header>\n<main>\n";
    if (data.left->line_count() == 0) {
        out += "<p class=dim>" + escaped(data.empty_reason) + "</p></main></body></html>\n";
        return out;
    }
    out += "<p class=key><span class=add>+ added</span> <span class=del>− removed</span> "
           "<span class=chg>~ changed</span> <span class=mov>⇄ moved</span></p>\n<h2>Figures</h2>\n";
    write_table(out, data.statistics, "figures");
    if (data.graph) {
        out += "<h2>Changes in the graph</h2>\n";
        write_table(out, data.changes, "changes");
    }
    if (graph != nullptr) write_graph(out, *graph);
    out += "<h2>Text</h2>\n";
    write_texts(out, data);
    out += "</main><footer class=dim>Orrery</footer>\n<script>\n";
    out += resource("report.js");
    out += "</script></body></html>\n";
    return out;
}

} // namespace orrery::views
