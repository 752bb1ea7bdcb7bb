#include "core/base/hash.hpp"
#include "views/model/graph_view.hpp"

#include <algorithm>
#include <unordered_map>

// Steps, repeated until nothing worth folding is left:
//  1. every run of 4 to kMaxBlock free items is hashed by its signatures; runs seen twice are candidates
//     when they have one way in and one way out (a residual block cut at the wrong place has two);
//  2. a candidate's worth is how many boxes folding its occurrences saves;
//  3. of all candidates worth nearly as much as the best one the shortest is taken: one layer, not two;
//  4. its occurrences become blocks and their items are no longer free.

namespace orrery::views {
namespace {

constexpr int kMinBlock = 4;
constexpr int kRounds = 12;
constexpr double kNearlyBest = 0.8;
constexpr std::uint64_t kBase = 0x9e3779b97f4a7c15ull;

struct Finder {
    const std::vector<GraphItem>& items;
    std::vector<std::uint64_t> signature;
    std::vector<int> last_reader; ///< items.size() for one nobody reads: it leaves the graph
    std::vector<int> readers;
    std::vector<bool> taken;

    explicit Finder(const std::vector<GraphItem>& all) : items(all) {
        const int count = static_cast<int>(items.size());
        last_reader.assign(items.size(), count);
        readers.assign(items.size(), 0);
        taken.assign(items.size(), false);
        std::unordered_map<std::string, std::uint64_t> numbers;
        for (int i = 0; i < count; ++i) {
            const GraphItem& item = items[static_cast<std::size_t>(i)];
            signature.push_back(numbers.emplace(item.signature, numbers.size() + 1).first->second);
            for (const int input : item.inputs) {
                int& last = last_reader[static_cast<std::size_t>(input)];
                last = last == count ? i : std::max(last, i);
                ++readers[static_cast<std::size_t>(input)];
            }
            taken[static_cast<std::size_t>(i)] =
                item.kind == OperatorKind::Input || item.kind == OperatorKind::Output || item.kind == OperatorKind::Constant;
        }
    }

    /// One value comes in, one goes out. Weights, model inputs and widely shared values do not count.
    [[nodiscard]] bool closed(int first, int length) const {
        int entry = -1, exits = 0;
        for (int i = first; i < first + length; ++i) {
            for (const int input : items[static_cast<std::size_t>(i)].inputs) {
                const auto in = static_cast<std::size_t>(input);
                if (input >= first || items[in].kind == OperatorKind::Constant || items[in].kind == OperatorKind::Input ||
                    readers[in] > kMinBlock * 2)
                    continue;
                if (entry >= 0 && entry != input) return false;
                entry = input;
            }
            if (last_reader[static_cast<std::size_t>(i)] >= first + length && ++exits > 1) return false;
        }
        return exits == 1;
    }
};

struct Candidate {
    int length = 0;
    std::vector<int> starts;
    [[nodiscard]] int saved() const { return static_cast<int>(starts.size()) * (length - 1); }
};

/// The best set of equal runs of `length`.
Candidate best_of_length(const Finder& finder, int length) {
    const int count = static_cast<int>(finder.items.size());
    Candidate best;
    best.length = length;
    if (count < 2 * length) return best;
    std::unordered_map<std::uint64_t, std::vector<int>> runs;
    std::uint64_t hash = 0, power = 1;
    for (int k = 1; k < length; ++k) power *= kBase;
    int free = 0;
    for (int i = 0; i < count; ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (i >= length) hash -= finder.signature[at - static_cast<std::size_t>(length)] * power;
        hash = hash * kBase + finder.signature[at];
        free = finder.taken[at] ? 0 : free + 1;
        if (free < length) continue;
        runs[hash].push_back(i - length + 1);
    }
    for (auto& [key, starts] : runs) {
        if (starts.size() < 2) continue;
        Candidate candidate;
        candidate.length = length;
        for (const int start : starts) {
            if (!candidate.starts.empty() && start < candidate.starts.back() + length) continue;
            if (finder.closed(start, length)) candidate.starts.push_back(start);
        }
        const bool tie = candidate.saved() == best.saved() && !best.starts.empty() && !candidate.starts.empty() &&
                         candidate.starts.front() < best.starts.front();
        if (candidate.starts.size() >= 2 && (candidate.saved() > best.saved() || tie)) best = std::move(candidate);
    }
    return best;
}

/// The longest common path of the members' scopes.
std::string common_scope(const std::vector<GraphItem>& items, int first, int count) {
    std::string common = items[static_cast<std::size_t>(first)].scope;
    for (int i = first + 1; i < first + count && !common.empty(); ++i) {
        const std::string& scope = items[static_cast<std::size_t>(i)].scope;
        if (scope.empty()) continue;
        while (!common.empty() && scope != common && scope.compare(0, common.size() + 1, common + "/") != 0) {
            const std::size_t cut = common.rfind('/');
            common.resize(cut == std::string::npos ? 0 : cut);
        }
    }
    return common;
}

} // namespace

std::vector<GraphBlock> find_blocks(const std::vector<GraphItem>& items) {
    Finder finder(items);
    std::vector<GraphBlock> blocks;
    for (int round = 0; round < kRounds; ++round) {
        std::vector<Candidate> candidates;
        int most = 0;
        for (int length = kMinBlock; length <= kMaxBlock; ++length) {
            Candidate candidate = best_of_length(finder, length);
            if (candidate.starts.size() < 2) continue;
            most = std::max(most, candidate.saved());
            candidates.push_back(std::move(candidate));
        }
        const auto chosen = std::find_if(candidates.begin(), candidates.end(),
                                         [&](const Candidate& c) { return c.saved() >= kNearlyBest * most; });
        if (chosen == candidates.end()) break;
        for (const int start : chosen->starts) {
            blocks.push_back({start, chosen->length, {}, {}});
            std::fill_n(finder.taken.begin() + start, chosen->length, true);
        }
    }
    std::sort(blocks.begin(), blocks.end(), [](const GraphBlock& a, const GraphBlock& b) { return a.first < b.first; });
    std::unordered_map<std::string, int> used;
    int number = 0;
    for (GraphBlock& block : blocks) {
        ++number;
        const std::string scope = common_scope(items, block.first, block.count);
        block.title = scope.empty() ? "block " + std::to_string(number) : scope;
        if (const int again = ++used[block.title]; again > 1) block.title += " #" + std::to_string(again);
        block.name = "block:" + items[static_cast<std::size_t>(block.first)].name;
    }
    return blocks;
}

} // namespace orrery::views
