// Operators whose result is picked from an operand by indices that are data, or by fixed regroupings of axes.
// Indices count from the end when negative and are moved into range when outside: data never reads beyond a buffer.

#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

std::size_t attr_axis(const DefineRequest& request, std::int64_t fallback, std::size_t rank) {
    const std::int64_t axis = request.attrs.integer("axis", fallback);
    return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis);
}

// ----------------------------------------------------------------------------------------- gather

Result<Type> gather_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0));
    ORRERY_TRY(const TensorType indices, static_operand(request, 1, DTypes::Int));
    ORRERY_TRY(const std::size_t axis, normalize_axis(request.attrs.integer("axis", 0), x.dims.size()));
    const Shape index_shape = graph::static_shape(indices);
    if (x.dims[axis].value == 0 && element_count(index_shape) > 0)
        return shape_error("nothing can be picked from an empty axis");
    Shape shape = graph::static_shape(x);
    shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
    shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), index_shape.begin(), index_shape.end());
    return checked_type(x.dtype, shape);
}

std::vector<Buffer> define_gather(const DefineRequest& request) {
    const Buffer &x = request.in(0), &indices = request.in(1);
    const Shape in = x->static_shape();
    const auto axis = static_cast<std::ptrdiff_t>(attr_axis(request, 0, in.size()));
    const auto count = static_cast<std::ptrdiff_t>(indices->rank());
    return {compute_stage(request.builder, {"gather", request.out_dtype(), request.out_shape()}, [&](const Indices& i) {
        Indices at(i.begin(), i.begin() + axis);
        at.push_back(safe_index(load(indices, {i.begin() + axis, i.begin() + axis + count}),
                                in[static_cast<std::size_t>(axis)]));
        at.insert(at.end(), i.begin() + axis + count, i.end());
        return load(x, at);
    })};
}

Result<Type> gather_elements_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0));
    ORRERY_TRY(const TensorType indices, static_operand(request, 1, DTypes::Int));
    ORRERY_TRY(const std::size_t axis, normalize_axis(request.attrs.integer("axis", 0), x.dims.size()));
    const Shape shape = graph::static_shape(indices);
    if (shape.size() != x.dims.size())
        return shape_error("indices " + graph::to_string(request.types[1]) + " must have the rank of " +
                           graph::to_string(request.types[0]));
    for (std::size_t i = 0; i < shape.size(); ++i)
        if ((i != axis && shape[i] > x.dims[i].value) || (x.dims[i].value == 0 && element_count(shape) > 0))
            return shape_error("indices " + graph::to_string(request.types[1]) + " reach beyond " +
                               graph::to_string(request.types[0]));
    return checked_type(x.dtype, shape);
}

std::vector<Buffer> define_gather_elements(const DefineRequest& request) {
    const Shape in = request.shape(0);
    const std::size_t axis = attr_axis(request, 0, in.size());
    return {compute_stage(request.builder, {"gather_elements", request.out_dtype(), request.out_shape()},
                          [&](const Indices& i) {
                              Indices at = i;
                              at[axis] = safe_index(load(request.in(1), i), in[axis]);
                              return load(request.in(0), at);
                          })};
}

Result<Type> gather_nd_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0));
    ORRERY_TRY(const TensorType indices, static_operand(request, 1, DTypes::Int));
    const std::int64_t batch = request.attrs.integer("batch_dims", 0);
    const Shape in = graph::static_shape(x), index_shape = graph::static_shape(indices);
    const auto rank = static_cast<std::int64_t>(in.size()), index_rank = static_cast<std::int64_t>(index_shape.size());
    if (batch < 0 || batch >= index_rank || batch >= rank)
        return attr_error("batch_dims must be below both ranks, is " + std::to_string(batch));
    const std::int64_t depth = index_shape.back();
    if (depth < 1 || depth > rank - batch)
        return shape_error("index tuples of " + std::to_string(depth) + " do not fit " +
                           graph::to_string(request.types[0]));
    for (std::int64_t i = 0; i < batch; ++i)
        if (in[static_cast<std::size_t>(i)] != index_shape[static_cast<std::size_t>(i)])
            return shape_error("batch dimensions differ: " + graph::to_string(request.types[0]) + " and " +
                               graph::to_string(request.types[1]));
    Shape shape(index_shape.begin(), index_shape.end() - 1);
    shape.insert(shape.end(), in.begin() + batch + depth, in.end());
    if (element_count(in) == 0 && element_count(shape) > 0)
        return shape_error("nothing can be picked from an empty tensor");
    return checked_type(x.dtype, shape);
}

