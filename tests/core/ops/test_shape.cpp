#include "tests/core/ops/calls.hpp"

using namespace orrery;
using namespace orrery::ops::test;

TEST_CASE("reshape keeps row-major order", "[ops][shape]") {
    const NDArray x = counted({2, 3, 4});
    for (const Ints& shape : std::initializer_list<Ints>{
             {24}, {2, 12}, {6, 4}, {4, 6}, {1, 2, 1, 3, 2, 2}, {3, 2, 4}, {8, 3}, {2, -1, 2}}) {
        const NDArray y = call("reshape", {x}, {{"shape", shape}});
        REQUIRE(values(y) == values(x));
    }
    REQUIRE(call("reshape", {x}, {{"shape", Ints{2, -1, 2}}}).shape() == Shape{2, 6, 2});
    REQUIRE(call("reshape", {f32({}, {5})}, {{"shape", Ints{1, 1}}}).shape() == Shape{1, 1});
    REQUIRE(call("reshape", {f32({0, 3}, {})}, {{"shape", Ints{3, 0}}}).shape() == Shape{3, 0});
    REQUIRE(refusal("reshape", {x}, {{"shape", Ints{5, 5}}}) == Code::BadShape);
    REQUIRE(refusal("reshape", {x}, {{"shape", Ints{5, -1}}}) == Code::BadShape);
    REQUIRE(refusal("reshape", {x}, {{"shape", Ints{-1, -1}}}) == Code::BadAttribute);
    REQUIRE(refusal("reshape", {x}, {{"shape", Ints{std::int64_t{1} << 62, 8}}}) == Code::BadShape);
}

TEST_CASE("transpose, broadcast, concat, tile, trilu", "[ops][shape]") {
    const NDArray x = counted({2, 3, 4});
    require_near(call("transpose", {x}, {{"perm", Ints{2, 0, 1}}}),
                 generate({4, 2, 3},
                          [&](const Shape& i) {
                              return at(x, {i[1], i[2], i[0]});
                          }),
                 0);
    REQUIRE(refusal("transpose", {x}, {{"perm", Ints{0, 1, 1}}}) == Code::BadAttribute);
    REQUIRE(refusal("transpose", {x}, {{"perm", Ints{0, 1}}}) == Code::BadAttribute);

    const NDArray column = f32({2, 1}, {7, 8});
    require_values(call("broadcast_to", {column}, {{"shape", Ints{2, 2, 3}}}), {2, 2, 3},
                   {7, 7, 7, 8, 8, 8, 7, 7, 7, 8, 8, 8}, 0);
    REQUIRE(refusal("broadcast_to", {column}, {{"shape", Ints{3, 3}}}) == Code::BadShape);

    const NDArray a = f32({1, 2}, {1, 2}), b = f32({3, 2}, {3, 4, 5, 6, 7, 8}), none = f32({0, 2}, {});
    require_values(call("concat", {a, none, b, a}, {{"axis", std::int64_t{0}}}), {5, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 1, 2},
                   0);
    require_values(call("concat", {a, a}, {{"axis", std::int64_t{-1}}}), {1, 4}, {1, 2, 1, 2}, 0);
    REQUIRE(refusal("concat", {a, b}, {{"axis", std::int64_t{1}}}) == Code::BadShape);
    REQUIRE(refusal("concat", {a, i64({1, 2}, {1, 2})}, {{"axis", std::int64_t{0}}}) == Code::BadType);

    require_values(call("tile", {a}, {{"repeats", Ints{2, 2}}}), {2, 4}, {1, 2, 1, 2, 1, 2, 1, 2}, 0);
    REQUIRE(call("tile", {a}, {{"repeats", Ints{0, 1}}}).shape() == Shape{0, 2});
    REQUIRE(refusal("tile", {a}, {{"repeats", Ints{-1, 1}}}) == Code::BadAttribute);
    REQUIRE(refusal("tile", {a}, {{"repeats", Ints{std::int64_t{1} << 40, 1 << 20}}}) == Code::LimitExceeded);

    const NDArray square = counted({3, 3});
    require_values(call("trilu", {square}), {3, 3}, {0, 1, 2, 0, 4, 5, 0, 0, 8}, 0);
    require_values(call("trilu", {square}, {{"upper", false}, {"k", std::int64_t{-1}}}), {3, 3},
                   {0, 0, 0, 3, 0, 0, 6, 7, 0}, 0);
    REQUIRE(refusal("trilu", {f32({2}, {1, 2})}) == Code::BadShape);
}

