// Resampling to another size, axis by axis. Positions and weights depend on one axis each and are computed by stages
// of their own, in f64, so that the sums are plain products of loads.

#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"

#include <algorithm>
#include <cmath>

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

constexpr const char* kCoordinates[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                                        "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"};
constexpr const char* kModes[] = {"nearest", "linear", "cubic"};
constexpr const char* kRounding[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};

bool one_of(const std::string& text, std::span<const char* const> known) {
    return std::ranges::any_of(known, [&](const char* k) { return text == k; });
}

const Floats& floats(const Attrs& attrs, const char* name) { return std::get<Floats>(*attrs.find(name)); }

Result<Type> resize_type(const TypeRequest& request) {
    constexpr double kLeastScale = 1e-4, kGreatestScale = 1e6; // our choice: windows stay countable
    const Attrs& attrs = request.attrs;
    ORRERY_TRY(const TensorType x, static_operand(request, 0, DTypes::Number));
    const std::size_t rank = x.dims.size();
    const Ints& sizes = attrs.ints("sizes");
    const Floats& scales = floats(attrs, "scales");
    if (sizes.size() != rank || scales.size() != rank || (attrs.has("roi") && floats(attrs, "roi").size() != 2 * rank))
        return attr_error("sizes, scales and roi must have one value (roi: two) for each axis of " +
                          graph::to_string(request.types[0]));
    for (std::size_t i = 0; i < rank; ++i) {
        if (!(scales[i] >= kLeastScale && scales[i] <= kGreatestScale))
            return attr_error("a scale is out of range: " + std::to_string(scales[i]));
        if (x.dims[i].value == 0 && sizes[i] > 0) return shape_error("an empty axis cannot be resized");
        if (attrs.has("roi"))
            for (double end : {floats(attrs, "roi")[i], floats(attrs, "roi")[rank + i]})
                if (!(std::abs(end) <= kGreatestScale))
                    return attr_error("a region of interest is out of range: " + std::to_string(end));
    }
    if (!one_of(attrs.text("mode", "nearest"), kModes))
        return attr_error("there is no resize mode " + attrs.text("mode", ""));
    if (!one_of(attrs.text("coordinates", "half_pixel"), kCoordinates))
        return attr_error("there is no coordinate mode " + attrs.text("coordinates", ""));
    if (!one_of(attrs.text("rounding", "round_prefer_floor"), kRounding))
        return attr_error("there is no rounding mode " + attrs.text("rounding", ""));
    if (attrs.text("coordinates", "half_pixel") == "tf_crop_and_resize" && !attrs.has("roi"))
        return attr_error("tf_crop_and_resize needs a roi");
    return checked_type(x.dtype, Shape(sizes));
}

/// Resampling along one axis.
struct AxisResize {
    const DefineRequest& request;
    std::size_t axis = 0;
    std::int64_t in = 1, out = 1;
    double scale = 1;
    std::string mode, coordinates;

    AxisResize(const DefineRequest& r, std::size_t d)
        : request(r), axis(d), in(r.shape(0)[d]), out(r.out_shape()[d]), scale(floats(r.attrs, "scales")[d]),
          mode(r.attrs.text("mode", "nearest")), coordinates(r.attrs.text("coordinates", "half_pixel")) {}

    [[nodiscard]] bool needed() const { return in != out || scale != 1 || coordinates == "tf_crop_and_resize"; }

    /// Where element `o` of the result lies in the operand. f64.
    [[nodiscard]] Expr position(const Expr& o) const {
        const auto f = [](double value) { return constant(DType::F64, value); };
        const Expr x = cast(DType::F64, o);
        // What scales ask for need not be whole: positions follow the scale, not the rounded extent.
        const double n = static_cast<double>(in), m = scale * n;
        const Expr half = (x + f(0.5)) / f(scale) - f(0.5);
        if (coordinates == "half_pixel_symmetric") return half + f(n / 2 * (1 - static_cast<double>(out) / m));
        if (coordinates == "pytorch_half_pixel") return out > 1 ? half : f(0);
        if (coordinates == "align_corners") return out > 1 ? x * f(n - 1) / f(m - 1) : f(0);
        if (coordinates == "asymmetric") return x / f(scale);
        if (coordinates == "tf_half_pixel_for_nn") return (x + f(0.5)) / f(scale);
        if (coordinates == "tf_crop_and_resize") {
            const Floats& roi = floats(request.attrs, "roi");
            const double start = roi[axis], end = roi[roi.size() / 2 + axis];
            return out > 1 ? f(start * (n - 1)) + x * f((end - start) * (n - 1) / (m - 1))
                           : f(0.5 * (start + end) * (n - 1));
        }
        return half;
    }
    [[nodiscard]] Buffer positions() const {
        return compute_stage(request.builder, {"resize_position", DType::F64, {out}, {"o"}},
                             [&](const Indices& i) { return position(i[0]); });
    }
    [[nodiscard]] Expr clamped(const Expr& index) const { return max(min(index, imm(in - 1)), imm(0)); }

