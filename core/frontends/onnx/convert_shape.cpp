// Operators that rearrange: reshape, transpose, concat, split, slice, pad, tile, expand.

#include "core/frontends/onnx/convert_support.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace orrery::onnx {

namespace {

/// Axes from an attribute before `since`, from input i from there on; `fallback` when left out.
Result<Ints> axes_of(NodeReader& node, int since, std::size_t i, Ints fallback) {
    if (node.opset() < since) return node.ints("axes", std::move(fallback));
    if (!node.has(i)) return fallback;
    ORRERY_TRY(const NDArray axes, node.required_constant(i, "axes"));
    return axes.to_ints();
}

Converted reshape(NodeReader& node) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    Ints shape;
    if (node.opset() < 5) {
        shape = node.ints("shape", {});
    } else {
        ORRERY_TRY(const NDArray value, node.required_constant(1, "shape"));
        shape = value.to_ints();
    }
    if (node.integer("allowzero", 0) == 0)
        for (std::size_t i = 0; i < shape.size(); ++i) {
            if (shape[i] != 0) continue;
            if (i >= input.size()) return bad_shape("a 0 in Reshape's shape copies a dimension that the input lacks");
            shape[i] = input[i];
        }
    return result(node, node.call("reshape", {node.input(0)}, {{"shape", shape}}));
}

Converted flatten(NodeReader& node) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    const std::int64_t rank = static_cast<std::int64_t>(input.size()), axis = node.integer("axis", 1);
    if (axis < -rank || axis > rank)
        return bad_attribute("axis " + std::to_string(axis) + " is outside a tensor of " + std::to_string(rank) +
                             " dimensions");
    const auto middle = input.begin() + (axis < 0 ? axis + rank : axis);
    const std::int64_t rows = element_count({input.begin(), middle}), columns = element_count({middle, input.end()});
    return result(node, reshaped(node, node.input(0), {rows, columns}));
}

Converted squeeze(NodeReader& node) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    Ints fallback;
    for (std::size_t i = 0; i < input.size(); ++i)
        if (input[i] == 1) fallback.push_back(static_cast<std::int64_t>(i));
    ORRERY_TRY(const Ints axes, axes_of(node, 13, 1, fallback));
    std::vector<bool> dropped(input.size());
    for (std::int64_t axis : axes) {
        ORRERY_TRY(const std::size_t at, axis_in(axis, input.size()));
        if (input[at] != 1)
            return bad_shape("Squeeze drops axis " + std::to_string(at) + ", which has " + std::to_string(input[at]) +
                             " elements");
        dropped[at] = true;
    }
    Shape shape;
    for (std::size_t i = 0; i < input.size(); ++i)
        if (!dropped[i]) shape.push_back(input[i]);
    return result(node, reshaped(node, node.input(0), shape));
}

Converted unsqueeze(NodeReader& node) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    ORRERY_TRY(const Ints axes, axes_of(node, 13, 1, {}));
    const std::size_t rank = input.size() + axes.size();
    std::vector<bool> added(rank);
    for (std::int64_t axis : axes) {
        ORRERY_TRY(const std::size_t at, axis_in(axis, rank));
        if (added[at]) return bad_attribute("Unsqueeze names axis " + std::to_string(at) + " twice");
        added[at] = true;
    }
    Shape shape;
    auto next = input.begin();
    for (std::size_t i = 0; i < rank; ++i) shape.push_back(added[i] ? 1 : *next++);
    return result(node, reshaped(node, node.input(0), shape));
}

Converted transpose(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 1));
    ORRERY_TRY(const TensorType type, node.type(0));
    Ints reversed = all_axes(type.dims.size());
    std::ranges::reverse(reversed);
    return result(node, transposed(node, node.input(0), node.ints("perm", reversed)));
}

Converted concat(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, std::max<std::size_t>(node.input_count(), 1)));
    return result(node, node.call("concat", inputs(node), {{"axis", node.integer("axis", 1)}}));
}

// ------------------------------------------------------------------------------------------ split

Result<Ints> split_sizes(NodeReader& node, std::int64_t extent) {
    const auto outputs = static_cast<std::int64_t>(node.output_count());
    if (node.opset() < 13 && node.has_attr("split")) return node.ints("split", {});
    if (node.opset() >= 13 && node.has(1)) {
        ORRERY_TRY(const NDArray sizes, node.required_constant(1, "split"));
        return sizes.to_ints();
    }
    const std::int64_t parts = node.opset() >= 18 ? node.integer("num_outputs", outputs) : outputs;
    if (parts < 1 || parts != outputs) return bad_attribute("num_outputs must be the number of outputs");
    const std::int64_t size = (extent + parts - 1) / parts;
    if (size * (parts - 1) > extent)
        return bad_shape(std::to_string(extent) + " elements cannot be split into " + std::to_string(parts) + " parts");
    Ints sizes(static_cast<std::size_t>(parts), size);
    sizes.back() = extent - size * (parts - 1);
    return sizes;
}

