// Reductions over axes: sums and their relatives, extrema, and the indices of extrema.

#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"

#include <algorithm>

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

Dims reduced_dims(const Dims& dims, const std::vector<std::size_t>& axes, bool keep) {
    Dims out;
    for (std::size_t i = 0; i < dims.size(); ++i) {
        if (!std::ranges::binary_search(axes, i))
            out.push_back(dims[i]);
        else if (keep)
            out.emplace_back(1);
    }
    return out;
}

template <DTypes Allowed> Result<Type> reduce_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, operand(request, 0, Allowed));
    ORRERY_TRY(const auto axes, normalize_axes(request.attrs.ints("axes"), x.dims.size()));
    for (std::size_t axis : axes)
        if (!x.dims[axis].is_static())
            return shape_error("a reduced dimension must be static: " + graph::to_string(request.types[0]));
    return checked_type(x.dtype, reduced_dims(x.dims, axes, request.attrs.flag("keepdims", true)));
}

Result<Type> arg_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, operand(request, 0, DTypes::Number));
    ORRERY_TRY(const std::size_t axis, normalize_axis(request.attrs.integer("axis", 0), x.dims.size()));
    if (!x.dims[axis].is_static() || x.dims[axis].value < 1)
        return shape_error("the searched dimension must be static and not empty: " +
                           graph::to_string(request.types[0]));
    return checked_type(DType::I64, reduced_dims(x.dims, {axis}, request.attrs.flag("keepdims", true)));
}

/// Which dimensions of the operand are reduced, and how its indices come from those of the result and reduction.
struct Axes {
    Shape in;
    std::vector<bool> reduced;
    bool keep = true;

    Axes(Shape shape, const Ints& axes, bool keepdims) : in(std::move(shape)), reduced(in.size()), keep(keepdims) {
        for (std::int64_t axis : axes)
            reduced[static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(in.size()) : axis)] = true;
    }
    [[nodiscard]] Shape extents() const {
        Shape out;
        for (std::size_t i = 0; i < in.size(); ++i)
            if (reduced[i]) out.push_back(in[i]);
        return out;
    }
    /// Indices of the operand. With no reduction index, those of the kept dimensions with zeros between.
    [[nodiscard]] Indices at(const Indices& i, const Indices& k) const {
        Indices out;
        std::size_t spatial = 0, reduction = 0;
        for (bool r : reduced) {
            if (!r)
                out.push_back(i[spatial++]);
            else {
                out.push_back(k[reduction++]);
                if (keep) ++spatial;
            }
        }
        return out;
    }
};

struct Reducer {
    Combiner combiner = Combiner::Sum;
    Expr (*before)(const Expr& x) = nullptr;                    ///< of every element; null for itself
    Expr (*after)(const Expr& total, std::int64_t n) = nullptr; ///< of the result; null for itself
};

std::vector<Buffer> define_reduction(const DefineRequest& request, const Reducer& reducer) {
    const Axes axes(request.shape(0), request.attrs.ints("axes"), request.attrs.flag("keepdims", true));
    const DType dtype = request.out_dtype(), wide = accumulator(dtype);
    const Shape out = request.out_shape();
    const Buffer& x = request.in(0);
    const auto value = [&](const Indices& i, const Indices& k) {
        const Expr element = cast(wide, load(x, axes.at(i, k)));
        return reducer.before ? reducer.before(element) : element;
    };
    const std::string name(request.name);
    if (!reducer.after)
        return {reduce_stage(request.builder, {name, dtype, out},
                             {.combiner = reducer.combiner, .extents = axes.extents()}, value)};
    const Buffer total = reduce_stage(request.builder, {name + "_total", wide, out},
                                      {.combiner = reducer.combiner, .extents = axes.extents()}, value);
    return {compute_stage(request.builder, {name, dtype, out}, [&](const Indices& i) {
        return cast(dtype, reducer.after(load(total, i), element_count(axes.extents())));
    })};
}

