// Operators that move elements: each element of the result is one element of an operand, or a constant.

#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"

#include <algorithm>

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

// ---------------------------------------------------------------------------------------- reshape

Result<Type> reshape_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0));
    Ints shape = request.attrs.ints("shape");
    const std::int64_t count = element_count(graph::static_shape(x));
    std::int64_t known = 1;
    std::ptrdiff_t open = -1;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (shape[i] == -1 && open < 0)
            open = static_cast<std::ptrdiff_t>(i);
        else if (shape[i] < 0)
            return attr_error("a shape has extents of 0 or more and at most one -1, not " + std::to_string(shape[i]));
        else if (__builtin_mul_overflow(known, shape[i], &known))
            return shape_error("the shape has too many elements");
    }
    if (open >= 0) {
        if (known == 0 || count % known != 0)
            return shape_error("no extent makes " + graph::to_string(graph::AttrValue(shape)) + " hold " +
                               std::to_string(count) + " elements");
        shape[static_cast<std::size_t>(open)] = count / known;
    } else if (known != count) {
        return shape_error(graph::to_string(request.types[0]) + " has " + std::to_string(count) + " elements, " +
                           graph::to_string(graph::AttrValue(shape)) + " has " + std::to_string(known));
    }
    return checked_type(x.dtype, shape);
}

/// Indices into `in` of the element at `i` of `out`, a shape of as many elements. Extents are matched in the smallest
/// groups of equal products, so that axes which are only split or merged give short expressions.
Indices reshaped_indices(const Shape& in, const Shape& out, const Indices& i) {
    Indices at(in.size(), imm(0));
    if (element_count(in) == 0) return at;
    std::size_t a = 0, b = 0;
    while (a < in.size() || b < out.size()) {
        const std::size_t a0 = a, b0 = b;
        std::int64_t left = a < in.size() ? in[a++] : 1, right = b < out.size() ? out[b++] : 1;
        while (left != right) (left < right ? left *= in[a++] : right *= out[b++]);
        const Shape in_group(in.begin() + static_cast<std::ptrdiff_t>(a0), in.begin() + static_cast<std::ptrdiff_t>(a));
        const Shape out_group(out.begin() + static_cast<std::ptrdiff_t>(b0),
                              out.begin() + static_cast<std::ptrdiff_t>(b));
        if (left == 1) continue;
        const Indices out_indices(i.begin() + static_cast<std::ptrdiff_t>(b0),
                                  i.begin() + static_cast<std::ptrdiff_t>(b));
        const Indices group = unflatten(flatten(out_indices, out_group), in_group);
        std::ranges::copy(group, at.begin() + static_cast<std::ptrdiff_t>(a0));
    }
    return at;
}

std::vector<Buffer> define_reshape(const DefineRequest& request) {
    const Shape in = request.shape(0), out = request.out_shape();
    return {compute_stage(request.builder, {"reshape", request.out_dtype(), out},
                          [&](const Indices& i) { return load(request.in(0), reshaped_indices(in, out, i)); })};
}

// -------------------------------------------------------------------------------------- transpose

Result<Type> transpose_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, operand(request, 0));
    const Ints& perm = request.attrs.ints("perm");
    std::vector<bool> seen(x.dims.size());
    if (perm.size() != x.dims.size())
        return attr_error("perm must name every axis of " + graph::to_string(request.types[0]) + " once");
    Dims dims;
    for (std::int64_t axis : perm) {
        if (axis < 0 || axis >= static_cast<std::int64_t>(x.dims.size()) || seen[static_cast<std::size_t>(axis)])
            return attr_error("perm must name every axis of " + graph::to_string(request.types[0]) + " once, not " +
                              graph::to_string(graph::AttrValue(perm)));
        seen[static_cast<std::size_t>(axis)] = true;
        dims.push_back(x.dims[static_cast<std::size_t>(axis)]);
    }
    return graph::tensor_type(x.dtype, std::move(dims));
}