std::vector<Buffer> define_gather_nd(const DefineRequest& request) {
    const Shape in = request.shape(0), index_shape = request.shape(1);
    const std::int64_t batch = request.attrs.integer("batch_dims", 0);
    const auto prefix = static_cast<std::ptrdiff_t>(index_shape.size()) - 1;
    return {
        compute_stage(request.builder, {"gather_nd", request.out_dtype(), request.out_shape()}, [&](const Indices& i) {
            Indices at(i.begin(), i.begin() + batch);
            for (std::int64_t d = 0; d < index_shape.back(); ++d) {
                Indices tuple(i.begin(), i.begin() + prefix);
                tuple.push_back(imm(d));
                at.push_back(safe_index(load(request.in(1), tuple), in[at.size()]));
            }
            at.insert(at.end(), i.begin() + prefix, i.end());
            return load(request.in(0), at);
        })};
}

// ---------------------------------------------------------------------------------------- one_hot

Result<Type> one_hot_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType indices, static_operand(request, 0, DTypes::Number));
    ORRERY_TRY(const TensorType values, ranked_operand(request, 1, 1));
    if (values.dims[0].value != 2)
        return shape_error("values must be the two of off and on, is " + graph::to_string(request.types[1]));
    const std::int64_t depth = request.attrs.integer("depth");
    if (depth < 0) return attr_error("depth must be 0 or more, not " + std::to_string(depth));
    ORRERY_TRY(const std::size_t axis, normalize_axis(request.attrs.integer("axis", -1), indices.dims.size() + 1));
    Shape shape = graph::static_shape(indices);
    shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), depth);
    return checked_type(values.dtype, shape);
}

std::vector<Buffer> define_one_hot(const DefineRequest& request) {
    const Shape out = request.out_shape();
    const std::size_t axis = attr_axis(request, -1, out.size());
    return {compute_stage(request.builder, {"one_hot", request.out_dtype(), out}, [&](const Indices& i) {
        Indices at = i;
        at.erase(at.begin() + static_cast<std::ptrdiff_t>(axis));
        const Expr index = cast(DType::I64, load(request.in(0), at));
        const Expr wrapped = select(lt(index, imm(0)), index + out[axis], index);
        return select(eq(wrapped, i[axis]), load(request.in(1), {imm(1)}), load(request.in(1), {imm(0)}));
    })};
}

// ------------------------------------------------------------------------------- reverse_sequence

Result<Type> reverse_sequence_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0));
    ORRERY_TRY(const std::size_t time, normalize_axis(request.attrs.integer("time_axis", 0), x.dims.size()));
    ORRERY_TRY(const std::size_t batch, normalize_axis(request.attrs.integer("batch_axis", 1), x.dims.size()));
    if (time == batch) return attr_error("time_axis and batch_axis must differ");
    ORRERY_CHECK_OK(check_vector(request, 1, x.dims[batch].value, DType::I64));
    return graph::tensor_type(x.dtype, x.dims);
}