Expr magnitude(const Expr& x) { return is_unsigned_int(x->dtype) ? x : call(Intrinsic::Abs, x); }
Expr squared(const Expr& x) { return x * x; }
Expr as_float(const Expr& x, Intrinsic function) {
    if (is_float(x->dtype)) return call(function, x);
    return cast(x->dtype, call(function, cast(DType::F64, x)));
}
Expr root(const Expr& total, std::int64_t) { return as_float(total, Intrinsic::Sqrt); }
Expr logarithm(const Expr& total, std::int64_t) { return as_float(total, Intrinsic::Log); }
Expr averaged(const Expr& total, std::int64_t n) {
    if (is_float(total->dtype)) return total / constant(total->dtype, static_cast<double>(n));
    return n == 0 ? constant_int(total->dtype, 0)
                  : cast(total->dtype, cast(DType::F64, total) / constant(DType::F64, static_cast<double>(n)));
}

std::vector<Buffer> define_sum(const DefineRequest& r) { return define_reduction(r, {Combiner::Sum}); }
std::vector<Buffer> define_prod(const DefineRequest& r) { return define_reduction(r, {Combiner::Product}); }
std::vector<Buffer> define_max(const DefineRequest& r) { return define_reduction(r, {Combiner::Max}); }
std::vector<Buffer> define_min(const DefineRequest& r) { return define_reduction(r, {Combiner::Min}); }
std::vector<Buffer> define_mean(const DefineRequest& r) {
    return define_reduction(r, {Combiner::Sum, nullptr, averaged});
}
std::vector<Buffer> define_l1(const DefineRequest& r) { return define_reduction(r, {Combiner::Sum, magnitude}); }
std::vector<Buffer> define_l2(const DefineRequest& r) { return define_reduction(r, {Combiner::Sum, squared, root}); }
std::vector<Buffer> define_sum_square(const DefineRequest& r) { return define_reduction(r, {Combiner::Sum, squared}); }
std::vector<Buffer> define_log_sum(const DefineRequest& r) {
    return define_reduction(r, {Combiner::Sum, nullptr, logarithm});
}
std::vector<Buffer> define_all(const DefineRequest& r) { return define_reduction(r, {Combiner::And}); }
std::vector<Buffer> define_any(const DefineRequest& r) { return define_reduction(r, {Combiner::Or}); }

/// log(sum(exp(x - m))) + m with m the maximum, so that nothing overflows.
std::vector<Buffer> define_log_sum_exp(const DefineRequest& request) {
    const Axes axes(request.shape(0), request.attrs.ints("axes"), request.attrs.flag("keepdims", true));
    const DType dtype = request.out_dtype(), wide = accumulator(dtype);
    const Shape out = request.out_shape(), extents = axes.extents();
    const Buffer& x = request.in(0);
    ComputeBuilder& builder = request.builder;
    const Buffer top =
        reduce_stage(builder, {"log_sum_exp_max", wide, out}, {.combiner = Combiner::Max, .extents = extents},
                     [&](const Indices& i, const Indices& k) { return cast(wide, load(x, axes.at(i, k))); });
    // An infinite maximum would give NaN as the difference of infinities.
    const auto shift = [&](const Indices& i) {
        const Expr m = load(top, i);
        return select(call(Intrinsic::IsInf, m), constant(wide, 0), m);
    };
    const Buffer total =
        reduce_stage(builder, {"log_sum_exp_total", wide, out}, {.combiner = Combiner::Sum, .extents = extents},
                     [&](const Indices& i, const Indices& k) {
                         return call(Intrinsic::Exp, cast(wide, load(x, axes.at(i, k))) - shift(i));
                     });
    return {compute_stage(builder, {"reduce_log_sum_exp", dtype, out}, [&](const Indices& i) {
        return cast(dtype, call(Intrinsic::Log, load(total, i)) + shift(i));
    })};
}

std::vector<Buffer> define_arg(const DefineRequest& request, Combiner extremum) {
    const Shape in = request.shape(0), out = request.out_shape();
    const std::int64_t attr = request.attrs.integer("axis", 0);
    const Axes axes(in, {attr}, request.attrs.flag("keepdims", true));
    const bool last = request.attrs.flag("last");
    const Buffer& x = request.in(0);
    const std::int64_t extent = axes.extents()[0];
    const Buffer value = reduce_stage(request.builder, {std::string(request.name) + "_value", x->dtype, out},
                                      {.combiner = extremum, .extents = {extent}},
                                      [&](const Indices& i, const Indices& k) { return load(x, axes.at(i, k)); });
    return {reduce_stage(request.builder, {std::string(request.name), DType::I64, out},
                         {.combiner = last ? Combiner::Max : Combiner::Min, .extents = {extent}},
                         [&](const Indices& i, const Indices& k) {
                             return select(eq(load(x, axes.at(i, k)), load(value, i)), k[0],
                                           imm(last ? 0 : extent - 1));
                         })};
}
std::vector<Buffer> define_argmax(const DefineRequest& r) { return define_arg(r, Combiner::Max); }
std::vector<Buffer> define_argmin(const DefineRequest& r) { return define_arg(r, Combiner::Min); }

