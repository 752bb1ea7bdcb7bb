#include "core/frontends/onnx/convert_support.hpp"

namespace orrery::onnx {

namespace {

/// `since`: the opset from which axes are an input.
Result<Var> reduce(NodeReader& node, const char* op, int since) {
    ORRERY_CHECK_OK(require_inputs(node, 1));
    ORRERY_TRY(const TensorType type, node.type(0));
    Ints axes;
    if (node.opset() < since) {
        axes = node.ints("axes", {});
    } else if (node.has(1)) {
        ORRERY_TRY(const NDArray given, node.required_constant(1, "axes"));
        axes = given.to_ints();
    }
    if (axes.empty()) {
        if (node.integer("noop_with_empty_axes", 0) != 0) return node.call("identity", {node.input(0)});
        axes = all_axes(type.dims.size());
    }
    const bool keepdims = node.integer("keepdims", 1) != 0;
    std::string name = op;
    if (type.dtype == DType::Bool && name == "reduce_max") name = "reduce_any";
    if (type.dtype == DType::Bool && name == "reduce_min") name = "reduce_all";
    if (name == "reduce_log_sum_exp" && !is_float(type.dtype)) {
        ORRERY_TRY(const Var wide, node.call("cast", {node.input(0)}, {{"dtype", DType::F64}}));
        ORRERY_TRY(const Var value, node.call(name, {wide}, {{"axes", axes}, {"keepdims", keepdims}}));
        return node.call("cast", {value}, {{"dtype", type.dtype}});
    }
    return node.call(name, {node.input(0)}, {{"axes", axes}, {"keepdims", keepdims}});
}

template <OpName Op, int Since = 18> Converted reduction(NodeReader& node) {
    return result(node, reduce(node, Op.text, Since));
}

template <OpName Op> Converted arg(NodeReader& node) {
    return result(node, node.call(Op.text, inputs(node),
                                  {{"axis", node.integer("axis", 0)},
                                   {"keepdims", node.integer("keepdims", 1) != 0},
                                   {"last", node.integer("select_last_index", 0) != 0}}));
}

constexpr ConverterRow kReduceRows[] = {
    {"ArgMax", 1, arg<"argmax">},
    {"ArgMin", 1, arg<"argmin">},
    {"ReduceL1", 1, reduction<"reduce_l1">},
    {"ReduceL2", 1, reduction<"reduce_l2">},
    {"ReduceLogSum", 1, reduction<"reduce_log_sum">},
    {"ReduceLogSumExp", 1, reduction<"reduce_log_sum_exp">},
    {"ReduceMax", 1, reduction<"reduce_max">},
    {"ReduceMean", 1, reduction<"reduce_mean">},
    {"ReduceMin", 1, reduction<"reduce_min">},
    {"ReduceProd", 1, reduction<"reduce_prod">},
    {"ReduceSum", 1, reduction<"reduce_sum", 13>},
    {"ReduceSumSquare", 1, reduction<"reduce_sum_square">},
};

} // namespace

Rows reduce_rows() { return kReduceRows; }

} // namespace orrery::onnx
