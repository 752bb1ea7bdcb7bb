#include "core/frontends/onnx/convert_support.hpp"

#include <cstring>
#include <numeric>

namespace orrery::onnx {

Converted results(const NodeReader& node, Vars vars) {
    for (std::size_t i = 0; i < node.output_count(); ++i)
        if (node.has_output(i) && (i >= vars.size() || !vars[i]))
            return unsupported("output " + std::to_string(i) + " of " + std::string(node.op_type()) + " is not served");
    vars.resize(node.output_count());
    return vars;
}

Converted result(const NodeReader& node, Result<Var> var) {
    if (!var) return std::move(var.error());
    return results(node, {*std::move(var)});
}

Diagnostic unsupported(std::string message) { return {Code::UnsupportedFeature, std::move(message), {}, {}}; }
Diagnostic bad_attribute(std::string message) { return {Code::BadAttribute, std::move(message), {}, {}}; }
Diagnostic bad_shape(std::string message) { return {Code::BadShape, std::move(message), {}, {}}; }

Result<void> require_inputs(const NodeReader& node, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
        if (!node.has(i)) return bad_shape(std::string(node.op_type()) + " needs input " + std::to_string(i));
    return {};
}

Result<Shape> input_shape(const NodeReader& node, std::size_t i) {
    ORRERY_CHECK_OK(require_inputs(node, i + 1));
    ORRERY_TRY(const TensorType type, node.type(i));
    if (!graph::is_static(type))
        return bad_shape("input " + std::to_string(i) + " of " + std::string(node.op_type()) +
                         " needs static dimensions");
    return graph::static_shape(type);
}

Result<DType> input_dtype(const NodeReader& node, std::size_t i) {
    ORRERY_CHECK_OK(require_inputs(node, i + 1));
    ORRERY_TRY(const TensorType type, node.type(i));
    return type.dtype;
}

const TensorType& type_of(const Var& var) {
    const TensorType* type = graph::as_tensor(var->type);
    ORRERY_ASSERT(type != nullptr, "a converter's own value is a tensor");
    return *type;
}

Shape shape_of(const Var& var) { return graph::static_shape(type_of(var)); }

Result<std::size_t> axis_in(std::int64_t axis, std::size_t rank) {
    const auto extent = static_cast<std::int64_t>(rank);
    if (axis < -extent || axis >= extent)
        return bad_attribute("axis " + std::to_string(axis) + " is outside a tensor of " + std::to_string(rank) +
                             " dimensions");
    return static_cast<std::size_t>(axis < 0 ? axis + extent : axis);
}

Ints all_axes(std::size_t rank) {
    Ints axes(rank);
    std::iota(axes.begin(), axes.end(), 0);
    return axes;
}

Result<NDArray> filled(DType dtype, const Shape& shape, double value) {
    ORRERY_TRY(const std::int64_t count, checked_elements(shape, dtype, kMaxConstantBytes));
    NDArray array = NDArray::allocate(dtype, shape);
    if (count == 0) return array;
    array.set(0, value);
    auto* bytes = static_cast<std::byte*>(array.mutable_data());
    for (std::size_t done = static_cast<std::size_t>(byte_size(dtype)); done < array.bytes(); done *= 2)
        std::memcpy(bytes + done, bytes, std::min(done, array.bytes() - done));
    return array;
}

NDArray int_vector(const Ints& values) {
    return NDArray::of<std::int64_t>(DType::I64, {static_cast<std::int64_t>(values.size())}, values);
}

Var scalar(NodeReader& node, DType dtype, double value) {
    NDArray array = NDArray::allocate(dtype, {});
    array.set(0, value);
    return node.constant_var(std::move(array));
}

Result<Var> reshaped(NodeReader& node, const Var& x, const Shape& shape) {
    return node.call("reshape", {x}, {{"shape", Ints(shape)}});
}

Result<Var> transposed(NodeReader& node, const Var& x, Ints perm) {
    return node.call("transpose", {x}, {{"perm", std::move(perm)}});
}

Result<Var> cast_to(NodeReader& node, const Var& x, DType dtype) {
    const TensorType* type = graph::as_tensor(x->type);
    if (type && type->dtype == dtype) return x;
    return node.call("cast", {x}, {{"dtype", dtype}});
}

Result<Var> with_trailing_ones(NodeReader& node, const Var& vector, std::size_t trailing) {
    const TensorType* type = graph::as_tensor(vector->type);
    if (!type || !graph::is_static(*type)) return bad_shape("a vector of static length is needed");
    Shape shape = graph::static_shape(*type);
    if (trailing == 0 || element_count(shape) == 1) return vector;
    shape.insert(shape.end(), trailing, 1);
    return reshaped(node, vector, shape);
}

Vars inputs(const NodeReader& node) {
    Vars vars;
    for (std::size_t i = 0; i < node.input_count(); ++i) vars.push_back(node.input(i));
    return vars;
}

} // namespace orrery::onnx