TEST_CASE("slices go forward, back, and nowhere beyond", "[ops][shape]") {
    const NDArray x = counted({4, 5});
    const auto slice = [&](const Ints& begins, const Ints& sizes, const Ints& steps) {
        return call("slice", {x}, {{"begins", begins}, {"sizes", sizes}, {"steps", steps}});
    };
    require_values(slice({1, 0}, {2, 3}, {1, 2}), {2, 3}, {5, 7, 9, 10, 12, 14}, 0);
    require_values(slice({3, 4}, {2, 2}, {-3, -1}), {2, 2}, {19, 18, 4, 3}, 0);
    REQUIRE(slice({9, 0}, {0, 5}, {1, 1}).shape() == Shape{0, 5});
    const auto refused = [&](const Ints& begins, const Ints& sizes, const Ints& steps) {
        return refusal("slice", {x}, {{"begins", begins}, {"sizes", sizes}, {"steps", steps}});
    };
    REQUIRE(refused({1, 0}, {4, 5}, {1, 1}) == Code::BadShape);
    REQUIRE(refused({0, 0}, {2, 1}, {-1, 1}) == Code::BadShape);
    REQUIRE(refused({0, -1}, {1, 1}, {1, 1}) == Code::BadShape);
    REQUIRE(refused({0, 0}, {1, 1}, {0, 1}) == Code::BadAttribute);
    REQUIRE(refused({0, 0}, {1, 1}, {1}) == Code::BadAttribute);
    REQUIRE(refused({0, 0}, {4, 2}, {std::int64_t{1} << 43, 1}) == Code::BadShape);
}

TEST_CASE("padding in four modes, and negative", "[ops][shape]") {
    const NDArray x = f32({1, 4}, {1, 2, 3, 4});
    const auto pad = [&](const std::string& mode, const Ints& before, const Ints& after) {
        return call("pad", {x}, {{"before", before}, {"after", after}, {"mode", mode}});
    };
    require_values(pad("constant", {0, 2}, {1, 1}), {2, 7}, {0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0}, 0);
    require_values(pad("reflect", {0, 3}, {0, 2}), {1, 9}, {4, 3, 2, 1, 2, 3, 4, 3, 2}, 0);
    require_values(pad("edge", {1, 2}, {0, 1}), {2, 7}, {1, 1, 1, 2, 3, 4, 4, 1, 1, 1, 2, 3, 4, 4}, 0);
    require_values(pad("wrap", {0, 5}, {0, 1}), {1, 10}, {4, 1, 2, 3, 4, 1, 2, 3, 4, 1}, 0);
    require_values(pad("constant", {0, -1}, {0, -1}), {1, 2}, {2, 3}, 0);
    require_values(pad("constant", {0, -1}, {0, 2}), {1, 5}, {2, 3, 4, 0, 0}, 0);
    require_values(call("pad", {x, f32({}, {9})}, {{"after", Ints{0, 1}}}), {1, 5}, {1, 2, 3, 4, 9}, 0);
    REQUIRE(refusal("pad", {x}, {{"before", Ints{0, -5}}}) == Code::BadShape);
    REQUIRE(refusal("pad", {x}, {{"mode", std::string("mirror")}}) == Code::BadAttribute);
    REQUIRE(refusal("pad", {x}, {{"before", Ints{1}}}) == Code::BadAttribute);
    REQUIRE(refusal("pad", {x, f32({2}, {1, 2})}) == Code::BadShape);
    REQUIRE(refusal("pad", {f32({0}, {})}, {{"before", Ints{1}}, {"mode", std::string("edge")}}) == Code::BadShape);
}

