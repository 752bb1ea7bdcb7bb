#include "core/ops/layout.hpp"
#include "tests/core/ops/calls.hpp"

#include <cmath>
#include <limits>

using namespace orrery;
using namespace orrery::ops::test;

TEST_CASE("matrix products, batched, transposed, of vectors", "[ops][matmul]") {
    const NDArray a = drawn({2, 1, 3, 4}, 1), b = drawn({5, 4, 2}, 2);
    require_near(call("matmul", {a, b}), generate({2, 5, 3, 2}, [&](const Shape& i) {
                     double sum = 0;
                     for (std::int64_t k = 0; k < 4; ++k) sum += at(a, {i[0], 0, i[2], k}) * at(b, {i[1], k, i[3]});
                     return sum;
                 }));
    const NDArray c = drawn({4, 3}, 3), d = drawn({2, 4}, 4);
    require_near(call("matmul", {c, d}, {{"transpose_a", true}, {"transpose_b", true}}),
                 generate({3, 2}, [&](const Shape& i) {
                     double sum = 0;
                     for (std::int64_t k = 0; k < 4; ++k) sum += at(c, {k, i[0]}) * at(d, {i[1], k});
                     return sum;
                 }));
    require_values(call("matmul", {f32({2}, {1, 2}), f32({2, 3}, {1, 2, 3, 4, 5, 6})}), {3}, {9, 12, 15});
    require_values(call("matmul", {f32({2, 2}, {1, 2, 3, 4}), f32({2}, {5, 6})}), {2}, {17, 39});
    require_values(call("matmul", {f32({2}, {1, 2}), f32({2}, {5, 6})}), {}, {17});
    require_values(call("matmul", {f32({2, 0}, {}), f32({0, 1}, {})}), {2, 1}, {0, 0}, 0);
    REQUIRE(refusal("matmul", {c, c}) == Code::BadShape);
    REQUIRE(refusal("matmul", {f32({}, {1}), c}) == Code::BadShape);
    REQUIRE(refusal("matmul", {drawn({2, 3, 4}, 1), drawn({3, 4, 2}, 1)}) == Code::BadShape);
}

