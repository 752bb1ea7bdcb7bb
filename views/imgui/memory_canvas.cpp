#include "views/imgui/memory_canvas.hpp"

#include <imgui.h>

#include <algorithm>
#include <cmath>

namespace orrery::imgui {
namespace {

constexpr float kLeft = 74, kRight = 16, kTop = 14, kBottom = 26; // room for the axes
constexpr double kFewestSteps = 3;

std::size_t colour_of(views::OperatorKind kind) {
    using K = views::OperatorKind;
    switch (kind) {
    case K::Convolution:
    case K::MatMul:
    case K::Group: return 0;
    case K::Pool:
    case K::Reduction: return 1;
    case K::Normalization:
    case K::Recurrent: return 2;
    case K::Activation:
    case K::Elementwise: return 3;
    case K::Input:
    case K::Output:
    case K::Constant:
    case K::Shape:
    case K::Other: return 4;
    }
    return 4;
}

struct Axes {
    double first, shown, bytes;
    float left, top, right, bottom;
    [[nodiscard]] float x(double step) const {
        return left + static_cast<float>((step - first) / shown * (right - left));
    }
    [[nodiscard]] float y(double offset) const { return bottom - static_cast<float>(offset / bytes * (bottom - top)); }
    [[nodiscard]] double step_at(float px) const { return first + (px - left) / (right - left) * shown; }
};

Axes axes_of(const views::MemoryViewData& data, const MemoryUiState& state, const Input& input) {
    const double steps = std::max<double>(1, static_cast<double>(data.step_names.size()));
    const double shown = state.steps_shown <= 0 ? steps : std::min(steps, state.steps_shown);
    return {std::clamp(state.first_step, 0.0, steps - shown),
            shown,
            std::max<double>(1, static_cast<double>(data.arena_bytes)),
            kLeft,
            kTop,
            std::max(kLeft + 10, input.width - kRight),
            std::max(kTop + 10, input.height - kBottom)};
}

ImVec2 at(float x, float y) { return {x, y}; }

/// A round number of bytes about `wanted` apart.
double tick_bytes(double wanted) {
    double tick = 1;
    while (tick < wanted) tick *= 2;
    return tick;
}

void draw_axes(const views::MemoryViewData& data, const MemoryUiState& state, const Axes& a) {
    ImDrawList* list = ImGui::GetWindowDrawList();
    const double tick = tick_bytes(a.bytes / 5);
    for (double b = 0; b <= a.bytes; b += tick) {
        const float y = a.y(b);
        list->AddLine(at(a.left, y), at(a.right, y), state.style.hairline);
        const std::string label = views::bytes_text(static_cast<std::uint64_t>(b));
        const float width = ImGui::CalcTextSize(label.c_str()).x;
        list->AddText(at(a.left - width - 8, y - 7), state.style.dim, label.c_str());
    }
    const int every = std::max(1, static_cast<int>(std::ceil(a.shown / std::max(1.f, (a.right - a.left) / 150))));
    for (int s = static_cast<int>(std::floor(a.first)) / every * every; s < a.first + a.shown; s += every) {
        if (s < 0 || s >= static_cast<int>(data.step_names.size())) continue;
        const float x = a.x(s);
        if (x < a.left - 1) continue;
        list->AddLine(at(x, a.bottom), at(x, a.bottom + 4), state.style.faint);
        const std::string label = std::to_string(s + 1) + " " + data.step_names[static_cast<std::size_t>(s)];
        const float room = std::min(a.x(s + every), a.right) - x - 8;
        list->PushClipRect(at(x, a.bottom), at(x + std::max(0.f, room), a.bottom + kBottom), true);
        list->AddText(at(x + 3, a.bottom + 6), state.style.dim, label.c_str());
        list->PopClipRect();
    }
}

/// The live bytes as a stair, and the least any plan could take.
void draw_bound(const views::MemoryViewData& data, const MemoryUiState& state, const Axes& a) {
    ImDrawList* list = ImGui::GetWindowDrawList();
    float before = -1;
    for (std::size_t s = 0; s < data.live_bytes.size(); ++s) {
        const float left = a.x(static_cast<double>(s)), right = a.x(static_cast<double>(s) + 1);
        const float y = a.y(static_cast<double>(data.live_bytes[s]));
        if (right >= a.left && left <= a.right) {
            if (before >= 0 && left > a.left) list->AddLine(at(left, before), at(left, y), state.style.dim);
            list->AddLine(at(std::max(left, a.left), y), at(std::min(right, a.right), y), state.style.dim);
        }
        before = y;
    }
    if (data.bound_bytes == 0) return;
    const float y = a.y(static_cast<double>(data.bound_bytes));
    const char* const label = "least possible";
    list->AddText(at(a.right - ImGui::CalcTextSize(label).x, y - 15), state.style.dim, label);
    for (float x = a.left; x < a.right; x += 10)
        list->AddLine(at(x, y), at(std::min(x + 5, a.right), y), state.style.accent);
}

void draw_boxes(const views::MemoryViewData& data, const MemoryUiState& state, const Input& input) {
    ImDrawList* list = ImGui::GetWindowDrawList();
    for (int i = 0; i < static_cast<int>(data.boxes.size()); ++i) {
        const CanvasRect r = memory_box_rect(data, state, input, i);
        if (r.empty()) continue;
        const views::MemoryBox& box = data.boxes[static_cast<std::size_t>(i)];
        const std::size_t kind = colour_of(box.kind);
        const bool selected = i == state.selected;
        list->AddRectFilled(at(r.left, r.top), at(r.right, r.bottom),
                            selected ? state.style.accent_fill : state.style.kind_fills[kind], 2);
        const Colour edge = selected             ? state.style.accent
                            : i == state.hovered ? state.style.text
                                                 : state.style.kinds[kind];
        if (r.right - r.left > 3 && r.bottom - r.top > 3)
            list->AddRect(at(r.left, r.top), at(r.right, r.bottom), edge, 2, 0, selected ? 2.f : 1.f);
        else
            list->AddRectFilled(at(r.left, r.top), at(r.right, r.bottom), edge);
        if (r.bottom - r.top < 15 || r.right - r.left < 40) continue;
        list->PushClipRect(at(r.left + 2, r.top), at(r.right - 3, r.bottom), true);
        list->AddText(at(r.left + 6, r.top + 2), state.style.text, box.name.c_str());
        if (r.bottom - r.top > 32)
            list->AddText(at(r.left + 6, r.top + 17), state.style.dim, views::bytes_text(box.bytes).c_str());
        list->PopClipRect();
    }
}

void tooltip(const views::MemoryViewData& data, const views::MemoryBox& box, const Style& style) {
    ImGui::PushStyleColor(ImGuiCol_PopupBg, style.raised);
    ImGui::PushStyleColor(ImGuiCol_Border, style.hairline);
    ImGui::PushStyleColor(ImGuiCol_Text, style.text);
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(8, 6));
    ImGui::BeginTooltip();
    ImGui::TextUnformatted(box.name.c_str());
    ImGui::TextUnformatted((box.workspace ? std::string("workspace of one step") : box.type).c_str());
    ImGui::TextUnformatted((views::bytes_text(box.bytes) + " at " + views::bytes_text(box.offset)).c_str());
    const auto name = [&](int s) {
        return s >= 0 && s < static_cast<int>(data.step_names.size()) ? data.step_names[static_cast<std::size_t>(s)]
                                                                      : std::string("-");
    };
    ImGui::TextUnformatted(("from " + name(box.first_step) + " to " + name(box.last_step)).c_str());
    for (const std::string& note : views::place_notes(box)) ImGui::TextUnformatted(note.c_str());
    ImGui::EndTooltip();
    ImGui::PopStyleVar();
    ImGui::PopStyleColor(3);
}

int box_at(const views::MemoryViewData& data, const MemoryUiState& state, const Input& input, float x, float y) {
    int hit = -1;
    for (int i = 0; i < static_cast<int>(data.boxes.size()); ++i) {
        const CanvasRect r = memory_box_rect(data, state, input, i);
        if (!r.empty() && x >= r.left && x < r.right && y >= r.top && y < r.bottom) hit = i;
    }
    return hit;
}

void select(const views::MemoryViewData& data, MemoryUiState& state, int box, const views::CommandSink& sink) {
    state.selected = box;
    if (sink) sink(views::Select{{box < 0 ? OriginSet() : data.boxes[static_cast<std::size_t>(box)].origins, {}, {}}});
}

void answer(const views::MemoryViewData& data, MemoryUiState& state, const Input& input,
            const views::CommandSink& sink) {
    const ImGuiIO& io = ImGui::GetIO();
    const Axes a = axes_of(data, state, input);
    const bool over = ImGui::IsWindowHovered();
    state.hovered = over ? box_at(data, state, input, input.mouse_x, input.mouse_y) : -1;
    if (over && input.wheel != 0) {
        const double steps = static_cast<double>(data.step_names.size());
        const double pivot = a.step_at(input.mouse_x);
        const double shown = std::clamp(a.shown * std::pow(0.85, input.wheel), std::min(kFewestSteps, steps), steps);
        state.first_step = std::clamp(pivot - (pivot - a.first) * shown / a.shown, 0.0, steps - shown);
        state.steps_shown = shown;
    }
    if (over && ImGui::IsMouseClicked(0)) state.dragging = true, state.moved = false;
    if (state.dragging && io.MouseDown[0] && std::abs(io.MouseDelta.x) > 0) {
        state.first_step = a.first - io.MouseDelta.x / (a.right - a.left) * a.shown;
        state.moved = state.moved || std::abs(ImGui::GetMouseDragDelta(0, 0).x) > 4;
    }
    if (state.dragging && !io.MouseDown[0]) {
        state.dragging = false;
        if (!state.moved) select(data, state, state.hovered, sink);
    }
    if (over && ImGui::IsMouseDoubleClicked(0)) state.first_step = 0, state.steps_shown = 0;
    if (input.step != 0 && !data.boxes.empty()) {
        const int count = static_cast<int>(data.boxes.size());
        select(data, state, std::clamp(state.selected + input.step, 0, count - 1), sink);
    }
}

} // namespace