    /// The operand's index for each of the result's, by rounding.
    [[nodiscard]] Buffer nearest() const {
        const std::string rounding = request.attrs.text("rounding", "round_prefer_floor");
        return compute_stage(request.builder, {"resize_index", DType::I64, {out}, {"o"}}, [&](const Indices& i) {
            const Expr x = position(i[0]), half = constant(DType::F64, 0.5);
            const Expr rounded = rounding == "floor"               ? call(Intrinsic::Floor, x)
                                 : rounding == "ceil"              ? call(Intrinsic::Ceil, x)
                                 : rounding == "round_prefer_ceil" ? call(Intrinsic::Floor, x + half)
                                                                   : call(Intrinsic::Ceil, x - half);
            return clamped(cast(DType::I64, rounded));
        });
    }

    /// Shrinking with antialias widens the kernel by 1 / scale.
    [[nodiscard]] double width() const { return request.attrs.flag("antialias") ? std::min(scale, 1.0) : 1.0; }
    [[nodiscard]] std::int64_t first_tap() const {
        return static_cast<std::int64_t>(std::floor((mode == "cubic" ? -2 : -1) / width())) + 1;
    }
    [[nodiscard]] std::int64_t taps() const { return 2 - 2 * first_tap(); }

    [[nodiscard]] Expr kernel(const Expr& distance) const {
        const auto f = [](double value) { return constant(DType::F64, value); };
        const Expr x = call(Intrinsic::Abs, distance);
        if (mode == "linear") return max(f(1) - x, f(0));
        const double a = request.attrs.number("cubic_a", -0.75);
        const Expr near = (f(a + 2) * x - f(a + 3)) * x * x + f(1);
        const Expr far = ((f(a) * x - f(5 * a)) * x + f(8 * a)) * x - f(4 * a);
        return select(le(x, f(1)), near, select(lt(x, f(2)), far, f(0)));
    }

    /// weights[o, tap], of the elements from floor(position) + first_tap() on.
    [[nodiscard]] Buffer weights(const Buffer& positions, DType dtype) const {
        const bool exclude = request.attrs.flag("exclude_outside");
        const auto weight = [&](const Expr& o, const Expr& tap) {
            const Expr x = load(positions, {o}), floor = call(Intrinsic::Floor, x);
            const Expr offset = cast(DType::F64, tap + first_tap());
            const Expr value = kernel((offset - (x - floor)) * constant(DType::F64, width()));
            if (!exclude) return value;
            return select(within(cast(DType::I64, floor) + tap + first_tap(), 0, in), value, constant(DType::F64, 0));
        };
        if (!exclude && width() == 1)
            return compute_stage(request.builder, {"resize_weight", dtype, {out, taps()}, {"o", "t"}},
                                 [&](const Indices& i) { return cast(dtype, weight(i[0], i[1])); });
        const Buffer total = reduce_stage(request.builder, {"resize_total", DType::F64, {out}, {"o"}},
                                          {.combiner = Combiner::Sum, .extents = {taps()}, .names = {"t"}},
                                          [&](const Indices& i, const Indices& k) { return weight(i[0], k[0]); });
        return compute_stage(request.builder, {"resize_weight", dtype, {out, taps()}, {"o", "t"}},
                             [&](const Indices& i) { return cast(dtype, weight(i[0], i[1]) / load(total, {i[0]})); });
    }

    /// `x` resampled along the axis, in `dtype`.
    [[nodiscard]] Buffer resample(const Buffer& x, const Buffer& positions, DType dtype) const {
        const Buffer weight = weights(positions, dtype);
        Shape shape = x->static_shape();
        shape[axis] = out;
        return reduce_stage(request.builder, {"resize_axis", dtype, shape},
                            {.combiner = Combiner::Sum, .extents = {taps()}, .names = {"t"}},
                            [&](const Indices& i, const Indices& k) {
                                Indices at = i;
                                const Expr base = cast(DType::I64, call(Intrinsic::Floor, load(positions, {i[axis]})));
                                at[axis] = clamped(base + k[0] + first_tap());
                                return cast(dtype, load(x, at)) * load(weight, {i[axis], k[0]});
                            });
    }
};

