#include "core/ops/layout.hpp"
#include "core/ops/permute.hpp"
#include "core/ops/rows.hpp"
#include "tests/core/ops/calls.hpp"

#include <cstring>

using namespace orrery;
using namespace orrery::ops;
using namespace orrery::ops::test;

TEST_CASE("layouts read and print", "[ops][layout]") {
    for (const char* text : {"NCHW", "NHWC", "NCHW16c", "OIHW4i8o", "N"}) CHECK(to_string(*parse_layout(text)) == text);
    const Layout layout = *parse_layout("NCHW8c");
    CHECK(layout.outer('C') == 1);
    CHECK(layout.inner('C') == std::optional<std::size_t>(4));
    CHECK_FALSE(layout.inner('H'));
    CHECK(layout.block('C') == 8);
    CHECK(layout.extent('C', {1, 3, 5, 5, 8}) == 24);
    for (const char* text : {"", "NN", "NC8", "8c", "C8c4c", "N0n", "C99999999c", "C8C", "n", "N-C", "C8h"})
        CHECK(parse_layout(text).error().code == Code::BadAttribute);
}

TEST_CASE("elements move where layouts say", "[ops][layout]") {
    // Channel 5 of 6, in blocks of 2, is block 2, place 1.
    const NDArray x = counted({1, 6, 2, 2});
    const NDArray y = call("layout_transform", {x}, {{"from", "NCHW"}, {"to", "NCHW2c"}});
    REQUIRE(y.shape() == Shape{1, 3, 2, 2, 2});
    REQUIRE(test::at(y, {0, 2, 1, 0, 1}) == test::at(x, {0, 5, 1, 0}));
    for (const char* to : {"NCHW2c", "NCHW3c", "NHWC", "CHWN", "NHWC6c"}) {
        const NDArray there = call("layout_transform", {x}, {{"from", "NCHW"}, {"to", to}});
        require_values(call("layout_transform", {there}, {{"from", to}, {"to", "NCHW"}}), x.shape(), values(x));
        // At compile time as at run time.
        require_values(transformed(x, *parse_layout("NCHW"), *parse_layout(to)), there.shape(), values(there));
        require_values(transformed(there, *parse_layout(to), *parse_layout("NCHW2c")), y.shape(), values(y));
        require_values(call("layout_transform", {there}, {{"from", to}, {"to", "NCHW2c"}}), y.shape(), values(y));
    }
    CHECK(refusal("layout_transform", {x}, {{"from", "NCHW"}, {"to", "NCHW4c"}}) == Code::BadShape);
    CHECK(refusal("layout_transform", {x}, {{"from", "NCH"}, {"to", "NCH"}}) == Code::BadShape);
    CHECK(refusal("layout_transform", {x}, {{"from", "NCHW"}, {"to", "NCHD"}}) == Code::BadAttribute);
    CHECK(refusal("layout_transform", {x}, {{"from", "NCHW"}, {"to", "?"}}) == Code::BadAttribute);
}

TEST_CASE("large arrays change their layout as small ones do, in rows and otherwise", "[ops][layout]") {
    // Lazy; several pieces; one element size each.
    struct Case {
        Shape shape;
        DType dtype;
        const char *from, *to;
    };
    const Case cases[] = {
        {{64, 48, 3, 3}, DType::F32, "OIHW", "OIHW16i16o"}, {{80, 96, 1, 1}, DType::F32, "OIHW", "OIHW8i16o"},
        {{64, 128, 1, 1}, DType::F32, "OIHW", "OIHW8i8o"},  {{66, 50, 5, 3}, DType::F32, "OIHW", "OIHW5i6o"},
        {{64, 3, 30, 30}, DType::F32, "OIHW", "OIHW16o"},   {{32, 32, 9, 9}, DType::F64, "OIHW", "HWIO8o"},
        {{2, 64, 40, 41}, DType::F16, "NCHW", "NHWC"},      {{1, 64, 40, 41}, DType::U8, "NCHW", "NCHW16c"},
        {{32, 8, 40, 41}, DType::I32, "NCHW", "CNHW4n"},    {{4, 6, 30, 30, 8}, DType::F32, "NCHW8c", "NCHW16c"},
        {{4, 6, 30, 30, 8}, DType::F32, "NCHW8c", "NCHW"},
    };
    for (const Case& c : cases) {
        const NDArray x = counted(c.shape, c.dtype);
        const NDArray y = transformed(x, *parse_layout(c.from), *parse_layout(c.to));
        const NDArray expected = call("layout_transform", {x}, {{"from", c.from}, {"to", c.to}});
        INFO(type_text(c.dtype, c.shape) << " " << c.from << " to " << c.to);
        REQUIRE(y.shape() == expected.shape());
        CHECK(std::memcmp(y.data(), expected.data(), expected.bytes()) == 0);
        // A few elements, without the others.
        const NDArray again = transformed(x, *parse_layout(c.from), *parse_layout(c.to));
        const auto width = static_cast<std::size_t>(byte_size(c.dtype));
        std::vector<char> few(20 * width);
        again.read(7, 20, few.data());
        CHECK(std::memcmp(few.data(), static_cast<const char*>(expected.data()) + 7 * width, few.size()) == 0);
        CHECK(transformed(y, *parse_layout(c.to), *parse_layout(c.to)).data() == y.data());
    }
}