std::vector<Buffer> define_reverse_sequence(const DefineRequest& request) {
    const Shape shape = request.out_shape();
    const auto normal = [&](std::int64_t axis) {
        return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(shape.size()) : axis);
    };
    const std::size_t time = normal(request.attrs.integer("time_axis", 0)),
                      batch = normal(request.attrs.integer("batch_axis", 1));
    return {compute_stage(request.builder, {"reverse_sequence", request.out_dtype(), shape}, [&](const Indices& i) {
        const Expr length = max(min(load(request.in(1), {i[batch]}), imm(shape[time])), imm(0));
        Indices at = i;
        at[time] = select(lt(i[time], length), length - 1 - i[time], i[time]);
        return load(request.in(0), at);
    })};
}

// ----------------------------------------------------------------------- depth_to_space and back

Result<Type> depth_space_type(const TypeRequest& request, bool to_space) {
    ORRERY_TRY(const TensorType x, ranked_operand(request, 0, 4));
    const std::int64_t block = request.attrs.integer("block");
    if (block < 1 || block > (1 << 20))
        return attr_error("block must be between 1 and 2^20, not " + std::to_string(block));
    Shape shape = graph::static_shape(x);
    const bool fits = to_space ? shape[1] % (block * block) == 0 : shape[2] % block == 0 && shape[3] % block == 0;
    if (!fits)
        return shape_error("blocks of " + std::to_string(block) + " do not divide " +
                           graph::to_string(request.types[0]));
    shape[1] = to_space ? shape[1] / (block * block) : shape[1] * block * block;
    for (std::size_t d : {2, 3}) shape[d] = to_space ? shape[d] * block : shape[d] / block;
    return checked_type(x.dtype, shape);
}
Result<Type> depth_to_space_type(const TypeRequest& request) { return depth_space_type(request, true); }
Result<Type> space_to_depth_type(const TypeRequest& request) { return depth_space_type(request, false); }

std::vector<Buffer> define_depth_to_space(const DefineRequest& request) {
    const std::int64_t block = request.attrs.integer("block");
    const Shape out = request.out_shape();
    const bool column_row = request.attrs.flag("column_row");
    return {compute_stage(
        request.builder, {"depth_to_space", request.out_dtype(), out, nchw_names(4)}, [&](const Indices& i) {
            const Expr y = floor_mod(i[2], imm(block)), x = floor_mod(i[3], imm(block)), offset = y * block + x;
            const Expr channel = column_row ? i[1] * (block * block) + offset : offset * out[1] + i[1];
            return load(request.in(0), {i[0], channel, floor_div(i[2], imm(block)), floor_div(i[3], imm(block))});
        })};
}

std::vector<Buffer> define_space_to_depth(const DefineRequest& request) {
    const std::int64_t block = request.attrs.integer("block"),
                       channels = std::max<std::int64_t>(request.shape(0)[1], 1);
    return {compute_stage(request.builder, {"space_to_depth", request.out_dtype(), request.out_shape(), nchw_names(4)},
                          [&](const Indices& i) {
                              const Expr offset = floor_div(i[1], imm(channels)),
                                         channel = floor_mod(i[1], imm(channels));
                              return load(request.in(0), {i[0], channel, i[2] * block + floor_div(offset, imm(block)),
                                                          i[3] * block + floor_mod(offset, imm(block))});
                          })};
}

const char* const kIndexDoc = "integers; negative ones count from the end, those outside are moved to the nearest end";

