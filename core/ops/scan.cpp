// Operators that go along an axis in order: running sums, selection of the greatest, determinants.

#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

/// Loops over every axis of `shape` but one.
Stmt loops_beside(const Shape& shape, std::size_t axis,
                  const std::function<Stmt(const std::function<Indices(const Expr&)>&)>& body) {
    Shape rest = shape;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(axis));
    return loops(rest, {}, [&](const Indices& i) {
        return body([i, axis](const Expr& k) {
            Indices at = i;
            at.insert(at.begin() + static_cast<std::ptrdiff_t>(axis), k);
            return at;
        });
    });
}

std::size_t attr_axis(const DefineRequest& request, std::int64_t fallback) {
    const std::int64_t axis = request.attrs.integer("axis", fallback);
    return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(request.in(0)->rank()) : axis);
}

// ----------------------------------------------------------------------------------------- cumsum

Result<Type> cumsum_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0, DTypes::Number));
    ORRERY_TRY([[maybe_unused]] const std::size_t axis, normalize_axis(request.attrs.integer("axis"), x.dims.size()));
    return graph::tensor_type(x.dtype, x.dims);
}

std::vector<Buffer> define_cumsum(const DefineRequest& request) {
    const Buffer& x = request.in(0);
    const Shape shape = request.out_shape();
    const std::size_t axis = attr_axis(request, 0);
    const bool exclusive = request.attrs.flag("exclusive"), reverse = request.attrs.flag("reverse");
    const std::int64_t extent = shape[axis];
    const Buffer out = make_buffer("cumsum", x->dtype, shape);
    const Expr zero = constant_int(x->dtype, 0);
    if (extent == 0)
        return {compute_stage(request.builder, {"cumsum", x->dtype, shape}, [&](const Indices&) { return zero; })};
    const auto position = [&](const Expr& t) { return reverse ? imm(extent - 1) - t : t; };
    const Stmt body = loops_beside(shape, axis, [&](const auto& at) {
        const Indices first = at(position(imm(0)));
        const Stmt start = Store::make(out, first, exclusive ? zero : load(x, first));
        const Stmt rest = loop(extent - 1, "t", [&](const Expr& t) {
            const Indices here = at(position(t + 1)), before = at(position(t));
            return Store::make(out, here, load(out, before) + load(x, exclusive ? before : here));
        });
        return Seq::make({start, rest});
    });
    return request.builder.statement("cumsum", {out}, body);
}

// ------------------------------------------------------------------------------------------ top_k

Result<Type> top_k_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0, DTypes::Number));
    ORRERY_TRY(const std::size_t axis, normalize_axis(request.attrs.integer("axis", -1), x.dims.size()));
    const std::int64_t k = request.attrs.integer("k");
    if (k < 0 || k > x.dims[axis].value)
        return attr_error("k must be between 0 and " + std::to_string(x.dims[axis].value) + ", not " +
                          std::to_string(k));
    Dims dims = x.dims;
    dims[axis] = k;
    return graph::tuple_type({graph::tensor_type(x.dtype, dims), graph::tensor_type(DType::I64, dims)});
}

/// k times: the best element that comes after the one chosen last, by value and then by index.
std::vector<Buffer> define_top_k(const DefineRequest& request) {
    const Buffer& x = request.in(0);
    const Shape in = x->static_shape(), out = request.out_shape();
    const std::size_t axis = attr_axis(request, -1);
    const bool largest = request.attrs.flag("largest", true);
    const Buffer values = make_buffer("top_k_values", x->dtype, out),
                 indices = make_buffer("top_k_indices", DType::I64, out);
    if (element_count(out) == 0) {
        const auto nothing = [&](DType dtype) {
            return compute_stage(request.builder, {"top_k", dtype, out},
                                 [&](const Indices&) { return constant_int(dtype, 0); });
        };
        return {nothing(x->dtype), nothing(DType::I64)};
    }
    const auto better = [largest](const Expr& a, const Expr& b) { return largest ? gt(a, b) : lt(a, b); };
    const Stmt body = loops_beside(out, axis, [&](const auto& at) {
        return loop(out[axis], "s", [&](const Expr& s) {
            const Indices here = at(s), before = at(max(s - 1, imm(0)));
            const Stmt search = loop(in[axis], "c", [&](const Expr& c) {
                const Expr value = load(x, at(c));
                const Expr follows = eq(s, imm(0)) || better(load(values, before), value) ||
                                     (eq(value, load(values, before)) && gt(c, load(indices, before)));
                const Expr wins = lt(load(indices, here), imm(0)) || better(value, load(values, here));
                return If::make(follows && wins,
                                Seq::make({Store::make(values, here, value), Store::make(indices, here, c)}));
            });
            return Seq::make(
                {Store::make(values, here, load(x, at(imm(0)))), Store::make(indices, here, imm(-1)), search});
        });
    });
    return request.builder.statement("top_k", {values, indices}, body);
}

// -------------------------------------------------------------------------------------------- det

