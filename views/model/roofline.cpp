#include "views/model/roofline.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

// Steps: 1. the ranges that hold every ridge and point, whole decades apart from a margin; 2. the plot, with room for
// the labels on its left, where memory's roofs begin, and for numbers on its right and below; 3. grid and numbers; 4.
// roofs, memory's up to where arithmetic cuts them; 5. labels, each at its roof's height and then pushed apart.

namespace orrery::views {

namespace {

constexpr double kGap = 6; ///< Units: pixels

struct Axis {
    double low = 1, high = 10;      ///< in the axis' units
    double at_low = 0, at_high = 1; ///< in pixels
    [[nodiscard]] double at(double value) const {
        const double share = std::log(value / low) / std::log(high / low);
        return at_low + share * (at_high - at_low);
    }
};

struct Ranges {
    Axis x, y;
    double peak = 0; ///< the arithmetic's
};

Ranges ranges_of(const Roofline& data) {
    Ranges out;
    for (const Roof& roof : data.roofs)
        if (roof.arithmetic) out.peak = std::max(out.peak, roof.value);
    double low_x = 1e300, high_x = 0, low_y = out.peak;
    for (const Roof& roof : data.roofs)
        if (!roof.arithmetic)
            low_x = std::min(low_x, out.peak / roof.value), high_x = std::max(high_x, out.peak / roof.value);
    for (const RooflinePoint& point : data.points) {
        low_x = std::min(low_x, point.intensity), high_x = std::max(high_x, point.intensity);
        low_y = std::min(low_y, point.gflops);
    }
    if (high_x <= 0) low_x = 1, high_x = 1;
    out.x.low = low_x / 4, out.x.high = high_x * 3;
    // Where the slowest roof begins is seen too, unless points lie lower still.
    for (const Roof& roof : data.roofs)
        if (!roof.arithmetic) low_y = std::min(low_y, roof.value * out.x.low);
    out.y.low = low_y / 1.5, out.y.high = out.peak * 1.8;
    return out;
}

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, value < 1000 ? "%.4g" : "%.0f", value);
    return text;
}

/// Powers of ten, or 1, 2, 5 of each where there are few.
std::vector<double> steps_of(const Axis& axis) {
    std::vector<double> out;
    const int first = static_cast<int>(std::floor(std::log10(axis.low))),
              last = static_cast<int>(std::ceil(std::log10(axis.high)));
    const bool fine = std::log10(axis.high / axis.low) < 2.2;
    for (int power = first; power <= last; ++power)
        for (const double part : {1.0, 2.0, 5.0}) {
            const double value = part * std::pow(10.0, power);
            if ((fine || part == 1.0) && value >= axis.low && value <= axis.high) out.push_back(value);
        }
    return out;
}

void add_numbers(RooflinePicture& out, const Ranges& ranges, const RooflineMetrics& m) {
    const RooflineBox& plot = out.plot;
    double free = plot.x; // where the next number below may begin
    for (const double value : steps_of(ranges.x)) {
        const double x = ranges.x.at(value), width = m.text_width(number(value));
        out.grid.push_back({{x, plot.y}, {x, plot.y + plot.height}, -1});
        const RooflineBox box{x - width / 2, plot.y + plot.height + 2, width, m.line};
        if (box.x < free || box.x + width > plot.x + plot.width) continue;
        out.numbers.push_back({number(value), box, -1});
        free = box.x + width + kGap;
    }
    double lowest = plot.y + plot.height; // where the next number beside must end
    for (const double value : steps_of(ranges.y)) {
        const double y = ranges.y.at(value);
        out.grid.push_back({{plot.x, y}, {plot.x + plot.width, y}, -1});
        const RooflineBox box{plot.x + plot.width + kGap, y - m.line / 2, m.text_width(number(value)), m.line};
        if (box.y + m.line > lowest || box.y < plot.y) continue;
        out.numbers.push_back({number(value), box, -1});
        lowest = box.y;
    }
}

/// Heights at least a line apart, in order, inside [top, bottom] where they fit, as near to those wished for as may be.
void push_apart(std::vector<double>& heights, double line, double top, double bottom) {
    for (std::size_t i = 0; i < heights.size(); ++i)
        heights[i] = std::max(heights[i], i == 0 ? top : heights[i - 1] + line);
    double limit = bottom;
    for (std::size_t i = heights.size(); i-- > 0; limit = heights[i] - line) heights[i] = std::min(heights[i], limit);
}

