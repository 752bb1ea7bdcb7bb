#include "core/base/sequence_diff.hpp"

#include <algorithm>

namespace orrery {

namespace {

using Index = std::int64_t;

/// A stretch of each sequence: [a0, a1) against [b0, b1).
struct Box {
    Index a0 = 0, a1 = 0, b0 = 0, b1 = 0;
};

/// Furthest points of one search, by diagonal (x - y). -1: not reached.
class Frontier {
  public:
    void reset(Index reach) {
        offset_ = reach + 1;
        furthest_.assign(static_cast<std::size_t>(2 * reach + 3), -1);
    }
    Index& operator[](Index diagonal) { return furthest_[static_cast<std::size_t>(diagonal + offset_)]; }

    /// Where a path of one more edit stands on `k`, before it follows equal elements; -1 when none gets there.
    Index enter(Index k, Index n, Index m) {
        Index x = -1;
        if (const Index down = (*this)[k + 1]; down >= 0 && down - k <= m) x = down;
        if (const Index right = (*this)[k - 1]; right >= 0 && right + 1 <= n) x = std::max(x, right + 1);
        return x;
    }

  private:
    Index offset_ = 0;
    std::vector<Index> furthest_;
};

class Myers {
  public:
    Myers(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b) : a_(a), b_(b) {}

    std::vector<SequencePair> run() {
        std::vector<Box> todo{{0, static_cast<Index>(a_.size()), 0, static_cast<Index>(b_.size())}};
        while (!todo.empty()) {
            Box box = todo.back();
            todo.pop_back();
            while (box.a0 < box.a1 && box.b0 < box.b1 && equal(box.a0, box.b0)) pair(box.a0++, box.b0++);
            while (box.a0 < box.a1 && box.b0 < box.b1 && equal(box.a1 - 1, box.b1 - 1)) pair(--box.a1, --box.b1);
            if (box.a0 == box.a1 || box.b0 == box.b1) continue;
            const auto [x, y] = middle(box);
            todo.push_back({box.a0, x, box.b0, y});
            todo.push_back({x, box.a1, y, box.b1});
        }
        std::sort(pairs_.begin(), pairs_.end(), [](const SequencePair& p, const SequencePair& q) { return p.a < q.a; });
        return std::move(pairs_);
    }

  private:
    [[nodiscard]] bool equal(Index i, Index j) const {
        return a_[static_cast<std::size_t>(i)] == b_[static_cast<std::size_t>(j)];
    }
    void pair(Index i, Index j) { pairs_.push_back({static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(j)}); }

    /// A point in the middle of a shortest edit path, found by searching from both corners at once. Pre: both first
    /// and both last elements differ, so that the path has two edits at least and the point is no corner.
    std::pair<Index, Index> middle(const Box& box) {
        const Index n = box.a1 - box.a0, m = box.b1 - box.b0, delta = n - m;
        const Index reach = std::min((n + m + 1) / 2, kMaxEdits);
        const bool odd = (delta & 1) != 0;
        forward_.reset(reach);
        backward_.reset(reach);
        for (Index d = 0; d <= reach; ++d) {
            for (Index k = -d; k <= d; k += 2) {
                Index x = d == 0 ? 0 : forward_.enter(k, n, m);
                if (x < 0) continue;
                while (x < n && x - k < m && equal(box.a0 + x, box.b0 + x - k)) ++x;
                forward_[k] = x;
                const Index other = delta - k;
                if (odd && other > -d && other < d && backward_[other] >= 0 && x + backward_[other] >= n)
                    return {box.a0 + x, box.b0 + x - k};
            }
            for (Index k = -d; k <= d; k += 2) {
                Index x = d == 0 ? 0 : backward_.enter(k, n, m);
                if (x < 0) continue;
                while (x < n && x - k < m && equal(box.a1 - 1 - x, box.b1 - 1 - x + k)) ++x;
                backward_[k] = x;
                const Index other = delta - k;
                if (!odd && other >= -d && other <= d && forward_[other] >= 0 && forward_[other] + x >= n)
                    return {box.a1 - x, box.b1 - x + k};
            }
        }
        return furthest(box, reach);
    }

    /// Too many edits: the point that the forward search has come furthest to.
    std::pair<Index, Index> furthest(const Box& box, Index reach) {
        Index best = -1, at = 0;
        for (Index k = -reach; k <= reach; ++k)
            if (const Index x = forward_[k]; x >= 0 && 2 * x - k > best) best = 2 * x - k, at = k;
        const Index x = forward_[at];
        return {box.a0 + x, box.b0 + x - at};
    }

    std::span<const std::uint64_t> a_, b_;
    std::vector<SequencePair> pairs_;
    Frontier forward_, backward_;
};

} // namespace

std::vector<SequencePair> common_subsequence(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b) {
    return Myers(a, b).run();
}

std::vector<std::uint32_t> longest_increasing(std::span<const std::uint32_t> values) {
    std::vector<std::uint32_t> tails; // index of the smallest last value of a run of each length
    std::vector<std::uint32_t> before(values.size(), 0);
    for (std::uint32_t i = 0; i < values.size(); ++i) {
        const auto at = std::lower_bound(tails.begin(), tails.end(), values[i],
                                         [&](std::uint32_t tail, std::uint32_t value) { return values[tail] < value; });
        if (at != tails.begin()) before[i] = *(at - 1);
        if (at == tails.end())
            tails.push_back(i);
        else
            *at = i;
    }
    std::vector<std::uint32_t> chosen(tails.size());
    for (std::size_t k = tails.size(); k-- > 0;) chosen[k] = k + 1 == tails.size() ? tails[k] : before[chosen[k + 1]];
    return chosen;
}

} // namespace orrery
