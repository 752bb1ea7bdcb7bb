#pragma once
// The memory plan: buffers as rectangles, steps from left to right, addresses upwards.

#include "views/imgui/canvas.hpp"
#include "views/model/command.hpp"
#include "views/model/memory_view.hpp"

namespace orrery::imgui {

/// What the canvas remembers between frames.
struct MemoryUiState {
    Style style;
    double first_step = 0;  ///< left edge; steps
    double steps_shown = 0; ///< 0: all
    int selected = -1;      ///< index into MemoryViewData::boxes
    int hovered = -1;
    bool dragging = false, moved = false;
};

/// Where a box is drawn, in the canvas's logical pixels; empty when it is out of sight.
struct CanvasRect {
    float left = 0, top = 0, right = 0, bottom = 0;
    [[nodiscard]] bool empty() const { return right <= left || bottom <= top; }
};
[[nodiscard]] CanvasRect memory_box_rect(const views::MemoryViewData& data, const MemoryUiState& state,
                                         const Input& input, int box);

/// Draws the plan and answers the mouse: wheel zooms time, dragging moves, a click selects (and tells `sink`),
/// a double click shows all. Pre: between the begin and end of Canvas::frame.
void draw(const views::MemoryViewData& data, MemoryUiState& state, const Input& input, const views::CommandSink& sink);

} // namespace orrery::imgui
