// Matrix products and what is made of them, and softmax.

#include "core/frontends/onnx/convert_support.hpp"

namespace orrery::onnx {

namespace {

Result<Var> scaled(NodeReader& node, const Var& x, double factor) {
    if (factor == 1) return x;
    return node.call("multiply", {x, scalar(node, type_of(x).dtype, factor)});
}

/// alpha * A' B' + beta * C; the common C, a vector of one element a column, becomes a bias_add.
Converted gemm(NodeReader& node) {
    ORRERY_TRY(const Shape a, input_shape(node, 0));
    ORRERY_TRY(const Shape b, input_shape(node, 1));
    if (a.size() != 2 || b.size() != 2) return bad_shape("Gemm takes matrices");
    ORRERY_TRY(const Var product, node.call("matmul", {node.input(0), node.input(1)},
                                            {{"transpose_a", node.integer("transA", 0) != 0},
                                             {"transpose_b", node.integer("transB", 0) != 0}}));
    ORRERY_TRY(Var value, scaled(node, product, node.number("alpha", 1)));
    const double beta = node.number("beta", 1);
    if (!node.has(2) || beta == 0) return results(node, {value});
    ORRERY_TRY(const Shape c, input_shape(node, 2));
    ORRERY_TRY(const Var added, scaled(node, node.input(2), beta));
    if (c.size() == 1 && c[0] == shape_of(value)[1])
        return result(node, node.call("bias_add", {value, added}, {{"axis", std::int64_t{1}}}));
    return result(node, node.call("add", {value, added}));
}

Converted einsum(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, std::max<std::size_t>(node.input_count(), 1)));
    return result(node, node.call("einsum", inputs(node), {{"equation", node.text("equation", "")}}));
}

template <OpName Op> Converted softmax(NodeReader& node) {
    return result(node, node.call(Op.text, inputs(node), {{"axis", node.integer("axis", -1)}}));
}

/// Before opset 13 all axes from `axis` on belong together.
template <OpName Op> Converted flattened_softmax(NodeReader& node) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    const std::int64_t rank = static_cast<std::int64_t>(input.size()), given = node.integer("axis", 1);
    if (given < -rank || given > rank || rank == 0)
        return bad_attribute("axis " + std::to_string(given) + " is outside a tensor of " + std::to_string(rank) +
                             " dimensions");
    const std::int64_t axis = given < 0 ? given + rank : given;
    const auto middle = input.begin() + axis;
    const std::int64_t columns = element_count({middle, input.end()});
    if (axis < rank && columns == input[static_cast<std::size_t>(axis)]) // the other axes have one element
        return result(node, node.call(Op.text, {node.input(0)}, {{"axis", axis}}));
    ORRERY_TRY(const Var flat, reshaped(node, node.input(0), {element_count({input.begin(), middle}), columns}));
    ORRERY_TRY(const Var value, node.call(Op.text, {flat}, {{"axis", std::int64_t{1}}}));
    return result(node, reshaped(node, value, input));
}

constexpr ConverterRow kProductRows[] = {
    {"Det", 11, forward<"det">},
    {"Einsum", 12, einsum},
    {"Gemm", 1, gemm},
    {"Hardmax", 1, flattened_softmax<"hardmax">},
    {"Hardmax", 13, softmax<"hardmax">},
    {"LogSoftmax", 1, flattened_softmax<"log_softmax">},
    {"LogSoftmax", 13, softmax<"log_softmax">},
    {"MatMul", 1, forward<"matmul">},
    {"Softmax", 1, flattened_softmax<"softmax">},
    {"Softmax", 13, softmax<"softmax">},
};

} // namespace

Rows product_rows() { return kProductRows; }

} // namespace orrery::onnx