TEST_CASE("a product with a matrix in panels is the product", "[ops][matmul]") {
    const auto panels = [](const NDArray& matrix, std::int64_t panel) {
        return ops::transformed(matrix, ops::parse_layout("KN").value(),
                                ops::parse_layout("NK" + std::to_string(panel) + "n").value());
    };
    const NDArray w = drawn({5, 6}, 1);
    for (const Shape& shape : {Shape{7, 5}, Shape{1, 7, 5}, Shape{2, 3, 5}, Shape{2, 1, 3, 5}, Shape{2, 0, 5}})
        for (const std::int64_t rows : {1, 2, 7, 10}) {
            INFO(shape.size() << " dimensions, " << rows << " rows");
            const NDArray x = drawn(shape, 2);
            const NDArray plain = call("matmul", {x, w});
            const Attrs attrs{{"rows", rows}};
            require_near(call("layout_matmul", {x, panels(w, 3)}, attrs.with("panel", std::int64_t{3})), plain);
            require_near(call("layout_matmul", {x, w}, attrs), plain);
        }
    const NDArray a = drawn({2, 1, 3, 4}, 1), b = drawn({5, 4, 2}, 2);
    require_near(call("layout_matmul", {a, b}, {{"rows", std::int64_t{2}}}), call("matmul", {a, b}));

    // Rows of a panel by twos.
    const NDArray even = drawn({6, 6}, 3), left = drawn({7, 6}, 4);
    const NDArray pairs = ops::transformed(even, ops::parse_layout("KN").value(), ops::parse_layout("NK3n2k").value());
    const Attrs in_pairs{{"panel", std::int64_t{3}}, {"part", std::int64_t{2}}, {"rows", std::int64_t{4}}};
    require_near(call("layout_matmul", {left, pairs}, in_pairs), call("matmul", {left, even}));
    CHECK(refusal("layout_matmul", {left, pairs}, in_pairs.with("part", std::int64_t{3})) == Code::BadShape);
    CHECK(refusal("layout_matmul", {left, pairs}, in_pairs.with("part", std::int64_t{0})) == Code::BadAttribute);
    CHECK(refusal("layout_matmul", {left, even}, {{"part", std::int64_t{2}}}) == Code::BadAttribute);

    // A batch of matrices in panels; one of them for all.
    const NDArray batch = drawn({2, 3, 6, 6}, 5), many = drawn({2, 3, 7, 6}, 6);
    for (const auto& [right, panel, part, layout] :
         {std::tuple(batch, 3, 1, "ABNK3n"), std::tuple(batch, 3, 2, "ABNK3n2k"), std::tuple(batch, 2, 3, "ABNK2n3k"),
          std::tuple(drawn({3, 6, 6}, 7), 3, 2, "ANK3n2k")})
        for (const std::int64_t rows : {1, 4, 7}) {
            INFO(layout << ", " << rows << " rows");
            const std::string plain = right.shape().size() == 4 ? "ABKN" : "AKN";
            const NDArray packed =
                ops::transformed(right, ops::parse_layout(plain).value(), ops::parse_layout(layout).value());
            const Attrs attrs{{"panel", std::int64_t{panel}}, {"part", std::int64_t{part}}, {"rows", rows}};
            require_near(call("layout_matmul", {many, packed}, attrs), call("matmul", {many, right}));
        }
    const NDArray other =
        ops::transformed(drawn({4, 6, 6}, 7), ops::parse_layout("AKN").value(), ops::parse_layout("ANK3n").value());
    CHECK(refusal("layout_matmul", {many, other}, {{"panel", std::int64_t{3}}}) == Code::BadShape);

    const NDArray x = drawn({7, 5}, 2);
    const auto refused = [&](const NDArray& left, const NDArray& right, std::int64_t panel, std::int64_t rows) {
        return refusal("layout_matmul", {left, right}, {{"panel", panel}, {"rows", rows}});
    };
    CHECK(refused(x, w, 3, 1) == Code::BadShape);
    CHECK(refused(x, panels(w, 3), 2, 1) == Code::BadShape);
    CHECK(refused(x, panels(drawn({4, 6}, 1), 3), 3, 1) == Code::BadShape);
    CHECK(refused(drawn({5}, 1), w, 1, 1) == Code::BadShape);
    CHECK(refused(x, drawn({5}, 1), 1, 1) == Code::BadShape);
    CHECK(refused(x, w, 0, 1) == Code::BadAttribute);
    CHECK(refused(x, w, 1, 0) == Code::BadAttribute);
    CHECK(refused(x, w, 1, 1000) == Code::BadAttribute);
}

TEST_CASE("sums of narrow products are given as they are made where that is asked for", "[ops][matmul][conv]") {
    const auto narrow = [](const NDArray& array) { return call("cast", {array}, {{"dtype", DType::BF16}}); };
    const auto wide = [](const NDArray& array) { return call("cast", {array}, {{"dtype", DType::F32}}); };
    const NDArray a = narrow(drawn({3, 40}, 1)), b = narrow(drawn({40, 4}, 2));
    const Attrs in_f32{{"out_dtype", DType::F32}};
    const NDArray sums = call("matmul", {a, b}, in_f32);
    REQUIRE(sums.dtype() == DType::F32);
    require_near(sums, call("matmul", {wide(a), wide(b)}));
    // Without it they are rounded once.
    const NDArray rounded = call("matmul", {a, b});
    REQUIRE(rounded.dtype() == DType::BF16);
    CHECK(compare(rounded, narrow(sums)).max_abs == 0);
    CHECK(compare(wide(rounded), sums).max_abs > 0);
    const NDArray x = narrow(drawn({1, 4, 5, 5}, 3)), w = narrow(drawn({6, 4, 3, 3}, 4));
    require_near(call("conv2d", {x, w}, in_f32), call("conv2d", {wide(x), wide(w)}));
    CHECK(refusal("matmul", {a, b}, {{"out_dtype", DType::F64}}) == Code::BadAttribute);
    CHECK(refusal("matmul", {wide(a), wide(b)}, {{"out_dtype", DType::BF16}}) == Code::BadAttribute);
    CHECK(call("matmul", {wide(a), wide(b)}, in_f32).dtype() == DType::F32);
}

