#include "core/ops/layout.hpp"
#include "core/ops/transposed.hpp"
#include "tests/core/ops/calls.hpp"

#include <cmath>
#include <limits>

using namespace orrery;
using namespace orrery::ops::test;

namespace {

struct Geometry {
    Ints strides, dilations, pads;
    std::int64_t groups = 1;
    [[nodiscard]] Attrs attrs() const {
        return {{"strides", strides}, {"dilations", dilations}, {"pads", pads}, {"groups", groups}};
    }
};

bool inside(const NDArray& x, const Shape& index) {
    for (std::size_t d = 0; d < index.size(); ++d)
        if (index[d] < 0 || index[d] >= x.shape()[d]) return false;
    return true;
}

/// Straight from the definition.
NDArray convolved(const NDArray& x, const NDArray& w, const Geometry& g) {
    const std::size_t spatial = g.strides.size();
    Shape out{x.shape()[0], w.shape()[0]};
    for (std::size_t d = 0; d < spatial; ++d)
        out.push_back(
            (x.shape()[2 + d] + g.pads[d] + g.pads[spatial + d] - (w.shape()[2 + d] - 1) * g.dilations[d] - 1) /
                g.strides[d] +
            1);
    const std::int64_t filters = w.shape()[0] / g.groups, channels = w.shape()[1];
    return generate(out, [&](const Shape& i) {
        double sum = 0;
        Shape window(w.shape().begin() + 1, w.shape().end());
        for_each(window, [&](const Shape& k) {
            Shape from{i[0], i[1] / filters * channels + k[0]}, of{i[1]};
            of.insert(of.end(), k.begin(), k.end());
            for (std::size_t d = 0; d < spatial; ++d)
                from.push_back(i[2 + d] * g.strides[d] + k[1 + d] * g.dilations[d] - g.pads[d]);
            if (inside(x, from)) sum += at(x, from) * at(w, of);
        });
        return sum;
    });
}

/// Every element of x is scattered.
NDArray transposed_convolved(const NDArray& x, const NDArray& w, const Geometry& g, const Shape& out) {
    NDArray y = NDArray::zeros(DType::F32, out);
    const std::int64_t channels = x.shape()[1] / g.groups, filters = w.shape()[1];
    for_each(x.shape(), [&](const Shape& i) {
        Shape window(w.shape().begin() + 1, w.shape().end());
        for_each(window, [&](const Shape& k) {
            Shape to{i[0], i[1] / channels * filters + k[0]}, of{i[1]};
            of.insert(of.end(), k.begin(), k.end());
            for (std::size_t d = 0; d < g.strides.size(); ++d)
                to.push_back(i[2 + d] * g.strides[d] + k[1 + d] * g.dilations[d] - g.pads[d]);
            if (!inside(y, to)) return;
            std::int64_t position = 0;
            for (std::size_t d = 0; d < to.size(); ++d) position = position * out[d] + to[d];
            y.set(position, y.as_double(position) + at(x, i) * at(w, of));
        });
    });
    return y;
}

} // namespace

