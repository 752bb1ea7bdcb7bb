// Normalizations.

#include "core/frontends/onnx/convert_support.hpp"

namespace orrery::onnx {

namespace {

/// Inputs 1.. as variables of the first one's element type.
Result<Vars> alike(NodeReader& node, std::size_t count) {
    ORRERY_CHECK_OK(require_inputs(node, count));
    ORRERY_TRY(const DType dtype, input_dtype(node, 0));
    Vars vars;
    for (std::size_t i = 0; i < count; ++i) {
        ORRERY_TRY(Var var, cast_to(node, node.input(i), dtype));
        vars.push_back(std::move(var));
    }
    return vars;
}

// ------------------------------------------------------------------------------------- batch norm

/// old * momentum + now * (1 - momentum)
Result<Var> running(NodeReader& node, const Var& old, const Var& now, double momentum) {
    const DType dtype = type_of(old).dtype;
    ORRERY_TRY(const Var kept, node.call("multiply", {old, scalar(node, dtype, momentum)}));
    ORRERY_TRY(const Var moved, cast_to(node, now, dtype));
    ORRERY_TRY(const Var added, node.call("multiply", {moved, scalar(node, dtype, 1 - momentum)}));
    return node.call("add", {kept, added});
}

/// By the batch's own moments; also gives the running ones.
Converted batch_norm_training(NodeReader& node, Vars args) {
    const std::size_t rank = type_of(args[0]).dims.size();
    if (rank < 2) return bad_shape("BatchNormalization takes [N, C, ...]");
    Ints axes = all_axes(rank);
    axes.erase(axes.begin() + 1);
    ORRERY_TRY(const Var mean, node.call("reduce_mean", {args[0]}, {{"axes", axes}, {"keepdims", true}}));
    ORRERY_TRY(const Var centred, node.call("subtract", {args[0], mean}));
    ORRERY_TRY(const Var squares, node.call("multiply", {centred, centred}));
    ORRERY_TRY(const Var variance, node.call("reduce_mean", {squares}, {{"axes", axes}, {"keepdims", false}}));
    ORRERY_TRY(const Var flat_mean, reshaped(node, mean, shape_of(variance)));
    ORRERY_TRY(const Var y, node.call("batch_norm", {args[0], args[1], args[2], flat_mean, variance},
                                      {{"epsilon", node.number("epsilon", 1e-5)}}));
    Vars vars{y};
    const double momentum = node.number("momentum", 0.9);
    for (std::size_t i = 0; i < 2; ++i) {
        if (i + 1 >= node.output_count() || !node.has_output(i + 1)) break;
        ORRERY_TRY(Var moment, running(node, node.input(3 + i), i == 0 ? flat_mean : variance, momentum));
        vars.push_back(std::move(moment));
    }
    return results(node, std::move(vars));
}

/// Statistics of every place of a sample, [C, H, W] each: what `spatial` = 0 said until opset 8.
Converted batch_norm_by_place(NodeReader& node, const Vars& args) {
    const DType dtype = type_of(args[0]).dtype;
    ORRERY_TRY(const Var shifted, node.call("add", {args[4], scalar(node, dtype, node.number("epsilon", 1e-5))}));
    ORRERY_TRY(const Var deviation, node.call("sqrt", {shifted}));
    ORRERY_TRY(const Var centred, node.call("subtract", {args[0], args[3]}));
    ORRERY_TRY(const Var normal, node.call("divide", {centred, deviation}));
    ORRERY_TRY(const Var scaled, node.call("multiply", {normal, args[1]}));
    return result(node, node.call("add", {scaled, args[2]}));
}

Converted batch_norm(NodeReader& node) {
    ORRERY_TRY(Vars args, alike(node, 5));
    if (node.opset() >= 14 && node.integer("training_mode", 0) != 0) return batch_norm_training(node, std::move(args));
    if (node.opset() < 9 && node.integer("spatial", 1) == 0) return batch_norm_by_place(node, args);
    return result(node, node.call("batch_norm", args, {{"epsilon", node.number("epsilon", 1e-5)}}));
}

Converted instance_norm(NodeReader& node) {
    ORRERY_TRY(const Vars args, alike(node, 3));
    return result(node, node.call("instance_norm", args, {{"epsilon", node.number("epsilon", 1e-5)}}));
}

/// Until opset 20 scale and bias have one element a group.
Converted group_norm(NodeReader& node) {
    ORRERY_TRY(Vars args, alike(node, 3));
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    const std::int64_t groups = node.integer("num_groups", 0);
    if (input.size() < 2 || groups < 1 || input[1] % groups != 0)
        return bad_attribute("num_groups must divide the channels");
    for (std::size_t i = 1; i < 3 && node.opset() < 21; ++i) {
        if (shape_of(args[i]) == Shape{input[1]}) continue;
        ORRERY_TRY(const Var column, reshaped(node, args[i], {groups, 1}));
        ORRERY_TRY(const Var repeated,
                   node.call("broadcast_to", {column}, {{"shape", Ints{groups, input[1] / groups}}}));
        ORRERY_TRY(args[i], reshaped(node, repeated, {input[1]}));
    }
    return result(node, node.call("group_norm", args, {{"groups", groups}, {"epsilon", node.number("epsilon", 1e-5)}}));
}

// ------------------------------------------------------------------------------------- layer norm

/// Mean and inverse deviation, for the models that ask for them.
Result<Vars> layer_moments(NodeReader& node, const Ints& axes, double epsilon) {
    ORRERY_TRY(const Var x, cast_to(node, node.input(0), DType::F32));
    ORRERY_TRY(const Var mean, node.call("reduce_mean", {x}, {{"axes", axes}}));
    ORRERY_TRY(const Var centred, node.call("subtract", {x, mean}));
    ORRERY_TRY(const Var squares, node.call("multiply", {centred, centred}));
    ORRERY_TRY(const Var variance, node.call("reduce_mean", {squares}, {{"axes", axes}}));
    ORRERY_TRY(const Var shifted, node.call("add", {variance, scalar(node, DType::F32, epsilon)}));
    ORRERY_TRY(const Var deviation, node.call("sqrt", {shifted}));
    ORRERY_TRY(const Var inverse, node.call("reciprocal", {deviation}));
    return Vars{mean, inverse};
}

Converted layer_norm(NodeReader& node) {
    ORRERY_TRY(const DType dtype, input_dtype(node, 0));
    ORRERY_TRY(const TensorType type, node.type(0));
    ORRERY_TRY(const std::size_t axis, axis_in(node.integer("axis", -1), type.dims.size()));
    Vars args;
    for (std::size_t i = 0; i < std::min<std::size_t>(node.input_count(), 3); ++i) {
        args.push_back(node.input(i));
        if (!args.back()) continue;
        ORRERY_TRY(args.back(), cast_to(node, args.back(), dtype));
    }
    const double epsilon = node.number("epsilon", 1e-5);
    ORRERY_TRY(const Var y,
               node.call("layer_norm", args, {{"axis", static_cast<std::int64_t>(axis)}, {"epsilon", epsilon}}));
    Vars vars{y};
    const auto asked = [&](std::size_t i) { return i < node.output_count() && node.has_output(i); };
    if (asked(1) || asked(2)) {
        Ints axes = all_axes(type.dims.size());
        axes.erase(axes.begin(), axes.begin() + static_cast<std::ptrdiff_t>(axis));
        ORRERY_TRY(const Vars moments, layer_moments(node, axes, epsilon));
        vars.insert(vars.end(), moments.begin(), moments.end());
    }
    return results(node, std::move(vars));
}

/// Computed in `stash_type`, which is f32 in every model there is.
Converted rms_norm(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 2));
    ORRERY_TRY(const DType dtype, input_dtype(node, 0));
    ORRERY_TRY(const DType scale_type, input_dtype(node, 1));
    ORRERY_TRY(const Var x, cast_to(node, node.input(0), scale_type));
    ORRERY_TRY(const Var y, node.call("rms_norm", {x, node.input(1)},
                                      {{"axis", node.integer("axis", -1)}, {"epsilon", node.number("epsilon", 1e-5)}}));
    return result(node, is_float(dtype) ? Result<Var>(y) : cast_to(node, y, dtype));
}

