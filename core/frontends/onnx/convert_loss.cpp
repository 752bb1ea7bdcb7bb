// Losses, as the gathering of a log probability for each target.

#include "core/frontends/onnx/convert_support.hpp"

namespace orrery::onnx {

namespace {

struct Loss {
    Var log_probability; ///< [N, C, d...]
    Var target;          ///< [N, d...]
    Var weight;          ///< [C], or null
};

/// Targets with those to be ignored replaced by class 0, and where they are valid (null: everywhere).
struct Targets {
    Var index, valid;
};

Result<Targets> read_targets(NodeReader& node, const Var& target) {
    ORRERY_TRY(const Var index, cast_to(node, target, DType::I64));
    if (!node.has_attr("ignore_index")) return Targets{index, nullptr};
    const Var ignored = node.constant_var(int_vector({node.integer("ignore_index", 0)}));
    ORRERY_TRY(const Var same, node.call("equal", {index, ignored}));
    ORRERY_TRY(const Var valid, node.call("logical_not", {same}));
    ORRERY_TRY(const Var held, node.call("where", {valid, index, node.constant_var(int_vector({0}))}));
    return Targets{held, valid};
}

/// The weight of each target, null where all are 1.
Result<Var> target_weights(NodeReader& node, const Loss& loss, const Targets& targets) {
    const DType dtype = type_of(loss.log_probability).dtype;
    Var weights;
    if (loss.weight) {
        ORRERY_TRY(weights, node.call("gather", {loss.weight, targets.index}, {{"axis", std::int64_t{0}}}));
    }
    if (!targets.valid) return weights;
    if (!weights) return node.call("cast", {targets.valid}, {{"dtype", dtype}});
    return node.call("where", {targets.valid, weights, scalar(node, dtype, 0)});
}

Result<Var> negative_log_likelihood(NodeReader& node, const Loss& loss) {
    const std::string reduction = node.text("reduction", "mean");
    if (reduction != "none" && reduction != "sum" && reduction != "mean")
        return bad_attribute("reduction is none, sum or mean, not " + reduction);
    const Shape scores = shape_of(loss.log_probability), shape = shape_of(loss.target);
    if (scores.size() < 2 || shape.size() + 1 != scores.size())
        return bad_shape("a loss takes scores [N, C, d...] and targets [N, d...]");
    ORRERY_TRY(const Targets targets, read_targets(node, loss.target));
    Shape column = shape;
    column.insert(column.begin() + 1, 1);
    ORRERY_TRY(const Var index, reshaped(node, targets.index, column));
    ORRERY_TRY(const Var picked,
               node.call("gather_elements", {loss.log_probability, index}, {{"axis", std::int64_t{1}}}));
    ORRERY_TRY(const Var flat, reshaped(node, picked, shape));
    ORRERY_TRY(Var value, node.call("negative", {flat}));
    ORRERY_TRY(const Var weights, target_weights(node, loss, targets));
    if (weights) { ORRERY_TRY(value, node.call("multiply", {value, weights})); }
    if (reduction == "none") return value;
    const graph::Attrs all{{"axes", all_axes(shape.size())}, {"keepdims", false}};
    if (reduction == "mean" && !weights) return node.call("reduce_mean", {value}, all);
    ORRERY_TRY(const Var sum, node.call("reduce_sum", {value}, all));
    if (reduction == "sum") return sum;
    ORRERY_TRY(const Var total, node.call("reduce_sum", {weights}, all));
    return node.call("divide", {sum, total});
}

Result<Loss> read_loss(NodeReader& node) {
    ORRERY_TRY([[maybe_unused]] const Shape scores, input_shape(node, 0));
    ORRERY_TRY([[maybe_unused]] const Shape targets, input_shape(node, 1));
    return Loss{node.input(0), node.input(1), node.has(2) ? node.input(2) : Var()};
}

Converted nll_loss(NodeReader& node) {
    ORRERY_TRY(const Loss loss, read_loss(node));
    return result(node, negative_log_likelihood(node, loss));
}

Converted softmax_cross_entropy(NodeReader& node) {
    ORRERY_TRY(Loss loss, read_loss(node));
    ORRERY_TRY(loss.log_probability, node.call("log_softmax", {loss.log_probability}, {{"axis", std::int64_t{1}}}));
    ORRERY_TRY(const Var value, negative_log_likelihood(node, loss));
    return results(node, {value, loss.log_probability});
}

constexpr ConverterRow kLossRows[] = {
    {"NegativeLogLikelihoodLoss", 12, nll_loss},
    {"SoftmaxCrossEntropyLoss", 12, softmax_cross_entropy},
};

} // namespace

Rows loss_rows() { return kLossRows; }

} // namespace orrery::onnx