TEST_CASE("products of f16 are added up in f16 over stretches, and those sums in f32", "[ops][matmul][conv]") {
    const auto narrow = [](const NDArray& array) { return call("cast", {array}, {{"dtype", DType::F16}}); };
    const auto ones = [&](Shape shape, float value) {
        return narrow(generate(std::move(shape), [&](const Shape&) { return value; }));
    };
    // In f16 a sum of 1/1024 stays at 2, where that is half of the last place.
    const std::int64_t depth = 6000;
    const NDArray a = ones({1, depth}, 0.03125F), b = ones({depth, 1}, 0.03125F);
    const auto sum = [&](std::int64_t stretch) {
        return call("layout_matmul", {a, b}, {{"out_dtype", DType::F32}, {"stretch", stretch}}).as_double(0);
    };
    CHECK(sum(0) == 6000.0 / 1024);
    CHECK(sum(1000) == 6000.0 / 1024); // of 1000 each, all exact
    CHECK(sum(65536) == 2);            // all of it
    CHECK(sum(4100) == 2 * 2);         // stretches are equal
    // Stretches go through the loops of a convolution from the last one on, and divide them.
    const NDArray x = narrow(drawn({1, 8, 5, 5}, 3)), w = narrow(drawn({6, 8, 3, 3}, 4));
    const NDArray plain = call("conv2d", {x, w}, {{"out_dtype", DType::F32}});
    const NDArray packed = call("layout_transform", {x}, {{"from", "NCHW"}, {"to", "NCHW4c"}});
    for (const std::int64_t stretch : {1, 2, 3, 4, 5, 12, 30, 36, 71, 72, 100})
        for (const std::int64_t rows : {1, 4}) {
            INFO("stretches of " << stretch << ", " << rows << " rows");
            const Attrs attrs{{"out_dtype", DType::F32}, {"layout", "NCHW4c"},        {"out_layout", "NCHW"},
                              {"stretch", stretch},      {"weight_layout", "OIHW4i"}, {"rows", rows}};
            const NDArray filters = call("layout_transform", {w}, {{"from", "OIHW"}, {"to", "OIHW4i"}});
            CHECK(compare(call("layout_conv2d", {packed, filters}, attrs), plain).max_rel < 8.0 / 2048);
        }
    CHECK(refusal("layout_matmul", {a, b}, {{"stretch", std::int64_t{-1}}}) == Code::BadAttribute);
    CHECK(refusal("layout_matmul", {a, b}, {{"stretch", std::int64_t{65537}}}) == Code::BadAttribute);
    const NDArray f = drawn({3, 4}, 1), g = drawn({4, 2}, 2);
    CHECK(refusal("layout_matmul", {f, g}, {{"stretch", std::int64_t{4}}}) == Code::BadAttribute);
}

TEST_CASE("sums of bytes are made in i32 where that is asked for, of signed and unsigned ones", "[ops][matmul][conv]") {
    const auto bytes = [](DType dtype, const Shape& shape, int first) {
        return call(
            "cast",
            {generate(shape, [&, at = first](const Shape&) mutable { return at = (at * 37 + 11) % 251 - 120; })},
            {{"dtype", dtype}});
    };
    const auto wide = [](const NDArray& array) { return call("cast", {array}, {{"dtype", DType::I32}}); };
    const Attrs in_i32{{"out_dtype", DType::I32}};
    for (const DType left : {DType::I8, DType::U8})
        for (const DType right : {DType::I8, DType::U8}) {
            const NDArray a = bytes(left, {3, 40}, 1), b = bytes(right, {40, 4}, 2);
            const NDArray sums = call("matmul", {a, b}, in_i32);
            REQUIRE(sums.dtype() == DType::I32);
            CHECK(compare(sums, call("matmul", {wide(a), wide(b)})).max_abs == 0);
            // What lies outside counts as the border.
            const NDArray x = bytes(left, {1, 4, 5, 5}, 3), w = bytes(right, {6, 4, 3, 3}, 4);
            const Attrs border{{"border", std::int64_t{5}}, {"pads", Ints{1, 1, 1, 1}}};
            const NDArray around =
                call("pad", {wide(x), wide(f32({}, {5}))}, {{"before", Ints{0, 0, 1, 1}}, {"after", Ints{0, 0, 1, 1}}});
            CHECK(
                compare(call("conv2d", {x, w}, border.with("out_dtype", DType::I32)), call("conv2d", {around, wide(w)}))
                    .max_abs == 0);
        }
    const NDArray a = bytes(DType::U8, {3, 4}, 1), b = bytes(DType::I8, {4, 4}, 2);
    CHECK(refusal("matmul", {a, b}) == Code::BadType);
    CHECK(refusal("matmul", {b, b}, {{"out_dtype", DType::F32}}) == Code::BadAttribute);
    const NDArray x = bytes(DType::U8, {1, 1, 4, 4}, 1);
    CHECK(refusal("conv2d", {x, x}, {{"border", std::int64_t{-1}}}) == Code::BadAttribute);
    CHECK(refusal("conv2d", {drawn({1, 1, 4, 4}, 1), drawn({1, 1, 4, 4}, 1)}, {{"border", std::int64_t{1}}}) ==
          Code::BadAttribute);
}

