#include "core/base/sequence_diff.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

using namespace orrery;

namespace {

using Keys = std::vector<std::uint64_t>;

/// Length of a longest common subsequence, by the table every textbook has.
std::size_t reference(const Keys& a, const Keys& b) {
    std::vector<std::vector<std::size_t>> best(a.size() + 1, std::vector<std::size_t>(b.size() + 1, 0));
    for (std::size_t i = 1; i <= a.size(); ++i)
        for (std::size_t j = 1; j <= b.size(); ++j)
            best[i][j] = a[i - 1] == b[j - 1] ? best[i - 1][j - 1] + 1 : std::max(best[i - 1][j], best[i][j - 1]);
    return best[a.size()][b.size()];
}

bool sound(const Keys& a, const Keys& b, const std::vector<SequencePair>& pairs) {
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        if (a[pairs[i].a] != b[pairs[i].b]) return false;
        if (i > 0 && (pairs[i].a <= pairs[i - 1].a || pairs[i].b <= pairs[i - 1].b)) return false;
    }
    return true;
}

Keys keys(std::mt19937& rng, std::size_t size, unsigned alphabet) {
    Keys out(size);
    for (std::uint64_t& key : out) key = rng() % alphabet;
    return out;
}

} // namespace

TEST_CASE("common subsequences of small sequences", "[base][diff]") {
    CHECK(common_subsequence(Keys{}, Keys{}).empty());
    CHECK(common_subsequence(Keys{1}, Keys{}).empty());
    CHECK(common_subsequence(Keys{1}, Keys{2}).empty());
    CHECK(common_subsequence(Keys{1, 2, 3}, Keys{1, 2, 3}) == std::vector<SequencePair>{{0, 0}, {1, 1}, {2, 2}});
    CHECK(common_subsequence(Keys{1, 2, 3}, Keys{3}) == std::vector<SequencePair>{{2, 0}});
    // ABCABBA against CBABAC, the example of Myers' paper: four in common.
    CHECK(common_subsequence(Keys{1, 2, 3, 1, 2, 2, 1}, Keys{3, 2, 1, 2, 1, 3}).size() == 4);
}

TEST_CASE("a common subsequence is in order, of equal elements, and as long as can be", "[base][diff]") {
    std::mt19937 rng(11);
    for (int round = 0; round < 400; ++round) {
        const Keys a = keys(rng, rng() % 40, 2 + rng() % 12), b = keys(rng, rng() % 40, 2 + rng() % 12);
        const auto pairs = common_subsequence(a, b);
        CHECK(sound(a, b, pairs));
        CHECK(pairs.size() == reference(a, b));
    }
}

TEST_CASE("two long sequences without anything in common end, and what they share at the ends is kept",
          "[base][diff]") {
    Keys a, b;
    for (std::uint64_t i = 0; i < 30'000; ++i) a.push_back(2 * i), b.push_back(2 * i + 1);
    for (std::uint64_t i = 0; i < 50; ++i) {
        a.push_back(1'000'000 + i), b.push_back(1'000'000 + i);
        a.insert(a.begin(), 2'000'000 + i), b.insert(b.begin(), 2'000'000 + i);
    }
    const auto pairs = common_subsequence(a, b);
    CHECK(sound(a, b, pairs));
    CHECK(pairs.size() == 100);
}

TEST_CASE("longest increasing subsequence", "[base][diff]") {
    const auto of = [](std::vector<std::uint32_t> v) { return longest_increasing(v); };
    CHECK(of({}).empty());
    CHECK(of({5}) == std::vector<std::uint32_t>{0});
    CHECK(of({3, 1, 2, 5, 4}).size() == 3);
    CHECK(of({9, 8, 7}).size() == 1);
    CHECK(of({1, 2, 3}) == std::vector<std::uint32_t>{0, 1, 2});
    std::mt19937 rng(5);
    for (int round = 0; round < 200; ++round) {
        std::vector<std::uint32_t> v(rng() % 30);
        for (auto& x : v) x = rng() % 20;
        std::vector<std::size_t> best(v.size(), 1);
        std::size_t longest = 0;
        for (std::size_t i = 0; i < v.size(); ++i) {
            for (std::size_t k = 0; k < i; ++k)
                if (v[k] < v[i]) best[i] = std::max(best[i], best[k] + 1);
            longest = std::max(longest, best[i]);
        }
        const auto chosen = longest_increasing(v);
        CHECK(chosen.size() == longest);
        for (std::size_t i = 1; i < chosen.size(); ++i) CHECK(v[chosen[i - 1]] < v[chosen[i]]);
    }
}
