#include "core/ops/family.hpp"
#include "core/ops/layout.hpp"
#include "core/ops/stage.hpp"
#include "core/ops/window.hpp"

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

Result<Type> pooled_type(const TypeRequest& request, DTypes allowed) {
    ORRERY_TRY(const TensorType x, operand(request, 0, allowed));
    const Ints& kernel = request.attrs.ints("kernel");
    if (x.dims.size() < 3 || kernel.size() != x.dims.size() - 2)
        return shape_error("pooling takes [N, C, spatial...] and one window extent a spatial axis, not " +
                           graph::to_string(request.types[0]) + " and " + std::to_string(kernel.size()) + " extents");
    ORRERY_TRY(const std::vector<Window> windows, read_windows(request.attrs, kernel));
    Dims dims{x.dims[0], x.dims[1]};
    Shape padded;
    for (std::size_t i = 0; i < windows.size(); ++i) {
        if (!x.dims[2 + i].is_static() || x.dims[2 + i].value > kMaxWindow)
            return shape_error("spatial extents must be static and below " + std::to_string(kMaxWindow) + ": " +
                               graph::to_string(request.types[0]));
        ORRERY_TRY(const std::int64_t count, window_count(windows[i], x.dims[2 + i].value));
        dims.emplace_back(count);
        padded.push_back(x.dims[2 + i].value + windows[i].before + windows[i].after +
                         (windows[i].ceil ? windows[i].stride : 0));
    }
    ORRERY_CHECK_OK(check_copy(x, padded));
    return checked_type(x.dtype, dims);
}

Result<Type> max_pool_type(const TypeRequest& request) { return pooled_type(request, DTypes::Number); }
Result<Type> float_pool_type(const TypeRequest& request) { return pooled_type(request, DTypes::Float); }
Result<Type> indexed_pool_type(const TypeRequest& request) {
    ORRERY_TRY(const Type values, pooled_type(request, DTypes::Number));
    return graph::tuple_type({values, graph::tensor_type(DType::I64, graph::as_tensor(values)->dims)});
}

/// The windows of a call whose attributes its type relation has checked.
struct Pooling {
    Shape in, out, kernel;
    Ints strides, dilations, pads;
    std::size_t count = 0;
    std::size_t first = 2; ///< the first spatial axis; the others follow
    Names axes;

    explicit Pooling(const DefineRequest& request)
        : in(request.shape(0)), out(request.out_shape()), kernel(request.attrs.ints("kernel")), count(kernel.size()),
          axes(nchw_names(in.size())) {
        if (request.attrs.has("layout")) {
            first = parse_layout(request.attrs.text("layout")).value().outer('H');
            axes.clear();
        }
        strides = request.attrs.ints("strides", Ints(count, 1));
        dilations = request.attrs.ints("dilations", Ints(count, 1));
        pads = request.attrs.ints("pads", Ints(2 * count, 0));
    }
    /// Position in the padded input.
    [[nodiscard]] Expr position(const Indices& i, const Indices& k, std::size_t d) const {
        return i[first + d] * strides[d] + k[d] * dilations[d];
    }
    [[nodiscard]] Indices at(const Indices& i, const Indices& k) const {
        Indices indices = i;
        for (std::size_t d = 0; d < count; ++d) indices[first + d] = position(i, k, d);
        return indices;
    }
    [[nodiscard]] ComputeBuilder::Reduction over(Combiner combiner) const {
        return {.combiner = combiner, .extents = kernel, .names = spatial_names(count, "k")};
    }
    [[nodiscard]] Buffer padded(const DefineRequest& request, const Expr& value) const {
        PadSpec pad{.first = first,
                    .before = Shape(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(count)),
                    .extent = {},
                    .value = value};
        for (std::size_t d = 0; d < count; ++d)
            pad.extent.push_back((out[first + d] - 1) * strides[d] + (kernel[d] - 1) * dilations[d] + 1);
        return pad_stage(request.builder, request.in(0), pad);
    }
    /// Whether a place of a window outside of the input may stand for the place of the input next to it, which is in
    /// that window, too: then a maximum needs no border. Not along vectors, which would no longer be read as such.
    [[nodiscard]] bool reaches_in() const {
        bool all = first + count < in.size();
        for (std::size_t d = 0; d < count; ++d)
            all = all && dilations[d] == 1 && pads[d] < kernel[d] &&
                  (out[first + d] - 1) * strides[d] - pads[d] < in[first + d];
        return all;
    }
    /// The places of a window in the input, or next to them. Pre: reaches_in().
    [[nodiscard]] Indices nearest(const Indices& i, const Indices& k) const {
        Indices indices = i;
        for (std::size_t d = 0; d < count; ++d) {
            const std::int64_t most = in[first + d] - 1;
            Expr& at = indices[first + d] = position(i, k, d) - pads[d];
            if (pads[d] > 0) at = max(at, imm(0));
            if ((out[first + d] - 1) * strides[d] - pads[d] + kernel[d] - 1 > most) at = min(at, imm(most));
        }
        return indices;
    }
    /// How many elements of window `i` on axis `d` lie in [low, high) of the input, in input coordinates.
    [[nodiscard]] Expr elements(const Indices& i, std::size_t d, std::int64_t low, std::int64_t high) const {
        const std::int64_t last = (out[first + d] - 1) * strides[d] - pads[d] + (kernel[d] - 1) * dilations[d];
        if (-pads[d] >= low && last < high) return imm(kernel[d]);
        const Expr start = i[first + d] * strides[d] - pads[d];
        const std::int64_t round = dilations[d] - 1;
        const Expr first = floor_div(max(imm(low) - start, imm(0)) + round, imm(dilations[d]));
        const Expr end = min(floor_div(imm(high) - start + round, imm(dilations[d])), imm(kernel[d]));
        return end - first;
    }
};