CanvasRect memory_box_rect(const views::MemoryViewData& data, const MemoryUiState& state, const Input& input, int box) {
    const Axes a = axes_of(data, state, input);
    const views::MemoryBox& b = data.boxes[static_cast<std::size_t>(box)];
    CanvasRect r{a.x(b.first_step), a.y(static_cast<double>(b.offset + b.bytes)), a.x(b.last_step + 1),
                 a.y(static_cast<double>(b.offset))};
    if (r.right <= a.left || r.left >= a.right) return {};
    r.left = std::max(r.left, a.left), r.right = std::min(r.right, a.right);
    r.right = std::max(r.right - 1, r.left + 1), r.bottom = std::max(r.bottom - 1, r.top + 1);
    return r;
}

void draw(const views::MemoryViewData& data, MemoryUiState& state, const Input& input, const views::CommandSink& sink) {
    ImDrawList* list = ImGui::GetWindowDrawList();
    if (data.boxes.empty()) {
        const ImVec2 size = ImGui::CalcTextSize(data.empty_reason.c_str());
        list->AddText(at((input.width - size.x) / 2, (input.height - size.y) / 2), state.style.dim,
                      data.empty_reason.c_str());
        return;
    }
    answer(data, state, input, sink);
    const Axes a = axes_of(data, state, input);
    draw_axes(data, state, a);
    draw_boxes(data, state, input);
    draw_bound(data, state, a);
    if (state.hovered >= 0 && !state.dragging)
        tooltip(data, data.boxes[static_cast<std::size_t>(state.hovered)], state.style);
}

} // namespace orrery::imgui
