// Operators between what is known of types and what is known of values: the shape of a tensor, and nodes of a model
// that wait for either.

#include "core/graph/text.hpp"
#include "core/ops/family.hpp"
#include "core/ops/open.hpp"
#include "core/ops/stage.hpp"

#include <algorithm>

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

// --------------------------------------------------------------------------------------- shape_of

struct Span {
    std::size_t begin = 0, end = 0;
};

/// As ONNX's Shape says it: negative ends count from the last axis, both are moved into the axes there are.
Span axes_between(const Attrs& attrs, std::size_t rank) {
    const auto extent = static_cast<std::int64_t>(rank);
    const auto bounded = [&](std::int64_t at) {
        return static_cast<std::size_t>(std::clamp<std::int64_t>(at < 0 ? at + extent : at, 0, extent));
    };
    const std::size_t begin = bounded(attrs.integer("start", 0));
    return {begin, std::max(begin, bounded(attrs.integer("end", extent)))};
}

Result<Type> shape_of_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, operand(request, 0));
    const Span axes = axes_between(request.attrs, x.dims.size());
    return graph::tensor_type(DType::I64, Shape{static_cast<std::int64_t>(axes.end - axes.begin)});
}

NDArray shape_value(const TypeRequest& request) {
    const Shape shape = graph::static_shape(*graph::as_tensor(request.types[0]));
    const Span axes = axes_between(request.attrs, shape.size());
    NDArray value = NDArray::allocate(DType::I64, {static_cast<std::int64_t>(axes.end - axes.begin)});
    for (std::size_t d = axes.begin; d < axes.end; ++d)
        value.set_int(static_cast<std::int64_t>(d - axes.begin), shape[d]);
    return value;
}

std::vector<Buffer> define_shape_of(const DefineRequest& request) {
    const Shape shape = request.shape(0);
    const Span axes = axes_between(request.attrs, shape.size());
    return {compute_stage(request.builder, {"shape_of", DType::I64, request.out_shape()}, [&](const Indices& i) {
        Expr extent = imm(0);
        for (std::size_t d = axes.end; d-- > axes.begin;)
            extent = select(eq(i[0], imm(static_cast<std::int64_t>(d - axes.begin))), imm(shape[d]), extent);
        return extent;
    })};
}

// ------------------------------------------------------------------------------------------- open

Result<Type> open_type(const TypeRequest& request) {
    ORRERY_CHECK_OK(read_open(request.attrs));
    const auto* results = std::get_if<graph::Strings>(request.attrs.find(kOpenResults));
    std::vector<Type> types;
    for (const std::string& text : *results) {
        Result<Type> type = graph::parse_type(text);
        if (!type) return attr_error(std::string(kOpenResults) + " has no type \"" + text + "\"");
        types.push_back(*std::move(type));
    }
    return types.size() == 1 ? types[0] : graph::tuple_type(std::move(types));
}

std::vector<Buffer> no_definition(const DefineRequest& request) {
    fail_internal("an operator whose extents are data is no tensor expression", std::string(request.name));
}

} // namespace

Result<OpenCall> read_open(const Attrs& attrs) {
    OpenCall call;
    call.node = attrs.text(kOpenNode);
    call.domain = attrs.text(kOpenDomain, "");
    call.opset = static_cast<int>(std::clamp<std::int64_t>(attrs.integer(kOpenOpset), 1, 1 << 20));
    call.values = attrs.ints(kOpenValues, {});
    call.outputs = attrs.ints(kOpenOutputs, {1});
    const std::size_t present = static_cast<std::size_t>(std::ranges::count_if(call.outputs, [](auto o) { return o; }));
    const auto* results = std::get_if<graph::Strings>(attrs.find(kOpenResults));
    if (!results || results->empty() || results->size() != present)
        return attr_error(std::string(kOpenResults) + " has a type for each output that " + kOpenOutputs + " marks");
    return call;
}

Family dynamic_family() {
    const std::vector<graph::AttrSpec> open_attrs{
        {kOpenNode, AttrKind::Text, true, "the ONNX operator"},
        {kOpenDomain, AttrKind::Text, false, "its domain; the default one when left out"},
        {kOpenOpset, AttrKind::Int, true, "the version of the operator set the node is written for"},
        {kOpenResults, AttrKind::Texts, true, "the types of the results, as far as they are known"},
        {kOpenOutputs, AttrKind::Ints, false, "for each output that the node lists: 1 where it has a name"},
        {kOpenValues, AttrKind::Ints, false, "operands whose values decide about the result's shape"}};
    Family family{
        {"shape_of",
         "The extents of x, as a vector (i64). It is known when the shape of x is, and takes no work then",
         {{"x", "any tensor"}},
         {{"start", AttrKind::Int, false, "first axis, negative from the end; 0 when left out"},
          {"end", AttrKind::Int, false, "axis after the last, negative from the end; the rank when left out"}},
         FusionKind::Opaque,
         shape_of_type,
         define_shape_of,
         {"Shape", "Size"}},
        {"open",
         "A node of the model that waits for the shapes or values of its operands. It is converted when they are "
         "known: "
         "when a function is specialized for shapes, or as a step of its own when it needs values. Attributes other "
         "than those below are the node's",
         {{"operands", "the node's inputs", true, true}},
         open_attrs,
         FusionKind::Opaque,
         open_type,
         no_definition,
         {"Compress", "ConstantOfShape", "NonMaxSuppression", "NonZero", "Range", "StringNormalizer", "Unique"}}};
    family[0].value_of_types = shape_value;
    family[1].open = true;
    return family;
}

} // namespace orrery::ops
