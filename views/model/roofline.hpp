#pragma once
// A roofline: what a machine can do against how much work there is for each byte, and where measured kernels stand.

#include <functional>
#include <string>
#include <vector>

namespace orrery::views {

/// A limit: arithmetic is level, reading from a level of memory rises with the work for each byte.
struct Roof {
    std::string name;  ///< "FMA", "L1", "DRAM"
    std::string label; ///< "L1 412 GB/s"
    double value = 0;  ///< Units: GFLOP/s of arithmetic, GB/s of memory
    bool arithmetic = false;
};
/// One measurement.
struct RooflinePoint {
    double intensity = 0; ///< Units: FLOP for each byte of parameters, each counted once
    double gflops = 0;
    std::string title;    ///< "7 steps · vectorize(conv.ow)"
    std::string details;  ///< what hovering says
    int row = -1;         ///< of the table beside it
    bool present = false; ///< of the trace that is shown
};
struct Roofline {
    std::vector<Roof> roofs; ///< arithmetic first, then memory, nearest level first
    std::vector<RooflinePoint> points;
    std::string empty_reason; ///< one sentence shown when there are no roofs
};

/// A place in a picture. Units: logical pixels, downward.
struct RooflineSpot {
    double x = 0, y = 0;
};
struct RooflineBox {
    double x = 0, y = 0, width = 0, height = 0;
    [[nodiscard]] bool meets(const RooflineBox& other) const {
        return x < other.x + other.width && other.x < x + width && y < other.y + other.height && other.y < y + height;
    }
};
struct RooflineText {
    std::string text;
    RooflineBox box;
    int roof = -1; ///< whose label it is; -1 for a number of an axis
};
struct RooflineLine {
    RooflineSpot from, to;
    int roof = -1; ///< -1 for a line of the grid or from a label to its roof
};
/// The roofline as lines, texts and spots: both axes are logarithmic. No text meets another or leaves the picture.
struct RooflinePicture {
    RooflineBox plot;
    std::vector<RooflineLine> grid, roofs, leaders;
    std::vector<RooflineText> labels, numbers;
    std::vector<RooflineSpot> points; ///< parallel to Roofline::points
    RooflineText x_title, y_title;
};
struct RooflineMetrics {
    double width = 0, height = 0, line = 0; ///< of the picture; of a line of text
    std::function<double(const std::string&)> text_width;
};
/// Empty (a plot of no size) where there is no room or nothing to draw.
[[nodiscard]] RooflinePicture picture_of(const Roofline& data, const RooflineMetrics& metrics);
/// The point nearest to a place, at most `reach` away; -1 for none.
[[nodiscard]] int point_at(const RooflinePicture& picture, const RooflineSpot& at, double reach);

} // namespace orrery::views
