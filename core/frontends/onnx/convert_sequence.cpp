// Sequences and optionals. Both exist at import only: a sequence is the variables of its elements, as many as are known
// then, and an optional is its element or nothing.

#include "core/frontends/onnx/convert_support.hpp"
#include "core/ops/open.hpp"

namespace orrery::onnx {

namespace {

Result<Vars> elements_of(const NodeReader& node, std::size_t i) {
    if (std::optional<Vars> elements = node.sequence(i)) return *std::move(elements);
    if (node.has(i) && !graph::as_tensor(node.input(i)->type))
        return unsupported("input " + std::to_string(i) + " of " + std::string(node.op_type()) +
                           " is a sequence whose elements depend on data");
    return Diagnostic{
        Code::BadType, "input " + std::to_string(i) + " of " + std::string(node.op_type()) + " is no sequence", {}, {}};
}

/// A position in [0, count], negative counted from the end; `fallback` when the input is missing.
Result<std::size_t> position_in(NodeReader& node, std::size_t i, std::size_t count, std::int64_t fallback) {
    std::int64_t position = fallback;
    if (node.has(i)) {
        ORRERY_TRY(const NDArray value, node.required_constant(i, "position"));
        if (value.size() != 1) return bad_shape("a position in a sequence is one number");
        position = value.as_int(0);
    }
    const auto end = static_cast<std::int64_t>(count);
    if (position < -end || position > end)
        return bad_shape("position " + std::to_string(position) + " is outside a sequence of " + std::to_string(count));
    return static_cast<std::size_t>(position < 0 ? position + end : position);
}

Converted sequence_construct(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, node.input_count()));
    return results(node, {node.sequence_var(inputs(node))});
}

Converted sequence_empty(NodeReader& node) { return results(node, {node.sequence_var({})}); }

Converted sequence_length(NodeReader& node) {
    ORRERY_TRY(const Vars elements, elements_of(node, 0));
    const auto count = static_cast<std::int64_t>(elements.size());
    return results(node, {node.constant_var(NDArray::of<std::int64_t>(DType::I64, {}, std::span(&count, 1)))});
}

Converted sequence_at(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 2));
    ORRERY_TRY(const Vars elements, elements_of(node, 0));
    ORRERY_TRY(const std::size_t at, position_in(node, 1, elements.size(), 0));
    if (at == elements.size()) return bad_shape("SequenceAt looks past the end of a sequence");
    return results(node, {elements[at]});
}

Converted sequence_insert(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 2));
    ORRERY_TRY(Vars elements, elements_of(node, 0));
    const auto end = static_cast<std::int64_t>(elements.size());
    ORRERY_TRY(const std::size_t at, position_in(node, 2, elements.size(), end));
    elements.insert(elements.begin() + static_cast<std::ptrdiff_t>(at), node.input(1));
    return results(node, {node.sequence_var(std::move(elements))});
}

Converted sequence_erase(NodeReader& node) {
    ORRERY_TRY(Vars elements, elements_of(node, 0));
    ORRERY_TRY(const std::size_t at, position_in(node, 1, elements.size(), -1));
    if (at >= elements.size()) return bad_shape("SequenceErase looks past the end of a sequence");
    elements.erase(elements.begin() + static_cast<std::ptrdiff_t>(at));
    return results(node, {node.sequence_var(std::move(elements))});
}

// ------------------------------------------------------------------------------ splitting, joining

/// Sizes of the parts; one each when `split` is missing.
Result<Ints> part_sizes(NodeReader& node, std::int64_t extent) {
    constexpr std::int64_t kMostParts = 100'000; // our choice: each is a node of the graph
    Ints sizes;
    if (!node.has(1)) {
        if (extent > kMostParts) return unsupported("a sequence of more than 100000 elements");
        return Ints(static_cast<std::size_t>(extent), 1);
    }
    ORRERY_TRY(const NDArray split, node.required_constant(1, "split"));
    if (split.size() > kMostParts) return unsupported("a sequence of more than 100000 elements");
    if (!split.shape().empty()) return split.to_ints();
    const std::int64_t size = split.as_int(0);
    if (size < 1 || extent / size > kMostParts) return bad_shape("SplitToSequence needs parts of one element or more");
    for (std::int64_t at = 0; at < extent; at += size) sizes.push_back(std::min(size, extent - at));
    return sizes;
}