Buffer max_stage(const DefineRequest& request, const Pooling& pool) {
    const bool border = !pool.reaches_in();
    const Buffer from = border ? pool.padded(request, lowest(request.out_dtype())) : request.in(0);
    return reduce_stage(request.builder, {std::string(request.name), request.out_dtype(), pool.out, pool.axes},
                        pool.over(Combiner::Max), [&](const Indices& i, const Indices& k) {
                            return load(from, border ? pool.at(i, k) : pool.nearest(i, k));
                        });
}

std::vector<Buffer> define_max_pool(const DefineRequest& request) { return {max_stage(request, Pooling(request))}; }

/// The least row-major index in the whole input among the elements equal to the maximum.
std::vector<Buffer> define_max_pool_indices(const DefineRequest& request) {
    const Pooling pool(request);
    const Buffer& x = request.in(0);
    const Buffer values = max_stage(request, pool);
    const Buffer first = reduce_stage(request.builder, {"max_pool_first", DType::I64, pool.out, pool.axes},
                                      pool.over(Combiner::Min), [&](const Indices& i, const Indices& k) {
                                          Indices from{i[0], i[1]};
                                          Expr inside = boolean(true);
                                          for (std::size_t d = 0; d < pool.count; ++d) {
                                              from.push_back(pool.position(i, k, d) - pool.pads[d]);
                                              inside = inside && within(from.back(), 0, pool.in[2 + d]);
                                          }
                                          return select(inside && eq(load(x, from), load(values, i)),
                                                        flatten(from, pool.in), imm(element_count(pool.in) - 1));
                                      });
    if (!request.attrs.flag("column_major")) return {values, first};
    const Buffer indices =
        compute_stage(request.builder, {"max_pool_indices", DType::I64, pool.out, pool.axes}, [&](const Indices& i) {
            const Indices at = unflatten(load(first, i), pool.in);
            Expr position = at[0] * pool.in[1] + at[1];
            Expr plane = imm(0);
            for (std::size_t d = pool.count; d-- > 0;) {
                position = position * pool.in[2 + d];
                plane = plane * pool.in[2 + d] + at[2 + d];
            }
            return position + plane;
        });
    return {values, indices};
}

std::vector<Buffer> define_avg_pool(const DefineRequest& request) {
    const Pooling pool(request);
    const DType dtype = request.out_dtype(), wide = accumulator(dtype);
    const Buffer padded = pool.padded(request, constant_int(dtype, 0));
    const Buffer sum =
        reduce_stage(request.builder, {"avg_pool_sum", wide, pool.out, pool.axes}, pool.over(Combiner::Sum),
                     [&](const Indices& i, const Indices& k) { return load(padded, pool.at(i, k)); });
    const bool include = request.attrs.flag("count_include_pad");
    return {compute_stage(request.builder, {"avg_pool", dtype, pool.out, pool.axes}, [&](const Indices& i) {
        Expr count = imm(1);
        for (std::size_t d = 0; d < pool.count; ++d) {
            const std::int64_t low = include ? -pool.pads[d] : 0,
                               high = pool.in[pool.first + d] + (include ? pool.pads[pool.count + d] : 0);
            count = count * pool.elements(i, d, low, high);
        }
        const std::optional<std::int64_t> fixed = as_int(count);
        const Expr divisor = fixed ? constant(wide, static_cast<double>(*fixed)) : cast(wide, count);
        return cast(dtype, load(sum, i) / divisor);
    })};
}

std::vector<Buffer> define_lp_pool(const DefineRequest& request) {
    const Pooling pool(request);
    const DType dtype = request.out_dtype(), wide = accumulator(dtype);
    const double p = static_cast<double>(request.attrs.integer("p", 2));
    const Buffer padded = pool.padded(request, constant_int(dtype, 0));
    const Buffer sum = reduce_stage(request.builder, {"lp_pool_sum", wide, pool.out, pool.axes},
                                    pool.over(Combiner::Sum), [&](const Indices& i, const Indices& k) {
                                        const Expr x = cast(wide, load(padded, pool.at(i, k)));
                                        if (p == 2) return x * x;
                                        return call(Intrinsic::Pow, call(Intrinsic::Abs, x), constant(wide, p));
                                    });
    return {compute_stage(request.builder, {"lp_pool", dtype, pool.out, pool.axes}, [&](const Indices& i) {
        const Expr total = load(sum, i);
        return cast(dtype, p == 2 ? call(Intrinsic::Sqrt, total) : call(Intrinsic::Pow, total, constant(wide, 1 / p)));
    })};
}

