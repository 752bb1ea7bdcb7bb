#include "core/ops/layout.hpp"
#include "core/ops/rows.hpp"
#include "core/ops/winograd.hpp"
#include "tests/core/ops/calls.hpp"

#include <array>
#include <cmath>
#include <cstring>

using namespace orrery;
using namespace orrery::ops;
using namespace orrery::ops::test;

namespace {

struct WinogradCase {
    Shape x;
    std::int64_t filters;
    Ints pads;
    const char *data, *out;
};

NDArray laid_out(const NDArray& array, const char* from, const char* to) {
    return transformed(array, *parse_layout(from), *parse_layout(to));
}

Attrs winograd_attrs(const WinogradCase& c, std::int64_t tile) {
    return {{"layout", std::string(c.data)}, {"out_layout", std::string(c.out)}, {"pads", c.pads}, {"tile", tile}};
}

} // namespace

TEST_CASE("filters are transformed as written by hand", "[ops][winograd]") {
    // A filter of one element w at the upper left: G w G^T is w times the product of G's first column with itself,
    // which is 1, 1/2, 1/2, 0 for tiles of 2 and 1/4, -1/6, -1/6, 1/24, 1/24, 0 for tiles of 4.
    NDArray w = NDArray::zeros(DType::F32, {2, 1, 3, 3});
    w.set(9, 8);
    const NDArray two = winograd_weights(w, 2, 1);
    REQUIRE(two.shape() == Shape{4, 4, 2, 1, 1});
    const double column[] = {1, 0.5, 0.5, 0};
    for (std::int64_t i = 0; i < 4; ++i)
        for (std::int64_t j = 0; j < 4; ++j) {
            REQUIRE(at(two, {i, j, 0, 0, 0}) == 0);
            REQUIRE(at(two, {i, j, 1, 0, 0}) == 8 * column[i] * column[j]);
        }
    const NDArray four = winograd_weights(w, 4, 2);
    REQUIRE(four.shape() == Shape{6, 6, 1, 1, 2});
    REQUIRE(at(four, {0, 0, 0, 0, 1}) == 0.5);
    REQUIRE(at(four, {3, 4, 0, 0, 1}) == Approx(8.0 / 576));
    REQUIRE(at(four, {5, 0, 0, 0, 1}) == 0);
}