std::vector<Buffer> define_transpose(const DefineRequest& request) {
    const Ints& perm = request.attrs.ints("perm");
    return {
        compute_stage(request.builder, {"transpose", request.out_dtype(), request.out_shape()}, [&](const Indices& i) {
            Indices at(perm.size());
            for (std::size_t d = 0; d < perm.size(); ++d) at[static_cast<std::size_t>(perm[d])] = i[d];
            return load(request.in(0), at);
        })};
}

// ----------------------------------------------------------------------------------- broadcast_to

Result<Type> broadcast_to_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0));
    const Ints& shape = request.attrs.ints("shape");
    ORRERY_TRY(const Type type, checked_type(x.dtype, Shape(shape)));
    if (!broadcasts_to(graph::static_shape(x), shape))
        return shape_error(graph::to_string(request.types[0]) + " does not broadcast to " +
                           graph::to_string(graph::AttrValue(shape)));
    return type;
}

std::vector<Buffer> define_broadcast_to(const DefineRequest& request) {
    const Shape out = request.out_shape();
    return {compute_stage(request.builder, {"broadcast_to", request.out_dtype(), out},
                          [&](const Indices& i) { return load_broadcast(request.in(0), i, out); })};
}

// ----------------------------------------------------------------------------------------- concat

Result<Type> concat_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType first, operand(request, 0));
    ORRERY_TRY(const std::size_t axis, normalize_axis(request.attrs.integer("axis"), first.dims.size()));
    Dims dims = first.dims;
    std::int64_t total = 0;
    for (std::size_t i = 0; i < request.types.size(); ++i) {
        ORRERY_TRY(const TensorType part, operand(request, i));
        ORRERY_CHECK_OK(same_dtype(first, part));
        Dims expected = part.dims;
        if (part.dims.size() == dims.size()) expected[axis] = dims[axis];
        if (expected != dims)
            return shape_error("parts differ beyond axis " + std::to_string(axis) + ": " +
                               graph::to_string(request.types[0]) + " and " + graph::to_string(request.types[i]));
        if (!part.dims[axis].is_static() || __builtin_add_overflow(total, part.dims[axis].value, &total))
            return shape_error("the joined dimension must be static: " + graph::to_string(request.types[i]));
    }
    dims[axis] = total;
    return checked_type(first.dtype, dims);
}

/// The element at `at` of parts [low, high), which start at `starts`: a balanced tree of comparisons.
Expr pick_part(const DefineRequest& request, const Ints& starts, std::pair<std::size_t, std::size_t> parts,
               const Indices& at) {
    const auto [low, high] = parts;
    const auto axis = static_cast<std::size_t>(
        request.attrs.integer("axis") < 0 ? request.attrs.integer("axis") + static_cast<std::int64_t>(at.size())
                                          : request.attrs.integer("axis"));
    if (high - low == 1) {
        Indices from = at;
        from[axis] = at[axis] - starts[low];
        return load(request.in(low), from);
    }
    const std::size_t middle = low + (high - low) / 2;
    return select(lt(at[axis], imm(starts[middle])), pick_part(request, starts, {low, middle}, at),
                  pick_part(request, starts, {middle, high}, at));
}

std::vector<Buffer> define_concat(const DefineRequest& request) {
    const std::int64_t attr = request.attrs.integer("axis");
    const auto axis =
        static_cast<std::size_t>(attr < 0 ? attr + static_cast<std::int64_t>(request.out_shape().size()) : attr);
    Ints starts{0};
    for (std::size_t i = 0; i < request.inputs.size(); ++i) starts.push_back(starts.back() + request.shape(i)[axis]);
    return {compute_stage(request.builder, {"concat", request.out_dtype(), request.out_shape()}, [&](const Indices& i) {
        return pick_part(request, starts, {0, request.inputs.size()}, i);
    })};
}

// ------------------------------------------------------------------------------------------ slice

