// What is known of results whose shape depends on data: ranks, and the extents that stay.

#include "core/frontends/onnx/open_node.hpp"

#include <algorithm>

namespace orrery::onnx {

using graph::Dim;
using graph::TensorType;
using graph::Type;

namespace {

using Types = Result<std::vector<Type>>;

Type of_rank(DType dtype, std::size_t rank) {
    return graph::tensor_type(dtype, std::vector<Dim>(rank, Dim::unknown()));
}

Diagnostic unknown_rank(const NodeReader& node) {
    return {Code::UnsupportedFeature,
            "the rank of " + std::string(node.op_type()) + "'s result depends on data",
            {},
            "give the input it depends on as a constant, or its length"};
}

/// Length of a vector operand; nullopt when it is unknown or the operand is no vector.
std::optional<std::size_t> length(const NodeReader& node, std::size_t i) {
    const Result<TensorType> type = node.type(i);
    if (!type || type->dims.size() != 1 || !type->dims[0].is_static()) return std::nullopt;
    return static_cast<std::size_t>(type->dims[0].value);
}

Types same_rank(NodeReader& node) {
    ORRERY_TRY(const TensorType x, node.type(0));
    return std::vector<Type>{of_rank(x.dtype, x.dims.size())};
}

Types same_type(NodeReader& node) {
    ORRERY_TRY(const TensorType x, node.type(0));
    return std::vector<Type>{graph::tensor_type(x.dtype, x.dims)};
}

/// As many axes as operand 1 has elements.
Types by_length(NodeReader& node) {
    ORRERY_TRY(const TensorType x, node.type(0));
    const std::optional<std::size_t> rank = length(node, 1);
    if (!rank) return unknown_rank(node);
    return std::vector<Type>{of_rank(x.dtype, *rank)};
}

Types expanded(NodeReader& node) {
    ORRERY_TRY(const TensorType x, node.type(0));
    const std::optional<std::size_t> rank = length(node, 1);
    if (!rank) return unknown_rank(node);
    return std::vector<Type>{of_rank(x.dtype, std::max(*rank, x.dims.size()))};
}

Types filled_shape(NodeReader& node) {
    const std::optional<std::size_t> rank = length(node, 0);
    if (!rank) return unknown_rank(node);
    const std::optional<NDArray> value = node.tensor("value");
    return std::vector<Type>{of_rank(value ? value->dtype() : DType::F32, *rank)};
}

Types vector_of_operand(NodeReader& node) {
    ORRERY_TRY(const TensorType x, node.type(0));
    return std::vector<Type>{of_rank(x.dtype, 1)};
}

/// The operand's extents but for one axis.
Type open_axis(const TensorType& x, std::int64_t axis, DType dtype) {
    std::vector<Dim> dims = x.dims;
    const std::int64_t at = axis < 0 ? axis + static_cast<std::int64_t>(dims.size()) : axis;
    if (at >= 0 && at < static_cast<std::int64_t>(dims.size())) dims[static_cast<std::size_t>(at)] = Dim::unknown();
    return graph::tensor_type(dtype, std::move(dims));
}

Types top_k(NodeReader& node) {
    ORRERY_TRY(const TensorType x, node.type(0));
    const std::int64_t axis = node.integer("axis", -1);
    return std::vector<Type>{open_axis(x, axis, x.dtype), open_axis(x, axis, DType::I64)};
}

Types split(NodeReader& node) {
    ORRERY_TRY(const TensorType x, node.type(0));
    return std::vector<Type>(node.output_count(), open_axis(x, node.integer("axis", 0), x.dtype));
}

Types one_hot(NodeReader& node) {
    ORRERY_TRY(const TensorType indices, node.type(0));
    ORRERY_TRY(const TensorType values, node.type(2));
    return std::vector<Type>{of_rank(values.dtype, indices.dims.size() + 1)};
}

Types squeezed(NodeReader& node) {
    ORRERY_TRY(const TensorType x, node.type(0));
    const std::optional<std::size_t> axes = length(node, 1);
    if (!axes || *axes > x.dims.size()) return unknown_rank(node);
    return std::vector<Type>{of_rank(x.dtype, x.dims.size() - *axes)};
}

Types unsqueezed(NodeReader& node) {
    ORRERY_TRY(const TensorType x, node.type(0));
    const std::optional<std::size_t> axes = length(node, 1);
    if (!axes) return unknown_rank(node);
    return std::vector<Type>{of_rank(x.dtype, x.dims.size() + *axes)};
}

Types reduced(NodeReader& node) {
    ORRERY_TRY(const TensorType x, node.type(0));
    if (node.integer("keepdims", 1) != 0) return std::vector<Type>{of_rank(x.dtype, x.dims.size())};
    const std::optional<std::size_t> axes = length(node, 1);
    if (!axes || *axes > x.dims.size()) return unknown_rank(node);
    return std::vector<Type>{of_rank(x.dtype, x.dims.size() - *axes)};
}

Types compressed(NodeReader& node) {
    ORRERY_TRY(const TensorType x, node.type(0));
    if (!node.has_attr("axis")) return std::vector<Type>{of_rank(x.dtype, 1)};
    return std::vector<Type>{open_axis(x, node.integer("axis", 0), x.dtype)};
}

Types non_zero(NodeReader& node) {
    ORRERY_TRY(const TensorType x, node.type(0));
    return std::vector<Type>{
        graph::tensor_type(DType::I64, {Dim(static_cast<std::int64_t>(x.dims.size())), Dim::unknown()})};
}

Types unique(NodeReader& node) {
    ORRERY_TRY(const TensorType x, node.type(0));
    const Type values = node.has_attr("axis") ? open_axis(x, node.integer("axis", 0), x.dtype) : of_rank(x.dtype, 1);
    const Type counts = of_rank(DType::I64, 1);
    return std::vector<Type>{values, counts, counts, counts};
}

Types suppressed(NodeReader&) { return std::vector<Type>{graph::tensor_type(DType::I64, {Dim::unknown(), Dim(3)})}; }

/// A vector or matrix of the element type that an attribute names.
template <std::size_t Rank> Types of_datatype(NodeReader& node) {
    ORRERY_TRY(const DType dtype, node.dtype("output_datatype", DType::F32));
    return std::vector<Type>{of_rank(dtype, Rank)};
}

/// Frames of a signal, each a spectrum of complex numbers.
Types framed(NodeReader& node) {
    ORRERY_TRY(const TensorType x, node.type(0));
    return std::vector<Type>{of_rank(x.dtype, 4)};
}

/// [N, C, and the axes that operand 1 lists].
Types image(NodeReader& node) {
    ORRERY_TRY(const TensorType x, node.type(0));
    const std::optional<std::size_t> axes = length(node, 1);
    if (!axes) return unknown_rank(node);
    return std::vector<Type>{of_rank(x.dtype, 2 + *axes)};
}

Types dropped_out(NodeReader& node) {
    ORRERY_TRY(const TensorType x, node.type(0));
    return std::vector<Type>{graph::tensor_type(x.dtype, x.dims), graph::tensor_type(DType::Bool, x.dims)};
}

struct ShapeRow {
    const char* op_type;
    std::vector<std::int64_t> values; ///< operands that decide about the shape
    Types (*results)(NodeReader&);
};

const std::vector<ShapeRow>& rows() {
    static const std::vector<ShapeRow> table{
        {"AffineGrid", {1}, by_length},
        {"BlackmanWindow", {0}, of_datatype<1>},
        {"CenterCropPad", {1}, same_rank},
        {"Col2Im", {1, 2}, image},
        {"Compress", {1}, compressed},
        {"ConstantOfShape", {0}, filled_shape},
        {"CumSum", {1}, same_type},
        {"DFT", {1, 2}, same_rank},
        {"Dropout", {2}, dropped_out},
        {"Expand", {1}, expanded},
        {"HammingWindow", {0}, of_datatype<1>},
        {"HannWindow", {0}, of_datatype<1>},
        {"MaxUnpool", {2}, same_rank},
        {"MelWeightMatrix", {0, 1, 2, 3, 4}, of_datatype<2>},
        {"NonMaxSuppression", {0, 1, 2, 3, 4}, suppressed},
        {"NonZero", {0}, non_zero},
        {"OneHot", {1}, one_hot},
        {"Pad", {1, 3}, same_rank},
        {"Range", {0, 1, 2}, vector_of_operand},
        {"ReduceL1", {1}, reduced},
        {"ReduceL2", {1}, reduced},
        {"ReduceLogSum", {1}, reduced},
        {"ReduceLogSumExp", {1}, reduced},
        {"ReduceMax", {1}, reduced},
        {"ReduceMean", {1}, reduced},
        {"ReduceMin", {1}, reduced},
        {"ReduceProd", {1}, reduced},
        {"ReduceSum", {1}, reduced},
        {"ReduceSumSquare", {1}, reduced},
        {"Reshape", {1}, by_length},
        {"Resize", {1, 2, 3}, same_rank},
        {"STFT", {1, 3}, framed},
        {"Slice", {1, 2, 3, 4}, same_rank},
        {"Split", {1}, split},
        {"Squeeze", {1}, squeezed},
        {"StringNormalizer", {0}, same_rank},
        {"Tile", {1}, same_rank},
        {"TopK", {1}, top_k},
        {"Trilu", {1}, same_type},
        {"Unique", {0}, unique},
        {"Unsqueeze", {1}, unsqueezed},
        {"Upsample", {1}, same_rank},
    };
    return table;
}

} // namespace

Result<OpenShape> open_shape(NodeReader& node) {
    const auto row = std::ranges::find_if(rows(), [&](const ShapeRow& r) { return r.op_type == node.op_type(); });
    if (row == rows().end())
        return Diagnostic{Code::UnsupportedFeature,
                          std::string(node.op_type()) + " needs a value that depends on data",
                          {},
                          "give the input it depends on as a constant"};
    ORRERY_TRY(std::vector<Type> results, row->results(node));
    OpenShape shape{std::move(results), {}};
    for (const std::int64_t i : row->values)
        if (node.has(static_cast<std::size_t>(i))) shape.values.push_back(i);
    return shape;
}

} // namespace orrery::onnx