TEST_CASE("convolutions by the definition", "[ops][conv]") {
    struct Row {
        const char* op;
        Shape x, w;
        Geometry geometry;
    };
    const Row rows[] = {
        {"conv2d", {1, 3, 6, 5}, {4, 3, 3, 3}, {{1, 1}, {1, 1}, {1, 1, 1, 1}}},
        {"conv2d", {2, 4, 7, 9}, {6, 2, 3, 2}, {{2, 3}, {1, 2}, {1, 0, 0, 2}, 2}},
        {"conv2d", {1, 4, 5, 5}, {8, 1, 3, 3}, {{1, 1}, {1, 1}, {1, 1, 1, 1}, 4}}, // depthwise, multiplier 2
        {"conv2d", {1, 5, 4, 4}, {2, 5, 1, 1}, {{2, 2}, {1, 1}, {0, 0, 0, 0}}},
        {"conv1d", {2, 2, 11}, {3, 2, 4}, {{2}, {2}, {3, 1}}},
        {"conv3d", {1, 2, 4, 5, 3}, {2, 2, 2, 3, 2}, {{1, 2, 1}, {1, 1, 1}, {1, 0, 1, 0, 1, 0}}},
    };
    for (const Row& row : rows) {
        const NDArray x = drawn(row.x, 1), w = drawn(row.w, 2);
        require_near(call(row.op, {x, w}, row.geometry.attrs()), convolved(x, w, row.geometry), 2e-6);
    }
    // Integers are summed in their own type.
    const NDArray ones = generate(
        {1, 1, 2, 2}, [](const Shape&) { return 1000.0; }, DType::I32);
    require_values(call("conv2d", {ones, ones}), {1, 1, 1, 1}, {4e6}, 0);
}

TEST_CASE("convolutions that cannot be are refused", "[ops][conv]") {
    const NDArray x = drawn({1, 4, 5, 5}, 1), w = drawn({2, 4, 3, 3}, 2);
    REQUIRE(refusal("conv2d", {x, drawn({2, 3, 3, 3}, 2)}) == Code::BadShape);
    REQUIRE(refusal("conv2d", {x, drawn({2, 4, 6, 3}, 2)}) == Code::BadShape);
    REQUIRE(refusal("conv1d", {x, w}) == Code::BadShape);
    REQUIRE(refusal("conv2d", {drawn({4, 5, 5}, 1), w}) == Code::BadShape);
    REQUIRE(refusal("conv2d", {x, w}, {{"strides", Ints{0, 1}}}) == Code::BadAttribute);
    REQUIRE(refusal("conv2d", {x, w}, {{"strides", Ints{1}}}) == Code::BadAttribute);
    REQUIRE(refusal("conv2d", {x, w}, {{"dilations", Ints{1, -1}}}) == Code::BadAttribute);
    REQUIRE(refusal("conv2d", {x, w}, {{"pads", Ints{-1, 0, 0, 0}}}) == Code::BadAttribute);
    REQUIRE(refusal("conv2d", {x, w}, {{"groups", std::int64_t{3}}}) == Code::BadAttribute);
    REQUIRE(refusal("conv2d", {x, w}, {{"groups", std::int64_t{0}}}) == Code::BadAttribute);
    // A copy padded to 2^30 elements is refused before anyone allocates it.
    REQUIRE(refusal("conv2d", {x, w}, {{"pads", Ints{1 << 30, 0, 0, 0}}, {"strides", Ints{1 << 30, 1}}}) ==
            Code::LimitExceeded);
}

