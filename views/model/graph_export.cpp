#include "views/model/graph_export.hpp"

#include "core/base/check.hpp"
#include "views/model/resource.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace orrery::views {
namespace {

/// Colours of the theme file, by role.
class Palette {
  public:
    explicit Palette(bool dark) {
        const std::string_view bytes = resource("theme.json");
        set_ = nlohmann::json::parse(bytes.begin(), bytes.end(), nullptr, false)[dark ? "dark" : "light"];
        ORRERY_ASSERT(set_.is_object(), "theme.json has both sets");
    }
    [[nodiscard]] std::string operator[](const std::string& role) const { return set_.at(role).get<std::string>(); }
    [[nodiscard]] std::string kind(OperatorKind k) const { return (*this)[role_of(k)]; }
    [[nodiscard]] std::string kind_fill(OperatorKind k) const { return (*this)[role_of(k) + "_fill"]; }
    /// As qt::Theme::heat_at mixes it.
    [[nodiscard]] std::string heat(float share) const {
        const float at = std::clamp(share, 0.f, 1.f) * 4;
        const auto low = static_cast<std::size_t>(std::min(3.f, std::floor(at)));
        const std::string a = set_.at("heat").at(low), b = set_.at("heat").at(low + 1);
        char text[8];
        std::array<int, 3> mixed{};
        for (std::size_t c = 0; c < 3; ++c) {
            const int from = std::stoi(a.substr(1 + 2 * c, 2), nullptr, 16),
                      to = std::stoi(b.substr(1 + 2 * c, 2), nullptr, 16);
            mixed[c] = static_cast<int>(
                std::lround(static_cast<float>(from) + static_cast<float>(to - from) * (at - static_cast<float>(low))));
        }
        std::snprintf(text, sizeof text, "#%02x%02x%02x", mixed[0], mixed[1], mixed[2]);
        return text;
    }

  private:
    static std::string role_of(OperatorKind k) {
        switch (k) {
        case OperatorKind::Convolution:
        case OperatorKind::MatMul:
        case OperatorKind::Group: return "blue";
        case OperatorKind::Pool:
        case OperatorKind::Reduction: return "teal";
        case OperatorKind::Normalization:
        case OperatorKind::Recurrent: return "violet";
        case OperatorKind::Activation:
        case OperatorKind::Elementwise: return "green";
        default: return "grey";
        }
    }
    nlohmann::json set_;
};

std::string xml(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '&')
            out += "&amp;";
        else if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '"')
            out += "&quot;";
        else if (static_cast<unsigned char>(c) >= 0x20 || c == '\t')
            out += c;
    }
    return out;
}

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);
    return text;
}

std::string at(const char* name, double value) { return std::string(" ") + name + "=\"" + number(value) + "\""; }

/// Cut to what fits a width, by the mean advance of the typeface.
std::string fitted(const std::string& text, double width, double advance) {
    std::size_t room = static_cast<std::size_t>(std::max(1.0, width / advance)), used = 0, end = 0;
    for (; end < text.size(); ++end) {
        const bool starts = (static_cast<unsigned char>(text[end]) & 0xc0) != 0x80;
        if (starts && used++ == room) break;
    }
    if (end == text.size()) return text;
    while (end > 0 && (static_cast<unsigned char>(text[end - 1]) & 0xc0) == 0x80) --end;
    return text.substr(0, end > 0 ? end - 1 : 0) + "…";
}

constexpr double kMargin = 24, kLegendHeight = 52;

class SvgWriter {
  public:
    SvgWriter(const GraphViewData& data, const ExportStyle& style)
        : data_(data), heat_(style.heat && !data.legend.title.empty()), colour_(style.dark) {}

    std::string run() {
        const double width = data_.width + 2 * kMargin,
                     height = data_.height + 2 * kMargin + (heat_ ? kLegendHeight : 0);
        out_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\"" +
               at("width", width) + at("height", height) + " viewBox=\"0 0 " + number(width) + " " + number(height) +
               "\" font-family=\"Inter, 'DejaVu Sans', sans-serif\" font-size=\"13\">\n";
        out_ += "<title>" + xml(data_.title) + "</title>\n";
        out_ += "<rect width=\"100%\" height=\"100%\" fill=\"" + colour_["ground"] + "\"/>\n";
        out_ += "<g transform=\"translate(" + number(kMargin) + " " + number(kMargin) + ")\">\n";
        for (const GraphFrame& frame : data_.frames) write(frame);
        for (const GraphEdge& edge : data_.edges) write(edge);
        for (const GraphNode& node : data_.nodes) write(node);
        out_ += "</g>\n";
        if (heat_) legend(height);
        return out_ + "</svg>\n";
    }

