#include "views/imgui/tune_canvas.hpp"

#include "views/model/measure_view.hpp"

#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

// Outline: places; words; plots; knobs; budget; the mouse.

namespace orrery::imgui {
namespace {

constexpr float kGap = 18, kMargin = 12, kTitle = 22;
constexpr float kAxisLeft = 52, kAxisBottom = 34, kAxisRight = 10;
constexpr float kRow = 22, kLabel = 128, kNarrow = 560;

ImVec2 at(float x, float y) { return {x, y}; }
ImDrawList* canvas() { return ImGui::GetWindowDrawList(); }
float text_width(const std::string& words) { return ImGui::CalcTextSize(words.c_str()).x; }
void text(float x, float y, Colour colour, const std::string& words) {
    canvas()->AddText(at(std::floor(x), std::floor(y)), colour, words.c_str());
}

/// Cut to the room there is.
std::string fitting(std::string words, float room) {
    if (text_width(words) <= room) return words;
    while (!words.empty() && text_width(words + "…") > room) {
        while (!words.empty() && (words.back() & 0xc0) == 0x80) words.pop_back();
        if (!words.empty()) words.pop_back();
    }
    return words.empty() ? words : words + "…";
}

std::string number(double value) {
    char words[32];
    std::snprintf(words, sizeof words, value != 0 && std::abs(value) < 1e-3 ? "%.0e" : "%.3g", value);
    return words;
}

TuneRect inside(const TuneRect& part) {
    return {part.left + kAxisLeft, part.top + kTitle, std::max(part.left + kAxisLeft + 10, part.right - kAxisRight),
            std::max(part.top + kTitle + 10, part.bottom - kAxisBottom)};
}

double share_of(double value, double low, double high, bool log) {
    return log ? std::log(std::max(value, 1e-12) / low) / std::log(high / low) : (value - low) / (high - low);
}

void title(const TuneRect& part, const Style& style, const std::string& words, const std::string& note) {
    text(part.left, part.top + 2, style.text, words);
    if (!note.empty()) text(part.right - text_width(note), part.top + 2, style.dim, note);
}

/// Values at which an axis is marked.
std::vector<double> marks_of(double low, double high, bool log, int most) {
    std::vector<double> out;
    if (log) {
        const int first = static_cast<int>(std::floor(std::log10(low))),
                  last = static_cast<int>(std::ceil(std::log10(high)));
        const double decades = std::log10(high / low);
        for (int power = first; power <= last; ++power)
            for (const double part : {1.0, 2.0, 5.0})
                if (const double v = part * std::pow(10.0, power);
                    v >= low && v <= high && (part == 1.0 || decades < most / 3.0))
                    out.push_back(v);
        if (out.size() >= 2) return out; // else there are too few between whole steps
        out.clear();
    }
    const double rough = (high - low) / std::max(1, most), power = std::pow(10.0, std::floor(std::log10(rough)));
    const double step = rough / power <= 1   ? power
                        : rough / power <= 2 ? 2 * power
                        : rough / power <= 5 ? 5 * power
                                             : 10 * power;
    for (double v = std::ceil(low / step) * step; v <= high; v += step) out.push_back(v);
    return out;
}

Colour colour_of(views::DotKind kind, const Style& style) {
    switch (kind) {
    case views::DotKind::Searched: return style.kinds[2];
    case views::DotKind::Baseline: return style.kinds[0];
    case views::DotKind::Seed: return style.kinds[3];
    case views::DotKind::Other: return style.faint;
    }
    return style.faint;
}

// -------------------------------------------------------------------------------------------- plots

void draw_axes(const views::Plot& plot, const TuneRect& part, const Style& style) {
    const TuneRect box = inside(part);
    ImDrawList* list = canvas();
    for (const double v : marks_of(plot.low_x, plot.high_x, plot.log_x, static_cast<int>(box.width() / 64))) {
        const float x = tune_place(plot, part, v, plot.low_y).x;
        list->AddLine(at(x, box.top), at(x, box.bottom), faded(style.hairline, 130));
        text(std::min(x - text_width(number(v)) / 2, box.right - text_width(number(v))), box.bottom + 4, style.dim,
             number(v));
    }
    for (const double v : marks_of(plot.low_y, plot.high_y, plot.log_y, static_cast<int>(box.height() / 24))) {
        const float y = tune_place(plot, part, plot.low_x, v).y;
        list->AddLine(at(box.left, y), at(box.right, y), faded(style.hairline, 130));
        text(box.left - text_width(number(v)) - 6, y - 7, style.dim, number(v));
    }
    list->AddRect(at(box.left, box.top), at(box.right, box.bottom), style.hairline);
    text(box.right - text_width(plot.x_title), box.bottom + 18, style.dim, plot.x_title);
    text(part.left, box.bottom + 18, style.dim, plot.y_title);
}

void draw_lines(const views::Plot& plot, const TuneRect& part, const Style& style) {
    ImDrawList* list = canvas();
    for (const views::PlotLine& line : plot.lines) {
        const Colour colour = line.chosen ? style.accent : faded(style.dim, 150);
        for (std::size_t i = 1; i < line.dots.size(); ++i) {
            const TunePlace a = tune_place(plot, part, line.dots[i - 1].x, line.dots[i - 1].y);
            const TunePlace b = tune_place(plot, part, line.dots[i].x, line.dots[i].y);
            list->AddLine(at(a.x, a.y), at(b.x, a.y), colour, line.chosen ? 2.f : 1.f);
            list->AddLine(at(b.x, a.y), at(b.x, b.y), colour, line.chosen ? 2.f : 1.f);
        }
    }
}

/// The trial under the mouse; 0 for none.
int draw_dots(const views::TuneViewData& data, const views::Plot& plot, const TuneRect& part, const Style& style,
              const Input& input) {
    ImDrawList* list = canvas();
    int hovered = 0;
    float nearest = 9; // Units: pixels
    for (const views::PlotDot& dot : plot.dots) {
        const TunePlace p = tune_place(plot, part, dot.x, dot.y);
        const bool other = dot.kind == views::DotKind::Other;
        list->AddCircleFilled(at(p.x, p.y), other ? 2.f : 3.f, faded(colour_of(dot.kind, style), other ? 150 : 220),
                              12);
        if (dot.trial == data.chosen) list->AddCircle(at(p.x, p.y), 6, style.accent, 16, 2);
        if (dot.trial == data.beside) list->AddCircle(at(p.x, p.y), 6, style.text, 16, 1);
        if (const float d = std::hypot(input.mouse_x - p.x, input.mouse_y - p.y); d < nearest)
            nearest = d, hovered = dot.trial;
    }
    return hovered;
}

int draw_plot(const views::TuneViewData& data, const views::Plot& plot, const TuneRect& part, const Style& style,
              const Input& input) {
    title(part, style, plot.title, plot.note);
    const TuneRect box = inside(part);
    if (plot.empty()) {
        ImGui::GetWindowDrawList()->AddRect(at(part.left, box.top), at(part.right, part.bottom), style.hairline);
        canvas()->AddText(ImGui::GetFont(), ImGui::GetFontSize(), at(part.left + 12, box.top + 12), style.dim,
                          plot.empty_reason.c_str(), nullptr, std::max(60.f, part.width() - 24));
        return 0;
    }
    draw_axes(plot, part, style);
    canvas()->PushClipRect(at(box.left - 4, box.top - 4), at(box.right + 4, box.bottom + 4), true);
    if (plot.diagonal) canvas()->AddLine(at(box.left, box.bottom), at(box.right, box.top), style.faint);
    draw_lines(plot, part, style);
    const int hovered = draw_dots(data, plot, part, style, input);
    canvas()->PopClipRect();
    return hovered;
}

// --------------------------------------------------------------------------------- knobs and budget

void draw_cell(const views::KnobCell& cell, const TuneRect& box, const Style& style) {
    ImDrawList* list = canvas();
    const Colour fill = cell.heat < 0 ? style.panel : mix(style.raised, style.kinds[1], 0.15f + 0.7f * cell.heat);
    list->AddRectFilled(at(box.left, box.top), at(box.right, box.bottom), fill, 2);
    if (cell.pinned || cell.best)
        list->AddRect(at(box.left, box.top), at(box.right, box.bottom), cell.pinned ? style.warning : style.text, 2, 0,
                      cell.pinned ? 2.f : 1.f);
    const std::string words = std::to_string(cell.value);
    if (const float width = text_width(words); width < box.width() - 2)
        text((box.left + box.right - width) / 2, (box.top + box.bottom) / 2 - 7, cell.heat < 0 ? style.dim : style.text,
             words);
}

void draw_heat(const views::TuneViewData& data, const TuneUiState& state, const TuneLayout& layout) {
    const TuneRect& part = layout.heat;
    title(part, state.style, "Values of knobs", data.heat.empty() ? "" : "brighter is faster · double-click pins");
    canvas()->PushClipRect(at(part.left, part.top + kTitle), at(part.right, part.bottom), true);
    for (int line = 0; line < static_cast<int>(data.heat.size()); ++line) {
        const views::KnobLine& knob = data.heat[static_cast<std::size_t>(line)];
        bool named = false;
        for (int cell = 0; cell < static_cast<int>(knob.cells.size()); ++cell) {
            const TuneRect box = tune_cell(data, state, layout, line, cell);
            if (box.width() <= 0) continue;
            if (!std::exchange(named, true))
                text(part.left, box.top + 3, state.style.dim, fitting(knob.name, kLabel - 8));
            draw_cell(knob.cells[static_cast<std::size_t>(cell)], box, state.style);
        }
    }
    if (data.heat.empty())
        canvas()->AddText(ImGui::GetFont(), ImGui::GetFontSize(), at(part.left + 12, part.top + kTitle + 12),
                          state.style.dim, data.knobs.empty_reason.c_str(), nullptr, std::max(60.f, part.width() - 24));
    canvas()->PopClipRect();
}

void draw_budget(const views::TuneViewData& data, const TuneUiState& state, const TuneLayout& layout) {
    const TuneRect& part = layout.budget;
    const Style& style = state.style;
    title(part, style, "Trials of each kernel", "");
    canvas()->PushClipRect(at(part.left, part.top + kTitle), at(part.right, part.bottom), true);
    int most = 1;
    for (const views::BudgetBar& bar : data.budget) most = std::max(most, bar.trials);
    for (int i = 0; i < static_cast<int>(data.budget.size()); ++i) {
        const views::BudgetBar& bar = data.budget[static_cast<std::size_t>(i)];
        const TuneRect box = tune_bar(state, layout, i);
        text(part.left, box.top + 2, bar.chosen ? style.accent : style.dim, fitting(bar.name, kLabel + 40 - 8));
        const float whole = (box.width() - 130) * static_cast<float>(bar.trials) / static_cast<float>(most);
        const float failed =
            bar.trials > 0 ? whole * static_cast<float>(bar.failed) / static_cast<float>(bar.trials) : 0;
        const float middle = (box.top + box.bottom) / 2;
        const auto fill = [&](float from, float to, Colour colour) {
            if (to > from)
                canvas()->AddRectFilled(at(box.left + from, middle - 5), at(box.left + to, middle + 5), colour, 1);
        };
        fill(0, whole, bar.chosen ? style.accent : style.kinds[0]);
        fill(whole - failed, whole, style.bad);
        std::string words = std::to_string(bar.trials);
        if (bar.gain_ms > 0) words += ", " + views::duration_text(bar.gain_ms) + " to gain";
        text(box.left + std::max(0.f, whole) + 6, middle - 7, style.dim, words);
    }
    canvas()->PopClipRect();
}

// ---------------------------------------------------------------------------------------- the mouse

void tooltip(const std::string& words, const Style& style) {
    ImGui::PushStyleColor(ImGuiCol_PopupBg, style.raised);
    ImGui::PushStyleColor(ImGuiCol_Border, style.hairline);
    ImGui::PushStyleColor(ImGuiCol_Text, style.text);
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(8, 6));
    ImGui::BeginTooltip();
    ImGui::PushTextWrapPos(320);
    ImGui::TextUnformatted(words.c_str());
    ImGui::PopTextWrapPos();
    ImGui::EndTooltip();
    ImGui::PopStyleVar();
    ImGui::PopStyleColor(3);
}

void scroll(float& by, const TuneRect& part, std::size_t rows, const Input& input) {
    if (!part.contains(input.mouse_x, input.mouse_y)) return;
    const float most = std::max(0.f, static_cast<float>(rows) * kRow + kTitle - part.height());
    by = std::clamp(by - input.wheel * 2 * kRow, 0.f, most);
}

std::string trial_words(const views::TuneViewData& data, int trial) {
    for (std::size_t row = 0; row < data.numbers.size(); ++row)
        if (data.numbers[row] == trial) {
            const views::TableRow& r = data.trials.rows[row];
            return "trial " + r.cells[0].text + " · " + r.cells[1].text + " · " + r.cells[5].text + "\n" +
                   r.cells.back().text;
        }
    return "trial " + std::to_string(trial) + ", of another kernel";
}

void answer_knobs(const views::TuneViewData& data, const TuneUiState& state, const TuneLayout& layout,
                  const Input& input, const views::CommandSink& sink) {
    using What = views::Tune::What;
    for (int line = 0; line < static_cast<int>(data.heat.size()); ++line) {
        const views::KnobLine& knob = data.heat[static_cast<std::size_t>(line)];
        for (int i = 0; i < static_cast<int>(knob.cells.size()); ++i) {
            if (!tune_cell(data, state, layout, line, i).contains(input.mouse_x, input.mouse_y)) continue;
            const views::KnobCell& cell = knob.cells[static_cast<std::size_t>(i)];
            tooltip(knob.name + " = " + std::to_string(cell.value) + "\n" + std::to_string(cell.trials) + " trials" +
                        (cell.best_ms > 0 ? ", the best " + number(cell.best_ms) + " ms" : "") +
                        (cell.pinned ? "\npinned: double-click frees it" : "\ndouble-click tries no other value"),
                    state.style);
            if (ImGui::IsMouseDoubleClicked(0) && sink)
                sink(views::Tune{.what = cell.pinned ? What::Free : What::Pin, .knob = knob.name, .value = cell.value});
            return;
        }
    }
}

void answer_budget(const views::TuneViewData& data, const TuneUiState& state, const TuneLayout& layout,
                   const Input& input, const views::CommandSink& sink) {
    for (int i = 0; i < static_cast<int>(data.budget.size()); ++i) {
        TuneRect row = tune_bar(state, layout, i);
        row.left = layout.budget.left;
        if (!row.contains(input.mouse_x, input.mouse_y) || !layout.budget.contains(input.mouse_x, input.mouse_y))
            continue;
        const views::BudgetBar& bar = data.budget[static_cast<std::size_t>(i)];
        tooltip(bar.name + "\n" + std::to_string(bar.trials) + " trials, " + std::to_string(bar.failed) + " failed",
                state.style);
        if (ImGui::IsMouseClicked(0) && sink)
            sink(views::Tune{.what = views::Tune::What::ShowTask, .workload = bar.workload});
    }
}

} // namespace