Result<Type> slice_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0));
    const std::size_t rank = x.dims.size();
    const Ints &begins = request.attrs.ints("begins"), &sizes = request.attrs.ints("sizes");
    ORRERY_TRY(const Ints steps, checked_ints(request.attrs, "steps", {rank, -kMaxTensorBytes, kMaxTensorBytes, 1}));
    if (begins.size() != rank || sizes.size() != rank)
        return attr_error("begins and sizes must have one value for each axis of " +
                          graph::to_string(request.types[0]));
    for (std::size_t i = 0; i < rank; ++i) {
        const std::int64_t extent = x.dims[i].value;
        if (sizes[i] < 0 || steps[i] == 0) return attr_error("sizes are 0 or more and steps are not 0");
        if (sizes[i] == 0) continue;
        if (begins[i] < 0 || begins[i] >= extent || sizes[i] > extent)
            return shape_error("the slice leaves axis " + std::to_string(i) + " of " +
                               graph::to_string(request.types[0]));
        std::int64_t reach = 0;
        if (__builtin_mul_overflow(sizes[i] - 1, steps[i], &reach) || begins[i] + reach < 0 ||
            begins[i] + reach >= extent)
            return shape_error("the slice leaves axis " + std::to_string(i) + " of " +
                               graph::to_string(request.types[0]));
    }
    return checked_type(x.dtype, Shape(sizes));
}

std::vector<Buffer> define_slice(const DefineRequest& request) {
    const Shape out = request.out_shape();
    const Ints &begins = request.attrs.ints("begins"), steps = request.attrs.ints("steps", Ints(out.size(), 1));
    return {compute_stage(request.builder, {"slice", request.out_dtype(), out}, [&](const Indices& i) {
        Indices at;
        for (std::size_t d = 0; d < out.size(); ++d) at.push_back(i[d] * steps[d] + begins[d]);
        return load(request.in(0), at);
    })};
}

// -------------------------------------------------------------------------------------------- pad

Result<Type> pad_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0));
    const std::size_t rank = x.dims.size();
    const IntsRange range{rank, -kMaxTensorBytes, kMaxTensorBytes, 0};
    ORRERY_TRY(const Ints before, checked_ints(request.attrs, "before", range));
    ORRERY_TRY(const Ints after, checked_ints(request.attrs, "after", range));
    const std::string mode = request.attrs.text("mode", "constant");
    if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap")
        return attr_error("mode is constant, reflect, edge or wrap, not " + mode);
    if (present(request, 1)) {
        ORRERY_TRY(const TensorType value, static_operand(request, 1));
        ORRERY_CHECK_OK(same_dtype(x, value));
        if (element_count(graph::static_shape(value)) != 1)
            return shape_error("the padding value must be one element, is " + graph::to_string(request.types[1]));
    }
    Shape shape;
    for (std::size_t i = 0; i < rank; ++i) {
        shape.push_back(x.dims[i].value + before[i] + after[i]);
        if (shape.back() < 0)
            return shape_error("negative padding leaves less than nothing of axis " + std::to_string(i));
        if (mode != "constant" && x.dims[i].value == 0 && shape.back() > 0)
            return shape_error("an empty axis has nothing to " + mode);
    }
    return checked_type(x.dtype, shape);
}

Expr padded_index(const std::string& mode, const Expr& index, std::int64_t extent) {
    if (mode == "edge") return max(min(index, imm(extent - 1)), imm(0));
    if (mode == "wrap") return floor_mod(index, imm(extent));
    if (extent == 1) return imm(0);
    const Expr folded = floor_mod(index, imm(2 * (extent - 1)));
    return min(folded, imm(2 * (extent - 1)) - folded);
}

