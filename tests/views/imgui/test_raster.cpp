#include "views/imgui/canvas.hpp"

#include <catch2/catch.hpp>

#include <imgui.h>

#include <cmath>
#include <vector>

using namespace orrery::imgui;

// Frames of Dear ImGui as pixels. Expected values are worked out beside them.

namespace {

constexpr Colour kGround = rgb(10, 20, 30);

struct Drawn {
    int width = 40, height = 30;
    std::vector<std::uint32_t> pixels;
    /// `ratio` device pixels to a logical one; `draw` gets the list of the window.
    explicit Drawn(const std::function<void(ImDrawList*)>& draw, int ratio = 1) {
        Canvas canvas;
        Input input;
        input.width = static_cast<float>(width), input.height = static_cast<float>(height);
        input.ratio = static_cast<float>(ratio);
        width *= ratio, height *= ratio;
        pixels.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
        canvas.frame(input, [&] { draw(ImGui::GetWindowDrawList()); });
        canvas.paint({pixels.data(), width, height, static_cast<std::size_t>(width)}, kGround);
    }
    [[nodiscard]] std::uint32_t at(int x, int y) const {
        return pixels[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)];
    }
    [[nodiscard]] int count(std::uint32_t pixel) const {
        return static_cast<int>(std::count(pixels.begin(), pixels.end(), pixel));
    }
};

constexpr std::uint32_t kGroundPixel = 0xff0a141e;

} // namespace

TEST_CASE("an upright rectangle holds the pixels whose centres it holds", "[imgui][raster]") {
    const Drawn whole([](ImDrawList* list) { list->AddRectFilled({3, 4}, {13, 9}, rgb(200, 100, 50)); });
    CHECK(whole.count(0xffc86432) == 10 * 5);
    CHECK(whole.count(kGroundPixel) == 40 * 30 - 50);
    CHECK(whole.at(3, 4) == 0xffc86432);
    CHECK(whole.at(13, 9) == kGroundPixel);
    // 3.6 to 5.4 holds the centre 4.5 and no other.
    const Drawn narrow([](ImDrawList* list) { list->AddRectFilled({3.6f, 4}, {5.4f, 9}, rgb(200, 100, 50)); });
    CHECK(narrow.count(0xffc86432) == 5);
    CHECK(narrow.at(4, 4) == 0xffc86432);
    // Twice as many pixels each way, and an edge at half a logical pixel.
    const Drawn fine([](ImDrawList* list) { list->AddRectFilled({3.5f, 4}, {5, 9}, rgb(200, 100, 50)); }, 2);
    CHECK(fine.count(0xffc86432) == 3 * 10);
    CHECK(fine.at(7, 8) == 0xffc86432);
}

TEST_CASE("half a colour is half of what is below, and clipped off is off", "[imgui][raster]") {
    const Drawn half([](ImDrawList* list) {
        list->PushClipRect({5, 5}, {10, 10});
        list->AddRectFilled({0, 0}, {40, 30}, rgb(210, 120, 31, 128));
        list->PopClipRect();
    });
    CHECK(half.count(kGroundPixel) == 40 * 30 - 25);
    const std::uint32_t pixel = half.at(7, 7);
    const auto near = [&](int shift, int expected) {
        CHECK(std::abs(static_cast<int>(pixel >> shift & 255) - expected) <= 1);
    };
    near(16, 110), near(8, 70), near(0, 31); // (10 + 210) / 2 and so on
    CHECK(pixel >> 24 == 255);
    const Drawn nothing([](ImDrawList* list) { list->AddRectFilled({0, 0}, {40, 30}, rgb(1, 2, 3, 0)); });
    CHECK(nothing.count(kGroundPixel) == 40 * 30);
}

TEST_CASE("triangles that share edges share no pixel and leave none out", "[imgui][raster]") {
    // A fan around the middle of a square, half transparent: a pixel drawn twice or never would show.
    const Drawn fan([](ImDrawList* list) {
        list->Flags &= ~ImDrawListFlags_AntiAliasedFill;
        const ImVec2 corners[] = {{4, 3}, {24, 3}, {24, 23}, {4, 23}};
        for (int i = 0; i < 4; ++i)
            list->AddTriangleFilled({14, 13}, corners[i], corners[(i + 1) % 4], rgb(210, 120, 30, 128));
    });
    const std::uint32_t inside = fan.at(14, 5);
    CHECK(inside != kGroundPixel);
    CHECK(fan.count(inside) == 20 * 20);
    CHECK(fan.count(kGroundPixel) == 40 * 30 - 20 * 20);
    // Either way around.
    const Drawn turned([](ImDrawList* list) {
        list->Flags &= ~ImDrawListFlags_AntiAliasedFill;
        list->AddTriangleFilled({2, 2}, {2, 22}, {22, 2}, rgb(255, 255, 255));
    });
    CHECK(turned.count(0xffffffff) == 19 * 20 / 2); // the centres on the slanted edge belong to what lies behind it
}

TEST_CASE("lines, circles and letters are drawn with soft edges", "[imgui][raster]") {
    const Drawn line([](ImDrawList* list) { list->AddLine({2, 2}, {37, 27}, rgb(255, 255, 255), 1.5f); });
    int touched = 0, soft = 0;
    for (const std::uint32_t pixel : line.pixels) {
        touched += pixel != kGroundPixel ? 1 : 0;
        soft += pixel != kGroundPixel && pixel != 0xffffffff ? 1 : 0;
    }
    CHECK(touched > 35);
    CHECK(touched < 35 * 5);
    CHECK(soft > 20);
    const Drawn disc([](ImDrawList* list) { list->AddCircleFilled({20, 15}, 8, rgb(255, 255, 255), 32); });
    const int full = disc.count(0xffffffff);
    CHECK(std::abs(full - 201) < 40); // 64 pi
    const Drawn letters([](ImDrawList* list) { list->AddText({2, 2}, rgb(255, 255, 255), "Mix"); });
    CHECK(letters.count(kGroundPixel) < 40 * 30 - 20);
    CHECK(letters.count(0xffffffff) > 10); // the bitmap typeface has whole pixels
    for (int y = 0; y < 2; ++y)
        for (int x = 0; x < 40; ++x) REQUIRE(letters.at(x, y) == kGroundPixel);
}

TEST_CASE("more vertices than 16 bits count", "[imgui][raster]") {
    const Drawn many([](ImDrawList* list) {
        for (int i = 0; i < 20'000; ++i) list->AddRectFilled({0, 0}, {1, 1}, rgb(1, 1, 1));
        list->AddRectFilled({3, 4}, {13, 9}, rgb(200, 100, 50));
    });
    CHECK(many.count(0xffc86432) == 50);
}
