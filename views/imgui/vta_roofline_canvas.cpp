#include "views/imgui/vta_roofline_canvas.hpp"

#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace orrery::imgui {
namespace {

constexpr float kLeft = 54, kRight = 18, kTop = 26, kBottom = 40;

ImVec2 at(float x, float y) { return {x, y}; }
void text(ImDrawList* list, float x, float y, Colour colour, const std::string& words) {
    list->AddText(at(std::floor(x), std::floor(y)), colour, words.c_str());
}
float text_width(const std::string& words) { return ImGui::CalcTextSize(words.c_str()).x; }

std::string number(double value) {
    char words[32];
    std::snprintf(words, sizeof words, value >= 100 ? "%.0f" : value >= 1 ? "%.3g" : "%.2g", value);
    return words;
}

struct Axes {
    float left, top, right, bottom;
    double x0, x1, y0, y1; ///< log2
    [[nodiscard]] float x(double value) const {
        return left + static_cast<float>((std::log2(std::max(value, 1e-9)) - x0) / (x1 - x0)) * (right - left);
    }
    [[nodiscard]] float y(double value) const {
        return bottom - static_cast<float>((std::log2(std::max(value, 1e-9)) - y0) / (y1 - y0)) * (bottom - top);
    }
};

/// Room for the ridge and every point, in whole octaves.
Axes axes_of(const views::VtaRoofline& a, const views::VtaRoofline* b, const Input& input) {
    double low_x = a.ridge / 4, high_x = a.ridge * 4, low_y = a.peak_gops / 8, high_y = a.peak_gops * 1.3;
    const auto widen = [&](const views::VtaRoofline& r) {
        low_x = std::min(low_x, r.ridge / 2), high_x = std::max(high_x, r.ridge * 2);
        high_y = std::max(high_y, r.peak_gops * 1.3);
        for (const views::VtaRooflinePoint& p : r.points) {
            if (p.ops_per_byte <= 0 || p.gops <= 0) continue;
            low_x = std::min(low_x, p.ops_per_byte / 1.5), high_x = std::max(high_x, p.ops_per_byte * 1.5);
            low_y = std::min(low_y, p.gops / 1.5);
        }
    };
    widen(a);
    if (b != nullptr) widen(*b);
    return {kLeft,
            kTop,
            std::max(kLeft + 40, input.width - kRight),
            std::max(kTop + 40, input.height - kBottom),
            std::floor(std::log2(std::max(low_x, 1e-6))),
            std::ceil(std::log2(std::max(high_x, 1e-6))),
            std::floor(std::log2(std::max(low_y, 1e-6))),
            std::ceil(std::log2(std::max(high_y, 1e-6)))};
}

void draw_grid(const Axes& a, const Style& style) {
    ImDrawList* list = ImGui::GetWindowDrawList();
    const int every_x = std::max(1, static_cast<int>(std::ceil((a.x1 - a.x0) * 44 / (a.right - a.left))));
    const int every_y = std::max(1, static_cast<int>(std::ceil((a.y1 - a.y0) * 26 / (a.bottom - a.top))));
    for (double e = a.x0; e <= a.x1; e += every_x) {
        const float x = a.x(std::exp2(e));
        list->AddLine(at(x, a.top), at(x, a.bottom), faded(style.hairline, 130));
        const std::string label = number(std::exp2(e));
        text(list, x - text_width(label) / 2, a.bottom + 5, style.dim, label);
    }
    for (double e = a.y0; e <= a.y1; e += every_y) {
        const float y = a.y(std::exp2(e));
        list->AddLine(at(a.left, y), at(a.right, y), faded(style.hairline, 130));
        const std::string label = number(std::exp2(e));
        text(list, a.left - text_width(label) - 6, y - 7, style.dim, label);
    }
    text(list, 8, 6, style.dim, "GOPS");
    const std::string x_title = "operations per DRAM byte";
    text(list, a.right - text_width(x_title), a.bottom + 21, style.dim, x_title);
}

void draw_roof(const views::VtaRoofline& r, const Axes& a, Colour colour, bool labels, const Style& style) {
    ImDrawList* list = ImGui::GetWindowDrawList();
    list->PushClipRect(at(a.left, a.top - 2), at(a.right, a.bottom), true);
    const double low = std::exp2(a.x0);
    list->AddLine(at(a.x(low), a.y(low * r.bandwidth_gbytes)), at(a.x(r.ridge), a.y(r.peak_gops)), colour, 2);
    list->AddLine(at(a.x(r.ridge), a.y(r.peak_gops)), at(a.right, a.y(r.peak_gops)), colour, 2);
    list->PopClipRect();
    if (!labels) return;
    const float x = a.x(r.ridge);
    for (float y = a.y(r.peak_gops); y < a.bottom; y += 6)
        list->AddLine(at(x, y), at(x, std::min(y + 3, a.bottom)), style.faint);
    const std::string peak = "peak " + number(r.peak_gops) + " GOPS";
    text(list, a.right - text_width(peak), a.y(r.peak_gops) - 17, style.dim, peak);
    const std::string ridge = "ridge " + number(r.ridge);
    text(list, x - text_width(ridge) - 6 < a.left ? x + 6 : x - text_width(ridge) - 6, a.bottom - 18, style.dim, ridge);
}

VtaRooflinePlace place(const Axes& a, const views::VtaRooflinePoint& p) {
    if (p.ops_per_byte <= 0 || p.gops <= 0) return {};
    return {a.x(p.ops_per_byte), a.y(p.gops),
            p.whole ? 6.f : 3.f + 5.f * static_cast<float>(std::sqrt(std::min(1.0, p.share)))};
}

struct Label {
    std::string words;
    Colour colour;
    bool above; ///< rather above to the left of the place than below to the right
};
/// Where a label hides the fewest points: of the four corners around the run's place, the wished one first.
ImVec2 label_corner(const Axes& a, const views::VtaRoofline& r, bool above, float width) {
    const VtaRooflinePlace where = place(a, r.points[0]);
    ImVec2 best = at(where.x + 12, where.y + 3);
    std::size_t fewest = r.points.size() + 1;
    for (int corner = 0; corner < 4; ++corner) {
        const bool left = ((corner & 1) != 0) != above, high = (corner < 2) == above;
        const ImVec2 p = at(left ? where.x - 12 - width : where.x + 12, where.y + (high ? -17.f : 3.f));
        if (p.x < a.left || p.x + width > a.right || p.y < a.top - 12) continue;
        std::size_t hidden = 0;
        for (std::size_t i = 1; i < r.points.size(); ++i) {
            const VtaRooflinePlace other = place(a, r.points[i]);
            hidden += other.radius > 0 && other.x > p.x - other.radius && other.x < p.x + width + other.radius &&
                              other.y > p.y - other.radius && other.y < p.y + 14 + other.radius
                          ? 1
                          : 0;
        }
        if (hidden < fewest) fewest = hidden, best = p;
    }
    return best;
}

/// A run as a ring with its label.
void draw_whole(const Axes& a, const views::VtaRoofline& r, const Label& label, Colour ground) {
    const VtaRooflinePlace where = place(a, r.points[0]);
    if (where.radius == 0) return;
    ImDrawList* list = ImGui::GetWindowDrawList();
    list->AddCircle(at(where.x, where.y), where.radius, label.colour, 24, 2);
    list->AddCircleFilled(at(where.x, where.y), 2.5f, label.colour);
    const float width = text_width(label.words);
    const ImVec2 p = label_corner(a, r, label.above, width);
    list->AddRectFilled(at(p.x - 2, p.y), at(p.x + width + 2, p.y + 14), faded(ground, 200));
    text(list, p.x, p.y, label.colour, label.words);
}

void tooltip(const views::VtaRooflinePoint& p, const views::VtaRoofline& r, const Style& style) {
    const double roof = std::min(r.peak_gops, p.ops_per_byte * r.bandwidth_gbytes);
    const std::string words = p.name + "\n" + number(p.gops) + " GOPS at " + number(p.ops_per_byte) + " op/byte\n" +
                              number(roof > 0 ? 100 * p.gops / roof : 0) + " % of the roof there; " +
                              (p.ops_per_byte < r.ridge ? "left of the ridge: more reuse of loaded data would help"
                                                        : "right of the ridge: only a busier GEMM unit helps");
    ImGui::PushStyleColor(ImGuiCol_PopupBg, style.raised);
    ImGui::PushStyleColor(ImGuiCol_Border, style.hairline);
    ImGui::PushStyleColor(ImGuiCol_Text, style.text);
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(8, 6));
    ImGui::BeginTooltip();
    ImGui::PushTextWrapPos(280);
    ImGui::TextUnformatted(words.c_str());
    ImGui::PopTextWrapPos();
    ImGui::EndTooltip();
    ImGui::PopStyleVar();
    ImGui::PopStyleColor(3);
}

} // namespace

