#include "core/transform/window_pair.hpp"

#include "core/graph/op.hpp"
#include "core/ops/layout.hpp"

#include <algorithm>

namespace orrery::transform {

using graph::CallOp;

namespace {

/// The layout an attribute names, and the shape of the operand that lies in it.
struct Placed {
    ops::Layout layout;
    Shape shape;
    [[nodiscard]] std::int64_t extent(char axis) const { return layout.extent(axis, shape); }
};
Placed placed(const CallOp& call, std::size_t operand, const char* attr) {
    return {ops::parse_layout(call.attrs.text(attr)).value(),
            graph::static_shape(*graph::as_tensor(call.args[operand]->type))};
}

} // namespace

bool is_depthwise(const CallOp& call) {
    const std::int64_t groups = call.attrs.integer("groups", 1);
    if (call.op.name != "layout_conv2d" || groups < 2) return false;
    const Placed weight = placed(call, 1, "weight_layout");
    return weight.extent('I') == 1 && weight.extent('O') == groups;
}

bool is_pointwise(const CallOp& call) {
    if (call.op.name != "layout_conv2d" || call.attrs.integer("groups", 1) > 1 || call.attrs.integer("shuffle", 1) > 1)
        return false;
    const graph::TensorType* data = graph::as_tensor(call.args[0]->type);
    const Placed x = placed(call, 0, "layout"), weight = placed(call, 1, "weight_layout");
    const auto all = [&](const char* name, std::int64_t value) {
        return std::ranges::all_of(call.attrs.ints(name, {}), [value](std::int64_t each) { return each == value; });
    };
    return data->dtype == DType::F32 && x.layout.names() == "NCHW" && x.layout.block('C') > 1 &&
           weight.extent('H') == 1 && weight.extent('W') == 1 && all("strides", 1) && all("pads", 0);
}

bool has_piece(const CallOp& call, std::int64_t most_bytes) {
    const Placed x = placed(call, 0, "layout");
    const std::int64_t height = x.extent('H'), width = x.extent('W'), group = call.attrs.integer("rows", 1);
    const Shape weights = placed(call, 1, "weight_layout").shape;
    if (element_count(weights) * byte_size(DType::F32) > most_bytes) return false;
    const std::int64_t row_bytes = x.extent('C') * width * byte_size(DType::F32);
    for (std::int64_t rows = 1; 2 * rows <= height && rows * row_bytes <= most_bytes; ++rows)
        if (height % rows == 0 && rows * width % group == 0) return true;
    return false;
}

bool is_plain_convolution(const CallOp& call) {
    return call.op.name == "layout_conv2d" && call.attrs.integer("groups", 1) == 1 &&
           graph::as_tensor(call.args[0]->type)->dtype == DType::F32;
}

bool is_pooling(const CallOp& call) {
    const auto all = [&](const char* name, std::int64_t value) {
        return std::ranges::all_of(call.attrs.ints(name, {}), [value](std::int64_t each) { return each == value; });
    };
    const bool most = call.op.name == "layout_max_pool", mean = call.op.name == "layout_avg_pool" && all("pads", 0);
    return (most || mean) && all("dilations", 1);
}

bool has_piece_to_pool(const CallOp& call, std::int64_t most_bytes) {
    const Placed x = placed(call, 0, "layout");
    const std::int64_t image = element_count(x.shape) / x.extent('N') * byte_size(DType::F32),
                       rows = call.attrs.ints("kernel").front() + call.attrs.ints("strides", {1}).front();
    return image > most_bytes && rows * (image / x.extent('H')) <= most_bytes;
}

bool is_tiled_convolution(const CallOp& call) { return call.op.name == "winograd_conv2d"; }

bool keeps_to_tiles(const CallOp& call, const CallOp& convolution) {
    const Placed x = placed(call, 0, "layout");
    const std::int64_t tile = convolution.attrs.integer("tile", 4);
    const std::vector<std::int64_t> kernel = call.attrs.ints("kernel"), strides = call.attrs.ints("strides", {1}),
                                    pads = call.attrs.ints("pads", {});
    const auto fits = [&](std::int64_t window, char axis) {
        return tile % window == 0 && x.extent(axis) % window == 0;
    };
    return kernel == strides && std::ranges::all_of(pads, [](std::int64_t each) { return each == 0; }) &&
           fits(kernel.front(), 'H') && fits(kernel.back(), 'W');
}

} // namespace orrery::transform