TuneLayout tune_layout(const Input& input) {
    const float left = kMargin, right = std::max(left + 80, input.width - kMargin);
    const float top = 6, bottom = std::max(top + 120, input.height - 6);
    if (input.width < kNarrow) {
        const float step = (bottom - top) / 4;
        const auto part = [&](int i) {
            return TuneRect{left, top + step * static_cast<float>(i), right,
                            top + step * static_cast<float>(i + 1) - kGap / 2};
        };
        return {part(0), part(1), part(2), part(3)};
    }
    const float x = left + (right - left) * 0.56f, y = top + (bottom - top) * 0.58f;
    return {{left, top, x - kGap / 2, y - kGap / 2},
            {x + kGap / 2, top, right, y - kGap / 2},
            {left, y + kGap / 2, x - kGap / 2, bottom},
            {x + kGap / 2, y + kGap / 2, right, bottom}};
}

TunePlace tune_place(const views::Plot& plot, const TuneRect& part, double x, double y) {
    const TuneRect box = inside(part);
    return {box.left + static_cast<float>(share_of(x, plot.low_x, plot.high_x, plot.log_x)) * box.width(),
            box.bottom - static_cast<float>(share_of(y, plot.low_y, plot.high_y, plot.log_y)) * box.height()};
}

TuneRect tune_cell(const views::TuneViewData& data, const TuneUiState& state, const TuneLayout& layout, int line,
                   int cell) {
    const TuneRect& part = layout.heat;
    std::size_t most = 1;
    for (const views::KnobLine& knob : data.heat) most = std::max(most, knob.cells.size());
    const float width = std::clamp((part.width() - kLabel) / static_cast<float>(most), 6.f, 56.f);
    const float top = part.top + kTitle + static_cast<float>(line) * kRow - state.heat_scroll;
    const float left = part.left + kLabel + static_cast<float>(cell) * width;
    if (top + kRow < part.top + kTitle || top > part.bottom || left + 4 > part.right) return {};
    return {left, top + 1, left + width - 2, top + kRow - 1};
}