TEST_CASE("einsum", "[ops][einsum]") {
    const NDArray a = drawn({2, 3, 4}, 1), b = drawn({2, 4, 5}, 2);
    const auto einsum = [](const char* equation, const Arrays& args) {
        return call("einsum", args, {{"equation", std::string(equation)}});
    };
    require_near(einsum("bij, bjk -> bik", {a, b}), call("matmul", {a, b}));
    require_near(einsum("...ij,...jk", {a, b}), call("matmul", {a, b}));
    require_near(einsum("bij->jb", {a}), generate({4, 2}, [&](const Shape& i) {
                     return at(a, {i[1], 0, i[0]}) + at(a, {i[1], 1, i[0]}) + at(a, {i[1], 2, i[0]});
                 }));
    require_values(einsum("ii", {f32({2, 2}, {1, 2, 3, 4})}), {}, {5});
    require_values(einsum("i,j->ij", {f32({2}, {1, 2}), f32({2}, {3, 4})}), {2, 2}, {3, 4, 6, 8});
    require_values(einsum("...i->...", {f32({2, 2}, {1, 2, 3, 4})}), {2}, {3, 7});
    const auto refused = [&](const char* equation) {
        return refusal("einsum", {a, b}, {{"equation", std::string(equation)}});
    };
    REQUIRE(refused("bij->b") == Code::BadAttribute);
    REQUIRE(refused("bij,bjk->bx") == Code::BadAttribute);
    REQUIRE(refused("bij,bjk->bb") == Code::BadAttribute);
    REQUIRE(refused("b?j,bjk->b") == Code::BadShape);
    REQUIRE(refused("bijk,bjk->b") == Code::BadShape);
    REQUIRE(refused("bij,bik->b") == Code::BadShape);
}