  private:
    void box(const layout::Rect& r, double radius, const std::string& fill, const std::string& stroke) {
        out_ += "<rect" + at("x", r.x) + at("y", r.y) + at("width", r.width) + at("height", r.height) +
                at("rx", radius) + " fill=\"" + fill + "\" stroke=\"" + stroke + "\"/>\n";
    }
    void text(double x, double y, const std::string& words, const std::string& fill, const std::string& more) {
        if (!words.empty())
            out_ +=
                "<text" + at("x", x) + at("y", y) + " fill=\"" + fill + "\"" + more + ">" + xml(words) + "</text>\n";
    }
    void write(const GraphFrame& frame) {
        const bool own = frame.backend.empty();
        box(frame.box, 8, colour_["panel"], colour_[own ? "hairline" : "violet"]);
        text(frame.box.x + 10, frame.box.y + 17, "⊟ " + fitted(frame.title, frame.box.width - 30, 6.6),
             colour_[own ? "dim" : "violet"], " font-size=\"12\"");
    }
    void write(const GraphEdge& edge) {
        if (edge.point_count < 4) return;
        const layout::Point* p = data_.points.data() + edge.first_point;
        out_ += "<path fill=\"none\" stroke=\"" + colour_["faint"] + "\" stroke-width=\"1.2\" d=\"M" + number(p[0].x) +
                " " + number(p[0].y);
        for (std::uint32_t k = 1; k < edge.point_count; ++k)
            out_ += (k % 3 == 1 ? " C" : " ") + number(p[k].x) + " " + number(p[k].y);
        out_ += "\"/>\n";
        const layout::Point tip = p[edge.point_count - 1], before = p[edge.point_count - 2];
        const double length = std::max(0.01, std::hypot(static_cast<double>(tip.x - before.x), tip.y - before.y));
        const double ax = (tip.x - before.x) / length * 7, ay = (tip.y - before.y) / length * 7;
        out_ += "<path fill=\"" + colour_["faint"] + "\" d=\"M" + number(tip.x) + " " + number(tip.y) + " L" +
                number(tip.x - ax - ay / 2) + " " + number(tip.y - ay + ax / 2) + " L" + number(tip.x - ax + ay / 2) +
                " " + number(tip.y - ay - ax / 2) + " Z\"/>\n";
    }
    void write(const GraphNode& node) {
        const layout::Rect& r = node.box;
        const bool pill = node.stub || node.kind == OperatorKind::Input || node.kind == OperatorKind::Output ||
                          node.kind == OperatorKind::Constant;
        out_ += "<g><title>" + xml(node.name + (node.value.empty() ? "" : "\n" + node.value)) + "</title>\n";
        if (node.members > 0) box({r.x + 3, r.y + 3, r.width, r.height}, 6, colour_["panel"], colour_["hairline"]);
        const bool hot = heat_ && node.heat >= 0;
        const std::string fill = pill    ? colour_["raised"]
                                 : hot   ? colour_.heat(node.heat)
                                 : heat_ ? colour_["grey_fill"]
                                         : colour_.kind_fill(node.kind);
        box(r, pill ? r.height / 2 : 6, fill, colour_["hairline"]);
        if (pill) {
            const std::string words = node.subtitle.empty() ? node.title : node.title + "  " + node.subtitle;
            text(r.x + r.width / 2, r.y + r.height / 2 + 4, fitted(words, r.width - 16, 6.4), colour_["dim"],
                 " font-size=\"12\" text-anchor=\"middle\"");
        } else {
            box({r.x + 0.5f, r.y + 0.5f, 4, r.height - 1}, 2, colour_.kind(node.kind), "none");
            text(r.x + 13, r.y + 19, fitted(node.title, r.width - 18, 7.0), colour_["text"], " font-weight=\"600\"");
            text(r.x + 13, r.y + 36, fitted(node.subtitle, r.width - 18, 6.4), colour_["dim"], " font-size=\"12\"");
        }
        out_ += "</g>\n";
    }
    void legend(double height) {
        const double y = height - kLegendHeight;
        out_ += "<defs><linearGradient id=\"heat\">";
        for (int i = 0; i <= 4; ++i)
            out_ += "<stop offset=\"" + number(i / 4.0) + "\" stop-color=\"" + colour_.heat(static_cast<float>(i) / 4) +
                    "\"/>";
        out_ += "</linearGradient></defs>\n";
        text(kMargin, y + 12, data_.legend.title + (data_.legend.total.empty() ? "" : " · " + data_.legend.total),
             colour_["dim"], " font-size=\"12\"");
        out_ += "<rect" + at("x", kMargin) + at("y", y + 20) +
                " width=\"160\" height=\"8\" rx=\"2\" fill=\"url(#heat)\" stroke=\"" + colour_["hairline"] + "\"/>\n";
        text(kMargin, y + 43, data_.legend.low, colour_["dim"], " font-size=\"11\"");
        text(kMargin + 160, y + 43, data_.legend.high, colour_["dim"], " font-size=\"11\" text-anchor=\"end\"");
    }