TEST_CASE("transposed convolutions scatter", "[ops][conv]") {
    struct Row {
        Shape x, w;
        Geometry geometry;
        Ints extra;
        Shape out;
    };
    const Row rows[] = {
        {{1, 2, 3, 4}, {2, 3, 3, 2}, {{2, 3}, {1, 2}, {1, 0, 0, 1}}, {1, 2}, {1, 3, 7, 13}},
        {{2, 4, 3, 3}, {4, 2, 3, 3}, {{1, 1}, {1, 1}, {0, 0, 0, 0}, 2}, {0, 0}, {2, 4, 5, 5}},
        {{1, 1, 5}, {1, 2, 4}, {{3}, {1}, {1, 2}}, {0}, {1, 2, 13}},
        {{1, 2, 3, 3}, {2, 2, 4, 4}, {{2, 2}, {1, 1}, {1, 1, 1, 1}}, {0, 0}, {1, 2, 6, 6}},
        {{1, 6, 2, 3}, {6, 1, 3, 3}, {{2, 2}, {1, 1}, {1, 0, 1, 1}, 3}, {0, 1}, {1, 3, 3, 7}},
        {{1, 2, 2, 2}, {2, 1, 1, 2}, {{3, 4}, {1, 1}, {0, 0, 0, 0}}, {2, 0}, {1, 1, 6, 6}}, // places without a tap
        {{1, 2, 3, 1}, {2, 3, 5, 3}, {{1, 3}, {2, 1}, {3, 1, 2, 0}}, {0, 0}, {1, 3, 6, 2}},
        {{1, 2, 2, 2, 2}, {2, 1, 3, 2, 2}, {{2, 1, 2}, {1, 1, 1}, {1, 0, 0, 0, 1, 0}}, {0, 0, 0}, {1, 1, 4, 2, 4}},
    };
    for (const Row& row : rows) {
        const NDArray x = drawn(row.x, 3), w = drawn(row.w, 4);
        const Attrs attrs = row.geometry.attrs().with("output_padding", row.extra);
        require_near(call("conv_transpose", {x, w}, attrs), transposed_convolved(x, w, row.geometry, row.out), 2e-6);
    }
    REQUIRE(refusal("conv_transpose", {drawn({1, 2, 3}, 1), drawn({3, 1, 2}, 1)}) == Code::BadShape);
    REQUIRE(refusal("conv_transpose", {drawn({1, 1, 1}, 1), drawn({1, 1, 2}, 1)}, {{"pads", Ints{1, 1}}}) ==
            Code::BadShape);
}

TEST_CASE("filters of a transposed convolution are sorted by phase", "[ops][conv]") {
    const NDArray w = generate({1, 2, 5}, [](const Shape& i) { return static_cast<double>(10 * i[1] + i[2]); });
    // Three cut off before: phase 0 starts at tap 3 % 2 = 1, phase 1 at 0; the last tap first.
    const std::vector<ops::PhaseAxis> axes =
        ops::phase_axes({{"strides", Ints{2}}, {"pads", Ints{3, 0}}}, {5}, {1, 2, 8});
    require_values(ops::phase_filters(w, 1, axes), {2, 2, 1, 3}, {0, 3, 1, 0, 13, 11, 4, 2, 0, 14, 12, 10}, 0);
    // Two groups of one channel each: their filters side by side.
    const NDArray two = generate({2, 1, 2}, [](const Shape& i) { return static_cast<double>(10 * i[0] + i[2]); });
    require_values(ops::phase_filters(two, 2, ops::phase_axes({}, {2}, {1, 2, 4})), {1, 2, 1, 2}, {1, 0, 11, 10}, 0);
}