constexpr const char* kReduceErrors =
    " The result lacks the axes, or has extent 1 there. Errors: BadAttribute for axes outside x or named twice.";

template <DTypes Allowed>
OpRow reduction(const char* name, const char* doc, Define define, std::vector<std::string> onnx_names) {
    return {
        .name = name,
        .doc = std::string(doc) + kReduceErrors,
        .operands = {{"x", "any shape"}},
        .attrs = {{"axes", AttrKind::Ints, true,
                   "axes to reduce, negative counted from the end; none: each element alone"},
                  {"keepdims", AttrKind::Bool, false, "whether reduced axes stay with extent 1; true when left out"}},
        .fusion = FusionKind::Reduction,
        .infer = reduce_type<Allowed>,
        .define = define,
        .onnx_names = std::move(onnx_names)};
}

OpRow index_reduction(const char* name, const char* doc, Define define, const char* onnx_name) {
    return {.name = name,
            .doc = std::string(doc) +
                   " The result is i64. Errors: BadAttribute for an axis outside x, BadShape for an empty axis.",
            .operands = {{"x", "numbers, one dimension or more"}},
            .attrs = {{"axis", AttrKind::Int, false, "the axis searched; 0 when left out"},
                      {"keepdims", AttrKind::Bool, false, "whether the axis stays with extent 1; true when left out"},
                      {"last", AttrKind::Bool, false,
                       "whether the last of equals is meant, not the first; false when left out"}},
            .fusion = FusionKind::Opaque,
            .infer = arg_type,
            .define = define,
            .onnx_names = {onnx_name}};
}

} // namespace

Family reduce_family() {
    return {
        reduction<DTypes::Number>("reduce_sum", "The sum of the elements along axes.", define_sum, {"ReduceSum"}),
        reduction<DTypes::Number>("reduce_prod", "The product of the elements along axes.", define_prod,
                                  {"ReduceProd"}),
        reduction<DTypes::Number>("reduce_max", "The greatest element along axes; of none, the least value there is.",
                                  define_max, {"ReduceMax", "GlobalMaxPool"}),
        reduction<DTypes::Number>("reduce_min", "The least element along axes; of none, the greatest value there is.",
                                  define_min, {"ReduceMin"}),
        reduction<DTypes::Number>("reduce_mean", "The mean of the elements along axes; NaN of none.", define_mean,
                                  {"ReduceMean", "GlobalAveragePool"}),
        reduction<DTypes::Number>("reduce_l1", "The sum of absolute values along axes.", define_l1, {"ReduceL1"}),
        reduction<DTypes::Number>("reduce_l2", "The root of the sum of squares along axes.", define_l2, {"ReduceL2"}),
        reduction<DTypes::Number>("reduce_sum_square", "The sum of squares along axes.", define_sum_square,
                                  {"ReduceSumSquare"}),
        reduction<DTypes::Number>("reduce_log_sum", "The logarithm of the sum along axes.", define_log_sum,
                                  {"ReduceLogSum"}),
        reduction<DTypes::Float>("reduce_log_sum_exp",
                                 "The logarithm of the sum of exponentials along axes, without overflow.",
                                 define_log_sum_exp, {"ReduceLogSumExp"}),
        reduction<DTypes::Bool>("reduce_all", "Whether all elements along axes are true.", define_all, {"ReduceMin"}),
        reduction<DTypes::Bool>("reduce_any", "Whether one element along axes is true.", define_any, {"ReduceMax"}),
        index_reduction("argmax", "The index along an axis of the greatest element.", define_argmax, "ArgMax"),
        index_reduction("argmin", "The index along an axis of the least element.", define_argmin, "ArgMin"),
    };
}

} // namespace orrery::ops
