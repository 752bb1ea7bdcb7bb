#include "tests/views/layout/graphs.hpp"
#include "views/layout/layered.hpp"
#include "views/layout/wire.hpp"

#include <catch2/catch.hpp>

using namespace orrery::layout;

TEST_CASE("a chain becomes one straight column", "[views][layout]") {
    const Input input = chain(6);
    const Result result = layered(input);
    REQUIRE(fits(result, input));
    for (std::size_t i = 1; i < 6; ++i) {
        CHECK(result.centers[i].x == Approx(result.centers[0].x));
        CHECK(result.centers[i].y > result.centers[i - 1].y + 46);
    }
    CHECK(result.edge(0).size() == 4);
    CHECK(result.edge(0).front().y == Approx(result.centers[0].y + 23));
    CHECK(result.edge(0).back().y == Approx(result.centers[1].y - 23));
}

TEST_CASE("edges run downwards and boxes do not overlap", "[views][layout]") {
    const Input input = transformer(12);
    const Result result = layered(input);
    REQUIRE(fits(result, input));
    CHECK_FALSE(boxes_overlap(input, result));
    for (const Edge& e : input.edges) CHECK(result.centers[e.from].y < result.centers[e.to].y);
}

TEST_CASE("a residual edge keeps a lane beside the boxes it passes", "[views][layout]") {
    Input input = chain(5);
    input.edges.push_back({0, 4});
    const Result result = layered(input);
    const auto curve = result.edge(4);
    REQUIRE(curve.size() > 4);
    const float lane = curve[curve.size() / 2].x;
    CHECK(std::abs(lane - result.centers[2].x) > 70);
}

TEST_CASE("cycles, loops and lone nodes are laid out", "[views][layout]") {
    Input input = chain(3);
    input.nodes.push_back({80, 30, -1});
    input.edges.push_back({2, 0});
    input.edges.push_back({1, 1});
    const Result result = layered(input);
    REQUIRE(fits(result, input));
    CHECK(result.edge(3).empty());
    CHECK_FALSE(boxes_overlap(input, result));
    CHECK(fits(layered(Input{}), Input{}));
}

TEST_CASE("groups enclose their members", "[views][layout]") {
    Input input = chain(4);
    input.groups = {{-1, 18}, {0, 18}};
    input.nodes[1].group = 0;
    input.nodes[2].group = 1;
    const Result result = layered(input);
    REQUIRE(result.groups.size() == 2);
    CHECK(result.groups[0].contains(result.centers[1]));
    CHECK(result.groups[1].contains(result.centers[2]));
    CHECK(result.groups[0].y < result.groups[1].y);
    CHECK(result.groups[0].bottom() > result.groups[1].bottom());
}

TEST_CASE("one mask that feeds ten thousand nodes stays linear", "[views][layout]") {
    const Input input = transformer(830);
    const Result result = layered(input);
    REQUIRE(fits(result, input));
    CHECK(result.points.size() < input.edges.size() * 3 * (kMaxSpan + 2));
}

TEST_CASE("input and result survive the wire, broken bytes do not", "[views][layout]") {
    const Input input = transformer(3);
    const auto back = decode_input(encode(input));
    REQUIRE(back);
    CHECK(content_hash(*back) == content_hash(input));
    const Result result = layered(input);
    const auto drawn = decode_result(encode(result));
    REQUIRE(drawn);
    CHECK(drawn->centers == result.centers);
    CHECK(drawn->points == result.points);
    const std::string bytes = encode(input);
    for (std::size_t cut = 0; cut < bytes.size(); cut += 7) CHECK_FALSE(decode_input(bytes.substr(0, cut)));
    std::string wild = bytes;
    wild[4] = '\x7f', wild[9] = '\x7f';
    CHECK_FALSE(decode_input(wild));
    Input bad = input;
    bad.edges[0].to = 10000;
    CHECK_FALSE(decode_input(encode(bad)));
}

TEST_CASE("nodes that stood in the picture before keep their order and their place", "[views][layout]") {
    // Four columns under one root, in an order no barycentre would choose; one node is new.
    Input input;
    for (int i = 0; i < 6; ++i) input.nodes.push_back({80, 30, -1});
    for (int i = 1; i < 6; ++i) input.edges.push_back({0, i});
    input.prior = {200, 400, 100, 300, 0, kNoPrior};
    REQUIRE(is_valid(input));
    const Result result = layered(input);
    REQUIRE(fits(result, input));
    CHECK_FALSE(boxes_overlap(input, result));
    const auto x = [&](std::size_t i) { return result.centers[i].x; };
    CHECK(x(4) < x(2));
    CHECK(x(2) < x(3));
    CHECK(x(3) < x(1));
    // Nothing new, room enough: everything stays where it was, up to the whole picture's place.
    input.nodes.resize(5);
    input.edges.resize(4);
    input.prior = {240, 480, 120, 360, 0};
    const Result same = layered(input);
    for (std::size_t i = 1; i < 5; ++i)
        CHECK(same.centers[i].x - same.centers[0].x == Approx(input.prior[i] - input.prior[0]));
    CHECK(content_hash(input) != [&] {
        Input other = input;
        other.prior.clear();
        return content_hash(other);
    }());
    input.prior.resize(3);
    CHECK_FALSE(is_valid(input));
}