Converted lrn(NodeReader& node) {
    return result(node, node.call("lrn", inputs(node),
                                  {{"size", node.integer("size", 0)},
                                   {"alpha", node.number("alpha", 1e-4)},
                                   {"beta", node.number("beta", 0.75)},
                                   {"bias", node.number("bias", 1)}}));
}

Converted lp_normalization(NodeReader& node) {
    return result(node, node.call("lp_normalize", inputs(node),
                                  {{"axis", node.integer("axis", -1)}, {"p", node.integer("p", 2)}}));
}

/// (x - E[x]) / (sqrt(E[x^2] - E[x]^2) + 1e-9): the operator's own definition.
Converted mean_variance_norm(NodeReader& node) {
    ORRERY_TRY(const DType dtype, input_dtype(node, 0));
    const Ints axes = node.ints("axes", {0, 2, 3});
    ORRERY_TRY(const Var mean, node.call("reduce_mean", {node.input(0)}, {{"axes", axes}}));
    ORRERY_TRY(const Var centred, node.call("subtract", {node.input(0), mean}));
    ORRERY_TRY(const Var squares, node.call("multiply", {centred, centred}));
    ORRERY_TRY(const Var variance, node.call("reduce_mean", {squares}, {{"axes", axes}}));
    ORRERY_TRY(const Var deviation, node.call("sqrt", {variance}));
    ORRERY_TRY(const Var divisor, node.call("add", {deviation, scalar(node, dtype, 1e-9)}));
    return result(node, node.call("divide", {centred, divisor}));
}

constexpr ConverterRow kNormRows[] = {
    {"BatchNormalization", 1, batch_norm},
    {"GroupNormalization", 18, group_norm},
    {"InstanceNormalization", 1, instance_norm},
    {"LRN", 1, lrn},
    {"LayerNormalization", 1, layer_norm},
    {"LpNormalization", 1, lp_normalization},
    {"MeanVarianceNormalization", 9, mean_variance_norm},
    {"RMSNormalization", 23, rms_norm},
};

} // namespace

Rows norm_rows() { return kNormRows; }

} // namespace orrery::onnx