Family pick_rows() {
    return {
        {.name = "gather",
         .doc = "Slices of x along an axis, picked by indices: the axis is replaced by the dimensions of `indices`. "
                "Errors: BadShape for an "
                "empty axis, BadAttribute for an axis outside x.",
         .operands = {{"x", "any element type, one dimension or more"}, {"indices", kIndexDoc}},
         .attrs = {{"axis", AttrKind::Int, false, "0 when left out"}},
         .fusion = FusionKind::Injective,
         .infer = gather_type,
         .define = define_gather,
         .onnx_names = {"Gather"}},
        {.name = "gather_elements",
         .doc = "out[i] = x[i with i[axis] replaced by indices[i]]. The result has the shape of `indices`. Errors: "
                "BadShape when that reaches "
                "beyond x on other axes.",
         .operands = {{"x", "any element type, one dimension or more"}, {"indices", kIndexDoc}},
         .attrs = {{"axis", AttrKind::Int, false, "0 when left out"}},
         .fusion = FusionKind::Injective,
         .infer = gather_elements_type,
         .define = define_gather_elements,
         .onnx_names = {"GatherElements"}},
        {.name = "gather_nd",
         .doc = "Slices of x picked by index tuples: out[b, p..., r...] = x[b, tuple(indices[b, p...]), r...]. Errors: "
                "BadShape for tuples "
                "longer than x has axes.",
         .operands = {{"x", "any element type, one dimension or more"},
                      {"indices", "[batch..., p..., tuple length], integers"}},
         .attrs = {{"batch_dims", AttrKind::Int, false, "leading dimensions both operands share; 0 when left out"}},
         .fusion = FusionKind::Injective,
         .infer = gather_nd_type,
         .define = define_gather_nd,
         .onnx_names = {"GatherND"}},
        {.name = "one_hot",
         .doc = "values[1] where the new axis' index is the given one, values[0] elsewhere; all values[0] for an index "
                "outside [-depth, depth). "
                "Errors: BadShape, BadAttribute.",
         .operands = {{"indices", "numbers"}, {"values", "[2], off and on"}},
         .attrs = {{"depth", AttrKind::Int, true, "extent of the new axis"},
                   {"axis", AttrKind::Int, false, "where the new axis stands in the result; last when left out"}},
         .fusion = FusionKind::Injective,
         .infer = one_hot_type,
         .define = define_one_hot,
         .onnx_names = {"OneHot"}},
    };
}

} // namespace

Family gather_family() {
    Family family = pick_rows();
    family.push_back({.name = "reverse_sequence",
                      .doc = "x with the first lengths[b] elements along the time axis in reverse, for each b of the "
                             "batch axis. Errors: BadShape "
                             "for lengths that do not fit the batch.",
                      .operands = {{"x", "any element type, two dimensions or more"},
                                   {"lengths", "[B], i64; held within the time axis"}},
                      .attrs = {{"time_axis", AttrKind::Int, false, "0 when left out"},
                                {"batch_axis", AttrKind::Int, false, "1 when left out"}},
                      .fusion = FusionKind::Injective,
                      .infer = reverse_sequence_type,
                      .define = define_reverse_sequence,
                      .onnx_names = {"ReverseSequence"}});
    family.push_back({.name = "depth_to_space",
                      .doc = "Channels spread over blocks of pixels: [N, C, H, W] to [N, C / b^2, H b, W b]. Errors: "
                             "BadShape when b^2 does not divide C.",
                      .operands = {{"x", "[N, C, H, W]"}},
                      .attrs = {{"block", AttrKind::Int, true, "b, the block's height and width"},
                                {"column_row", AttrKind::Bool, false,
                                 "whether a channel's pixels lie side by side (CRD) rather than b^2 channels apart "
                                 "(DCR); false when left out"}},
                      .fusion = FusionKind::Injective,
                      .infer = depth_to_space_type,
                      .define = define_depth_to_space,
                      .onnx_names = {"DepthToSpace"}});
    family.push_back({.name = "space_to_depth",
                      .doc = "Blocks of pixels gathered into channels: [N, C, H, W] to [N, C b^2, H / b, W / b]. "
                             "Errors: BadShape when b does not divide H and W.",
                      .operands = {{"x", "[N, C, H, W]"}},
                      .attrs = {{"block", AttrKind::Int, true, "b, the block's height and width"}},
                      .fusion = FusionKind::Injective,
                      .infer = space_to_depth_type,
                      .define = define_space_to_depth,
                      .onnx_names = {"SpaceToDepth"}});
    return family;
}

} // namespace orrery::ops
