#include "tests/core/ops/calls.hpp"

#include <cmath>
#include <numbers>

using namespace orrery;
using namespace orrery::ops::test;

TEST_CASE("quantization rounds to even and saturates", "[ops][quantize]") {
    const NDArray x = f32({6}, {0, 2, 3, 1000, -254, -1000}), scale = f32({}, {2}), zero = array(DType::U8, {}, {128});
    const NDArray q = call("quantize_linear", {x, scale, zero}, {{"dtype", DType::U8}});
    REQUIRE(q.dtype() == DType::U8);
    require_values(q, {6}, {128, 129, 130, 255, 1, 0}, 0); // 3 / 2 = 1.5 rounds to 2
    require_values(call("dequantize_linear", {q, scale, zero}), {6}, {0, 2, 4, 254, -254, -256}, 0);
    const NDArray per_axis = f32({2}, {1, 10});
    require_values(call("quantize_linear", {f32({2, 2}, {3, 30, -300, 7}), per_axis},
                        {{"dtype", DType::I8}, {"axis", std::int64_t{0}}}),
                   {2, 2}, {3, 30, -30, 1}, 0);
    require_values(call("dequantize_linear", {array(DType::I8, {2, 2}, {1, 1, -2, -2}), per_axis}), {2, 2},
                   {1, 10, -2, -20}, 0);
    REQUIRE(refusal("quantize_linear", {x, scale, zero}, {{"dtype", DType::I8}}) == Code::BadType);
    REQUIRE(refusal("quantize_linear", {x, scale}, {{"dtype", DType::F32}}) == Code::BadType);
    REQUIRE(refusal("quantize_linear", {x, per_axis}, {{"dtype", DType::U8}, {"axis", std::int64_t{0}}}) ==
            Code::BadShape);
    REQUIRE(refusal("dequantize_linear", {x, scale}) == Code::BadType);
}

TEST_CASE("quantization to 4-bit integers and 8-bit floats, and by blocks", "[ops][quantize]") {
    const NDArray x = f32({6}, {0, 3, -5, 40, -40, 448}), two = f32({}, {2});
    const NDArray nibbles = call("quantize_linear", {x, two, array(DType::I4, {}, {1})}, {{"dtype", DType::I4}});
    require_values(nibbles, {6}, {1, 3, -1, 7, -8, 7}, 0); // -2.5 rounds to -2
    require_values(call("dequantize_linear", {nibbles, two, array(DType::I4, {}, {1})}), {6}, {0, 4, -4, 12, -18, 12},
                   0);
    require_values(call("quantize_linear", {x, two}, {{"dtype", DType::U4}}), {6}, {0, 2, 0, 15, 0, 15}, 0);
    // 448 / 0.5 is beyond the format; 40 / 0.5 = 80 is a value of it, -5 / 0.5 too.
    const NDArray eights = call("quantize_linear", {x, f32({}, {0.5})}, {{"dtype", DType::F8E4M3FN}});
    REQUIRE(eights.dtype() == DType::F8E4M3FN);
    require_values(eights, {6}, {0, 6, -10, 80, -80, 448}, 0);
    require_values(call("dequantize_linear", {eights, f32({}, {0.5})}), {6}, {0, 3, -5, 40, -40, 224}, 0);

    // ONNX DequantizeLinear 21: one scale for each block of two rows; the last block is short.
    const NDArray matrix = array(DType::I8, {3, 2}, {1, 2, 3, 4, 5, 6}), scales = f32({2, 2}, {1, 10, 100, 1000});
    const NDArray zeros = array(DType::I8, {2, 2}, {0, 1, 2, 3});
    const Attrs blocks{{"axis", std::int64_t{0}}, {"block", std::int64_t{2}}};
    const NDArray real = call("dequantize_linear", {matrix, scales, zeros}, blocks);
    require_values(real, {3, 2}, {1, 10, 3, 30, 300, 3000}, 0);
    require_values(call("quantize_linear", {real, scales, zeros}, blocks.with("dtype", DType::I8)), {3, 2},
                   {1, 2, 3, 4, 5, 6}, 0);
    REQUIRE(refusal("dequantize_linear", {matrix, scales}, {{"block", std::int64_t{2}}}) == Code::BadShape);
    REQUIRE(refusal("dequantize_linear", {matrix, scales}, blocks.with("block", std::int64_t{-1})) == Code::BadShape);
    REQUIRE(refusal("dequantize_linear", {matrix, scales, zeros.reshaped({4})}, blocks) == Code::BadShape);
}