void add_roofs(RooflinePicture& out, const Roofline& data, const Ranges& ranges, const RooflineMetrics& m) {
    struct Wish {
        double y;
        int roof;
    };
    std::vector<Wish> wishes;
    double first_ridge = ranges.x.high;
    for (std::size_t i = 0; i < data.roofs.size(); ++i) {
        const Roof& roof = data.roofs[i];
        if (roof.arithmetic) continue;
        const double ridge = ranges.peak / roof.value;
        first_ridge = std::min(first_ridge, ridge);
        const double begin = std::max(ranges.x.low, ranges.y.low / roof.value);
        const RooflineSpot from{ranges.x.at(begin), ranges.y.at(begin * roof.value)};
        out.roofs.push_back({from, {ranges.x.at(ridge), ranges.y.at(ranges.peak)}, static_cast<int>(i)});
        wishes.push_back({from.y, static_cast<int>(i)});
    }
    std::ranges::stable_sort(wishes, {}, &Wish::y);
    std::vector<double> heights;
    for (const Wish& wish : wishes) heights.push_back(wish.y - m.line / 2);
    push_apart(heights, m.line, out.plot.y, out.plot.y + out.plot.height - m.line);
    for (std::size_t i = 0; i < wishes.size(); ++i) {
        const std::string& label = data.roofs[static_cast<std::size_t>(wishes[i].roof)].label;
        const double width = m.text_width(label), right = out.plot.x - 2 * kGap;
        out.labels.push_back({label, {right - width, heights[i], width, m.line}, wishes[i].roof});
        out.leaders.push_back({{right + 2, heights[i] + m.line / 2}, {out.plot.x, wishes[i].y}, wishes[i].roof});
    }
    for (std::size_t i = 0; i < data.roofs.size(); ++i) {
        const Roof& roof = data.roofs[i];
        if (!roof.arithmetic) continue;
        const double y = ranges.y.at(roof.value), right = out.plot.x + out.plot.width;
        out.roofs.push_back({{ranges.x.at(first_ridge), y}, {right, y}, static_cast<int>(i)});
        const double width = m.text_width(roof.label);
        out.labels.push_back({roof.label, {right - width - kGap, y - m.line - 1, width, m.line}, static_cast<int>(i)});
    }
}

} // namespace

RooflinePicture picture_of(const Roofline& data, const RooflineMetrics& m) {
    RooflinePicture out;
    Ranges ranges = ranges_of(data);
    if (data.roofs.empty() || ranges.peak <= 0) return out;
    double left = 0, right = 0;
    for (const Roof& roof : data.roofs)
        if (!roof.arithmetic) left = std::max(left, m.text_width(roof.label));
    for (const double value : steps_of(ranges.y)) right = std::max(right, m.text_width(number(value)));
    out.y_title = {"GFLOP/s", {}, -1};
    out.x_title = {"FLOP a byte", {}, -1};
    const double title = m.text_width(out.y_title.text);
    const RooflineBox plot{left + 4 * kGap, m.line + kGap, m.width - left - std::max(right, title) - 7 * kGap,
                           m.height - 3 * m.line - 3 * kGap};
    const double memories = static_cast<double>(data.roofs.size()) - 1;
    if (plot.width < 80 || plot.height < std::max(60.0, memories * m.line)) return out;
    out.plot = plot;
    ranges.x.at_low = plot.x, ranges.x.at_high = plot.x + plot.width;
    ranges.y.at_low = plot.y + plot.height, ranges.y.at_high = plot.y;
    // The arithmetic's label stands above its roof: there is always room for it.
    const double room = (m.line + 4) / plot.height;
    ranges.y.high =
        std::max(ranges.y.high, ranges.y.low * std::pow(ranges.peak / ranges.y.low, 1 / (1 - std::min(0.6, room))));
    add_numbers(out, ranges, m);
    add_roofs(out, data, ranges, m);
    for (const RooflinePoint& point : data.points)
        out.points.push_back({ranges.x.at(std::clamp(point.intensity, ranges.x.low, ranges.x.high)),
                              ranges.y.at(std::clamp(point.gflops, ranges.y.low, ranges.y.high))});
    const double bottom = plot.y + plot.height;
    out.y_title.box = {plot.x + plot.width + kGap, plot.y - m.line - 2, title, m.line};
    const double wide = m.text_width(out.x_title.text);
    out.x_title.box = {plot.x + (plot.width - wide) / 2, bottom + m.line + 4, wide, m.line};
    return out;
}

int point_at(const RooflinePicture& picture, const RooflineSpot& at, double reach) {
    int found = -1;
    double nearest = reach;
    for (std::size_t i = 0; i < picture.points.size(); ++i) {
        const double distance = std::hypot(picture.points[i].x - at.x, picture.points[i].y - at.y);
        if (distance <= nearest) nearest = distance, found = static_cast<int>(i);
    }
    return found;
}

} // namespace orrery::views