std::vector<Buffer> define_pad(const DefineRequest& request) {
    const Shape in = request.shape(0), out = request.out_shape();
    const Ints before = request.attrs.ints("before", Ints(in.size(), 0));
    const std::string mode = request.attrs.text("mode", "constant");
    const DType dtype = request.out_dtype();
    return {compute_stage(request.builder, {"pad", dtype, out}, [&](const Indices& i) {
        Indices at;
        Expr inside;
        for (std::size_t d = 0; d < in.size(); ++d) {
            const Expr index = i[d] - before[d];
            const bool below = before[d] > 0, above = out[d] - before[d] > in[d];
            if (mode != "constant" && (below || above)) {
                at.push_back(padded_index(mode, index, in[d]));
                continue;
            }
            at.push_back(index);
            const auto require = [&inside](const Expr& condition) {
                inside = inside ? inside && condition : condition;
            };
            if (below) require(ge(index, imm(0)));
            if (above) require(lt(index, imm(in[d])));
        }
        const Expr value = load(request.in(0), at);
        if (inside == nullptr) return value;
        const Expr fill =
            request.has(1) ? load(request.in(1), Indices(request.in(1)->rank(), imm(0))) : constant_int(dtype, 0);
        return select(inside, value, fill);
    })};
}

// ------------------------------------------------------------------------------------------- tile

Result<Type> tile_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0));
    ORRERY_TRY(const Ints repeats, checked_ints(request.attrs, "repeats", {x.dims.size(), 0, kMaxTensorBytes, 1}));
    Shape shape;
    for (std::size_t i = 0; i < repeats.size(); ++i) {
        shape.push_back(0);
        if (__builtin_mul_overflow(x.dims[i].value, repeats[i], &shape.back()))
            return shape_error("the result has too many elements");
    }
    return checked_type(x.dtype, shape);
}

std::vector<Buffer> define_tile(const DefineRequest& request) {
    const Shape in = request.shape(0), out = request.out_shape();
    return {compute_stage(request.builder, {"tile", request.out_dtype(), out}, [&](const Indices& i) {
        Indices at;
        for (std::size_t d = 0; d < in.size(); ++d)
            at.push_back(in[d] == out[d] ? i[d] : floor_mod(i[d], imm(std::max<std::int64_t>(in[d], 1))));
        return load(request.in(0), at);
    })};
}

// ------------------------------------------------------------------------------------------ trilu

Result<Type> trilu_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, operand(request, 0));
    if (x.dims.size() < 2)
        return shape_error("a triangle is taken of matrices, not of " + graph::to_string(request.types[0]));
    const std::int64_t k = request.attrs.integer("k", 0);
    if (k < -kMaxTensorBytes || k > kMaxTensorBytes) return attr_error("k is too large: " + std::to_string(k));
    return graph::tensor_type(x.dtype, x.dims);
}

std::vector<Buffer> define_trilu(const DefineRequest& request) {
    const DType dtype = request.out_dtype();
    const std::int64_t k = request.attrs.integer("k", 0);
    return {compute_stage(request.builder, {"trilu", dtype, request.out_shape()}, [&](const Indices& i) {
        const Expr row = i[i.size() - 2], column = i.back();
        const Expr kept = request.attrs.flag("upper", true) ? ge(column - row, imm(k)) : le(column - row, imm(k));
        return select(kept, load(request.in(0), i), dtype == DType::Bool ? boolean(false) : constant_int(dtype, 0));
    })};
}