TEST_CASE("what was turned before is laid out from where it came from", "[ops][layout]") {
    const NDArray large = drawn({512, 300}, 7);
    const ops::Layout from = ops::parse_layout("KN").value(), to = ops::parse_layout("NK16n").value();
    const NDArray turned = ops::permuted(large, Ints{1, 0});
    const NDArray laid = ops::transformed(turned, from, to);
    REQUIRE(laid.shape() == Shape{32, 300, 16});
    const auto* found = static_cast<const float*>(laid.data());
    const auto* source = static_cast<const float*>(large.data());
    for (std::int64_t n = 0; n < 512; ++n)
        for (std::int64_t k = 0; k < 300; ++k) REQUIRE(found[(n / 16 * 300 + k) * 16 + n % 16] == source[n * 300 + k]);
    CHECK(turned.loose_data() == nullptr); // nobody computed it
    // The same elements in another shape are no longer the turned array.
    const NDArray square = ops::permuted(drawn({400, 400}, 8), Ints{1, 0});
    const NDArray other = square.reshaped({200, 800});
    const NDArray plain = NDArray::copy_of(DType::F32, {200, 800}, other.data(), other.bytes());
    const NDArray a = ops::transformed(other, from, to), b = ops::transformed(plain, from, to);
    CHECK(std::memcmp(a.data(), b.data(), a.bytes()) == 0);
}

TEST_CASE("weights times one factor a row are the product, bit for bit", "[ops][layout]") {
    const NDArray w = drawn({70, 31, 3, 3}, 1), factors = drawn({70, 1, 1, 1}, 2),
                  expected = call("multiply", {w, factors});
    const std::optional<NDArray> product = row_product(w, factors);
    REQUIRE(product);
    std::vector<float> part(1000);
    product->read(250, 1000, part.data()); // from within a row on, over several
    CHECK(std::memcmp(part.data(), expected.values<float>().data() + 250, 4000) == 0);
    CHECK(std::memcmp(product->data(), expected.data(), expected.bytes()) == 0);
    // A product of a product, packed.
    const std::optional<NDArray> twice = row_product(*row_product(w, factors), factors);
    const NDArray packed = transformed(*twice, *parse_layout("OIHW"), *parse_layout("OIHW7o"));
    const NDArray plain =
        transformed(call("multiply", {expected, factors}), *parse_layout("OIHW"), *parse_layout("OIHW7o"));
    CHECK(std::memcmp(packed.data(), plain.data(), plain.bytes()) == 0);

    CHECK_FALSE(row_product(w, drawn({31, 1, 1}, 2)));
    CHECK_FALSE(row_product(w, drawn({70, 31, 1, 1}, 2)));
    CHECK_FALSE(row_product(w, drawn({1, 1, 1, 1}, 2)));
    CHECK_FALSE(row_product(drawn({7, 3, 3, 3}, 1), drawn({7, 1, 1, 1}, 2))); // not worth it
    CHECK_FALSE(row_product(counted({70, 31, 3, 3}, DType::F64), counted({70, 1, 1, 1}, DType::F64)));
}

