#pragma once
// One Dear ImGui context: fed with plain input, drawn on demand.

#include "views/imgui/raster.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace orrery::imgui {

/// 0xAABBGGRR, as ImGui packs colours.
using Colour = std::uint32_t;
[[nodiscard]] constexpr Colour rgb(std::uint8_t r, std::uint8_t g, std::uint8_t b, std::uint8_t a = 255) {
    return static_cast<Colour>(a) << 24 | static_cast<Colour>(b) << 16 | static_cast<Colour>(g) << 8 | r;
}

/// The theme's roles a canvas needs.
struct Style {
    Colour ground = 0, panel = 0, raised = 0, hairline = 0, text = 0, dim = 0, faint = 0, accent = 0, accent_fill = 0;
    Colour bad = 0, warning = 0;
    std::array<Colour, 5> kinds{}, kind_fills{}; ///< blue, teal, violet, green, grey
};

/// Between two colours; `part` of the second.
[[nodiscard]] constexpr Colour mix(Colour a, Colour b, float part) {
    Colour out = 0;
    for (int shift = 0; shift < 32; shift += 8) {
        const auto x = static_cast<float>(a >> shift & 255), y = static_cast<float>(b >> shift & 255);
        out |= static_cast<Colour>(x + (y - x) * part + 0.5f) << shift;
    }
    return out;
}
[[nodiscard]] constexpr Colour faded(Colour c, std::uint8_t alpha) { return (c & 0xffffffu) | Colour{alpha} << 24; }

/// What happened since the last frame. Units: logical pixels, seconds.
struct Input {
    float width = 0, height = 0;
    float ratio = 1;                        ///< device pixels to a logical one
    float mouse_x = -1e6f, mouse_y = -1e6f; ///< far away: not over the canvas
    std::array<bool, 3> buttons{};          ///< left, right, middle
    float wheel = 0;                        ///< notches, away from the user positive
    float seconds = 1.f / 60;               ///< since the last frame
    bool shift = false;
    int step = 0; ///< keyboard: -1 previous, +1 next item
    char key = 0; ///< a letter typed, in lower case; only those the host was told to hand over
};

/// Thread: one at a time.
class Canvas {
  public:
    Canvas();
    ~Canvas();
    Canvas(const Canvas&) = delete;
    Canvas& operator=(const Canvas&) = delete;

    /// A TrueType or OpenType file and its size; without one ImGui's own bitmap typeface is used. Units: logical
    /// pixels.
    void set_font(std::string file, float pixels);
    /// Runs one frame: `draw` calls ImGui through the canvases' draw functions.
    void frame(const Input& input, const std::function<void()>& draw);
    /// The last frame on a ground. Pre: the picture is as large as the frame times its pixel ratio.
    void paint(const Picture& picture, Colour ground);
    /// Number of vertices of the last frame, for tests.
    [[nodiscard]] int vertices() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace orrery::imgui