VtaRooflinePlace vta_roofline_place(const views::VtaRoofline& a, const views::VtaRoofline* b, const Input& input,
                                    std::size_t point) {
    return place(axes_of(a, b, input), a.points[point]);
}

void draw(const views::VtaRoofline& a, const views::VtaRoofline* b, VtaRooflineUiState& state, const Input& input,
          const views::VtaSink& sink) {
    ImDrawList* list = ImGui::GetWindowDrawList();
    if (a.points.empty() || a.peak_gops <= 0) {
        text(list, 16, 16, state.style.dim, "The roofline appears with a program.");
        return;
    }
    const Axes axes = axes_of(a, b, input);
    draw_grid(axes, state.style);
    if (b != nullptr) draw_roof(*b, axes, state.style.faint, false, state.style);
    draw_roof(a, axes, state.style.text, true, state.style);
    state.hovered = -1;
    const bool over = ImGui::IsWindowHovered();
    for (std::size_t i = 1; i < a.points.size(); ++i) {
        const VtaRooflinePlace where = place(axes, a.points[i]);
        if (where.radius == 0 || a.points.size() == 2) continue; // the only origin is the whole
        const bool chosen = static_cast<int>(i) - 1 == state.selected;
        list->AddCircleFilled(at(where.x, where.y), where.radius, faded(state.style.kinds[0], 170), 20);
        if (chosen) list->AddCircle(at(where.x, where.y), where.radius + 2, state.style.accent, 20, 2);
        if (over && std::hypot(input.mouse_x - where.x, input.mouse_y - where.y) < where.radius + 4)
            state.hovered = static_cast<int>(i);
    }
    const Colour ground = state.style.ground;
    if (b != nullptr && !b->points.empty())
        draw_whole(axes, *b, {"B " + number(b->points[0].gops), state.style.dim, true}, ground);
    const std::string gops = (b != nullptr ? "A " : "") + number(a.points[0].gops) + " GOPS";
    draw_whole(axes, a, {gops, state.style.accent, false}, ground);
    const VtaRooflinePlace whole = place(axes, a.points[0]);
    if (over && state.hovered < 0 && std::hypot(input.mouse_x - whole.x, input.mouse_y - whole.y) < 10)
        state.hovered = 0;
    if (state.hovered > 0 && ImGui::IsMouseClicked(0)) {
        state.selected = state.hovered - 1;
        if (sink) sink(views::VtaSelectOrigin{static_cast<std::uint32_t>(state.selected)});
    }
    if (state.hovered >= 0) tooltip(a.points[static_cast<std::size_t>(state.hovered)], a, state.style);
}

} // namespace orrery::imgui
