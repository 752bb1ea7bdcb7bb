#pragma once
// Sums over any range of a lane of millions of intervals, without walking it.

#include "vta-sim/cycle_model.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace orrery::views {

[[nodiscard]] inline int category_of(const vta::Interval& interval) { return static_cast<int>(interval.cause); }
[[nodiscard]] inline int category_of(const vta::PortInterval& interval) { return static_cast<int>(interval.client); }
/// An interval of a lane ends where the next begins; one of the port says so itself.
[[nodiscard]] inline std::uint64_t end_of(std::span<const vta::Interval> items, std::size_t i, std::uint64_t total) {
    return i + 1 < items.size() ? items[i + 1].begin : total;
}
[[nodiscard]] inline std::uint64_t end_of(std::span<const vta::PortInterval> items, std::size_t i, std::uint64_t) {
    return items[i].end;
}

/// The cycles of each category before every `kBlock`-th interval: any range is two of those rows and at most two
/// blocks of intervals. Exact, since it adds integers and samples nothing.
/// Cost: one pass to make; 8 bytes a category and 8 for each block of intervals; a sum reads at most 2 kBlock
/// intervals.
template <class Item, int kCategories> class VtaIndex {
  public:
    using Sums = std::array<std::uint64_t, kCategories>;
    static constexpr std::size_t kBlock = 128;

    VtaIndex() = default;
    /// `items`, ascending and disjoint, outlive the index. Units: cycles.
    VtaIndex(std::span<const Item> items, std::uint64_t total) : items_(items), total_(total) {
        Sums sums{};
        starts_.reserve(items.size() / kBlock + 1);
        sums_.reserve(items.size() / kBlock + 1);
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (i % kBlock == 0) starts_.push_back(items[i].begin), sums_.push_back(sums);
            sums[static_cast<std::size_t>(category_of(items[i]))] += end_of(items, i, total) - items[i].begin;
        }
    }

    [[nodiscard]] std::span<const Item> items() const { return items_; }
    [[nodiscard]] std::uint64_t total() const { return total_; }
    [[nodiscard]] bool empty() const { return items_.empty(); }
    [[nodiscard]] std::uint64_t end(std::size_t i) const { return end_of(items_, i, total_); }

    /// The last interval that begins at or before `cycle`; 0 when none does. Pre: not empty().
    [[nodiscard]] std::size_t find(std::uint64_t cycle) const {
        const auto block = std::upper_bound(starts_.begin(), starts_.end(), cycle);
        if (block == starts_.begin()) return 0;
        const std::size_t first = static_cast<std::size_t>(block - starts_.begin() - 1) * kBlock;
        const auto from = items_.begin() + static_cast<std::ptrdiff_t>(first);
        const auto to = items_.begin() + static_cast<std::ptrdiff_t>(std::min(first + kBlock, items_.size()));
        const auto it = std::upper_bound(from, to, cycle, [](std::uint64_t c, const Item& i) { return c < i.begin; });
        return static_cast<std::size_t>(it - items_.begin() - 1);
    }

    /// Cycles of each category in [0, cycle).
    [[nodiscard]] Sums before(std::uint64_t cycle) const {
        return items_.empty() ? Sums{} : before(cycle, find(cycle));
    }
    /// The same where `last` is find(cycle).
    [[nodiscard]] Sums before(std::uint64_t cycle, std::size_t last) const {
        if (cycle <= items_.front().begin) return {};
        Sums sums = sums_[last / kBlock];
        for (std::size_t i = last / kBlock * kBlock; i <= last; ++i)
            sums[static_cast<std::size_t>(category_of(items_[i]))] += std::min(cycle, end(i)) - items_[i].begin;
        return sums;
    }

    /// Cycles of each category in [begin, end).
    [[nodiscard]] Sums within(std::uint64_t begin, std::uint64_t end) const {
        Sums sums = before(end);
        const Sums less = before(std::min(begin, end));
        for (std::size_t c = 0; c < sums.size(); ++c) sums[c] -= less[c];
        return sums;
    }

    /// The first interval from `from` on, in the given direction, of a category in `wanted`; items().size() when there
    /// is none. Blocks without one are passed over.
    [[nodiscard]] std::size_t seek(std::size_t from, int direction, const std::array<bool, kCategories>& wanted) const {
        const auto has = [&](std::size_t block) {
            if (block + 1 >= sums_.size()) return true;
            for (std::size_t c = 0; c < wanted.size(); ++c)
                if (wanted[c] && sums_[block + 1][c] != sums_[block][c]) return true;
            return false;
        };
        for (std::size_t i = from; i < items_.size();) {
            if (wanted[static_cast<std::size_t>(category_of(items_[i]))]) return i;
            const std::size_t block = i / kBlock;
            if (direction > 0) {
                i = has(block) ? i + 1 : (block + 1) * kBlock;
            } else {
                const std::size_t next = has(block) ? i : block * kBlock;
                if (next == 0) break;
                i = next - 1;
            }
        }
        return items_.size();
    }

  private:
    std::span<const Item> items_;
    std::uint64_t total_ = 0;
    std::vector<std::uint64_t> starts_;
    std::vector<Sums> sums_;
};

using VtaLaneIndex = VtaIndex<vta::Interval, vta::kCauses>;
using VtaPortIndex = VtaIndex<vta::PortInterval, vta::kReadClients>;

} // namespace orrery::views
