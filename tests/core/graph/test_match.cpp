#include "core/graph/match.hpp"
#include "tests/core/graph/edits.hpp"
#include "tests/core/graph/fake_ops.hpp"

#include <catch2/catch.hpp>

#include <chrono>

using namespace orrery;
using namespace orrery::graph;
using namespace orrery::graph::edits;

namespace {

struct Score {
    std::size_t found = 0, right = 0, expected = 0;
    [[nodiscard]] double precision() const {
        return found == 0 ? 1 : static_cast<double>(right) / static_cast<double>(found);
    }
    [[nodiscard]] double recall() const {
        return expected == 0 ? 1 : static_cast<double>(right) / static_cast<double>(expected);
    }
};

void count(Score& score, const std::vector<NodeChange>& truth, const std::vector<NodeChange>& found) {
    for (std::size_t i = 0; i < truth.size(); ++i) {
        score.expected += truth[i] != NodeChange::Same ? 1 : 0;
        score.found += found[i] != NodeChange::Same ? 1 : 0;
        score.right += truth[i] != NodeChange::Same && truth[i] == found[i] ? 1 : 0;
    }
}

/// Changes found against changes made, over `cases` edited functions.
std::pair<Score, Score> scores(unsigned seed, int cases, Told told) {
    std::mt19937_64 rng(seed);
    Score pairs, changes;
    for (int k = 0; k < cases; ++k) {
        const int nodes = 20 + static_cast<int>(rng() % 280);
        const int edits = 1 + static_cast<int>(rng() % static_cast<unsigned>(std::max(1, nodes / 15)));
        const Edited e = random_edits(rng, nodes, edits, told);
        const OpenedFunction before = open_function(e.before), after = open_function(e.after);
        const FunctionMatch found = match_functions(before, after, {.same_model = told == Told::Everything});
        const FunctionMatch truth = compare_matched(before, after, e.after_of);
        for (std::size_t i = 0; i < e.after_of.size(); ++i) {
            pairs.expected += e.after_of[i] >= 0 ? 1 : 0;
            pairs.found += found.after_of[i] >= 0 ? 1 : 0;
            pairs.right += e.after_of[i] >= 0 && e.after_of[i] == found.after_of[i] ? 1 : 0;
        }
        count(changes, truth.before, found.before);
        count(changes, truth.after, found.after);
    }
    return {pairs, changes};
}

FunctionMatch matched(const std::string& before, const std::string& after) {
    return match_functions(open_function(fake::parsed(before).main), open_function(fake::parsed(after).main),
                           {.same_model = false});
}

const char* const kChain = R"(outputs ["y"];
fn main(x: f32[4]) -> f32[4] {
  a: f32[4] = relu(x);
  b: f32[4] = add(a, x);
  c: f32[4] = relu(b);
  return c;
})";

} // namespace

TEST_CASE("200 random edits are found: precision and recall", "[graph][match]") {
    for (const Told told : {Told::Everything, Told::StructureOnly}) {
        const auto [pairs, changes] = scores(7, 200, told);
        INFO((told == Told::Everything ? "with names and origins" : "structure only")
             << ": pairs " << pairs.precision() << " / " << pairs.recall() << ", changes " << changes.precision()
             << " / " << changes.recall() << " of " << changes.expected);
        CHECK(pairs.precision() >= 0.95);
        CHECK(pairs.recall() >= 0.95);
        CHECK(changes.precision() >= 0.95);
        CHECK(changes.recall() >= 0.95);
    }
}

TEST_CASE("scores of the matcher", "[.measure]") {
    for (const Told told : {Told::Everything, Told::StructureOnly})
        for (const unsigned seed : {1u, 2u, 3u}) {
            const auto [pairs, changes] = scores(seed, 1000, told);
            WARN((told == Told::Everything ? "everything" : "structure")
                 << " pairs " << pairs.precision() << " / " << pairs.recall() << ", changes " << changes.precision()
                 << " / " << changes.recall() << " of " << changes.expected);
        }
}

TEST_CASE("a function against itself, its twin and itself under other names is identical", "[graph][match]") {
    std::mt19937_64 rng(3);
    for (int k = 0; k < 30; ++k) {
        const Function function = random_function(rng, 200, Told::StructureOnly);
        const OpenedFunction opened = open_function(function);
        CHECK(match_functions(opened, opened).identical());
        CHECK(match_functions(opened, opened, {.same_model = false}).identical());
    }
    for (int k = 0; k < 30; ++k) {
        const Module module = fake::random_module(rng, 25);
        const Module twin = fake::parsed(to_string(module), constants_of(module));
        CHECK(match_functions(open_function(module.main), open_function(twin.main), {.same_model = false}).identical());
    }
}