TEST_CASE("casts to and from 8-bit floats and 4-bit integers", "[ops][cast]") {
    const NDArray x = f32({5}, {1.06, -1000, 1e6, HUGE_VAL, 0x1p-10});
    // ONNX Cast, the table of 8-bit floats: the greatest value where it saturates, otherwise NaN or infinity.
    require_values(call("cast", {x}, {{"dtype", DType::F8E4M3FN}}), {5}, {1, -448, 448, 448, 0}, 0);
    const NDArray open = call("cast", {x}, {{"dtype", DType::F8E4M3FN}, {"saturate", false}});
    REQUIRE(open.as_double(0) == 1);
    for (std::int64_t i : {1, 2, 3}) REQUIRE(std::isnan(open.as_double(i)));
    require_values(call("cast", {x}, {{"dtype", DType::F8E5M2}}), {5}, {1, -1024, 57344, 57344, 0x1p-10}, 0);
    REQUIRE(call("cast", {x}, {{"dtype", DType::F8E5M2}, {"saturate", false}}).as_double(2) == HUGE_VAL);
    REQUIRE(std::isnan(call("cast", {f32({}, {std::nan("")})}, {{"dtype", DType::F8E4M3FNUZ}}).as_double(0)));
    const NDArray small = call("cast", {x}, {{"dtype", DType::F8E4M3FNUZ}});
    require_values(call("cast", {small}, {{"dtype", DType::F16}}), {5}, {1, -240, 240, 240, 0x1p-10}, 0);
    const NDArray nibbles = call("cast", {f32({4}, {-9.5, 3.9, 7, 100})}, {{"dtype", DType::I4}});
    require_values(call("cast", {nibbles}, {{"dtype", DType::F32}}), {4}, {-8, 3, 7, 7}, 0);
    require_values(call("cast", {i64({3}, {17, -1, 8})}, {{"dtype", DType::U4}}), {3}, {1, 15, 8}, 0);
    REQUIRE(refusal("add", {nibbles, nibbles}) == Code::BadType);
    REQUIRE(refusal("relu", {small}) == Code::BadType);
    REQUIRE(refusal("equal", {nibbles, nibbles}) == Code::BadType);
}

namespace {

NDArray resized(const NDArray& x, const Ints& sizes, Attrs attrs) {
    Floats scales;
    for (std::size_t d = 0; d < sizes.size(); ++d)
        scales.push_back(static_cast<double>(sizes[d]) / static_cast<double>(x.shape()[d]));
    return call("resize", {x}, attrs.with("sizes", sizes).with("scales", scales));
}

Attrs mode(const char* name, const char* coordinates) {
    return {{"mode", std::string(name)}, {"coordinates", std::string(coordinates)}};
}

} // namespace

TEST_CASE("resizing by the nearest element", "[ops][resize]") {
    const NDArray x = f32({1, 2}, {1, 2});
    require_values(resized(x, {2, 4}, mode("nearest", "half_pixel")), {2, 4}, {1, 1, 2, 2, 1, 1, 2, 2}, 0);
    const NDArray line = counted({8});
    // Positions 0.5, 2.5, 4.5, 6.5 with half pixels; 0, 2, 4, 6 without.
    require_values(resized(line, {4}, mode("nearest", "half_pixel")), {4}, {0, 2, 4, 6}, 0);
    require_values(resized(line, {4}, mode("nearest", "half_pixel").with("rounding", std::string("round_prefer_ceil"))),
                   {4}, {1, 3, 5, 7}, 0);
    require_values(resized(line, {4}, mode("nearest", "asymmetric").with("rounding", std::string("floor"))), {4},
                   {0, 2, 4, 6}, 0);
    require_values(resized(line, {3}, mode("nearest", "asymmetric").with("rounding", std::string("ceil"))), {3},
                   {0, 3, 6}, 0);
}

