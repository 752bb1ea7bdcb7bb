// Derivatives of matrix products, convolutions and pooling.

#include "core/transform/gradient_rules.hpp"

#include <algorithm>

namespace orrery::transform::gradient_rules {

namespace {

using Back = std::vector<Var>;

// -------------------------------------------------------------------------------------- matrix products

/// With vectors made matrices: dA = G B^T and dB = A^T G, turned where the operand is read transposed, and summed over
/// what was broadcast.
Back matmul(const Request& r) {
    Emitter& e = r.emit;
    const Shape left = shape(r.x(0)), right = shape(r.x(1));
    const bool row = left.size() == 1, column = right.size() == 1;
    const bool ta = !row && r.call.attrs.flag("transpose_a"), tb = !column && r.call.attrs.flag("transpose_b");
    const Var a = row ? e.reshape(r.x(0), {1, left[0]}) : r.x(0);
    const Var b = column ? e.reshape(r.x(1), {right[0], 1}) : r.x(1);
    Ints whole = shape(r.g());
    if (row) whole.insert(whole.end() - (column ? 0 : 1), 1);
    if (column) whole.push_back(1);
    const Var g = row || column ? e.reshape(r.g(), whole) : r.g();
    const auto product = [&](const Var& x, bool tx, const Var& y, bool ty) {
        return e.call("matmul", {x, y}, {{"transpose_a", tx}, {"transpose_b", ty}});
    };
    const Var da = ta ? product(b, tb, g, true) : product(g, false, b, !tb);
    const Var db = tb ? product(g, true, a, ta) : product(a, !ta, g, false);
    const Var fa = e.fit(da, shape(a)), fb = e.fit(db, shape(b));
    return {row ? e.reshape(fa, left) : fa, column ? e.reshape(fb, right) : fb};
}

// ----------------------------------------------------------------------------------------- convolutions

struct Windows {
    std::size_t count = 0;
    Ints strides, dilations, pads;
    std::int64_t groups = 1;

    explicit Windows(const Request& r)
        : count(shape(r.x()).size() - 2), strides(r.call.attrs.ints("strides", Ints(count, 1))),
          dilations(r.call.attrs.ints("dilations", Ints(count, 1))),
          pads(r.call.attrs.ints("pads", Ints(2 * count, 0))), groups(r.call.attrs.integer("groups", 1)) {}