/// The result with elements that lie outside the operand replaced, and of the right type.
Buffer finish(const DefineRequest& request, const Buffer& x,
              const std::vector<std::pair<std::size_t, Buffer>>& positions) {
    const bool extrapolate = request.attrs.text("coordinates", "half_pixel") == "tf_crop_and_resize";
    const DType dtype = request.out_dtype();
    const Shape in = request.shape(0);
    return compute_stage(request.builder, {"resize", dtype, request.out_shape()}, [&](const Indices& i) {
        const Expr value = load(x, i);
        if (!extrapolate) return cast(dtype, value);
        Expr outside = boolean(false);
        for (const auto& [axis, position] : positions) {
            const Expr p = load(position, {i[axis]});
            outside = outside || lt(p, constant(DType::F64, 0)) ||
                      gt(p, constant(DType::F64, static_cast<double>(in[axis] - 1)));
        }
        return cast(dtype, select(outside, constant(value->dtype, request.attrs.number("extrapolation", 0)), value));
    });
}

std::vector<Buffer> define_resize(const DefineRequest& request) {
    const Buffer& x = request.in(0);
    const bool nearest = request.attrs.text("mode", "nearest") == "nearest";
    const bool crop = request.attrs.text("coordinates", "half_pixel") == "tf_crop_and_resize";
    std::vector<std::pair<std::size_t, Buffer>> positions, indices;
    Buffer value = x;
    const DType wide = x->dtype == DType::F64 ? DType::F64 : DType::F32;
    for (std::size_t d = 0; d < x->rank(); ++d) {
        const AxisResize axis(request, d);
        if (!axis.needed() || element_count(request.out_shape()) == 0) continue;
        if (!nearest || crop) positions.emplace_back(d, axis.positions());
        if (nearest)
            indices.emplace_back(d, axis.nearest());
        else
            value = axis.resample(value, positions.back().second, wide);
    }
    if (!nearest) return {finish(request, value, positions)};
    const Buffer picked = compute_stage(
        request.builder, {crop ? "resize_picked" : "resize", x->dtype, request.out_shape()}, [&](const Indices& i) {
            Indices at = i;
            for (const auto& [axis, index] : indices) at[axis] = load(index, {i[axis]});
            return load(x, at);
        });
    return {crop ? finish(request, picked, positions) : picked};
}

} // namespace

Family resize_family() {
    return {
        {.name = "resize",
         .doc = "x resampled to other extents. Positions outside x take the nearest element (or, with "
                "tf_crop_and_resize, a fixed value). "
                "Linear and cubic results are computed in f32 or wider. Errors: BadAttribute for unknown modes or "
                "scales out of range, BadShape.",
         .operands = {{"x", "numbers, any shape"}},
         .attrs =
             {{"sizes", AttrKind::Ints, true, "the result's extents"},
              {"scales", AttrKind::Floats, true, "result over operand, one an axis: what positions are computed with"},
              {"mode", AttrKind::Text, false, "nearest (when left out), linear, cubic"},
              {"coordinates", AttrKind::Text, false,
               "how positions correspond: half_pixel (when left out), half_pixel_symmetric, pytorch_half_pixel, "
               "align_corners, asymmetric, "
               "tf_half_pixel_for_nn, tf_crop_and_resize"},
              {"rounding", AttrKind::Text, false,
               "for nearest: round_prefer_floor (when left out), round_prefer_ceil, floor, ceil"},
              {"cubic_a", AttrKind::Float, false, "the cubic's coefficient; -0.75 when left out"},
              {"exclude_outside", AttrKind::Bool, false,
               "whether elements outside x get no weight; false when left out"},
              {"extrapolation", AttrKind::Float, false, "for tf_crop_and_resize: the value outside x; 0 when left out"},
              {"roi", AttrKind::Floats, false, "for tf_crop_and_resize: starts, then ends, over (extent - 1)"},
              {"antialias", AttrKind::Bool, false, "whether shrinking averages all it covers; false when left out"}},
         .fusion = FusionKind::OutFusable,
         .infer = resize_type,
         .define = define_resize,
         .onnx_names = {"Resize", "Upsample"}}};
}

} // namespace orrery::ops