Converted split(NodeReader& node) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    ORRERY_TRY(const std::size_t axis, axis_in(node.integer("axis", 0), input.size()));
    ORRERY_TRY(const Ints sizes, split_sizes(node, input[axis]));
    if (sizes.size() != node.output_count())
        return bad_shape("Split names " + std::to_string(sizes.size()) + " sizes for " +
                         std::to_string(node.output_count()) + " outputs");
    std::int64_t at = 0;
    Vars parts;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        if (sizes[i] < 0 || sizes[i] > input[axis] - at)
            return bad_shape("Split's sizes do not sum up to " + std::to_string(input[axis]));
        Ints begins(input.size(), 0), extents(input);
        begins[axis] = at;
        extents[axis] = sizes[i];
        at += sizes[i];
        if (!node.has_output(i)) {
            parts.emplace_back();
            continue;
        }
        ORRERY_TRY(Var part, node.call("slice", {node.input(0)}, {{"begins", begins}, {"sizes", extents}}));
        parts.push_back(std::move(part));
    }
    if (at != input[axis]) return bad_shape("Split's sizes do not sum up to " + std::to_string(input[axis]));
    return results(node, std::move(parts));
}

// ------------------------------------------------------------------------------------------ slice

struct SliceSpec {
    Ints starts, ends, axes, steps;
};

Result<SliceSpec> read_slice(NodeReader& node, std::size_t rank) {
    SliceSpec spec;
    if (node.opset() < 10) {
        spec.starts = node.ints("starts", {});
        spec.ends = node.ints("ends", {});
        spec.axes = node.ints("axes", all_axes(spec.starts.size()));
        spec.steps = Ints(spec.starts.size(), 1);
    } else {
        ORRERY_TRY(const NDArray starts, node.required_constant(1, "starts"));
        ORRERY_TRY(const NDArray ends, node.required_constant(2, "ends"));
        spec.starts = starts.to_ints();
        spec.ends = ends.to_ints();
        ORRERY_TRY(spec.axes, axes_of(node, 10, 3, all_axes(spec.starts.size())));
        spec.steps = Ints(spec.starts.size(), 1);
        if (node.has(4)) {
            ORRERY_TRY(const NDArray steps, node.required_constant(4, "steps"));
            spec.steps = steps.to_ints();
        }
    }
    const std::size_t count = spec.starts.size();
    if (spec.ends.size() != count || spec.axes.size() != count || spec.steps.size() != count || count > rank)
        return bad_shape("Slice's starts, ends, axes and steps must be of one length");
    return spec;
}

Converted slice(NodeReader& node) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    ORRERY_TRY(const SliceSpec spec, read_slice(node, input.size()));
    Ints begins(input.size(), 0), sizes(input), steps(input.size(), 1);
    for (std::size_t i = 0; i < spec.starts.size(); ++i) {
        ORRERY_TRY(const std::size_t axis, axis_in(spec.axes[i], input.size()));
        const std::int64_t extent = input[axis];
        if (spec.steps[i] == 0 || spec.steps[i] == std::numeric_limits<std::int64_t>::min())
            return bad_attribute("Slice's steps are not 0");
        // A step past the whole axis is as good as one of its length.
        const std::int64_t step =
            std::clamp(spec.steps[i], -std::max<std::int64_t>(extent, 1), std::max<std::int64_t>(extent, 1));
        const auto wrapped = [extent](std::int64_t at) { return at < 0 ? std::max(at, -extent - 1) + extent : at; };
        // Forward: begin and end within [0, extent]. Backward: begin up to the last element, end down to before the
        // first.
        const std::int64_t low = step > 0 ? 0 : -1, high = step > 0 ? extent : extent - 1;
        const std::int64_t begin = std::clamp(wrapped(spec.starts[i]), std::min(low + (step < 0 ? 1 : 0), high),
                                              std::max(high, std::int64_t{0}));
        const std::int64_t end = std::clamp(wrapped(spec.ends[i]), low, std::max(high, low));
        const std::int64_t reach = step > 0 ? end - begin : begin - end, stride = step > 0 ? step : -step;
        sizes[axis] = extent == 0 || reach <= 0 ? 0 : (reach + stride - 1) / stride;
        begins[axis] = sizes[axis] == 0 ? 0 : begin;
        steps[axis] = step;
    }
    return result(node, node.call("slice", {node.input(0)}, {{"begins", begins}, {"sizes", sizes}, {"steps", steps}}));
}

// -------------------------------------------------------------------------------------------- pad

Result<Var> padded(NodeReader& node, const Ints& pads, const Ints& axes, const Var& value) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    if (pads.size() != 2 * axes.size()) return bad_shape("Pad's pads must be two for each axis");
    Ints before(input.size(), 0), after(input.size(), 0);
    for (std::size_t i = 0; i < axes.size(); ++i) {
        ORRERY_TRY(const std::size_t axis, axis_in(axes[i], input.size()));
        before[axis] = pads[i];
        after[axis] = pads[axes.size() + i];
    }
    Vars args{node.input(0)};
    if (value) args.push_back(value);
    return node.call("pad", args, {{"before", before}, {"after", after}, {"mode", node.text("mode", "constant")}});
}