TEST_CASE("a transposed convolution of channels in blocks", "[ops][conv][layout]") {
    struct Row {
        Shape x, w;
        Geometry geometry;
        Ints extra;
        Shape out;
    };
    const Row rows[] = {
        {{1, 4, 3, 2}, {4, 6, 4, 4}, {{2, 2}, {1, 1}, {1, 1, 1, 1}}, {0, 0}, {1, 6, 6, 4}},
        {{2, 4, 3, 3}, {4, 2, 2, 2}, {{2, 2}, {1, 1}, {0, 0, 0, 0}}, {0, 0}, {2, 2, 6, 6}},
        {{1, 2, 3, 3}, {2, 4, 3, 3}, {{2, 2}, {1, 1}, {1, 1, 1, 1}}, {1, 0}, {1, 4, 6, 5}},
        {{1, 2, 4, 2}, {2, 2, 4, 5}, {{3, 2}, {1, 1}, {2, 0, 0, 1}}, {0, 0}, {1, 2, 11, 6}},
        {{1, 2, 4, 4}, {2, 2, 3, 3}, {{1, 2}, {1, 1}, {1, 1, 1, 0}}, {0, 0}, {1, 2, 4, 8}},
        {{1, 4, 3, 3}, {4, 4, 3, 2}, {{2, 2}, {1, 1}, {1, 0, 0, 0}, 2}, {0, 0}, {1, 8, 6, 6}},
        {{1, 2, 1, 1}, {2, 2, 4, 6}, {{4, 5}, {1, 1}, {1, 1, 1, 1}}, {0, 0}, {1, 2, 2, 4}},
    };
    for (const Row& row : rows)
        for (const std::string layout : {"NCHW", "NCHW2c"}) {
            const NDArray x = drawn(row.x, 3), w = drawn(row.w, 4);
            const Shape kernel(row.w.begin() + 2, row.w.end());
            const std::int64_t groups = row.geometry.groups;
            Attrs attrs{{"groups", groups}, {"strides", row.geometry.strides}, {"pads", row.geometry.pads}};
            const std::vector<ops::PhaseAxis> axes = ops::phase_axes(attrs, kernel, row.out);
            const auto of = [](const std::string& text) { return ops::parse_layout(text).value(); };
            const NDArray filters = transformed(ops::phase_filters(w, groups, axes), of("POIHW"),
                                                of(layout == "NCHW" ? "POIHW2o" : "POIHW2i2o"));
            attrs = attrs.with("kernel", kernel).with("layout", layout).with("out_layout", std::string("NCHW2c"));
            const NDArray y = call("layout_conv_transpose", {transformed(x, of("NCHW"), of(layout)), filters},
                                   attrs.with("output_padding", row.extra));
            require_near(transformed(y, of("NCHW2c"), of("NCHW")), transposed_convolved(x, w, row.geometry, row.out),
                         2e-6);
        }
    const NDArray x = drawn({1, 2, 3, 3, 2}, 1), w = drawn({4, 1, 2, 1, 1, 2, 2}, 2);
    const Attrs attrs{{"kernel", Ints{2, 2}}, {"layout", "NCHW2c"}, {"out_layout", "NCHW2c"}, {"strides", Ints{2, 2}}};
    const auto refused = [&](const char* name, const graph::AttrValue& value) {
        return refusal("layout_conv_transpose", {x, w}, attrs.with(name, value));
    };
    REQUIRE(refused("kernel", Ints{3, 2}) == Code::BadShape); // two taps a phase
    REQUIRE(refused("kernel", Ints{2}) == Code::BadAttribute);
    REQUIRE(refused("kernel", Ints{1, 2}) == Code::BadAttribute); // shorter than the stride
    REQUIRE(refused("layout", std::string("NHWC2c")) == Code::BadAttribute);
    REQUIRE(refused("out_layout", std::string("NCHW")) == Code::BadShape);
    REQUIRE(refused("pads", Ints{9, 0, 0, 0}) == Code::BadShape);
    REQUIRE(refused("groups", std::int64_t{2}) == Code::BadAttribute); // half a block
}

