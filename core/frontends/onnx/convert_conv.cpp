// Convolutions and pooling.

#include "core/frontends/onnx/convert_conv.hpp"

#include "core/frontends/onnx/convert_support.hpp"

#include <algorithm>

namespace orrery::onnx {

namespace {

/// Values beyond these make no sense and would overflow sums below; the type relations refuse them with a clear text.
bool plausible(const Ints& values) {
    return std::ranges::all_of(values, [](std::int64_t v) { return v >= 0 && v <= (std::int64_t{1} << 30); });
}

/// A list attribute of one value a spatial axis. Errors: BadAttribute.
Result<Ints> axis_values(NodeReader& node, const char* name, std::size_t count) {
    Ints values = node.ints(name, Ints(count, 1));
    if (values.size() != count || !plausible(values) || std::ranges::find(values, 0) != values.end())
        return bad_attribute(std::string(name) + " must be " + std::to_string(count) + " positive numbers, not " +
                             graph::to_string(graph::AttrValue(values)));
    return values;
}

} // namespace

Result<WindowAttrs> read_window(NodeReader& node, const Shape& input, const Ints& kernel) {
    const std::size_t count = kernel.size();
    WindowAttrs window;
    window.kernel = kernel;
    if (input.size() != count + 2 || !plausible(kernel) || !plausible(input))
        return bad_shape("a window of " + std::to_string(count) + " axes does not fit a tensor of " +
                         std::to_string(input.size()) + " dimensions");
    ORRERY_TRY(window.strides, axis_values(node, "strides", count));
    ORRERY_TRY(window.dilations, axis_values(node, "dilations", count));
    const std::string auto_pad = node.text("auto_pad", "NOTSET");
    if (auto_pad == "NOTSET") {
        window.pads = node.ints("pads", Ints(2 * count, 0));
        return window;
    }
    window.pads.assign(2 * count, 0);
    if (auto_pad == "VALID") return window;
    if (auto_pad != "SAME_UPPER" && auto_pad != "SAME_LOWER") return bad_attribute("there is no auto_pad " + auto_pad);
    for (std::size_t i = 0; i < count; ++i) {
        const std::int64_t stride = window.strides[i], outputs = (input[2 + i] + stride - 1) / stride;
        const std::int64_t span = (kernel[i] - 1) * window.dilations[i] + 1;
        const std::int64_t total = std::max<std::int64_t>(0, (outputs - 1) * stride + span - input[2 + i]);
        const std::int64_t small = total / 2, large = total - small;
        window.pads[i] = auto_pad == "SAME_UPPER" ? small : large;
        window.pads[count + i] = total - window.pads[i];
    }
    return window;
}

Result<WindowAttrs> read_conv_window(NodeReader& node, const Shape& input, const Shape& weight) {
    if (weight.size() < 3) return bad_shape("weights of a convolution have three dimensions or more");
    const Ints own(weight.begin() + 2, weight.end());
    const Ints kernel = node.ints("kernel_shape", own);
    if (kernel != own) return bad_attribute("kernel_shape differs from the weights' shape");
    return read_window(node, input, kernel);
}

Result<Var> convolution(NodeReader& node, const Var& x, const Var& weight) {
    const Shape input = shape_of(x);
    ORRERY_TRY(const WindowAttrs window, read_conv_window(node, input, shape_of(weight)));
    if (window.kernel.size() > 3)
        return unsupported("convolutions over " + std::to_string(window.kernel.size()) +
                           " spatial axes are not served");
    constexpr const char* kOps[] = {"conv1d", "conv2d", "conv3d"};
    return node.call(kOps[window.kernel.size() - 1], {x, weight},
                     {{"strides", window.strides},
                      {"dilations", window.dilations},
                      {"pads", window.pads},
                      {"groups", node.integer("group", 1)}});
}

namespace {

Result<Var> with_bias(NodeReader& node, const Var& value, std::size_t input) {
    if (!node.has(input)) return value;
    return node.call("bias_add", {value, node.input(input)}, {{"axis", std::int64_t{1}}});
}

Converted conv(NodeReader& node) {
    ORRERY_TRY([[maybe_unused]] const Shape x, input_shape(node, 0));
    ORRERY_TRY([[maybe_unused]] const Shape w, input_shape(node, 1));
    ORRERY_TRY(const Var value, convolution(node, node.input(0), node.input(1)));
    return result(node, with_bias(node, value, 2));
}

/// Padding that gives `shape`: what the full result has too much. Source: ONNX ConvTranspose.
void pad_to_shape(WindowAttrs& window, Ints& extra, const Shape& input, const Ints& shape, bool upper) {
    const std::size_t count = window.kernel.size();
    for (std::size_t i = 0; i < count; ++i) {
        const std::int64_t full =
            window.strides[i] * (input[2 + i] - 1) + extra[i] + (window.kernel[i] - 1) * window.dilations[i] + 1;
        std::int64_t total = full - shape[i];
        if (total < 0) {
            extra[i] -= total;
            total = 0;
        }
        window.pads[i] = upper ? total / 2 : total - total / 2;
        window.pads[count + i] = total - window.pads[i];
    }
}

Converted conv_transpose(NodeReader& node) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    ORRERY_TRY(const Shape weight, input_shape(node, 1));
    ORRERY_TRY(WindowAttrs window, read_conv_window(node, input, weight));
    const std::size_t count = window.kernel.size();
    Ints extra = node.ints("output_padding", Ints(count, 0));
    if (extra.size() != count || !plausible(extra))
        return bad_attribute("output_padding must be " + std::to_string(count) + " numbers, 0 or more");
    const std::string auto_pad = node.text("auto_pad", "NOTSET");
    Ints shape = node.ints("output_shape", {});
    if (shape.size() == count + 2) shape.erase(shape.begin(), shape.begin() + 2);
    if (shape.empty() && auto_pad.starts_with("SAME"))
        for (std::size_t i = 0; i < count; ++i) shape.push_back(input[2 + i] * window.strides[i]);
    if (!shape.empty()) {
        if (shape.size() != count ||
            !std::ranges::all_of(shape, [](std::int64_t v) { return v > 0 && v < (std::int64_t{1} << 40); }))
            return bad_attribute("output_shape must be " + std::to_string(count) + " positive numbers");
        pad_to_shape(window, extra, input, shape, auto_pad == "SAME_UPPER");
    }
    ORRERY_TRY(const Var value, node.call("conv_transpose", {node.input(0), node.input(1)},
                                          {{"strides", window.strides},
                                           {"dilations", window.dilations},
                                           {"pads", window.pads},
                                           {"output_padding", extra},
                                           {"groups", node.integer("group", 1)}}));
    return result(node, with_bias(node, value, 2));
}

// ---------------------------------------------------------------------------------------- pooling

Result<graph::Attrs::Map> pool_attrs(NodeReader& node) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    const Ints kernel = node.ints("kernel_shape", {});
    if (kernel.empty()) return bad_attribute(std::string(node.op_type()) + " needs the attribute kernel_shape");
    ORRERY_TRY(const WindowAttrs window, read_window(node, input, kernel));
    return graph::Attrs::Map{{"kernel", window.kernel},
                             {"strides", window.strides},
                             {"dilations", window.dilations},
                             {"pads", window.pads},
                             {"ceil", node.integer("ceil_mode", 0) != 0}};
}

