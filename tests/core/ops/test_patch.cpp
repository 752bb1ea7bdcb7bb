#include "tests/core/ops/calls.hpp"

#include <cmath>

using namespace orrery;
using namespace orrery::ops::test;

TEST_CASE("an image from its windows", "[ops][patch]") {
    // ONNX Col2Im, its example: windows of 1 x 5 side by side.
    const NDArray columns =
        f32({1, 5, 5}, {1, 6, 11, 16, 21, 2, 7, 12, 17, 22, 3, 8, 13, 18, 23, 4, 9, 14, 19, 24, 5, 10, 15, 20, 25});
    require_near(call("col2im", {columns}, {{"image", Ints{5, 5}}, {"kernel", Ints{1, 5}}}),
                 generate({1, 1, 5, 5}, [](const Shape& i) { return 1.0 + static_cast<double>(5 * i[2] + i[3]); }));
    // Ones from overlapping windows count how many windows an element lies in.
    const NDArray ones = generate({1, 4, 4}, [](const Shape&) { return 1.0; });
    require_values(call("col2im", {ones}, {{"image", Ints{3, 3}}, {"kernel", Ints{2, 2}}}), {1, 1, 3, 3},
                   {1, 2, 1, 2, 4, 2, 1, 2, 1}, 0);
    require_values(call("col2im", {generate({1, 2, 4}, [](const Shape& i) { return 1.0 + static_cast<double>(i[1]); })},
                        {{"image", Ints{5}}, {"kernel", Ints{2}}, {"dilations", Ints{2}}, {"pads", Ints{1, 0}}}),
                   {1, 1, 5}, {1, 3, 3, 2, 2}, 0);
    const auto refused = [&](const Attrs& attrs) { return refusal("col2im", {ones}, attrs); };
    REQUIRE(refused({{"image", Ints{3, 3}}, {"kernel", Ints{2}}}) == Code::BadAttribute);
    REQUIRE(refused({{"image", Ints{4, 3}}, {"kernel", Ints{2, 2}}}) == Code::BadShape);
    REQUIRE(refused({{"image", Ints{3, 3}}, {"kernel", Ints{2, 3}}}) == Code::BadShape);
    REQUIRE(refused({{"image", Ints{0, 3}}, {"kernel", Ints{2, 2}}}) == Code::BadAttribute);
    REQUIRE(refused({{"image", Ints{3, 3}}, {"kernel", Ints{2, 2}}, {"strides", Ints{0, 1}}}) == Code::BadAttribute);
    REQUIRE(refused({{"image", Ints{1 << 30, 1 << 30}}, {"kernel", Ints{2, 2}}}) == Code::BadShape);
}

TEST_CASE("windows whose taps are moved", "[ops][patch]") {
    const NDArray x = counted({1, 1, 3, 3});
    const Attrs attrs{{"kernel", Ints{1, 1}}};
    // The first tap moves half a row down, the second (of another window) out of the image.
    NDArray offset = NDArray::zeros(DType::F32, {1, 2, 3, 3});
    offset.set(0, 0.5);      // row of window (0, 0): 0 and 3 mixed
    offset.set(9 + 1, 0.25); // column of window (0, 1): 1 and 2 mixed
    offset.set(8, 5);        // row of window (2, 2)
    require_values(call("deform_columns", {x, offset}, attrs), {1, 1, 1, 1, 3, 3}, {1.5, 1.25, 2, 3, 4, 5, 6, 7, 0});
    const NDArray mask = generate({1, 1, 3, 3}, [](const Shape& i) { return static_cast<double>(i[2]); });
    require_values(call("deform_columns", {x, offset, mask}, attrs), {1, 1, 1, 1, 3, 3}, {0, 0, 0, 3, 4, 5, 12, 14, 0});
    offset.set(0, std::nan(""));
    REQUIRE_FALSE(std::isinf(call("deform_columns", {x, offset}, attrs).as_double(0)));
    REQUIRE(refusal("deform_columns", {x, offset}, {{"kernel", Ints{2, 2}}}) == Code::BadShape);
    REQUIRE(refusal("deform_columns", {x, offset}, {{"kernel", Ints{0, 1}}}) == Code::BadAttribute);
    REQUIRE(refusal("deform_columns", {x, offset}, attrs.with("groups", std::int64_t{2})) == Code::BadAttribute);
    REQUIRE(refusal("deform_columns", {x, offset, offset}, attrs) == Code::BadShape);
}

TEST_CASE("pooling of regions, and sampling as densely as they are large", "[ops][spatial]") {
    const NDArray x = generate({1, 1, 4, 4}, [](const Shape& i) { return static_cast<double>(4 * i[2] + i[3]); });
    const Attrs bins{{"height", std::int64_t{2}}, {"width", std::int64_t{2}}};
    // The region holds its corners: columns 0 to 3, rows 1 to 2.
    require_values(call("roi_max_pool", {x, f32({1, 5}, {0, 0, 1, 3, 2})}, bins), {1, 1, 2, 2}, {5, 7, 9, 11}, 0);
    require_values(call("roi_max_pool", {x, f32({1, 5}, {0, 9, 9, 12, 12})}, bins), {1, 1, 2, 2}, {0, 0, 0, 0}, 0);
    REQUIRE(refusal("roi_max_pool", {x, f32({1, 4}, {0, 0, 1, 3})}, bins) == Code::BadShape);
    REQUIRE(refusal("roi_max_pool", {x, f32({1, 5}, {0, 0, 1, 3, 2})}, bins.with("width", std::int64_t{0})) ==
            Code::BadAttribute);
    // Bins of 2 x 2 pixels take 2 x 2 samples, as when told to.
    const NDArray region = f32({1, 4}, {0, 0, 3.9, 3.9}), image = i64({1}, {0});
    const Attrs aligned = bins.with("half_pixel", true);
    require_near(call("roi_align", {x, region, image}, aligned.with("samples", std::int64_t{0})),
                 call("roi_align", {x, region, image}, aligned.with("samples", std::int64_t{2})));
}

TEST_CASE("sampling of volumes", "[ops][spatial]") {
    const NDArray x = counted({1, 1, 2, 2, 2});
    const auto sample = [&](double gx, double gy, double gz) {
        return call("grid_sample", {x, f32({1, 1, 1, 1, 3}, {gx, gy, gz})}, {{"align_corners", true}}).as_double(0);
    };
    REQUIRE(sample(1, -1, -1) == Approx(1)); // x before y before z
    REQUIRE(sample(-1, -1, 1) == Approx(4));
    REQUIRE(sample(0, 0, 0) == Approx(3.5));
    REQUIRE(refusal("grid_sample", {x, f32({1, 1, 1, 1, 3}, {0, 0, 0})}, {{"mode", std::string("cubic")}}) ==
            Code::BadAttribute);
    REQUIRE(refusal("grid_sample", {x, f32({1, 1, 1, 2}, {0, 0})}) == Code::BadShape);
}