Family layout_rows() {
    return {
        {.name = "reshape",
         .doc = "The elements of x, in row-major order, under another shape. Errors: BadShape when the element counts "
                "differ.",
         .operands = {{"x", "any element type and shape"}},
         .attrs = {{"shape", AttrKind::Ints, true, "the result's extents; one may be -1, to be found from the others"}},
         .fusion = FusionKind::Injective,
         .infer = reshape_type,
         .define = define_reshape,
         .onnx_names = {"Reshape", "Flatten", "Squeeze", "Unsqueeze"}},
        {.name = "transpose",
         .doc = "x with its axes reordered: axis d of the result is axis perm[d] of x. Errors: BadAttribute when perm "
                "is no permutation.",
         .operands = {{"x", "any element type and shape"}},
         .attrs = {{"perm", AttrKind::Ints, true, "every axis of x once"}},
         .fusion = FusionKind::Injective,
         .infer = transpose_type,
         .define = define_transpose,
         .onnx_names = {"Transpose"}},
        {.name = "broadcast_to",
         .doc = "x repeated along axes of extent 1 and new leading axes. Errors: BadShape when x does not broadcast to "
                "the shape.",
         .operands = {{"x", "any element type and shape"}},
         .attrs = {{"shape", AttrKind::Ints, true, "the result's extents"}},
         .fusion = FusionKind::Broadcast,
         .infer = broadcast_to_type,
         .define = define_broadcast_to,
         .onnx_names = {"Expand"}},
        {.name = "concat",
         .doc = "The operands joined along an axis. Errors: BadShape when they differ elsewhere, BadAttribute for the "
                "axis.",
         .operands = {{"parts", "one element type; equal shapes but for the axis", false, true}},
         .attrs = {{"axis", AttrKind::Int, true, "the axis joined along; negative counted from the end"}},
         .fusion = FusionKind::Injective,
         .infer = concat_type,
         .define = define_concat,
         .onnx_names = {"Concat"}},
        {.name = "slice",
         .doc = "Every step-th element of x, `sizes` of them along each axis, from `begins` on. Errors: BadShape when "
                "that leaves x, "
                "BadAttribute for a step of 0.",
         .operands = {{"x", "any element type and shape"}},
         .attrs = {{"begins", AttrKind::Ints, true, "first index along each axis, 0 or more"},
                   {"sizes", AttrKind::Ints, true, "the result's extents"},
                   {"steps", AttrKind::Ints, false,
                    "distance along each axis, not 0, negative to go back; all 1 when left out"}},
         .fusion = FusionKind::Injective,
         .infer = slice_type,
         .define = define_slice,
         .onnx_names = {"Slice", "Split"}},
    };
}

} // namespace

Family shape_family() {
    Family family = layout_rows();
    family.push_back(
        {.name = "pad",
         .doc = "x with elements added (or, where negative, cut) before and after each axis. Errors: BadShape when "
                "less than nothing "
                "stays or an empty axis is to be repeated, BadAttribute for an unknown mode.",
         .operands = {{"x", "any element type and shape"},
                      {"value", "one element, used by the mode `constant`; 0 when missing", true}},
         .attrs = {{"before", AttrKind::Ints, false, "elements added before each axis; all 0 when left out"},
                   {"after", AttrKind::Ints, false, "elements added after each axis; all 0 when left out"},
                   {"mode", AttrKind::Text, false,
                    "constant (when left out), reflect (mirrored without repeating the edge), edge (repeated), wrap "
                    "(periodic)"}},
         .fusion = FusionKind::Injective,
         .infer = pad_type,
         .define = define_pad,
         .onnx_names = {"Pad"}});
    family.push_back(
        {.name = "tile",
         .doc = "x repeated whole along each axis. Errors: BadAttribute for negative counts, LimitExceeded.",
         .operands = {{"x", "any element type and shape"}},
         .attrs = {{"repeats", AttrKind::Ints, true, "how often along each axis"}},
         .fusion = FusionKind::Injective,
         .infer = tile_type,
         .define = define_tile,
         .onnx_names = {"Tile"}});
    family.push_back(
        {.name = "trilu",
         .doc =
             "The upper or lower triangle of each matrix in x; zero elsewhere. Errors: BadShape below two dimensions.",
         .operands = {{"x", "[..., M, N], any element type"}},
         .attrs = {{"upper", AttrKind::Bool, false, "which triangle; true, the upper one, when left out"},
                   {"k", AttrKind::Int, false,
                    "the diagonal the triangle ends at: 0, when left out, is the main one, positive is above"}},
         .fusion = FusionKind::Elementwise,
         .infer = trilu_type,
         .define = define_trilu,
         .onnx_names = {"Trilu"}});
    return family;
}

} // namespace orrery::ops