namespace {

struct Case {
    Shape x, weight;
    std::int64_t groups;
    const char *data, *out, *kernel;
};

NDArray moved(const NDArray& array, const char* from, const char* to) {
    return transformed(array, *parse_layout(from), *parse_layout(to));
}

} // namespace

TEST_CASE("a convolution in any layout is the convolution", "[ops][layout]") {
    const Case cases[] = {
        {{2, 4, 5, 6}, {6, 4, 3, 2}, 1, "NCHW2c", "NCHW3c", "OIHW2i3o"},
        {{2, 4, 5, 6}, {6, 4, 3, 2}, 1, "NCHW4c", "NCHW3c", "OHWI3o2i"},
        {{1, 3, 5, 6}, {4, 3, 3, 2}, 1, "NCHW", "NCHW4c", "OIHW4o"},
        {{1, 4, 5, 6}, {4, 4, 3, 2}, 1, "NHWC", "NHWC", "HWIO"},
        {{1, 4, 5, 6}, {4, 4, 3, 2}, 1, "NHWC", "NCHW4c", "OIHW"},
        {{1, 4, 5, 6}, {4, 1, 3, 2}, 4, "NCHW2c", "NCHW2c", "OIHW2o"},
        {{1, 4, 5, 6}, {4, 1, 3, 2}, 4, "NHWC", "NHWC", "HWIO"},
        {{1, 8, 5, 6}, {4, 4, 3, 2}, 2, "NCHW2c", "NCHW2c", "OIHW2i2o"},
        {{1, 8, 5, 6}, {4, 4, 3, 2}, 2, "NCHW", "NHWC", "OIHW"},
    };
    const Attrs window{{"strides", Ints{2, 1}}, {"pads", Ints{1, 0, 2, 1}}, {"dilations", Ints{1, 2}}};
    for (const Case& c : cases) {
        INFO(c.data << " " << c.out << " " << c.kernel << " " << c.groups);
        const NDArray x = drawn(c.x, 1), w = drawn(c.weight, 2);
        const Attrs plain = window.with("groups", c.groups);
        const Attrs laid = plain.with("layout", std::string(c.data))
                               .with("out_layout", std::string(c.out))
                               .with("weight_layout", std::string(c.kernel));
        const Arrays packed{moved(x, "NCHW", c.data), moved(w, "OIHW", c.kernel)};
        const NDArray expected = call("conv2d", {x, w}, plain);
        require_near(moved(call("layout_conv2d", packed, laid), c.out, "NCHW"), expected);
        // Places in groups, counted through the image: the last group is repeated in part.
        require_near(moved(call("layout_conv2d", packed, laid.with("rows", std::int64_t{4})), c.out, "NCHW"), expected);
    }
    const NDArray x = drawn({2, 4, 3, 5}, 3), w = drawn({6, 4, 1, 1}, 4);
    const NDArray single = call("conv2d", {x, w});
    for (const std::int64_t rows : {1, 4, 15}) {
        const Attrs attrs{
            {"layout", "NCHW2c"}, {"out_layout", "NCHW3c"}, {"weight_layout", "OIHW2i3o"}, {"rows", rows}};
        const Arrays packed{moved(x, "NCHW", "NCHW2c"), moved(w, "OIHW", "OIHW2i3o")};
        require_near(moved(call("layout_conv2d", packed, attrs), "NCHW3c", "NCHW"), single);
        const Attrs whole{{"layout", "NCHW"}, {"out_layout", "NCHW"}, {"weight_layout", "OIHW"}, {"rows", rows}};
        require_near(call("layout_conv2d", {x, w}, whole), single);
        CHECK(refusal("layout_conv2d", packed, attrs.with("rows", std::int64_t{0})) == Code::BadAttribute);
    }
    // Channels in parts of a block, as tiles of pairs take them; a kernel of one place.
    const Attrs pairs{
        {"layout", "NCHW4c"}, {"out_layout", "NCHW3c"}, {"weight_layout", "OHWI3o2i"}, {"rows", std::int64_t{4}}};
    require_near(moved(call("layout_conv2d", {moved(x, "NCHW", "NCHW4c"), moved(w, "OIHW", "OHWI3o2i")}, pairs),
                       "NCHW3c", "NCHW"),
                 single);
    const auto refused = [&](const char* data, const char* out, const char* kernel, std::int64_t groups) {
        const NDArray x = drawn({1, 4, 5, 6}, 1), w = drawn({4, 4 / groups, 3, 2}, 2);
        const Attrs attrs{{"groups", groups}, {"layout", data}, {"out_layout", out}, {"weight_layout", kernel}};
        return refusal("layout_conv2d", {moved(x, "NCHW", data), moved(w, "OIHW", kernel)}, attrs);
    };
    CHECK(refused("NCHW2c", "NCHW4c", "OIHW4i4o", 1) == Code::BadAttribute);
    CHECK(refused("NCHW2c", "NCHW2c", "OIHW4o", 1) == Code::BadAttribute);
    // Filters in parts of the result's blocks.
    const NDArray image = drawn({1, 4, 5, 6}, 1), filters = drawn({8, 4, 3, 2}, 2);
    const Attrs parts{{"layout", "NCHW4c"}, {"out_layout", "NCHW4c"}, {"weight_layout", "OHWI2o2i"}};
    require_near(
        moved(call("layout_conv2d", {moved(image, "NCHW", "NCHW4c"), moved(filters, "OIHW", "OHWI2o2i")}, parts),
              "NCHW4c", "NCHW"),
        call("conv2d", {image, filters}));
    CHECK(refused("NCWH", "NCHW", "OIHW", 1) == Code::BadAttribute);
    CHECK(refused("NCHW4c", "NCHW2c", "OIHW", 2) == Code::BadShape);
    CHECK(refused("NCHW4c", "NCHW2c", "OIHW", 4) == Code::BadShape);
}

