#include "views/imgui/vta_sram_canvas.hpp"

#include "views/model/vta_statistics.hpp"

#include <imgui.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

namespace orrery::imgui {
namespace {

using views::VtaTouch;

constexpr float kMargin = 12, kTitle = 22, kGap = 14, kLegend = 22;
constexpr std::array<const char*, vta::kStrips> kNames = {"uop", "inp", "wgt", "acc", "out"};

ImVec2 at(float x, float y) { return {x, y}; }

/// A memory's grid: columns of square cells, as large as fit.
struct Grid {
    float left = 0, top = 0, cell = 1;
    std::size_t columns = 1, tiles = 0;
};

std::array<Grid, vta::kStrips> grids_of(const views::VtaStepView& view, const Input& input) {
    std::array<Grid, vta::kStrips> grids;
    const float width = (input.width - 2 * kMargin - kGap * (vta::kStrips - 1)) / vta::kStrips;
    const float height = std::max(20.f, input.height - kMargin - kTitle - kLegend);
    for (std::size_t m = 0; m < grids.size(); ++m) {
        Grid& g = grids[m];
        g.tiles = view.grids[m].filled.size();
        g.left = kMargin + static_cast<float>(m) * (width + kGap);
        g.top = kTitle + 4;
        if (g.tiles == 0) continue;
        // The largest cell for which all rows fit.
        g.cell = std::clamp(std::sqrt(width * height / static_cast<float>(g.tiles)), 1.f, 14.f);
        for (; g.cell > 1; g.cell -= 0.25f) {
            const auto columns = static_cast<std::size_t>(width / g.cell);
            if (columns > 0 && static_cast<float>((g.tiles + columns - 1) / columns) * g.cell <= height) break;
        }
        g.columns = std::max<std::size_t>(1, static_cast<std::size_t>(width / g.cell));
    }
    return grids;
}

VtaTilePlace cell_of(const Grid& g, std::size_t tile) {
    return {g.left + static_cast<float>(tile % g.columns) * g.cell,
            g.top + static_cast<float>(tile / g.columns) * g.cell, g.cell};
}

/// Seen beside the ground, in either theme.
Colour empty_colour(const Style& s) { return mix(s.ground, s.hairline, 0.7f); }

Colour tile_colour(const views::VtaMemoryGrid& grid, std::size_t tile, const Style& s) {
    const VtaTouch touch = tile < grid.touched.size() ? grid.touched[tile] : VtaTouch::None;
    if (touch == VtaTouch::Written) return s.kinds[3];
    if (touch == VtaTouch::Read) return s.kinds[0];
    return grid.filled[tile] != 0 ? mix(s.kinds[4], s.ground, 0.35f) : empty_colour(s);
}

void draw_grid(const views::VtaMemoryGrid& grid, const Grid& g, const Style& style) {
    ImDrawList* list = ImGui::GetWindowDrawList();
    const std::string title = std::string(kNames[static_cast<std::size_t>(grid.memory)]) + "  " +
                              views::grouped(grid.in_use) + " of " + views::grouped(grid.filled.size());
    list->AddText(at(g.left, 4), style.dim, title.c_str());
    const float gap = g.cell >= 4 ? 1.f : 0.f;
    // Runs of one colour in a row are one rectangle when cells have no gaps.
    for (std::size_t i = 0; i < g.tiles;) {
        const Colour colour = tile_colour(grid, i, style);
        std::size_t j = i + 1;
        while (gap == 0 && j < g.tiles && j % g.columns != 0 && tile_colour(grid, j, style) == colour) ++j;
        const VtaTilePlace first = cell_of(g, i);
        list->AddRectFilled(at(first.x, first.y),
                            at(first.x + static_cast<float>(j - i) * g.cell - gap, first.y + g.cell - gap), colour);
        i = j;
    }
}

void draw_legend(const Input& input, const Style& style) {
    ImDrawList* list = ImGui::GetWindowDrawList();
    float x = kMargin;
    const float y = input.height - kLegend + 4;
    const std::pair<Colour, const char*> entries[] = {{style.kinds[3], "written by the last instruction"},
                                                      {style.kinds[0], "read by it"},
                                                      {mix(style.kinds[4], style.ground, 0.35f), "holds values"},
                                                      {empty_colour(style), "all zeros"},
                                                      {style.accent, "selected"}};
    for (const auto& [colour, words] : entries) {
        list->AddRectFilled(at(x, y + 3), at(x + 9, y + 12), colour);
        list->AddText(at(x + 14, y), style.dim, words);
        x += ImGui::CalcTextSize(words).x + 32;
    }
}

} // namespace

VtaTilePlace vta_tile_place(const views::VtaStepView& view, const Input& input, const views::VtaTile& tile) {
    const Grid g = grids_of(view, input)[static_cast<std::size_t>(tile.memory)];
    return tile.index < g.tiles ? cell_of(g, tile.index) : VtaTilePlace{};
}

void draw(const views::VtaStepView& view, VtaSramUiState& state, const Input& input, const views::VtaSink& sink) {
    ImDrawList* list = ImGui::GetWindowDrawList();
    const auto grids = grids_of(view, input);
    if (grids[0].tiles == 0) {
        list->AddText(at(16, 16), state.style.dim, "Choose a program to step through it.");
        return;
    }
    std::string hovered;
    for (std::size_t m = 0; m < grids.size(); ++m) {
        const Grid& g = grids[m];
        draw_grid(view.grids[m], g, state.style);
        if (!ImGui::IsWindowHovered() || input.mouse_x < g.left || input.mouse_y < g.top) continue;
        const auto column = static_cast<std::size_t>((input.mouse_x - g.left) / g.cell);
        const auto row = static_cast<std::size_t>((input.mouse_y - g.top) / g.cell);
        const std::size_t tile = row * g.columns + column;
        if (column >= g.columns || tile >= g.tiles) continue;
        const views::VtaTile named{view.grids[m].memory, static_cast<std::uint32_t>(tile)};
        hovered = views::to_string(named);
        if (ImGui::IsMouseClicked(0) && sink) sink(views::VtaSelectTile{named});
    }
    const VtaTilePlace selected = vta_tile_place(view, input, view.tile);
    if (selected.size > 0)
        list->AddRect(at(selected.x - 2, selected.y - 2),
                      at(selected.x + selected.size + 1, selected.y + selected.size + 1), state.style.accent, 0, 0, 2);
    draw_legend(input, state.style);
    if (!hovered.empty()) {
        ImGui::PushStyleColor(ImGuiCol_PopupBg, state.style.raised);
        ImGui::PushStyleColor(ImGuiCol_Text, state.style.text);
        ImGui::BeginTooltip();
        ImGui::TextUnformatted(hovered.c_str());
        ImGui::EndTooltip();
        ImGui::PopStyleColor(2);
    }
}

} // namespace orrery::imgui
