#pragma once
// The on-chip memories tile by tile, at one point of a program: what holds values, what the last instruction touched.

#include "views/imgui/canvas.hpp"
#include "views/model/vta_command.hpp"

namespace orrery::imgui {

struct VtaSramUiState {
    Style style;
};

/// Where a tile is drawn. Units: logical pixels; a negative size for a tile that has no place.
struct VtaTilePlace {
    float x = 0, y = 0, size = -1;
};
[[nodiscard]] VtaTilePlace vta_tile_place(const views::VtaStepView& view, const Input& input,
                                          const views::VtaTile& tile);

/// Draws every memory as a grid; a click selects a tile. Pre: between the begin and end of Canvas::frame.
void draw(const views::VtaStepView& view, VtaSramUiState& state, const Input& input, const views::VtaSink& sink);

} // namespace orrery::imgui