TEST_CASE("pooling by the definition", "[ops][pool]") {
    struct Row {
        Shape x;
        Ints kernel;
        Geometry geometry;
        bool ceil = false, include = false;
    };
    const Row rows[] = {
        {{1, 2, 6, 6}, {2, 2}, {{2, 2}, {1, 1}, {0, 0, 0, 0}}},
        {{2, 1, 5, 7}, {3, 2}, {{2, 1}, {1, 2}, {1, 0, 1, 1}}},
        {{1, 1, 5, 5}, {3, 3}, {{2, 2}, {1, 1}, {0, 0, 0, 0}}, true},
        {{1, 1, 6, 6}, {3, 3}, {{2, 2}, {1, 1}, {1, 1, 1, 1}}, true, true},
        {{1, 3, 9}, {4}, {{3}, {1}, {2, 1}}, false, true},
        {{1, 1, 4, 4, 4}, {2, 2, 2}, {{2, 2, 2}, {1, 1, 1}, {0, 0, 0, 0, 0, 0}}},
    };
    for (const Row& row : rows) {
        const std::size_t spatial = row.kernel.size();
        const Geometry& g = row.geometry;
        const NDArray x = drawn(row.x, 5);
        Shape out{row.x[0], row.x[1]};
        for (std::size_t d = 0; d < spatial; ++d) {
            const std::int64_t room =
                row.x[2 + d] + g.pads[d] + g.pads[spatial + d] - (row.kernel[d] - 1) * g.dilations[d] - 1;
            std::int64_t count = (room + (row.ceil ? g.strides[d] - 1 : 0)) / g.strides[d] + 1;
            if (row.ceil && (count - 1) * g.strides[d] >= row.x[2 + d] + g.pads[d]) --count;
            out.push_back(count);
        }
        const auto over_window = [&](const Shape& i,
                                     const std::function<void(const Shape& at, bool inside, bool padded)>& body) {
            for_each(row.kernel, [&](const Shape& k) {
                Shape from{i[0], i[1]};
                bool padded = true;
                for (std::size_t d = 0; d < spatial; ++d) {
                    from.push_back(i[2 + d] * g.strides[d] + k[d] * g.dilations[d] - g.pads[d]);
                    padded = padded && from.back() < row.x[2 + d] + g.pads[spatial + d];
                }
                body(from, inside(x, from), padded);
            });
        };
        const Attrs attrs{{"kernel", row.kernel},
                          {"strides", g.strides},
                          {"dilations", g.dilations},
                          {"pads", g.pads},
                          {"ceil", row.ceil}};
        require_near(call("max_pool", {x}, attrs),
                     generate(out,
                              [&](const Shape& i) {
                                  double best = -std::numeric_limits<double>::infinity();
                                  over_window(i, [&](const Shape& from, bool in, bool) {
                                      best = in ? std::max(best, at(x, from)) : best;
                                  });
                                  return best;
                              }),
                     0);
        require_near(call("avg_pool", {x}, attrs.with("count_include_pad", row.include)),
                     generate(out,
                              [&](const Shape& i) {
                                  double sum = 0, count = 0;
                                  over_window(i, [&](const Shape& from, bool in, bool padded) {
                                      if (in) sum += at(x, from);
                                      if (in || (row.include && padded)) ++count;
                                  });
                                  return sum / count;
                              }),
                     2e-6);
        require_near(call("lp_pool", {x}, attrs.with("p", std::int64_t{3})),
                     generate(out,
                              [&](const Shape& i) {
                                  double sum = 0;
                                  over_window(i, [&](const Shape& from, bool in, bool) {
                                      sum += in ? std::pow(std::fabs(at(x, from)), 3) : 0;
                                  });
                                  return std::cbrt(sum);
                              }),
                     5e-6);
    }
}

TEST_CASE("indices of maxima count in the whole input", "[ops][pool]") {
    const NDArray x = f32({1, 2, 2, 4}, {1, 5, 2, 2, 3, 5, 2, 0, 9, 8, 7, 6, 5, 4, 3, 9});
    const Attrs attrs{{"kernel", Ints{2, 2}}, {"strides", Ints{2, 2}}};
    const Arrays both = call_all("max_pool_with_indices", {x}, attrs);
    require_values(both[0], {1, 2, 1, 2}, {5, 2, 9, 9}, 0);
    require_values(both[1], {1, 2, 1, 2}, {1, 2, 8, 15}, 0); // the first of equals
    require_values(call_all("max_pool_with_indices", {x}, attrs.with("column_major", true))[1], {1, 2, 1, 2},
                   {2, 4, 8, 15}, 0);
    REQUIRE(refusal("max_pool", {x}, {{"kernel", Ints{2}}}) == Code::BadShape);
    REQUIRE(refusal("max_pool", {x}, {{"kernel", Ints{0, 2}}}) == Code::BadShape);
    REQUIRE(refusal("max_pool", {x}) == Code::BadAttribute);
    REQUIRE(refusal("avg_pool", {counted({1, 1, 4}, DType::I32)}, {{"kernel", Ints{2}}}) == Code::BadType);
}
