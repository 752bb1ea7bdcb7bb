#include "app/io_image.hpp"

#include "core/base/file.hpp"

#include <catch2/catch.hpp>

#include <random>
#include <stb/stb_image_write.h>

using namespace orrery;
using namespace orrery::app;

namespace {

enum class Format { Png, Jpeg, Bmp };

Image gradient(std::int64_t height, std::int64_t width) {
    Image image{height, width, {}};
    for (std::int64_t y = 0; y < height; ++y)
        for (std::int64_t x = 0; x < width; ++x)
            for (const std::int64_t v : {x * 255 / width, y * 255 / height, std::int64_t{128}})
                image.pixels.push_back(static_cast<std::uint8_t>(v));
    return image;
}

std::string encode(const Image& image, Format format) {
    std::string bytes;
    const auto append = [](void* to, void* data, int size) {
        static_cast<std::string*>(to)->append(static_cast<char*>(data), size);
    };
    const int w = static_cast<int>(image.width), h = static_cast<int>(image.height);
    const void* pixels = image.pixels.data();
    if (format == Format::Png) stbi_write_png_to_func(append, &bytes, w, h, 3, pixels, w * 3);
    if (format == Format::Jpeg) stbi_write_jpg_to_func(append, &bytes, w, h, 3, pixels, 95);
    if (format == Format::Bmp) stbi_write_bmp_to_func(append, &bytes, w, h, 3, pixels);
    return bytes;
}

Result<Image> decode(std::string_view bytes) {
    return decode_image({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "test");
}

std::vector<float> values(const Image& image, const ImageOptions& options) {
    const auto array = image_tensor(image, options);
    REQUIRE(array);
    const auto span = array->values<float>();
    return {span.begin(), span.end()};
}

} // namespace

TEST_CASE("PNG and BMP decode to the pixels written, JPEG close to them", "[app][image]") {
    const Image image = gradient(17, 31);
    for (const Format format : {Format::Png, Format::Bmp}) {
        const auto back = decode(encode(image, format));
        REQUIRE(back);
        CHECK(back->height == 17);
        CHECK(back->width == 31);
        CHECK(back->pixels == image.pixels);
    }
    const auto jpeg = decode(encode(image, Format::Jpeg));
    REQUIRE(jpeg);
    REQUIRE(jpeg->pixels.size() == image.pixels.size());
    int worst = 0;
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
        worst = std::max(worst, std::abs(jpeg->pixels[i] - image.pixels[i]));
    CHECK(worst < 24); // quality 95 halves the chroma at most
}

TEST_CASE("resizing samples at half-pixel centres", "[app][image]") {
    // One row 0, 100 widened to four: centres at -0.25, 0.25, 0.75, 1.25 of the source, clamped.
    const Image row{1, 2, {0, 0, 0, 100, 100, 100}};
    ImageOptions options{.height = 1, .width = 4, .channels = 1};
    const auto wide = values(row, options);
    const float expected[] = {0, 25, 75, 100};
    for (int i = 0; i < 4; ++i) CHECK(wide[static_cast<std::size_t>(i)] == Approx(expected[i]));
    // Two by two to one: the mean of all four.
    const Image square{2, 2, {0, 0, 0, 10, 10, 10, 20, 20, 20, 50, 50, 50}};
    options.width = 1;
    CHECK(values(square, options)[0] == Approx(20));
    // The same size changes nothing.
    const Image image = gradient(5, 7);
    const auto same = values(image, {.height = 5, .width = 7, .layout = ImageLayout::NHWC});
    CHECK(same == std::vector<float>(image.pixels.begin(), image.pixels.end()));
}

TEST_CASE("layout, channel order, mean and deviation", "[app][image]") {
    const Image image{1, 2, {10, 20, 30, 40, 50, 60}};
    ImageOptions options{.height = 1, .width = 2};
    CHECK(values(image, options) == std::vector<float>{10, 40, 20, 50, 30, 60});
    CHECK(image_tensor(image, options)->shape() == Shape{1, 3, 1, 2});
    options.order = ChannelOrder::BGR;
    CHECK(values(image, options) == std::vector<float>{30, 60, 20, 50, 10, 40});
    options.mean = {30, 20, 10};
    options.deviation = {1, 2, 10};
    CHECK(values(image, options) == std::vector<float>{0, 30, 0, 15, 0, 3});
    options.layout = ImageLayout::NHWC;
    CHECK(values(image, options) == std::vector<float>{0, 0, 0, 30, 15, 3});
    CHECK(image_tensor(image, options)->shape() == Shape{1, 1, 2, 3});
    const ImageOptions grey{.height = 1, .width = 2, .channels = 1};
    CHECK(values(image, grey)[0] == Approx(0.299 * 10 + 0.587 * 20 + 0.114 * 30));
}

TEST_CASE("options that make no tensor are refused", "[app][image]") {
    const Image image = gradient(2, 2);
    const auto code = [&](const ImageOptions& options) {
        const auto array = image_tensor(image, options);
        REQUIRE_FALSE(array);
        return array.error().code;
    };
    CHECK(code({.height = 0}) == Code::BadArgument);
    CHECK(code({.height = 1 << 20, .width = 1 << 20}) == Code::BadArgument);
    CHECK(code({.channels = 4}) == Code::BadArgument);
    CHECK(code({.deviation = {1, 0, 1}}) == Code::BadArgument);
}

TEST_CASE("a model's input says the size", "[app][image]") {
    const auto fitted = fit_to({1, 3, 240, 320}, {});
    REQUIRE(fitted);
    CHECK(fitted->height == 240);
    CHECK(fitted->width == 320);
    const auto grey = fit_to({1, 28, 30, 1}, {.layout = ImageLayout::NHWC});
    REQUIRE(grey);
    CHECK(grey->channels == 1);
    CHECK(grey->width == 30);
    for (const Shape& shape : {Shape{1, 784}, Shape{2, 3, 8, 8}, Shape{1, 8, 8, 3}, Shape{}})
        CHECK(fit_to(shape, {}).error().code == Code::BadShape);
}

TEST_CASE("other files are refused by what they are", "[app][image]") {
    CHECK(decode("").error().code == Code::UnsupportedFeature);
    CHECK(decode("GIF89a......").error().code == Code::UnsupportedFeature);
    CHECK(decode("\x89PNG\r\n\x1a\n").error().code == Code::FileUnreadable);
    std::string huge = encode(gradient(2, 2), Format::Png);
    // Width and height of the first chunk, big-endian: 16,384 by 8,192.
    for (const std::size_t at : {16, 17, 19, 20, 21, 23}) huge[at] = 0;
    huge[18] = 0x40;
    huge[22] = 0x20;
    CHECK(decode(huge).error().code == Code::LimitExceeded);
    CHECK(read_image("/nonexistent/picture.png", {}).error().code == Code::FileMissing);
}

TEST_CASE("damaged pictures never do harm", "[app][image]") {
    std::mt19937 random(20240608);
    for (const Format format : {Format::Png, Format::Jpeg, Format::Bmp}) {
        const std::string good = encode(gradient(16, 16), format);
        for (std::size_t size = 0; size < good.size(); size += 7) {
            const auto image = decode(std::string_view(good).substr(0, size));
            if (!image)
                CHECK((image.error().code == Code::FileUnreadable || image.error().code == Code::UnsupportedFeature));
        }
        CHECK_FALSE(decode(std::string_view(good).substr(0, 30)));
        for (int round = 0; round < 300; ++round) {
            std::string bytes = good;
            for (int change = 0; change < 1 + round % 3; ++change)
                bytes[random() % bytes.size()] = static_cast<char>(random());
            const auto image = decode(bytes);
            if (image) CHECK(static_cast<std::int64_t>(image->pixels.size()) == image->height * image->width * 3);
        }
    }
}