TEST_CASE("a convolution reads in turn what lies as before a shuffle", "[ops][layout]") {
    struct Shuffled {
        std::int64_t channels, groups, parts;
        Shape kernel;
        const char *data, *out, *weight;
    };
    const Shuffled cases[] = {
        {24, 2, 4, {1, 1}, "NCHW6c", "NCHW2c", "O4iIHW2o"}, // parts divide a group, neighbours stay in a block
        {24, 2, 4, {1, 1}, "NCHW8c", "NCHW4c", "O4iIHW4o"}, // or in two
        {24, 2, 3, {3, 2}, "NCHW", "NHWC", "OIHW"},
        {24, 2, 8, {1, 1}, "NCHW3c", "NCHW6c", "OIHW4i6o"}, // parts that divide no group
        {24, 4, 4, {2, 1}, "NCHW24c", "NCHW3c", "O2iIHW3o"},
        {20, 4, 2, {1, 1}, "NHWC", "NCHW", "OIHW"},
        {12, 1, 3, {1, 1}, "NCHW4c", "NCHW4c", "O3iIHW4o"},
    };
    for (const Shuffled& c : cases) {
        INFO(c.channels << " " << c.groups << " " << c.parts << " " << c.data << " " << c.out << " " << c.weight);
        const NDArray x = drawn({2, c.channels, 3, 4}, 1),
                      w = drawn({24, c.channels / c.groups, c.kernel[0], c.kernel[1]}, 2);
        const NDArray apart =
            call("transpose", {x.reshaped({2, c.parts, c.channels / c.parts, 3, 4})}, {{"perm", Ints{0, 2, 1, 3, 4}}});
        const Attrs plain{{"groups", c.groups}, {"pads", Ints{1, 0, 0, 1}}};
        const NDArray expected = call("conv2d", {apart.reshaped(x.shape()), w}, plain);
        const Attrs laid = plain.with("layout", std::string(c.data))
                               .with("out_layout", std::string(c.out))
                               .with("weight_layout", std::string(c.weight))
                               .with("shuffle", c.parts);
        const Arrays packed{moved(x, "NCHW", c.data), moved(w, "OIHW", c.weight)};
        require_near(moved(call("layout_conv2d", packed, laid), c.out, "NCHW"), expected);
        require_near(moved(call("layout_conv2d", packed, laid.with("rows", std::int64_t{5})), c.out, "NCHW"), expected);
        CHECK(refusal("layout_conv2d", packed, laid.with("shuffle", std::int64_t{0})) == Code::BadAttribute);
        CHECK(refusal("layout_conv2d", packed, laid.with("shuffle", std::int64_t{7})) == Code::BadAttribute);
    }
    const Arrays depthwise{drawn({1, 4, 3, 3}, 1), drawn({4, 1, 1, 1}, 2)};
    const Attrs whole{{"layout", "NCHW"}, {"out_layout", "NCHW"}, {"weight_layout", "OIHW"}, {"groups", 4}};
    CHECK(refusal("layout_conv2d", depthwise, whole.with("shuffle", std::int64_t{2})) == Code::BadAttribute);
}