/// Parts whose extents are data, as many as `split` has elements: a Split that waits for them.
Converted split_later(NodeReader& node) {
    constexpr std::int64_t kMostParts = 4096; // our choice: each is an output of one node
    ORRERY_TRY(const TensorType x, node.type(0));
    ORRERY_TRY(const std::size_t axis, axis_in(node.integer("axis", 0), x.dims.size()));
    Var split = node.has(1) ? node.input(1) : Var();
    const graph::TensorType* sizes = split ? graph::as_tensor(split->type) : nullptr;
    if (!split && x.dims[axis].is_static() && x.dims[axis].value <= kMostParts && node.integer("keepdims", 1) != 0)
        split = node.constant_var(int_vector(Ints(static_cast<std::size_t>(x.dims[axis].value), 1)));
    if (split && !sizes) sizes = graph::as_tensor(split->type);
    if (!sizes || sizes->dims.size() != 1 || !sizes->dims[0].is_static() || sizes->dims[0].value > kMostParts)
        return unsupported("SplitToSequence into a number of parts that depends on data");
    const auto count = static_cast<std::size_t>(sizes->dims[0].value);
    if (count == 0) return results(node, {node.sequence_var({})});
    std::vector<graph::Dim> dims = x.dims;
    dims[axis] = graph::Dim::unknown();
    const graph::Strings types(count, graph::to_string(graph::tensor_type(x.dtype, dims)));
    ORRERY_TRY(const Var whole, node.call("open", {node.input(0), split},
                                          {{ops::kOpenNode, std::string("Split")},
                                           {ops::kOpenOpset, std::int64_t{13}},
                                           {ops::kOpenResults, types},
                                           {ops::kOpenOutputs, Ints(count, 1)},
                                           {ops::kOpenValues, Ints{1}},
                                           {"axis", static_cast<std::int64_t>(axis)}}));
    if (count == 1) return results(node, {node.sequence_var({whole})});
    Vars parts;
    for (std::size_t i = 0; i < count; ++i) parts.push_back(node.project(whole, i));
    return results(node, {node.sequence_var(std::move(parts))});
}

Converted split_to_sequence(NodeReader& node) {
    ORRERY_TRY(const TensorType given, node.type(0));
    const bool known = !node.has(1) || node.constant(1).has_value();
    if (!known || !graph::is_static(given)) return split_later(node);
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    ORRERY_TRY(const std::size_t axis, axis_in(node.integer("axis", 0), input.size()));
    ORRERY_TRY(const Ints sizes, part_sizes(node, input[axis]));
    // Parts of one element lose the axis when asked to, which only counts where no sizes are given.
    const bool drop = !node.has(1) && node.integer("keepdims", 1) == 0;
    Shape squeezed = input;
    squeezed.erase(squeezed.begin() + static_cast<std::ptrdiff_t>(axis));
    std::int64_t at = 0;
    Vars parts;
    for (const std::int64_t size : sizes) {
        if (size < 0 || size > input[axis] - at)
            return bad_shape("SplitToSequence's sizes do not sum up to " + std::to_string(input[axis]));
        Ints begins(input.size(), 0), extents(input);
        begins[axis] = size == 0 ? 0 : at;
        extents[axis] = size;
        at += size;
        ORRERY_TRY(Var part, node.call("slice", {node.input(0)}, {{"begins", begins}, {"sizes", extents}}));
        if (drop) { ORRERY_TRY(part, reshaped(node, part, squeezed)); }
        parts.push_back(std::move(part));
    }
    if (at != input[axis]) return bad_shape("SplitToSequence's sizes do not sum up to " + std::to_string(input[axis]));
    return results(node, {node.sequence_var(std::move(parts))});
}

Converted concat_from_sequence(NodeReader& node) {
    ORRERY_TRY(Vars elements, elements_of(node, 0));
    if (elements.empty()) return bad_shape("ConcatFromSequence joins one element or more");
    const std::int64_t axis = node.integer("axis", 0);
    if (node.integer("new_axis", 0) == 0) return result(node, node.call("concat", elements, {{"axis", axis}}));
    std::size_t at = 0;
    for (Var& element : elements) {
        const TensorType* type = graph::as_tensor(element->type);
        if (!type || !graph::is_static(*type)) return bad_shape("ConcatFromSequence joins tensors of static shape");
        Shape shape = graph::static_shape(*type);
        ORRERY_TRY(at, axis_in(axis, shape.size() + 1));
        shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(at), 1);
        ORRERY_TRY(element, reshaped(node, element, shape));
    }
    return result(node, node.call("concat", elements, {{"axis", static_cast<std::int64_t>(at)}}));
}

// --------------------------------------------------------------------------------------- optionals

Converted optional(NodeReader& node) { return results(node, {node.has(0) ? node.input(0) : node.no_element()}); }

Converted optional_has_element(NodeReader& node) {
    NDArray there = NDArray::allocate(DType::Bool, {});
    there.set_int(0, node.has(0) && node.input(0) != node.no_element());
    return results(node, {node.constant_var(std::move(there))});
}

Converted optional_get_element(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 1));
    if (node.input(0) == node.no_element()) return bad_shape("OptionalGetElement is given an optional without element");
    return results(node, {node.input(0)});
}

constexpr ConverterRow kSequenceRows[] = {
    {"ConcatFromSequence", 11, concat_from_sequence},
    {"Optional", 15, optional},
    {"OptionalGetElement", 15, optional_get_element},
    {"OptionalHasElement", 15, optional_has_element},
    {"SequenceAt", 11, sequence_at},
    {"SequenceConstruct", 11, sequence_construct},
    {"SequenceEmpty", 11, sequence_empty},
    {"SequenceErase", 11, sequence_erase},
    {"SequenceInsert", 11, sequence_insert},
    {"SequenceLength", 11, sequence_length},
    {"SplitToSequence", 11, split_to_sequence},
};

} // namespace

Rows sequence_rows() { return kSequenceRows; }

} // namespace orrery::onnx