Converted max_pool(NodeReader& node) {
    ORRERY_TRY(graph::Attrs::Map attrs, pool_attrs(node));
    if (node.output_count() < 2 || !node.has_output(1))
        return result(node, node.call("max_pool", {node.input(0)}, graph::Attrs(std::move(attrs))));
    attrs["column_major"] = node.integer("storage_order", 0) != 0;
    ORRERY_TRY(const Var both, node.call("max_pool_with_indices", {node.input(0)}, graph::Attrs(std::move(attrs))));
    return results(node, {node.project(both, 0), node.project(both, 1)});
}

Converted average_pool(NodeReader& node) {
    ORRERY_TRY(graph::Attrs::Map attrs, pool_attrs(node));
    attrs["count_include_pad"] = node.integer("count_include_pad", 0) != 0;
    return result(node, node.call("avg_pool", {node.input(0)}, graph::Attrs(std::move(attrs))));
}

Converted lp_pool(NodeReader& node) {
    ORRERY_TRY(graph::Attrs::Map attrs, pool_attrs(node));
    attrs["p"] = node.integer("p", 2);
    return result(node, node.call("lp_pool", {node.input(0)}, graph::Attrs(std::move(attrs))));
}

Result<Ints> spatial_axes(NodeReader& node) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    if (input.size() < 3) return bad_shape(std::string(node.op_type()) + " takes [N, C, spatial...]");
    Ints axes = all_axes(input.size());
    axes.erase(axes.begin(), axes.begin() + 2);
    return axes;
}