TEST_CASE("indices pick; those outside are moved inside", "[ops][gather]") {
    const NDArray x = counted({3, 4});
    require_values(call("gather", {x, i64({2}, {2, -3})}), {2, 4}, {8, 9, 10, 11, 0, 1, 2, 3}, 0);
    require_values(call("gather", {x, i64({2, 1}, {99, -99})}, {{"axis", std::int64_t{1}}}), {3, 2, 1},
                   {3, 0, 7, 4, 11, 8}, 0);
    REQUIRE(refusal("gather", {x, f32({1}, {0})}) == Code::BadType);
    REQUIRE(refusal("gather", {f32({0}, {}), i64({1}, {0})}) == Code::BadShape);
    REQUIRE(refusal("gather", {x, i64({1}, {0})}, {{"axis", std::int64_t{2}}}) == Code::BadAttribute);

    require_values(call("gather_elements", {x, i64({2, 2}, {0, -1, 3, 2})}, {{"axis", std::int64_t{1}}}), {2, 2},
                   {0, 3, 7, 6}, 0);
    REQUIRE(refusal("gather_elements", {x, i64({4, 1}, {0, 0, 0, 0})}, {{"axis", std::int64_t{1}}}) == Code::BadShape);
    REQUIRE(refusal("gather_elements", {x, i64({1}, {0})}) == Code::BadShape);

    require_values(call("gather_nd", {x, i64({2, 2}, {0, 1, -1, -1})}), {2}, {1, 11}, 0);
    require_values(call("gather_nd", {x, i64({1, 1}, {1})}), {1, 4}, {4, 5, 6, 7}, 0);
    require_values(call("gather_nd", {counted({2, 2, 2}), i64({2, 1}, {1, 0})}, {{"batch_dims", std::int64_t{1}}}),
                   {2, 2}, {2, 3, 4, 5}, 0);
    REQUIRE(refusal("gather_nd", {x, i64({1, 3}, {0, 0, 0})}) == Code::BadShape);
    REQUIRE(refusal("gather_nd", {x, i64({1, 1}, {0})}, {{"batch_dims", std::int64_t{2}}}) == Code::BadAttribute);

    const NDArray off_on = f32({2}, {2, 5});
    require_values(call("one_hot", {i64({3}, {1, -1, 7}), off_on}, {{"depth", std::int64_t{3}}}), {3, 3},
                   {2, 5, 2, 2, 2, 5, 2, 2, 2}, 0);
    require_values(call("one_hot", {i64({2}, {1, 0}), off_on}, {{"depth", std::int64_t{2}}, {"axis", std::int64_t{0}}}),
                   {2, 2}, {2, 5, 5, 2}, 0);
    REQUIRE(refusal("one_hot", {i64({1}, {0}), f32({3}, {1, 2, 3})}, {{"depth", std::int64_t{3}}}) == Code::BadShape);
    REQUIRE(refusal("one_hot", {i64({1}, {0}), off_on}, {{"depth", std::int64_t{-1}}}) == Code::BadAttribute);

    require_values(call("reverse_sequence", {counted({3, 2}), i64({2}, {2, 3})}), {3, 2}, {2, 5, 0, 3, 4, 1}, 0);
    REQUIRE(refusal("reverse_sequence", {counted({3, 2}), i64({3}, {1, 1, 1})}) == Code::BadShape);
}

TEST_CASE("depth to space and back", "[ops][gather]") {
    const NDArray x = counted({1, 8, 2, 3});
    for (const bool column_row : {false, true}) {
        const NDArray y = call("depth_to_space", {x}, {{"block", std::int64_t{2}}, {"column_row", column_row}});
        require_near(
            y,
            generate({1, 2, 4, 6},
                     [&](const Shape& i) {
                         const std::int64_t block = i[2] % 2 * 2 + i[3] % 2;
                         return at(x, {0, column_row ? i[1] * 4 + block : block * 2 + i[1], i[2] / 2, i[3] / 2});
                     }),
            0);
        if (!column_row) require_near(call("space_to_depth", {y}, {{"block", std::int64_t{2}}}), x, 0);
    }
    REQUIRE(refusal("depth_to_space", {x}, {{"block", std::int64_t{3}}}) == Code::BadShape);
    REQUIRE(refusal("space_to_depth", {x}, {{"block", std::int64_t{0}}}) == Code::BadAttribute);
}