TEST_CASE("linear and cubic interpolation", "[ops][resize]") {
    const NDArray x = f32({4}, {0, 10, 20, 30});
    // Positions -0.25, 0.25, 0.75, ...: linear between, held at the ends.
    require_values(resized(x, {8}, mode("linear", "half_pixel")), {8}, {0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30});
    require_values(resized(x, {7}, mode("linear", "align_corners")), {7}, {0, 5, 10, 15, 20, 25, 30});
    require_values(resized(x, {2}, mode("linear", "half_pixel")), {2}, {5, 25});
    // With antialias the kernel is twice as wide: positions 0.5 and 2.5, weights 0.25, 0.75, 0.75, 0.25 over their sum;
    // elements outside count as the edge.
    require_values(
        resized(x, {2}, mode("linear", "half_pixel").with("antialias", true)), {2},
        {(0.25 * 0 + 0.75 * 0 + 0.75 * 10 + 0.25 * 20) / 2, (0.25 * 10 + 0.75 * 20 + 0.75 * 30 + 0.25 * 30) / 2});
    // At 0.25 beyond an element, a = -0.75: weights of the cubic convolution.
    const auto near = [](double t) { return (1.25 * t - 2.25) * t * t + 1; };
    const auto far = [](double t) { return ((-0.75 * t + 3.75) * t - 6) * t + 3; };
    const NDArray y = f32({4}, {1, -2, 4, 3});
    const double expected = far(1.25) * 1 + near(0.25) * -2 + near(0.75) * 4 + far(1.75) * 3;
    REQUIRE(resized(y, {8}, mode("cubic", "half_pixel")).as_double(3) == Approx(expected));
    // Constants stay constant whatever is left out.
    const NDArray flat = f32({5}, {2, 2, 2, 2, 2});
    require_values(resized(flat, {9}, mode("cubic", "half_pixel").with("exclude_outside", true)), {9}, Floats(9, 2.0));
}

TEST_CASE("cropping while resizing, and what is refused", "[ops][resize]") {
    const NDArray x = f32({3}, {0, 10, 20});
    const Attrs crop = mode("linear", "tf_crop_and_resize").with("extrapolation", -1.0);
    require_values(resized(x, {3}, crop.with("roi", Floats{0.5, 1})), {3}, {10, 15, 20});
    require_values(resized(x, {3}, crop.with("roi", Floats{0, 2})), {3}, {0, 20, -1});
    REQUIRE(refusal("resize", {x}, crop.with("sizes", Ints{3}).with("scales", Floats{1})) == Code::BadAttribute);
    const auto refused = [&](const Attrs& attrs, double scale) {
        return refusal("resize", {x}, attrs.with("sizes", Ints{3}).with("scales", Floats{scale}));
    };
    REQUIRE(refused(mode("quintic", "half_pixel"), 1) == Code::BadAttribute);
    REQUIRE(refused(mode("linear", "quarter_pixel"), 1) == Code::BadAttribute);
    REQUIRE(refused(mode("linear", "half_pixel"), 0) == Code::BadAttribute);
    REQUIRE(refused(mode("linear", "half_pixel"), 1e300) == Code::BadAttribute);
    REQUIRE(refusal("resize", {x}, {{"sizes", Ints{3, 3}}, {"scales", Floats{1, 1}}}) == Code::BadAttribute);
    REQUIRE(refusal("resize", {x}, {{"sizes", Ints{-3}}, {"scales", Floats{1}}}) == Code::BadShape);
}

