// Outline: blending; upright rectangles, plain and textured; triangles; commands.

#include "views/imgui/raster.hpp"

#include <imgui.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace orrery::imgui {
namespace {

/// A shape's colour as four numbers of 0 to 255.
struct Paint {
    float r, g, b, a;
};
Paint paint_of(ImU32 c) {
    return {static_cast<float>(c & 255), static_cast<float>(c >> 8 & 255), static_cast<float>(c >> 16 & 255),
            static_cast<float>(c >> 24)};
}
std::uint32_t opaque(std::uint32_t r, std::uint32_t g, std::uint32_t b) { return 0xff000000U | r << 16 | g << 8 | b; }
std::uint32_t pixel_of(ImU32 c) { return opaque(c & 255, c >> 8 & 255, c >> 16 & 255); }

/// `over` on `under`, by `alpha` of 256ths: red and blue in one multiplication, green in another.
std::uint32_t blended(std::uint32_t under, std::uint32_t over, std::uint32_t alpha) {
    const std::uint32_t rest = 256 - alpha;
    const std::uint32_t rb = ((under & 0xff00ffU) * rest + (over & 0xff00ffU) * alpha + 0x800080U) >> 8;
    const std::uint32_t g = ((under & 0x00ff00U) * rest + (over & 0x00ff00U) * alpha + 0x008000U) >> 8;
    return 0xff000000U | (rb & 0xff00ffU) | (g & 0x00ff00U);
}
/// 0 to 255 as 0 to 256.
std::uint32_t of_256(std::uint32_t alpha) { return alpha + (alpha >> 7); }

/// Pixels left <= x < right, top <= y < bottom.
struct Box {
    int left, top, right, bottom;
    [[nodiscard]] bool empty() const { return left >= right || top >= bottom; }
    [[nodiscard]] Box within(const Box& other) const {
        return {std::max(left, other.left), std::max(top, other.top), std::min(right, other.right),
                std::min(bottom, other.bottom)};
    }
};
/// The first pixel whose centre lies at or behind an edge.
int behind(float edge) { return static_cast<int>(std::ceil(std::clamp(edge, -1e6f, 1e6f) - 0.5f)); }

struct Vertex {
    float x, y, u, v; ///< device pixels; texels
    ImU32 colour;
};

class Raster {
  public:
    Raster(const Coverage& texture, const Picture& picture) : texture_(texture), picture_(picture) {}
    void clip_to(const Box& box) { clip_ = box.within({0, 0, picture_.width, picture_.height}); }

    /// Corners in order around the rectangle, the first at the top left, the third opposite.
    void rectangle(const Vertex& from, const Vertex& to) {
        const Box box = Box{behind(from.x), behind(from.y), behind(to.x), behind(to.y)}.within(clip_);
        if (box.empty()) return;
        from.u == to.u&& from.v == to.v ? fill(box, from.colour) : print(box, from, to);
    }

    void triangle(const Vertex& a, const Vertex& b, const Vertex& c);

  private:
    std::uint32_t* row(int y) const { return picture_.pixels + static_cast<std::size_t>(y) * picture_.stride; }

    void fill(const Box& box, ImU32 colour) const {
        const std::uint32_t over = pixel_of(colour), alpha = of_256(colour >> 24);
        if (alpha == 0) return;
        for (int y = box.top; y < box.bottom; ++y) {
            std::uint32_t* const line = row(y);
            if (alpha == 256)
                std::fill(line + box.left, line + box.right, over);
            else
                for (int x = box.left; x < box.right; ++x) line[x] = blended(line[x], over, alpha);
        }
    }

    /// Coverage at a place, between the four texels around it.
    [[nodiscard]] float sample(float u, float v) const {
        const float x = std::clamp(u - 0.5f, 0.f, static_cast<float>(texture_.width - 1));
        const float y = std::clamp(v - 0.5f, 0.f, static_cast<float>(texture_.height - 1));
        const int x0 = static_cast<int>(x), y0 = static_cast<int>(y);
        const int x1 = std::min(x0 + 1, texture_.width - 1), y1 = std::min(y0 + 1, texture_.height - 1);
        const auto at = [&](int i, int j) {
            return static_cast<float>(
                texture_.texels[static_cast<std::size_t>(j) * static_cast<std::size_t>(texture_.width) +
                                static_cast<std::size_t>(i)]);
        };
        const float fx = x - static_cast<float>(x0), fy = y - static_cast<float>(y0);
        const float above = at(x0, y0) + (at(x1, y0) - at(x0, y0)) * fx;
        const float below = at(x0, y1) + (at(x1, y1) - at(x0, y1)) * fx;
        return above + (below - above) * fy;
    }

    /// A letter.
    void print(const Box& box, const Vertex& from, const Vertex& to) const {
        const std::uint32_t over = pixel_of(from.colour);
        const auto alpha = static_cast<float>(from.colour >> 24) / 255;
        const float du = (to.u - from.u) / (to.x - from.x), dv = (to.v - from.v) / (to.y - from.y);
        for (int y = box.top; y < box.bottom; ++y) {
            std::uint32_t* const line = row(y);
            const float v = from.v + (static_cast<float>(y) + 0.5f - from.y) * dv;
            for (int x = box.left; x < box.right; ++x) {
                const float covered = sample(from.u + (static_cast<float>(x) + 0.5f - from.x) * du, v) * alpha;
                line[x] = blended(line[x], over, of_256(static_cast<std::uint32_t>(covered + 0.5f)));
            }
        }
    }

