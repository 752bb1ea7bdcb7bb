#pragma once
// The tuning dashboard: the best so far, predicted against measured, what values of knobs gave, the budget.

#include "views/imgui/canvas.hpp"
#include "views/model/command.hpp"
#include "views/model/tune_view.hpp"

namespace orrery::imgui {

/// What the canvas remembers between frames.
struct TuneUiState {
    Style style;
    int hovered_trial = 0;
    float heat_scroll = 0, budget_scroll = 0; ///< Units: pixels
};

/// A rectangle. Units: logical pixels.
struct TuneRect {
    float left = 0, top = 0, right = 0, bottom = 0;
    [[nodiscard]] bool contains(float x, float y) const { return x >= left && x < right && y >= top && y < bottom; }
    [[nodiscard]] float width() const { return right - left; }
    [[nodiscard]] float height() const { return bottom - top; }
};
/// Where the four parts are: two by two, or one above the other where it is narrow.
struct TuneLayout {
    TuneRect best, predicted, heat, budget;
};
[[nodiscard]] TuneLayout tune_layout(const Input& input);

struct TunePlace {
    float x = 0, y = 0;
};
/// Where a value of a plot is drawn in its part.
[[nodiscard]] TunePlace tune_place(const views::Plot& plot, const TuneRect& part, double x, double y);
/// Where a value of a knob is drawn; nothing (of no width) when it is out of sight.
[[nodiscard]] TuneRect tune_cell(const views::TuneViewData& data, const TuneUiState& state, const TuneLayout& layout,
                                 int line, int cell);
/// Where a task's bar is drawn.
[[nodiscard]] TuneRect tune_bar(const TuneUiState& state, const TuneLayout& layout, int bar);

/// Draws and answers the mouse: a click on a trial chooses it, with Shift as what it is compared with; a double click
/// on a knob's value pins it or frees it; a click on a bar looks at that task. Pre: inside Canvas::frame.
void draw(const views::TuneViewData& data, TuneUiState& state, const Input& input, const views::CommandSink& sink);

} // namespace orrery::imgui