TEST_CASE("reductions over axes", "[ops][reduce]") {
    const NDArray x = drawn({2, 3, 4}, 7);
    const auto over = [&](const std::function<double(const std::vector<double>&)>& f) {
        return generate({2, 1, 4}, [&](const Shape& i) {
            return f({at(x, {i[0], 0, i[2]}), at(x, {i[0], 1, i[2]}), at(x, {i[0], 2, i[2]})});
        });
    };
    const auto sum_of = [](const std::vector<double>& v, const std::function<double(double)>& f) {
        return f(v[0]) + f(v[1]) + f(v[2]);
    };
    const Attrs middle{{"axes", Ints{-2}}};
    const auto self = [](double v) { return v; };
    const auto square = [](double v) { return v * v; };
    require_near(call("reduce_sum", {x}, middle), over([&](const auto& v) { return sum_of(v, self); }));
    require_near(call("reduce_mean", {x}, middle), over([&](const auto& v) { return sum_of(v, self) / 3; }));
    require_near(call("reduce_prod", {x}, middle), over([](const auto& v) { return v[0] * v[1] * v[2]; }));
    require_near(call("reduce_max", {x}, middle), over([](const auto& v) { return std::max({v[0], v[1], v[2]}); }), 0);
    require_near(call("reduce_min", {x}, middle), over([](const auto& v) { return std::min({v[0], v[1], v[2]}); }), 0);
    require_near(call("reduce_l1", {x}, middle),
                 over([&](const auto& v) { return sum_of(v, [](double e) { return std::fabs(e); }); }));
    require_near(call("reduce_l2", {x}, middle), over([&](const auto& v) { return std::sqrt(sum_of(v, square)); }));
    require_near(call("reduce_sum_square", {x}, middle), over([&](const auto& v) { return sum_of(v, square); }));
    require_near(call("reduce_log_sum_exp", {x}, middle),
                 over([&](const auto& v) { return std::log(sum_of(v, [](double e) { return std::exp(e); })); }));
    const NDArray positive = call("abs", {x});
    require_near(call("reduce_log_sum", {positive}, middle), generate({2, 1, 4}, [&](const Shape& i) {
                     return std::log(at(positive, {i[0], 0, i[2]}) + at(positive, {i[0], 1, i[2]}) +
                                     at(positive, {i[0], 2, i[2]}));
                 }));
    REQUIRE(call("reduce_sum", {x}, {{"axes", Ints{0, 2}}, {"keepdims", false}}).shape() == Shape{3});
    require_near(call("reduce_sum", {x}, {{"axes", Ints{}}}), x, 0);
    // e^1000 overflows; its logarithm does not.
    require_values(call("reduce_log_sum_exp", {f32({2}, {1000, 1000})}, {{"axes", Ints{0}}}), {1},
                   {1000 + std::log(2.0)});
    // Of nothing.
    require_values(call("reduce_sum", {f32({2, 0}, {})}, {{"axes", Ints{1}}}), {2, 1}, {0, 0}, 0);
    require_values(call("reduce_mean", {array(DType::I32, {2}, {3, 4})}, {{"axes", Ints{0}}}), {1}, {3}, 0);
    REQUIRE(refusal("reduce_sum", {x}, {{"axes", Ints{3}}}) == Code::BadAttribute);
    REQUIRE(refusal("reduce_sum", {x}, {{"axes", Ints{1, -2}}}) == Code::BadAttribute);
    REQUIRE(refusal("reduce_sum", {x}) == Code::BadAttribute);
    require_values(call("reduce_all", {array(DType::Bool, {2, 2}, {1, 1, 1, 0})}, {{"axes", Ints{1}}}), {2, 1}, {1, 0},
                   0);
    require_values(call("reduce_any", {array(DType::Bool, {2, 2}, {0, 0, 1, 0})}, {{"axes", Ints{1}}}), {2, 1}, {0, 1},
                   0);
}

TEST_CASE("indices of extrema", "[ops][reduce]") {
    const NDArray x = f32({2, 4}, {1, 3, 3, 2, 5, 4, 4, 5});
    const Attrs rows{{"axis", std::int64_t{1}}, {"keepdims", false}};
    require_values(call("argmax", {x}, rows), {2}, {1, 0}, 0);
    require_values(call("argmax", {x}, rows.with("last", true)), {2}, {2, 3}, 0);
    require_values(call("argmin", {x}, rows), {2}, {0, 1}, 0);
    require_values(call("argmin", {x}, rows.with("last", true)), {2}, {0, 2}, 0);
    REQUIRE(call("argmax", {x}).shape() == Shape{1, 4});
    REQUIRE(refusal("argmax", {x}, {{"axis", std::int64_t{2}}}) == Code::BadAttribute);
    REQUIRE(refusal("argmax", {f32({0}, {})}) == Code::BadShape);
}

TEST_CASE("softmax and its relatives", "[ops][softmax]") {
    const NDArray x = drawn({2, 3, 4}, 3);
    for (std::int64_t axis : {0, 1, 2, -1}) {
        const auto d = static_cast<std::size_t>(axis < 0 ? axis + 3 : axis);
        const auto total = [&](Shape i) {
            double sum = 0;
            for (i[d] = 0; i[d] < x.shape()[d]; ++i[d]) sum += std::exp(at(x, i));
            return sum;
        };
        require_near(call("softmax", {x}, {{"axis", axis}}),
                     generate(x.shape(), [&](const Shape& i) { return std::exp(at(x, i)) / total(i); }));
        require_near(call("log_softmax", {x}, {{"axis", axis}}),
                     generate(x.shape(), [&](const Shape& i) { return at(x, i) - std::log(total(i)); }));
    }
    require_values(call("softmax", {f32({3}, {1e4, 1e4, -1e4})}), {3}, {0.5, 0.5, 0});
    require_values(call("hardmax", {f32({2, 3}, {1, 3, 3, 2, 1, 0})}), {2, 3}, {0, 1, 0, 1, 0, 0}, 0);
    REQUIRE(refusal("softmax", {x}, {{"axis", std::int64_t{3}}}) == Code::BadAttribute);
    REQUIRE(refusal("softmax", {counted({2}, DType::I32)}) == Code::BadType);
}