TEST_CASE("sampling a grid and aligning regions", "[ops][spatial]") {
    const NDArray x = f32({1, 1, 2, 2}, {1, 2, 3, 4});
    const auto sample = [&](double gx, double gy, const Attrs& attrs) {
        return call("grid_sample", {x, f32({1, 1, 1, 2}, {gx, gy})}, attrs).as_double(0);
    };
    const Attrs corners{{"align_corners", true}};
    REQUIRE(sample(-1, -1, corners) == Approx(1));
    REQUIRE(sample(1, -1, corners) == Approx(2)); // x before y
    REQUIRE(sample(0, 0, corners) == Approx(2.5));
    REQUIRE(sample(0, 0.5, corners) == Approx(3));
    REQUIRE(sample(-1, -1, {}) == Approx(0.25)); // a quarter of the first pixel, zeros around
    REQUIRE(sample(-1, -1, {{"padding", std::string("border")}}) == Approx(1));
    REQUIRE(sample(-3, 0.4, corners.with("mode", std::string("nearest"))) == Approx(0));
    REQUIRE(sample(3, -1, corners.with("padding", std::string("reflection"))) == Approx(1));
    REQUIRE(refusal("grid_sample", {x, f32({1, 1, 1, 3}, {0, 0, 0})}) == Code::BadShape);
    REQUIRE(refusal("grid_sample", {x, f32({1, 1, 1, 2}, {0, 0})}, {{"mode", std::string("best")}}) ==
            Code::BadAttribute);

    const NDArray ramp = generate({1, 1, 6, 6}, [](const Shape& i) { return static_cast<double>(i[3]); });
    const Attrs bins{{"height", std::int64_t{1}}, {"width", std::int64_t{2}}, {"samples", std::int64_t{2}}};
    // Bins [1, 2] and [2, 3] of a ramp have their centres as means.
    require_values(call("roi_align", {ramp, f32({1, 4}, {1, 1, 3, 3}), i64({1}, {0})}, bins), {1, 1, 1, 2}, {1.5, 2.5});
    require_values(call("roi_align", {ramp, f32({1, 4}, {1, 1, 3, 3}), i64({1}, {0})}, bins.with("half_pixel", true)),
                   {1, 1, 1, 2}, {1, 2});
    REQUIRE(refusal("roi_align", {ramp, f32({1, 4}, {1, 1, 3, 3}), i64({2}, {0, 0})}, bins) == Code::BadShape);
    REQUIRE(refusal("roi_align", {ramp, f32({1, 4}, {1, 1, 3, 3}), i64({1}, {0})},
                    bins.with("samples", std::int64_t{-1})) == Code::BadAttribute);
}

TEST_CASE("Fourier transforms", "[ops][signal]") {
    const NDArray x = drawn({2, 5, 2}, 9);
    const auto transformed = [&](double sign, double scale) {
        return generate({2, 5, 2}, [&](const Shape& i) {
            double real = 0, imaginary = 0;
            for (std::int64_t k = 0; k < 5; ++k) {
                const double angle = sign * 2 * std::numbers::pi * static_cast<double>(i[1] * k) / 5,
                             a = at(x, {i[0], k, 0}), b = at(x, {i[0], k, 1});
                real += a * std::cos(angle) - b * std::sin(angle);
                imaginary += a * std::sin(angle) + b * std::cos(angle);
            }
            return (i[2] == 0 ? real : imaginary) * scale;
        });
    };
    require_near(call("dft", {x}), transformed(-1, 1));
    require_near(call("dft", {x}, {{"inverse", true}}), transformed(1, 0.2));
    require_near(call("dft", {call("dft", {x})}, {{"inverse", true}}), x);
    const NDArray real = f32({1, 4, 1}, {1, 2, 3, 4});
    require_values(call("dft", {real}, {{"onesided", true}}), {1, 3, 2}, {10, 0, -2, 2, -2, 0});
    require_values(call("dft", {real}, {{"length", std::int64_t{2}}}), {1, 2, 2}, {3, 0, -1, 0});
    REQUIRE(refusal("dft", {f32({4, 3}, Floats(12, 0.0))}) == Code::BadShape);
    REQUIRE(refusal("dft", {real}, {{"length", std::int64_t{0}}}) == Code::BadAttribute);
}
