#pragma once
// The roofline: operations per DRAM byte against operations a second, with the configuration's roof and ridge.

#include "views/imgui/canvas.hpp"
#include "views/model/vta_command.hpp"
#include "views/model/vta_statistics.hpp"

namespace orrery::imgui {

struct VtaRooflineUiState {
    Style style;
    int selected = -1; ///< origin
    int hovered = -1;  ///< point
};

/// Where a point is drawn; both axes are logarithmic. Units: logical pixels.
struct VtaRooflinePlace {
    float x = 0, y = 0, radius = 0;
};
[[nodiscard]] VtaRooflinePlace vta_roofline_place(const views::VtaRoofline& a, const views::VtaRoofline* b,
                                                  const Input& input, std::size_t point);

/// Draws A's roof and points, and B's roof and whole beside it when there is one. A click on an origin selects it.
void draw(const views::VtaRoofline& a, const views::VtaRoofline* b, VtaRooflineUiState& state, const Input& input,
          const views::VtaSink& sink);

} // namespace orrery::imgui
