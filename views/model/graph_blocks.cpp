#include "views/model/graph_view.hpp"

#include <algorithm>
#include <functional>
#include <queue>
#include <unordered_map>

// Weights, inputs and outputs are left aside; what is said of runs below is about the operators in between.
// Modules: operators whose names share a path are a group when there are 3 to kMaxBlock of them in a row; a longer
// run, and one that is a list of numbered parts, is divided by the next part of the path. Repetition, among operators
// no module took, in rounds:
//  1. every run of 3 to kMaxBlock free operators is hashed by its signatures; runs seen twice are candidates
//     when they have one way in and one way out (a residual block cut at the wrong place has two);
//  2. a candidate's worth is how many boxes folding its occurrences saves;
//  3. of all candidates worth nearly as much as the best one the shortest is taken: one layer, not two;
//  4. its occurrences become blocks and their operators are no longer free.

namespace orrery::views {
namespace {

constexpr int kRounds = 12;
constexpr int kSharedBy = 8; ///< readers of a value that counts as no entry: a mask, a position table
constexpr double kNearlyBest = 0.8;
constexpr std::uint64_t kBase = 0x9e3779b97f4a7c15ull;

/// A run of operators, in the numbering without weights.
struct Run {
    int first = 0, count = 0;
    std::string title;
};

struct Finder {
    const std::vector<GraphItem>& items;
    std::vector<int> kept;                ///< item of each operator
    std::vector<std::uint64_t> signature; ///< by operator, like all below
    std::vector<std::vector<int>> inputs;
    std::vector<int> last_reader; ///< the number of operators for one that nobody or an output reads
    std::vector<int> readers;
    std::vector<bool> taken;

    explicit Finder(const std::vector<GraphItem>& all) : items(all) {
        std::vector<int> number(items.size(), -1);
        for (std::size_t i = 0; i < items.size(); ++i) {
            const OperatorKind kind = items[i].kind;
            if (kind == OperatorKind::Constant || kind == OperatorKind::Input || kind == OperatorKind::Output) continue;
            number[i] = static_cast<int>(kept.size());
            kept.push_back(static_cast<int>(i));
        }
        const int count = static_cast<int>(kept.size());
        last_reader.assign(kept.size(), count);
        readers.assign(kept.size(), 0);
        taken.assign(kept.size(), false);
        std::unordered_map<std::string, std::uint64_t> numbers;
        for (std::size_t i = 0; i < items.size(); ++i) {
            const bool output = items[i].kind == OperatorKind::Output;
            if (number[i] < 0 && !output) continue;
            std::vector<int> own;
            for (const int input : items[i].inputs) {
                const int from = number[static_cast<std::size_t>(input)];
                if (from < 0) continue;
                own.push_back(from);
                int& last = last_reader[static_cast<std::size_t>(from)];
                last = output ? count + 1 : last == count ? number[i] : std::max(last, number[i]);
                ++readers[static_cast<std::size_t>(from)];
            }
            if (output) continue;
            inputs.push_back(std::move(own));
            signature.push_back(numbers.emplace(items[i].signature, numbers.size() + 1).first->second);
        }
    }

    [[nodiscard]] int count() const { return static_cast<int>(kept.size()); }
    [[nodiscard]] const std::string& scope(int op) const {
        return items[static_cast<std::size_t>(kept[static_cast<std::size_t>(op)])].scope;
    }