Result<Type> det_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0, DTypes::WideFloat));
    const std::size_t rank = x.dims.size();
    if (rank < 2 || !(x.dims[rank - 1] == x.dims[rank - 2]))
        return shape_error("needs square matrices, not " + graph::to_string(request.types[0]));
    return graph::tensor_type(x.dtype, Dims(x.dims.begin(), x.dims.end() - 2));
}

/// Elimination with the greatest pivot of each column. `work` holds one matrix, `pivot` the chosen row.
std::vector<Buffer> define_det(const DefineRequest& request) {
    const Buffer& x = request.in(0);
    const Shape in = x->static_shape();
    const std::int64_t n = in.back();
    const DType dtype = x->dtype;
    const Buffer out = make_buffer("det", dtype, request.out_shape());
    const Buffer work = make_buffer("det_work", dtype, {n, n}), pivot = make_buffer("det_pivot", DType::I64, {1}),
                 held = make_buffer("det_held", dtype, {1});
    const auto magnitude = [&](const Expr& row, const Expr& column) {
        return call(Intrinsic::Abs, load(work, {row, column}));
    };
    const Indices zero{imm(0)};
    const Stmt body = loops(request.out_shape(), {}, [&](const Indices& batch) {
        const auto matrix = [&](const Indices& ij) {
            Indices at = batch;
            at.insert(at.end(), ij.begin(), ij.end());
            return load(x, at);
        };
        const auto scale = [&](const Expr& factor) { return Store::make(out, batch, load(out, batch) * factor); };
        const Stmt step = loop(n, "c", [&](const Expr& c) {
            const Expr p = load(pivot, zero);
            const Stmt find = loop(n, "r", [&](const Expr& r) {
                return If::make(gt(r, c) && gt(magnitude(r, c), magnitude(p, c)), Store::make(pivot, zero, r));
            });
            const Stmt swap = loop(n, "k", [&](const Expr& k) {
                return Seq::make({Store::make(held, zero, load(work, {c, k})),
                                  Store::make(work, {c, k}, load(work, {p, k})),
                                  Store::make(work, {p, k}, load(held, zero))});
            });
            const Stmt eliminate = loop(n, "r", [&](const Expr& r) {
                const Stmt row = loop(n, "k", [&](const Expr& k) {
                    return Store::make(work, {r, k}, load(work, {r, k}) - load(held, zero) * load(work, {c, k}));
                });
                return If::make(gt(r, c),
                                Seq::make({Store::make(held, zero, load(work, {r, c}) / load(work, {c, c})), row}));
            });
            const Stmt nonzero = If::make(ne(load(work, {c, c}), constant(dtype, 0)), eliminate);
            return Seq::make({Store::make(pivot, zero, c), find,
                              If::make(ne(p, c), Seq::make({swap, scale(constant(dtype, -1))})),
                              scale(load(work, {c, c})), nonzero});
        });
        return Seq::make(
            {Store::make(out, batch, constant(dtype, 1)),
             loops({n, n}, {"r", "k"}, [&](const Indices& ij) { return Store::make(work, ij, matrix(ij)); }), step});
    });
    return {request.builder.statement("det", {out, work, pivot, held}, body).front()};
}

} // namespace

Family scan_family() {
    return {
        {.name = "cumsum",
         .doc = "Running sums of x along an axis. The result has x's type. Errors: BadAttribute for an axis outside x.",
         .operands = {{"x", "numbers, one dimension or more"}},
         .attrs = {{"axis", AttrKind::Int, true, "the axis summed along"},
                   {"exclusive", AttrKind::Bool, false,
                    "whether an element's own value is left out; false when left out"},
                   {"reverse", AttrKind::Bool, false, "whether sums start at the end; false when left out"}},
         .fusion = FusionKind::Opaque,
         .infer = cumsum_type,
         .define = define_cumsum,
         .onnx_names = {"CumSum"}},
        {.name = "top_k",
         .doc = "The k greatest (or least) elements along an axis, in order, and their indices (i64); of equals the "
                "earlier comes first. Cost: "
                "k passes over the axis. Errors: BadAttribute for k or an axis outside x.",
         .operands = {{"x", "numbers, one dimension or more"}},
         .attrs = {{"k", AttrKind::Int, true, "how many"},
                   {"axis", AttrKind::Int, false, "the last when left out"},
                   {"largest", AttrKind::Bool, false, "the greatest or the least; true when left out"}},
         .fusion = FusionKind::Opaque,
         .infer = top_k_type,
         .define = define_top_k,
         .onnx_names = {"TopK"}},
        {.name = "det",
         .doc = "The determinant of each matrix in x. The result is [batch...]. Errors: BadShape for matrices that are "
                "not square.",
         .operands = {{"x", "[batch..., M, M], f32 or f64"}},
         .attrs = {},
         .fusion = FusionKind::Opaque,
         .infer = det_type,
         .define = define_det,
         .onnx_names = {"Det"}},
    };
}

} // namespace orrery::ops