Converted pad_attributes(NodeReader& node) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    ORRERY_TRY(const DType dtype, input_dtype(node, 0));
    const double value = node.number("value", 0);
    return result(node, padded(node, node.ints("pads", {}), all_axes(input.size()),
                               value == 0 ? Var() : scalar(node, dtype, value)));
}

Converted pad_inputs(NodeReader& node) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    ORRERY_TRY(const NDArray pads, node.required_constant(1, "pads"));
    Ints axes = all_axes(input.size());
    if (node.has(3)) {
        ORRERY_TRY(const NDArray given, node.required_constant(3, "axes"));
        axes = given.to_ints();
    }
    return result(node, padded(node, pads.to_ints(), axes, node.has(2) ? node.input(2) : Var()));
}

/// Each axis is cut or padded to the extent asked for, the odd element after.
Converted center_crop_pad(NodeReader& node) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    ORRERY_TRY(const NDArray shape, node.required_constant(1, "shape"));
    const Ints axes = node.ints("axes", all_axes(input.size()));
    if (static_cast<std::int64_t>(axes.size()) != shape.size())
        return bad_shape("CenterCropPad's shape must be one extent for each axis");
    Ints begins(input.size(), 0), sizes(input), before(input.size(), 0), after(input.size(), 0);
    for (std::size_t i = 0; i < axes.size(); ++i) {
        ORRERY_TRY(const std::size_t axis, axis_in(axes[i], input.size()));
        const std::int64_t extent = shape.as_int(static_cast<std::int64_t>(i)), missing = extent - input[axis];
        if (extent < 0) return bad_shape("CenterCropPad's extents are 0 or more");
        if (missing < 0) {
            begins[axis] = -missing / 2;
            sizes[axis] = extent;
        } else {
            before[axis] = missing / 2;
            after[axis] = missing - missing / 2;
        }
    }
    ORRERY_TRY(const Var cut, node.call("slice", {node.input(0)}, {{"begins", begins}, {"sizes", sizes}}));
    return result(node, node.call("pad", {cut}, {{"before", before}, {"after", after}}));
}

// -------------------------------------------------------------------------------- tile and expand

Converted tile(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 1));
    ORRERY_TRY(const NDArray repeats, node.required_constant(1, "repeats"));
    return result(node, node.call("tile", {node.input(0)}, {{"repeats", repeats.to_ints()}}));
}

Converted expand(NodeReader& node) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    ORRERY_TRY(const NDArray value, node.required_constant(1, "shape"));
    Ints shape = value.to_ints();
    while (shape.size() < input.size()) shape.insert(shape.begin(), 1);
    // The target broadcasts too: where it says 1 the input's extent stays.
    for (std::size_t i = 0; i < input.size(); ++i) {
        std::int64_t& extent = shape[shape.size() - input.size() + i];
        if (extent == 1) extent = input[i];
    }
    return result(node, node.call("broadcast_to", {node.input(0)}, {{"shape", shape}}));
}

Converted depth_to_space(NodeReader& node) {
    const std::string mode = node.text("mode", "DCR");
    if (mode != "DCR" && mode != "CRD") return bad_attribute("mode is DCR or CRD, not " + mode);
    return result(node, node.call("depth_to_space", inputs(node),
                                  {{"block", node.integer("blocksize", 0)}, {"column_row", mode == "CRD"}}));
}

Converted space_to_depth(NodeReader& node) {
    return result(node, node.call("space_to_depth", inputs(node), {{"block", node.integer("blocksize", 0)}}));
}

Converted trilu(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 1));
    std::int64_t k = 0;
    if (node.has(1)) {
        ORRERY_TRY(const NDArray value, node.required_constant(1, "k"));
        if (value.size() != 1) return bad_shape("k is one number");
        k = value.as_int(0);
    }
    return result(node, node.call("trilu", {node.input(0)}, {{"upper", node.integer("upper", 1) != 0}, {"k", k}}));
}

constexpr ConverterRow kShapeRows[] = {
    {"CenterCropPad", 18, center_crop_pad},
    {"Concat", 1, concat},
    {"DepthToSpace", 1, depth_to_space},
    {"Expand", 8, expand},
    {"Flatten", 1, flatten},
    {"Pad", 2, pad_attributes},
    {"Pad", 11, pad_inputs},
    {"Reshape", 1, reshape},
    {"Slice", 1, slice},
    {"SpaceToDepth", 1, space_to_depth},
    {"Split", 2, split},
    {"Squeeze", 1, squeeze},
    {"Tile", 6, tile},
    {"Transpose", 1, transpose},
    {"Trilu", 14, trilu},
    {"Unsqueeze", 1, unsqueeze},
};

} // namespace

Rows shape_rows() { return kShapeRows; }

} // namespace orrery::onnx