    /// One value comes in, one goes out. Weights, model inputs and widely shared values do not count.
    [[nodiscard]] bool closed(int first, int length) const {
        int entry = -1, exits = 0;
        for (int i = first; i < first + length; ++i) {
            for (const int input : inputs[static_cast<std::size_t>(i)]) {
                if (input >= first || readers[static_cast<std::size_t>(input)] > kSharedBy) continue;
                if (entry >= 0 && entry != input) return false;
                entry = input;
            }
            if (last_reader[static_cast<std::size_t>(i)] >= first + length && ++exits > 1) return false;
        }
        return exits == 1;
    }
};

/// The first `depth` parts of a path; empty when it has fewer.
std::string_view prefix(std::string_view path, int depth) {
    std::size_t at = 0;
    for (int d = 0; d < depth; ++d) {
        if (at >= path.size()) return {};
        const std::size_t slash = path.find('/', at);
        if (slash == std::string_view::npos) return d + 1 == depth ? path : std::string_view();
        at = slash + 1;
    }
    return path.substr(0, at - 1);
}

/// The end of the run of one prefix that begins at `begin`.
int run_end(const Finder& finder, int begin, int last, int depth) {
    const std::string_view name = prefix(finder.scope(begin), depth);
    int end = begin + 1;
    while (end < last && prefix(finder.scope(end), depth) == name) ++end;
    return end;
}

/// True when the run is a list of numbered parts, each large enough to be a group: "layer1" of "layer1/0", "layer1/1".
bool is_list(const Finder& finder, int begin, int end, int depth) {
    int parts = 0;
    for (int at = begin; at < end; ++parts) {
        const std::string_view name = prefix(finder.scope(at), depth + 1);
        const std::string_view last = name.substr(name.rfind('/') + 1);
        const int next = run_end(finder, at, end, depth + 1);
        if (last.empty() || next - at < kMinBlock ||
            !std::ranges::all_of(last, [](char c) { return c >= '0' && c <= '9'; }))
            return false;
        at = next;
    }
    return parts > 1;
}

/// Runs of one path prefix within [first, last).
void find_modules(const Finder& finder, int first, int last, int depth, std::vector<Run>& runs) {
    for (int begin = first, end = first; begin < last; begin = end) {
        end = run_end(finder, begin, last, depth);
        const std::string_view name = prefix(finder.scope(begin), depth);
        if (name.empty() || end - begin < kMinBlock) continue;
        if (end - begin > kMaxBlock || is_list(finder, begin, end, depth))
            find_modules(finder, begin, end, depth + 1, runs);
        else
            runs.push_back({begin, end - begin, std::string(name)});
    }
}

struct Candidate {
    int length = 0;
    std::vector<int> starts;
    [[nodiscard]] int saved() const { return static_cast<int>(starts.size()) * (length - 1); }
};

/// The best set of equal runs of `length`.
Candidate best_of_length(const Finder& finder, int length) {
    Candidate best;
    best.length = length;
    if (finder.count() < 2 * length) return best;
    std::unordered_map<std::uint64_t, std::vector<int>> runs;
    std::uint64_t hash = 0, power = 1;
    for (int k = 1; k < length; ++k) power *= kBase;
    int free = 0;
    for (int i = 0; i < finder.count(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (i >= length) hash -= finder.signature[at - static_cast<std::size_t>(length)] * power;
        hash = hash * kBase + finder.signature[at];
        free = finder.taken[at] ? 0 : free + 1;
        if (free >= length) runs[hash].push_back(i - length + 1);
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

void find_repeats(Finder& finder, std::vector<Run>& runs) {
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
        if (chosen == candidates.end()) return;
        for (const int start : chosen->starts) {
            runs.push_back({start, chosen->length, {}});
            std::fill_n(finder.taken.begin() + start, chosen->length, true);
        }
    }
}

/// Groups of the operators that no block of `taken` holds.
std::vector<GraphBlock> find_free(const std::vector<GraphItem>& items, GroupBy by,
                                  const std::vector<GraphBlock>& taken) {
    Finder finder(items);
    for (const GraphBlock& block : taken) {
        const auto begin = std::ranges::lower_bound(finder.kept, block.first) - finder.kept.begin();
        const auto end = std::ranges::lower_bound(finder.kept, block.first + block.count) - finder.kept.begin();
        std::fill(finder.taken.begin() + begin, finder.taken.begin() + end, true);
    }
    std::vector<Run> runs;
    for (int begin = 0, end = 0; by != GroupBy::Repeats && begin < finder.count(); begin = end) {
        const bool busy = finder.taken[static_cast<std::size_t>(begin)];
        for (end = begin + 1; end < finder.count() && finder.taken[static_cast<std::size_t>(end)] == busy;) ++end;
        if (!busy) find_modules(finder, begin, end, 1, runs);
    }
    for (const Run& run : runs) std::fill_n(finder.taken.begin() + run.first, run.count, true);
    if (by != GroupBy::Modules) find_repeats(finder, runs);
    std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.first < b.first; });
    std::vector<GraphBlock> blocks;
    std::unordered_map<std::string, int> used;
    int unnamed = 0;
    for (const Run& run : runs) {
        GraphBlock block;
        block.first = finder.kept[static_cast<std::size_t>(run.first)];
        block.count = finder.kept[static_cast<std::size_t>(run.first + run.count - 1)] - block.first + 1;
        block.operators = run.count;
        block.title = run.title.empty() ? "block " + std::to_string(++unnamed) : run.title;
        if (const int again = ++used[block.title]; again > 1) block.title += " #" + std::to_string(again);
        block.name = "block:" + items[static_cast<std::size_t>(block.first)].name;
        blocks.push_back(std::move(block));
    }
    return blocks;
}

/// A block for each run of items of one cluster.
std::vector<GraphBlock> cluster_blocks(const GraphDescription& description, bool only_backends) {
    std::vector<GraphBlock> blocks;
    const std::vector<GraphItem>& items = description.items;
    std::unordered_map<int, int> pieces;
    for (std::size_t begin = 0, end = 0; begin < items.size(); begin = end) {
        const int cluster = items[begin].cluster;
        int operators = 0;
        for (end = begin; end < items.size() && items[end].cluster == cluster; ++end)
            operators += items[end].kind == OperatorKind::Constant ? 0 : 1;
        if (cluster < 0) continue;
        const GraphCluster& from = description.clusters[static_cast<std::size_t>(cluster)];
        const int least = from.backend.empty() ? 2 : 1; // one operator is a part of another backend, too
        if (operators < least || (only_backends && from.backend.empty())) continue;
        const int piece = ++pieces[cluster];
        const std::string more = piece == 1 ? "" : " #" + std::to_string(piece);
        blocks.push_back({static_cast<int>(begin), static_cast<int>(end - begin), operators, from.name + more,
                          from.title + more, piece == 1 ? cluster : -1, from.backend});
    }
    return blocks;
}

} // namespace

std::vector<GraphBlock> find_blocks(const std::vector<GraphItem>& items, GroupBy by) {
    return find_free(items, by, {});
}

std::vector<GraphBlock> find_blocks(const GraphDescription& description, GroupBy by) {
    const bool by_cluster = by == GroupBy::Kernels || by == GroupBy::Backends;
    std::vector<GraphBlock> blocks = cluster_blocks(description, !by_cluster);
    if (by_cluster) return blocks;
    for (GraphBlock& block : find_free(description.items, by, blocks)) blocks.push_back(std::move(block));
    std::ranges::sort(blocks, {}, &GraphBlock::first);
    return blocks;
}

void gather_clusters(GraphDescription& description) {
    std::vector<GraphItem>& items = description.items;
    // One node a cluster, one for each other item; Kahn's order, the earliest first.
    std::vector<int> unit(items.size());
    std::vector<std::vector<int>> members;
    std::unordered_map<int, int> unit_of_cluster;
    for (std::size_t i = 0; i < items.size(); ++i) {
        const int fresh = static_cast<int>(members.size());
        const int cluster = items[i].cluster;
        unit[i] = cluster < 0 ? fresh : unit_of_cluster.emplace(cluster, fresh).first->second;
        if (unit[i] == fresh) members.emplace_back();
        members[static_cast<std::size_t>(unit[i])].push_back(static_cast<int>(i));
    }
    std::vector<std::vector<int>> readers(members.size());
    std::vector<int> waiting(members.size(), 0);
    for (std::size_t i = 0; i < items.size(); ++i)
        for (const int input : items[i].inputs)
            if (const int from = unit[static_cast<std::size_t>(input)]; from != unit[i]) {
                readers[static_cast<std::size_t>(from)].push_back(unit[i]);
                ++waiting[static_cast<std::size_t>(unit[i])];
            }
    std::priority_queue<int, std::vector<int>, std::greater<>> ready;
    for (std::size_t u = 0; u < members.size(); ++u)
        if (waiting[u] == 0) ready.push(static_cast<int>(u));
    std::vector<int> order;
    order.reserve(items.size());
    while (!ready.empty()) {
        const auto now = static_cast<std::size_t>(ready.top());
        ready.pop();
        order.insert(order.end(), members[now].begin(), members[now].end());
        for (const int reader : readers[now])
            if (--waiting[static_cast<std::size_t>(reader)] == 0) ready.push(reader);
    }
    if (order.size() != items.size()) return; // clusters wait for each other: as they came is an order, too
    std::vector<int> place(items.size());
    for (std::size_t k = 0; k < order.size(); ++k) place[static_cast<std::size_t>(order[k])] = static_cast<int>(k);
    std::vector<GraphItem> gathered;
    gathered.reserve(items.size());
    for (const int i : order) {
        gathered.push_back(std::move(items[static_cast<std::size_t>(i)]));
        for (int& input : gathered.back().inputs) input = place[static_cast<std::size_t>(input)];
    }
    items = std::move(gathered);
}

} // namespace orrery::views