    [[nodiscard]] Attrs attrs() const {
        return {{"strides", strides}, {"dilations", dilations}, {"pads", pads}, {"groups", groups}};
    }
    /// What `windows` windows reach over on an axis, without padding. Units: elements.
    [[nodiscard]] std::int64_t reach(std::size_t d, std::int64_t windows, std::int64_t kernel) const {
        return strides[d] * (windows - 1) + (kernel - 1) * dilations[d] + 1 - pads[d] - pads[count + d];
    }
};

/// The first elements of the spatial axes.
Var cut(Emitter& e, const Var& x, const Shape& extents) {
    if (e.error() || shape(x) == extents) return x;
    return e.call("slice", {x}, {{"begins", Ints(extents.size(), 0)}, {"sizes", Ints(extents)}});
}

/// conv_transpose of `g` that gives back the spatial extents of `like`.
Var transposed_onto(Emitter& e, const Var& g, const Var& weight, const Windows& w, const Shape& like) {
    const Shape windows = shape(g), kernel = shape(weight);
    Ints extra;
    for (std::size_t d = 0; d < w.count; ++d)
        extra.push_back(std::max<std::int64_t>(0, like[2 + d] - w.reach(d, windows[2 + d], kernel[2 + d])));
    return cut(e, e.call("conv_transpose", {g, weight}, w.attrs().with("output_padding", extra)), like);
}

const char* conv_name(std::size_t spatial) { return spatial == 1 ? "conv1d" : spatial == 2 ? "conv2d" : "conv3d"; }

/// dW[m, c, k] = sum over n, o of g[n, m, o] x[n, group's c, o stride + k dilation - pad]: a convolution of x with g,
/// batches and channels exchanged, and strides and dilations.
Var weight_derivative(Emitter& e, const Var& x, const Var& g, const Windows& w, const Shape& weight) {
    const Shape in = shape(x), out = shape(g);
    const std::int64_t groups = w.groups, inner = in[1] / groups;
    Ints split{in[0], groups, inner}, perm{2, 1, 0}, joined{inner, groups * in[0]}, turned{1, 0};
    for (std::size_t d = 0; d < w.count; ++d) {
        split.push_back(in[2 + d]);
        joined.push_back(in[2 + d]);
        perm.push_back(static_cast<std::int64_t>(3 + d));
        turned.push_back(static_cast<std::int64_t>(2 + d));
    }
    const Var data = e.reshape(e.transpose(e.reshape(x, split), perm), joined);
    const Var filters = e.transpose(g, turned);
    const Attrs attrs{{"strides", w.dilations}, {"dilations", w.strides}, {"pads", w.pads}, {"groups", groups}};
    const Var all = e.call(conv_name(w.count), {data, filters}, attrs);
    Shape part{inner, out[1]};
    part.insert(part.end(), weight.begin() + 2, weight.end());
    return e.transpose(cut(e, all, part), turned);
}

Back conv(const Request& r) {
    const Windows w(r);
    return {transposed_onto(r.emit, r.g(), r.x(1), w, shape(r.x())),
            weight_derivative(r.emit, r.x(), r.g(), w, shape(r.x(1)))};
}

/// The transposed convolution is the derivative of a convolution by its input: the roles of value and input change.
Back conv_transpose(const Request& r) {
    const Windows w(r);
    if (w.count > 3) {
        r.emit.fail({Code::UnsupportedFeature, "the derivative of conv_transpose over more than three axes", {}, {}});
        return {};
    }
    return {cut(r.emit, r.emit.call(conv_name(w.count), {r.g(), r.x(1)}, w.attrs()), shape(r.x())),
            weight_derivative(r.emit, r.g(), r.x(), w, shape(r.x(1)))};
}

// ---------------------------------------------------------------------------------------------- pooling

/// Elements that each window of an axis counts.
Ints counted(const Windows& w, std::size_t d, std::int64_t windows, const Request& r) {
    const std::int64_t kernel = r.call.attrs.ints("kernel")[d], extent = shape(r.x())[2 + d];
    const bool include = r.call.attrs.flag("count_include_pad");
    const std::int64_t low = include ? -w.pads[d] : 0, high = extent + (include ? w.pads[w.count + d] : 0);
    Ints counts;
    for (std::int64_t o = 0; o < windows; ++o) {
        std::int64_t count = 0;
        for (std::int64_t k = 0; k < kernel; ++k) {
            const std::int64_t at = o * w.strides[d] + k * w.dilations[d] - w.pads[d];
            count += at >= low && at < high ? 1 : 0;
        }
        counts.push_back(std::max<std::int64_t>(count, 1));
    }
    return counts;
}

Back avg_pool(const Request& r) {
    Emitter& e = r.emit;
    Windows w(r);
    const Shape x = shape(r.x()), out = shape(r.g());
    Var g = r.g();
    for (std::size_t d = 0; d < w.count; ++d) { // the count is a product over axes
        const Ints counts = counted(w, d, out[2 + d], r);
        Shape along(out.size(), 1);
        along[2 + d] = out[2 + d];
        NDArray array = NDArray::allocate(dtype(g), along);
        for (std::size_t o = 0; o < counts.size(); ++o)
            array.set(static_cast<std::int64_t>(o), static_cast<double>(counts[o]));
        g = e.div(g, e.constant(std::move(array)));
    }
    w.groups = x[1];
    Shape filter{x[1], 1};
    for (const std::int64_t extent : r.call.attrs.ints("kernel")) filter.push_back(extent);
    return {transposed_onto(e, g, e.filled(dtype(g), filter, 1), w, x)};
}

Var to_places(const Request& r, const Var& places) {
    Emitter& e = r.emit;
    const std::int64_t all = element_count(shape(r.x())), windows = element_count(shape(r.g()));
    const Var sums = e.call("scatter_elements",
                            {e.zeros(dtype(r.x()), {all}), e.reshape(places, {windows}), e.reshape(r.g(), {windows})},
                            {{"axis", std::int64_t{0}}, {"reduction", std::string("add")}});
    return e.reshape(sums, shape(r.x()));
}

Back max_pool(const Request& r) {
    const Var both = r.emit.call("max_pool_with_indices", {r.x()}, r.call.attrs);
    return r.emit.error() ? Back{} : Back{to_places(r, r.emit.project(both, 1))};
}

Back max_pool_with_indices(const Request& r) {
    if (!r.call.attrs.flag("column_major")) return {to_places(r, r.emit.project(r.out, 1))};
    const Var both = r.emit.call("max_pool_with_indices", {r.x()}, r.call.attrs.with("column_major", false));
    return r.emit.error() ? Back{} : Back{to_places(r, r.emit.project(both, 1))};
}

constexpr Row kProducts[] = {
    {"conv1d", conv}, {"conv2d", conv}, {"conv3d", conv}, {"conv_transpose", conv_transpose}, {"matmul", matmul},
};
constexpr Row kPools[] = {
    {"avg_pool", avg_pool},
    {"max_pool", max_pool},
    {"max_pool_with_indices", max_pool_with_indices},
};

} // namespace

std::span<const Row> product_rows() { return kProducts; }
std::span<const Row> pool_rows() { return kPools; }

} // namespace orrery::transform::gradient_rules