TEST_CASE("windows in any layout are those of the plain operator", "[ops][layout]") {
    const NDArray x = drawn({2, 4, 5, 6}, 3);
    for (const char* layout : {"NCHW2c", "NHWC", "CHWN"})
        for (const char* name : {"max_pool", "avg_pool"})
            // A border before and behind, one on all sides, windows with gaps, and none that is left.
            for (const Attrs& attrs :
                 {Attrs{{"kernel", Ints{2, 3}}, {"strides", Ints{2, 1}}, {"pads", Ints{1, 0, 0, 1}}, {"ceil", true}},
                  Attrs{{"kernel", Ints{3, 3}}, {"strides", Ints{1, 2}}, {"pads", Ints{1, 2, 2, 1}}},
                  Attrs{{"kernel", Ints{2, 2}}, {"dilations", Ints{3, 2}}, {"pads", Ints{1, 1, 1, 1}}},
                  Attrs{{"kernel", Ints{2, 3}}, {"strides", Ints{2, 3}}}}) {
                INFO(layout << " " << name << " " << attrs.ints("kernel").size());
                const NDArray result = call("layout_" + std::string(name), {moved(x, "NCHW", layout)},
                                            attrs.with("layout", std::string(layout)));
                require_near(moved(result, layout, "NCHW"), call(name, {x}, attrs));
            }
    for (const char* layout : {"NCHW2c", "NCHW4c", "NHWC", "CHWN"})
        for (const std::int64_t size : {1, 2, 3, 4, 7, 11}) {
            INFO(layout << " " << size);
            const Attrs attrs{{"size", size}, {"alpha", 0.5}, {"beta", 0.75}};
            const NDArray result =
                call("layout_lrn", {moved(x, "NCHW", layout)}, attrs.with("layout", std::string(layout)));
            require_near(moved(result, layout, "NCHW"), call("lrn", {x}, attrs));
        }
    CHECK(refusal("layout_lrn", {x}, {{"size", std::int64_t{0}}, {"layout", "NCHW"}}) == Code::BadAttribute);
    CHECK(refusal("layout_lrn", {x}, {{"size", std::int64_t{3}}, {"layout", "NCHW3c"}}) == Code::BadShape);
    CHECK(refusal("layout_max_pool", {x}, {{"kernel", Ints{2, 2}}, {"layout", "NCWH"}}) == Code::BadAttribute);
}

TEST_CASE("zeros behind what an array has along an axis", "[ops][layout]") {
    // Computed at once, and put off until somebody looks.
    for (const Shape& shape : {Shape{3, 5, 2}, Shape{200, 300, 2}})
        for (const std::size_t axis : {0, 1, 2}) {
            Shape longer = shape;
            longer[axis] += 3;
            INFO(type_text(DType::F32, shape) << " to " << type_text(DType::F32, longer));
            const NDArray array = drawn(shape, 5), out = with_zeros(array, axis, longer[axis]);
            REQUIRE(out.shape() == longer);
            CHECK((out.source() != nullptr) == (shape[0] == 200));
            float early = 1;
            out.read(out.size() - 1, 1, &early);
            CHECK(early == 0);
            std::int64_t wrong = 0;
            for (std::int64_t i = 0; i < out.size(); ++i) {
                const std::array at{i / (longer[1] * longer[2]), i / longer[2] % longer[1], i % longer[2]};
                const bool there = at[axis] < shape[axis];
                const double wanted = there ? array.as_double((at[0] * shape[1] + at[1]) * shape[2] + at[2]) : 0;
                wrong += out.as_double(i) == wanted ? 0 : 1;
            }
            CHECK(wrong == 0);
        }
}
