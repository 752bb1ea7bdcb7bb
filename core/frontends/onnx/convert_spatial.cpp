// Operators that sample images: grids, regions, windows with moved taps.

#include "core/frontends/onnx/convert_support.hpp"

namespace orrery::onnx {

namespace {

Converted grid_sample(NodeReader& node) {
    std::string mode = node.text("mode", "bilinear");
    if (mode == "bilinear") mode = "linear";
    if (mode == "bicubic") mode = "cubic";
    return result(node, node.call("grid_sample", inputs(node),
                                  {{"mode", mode},
                                   {"padding", node.text("padding_mode", "zeros")},
                                   {"align_corners", node.integer("align_corners", 0) != 0}}));
}

Converted roi_align(NodeReader& node) {
    const std::string transform =
        node.text("coordinate_transformation_mode", node.opset() >= 16 ? "half_pixel" : "output_half_pixel");
    if (transform != "half_pixel" && transform != "output_half_pixel")
        return bad_attribute("there is no coordinate_transformation_mode " + transform);
    return result(node, node.call("roi_align", inputs(node),
                                  {{"height", node.integer("output_height", 1)},
                                   {"width", node.integer("output_width", 1)},
                                   {"samples", node.integer("sampling_ratio", 0)},
                                   {"spatial_scale", node.number("spatial_scale", 1)},
                                   {"mode", node.text("mode", "avg")},
                                   {"half_pixel", transform == "half_pixel"}}));
}

Converted max_roi_pool(NodeReader& node) {
    const Ints pooled = node.ints("pooled_shape", {});
    if (pooled.size() != 2) return bad_attribute("MaxRoiPool's pooled_shape is a height and a width");
    return result(
        node,
        node.call("roi_max_pool", inputs(node),
                  {{"height", pooled[0]}, {"width", pooled[1]}, {"spatial_scale", node.number("spatial_scale", 1)}}));
}

Converted col2im(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 3));
    ORRERY_TRY(const NDArray image, node.required_constant(1, "image_shape"));
    ORRERY_TRY(const NDArray kernel, node.required_constant(2, "block_shape"));
    const auto rank = static_cast<std::size_t>(image.size());
    return result(node, node.call("col2im", {node.input(0)},
                                  {{"image", image.to_ints()},
                                   {"kernel", kernel.to_ints()},
                                   {"strides", node.ints("strides", Ints(rank, 1))},
                                   {"dilations", node.ints("dilations", Ints(rank, 1))},
                                   {"pads", node.ints("pads", Ints(2 * rank, 0))}}));
}

/// The moved windows as columns, times the filters as a matrix, group by group.
Converted deform_conv(NodeReader& node) {
    ORRERY_TRY(const Shape x, input_shape(node, 0));
    ORRERY_TRY(const Shape w, input_shape(node, 1));
    ORRERY_CHECK_OK(require_inputs(node, 3));
    const std::int64_t groups = node.integer("group", 1);
    if (x.size() != 4 || w.size() != 4) return unsupported("DeformConv is served over two spatial axes");
    if (groups < 1 || x[1] % groups != 0 || w[0] % groups != 0 || w[1] != x[1] / groups)
        return bad_shape("DeformConv's filters do not fit its channels and groups");
    if (node.ints("kernel_shape", {w[2], w[3]}) != Ints{w[2], w[3]})
        return bad_attribute("kernel_shape differs from the weights' shape");
    Vars args{node.input(0), node.input(2)};
    if (node.has(4)) args.push_back(node.input(4));
    ORRERY_TRY(const Var columns, node.call("deform_columns", args,
                                            {{"kernel", Ints{w[2], w[3]}},
                                             {"groups", node.integer("offset_group", 1)},
                                             {"strides", node.ints("strides", {1, 1})},
                                             {"dilations", node.ints("dilations", {1, 1})},
                                             {"pads", node.ints("pads", {0, 0, 0, 0})}}));
    const Shape taken = shape_of(columns); // [N, C, kh, kw, Ho, Wo]
    const std::int64_t depth = w[1] * w[2] * w[3];
    ORRERY_TRY(const Var flat, reshaped(node, columns, {x[0], groups, depth, taken[4] * taken[5]}));
    ORRERY_TRY(const Var filters, reshaped(node, node.input(1), {groups, w[0] / groups, depth}));
    ORRERY_TRY(const Var product, node.call("matmul", {filters, flat}));
    ORRERY_TRY(const Var value, reshaped(node, product, {x[0], w[0], taken[4], taken[5]}));
    if (!node.has(3)) return results(node, {value});
    return result(node, node.call("bias_add", {value, node.input(3)}, {{"axis", std::int64_t{1}}}));
}

/// Places of an axis of a grid, -1 and 1 at the centres (or the outer edges) of the first and last pixel.
double grid_place(std::int64_t i, std::int64_t extent, bool align) {
    if (!align) return (2.0 * static_cast<double>(i) + 1) / static_cast<double>(extent) - 1;
    return extent == 1 ? 0 : 2.0 * static_cast<double>(i) / static_cast<double>(extent - 1) - 1;
}

/// The places (x, y[, z], 1) of all pixels, as a constant matrix, times theta.
Converted affine_grid(NodeReader& node) {
    ORRERY_TRY(const Shape theta, input_shape(node, 0));
    ORRERY_TRY(const NDArray size, node.required_constant(1, "size"));
    ORRERY_TRY(const DType dtype, input_dtype(node, 0));
    const std::size_t axes = size.size() == 5 ? 3 : 2;
    const auto count = static_cast<std::int64_t>(axes);
    if (size.size() != count + 2 || theta.size() != 3 || theta[1] != count || theta[2] != count + 1)
        return bad_shape("AffineGrid takes theta [N, 2, 3] and a size of 4, or [N, 3, 4] and one of 5");
    const Ints extents = size.to_ints();
    const Shape image(extents.begin() + 2, extents.end());
    if (theta[0] != extents[0]) return bad_shape("AffineGrid's theta and size differ in N");
    ORRERY_TRY([[maybe_unused]] const std::int64_t pixels, checked_elements(image, DType::F64, kMaxConstantBytes / 4));
    const std::int64_t rows = element_count(image);
    ORRERY_TRY(NDArray places, filled(dtype, {rows, count + 1}, 1));
    const bool align = node.integer("align_corners", 0) != 0;
    for (std::int64_t r = 0; r < rows; ++r) {
        std::int64_t rest = r;
        for (std::int64_t a = 0; a < count; ++a) { // the innermost axis is x
            const std::int64_t extent = image[static_cast<std::size_t>(count - 1 - a)];
            places.set(r * (count + 1) + a, grid_place(rest % extent, extent, align));
            rest /= extent;
        }
    }
    ORRERY_TRY(const Var grid,
               node.call("matmul", {node.constant_var(std::move(places)), node.input(0)}, {{"transpose_b", true}}));
    Shape shape{extents[0]};
    shape.insert(shape.end(), image.begin(), image.end());
    shape.push_back(count);
    return result(node, reshaped(node, grid, shape));
}

constexpr ConverterRow kSpatialRows[] = {
    {"AffineGrid", 20, affine_grid}, {"Col2Im", 18, col2im},          {"DeformConv", 19, deform_conv},
    {"GridSample", 16, grid_sample}, {"MaxRoiPool", 1, max_roi_pool}, {"RoiAlign", 10, roi_align},
};

} // namespace

Rows spatial_rows() { return kSpatialRows; }

} // namespace orrery::onnx
