// Operators that write chosen elements of a copy. Updates may fall on one another, in order: statements, not stages.

#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

Result<void> check_reduction(const Attrs& attrs) {
    const std::string reduction = attrs.text("reduction", "none");
    for (const char* known : {"none", "add", "mul", "max", "min"})
        if (reduction == known) return {};
    return attr_error("reduction is none, add, mul, max or min, not " + reduction);
}

Expr updated(const Attrs& attrs, const Expr& old, const Expr& update) {
    const std::string reduction = attrs.text("reduction", "none");
    if (reduction == "none") return update;
    if (old->dtype == DType::Bool) return reduction == "add" || reduction == "max" ? old || update : old && update;
    if (reduction == "add") return old + update;
    if (reduction == "mul") return old * update;
    return reduction == "max" ? max(old, update) : min(old, update);
}

Result<Type> scatter_elements_type(const TypeRequest& request) {
    ORRERY_CHECK_OK(check_reduction(request.attrs));
    ORRERY_TRY(const TensorType x, static_operand(request, 0, DTypes::Comparable));
    ORRERY_TRY(const TensorType indices, static_operand(request, 1, DTypes::Int));
    ORRERY_TRY(const TensorType updates, static_operand(request, 2));
    ORRERY_CHECK_OK(same_dtype(x, updates));
    ORRERY_TRY(const std::size_t axis, normalize_axis(request.attrs.integer("axis", 0), x.dims.size()));
    if (indices.dims != updates.dims || indices.dims.size() != x.dims.size())
        return shape_error("indices " + graph::to_string(request.types[1]) + " and updates " +
                           graph::to_string(request.types[2]) + " must have one shape, of the rank of " +
                           graph::to_string(request.types[0]));
    const std::int64_t count = element_count(graph::static_shape(indices));
    for (std::size_t i = 0; i < x.dims.size(); ++i)
        if (count > 0 && ((i != axis && indices.dims[i].value > x.dims[i].value) || x.dims[i].value == 0))
            return shape_error("updates " + graph::to_string(request.types[2]) + " reach beyond " +
                               graph::to_string(request.types[0]));
    return graph::tensor_type(x.dtype, x.dims);
}

std::vector<Buffer> scatter(const DefineRequest& request, const Shape& updates,
                            const std::function<Indices(const Indices&)>& target) {
    const Buffer &x = request.in(0), &values = request.in(2);
    const Buffer out = make_buffer(std::string(request.name), x->dtype, x->static_shape());
    const Stmt update = loops(updates, {}, [&](const Indices& i) {
        const Indices at = target(i);
        return Store::make(out, at, updated(request.attrs, load(out, at), load(values, i)));
    });
    return request.builder.statement(std::string(request.name), {out}, Seq::make({copy_loops(x, out), update}));
}

std::vector<Buffer> define_scatter_elements(const DefineRequest& request) {
    const Shape in = request.shape(0);
    const std::int64_t attr = request.attrs.integer("axis", 0);
    const auto axis = static_cast<std::size_t>(attr < 0 ? attr + static_cast<std::int64_t>(in.size()) : attr);
    return scatter(request, request.shape(2), [&](const Indices& i) {
        Indices at = i;
        at[axis] = safe_index(load(request.in(1), i), in[axis]);
        return at;
    });
}

Result<Type> scatter_nd_type(const TypeRequest& request) {
    ORRERY_CHECK_OK(check_reduction(request.attrs));
    ORRERY_TRY(const TensorType x, static_operand(request, 0, DTypes::Comparable));
    ORRERY_TRY(const TensorType indices, static_operand(request, 1, DTypes::Int));
    ORRERY_TRY(const TensorType updates, static_operand(request, 2));
    ORRERY_CHECK_OK(same_dtype(x, updates));
    if (indices.dims.empty()) return shape_error("indices must have one dimension or more");
    const Shape in = graph::static_shape(x), index_shape = graph::static_shape(indices);
    const std::int64_t depth = index_shape.back();
    if (depth < 1 || depth > static_cast<std::int64_t>(in.size()))
        return shape_error("index tuples of " + std::to_string(depth) + " do not fit " +
                           graph::to_string(request.types[0]));
    Shape expected(index_shape.begin(), index_shape.end() - 1);
    expected.insert(expected.end(), in.begin() + depth, in.end());
    if (graph::static_shape(updates) != expected)
        return shape_error("updates must be " + type_text(updates.dtype, expected) + ", are " +
                           graph::to_string(request.types[2]));
    if (element_count(in) == 0 && element_count(expected) > 0)
        return shape_error("nothing can be written into an empty tensor");
    return graph::tensor_type(x.dtype, x.dims);
}

std::vector<Buffer> define_scatter_nd(const DefineRequest& request) {
    const Shape in = request.shape(0), index_shape = request.shape(1);
    const auto prefix = static_cast<std::ptrdiff_t>(index_shape.size()) - 1;
    return scatter(request, request.shape(2), [&](const Indices& i) {
        Indices at;
        for (std::int64_t d = 0; d < index_shape.back(); ++d) {
            Indices tuple(i.begin(), i.begin() + prefix);
            tuple.push_back(imm(d));
            at.push_back(safe_index(load(request.in(1), tuple), in[at.size()]));
        }
        at.insert(at.end(), i.begin() + prefix, i.end());
        return at;
    });
}

const graph::AttrSpec kReduction{
    "reduction", AttrKind::Text, false,
    "how an update meets what is there: none (replaces it, when left out), add, mul, max, min"};

} // namespace

Family scatter_family() {
    return {
        {.name = "scatter_elements",
         .doc = "x with out[i with i[axis] replaced by indices[i]] updated by updates[i], in row-major order of i. "
                "Errors: BadShape, BadAttribute.",
         .operands = {{"x", "any element type, one dimension or more"},
                      {"indices", "integers, negative counted from the end"},
                      {"updates", "of x's element type and the shape of indices"}},
         .attrs = {{"axis", AttrKind::Int, false, "0 when left out"}, kReduction},
         .fusion = FusionKind::Opaque,
         .infer = scatter_elements_type,
         .define = define_scatter_elements,
         .onnx_names = {"ScatterElements", "Scatter", "MaxUnpool"}},
        {.name = "scatter_nd",
         .doc = "x with the slices at index tuples updated: out[tuple(indices[p...]), r...] by updates[p..., r...], in "
                "order of p. Errors: "
                "BadShape, BadAttribute.",
         .operands = {{"x", "any element type, one dimension or more"},
                      {"indices", "[p..., tuple length], integers, negative counted from the end"},
                      {"updates", "[p..., rest of x...], of x's element type"}},
         .attrs = {kReduction},
         .fusion = FusionKind::Opaque,
         .infer = scatter_nd_type,
         .define = define_scatter_nd,
         .onnx_names = {"ScatterND"}},
    };
}

} // namespace orrery::ops