Result<Type> lp_pool_type(const TypeRequest& request) {
    if (request.attrs.integer("p", 2) < 1) return attr_error("p must be 1 or more");
    return float_pool_type(request);
}

std::vector<graph::AttrSpec> pool_attrs(std::vector<graph::AttrSpec> more) {
    std::vector<graph::AttrSpec> attrs{
        {"kernel", AttrKind::Ints, true, "extents of the window, one a spatial axis, positive"}};
    for (graph::AttrSpec& spec : window_attrs()) attrs.push_back(std::move(spec));
    attrs.push_back({"ceil", AttrKind::Bool, false,
                     "whether a last window that sticks out counts (one starting in the padding after does not); false "
                     "when left out"});
    for (graph::AttrSpec& spec : more) attrs.push_back(std::move(spec));
    return attrs;
}

Result<Type> layout_max_pool_type(const TypeRequest& request) { return layout_window_type(request, "max_pool"); }
Result<Type> layout_avg_pool_type(const TypeRequest& request) { return layout_window_type(request, "avg_pool"); }

/// max_pool and avg_pool of tensors in other layouts.
Family layout_pools() {
    const graph::AttrSpec layout{"layout", AttrKind::Text, true,
                                 "of x and the result: axes N, C, H, W, of which C may be split"};
    const std::vector<graph::OperandSpec> data{{"x", "[N, C, H, W] in `layout`, as the plain operator's"}};
    const std::string errors = " Errors: those of the plain operator; BadAttribute for the layout.";
    return {{.name = "layout_max_pool",
             .doc = "What max_pool computes, of a tensor in another layout." + errors,
             .operands = data,
             .attrs = pool_attrs({layout}),
             .fusion = FusionKind::OutFusable,
             .infer = layout_max_pool_type,
             .define = define_max_pool,
             .onnx_names = {"MaxPool"}},
            {.name = "layout_avg_pool",
             .doc = "What avg_pool computes, of a tensor in another layout." + errors,
             .operands = data,
             .attrs = pool_attrs(
                 {{"count_include_pad", AttrKind::Bool, false, "as avg_pool's; false when left out"}, layout}),
             .fusion = FusionKind::OutFusable,
             .infer = layout_avg_pool_type,
             .define = define_avg_pool,
             .onnx_names = {"AveragePool"}}};
}

constexpr const char* kPoolErrors =
    " Errors: BadShape when no window fits, BadAttribute for strides or dilations below 1.";

} // namespace

Family pool_family() {
    const std::vector<graph::OperandSpec> data{{"x", "[N, C, spatial...], floating point; max_pool takes any numbers"}};
    Family family{
        {.name = "max_pool",
         .doc = std::string("The greatest element of every window. The result is [N, C, windows...].") + kPoolErrors,
         .operands = data,
         .attrs = pool_attrs({}),
         .fusion = FusionKind::OutFusable,
         .infer = max_pool_type,
         .define = define_max_pool,
         .onnx_names = {"MaxPool"}},
        {.name = "max_pool_with_indices",
         .doc = std::string("The greatest element of every window, and its index (i64) in the whole flattened x; the "
                            "first of equals. Both are "
                            "[N, C, windows...].") +
                kPoolErrors,
         .operands = data,
         .attrs = pool_attrs({{"column_major", AttrKind::Bool, false,
                               "whether spatial axes count with the first one fastest; false when left out"}}),
         .fusion = FusionKind::Opaque,
         .infer = indexed_pool_type,
         .define = define_max_pool_indices,
         .onnx_names = {"MaxPool"}},
        {.name = "avg_pool",
         .doc = std::string("The mean of every window, summed in f32 or wider. The result is [N, C, windows...].") +
                kPoolErrors,
         .operands = data,
         .attrs = pool_attrs({{"count_include_pad", AttrKind::Bool, false,
                               "whether padding counts as elements of value 0; false when left out"}}),
         .fusion = FusionKind::OutFusable,
         .infer = float_pool_type,
         .define = define_avg_pool,
         .onnx_names = {"AveragePool"}},
        {.name = "lp_pool",
         .doc = std::string("The p-norm of every window. The result is [N, C, windows...].") + kPoolErrors,
         .operands = data,
         .attrs = pool_attrs({{"p", AttrKind::Int, false, "1 or more; 2 when left out"}}),
         .fusion = FusionKind::OutFusable,
         .infer = lp_pool_type,
         .define = define_lp_pool,
         .onnx_names = {"LpPool"}},
    };
    for (OpRow& row : layout_pools()) family.push_back(std::move(row));
    return family;
}

} // namespace orrery::ops