template <OpName Op> Converted global_pool(NodeReader& node) {
    ORRERY_TRY(Ints axes, spatial_axes(node));
    return result(node, node.call(Op.text, {node.input(0)}, {{"axes", std::move(axes)}}));
}

Converted global_lp_pool(NodeReader& node) {
    ORRERY_TRY(const Ints axes, spatial_axes(node));
    const std::int64_t p = node.integer("p", 2);
    if (p == 1 || p == 2)
        return result(node, node.call(p == 1 ? "reduce_l1" : "reduce_l2", {node.input(0)}, {{"axes", axes}}));
    if (p < 1) return bad_attribute("p must be 1 or more, not " + std::to_string(p));
    ORRERY_TRY(const DType dtype, input_dtype(node, 0));
    ORRERY_TRY(const Var magnitude, node.call("abs", {node.input(0)}));
    ORRERY_TRY(const Var powers, node.call("power", {magnitude, scalar(node, dtype, static_cast<double>(p))}));
    ORRERY_TRY(const Var sum, node.call("reduce_sum", {powers}, {{"axes", axes}}));
    return result(node, node.call("power", {sum, scalar(node, dtype, 1.0 / static_cast<double>(p))}));
}

/// Every value goes back to where the pooling took it from; the rest is zero. Indices count in the shape the windows
/// span; a larger shape asked for is padded with zeros after.
Converted max_unpool(NodeReader& node) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    ORRERY_TRY(const Shape indices, input_shape(node, 1));
    const Ints kernel = node.ints("kernel_shape", {});
    ORRERY_TRY(const WindowAttrs window, read_window(node, input, kernel));
    if (indices != input || window.pads.size() != 2 * kernel.size())
        return bad_shape("MaxUnpool takes values and indices of one shape");
    Shape span{input[0], input[1]};
    for (std::size_t i = 0; i < kernel.size(); ++i)
        span.push_back((input[2 + i] - 1) * window.strides[i] + kernel[i] - window.pads[i] -
                       window.pads[kernel.size() + i]);
    ORRERY_TRY(const DType dtype, input_dtype(node, 0));
    ORRERY_TRY(const std::int64_t count, checked_elements(span, dtype, kMaxConstantBytes));
    ORRERY_TRY(NDArray zeros, filled(dtype, {count}, 0));
    ORRERY_TRY(const Var values, reshaped(node, node.input(0), {element_count(input)}));
    ORRERY_TRY(const Var places, reshaped(node, node.input(1), {element_count(input)}));
    ORRERY_TRY(const Var flat, node.call("scatter_elements", {node.constant_var(std::move(zeros)), places, values},
                                         {{"axis", std::int64_t{0}}}));
    ORRERY_TRY(const Var spread, reshaped(node, flat, span));
    if (!node.has(2)) return result(node, spread);
    ORRERY_TRY(const NDArray shape, node.required_constant(2, "output_shape"));
    Ints after = shape.to_ints();
    if (after.size() != span.size()) return bad_shape("output_shape must have one extent a dimension");
    for (std::size_t i = 0; i < after.size(); ++i) after[i] -= span[i];
    return result(node, node.call("pad", {spread}, {{"after", after}}));
}

constexpr ConverterRow kConvRows[] = {
    {"AveragePool", 1, average_pool},
    {"Conv", 1, conv},
    {"ConvTranspose", 1, conv_transpose},
    {"GlobalAveragePool", 1, global_pool<"reduce_mean">},
    {"GlobalLpPool", 2, global_lp_pool},
    {"GlobalMaxPool", 1, global_pool<"reduce_max">},
    {"LpPool", 2, lp_pool},
    {"MaxPool", 1, max_pool},
    {"MaxUnpool", 9, max_unpool},
};

} // namespace

Rows conv_rows() { return kConvRows; }

} // namespace orrery::onnx
