// Resampling: Resize and the Upsample before it.

#include "core/frontends/onnx/convert_support.hpp"

#include <cmath>

namespace orrery::onnx {

namespace {

using graph::Floats;

struct ResizeSpec {
    Ints sizes;
    Floats scales;
    Floats roi; ///< starts, then ends; empty when there is none
};

Floats to_floats(const NDArray& array) {
    Floats values;
    for (std::int64_t i = 0; i < array.size(); ++i) values.push_back(array.as_double(i));
    return values;
}

/// A known input with elements; nullopt when it is missing or empty.
Result<std::optional<NDArray>> given(NodeReader& node, std::size_t i, const char* what) {
    if (!node.has(i)) return std::optional<NDArray>();
    ORRERY_TRY(NDArray value, node.required_constant(i, what));
    if (value.size() == 0) return std::optional<NDArray>();
    return std::optional<NDArray>(std::move(value));
}

/// Extents from scales. Errors: BadAttribute for scales no size can be computed from.
Result<void> apply_scales(const Shape& input, ResizeSpec& spec) {
    if (spec.scales.size() != input.size()) return bad_shape("scales must be one for each dimension");
    spec.sizes.clear();
    for (std::size_t i = 0; i < input.size(); ++i) {
        const double part = spec.roi.empty() ? 1 : spec.roi[input.size() + i] - spec.roi[i];
        // f32 scales: what is meant as a whole number may come out a hair below it.
        const double extent = std::floor(static_cast<double>(input[i]) * part * spec.scales[i] + 1e-6);
        if (!(spec.scales[i] > 0 && extent >= 0 && extent < 1e12))
            return bad_attribute("a scale is out of range: " + std::to_string(spec.scales[i]));
        spec.sizes.push_back(static_cast<std::int64_t>(extent));
    }
    return {};
}

Result<Var> resize(NodeReader& node, const ResizeSpec& spec, graph::Attrs::Map attrs) {
    attrs["sizes"] = spec.sizes;
    attrs["scales"] = spec.scales;
    if (!spec.roi.empty()) attrs["roi"] = spec.roi;
    return node.call("resize", {node.input(0)}, graph::Attrs(std::move(attrs)));
}

/// Upsample, and Resize of opset 10: positions are divided by the scale and rounded down.
Converted by_scales(NodeReader& node, Floats scales) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    const std::string mode = node.text("mode", "nearest");
    ResizeSpec spec{.sizes = {}, .scales = std::move(scales), .roi = {}};
    ORRERY_CHECK_OK(apply_scales(input, spec));
    return result(node, resize(node, spec,
                               {{"mode", mode == "bilinear" ? std::string("linear") : mode},
                                {"coordinates", std::string("asymmetric")},
                                {"rounding", std::string("floor")}}));
}

Converted upsample_attributes(NodeReader& node) { return by_scales(node, node.floats("scales", {})); }
Converted upsample_inputs(NodeReader& node) {
    ORRERY_TRY(const NDArray scales, node.required_constant(1, "scales"));
    return by_scales(node, to_floats(scales));
}

/// Extents asked for, the rest of the axes as they are; with a policy, one scale for all.
Result<void> apply_sizes(NodeReader& node, const Shape& input, const Ints& sizes, const Ints& axes, ResizeSpec& spec) {
    if (sizes.size() != axes.size()) return bad_shape("sizes must be one for each axis");
    const std::string policy = node.text("keep_aspect_ratio_policy", "stretch");
    double common = 0;
    for (std::size_t i = 0; i < axes.size(); ++i) {
        ORRERY_TRY(const std::size_t axis, axis_in(axes[i], input.size()));
        if (sizes[i] < 0 || input[axis] < 1) return bad_shape("sizes are 0 or more, of axes that are not empty");
        const double scale = static_cast<double>(sizes[i]) / static_cast<double>(input[axis]);
        common = i == 0 ? scale : policy == "not_larger" ? std::min(common, scale) : std::max(common, scale);
        spec.sizes[axis] = sizes[i];
        spec.scales[axis] = scale;
    }
    if (policy == "stretch") return {};
    if (policy != "not_larger" && policy != "not_smaller")
        return bad_attribute("there is no keep_aspect_ratio_policy " + policy);
    for (std::int64_t a : axes) {
        ORRERY_TRY(const std::size_t axis, axis_in(a, input.size()));
        spec.scales[axis] = common;
        spec.sizes[axis] = static_cast<std::int64_t>(std::floor(common * static_cast<double>(input[axis]) + 0.5));
    }
    return {};
}

Result<ResizeSpec> read_resize(NodeReader& node, const Shape& input) {
    ResizeSpec spec{.sizes = input, .scales = Floats(input.size(), 1.0), .roi = {}};
    const Ints axes = node.ints("axes", all_axes(input.size()));
    if (node.text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize") {
        ORRERY_TRY(const std::optional<NDArray> roi, given(node, 1, "roi"));
        if (!roi || roi->size() != 2 * static_cast<std::int64_t>(axes.size()))
            return bad_shape("roi must have two values for each axis");
        spec.roi.assign(2 * input.size(), 0.0);
        for (std::size_t i = 0; i < input.size(); ++i) spec.roi[input.size() + i] = 1;
        for (std::size_t i = 0; i < axes.size(); ++i) {
            ORRERY_TRY(const std::size_t axis, axis_in(axes[i], input.size()));
            spec.roi[axis] = roi->as_double(static_cast<std::int64_t>(i));
            spec.roi[input.size() + axis] = roi->as_double(static_cast<std::int64_t>(axes.size() + i));
        }
    }
    ORRERY_TRY(const std::optional<NDArray> scales, given(node, 2, "scales"));
    ORRERY_TRY(const std::optional<NDArray> sizes, given(node, 3, "sizes"));
    if (sizes) {
        ORRERY_CHECK_OK(apply_sizes(node, input, sizes->to_ints(), axes, spec));
        return spec;
    }
    if (!scales || scales->size() != static_cast<std::int64_t>(axes.size()))
        return bad_shape("Resize needs one scale or size for each axis");
    for (std::size_t i = 0; i < axes.size(); ++i) {
        ORRERY_TRY(const std::size_t axis, axis_in(axes[i], input.size()));
        spec.scales[axis] = scales->as_double(static_cast<std::int64_t>(i));
    }
    ORRERY_CHECK_OK(apply_scales(input, spec));
    return spec;
}

Converted resize_11(NodeReader& node) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    ORRERY_TRY(const ResizeSpec spec, read_resize(node, input));
    return result(node, resize(node, spec,
                               {{"mode", node.text("mode", "nearest")},
                                {"coordinates", node.text("coordinate_transformation_mode", "half_pixel")},
                                {"rounding", node.text("nearest_mode", "round_prefer_floor")},
                                {"cubic_a", node.number("cubic_coeff_a", -0.75)},
                                {"exclude_outside", node.integer("exclude_outside", 0) != 0},
                                {"extrapolation", node.number("extrapolation_value", 0)},
                                {"antialias", node.integer("antialias", 0) != 0}}));
}

constexpr ConverterRow kResizeRows[] = {
    {"Resize", 10, upsample_inputs},
    {"Resize", 11, resize_11},
    {"Upsample", 7, upsample_attributes},
    {"Upsample", 9, upsample_inputs},
};

} // namespace

Rows resize_rows() { return kResizeRows; }

} // namespace orrery::onnx