TEST_CASE("transformed filters are the product in f64, rounded once", "[ops][winograd]") {
    // The matrices as the paper has them, and blocks of fewer, as many and more filters than are computed together.
    const std::vector<std::vector<double>> two{{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
    const std::vector<std::vector<double>> four{{1.0 / 4, 0, 0},
                                                {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                                {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                                {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                                {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                                {0, 0, 1}};
    for (const std::int64_t tile : {2, 4})
        for (const auto& [filters, channels, block] :
             {std::array<std::int64_t, 3>{10, 3, 5}, {16, 8, 8}, {24, 17, 8}, {40, 9, 20}}) {
            const std::vector<std::vector<double>>& g = tile == 2 ? two : four;
            const NDArray w = drawn({filters, channels, 3, 3}, 7), out = winograd_weights(w, tile, block);
            INFO(type_text(DType::F32, w.shape()) << " tile " << tile << " block " << block);
            double worst = 0;
            for_each(out.shape(), [&](const Shape& i) {
                double sum = 0;
                for (std::int64_t a = 0; a < 9; ++a)
                    sum += g[static_cast<std::size_t>(i[0])][static_cast<std::size_t>(a / 3)] *
                           g[static_cast<std::size_t>(i[1])][static_cast<std::size_t>(a % 3)] *
                           at(w, {i[2] * block + i[4], i[3], a / 3, a % 3});
                worst = std::max(worst, std::abs(at(out, i) - sum) - std::abs(sum) * 0x1p-24);
            });
            CHECK(worst < 1e-15); // what f64's own sums differ by
        }
}

TEST_CASE("filters that are scaled and packed first are transformed as if nothing was put off", "[ops][winograd]") {
    const NDArray w = drawn({32, 64, 3, 3}, 3), factors = drawn({32, 1, 1, 1}, 4);
    const std::optional<NDArray> scaled = row_product(w, factors);
    REQUIRE(scaled);
    const NDArray packed = laid_out(*scaled, "OIHW", "OIHW8i8o"), back = laid_out(packed, "OIHW8i8o", "OIHW");
    CHECK(back.source() == scaled->source()); // there and back is where it was
    const NDArray late = winograd_weights(back, 4, 8);
    const NDArray early = winograd_weights(call("multiply", {w, factors}), 4, 8);
    REQUIRE(late.shape() == early.shape());
    CHECK(std::memcmp(late.data(), early.data(), early.bytes()) == 0);
}

TEST_CASE("a convolution in tiles is the convolution", "[ops][winograd]") {
    // Images that tiles divide, and do not; padding that differs from side to side; channels whole and split.
    const WinogradCase cases[] = {
        {{1, 4, 8, 8}, 4, {1, 1, 1, 1}, "NCHW4c", "NCHW4c"}, {{2, 4, 7, 7}, 6, {1, 1, 1, 1}, "NCHW2c", "NCHW3c"},
        {{1, 2, 5, 9}, 3, {0, 1, 2, 0}, "NCHW", "NCHW"},     {{1, 3, 3, 3}, 4, {0, 0, 0, 0}, "NCHW", "NCHW4c"},
        {{1, 8, 6, 4}, 8, {0, 0, 0, 0}, "NCHW8c", "NCHW8c"},
    };
    for (const WinogradCase& c : cases)
        for (const std::int64_t tile : {2, 4}) {
            INFO(type_text(DType::F32, c.x) << " " << c.data << " " << c.out << " tile " << tile);
            const NDArray x = drawn(c.x, 1), w = drawn({c.filters, c.x[1], 3, 3}, 2);
            const NDArray filters = winograd_weights(w, tile, parse_layout(c.out)->block('C'));
            const NDArray result =
                call("winograd_conv2d", {laid_out(x, "NCHW", c.data), filters}, winograd_attrs(c, tile));
            // Repeated tiles change nothing.
            require_values(call("winograd_conv2d", {laid_out(x, "NCHW", c.data), filters},
                                winograd_attrs(c, tile).with("rows", std::int64_t{3})),
                           result.shape(), values(result), 0);
            const NDArray plain = call("conv2d", {x, w}, {{"pads", c.pads}});
            const Difference apart = compare(laid_out(result, c.out, "NCHW"), plain);
            REQUIRE(apart.same_type);
            // Sums of 72 products at most, each about 2^-24 off, and that 10 times over for tiles of 4.
            REQUIRE(apart.max_rel < (tile == 2 ? 2e-6 : 1e-5));
        }
}

TEST_CASE("a convolution of f16 in tiles of 2 is the convolution, to some of its digits", "[ops][winograd]") {
    const WinogradCase c{{1, 8, 7, 6}, 6, {1, 1, 1, 1}, "NCHW4c", "NCHW3c"};
    const auto narrow = [](const NDArray& array) { return call("cast", {array}, {{"dtype", DType::F16}}); };
    const NDArray x = drawn(c.x, 1), w = drawn({c.filters, c.x[1], 3, 3}, 2);
    const NDArray plain = call("conv2d", {x, w}, {{"pads", c.pads}});
    const NDArray filters = narrow(winograd_weights(w, 2, 3)), image = narrow(laid_out(x, "NCHW", c.data));
    for (const std::int64_t stretch : {0, 1, 4, 8})
        for (const DType given : {DType::F16, DType::F32}) {
            INFO("stretches of " << stretch << ", given in " << orrery::to_string(given));
            const NDArray result = call(
                "winograd_conv2d", {image, filters},
                winograd_attrs(c, 2).with("out_dtype", given).with("stretch", stretch).with("rows", std::int64_t{3}));
            REQUIRE(result.dtype() == given);
            const NDArray wide = call("cast", {laid_out(result, c.out, "NCHW")}, {{"dtype", DType::F32}});
            CHECK(compare(wide, plain).max_rel < 4.0 / 1024);
        }
    // Larger tiles lose too much, and so do types with fewer digits.
    CHECK(refusal("winograd_conv2d", {image, narrow(winograd_weights(w, 4, 3))}, winograd_attrs(c, 4)) ==
          Code::BadAttribute);
    const auto brain = [](const NDArray& array) { return call("cast", {array}, {{"dtype", DType::BF16}}); };
    CHECK(refusal("winograd_conv2d", {brain(image), brain(filters)}, winograd_attrs(c, 2)) == Code::BadAttribute);
}

TEST_CASE("filters and layouts that do not fit are refused", "[ops][winograd]") {
    const WinogradCase c{{1, 4, 8, 8}, 4, {1, 1, 1, 1}, "NCHW4c", "NCHW4c"};
    const NDArray x = laid_out(drawn(c.x, 1), "NCHW", "NCHW4c"), w = winograd_weights(drawn({4, 4, 3, 3}, 2), 4, 4);
    const Attrs attrs = winograd_attrs(c, 4);
    CHECK(refusal("winograd_conv2d", {x, w}, attrs.with("tile", std::int64_t{3})) == Code::BadAttribute);
    CHECK(refusal("winograd_conv2d", {x, w}, attrs.with("tile", std::int64_t{2})) == Code::BadShape);
    for (const std::int64_t rows : {0, 1000})
        CHECK(refusal("winograd_conv2d", {x, w}, attrs.with("rows", rows)) == Code::BadAttribute);
    CHECK(refusal("winograd_conv2d", {x, w}, attrs.with("layout", std::string("NHWC4c"))) == Code::BadAttribute);
    CHECK(refusal("winograd_conv2d", {x, w}, attrs.with("out_layout", std::string("NCHW2c"))) == Code::BadShape);
    const NDArray other = winograd_weights(drawn({4, 8, 3, 3}, 2), 4, 4);
    CHECK(refusal("winograd_conv2d", {x, other}, attrs) == Code::BadShape);
    CHECK(refusal("winograd_conv2d", {x, drawn({6, 6, 4, 4}, 3)}, attrs) == Code::BadShape);
}
