#pragma once
// The accelerator's pipeline over time: fetch, load, compute, store and the read port, with what fills the memories.

#include "views/imgui/canvas.hpp"
#include "views/model/vta_command.hpp"
#include "views/model/vta_timeline.hpp"

#include <array>

namespace orrery::imgui {

enum class VtaColouring : std::uint8_t { Kind, Origin };

/// What the canvas remembers between frames.
struct VtaTimelineUiState {
    Style style;
    double first_cycle = 0;  ///< left edge
    double cycles_shown = 0; ///< 0: all
    VtaColouring colouring = VtaColouring::Kind;
    bool tokens = true;                            ///< draw arrows where they can be told apart
    std::uint32_t selected = vta::kNoInstruction;  ///< of run A
    std::uint64_t range_begin = 0, range_end = 0;  ///< empty: none
    std::uint64_t stall_least = 1;                 ///< shortest wait that "next stall" stops at; cycles
    views::VtaLane lane = views::VtaLane::Compute; ///< last clicked; stalls are looked for here
    std::uint32_t stall_of = vta::kNoInstruction;  ///< instruction of the stall shown last, and where it began
    std::uint64_t stall_at = 0;
    enum class Drag : std::uint8_t { None, Pan, Range, Overview } drag = Drag::None;
    bool moved = false;
    double anchor = 0; ///< cycle where a range was begun
    /// What was drawn last, by lane and run: most of it is still in sight in the next frame. Until data change.
    struct Shown {
        const void* run = nullptr;
        std::uint64_t column = 0;
        std::vector<views::VtaBar> bars;
    };
    std::array<std::array<Shown, 2>, views::kVtaLanes> shown;
    /// The overview over the whole run is drawn from here until data or width change.
    std::vector<views::VtaBar> overview;
    const void* overview_of = nullptr;
    int overview_pixels = 0;
};

/// Places in the canvas's logical pixels.
struct VtaTimelineLayout {
    float left = 0, right = 0, axis = 0, overview = 0; ///< tops of the axis and the overview
    std::array<float, views::kVtaLanes> lane_top{};
    float lane_height = 0;
    std::array<float, vta::kStrips> strip_top{};
    float strip_height = 0; ///< 0: no room for strips
    float legend = 0;
    double first = 0, shown = 1;
    [[nodiscard]] float x(double cycle) const {
        return left + static_cast<float>((cycle - first) / shown * static_cast<double>(right - left));
    }
    [[nodiscard]] double cycle(float px) const {
        return first + static_cast<double>(px - left) / static_cast<double>(right - left) * shown;
    }
};
[[nodiscard]] VtaTimelineLayout vta_timeline_layout(const views::VtaTimelineData& data, const VtaTimelineUiState& state,
                                                    const Input& input);
/// The colour of a cause in a lane and in the legend.
[[nodiscard]] Colour vta_cause_colour(const Style& style, vta::Cause cause);

/// Shows [begin, end) with a margin.
void show_cycles(const views::VtaTimelineData& data, VtaTimelineUiState& state, double begin, double end);
/// Brings an instruction of run A into sight, keeping the zoom where it fits.
void reveal_instruction(const views::VtaTimelineData& data, VtaTimelineUiState& state, std::uint32_t instruction);
/// Moves to the next or previous stall of the chosen lane and selects its instruction. False when there is none.
bool go_to_stall(const views::VtaTimelineData& data, VtaTimelineUiState& state, int direction,
                 const views::VtaSink& sink);

/// Draws and answers: the wheel zooms (with Shift it moves), dragging moves, dragging on the axis or with the right
/// button or Shift selects a range, a click selects an instruction, a double click zooms to it; W S zoom, A D move,
/// F fits range or selection, 0 shows all, N and Shift+N go to stalls, arrows to neighbours, Escape drops the range.
/// Pre: between the begin and end of Canvas::frame.
void draw(const views::VtaTimelineData& data, VtaTimelineUiState& state, const Input& input,
          const views::VtaSink& sink);

} // namespace orrery::imgui
