#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

Result<Type> along_axis_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, operand(request, 0, DTypes::Float));
    ORRERY_TRY(const std::size_t axis, normalize_axis(request.attrs.integer("axis", -1), x.dims.size()));
    if (!x.dims[axis].is_static())
        return shape_error("the normalized dimension must be static: " + graph::to_string(request.types[0]));
    return graph::tensor_type(x.dtype, x.dims);
}

/// Stages over one axis; `rest` is the shape without it.
struct Along {
    const DefineRequest& request;
    const Buffer& x;
    DType dtype, wide;
    Shape shape, rest;
    std::size_t axis = 0;

    explicit Along(const DefineRequest& r)
        : request(r), x(r.in(0)), dtype(r.out_dtype()), wide(accumulator(dtype)), shape(r.out_shape()), rest(shape) {
        const std::int64_t attr = r.attrs.integer("axis", -1);
        axis = static_cast<std::size_t>(attr < 0 ? attr + static_cast<std::int64_t>(shape.size()) : attr);
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(axis));
    }
    [[nodiscard]] Indices with(const Indices& i, const Expr& k) const {
        Indices at = i;
        at.insert(at.begin() + static_cast<std::ptrdiff_t>(axis), k);
        return at;
    }
    [[nodiscard]] Indices without(const Indices& i) const {
        Indices at = i;
        at.erase(at.begin() + static_cast<std::ptrdiff_t>(axis));
        return at;
    }
    [[nodiscard]] Expr value(const Indices& at) const { return cast(wide, load(x, at)); }
    Buffer reduce(const char* name, Combiner combiner, const ComputeBuilder::ReduceBody& body) const {
        return reduce_stage(request.builder, {std::string(request.name) + name, wide, rest},
                            {.combiner = combiner, .extents = {shape[axis]}, .names = {"k"}}, body);
    }
    Buffer greatest() const {
        return reduce("_max", Combiner::Max, [&](const Indices& i, const Indices& k) { return value(with(i, k[0])); });
    }
};

std::vector<Buffer> define_softmax(const DefineRequest& request) {
    const Along along(request);
    const Buffer top = along.greatest();
    const Buffer raised =
        compute_stage(request.builder, {"softmax_exp", along.wide, along.shape}, [&](const Indices& i) {
            return call(Intrinsic::Exp, along.value(i) - load(top, along.without(i)));
        });
    const Buffer total = along.reduce(
        "_sum", Combiner::Sum, [&](const Indices& i, const Indices& k) { return load(raised, along.with(i, k[0])); });
    // One division a row, not one an element.
    const Buffer inverse = compute_stage(request.builder, {"softmax_inverse", along.wide, along.rest},
                                         [&](const Indices& i) { return constant(along.wide, 1) / load(total, i); });
    return {compute_stage(request.builder, {"softmax", along.dtype, along.shape}, [&](const Indices& i) {
        return cast(along.dtype, load(raised, i) * load(inverse, along.without(i)));
    })};
}

std::vector<Buffer> define_log_softmax(const DefineRequest& request) {
    const Along along(request);
    const Buffer top = along.greatest();
    const Buffer total = along.reduce("_sum", Combiner::Sum, [&](const Indices& i, const Indices& k) {
        return call(Intrinsic::Exp, along.value(along.with(i, k[0])) - load(top, i));
    });
    const Buffer logs = compute_stage(request.builder, {"log_softmax_log", along.wide, along.rest},
                                      [&](const Indices& i) { return call(Intrinsic::Log, load(total, i)); });
    return {compute_stage(request.builder, {"log_softmax", along.dtype, along.shape}, [&](const Indices& i) {
        const Indices at = along.without(i);
        return cast(along.dtype, along.value(i) - load(top, at) - load(logs, at));
    })};
}

std::vector<Buffer> define_hardmax(const DefineRequest& request) {
    const Along along(request);
    const Buffer top = along.greatest();
    const std::int64_t extent = along.shape[along.axis];
    const Buffer first = reduce_stage(
        request.builder, {"hardmax_first", DType::I64, along.rest},
        {.combiner = Combiner::Min, .extents = {extent}, .names = {"k"}}, [&](const Indices& i, const Indices& k) {
            return select(eq(along.value(along.with(i, k[0])), load(top, i)), k[0], imm(extent));
        });
    return {compute_stage(request.builder, {"hardmax", along.dtype, along.shape}, [&](const Indices& i) {
        return select(eq(i[along.axis], load(first, along.without(i))), constant(along.dtype, 1),
                      constant(along.dtype, 0));
    })};
}

OpRow row(const char* name, const char* doc, Define define, const char* onnx_name) {
    return {
        .name = name,
        .doc = std::string(doc) + " The result has x's type. Errors: BadAttribute for an axis outside x.",
        .operands = {{"x", "floating point, one dimension or more"}},
        .attrs = {{"axis", AttrKind::Int, false, "the axis whose elements belong together; the last when left out"}},
        .fusion = FusionKind::OutFusable,
        .infer = along_axis_type,
        .define = define,
        .onnx_names = {onnx_name}};
}

} // namespace

Family softmax_family() {
    return {
        row("softmax", "e^x over its sum along an axis, computed from x less its maximum.", define_softmax, "Softmax"),
        row("log_softmax", "The logarithm of the softmax along an axis.", define_log_softmax, "LogSoftmax"),
        row("hardmax", "1 at the first greatest element along an axis, otherwise 0.", define_hardmax, "Hardmax"),
    };
}

} // namespace orrery::ops
