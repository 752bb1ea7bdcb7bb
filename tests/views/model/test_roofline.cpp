// The roofline as lines and texts: what lies where, and that nothing lies on anything else.

#include "views/model/roofline.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace orrery::views;

namespace {

/// The yardstick's machine, one thread.
Roofline machine(double l1 = 412) {
    Roofline out;
    out.roofs = {{"FMA", "FMA 138 GFLOP/s", 138, true},
                 {"L1", "L1 412 GB/s", l1, false},
                 {"L2", "L2 118 GB/s", 118, false},
                 {"L3", "L3 22.0 GB/s", 22, false},
                 {"DRAM", "DRAM 11.0 GB/s", 11, false}};
    out.points = {{39.5, 92, "a", "", 0, true}, {39.5, 3.1, "b", "", 1, false}, {0.25, 2.4, "c", "", 2, false}};
    return out;
}

RooflineMetrics metrics(double width, double height) {
    return {width, height, 14, [](const std::string& text) { return 6.5 * static_cast<double>(text.size()); }};
}

bool inside(const RooflineBox& box, double width, double height) {
    return box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height;
}

} // namespace

TEST_CASE("no text of a roofline meets another or leaves the picture", "[views][roofline]") {
    Roofline close = machine();
    close.roofs[1].value = 14, close.roofs[2].value = 13, close.roofs[3].value = 12; // hardly apart
    Roofline far = machine();
    far.points = {{2000, 138, "", "", 0, false}, {0.001, 0.0002, "", "", 1, false}};
    Roofline plain = machine();
    plain.points.clear();
    for (const Roofline& data : {machine(), close, far, plain})
        for (const auto& [width, height] : {std::pair(300.0, 160.0), {420.0, 230.0}, {900.0, 500.0}, {1600.0, 140.0}}) {
            const RooflinePicture p = picture_of(data, metrics(width, height));
            INFO(width << " by " << height);
            REQUIRE(p.plot.width > 0);
            std::vector<RooflineText> texts = p.labels;
            texts.insert(texts.end(), p.numbers.begin(), p.numbers.end());
            texts.push_back(p.x_title);
            texts.push_back(p.y_title);
            CHECK(p.labels.size() == data.roofs.size());
            CHECK(p.numbers.size() >= 3);
            for (std::size_t i = 0; i < texts.size(); ++i) {
                INFO(texts[i].text << " at " << texts[i].box.x << ", " << texts[i].box.y);
                CHECK(inside(texts[i].box, width, height));
                for (std::size_t k = i + 1; k < texts.size(); ++k) {
                    INFO("and " << texts[k].text << " at " << texts[k].box.x << ", " << texts[k].box.y);
                    CHECK_FALSE(texts[i].box.meets(texts[k].box));
                }
            }
            for (const RooflineSpot& point : p.points) {
                CHECK(point.x >= p.plot.x);
                CHECK(point.x <= p.plot.x + p.plot.width);
                CHECK(point.y >= p.plot.y);
                CHECK(point.y <= p.plot.y + p.plot.height);
            }
        }
}

TEST_CASE("memory's roofs rise to where arithmetic cuts them", "[views][roofline]") {
    const Roofline data = machine();
    const RooflinePicture p = picture_of(data, metrics(600, 300));
    REQUIRE(p.roofs.size() == 5);
    const RooflineLine& arithmetic = p.roofs.back();
    CHECK(arithmetic.roof == 0);
    CHECK(arithmetic.from.y == Approx(arithmetic.to.y));
    CHECK(arithmetic.to.x == Approx(p.plot.x + p.plot.width));
    double slope = 0;
    for (std::size_t i = 0; i + 1 < p.roofs.size(); ++i) {
        const RooflineLine& line = p.roofs[i];
        CHECK(line.to.y == Approx(arithmetic.from.y));
        CHECK(line.from.x == Approx(p.plot.x));
        // On two logarithmic axes all of them are parallel.
        const double own = (line.to.y - line.from.y) / (line.to.x - line.from.x);
        CHECK(own < 0);
        if (i > 0) CHECK(own == Approx(slope));
        slope = own;
        // A slower memory lies lower.
        if (i > 0) CHECK(line.from.y > p.roofs[i - 1].from.y);
    }
    // A point at 39.5 FLOP a byte and 92 GFLOP/s lies under the arithmetic, and above one of 3.1.
    CHECK(p.points[0].y > arithmetic.from.y);
    CHECK(p.points[1].y > p.points[0].y);
    CHECK(p.points[1].x == Approx(p.points[0].x));
    CHECK(p.points[2].x < p.points[0].x);
    CHECK(point_at(p, {p.points[0].x + 3, p.points[0].y - 3}, 8) == 0);
    CHECK(point_at(p, {p.points[0].x + 30, p.points[0].y - 30}, 8) == -1);
}

TEST_CASE("no roofs or no room: nothing is drawn", "[views][roofline]") {
    CHECK(picture_of({}, metrics(600, 300)).plot.width == 0);
    CHECK(picture_of(machine(), metrics(120, 300)).plot.width == 0);
    CHECK(picture_of(machine(), metrics(600, 60)).plot.width == 0);
}
