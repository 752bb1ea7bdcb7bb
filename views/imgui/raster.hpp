#pragma once
// Draws a Dear ImGui frame into plain pixels.

#include <cstddef>
#include <cstdint>

struct ImDrawData;

namespace orrery::imgui {

/// Pixels 0xffRRGGBB, rows from the top down.
struct Picture {
    std::uint32_t* pixels = nullptr;
    int width = 0, height = 0;
    std::size_t stride = 0; ///< pixels from row to row
};

/// The typeface's texture: a coverage a texel.
struct Coverage {
    const std::uint8_t* texels = nullptr;
    int width = 0, height = 0;
};

/// Draws over what the picture holds, with the rules of a graphics card: a pixel belongs to the shape that holds its
/// centre, shapes that share an edge share no pixel, colours and texture coordinates are linear in between, texels
/// bilinear. Frames are mostly upright rectangles of one colour, which are runs of memory here: some ten times as fast
/// as a card that a processor imitates, with nothing to read back and no OpenGL to ask for.
/// Pre: the frame was made with `texture` and with a scale of picture to logical pixels in its data.
void rasterize(const ImDrawData& frame, const Coverage& texture, const Picture& picture);

} // namespace orrery::imgui
