// Operators that pick, place or order elements by index.

#include "core/frontends/onnx/convert_support.hpp"

#include <algorithm>

namespace orrery::onnx {

namespace {

template <OpName Op> Converted along_axis(NodeReader& node) {
    return result(node, node.call(Op.text, inputs(node), {{"axis", node.integer("axis", 0)}}));
}

Converted gather_nd(NodeReader& node) {
    return result(node, node.call("gather_nd", inputs(node), {{"batch_dims", node.integer("batch_dims", 0)}}));
}

Converted scatter_elements(NodeReader& node) {
    return result(node, node.call("scatter_elements", inputs(node),
                                  {{"axis", node.integer("axis", 0)}, {"reduction", node.text("reduction", "none")}}));
}

Converted scatter_nd(NodeReader& node) {
    return result(node, node.call("scatter_nd", inputs(node), {{"reduction", node.text("reduction", "none")}}));
}

Converted one_hot(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 3));
    ORRERY_TRY(const NDArray depth, node.required_constant(1, "depth"));
    if (depth.size() != 1) return bad_shape("OneHot's depth is one number");
    return result(node, node.call("one_hot", {node.input(0), node.input(2)},
                                  {{"depth", depth.as_int(0)}, {"axis", node.integer("axis", -1)}}));
}

Converted compress(NodeReader& node) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    ORRERY_TRY(const NDArray condition, node.required_constant(1, "condition"));
    Var x = node.input(0);
    std::size_t axis = 0;
    if (node.has_attr("axis")) {
        ORRERY_TRY(axis, axis_in(node.integer("axis", 0), input.size()));
    } else {
        ORRERY_TRY(x, reshaped(node, x, {element_count(input)}));
    }
    const std::int64_t extent = node.has_attr("axis") ? input[axis] : element_count(input);
    Ints kept;
    for (std::int64_t i = 0; i < std::min(condition.size(), extent); ++i)
        if (condition.as_int(i) != 0) kept.push_back(i);
    return result(node, node.call("gather", {x, node.constant_var(int_vector(kept))},
                                  {{"axis", static_cast<std::int64_t>(axis)}}));
}

Converted cumsum(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 2));
    ORRERY_TRY(const NDArray axis, node.required_constant(1, "axis"));
    if (axis.size() != 1) return bad_shape("CumSum's axis is one number");
    return result(node, node.call("cumsum", {node.input(0)},
                                  {{"axis", axis.as_int(0)},
                                   {"exclusive", node.integer("exclusive", 0) != 0},
                                   {"reverse", node.integer("reverse", 0) != 0}}));
}

Converted top_k(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 1));
    std::int64_t k = node.integer("k", 0);
    if (node.opset() >= 10) {
        ORRERY_TRY(const NDArray value, node.required_constant(1, "K"));
        if (value.size() != 1) return bad_shape("TopK's K is one number");
        k = value.as_int(0);
    }
    ORRERY_TRY(const Var both,
               node.call("top_k", {node.input(0)},
                         {{"k", k}, {"axis", node.integer("axis", -1)}, {"largest", node.integer("largest", 1) != 0}}));
    return results(node, {node.project(both, 0), node.project(both, 1)});
}

Converted reverse_sequence(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 2));
    return result(
        node, node.call("reverse_sequence", inputs(node),
                        {{"time_axis", node.integer("time_axis", 0)}, {"batch_axis", node.integer("batch_axis", 1)}}));
}

/// Of a constant: the number of distinct values is not known otherwise. Slices along an axis, compared as rows.
struct UniqueRows {
    NDArray x;
    std::int64_t outer = 1, count = 1, inner = 1; ///< x as [outer, count, inner], unique along the middle

    [[nodiscard]] double element(std::int64_t row, std::int64_t k) const {
        return x.as_double((k / inner * count + row) * inner + k % inner);
    }
    /// Less, equal or greater, by the first element that differs.
    [[nodiscard]] int compare(std::int64_t a, std::int64_t b) const {
        for (std::int64_t k = 0; k < outer * inner; ++k) {
            const double left = element(a, k), right = element(b, k);
            if (left < right) return -1;
            if (left > right) return 1;
        }
        return 0;
    }
};

struct UniqueValues {
    std::vector<std::int64_t> first, inverse, counts; ///< first positions, in the order of the result
};

UniqueValues find_unique(const UniqueRows& rows, bool sorted) {
    std::vector<std::int64_t> order = all_axes(static_cast<std::size_t>(rows.count));
    std::ranges::stable_sort(order, [&](std::int64_t a, std::int64_t b) { return rows.compare(a, b) < 0; });
    std::vector<std::vector<std::int64_t>> groups;
    for (std::int64_t i : order) {
        if (groups.empty() || rows.compare(groups.back().front(), i) != 0) groups.emplace_back();
        groups.back().push_back(i);
    }
    if (!sorted) std::ranges::sort(groups, {}, [](const auto& group) { return group.front(); });
    UniqueValues out;
    out.inverse.resize(order.size());
    for (const auto& group : groups) {
        for (std::int64_t i : group)
            out.inverse[static_cast<std::size_t>(i)] = static_cast<std::int64_t>(out.first.size());
        out.first.push_back(group.front());
        out.counts.push_back(static_cast<std::int64_t>(group.size()));
    }
    return out;
}

Converted unique(NodeReader& node) {
    ORRERY_TRY(const NDArray x, node.required_constant(0, "X"));
    UniqueRows rows{x, 1, x.size(), 1};
    std::int64_t axis = 0;
    if (node.has_attr("axis")) {
        ORRERY_TRY(const std::size_t at, axis_in(node.integer("axis", 0), x.shape().size()));
        axis = static_cast<std::int64_t>(at);
        const auto middle = x.shape().begin() + axis;
        rows = {x, element_count({x.shape().begin(), middle}), *middle, element_count({middle + 1, x.shape().end()})};
    }
    const UniqueValues found = find_unique(rows, node.integer("sorted", 1) != 0);
    Var from = node.input(0);
    if (!node.has_attr("axis")) { ORRERY_TRY(from, reshaped(node, from, {x.size()})); }
    ORRERY_TRY(const Var values,
               node.call("gather", {from, node.constant_var(int_vector(found.first))}, {{"axis", axis}}));
    return results(node, {values, node.constant_var(int_vector(found.first)),
                          node.constant_var(int_vector(found.inverse)), node.constant_var(int_vector(found.counts))});
}

constexpr ConverterRow kIndexingRows[] = {
    {"Compress", 9, compress},
    {"CumSum", 11, cumsum},
    {"Gather", 1, along_axis<"gather">},
    {"GatherElements", 11, along_axis<"gather_elements">},
    {"GatherND", 11, gather_nd},
    {"OneHot", 9, one_hot},
    {"ReverseSequence", 10, reverse_sequence},
    {"Scatter", 9, scatter_elements},
    {"ScatterElements", 11, scatter_elements},
    {"ScatterND", 11, scatter_nd},
    {"TopK", 1, top_k},
    {"Unique", 11, unique},
};

} // namespace

Rows indexing_rows() { return kIndexingRows; }

} // namespace orrery::onnx
