#pragma once
// Pictures as a model's input: decoded, resized, normalized.

#include "core/base/ndarray.hpp"
#include "core/base/result.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace orrery::app {

enum class ImageLayout { NCHW, NHWC };
enum class ChannelOrder { RGB, BGR };

/// How a picture becomes a tensor: (pixel - mean) / deviation, pixels from 0 to 255.
struct ImageOptions {
    std::int64_t height = 224, width = 224; ///< Units: pixels.
    int channels = 3;                       ///< 3, or 1 for grey
    ImageLayout layout = ImageLayout::NCHW;
    ChannelOrder order = ChannelOrder::RGB;
    /// One number a channel, in the tensor's channel order; grey uses the first.
    std::array<float, 3> mean{0, 0, 0}, deviation{1, 1, 1};
};

/// A decoded picture. Shape: pixels [height, width, 3], RGB.
struct Image {
    std::int64_t height = 0, width = 0;
    std::vector<std::uint8_t> pixels;
};

/// `options` with height, width and channels as an input of that shape wants them.
/// Shape: [1, C, H, W] or [1, H, W, C] by options.layout; C is 1 or 3.
/// Errors: BadShape.
[[nodiscard]] Result<ImageOptions> fit_to(const Shape& shape, ImageOptions options);

/// Decodes PNG, JPEG or BMP. `name` is what a Diagnostic calls the picture.
/// Errors: UnsupportedFeature for another format, FileUnreadable for a damaged one, LimitExceeded beyond 64 million
/// pixels.
[[nodiscard]] Result<Image> decode_image(std::span<const std::byte> bytes, const std::string& name);

/// Resized bilinearly, sampled at half-pixel centres with clamped edges (no filter when shrinking), then normalized.
/// Shape: f32 [1, C, H, W] or [1, H, W, C]. Grey is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
/// Errors: BadArgument for a size that is not positive or beyond 64 million pixels, channels other than 1 and 3, or a
/// deviation of zero.
[[nodiscard]] Result<NDArray> image_tensor(const Image& image, const ImageOptions& options);

/// Both steps from a file. Errors: FileMissing, and those above.
[[nodiscard]] Result<NDArray> read_image(const std::filesystem::path& path, const ImageOptions& options);

} // namespace orrery::app