    Coverage texture_;
    Picture picture_;
    Box clip_{};
};

/// Twice the area on the left of p -> q that r spans: positive when p, q, r turn clockwise on screen.
double turn(const Vertex& p, const Vertex& q, double x, double y) {
    return (double{q.x} - double{p.x}) * (y - double{p.y}) - (double{q.y} - double{p.y}) * (x - double{p.x});
}
/// Whether a pixel centre on the edge p -> q belongs to the triangle on its right: it does on top and left edges.
bool owns(const Vertex& p, const Vertex& q) { return p.y == q.y ? q.x > p.x : q.y < p.y; }

void Raster::triangle(const Vertex& a, const Vertex& b_in, const Vertex& c_in) {
    double area = turn(a, b_in, double{c_in.x}, double{c_in.y});
    if (area == 0 || !std::isfinite(area)) return;
    const Vertex& b = area > 0 ? b_in : c_in;
    const Vertex& c = area > 0 ? c_in : b_in;
    area = std::abs(area);
    const Box box = Box{behind(std::min({a.x, b.x, c.x})), behind(std::min({a.y, b.y, c.y})),
                        behind(std::max({a.x, b.x, c.x})), behind(std::max({a.y, b.y, c.y}))}
                        .within(clip_);
    const bool plain = a.u == b.u && a.u == c.u && a.v == b.v && a.v == c.v;
    const bool one_colour = a.colour == b.colour && a.colour == c.colour;
    const Paint pa = paint_of(a.colour), pb = paint_of(b.colour), pc = paint_of(c.colour);
    const std::array<bool, 3> own = {owns(b, c), owns(c, a), owns(a, b)};
    for (int y = box.top; y < box.bottom; ++y) {
        std::uint32_t* const line = row(y);
        for (int x = box.left; x < box.right; ++x) {
            const double px = x + 0.5, py = y + 0.5;
            const std::array<double, 3> e = {turn(b, c, px, py), turn(c, a, px, py), turn(a, b, px, py)};
            bool inside = true;
            for (std::size_t i = 0; i < 3; ++i) inside = inside && (e[i] > 0 || (e[i] == 0 && own[i]));
            if (!inside) continue;
            const auto wa = static_cast<float>(e[0] / area), wb = static_cast<float>(e[1] / area);
            const float wc = 1 - wa - wb;
            const auto mixed = [&](float fa, float fb, float fc) { return fa * wa + fb * wb + fc * wc; };
            float alpha = one_colour ? pa.a : mixed(pa.a, pb.a, pc.a);
            if (!plain) alpha *= sample(mixed(a.u, b.u, c.u), mixed(a.v, b.v, c.v)) / 255;
            const auto byte = [](float value) {
                return static_cast<std::uint32_t>(std::clamp(value, 0.f, 255.f) + 0.5f);
            };
            const std::uint32_t over = one_colour ? pixel_of(a.colour)
                                                  : opaque(byte(mixed(pa.r, pb.r, pc.r)), byte(mixed(pa.g, pb.g, pc.g)),
                                                           byte(mixed(pa.b, pb.b, pc.b)));
            line[x] = blended(line[x], over, of_256(byte(alpha)));
        }
    }
}

/// Two triangles a, b, c and a, c, d that are an upright rectangle of one colour, its texture laid straight.
bool upright(const Vertex& a, const Vertex& b, const Vertex& c, const Vertex& d) {
    return a.y == b.y && b.x == c.x && c.y == d.y && d.x == a.x && a.x <= c.x && a.y <= c.y && a.v == b.v &&
           b.u == c.u && c.v == d.v && d.u == a.u && a.colour == b.colour && a.colour == c.colour &&
           a.colour == d.colour;
}

} // namespace

void rasterize(const ImDrawData& frame, const Coverage& texture, const Picture& picture) {
    Raster raster(texture, picture);
    const ImVec2 origin = frame.DisplayPos, scale = frame.FramebufferScale;
    for (int l = 0; l < frame.CmdListsCount; ++l) {
        const ImDrawList& list = *frame.CmdLists[l];
        for (const ImDrawCmd& command : list.CmdBuffer) {
            const ImVec4& clip = command.ClipRect;
            raster.clip_to(
                {static_cast<int>((clip.x - origin.x) * scale.x), static_cast<int>((clip.y - origin.y) * scale.y),
                 static_cast<int>((clip.z - origin.x) * scale.x), static_cast<int>((clip.w - origin.y) * scale.y)});
            const ImDrawIdx* const indices = list.IdxBuffer.Data + command.IdxOffset;
            const auto vertex = [&](unsigned i) {
                const ImDrawVert& v = list.VtxBuffer[static_cast<int>(command.VtxOffset + indices[i])];
                return Vertex{(v.pos.x - origin.x) * scale.x, (v.pos.y - origin.y) * scale.y,
                              v.uv.x * static_cast<float>(texture.width), v.uv.y * static_cast<float>(texture.height),
                              v.col};
            };
            for (unsigned i = 0; i + 3 <= command.ElemCount;) {
                const Vertex a = vertex(i), b = vertex(i + 1), c = vertex(i + 2);
                const bool pair =
                    i + 6 <= command.ElemCount && indices[i] == indices[i + 3] && indices[i + 2] == indices[i + 4];
                if (pair && upright(a, b, c, vertex(i + 5))) {
                    raster.rectangle(a, c);
                    i += 6;
                } else {
                    raster.triangle(a, b, c);
                    i += 3;
                }
            }
        }
    }
}

} // namespace orrery::imgui