TuneRect tune_bar(const TuneUiState& state, const TuneLayout& layout, int bar) {
    const TuneRect& part = layout.budget;
    const float top = part.top + kTitle + static_cast<float>(bar) * kRow - state.budget_scroll;
    return {std::min(part.left + kLabel + 40, part.right), top, part.right, top + kRow};
}

void draw(const views::TuneViewData& data, TuneUiState& state, const Input& input, const views::CommandSink& sink) {
    using What = views::Tune::What;
    const TuneLayout layout = tune_layout(input);
    scroll(state.heat_scroll, layout.heat, data.heat.size(), input);
    scroll(state.budget_scroll, layout.budget, data.budget.size(), input);
    int hovered = draw_plot(data, data.best, layout.best, state.style, input);
    if (const int other = draw_plot(data, data.predicted, layout.predicted, state.style, input); hovered == 0)
        hovered = other;
    draw_heat(data, state, layout);
    draw_budget(data, state, layout);
    state.hovered_trial = ImGui::IsWindowHovered() ? hovered : 0;
    if (!ImGui::IsWindowHovered()) return;
    if (state.hovered_trial > 0) {
        tooltip(trial_words(data, state.hovered_trial), state.style);
        if (ImGui::IsMouseClicked(0) && sink)
            sink(
                views::Tune{.what = input.shift ? What::CompareTrial : What::ShowTrial, .number = state.hovered_trial});
        return;
    }
    answer_knobs(data, state, layout, input, sink);
    answer_budget(data, state, layout, input, sink);
    if (input.step == 0 || data.numbers.empty() || !sink) return;
    // Arrows go from trial to trial, as in the table.
    const auto found = std::ranges::find(data.numbers, data.chosen);
    const auto at = found == data.numbers.end() ? 0 : found - data.numbers.begin();
    const auto next = std::clamp<std::ptrdiff_t>(at + input.step, 0, std::ssize(data.numbers) - 1);
    sink(views::Tune{.what = What::ShowTrial, .number = data.numbers[static_cast<std::size_t>(next)]});
}

} // namespace orrery::imgui
