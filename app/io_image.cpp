#include "app/io_image.hpp"

#include "core/base/file.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <stb/stb_image.h>
#include <string_view>

namespace orrery::app {

namespace {

constexpr std::int64_t kMaxPixels = 64'000'000; // our choice: 192 MB decoded, above any camera's picture a model reads

/// One sample position along an axis: between two pixels.
struct Tap {
    std::int64_t low = 0, high = 0;
    float weight = 0; ///< of `high`
};

std::vector<Tap> taps(std::int64_t from, std::int64_t to) {
    std::vector<Tap> result(static_cast<std::size_t>(to));
    const double ratio = static_cast<double>(from) / static_cast<double>(to);
    for (std::int64_t i = 0; i < to; ++i) {
        const double at = std::clamp((static_cast<double>(i) + 0.5) * ratio - 0.5, 0.0, static_cast<double>(from - 1));
        const auto low = static_cast<std::int64_t>(at);
        result[static_cast<std::size_t>(i)] = {low, std::min(low + 1, from - 1),
                                               static_cast<float>(at - static_cast<double>(low))};
    }
    return result;
}

/// The sample in RGB.
std::array<float, 3> sample(const Image& image, const Tap& y, const Tap& x) {
    const auto pixel = [&](std::int64_t row, std::int64_t column) {
        return &image.pixels[static_cast<std::size_t>((row * image.width + column) * 3)];
    };
    const std::uint8_t* top_left = pixel(y.low, x.low);
    const std::uint8_t* top_right = pixel(y.low, x.high);
    const std::uint8_t* bottom_left = pixel(y.high, x.low);
    const std::uint8_t* bottom_right = pixel(y.high, x.high);
    std::array<float, 3> rgb{};
    for (std::size_t c = 0; c < 3; ++c) {
        const float top =
            static_cast<float>(top_left[c]) * (1 - x.weight) + static_cast<float>(top_right[c]) * x.weight;
        const float bottom =
            static_cast<float>(bottom_left[c]) * (1 - x.weight) + static_cast<float>(bottom_right[c]) * x.weight;
        rgb[c] = top * (1 - y.weight) + bottom * y.weight;
    }
    return rgb;
}

Result<void> check_options(const ImageOptions& o) {
    const auto bad = [](const std::string& what, const std::string& hint) {
        return Diagnostic{Code::BadArgument, what, {}, hint};
    };
    if (o.height <= 0 || o.width <= 0 || o.width > kMaxPixels / o.height)
        return bad("a picture of " + std::to_string(o.width) + " by " + std::to_string(o.height) +
                       " pixels is out of range",
                   "");
    if (o.channels != 1 && o.channels != 3)
        return bad("a picture has 1 or 3 channels, not " + std::to_string(o.channels), "");
    for (int c = 0; c < o.channels; ++c) {
        const float deviation = o.deviation[static_cast<std::size_t>(c)];
        if (deviation == 0 || !std::isfinite(deviation) || !std::isfinite(o.mean[static_cast<std::size_t>(c)]))
            return bad("means must be finite numbers, deviations finite and not zero",
                       "--std 1 leaves pixels as they are");
    }
    return {};
}

bool served_format(std::string_view bytes) {
    return bytes.starts_with("\x89PNG\r\n\x1a\n") || bytes.starts_with("\xff\xd8\xff") || bytes.starts_with("BM");
}

} // namespace

Result<ImageOptions> fit_to(const Shape& shape, ImageOptions options) {
    const bool first = options.layout == ImageLayout::NCHW;
    if (shape.size() == 4) {
        const std::int64_t channels = shape[first ? 1 : 3];
        if (shape[0] == 1 && (channels == 1 || channels == 3)) {
            options.channels = static_cast<int>(channels);
            options.height = shape[first ? 2 : 1];
            options.width = shape[first ? 3 : 2];
            return options;
        }
    }
    return Diagnostic{Code::BadShape,
                      "an input of shape " + type_text(DType::F32, shape) + " does not take a picture",
                      {},
                      first ? "a picture is [1, C, H, W] with C 1 or 3; --layout NHWC reads channels last"
                            : "a picture is [1, H, W, C] with C 1 or 3; --layout NCHW reads channels first"};
}

Result<Image> decode_image(std::span<const std::byte> bytes, const std::string& name) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const FileOffset place{name, -1};
    if (!served_format(text))
        return Diagnostic{Code::UnsupportedFeature, "not a PNG, JPEG or BMP picture", {place}, "convert it to PNG"};
    if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
        return Diagnostic{Code::LimitExceeded, "a picture file of more than 2 GiB", {place}, {}};
    const auto* data = reinterpret_cast<const stbi_uc*>(bytes.data());
    const auto size = static_cast<int>(bytes.size());
    const auto damaged = [&] {
        return Diagnostic{Code::FileUnreadable,
                          "the picture cannot be decoded: it is cut short, damaged, or too large",
                          {place},
                          "write it again as PNG"};
    };
    int width = 0, height = 0, channels = 0;
    if (!stbi_info_from_memory(data, size, &width, &height, &channels) || width <= 0 || height <= 0) return damaged();
    if (width > kMaxPixels / height)
        return Diagnostic{Code::LimitExceeded,
                          "a picture of " + std::to_string(width) + " by " + std::to_string(height) + " pixels",
                          {place},
                          "the limit is 64 million pixels"};
    const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
        stbi_load_from_memory(data, size, &width, &height, &channels, 3), stbi_image_free);
    if (!pixels) return damaged();
    return Image{height, width, {pixels.get(), pixels.get() + std::int64_t{height} * width * 3}};
}

Result<NDArray> image_tensor(const Image& image, const ImageOptions& o) {
    ORRERY_CHECK_OK(check_options(o));
    ORRERY_ASSERT(image.height > 0 && image.width > 0, "a decoded picture has pixels");
    const std::vector<Tap> rows = taps(image.height, o.height), columns = taps(image.width, o.width);
    const bool planes = o.layout == ImageLayout::NCHW;
    NDArray array = NDArray::allocate(DType::F32, planes ? Shape{1, o.channels, o.height, o.width}
                                                         : Shape{1, o.height, o.width, o.channels});
    float* out = array.mutable_values<float>().data();
    const std::int64_t channel_stride = planes ? o.height * o.width : 1, pixel_stride = planes ? 1 : o.channels;
    std::int64_t pixel = 0;
    for (const Tap& y : rows) {
        for (const Tap& x : columns) {
            std::array<float, 3> value = sample(image, y, x);
            if (o.channels == 1)
                value[0] = 0.299f * value[0] + 0.587f * value[1] + 0.114f * value[2];
            else if (o.order == ChannelOrder::BGR)
                std::swap(value[0], value[2]);
            for (int c = 0; c < o.channels; ++c) {
                const auto i = static_cast<std::size_t>(c);
                out[pixel * pixel_stride + c * channel_stride] = (value[i] - o.mean[i]) / o.deviation[i];
            }
            ++pixel;
        }
    }
    return array;
}

Result<NDArray> read_image(const std::filesystem::path& path, const ImageOptions& options) {
    ORRERY_TRY(const MappedFile file, map_file(path));
    ORRERY_TRY(const Image image, decode_image(file.bytes, path.string()));
    return image_tensor(image, options);
}

} // namespace orrery::app
