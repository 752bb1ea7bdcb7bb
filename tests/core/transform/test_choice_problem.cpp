#include "core/transform/choice_problem.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

using namespace orrery::transform;

namespace {

/// The least cost over all combinations.
double least_of_all(const ChoiceProblem& problem) {
    std::vector<std::size_t> chosen(problem.nodes.size(), 0);
    double least = problem.cost(chosen);
    for (;;) {
        std::size_t at = 0;
        while (at < chosen.size() && ++chosen[at] == problem.nodes[at].size()) chosen[at++] = 0;
        if (at == chosen.size()) return least;
        least = std::min(least, problem.cost(chosen));
    }
}

using Random = std::mt19937;
std::size_t drawn(Random& random, std::size_t most) { return random() % most; }

/// Costs are small whole numbers, so that sums are exact and ties are many.
double drawn_cost(Random& random) {
    return drawn(random, 20) == 0 ? ChoiceProblem::kImpossible : static_cast<double>(drawn(random, 8));
}

void connect(ChoiceProblem& problem, std::size_t a, std::size_t b, Random& random) {
    ChoiceProblem::Edge edge{a, b, {}};
    for (std::size_t i = 0; i < problem.nodes[a].size() * problem.nodes[b].size(); ++i)
        edge.costs.push_back(drawn_cost(random));
    problem.edges.push_back(std::move(edge));
}

ChoiceProblem drawn_nodes(Random& random, std::size_t count) {
    ChoiceProblem problem;
    for (std::size_t node = 0; node < count; ++node) {
        problem.nodes.emplace_back();
        for (std::size_t i = drawn(random, 3) + 1; i > 0; --i) problem.nodes.back().push_back(drawn_cost(random));
    }
    return problem;
}

} // namespace

TEST_CASE("choices cost what the best of all combinations does", "[transform][choice_problem]") {
    Random random(11);
    for (int round = 0; round < 400; ++round) {
        ChoiceProblem problem = drawn_nodes(random, 1 + drawn(random, 8));
        const std::size_t count = problem.nodes.size();
        // From chains to graphs in which all nodes have many neighbours, some of them twice.
        if (count > 1)
            for (std::size_t edges = drawn(random, 2 * count + 1); edges > 0; --edges) {
                const std::size_t a = drawn(random, count), b = (a + 1 + drawn(random, count - 1)) % count;
                connect(problem, a, b, random);
            }
        const Choices found = choose_least(problem, 1 << 20);
        INFO("round " << round);
        REQUIRE(found.exact);
        REQUIRE(found.cost == problem.cost(found.chosen));
        REQUIRE(found.cost == least_of_all(problem));
        REQUIRE(choose_least(problem, 1 << 20).chosen == found.chosen);
    }
}

TEST_CASE("chains, trees and branches that meet need no cases", "[transform][choice_problem]") {
    Random random(12);
    for (int round = 0; round < 100; ++round) {
        // A residual network: each node reads the one before, every second one also the one before that.
        ChoiceProblem problem = drawn_nodes(random, 9);
        for (std::size_t node = 1; node < 9; ++node) {
            connect(problem, node - 1, node, random);
            if (node % 2 == 0) connect(problem, node - 2, node, random);
        }
        const Choices found = choose_least(problem, 0);
        REQUIRE(found.exact);
        REQUIRE(found.cost == least_of_all(problem));
    }
}

TEST_CASE("without cases for them, choices are made all the same and said not to be exact",
          "[transform][choice_problem]") {
    Random random(13);
    ChoiceProblem problem = drawn_nodes(random, 6);
    for (std::size_t a = 0; a < 6; ++a)
        for (std::size_t b = a + 1; b < 6; ++b) connect(problem, a, b, random);
    const Choices found = choose_least(problem, 0);
    CHECK_FALSE(found.exact);
    CHECK(found.cost == problem.cost(found.chosen));
    CHECK(found.cost >= least_of_all(problem));
    CHECK(choose_least({}, 0).chosen.empty());
}

TEST_CASE("of equal alternatives the first is chosen", "[transform][choice_problem]") {
    ChoiceProblem problem{{{1, 1, 1}, {2, 2}, {0, 0}}, {}};
    problem.edges.push_back({0, 1, {0, 0, 0, 0, 0, 0}});
    problem.edges.push_back({1, 2, {3, 3, 3, 3}});
    CHECK(choose_least(problem).chosen == std::vector<std::size_t>{0, 0, 0});
}