TEST_CASE("inserted, removed and changed nodes are told apart", "[graph][match]") {
    CHECK(matched(kChain, kChain).identical());
    const FunctionMatch inserted = matched(kChain, R"(outputs ["y"];
fn main(x: f32[4]) -> f32[4] {
  a: f32[4] = relu(x);
  b: f32[4] = add(a, x);
  extra: f32[4] = add(b, b);
  c: f32[4] = relu(extra);
  return c;
})");
    CHECK(inserted.after ==
          std::vector{NodeChange::Same, NodeChange::Same, NodeChange::Same, NodeChange::Added, NodeChange::Changed});
    CHECK(inserted.before_of == std::vector<std::int32_t>{0, 1, 2, -1, 3});
    CHECK((inserted.differs[3] & kOperands) != 0);
    const FunctionMatch removed = matched(kChain, R"(outputs ["y"];
fn main(x: f32[4]) -> f32[4] {
  b: f32[4] = add(x, x);
  c: f32[4] = relu(b);
  return c;
})");
    CHECK(removed.before == std::vector{NodeChange::Same, NodeChange::Removed, NodeChange::Changed, NodeChange::Same});
}

TEST_CASE("fusion moves operators, and a kernel of one operator is no move", "[graph][match]") {
    const FunctionMatch fused = matched(kChain, R"(outputs ["y"];
fn first(x: f32[4]) -> f32[4] with {primitive=true} {
  a: f32[4] = relu(x);
  return a;
}
fn rest(a: f32[4], x: f32[4]) -> f32[4] with {primitive=true} {
  b: f32[4] = add(a, x);
  c: f32[4] = relu(b);
  return c;
}
fn main(x: f32[4]) -> f32[4] {
  a: f32[4] = @first(x);
  c: f32[4] = @rest(a, x);
  return c;
})");
    CHECK(fused.before == std::vector{NodeChange::Same, NodeChange::Same, NodeChange::Moved, NodeChange::Moved});
    CHECK((fused.differs[2] & kGroup) != 0);
}

TEST_CASE("opened text: kernels in place, over the variables of main", "[graph][match][text]") {
    const Module module = fake::parsed(R"(outputs ["y"];
fn rest(p: f32[4], q: f32[4]) -> f32[4] with {primitive=true} {
  b: f32[4] = add(p, q);
  c: f32[4] = relu(b);
  return c;
}
fn main(x: f32[4]) -> f32[4] {
  a: f32[4] = relu(x);
  c: f32[4] = @rest(a, x);
  d: f32[4] = @rest(c, x);
  return d;
})");
    const OpenedFunction opened = open_function(module.main);
    const OpenedText text = print_opened(module, opened);
    std::string all;
    for (const PrintedLine& line : text.lines) all += line.text + "\n";
    CHECK(all == R"(fn main(x: f32[4]) -> f32[4] {
  a: f32[4] = relu(x);
  kernel rest {
    b: f32[4] = add(a, x);
    c: f32[4] = relu(b);
  }
  kernel rest {
    b_1: f32[4] = add(c, x);
    c_1: f32[4] = relu(b_1);
  }
  return c_1;
}
)");
    REQUIRE(text.nodes.size() == text.lines.size());
    CHECK(text.nodes == std::vector<std::int32_t>{-1, 1, -1, 2, 3, -1, -1, 4, 5, -1, -1, -1});
    CHECK(opened.groups.size() == 2);
}

TEST_CASE("10,000 nodes against 10,000 nodes", "[graph][match][large]") {
    std::mt19937_64 rng(1);
    for (const Told told : {Told::Everything, Told::StructureOnly}) {
        const Edited e = random_edits(rng, 10'000, 300, told);
        const auto start = std::chrono::steady_clock::now();
        const OpenedFunction before = open_function(e.before), after = open_function(e.after);
        const FunctionMatch found = match_functions(before, after, {.same_model = told == Told::Everything});
        const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
        std::size_t right = 0;
        for (std::size_t i = 0; i < e.after_of.size(); ++i) right += e.after_of[i] == found.after_of[i] ? 1 : 0;
        INFO(elapsed.count() << " ms");
        CHECK(right > e.after_of.size() * 95 / 100);
        CHECK(elapsed.count() < 10'000); // about 0.1 s; a quadratic step takes minutes
    }
}