TEST_CASE("scattering updates a copy in order", "[ops][scatter]") {
    const NDArray x = counted({3, 3});
    const Attrs rows{{"axis", std::int64_t{0}}};
    require_values(call("scatter_elements", {x, i64({2, 2}, {0, -1, 0, 1}), f32({2, 2}, {10, 20, 30, 40})}, rows),
                   {3, 3}, {30, 1, 2, 3, 40, 5, 6, 20, 8}, 0);
    require_values(call("scatter_elements", {x, i64({2, 1}, {0, 0}), f32({2, 1}, {10, 30})},
                        rows.with("reduction", std::string("add"))),
                   {3, 3}, {40, 1, 2, 3, 4, 5, 6, 7, 8}, 0);
    require_values(call("scatter_nd", {x, i64({2, 1}, {2, 0}), f32({2, 3}, {1, 2, 3, 4, 5, 6})}), {3, 3},
                   {4, 5, 6, 3, 4, 5, 1, 2, 3}, 0);
    require_values(
        call("scatter_nd", {x, i64({2, 2}, {1, 1, 1, 1}), f32({2}, {2, 5})}, {{"reduction", std::string("mul")}}),
        {3, 3}, {0, 1, 2, 3, 40, 5, 6, 7, 8}, 0);
    REQUIRE(refusal("scatter_elements", {x, i64({1, 2}, {0, 0}), f32({1, 1}, {1})}, rows) == Code::BadShape);
    REQUIRE(refusal("scatter_elements", {x, i64({1, 4}, {0, 0, 0, 0}), f32({1, 4}, {1, 1, 1, 1})}, rows) ==
            Code::BadShape);
    REQUIRE(refusal("scatter_nd", {x, i64({1, 1}, {0}), f32({1, 2}, {1, 2})}) == Code::BadShape);
    REQUIRE(refusal("scatter_nd", {x, i64({1, 1}, {0}), f32({1, 3}, {1, 2, 3})}, {{"reduction", std::string("avg")}}) ==
            Code::BadAttribute);
}

TEST_CASE("running sums, the greatest few, determinants", "[ops][scan]") {
    const NDArray x = f32({2, 3}, {1, 2, 3, 4, 5, 6});
    const Attrs columns{{"axis", std::int64_t{1}}};
    require_values(call("cumsum", {x}, columns), {2, 3}, {1, 3, 6, 4, 9, 15}, 0);
    require_values(call("cumsum", {x}, columns.with("exclusive", true)), {2, 3}, {0, 1, 3, 0, 4, 9}, 0);
    require_values(call("cumsum", {x}, columns.with("reverse", true)), {2, 3}, {6, 5, 3, 15, 11, 6}, 0);
    require_values(call("cumsum", {x}, columns.with("reverse", true).with("exclusive", true)), {2, 3},
                   {5, 3, 0, 11, 6, 0}, 0);
    REQUIRE(call("cumsum", {f32({2, 0}, {})}, columns).shape() == Shape{2, 0});

    const NDArray y = f32({2, 4}, {3, 1, 3, 2, 0, 5, -1, 5});
    const Arrays top = call_all("top_k", {y}, {{"k", std::int64_t{3}}});
    require_values(top[0], {2, 3}, {3, 3, 2, 5, 5, 0}, 0);
    require_values(top[1], {2, 3}, {0, 2, 3, 1, 3, 0}, 0);
    const Arrays least =
        call_all("top_k", {y}, {{"k", std::int64_t{1}}, {"axis", std::int64_t{0}}, {"largest", false}});
    require_values(least[0], {1, 4}, {0, 1, -1, 2}, 0);
    require_values(least[1], {1, 4}, {1, 0, 1, 0}, 0);
    REQUIRE(call_all("top_k", {y}, {{"k", std::int64_t{0}}})[0].shape() == Shape{2, 0});
    REQUIRE(refusal("top_k", {y}, {{"k", std::int64_t{5}}}) == Code::BadAttribute);

    require_values(call("det", {f32({2, 2, 2}, {1, 2, 3, 4, 0, 2, 3, 0})}), {2}, {-2, -6});
    require_values(call("det", {f32({3, 3}, {2, 0, 1, 1, 3, 2, 1, 1, 2})}), {}, {6}); // 2 (6 - 2) - 0 + (1 - 3)
    require_values(call("det", {f32({2, 2}, {0, 0, 0, 3})}), {}, {0});
    REQUIRE(refusal("det", {x}) == Code::BadShape);
}