    const GraphViewData& data_;
    const bool heat_;
    const Palette colour_;
    std::string out_;
};

std::string dot_text(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c == '\n' ? std::string("\\n") : std::string(1, c);
    }
    return out + "\"";
}

} // namespace

std::string to_svg(const GraphViewData& data, const ExportStyle& style) { return SvgWriter(data, style).run(); }

std::string to_dot(const GraphViewData& data) {
    const Palette colour(false);
    std::string out = "digraph " + dot_text(data.title) + " {\n  node [shape=box, style=\"rounded,filled\", " +
                      "fontname=\"Inter\", fontsize=11];\n  edge [arrowsize=0.7];\n";
    const auto line = [&](std::size_t i, const std::string& indent) {
        const GraphNode& node = data.nodes[i];
        out += indent + "n" + std::to_string(i) +
               " [label=" + dot_text(node.subtitle.empty() ? node.title : node.title + "\n" + node.subtitle) +
               ", tooltip=" + dot_text(node.name) + ", fillcolor=\"" + colour.kind_fill(node.kind) + "\"];\n";
    };
    std::vector<bool> written(data.nodes.size(), false);
    for (std::size_t f = 0; f < data.frames.size(); ++f) {
        out += "  subgraph cluster_" + std::to_string(f) + " {\n    label=" + dot_text(data.frames[f].title) + ";\n";
        for (std::size_t i = 0; i < data.nodes.size(); ++i) {
            const layout::Rect& r = data.nodes[i].box;
            if (written[i] || !data.frames[f].box.contains({r.x + r.width / 2, r.y + r.height / 2})) continue;
            line(i, "    ");
            written[i] = true;
        }
        out += "  }\n";
    }
    for (std::size_t i = 0; i < data.nodes.size(); ++i)
        if (!written[i]) line(i, "  ");
    for (const GraphEdge& edge : data.edges)
        out += "  n" + std::to_string(edge.from) + " -> n" + std::to_string(edge.to) + ";\n";
    return out + "}\n";
}

std::string to_csv(const Table& table) {
    const auto cell = [](const std::string& text) {
        if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
        std::string quoted = "\"";
        for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
        return quoted + "\"";
    };
    std::string out;
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
        const TableColumn& column = table.columns[c];
        out += (c ? "," : "") + cell(column.unit.empty() ? column.title : column.title + " (" + column.unit + ")");
    }
    out += "\r\n";
    for (const TableRow& row : table.rows) {
        for (std::size_t c = 0; c < row.cells.size(); ++c) {
            const bool as_number = c < table.columns.size() && !table.columns[c].unit.empty();
            const TableCell& value = row.cells[c];
            out += (c ? "," : "") +
                   cell(as_number ? value.text.empty() ? std::string() : number(value.sort_key) : value.text);
        }
        out += "\r\n";
    }
    return out;
}

} // namespace orrery::views
