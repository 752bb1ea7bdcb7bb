#include "views/model/vta_timeline.hpp"

#include "views/model/json.hpp"
#include "views/model/vta_statistics.hpp"

#include <algorithm>
#include <cmath>

namespace orrery::views {
namespace {

constexpr double kColumnPixels = 2; ///< width of a merged bar

vta::Cause cause_of(vta::ReadClient client) {
    switch (client) {
    case vta::ReadClient::Fetch: return vta::Cause::Fetch;
    case vta::ReadClient::Uop: return vta::Cause::LoadUop;
    case vta::ReadClient::Inp: return vta::Cause::LoadInp;
    case vta::ReadClient::Wgt: return vta::Cause::LoadWgt;
    case vta::ReadClient::Acc: return vta::Cause::LoadAcc;
    }
    return vta::Cause::Idle;
}
vta::Cause cause_at(const VtaLaneIndex&, std::size_t category) { return static_cast<vta::Cause>(category); }
vta::Cause cause_at(const VtaPortIndex&, std::size_t category) {
    return cause_of(static_cast<vta::ReadClient>(category));
}

/// What lies at a cycle: an interval, or the gap behind it.
struct Piece {
    std::uint64_t begin, end;
    bool gap;
};
template <class Index> Piece piece_at(const Index& index, std::size_t i, std::uint64_t cycle) {
    const auto items = index.items();
    if (cycle < items[i].begin) return {0, items[i].begin, true};
    if (cycle < index.end(i)) return {items[i].begin, index.end(i), false};
    return {index.end(i), i + 1 < items.size() ? items[i + 1].begin : index.total(), true};
}

template <class Index> void add_up(const Index& index, const typename Index::Sums& sums, VtaBar& bar) {
    std::uint64_t most_busy = 0, most_stall = 0;
    for (std::size_t c = 0; c < sums.size(); ++c) {
        if (sums[c] == 0) continue;
        const vta::Cause cause = cause_at(index, c);
        if (vta::is_busy(cause)) {
            bar.busy_cycles += sums[c];
            if (sums[c] > most_busy) most_busy = sums[c], bar.busy = cause;
        } else if (cause != vta::Cause::Idle) {
            bar.stall_cycles += sums[c];
            if (sums[c] > most_stall) most_stall = sums[c], bar.stall = cause;
        }
    }
}

template <class Index> VtaBar single(const Index& index, std::size_t i, std::uint64_t begin, std::uint64_t end) {
    VtaBar bar;
    bar.begin = begin, bar.end = end;
    bar.instruction = index.items()[i].instruction;
    typename Index::Sums sums{};
    sums[static_cast<std::size_t>(category_of(index.items()[i]))] = end - begin;
    add_up(index, sums, bar);
    return bar;
}

double column_cycles_of(const VtaWindow& window) {
    return kColumnPixels * (window.end - window.begin) / std::max(1, window.pixels);
}

/// A bar depends on where it begins and on the column alone, but for the last, which the window cuts. So a bar of
/// another window that begins where one is wanted is that one.
template <class Index>
std::vector<VtaBar> bars_of(const Index& index, const VtaWindow& window, std::span<const VtaBar> before) {
    std::vector<VtaBar> bars;
    const auto last =
        std::min<std::uint64_t>(index.total(), static_cast<std::uint64_t>(std::ceil(std::max(0.0, window.end))));
    auto t = static_cast<std::uint64_t>(std::max(0.0, window.begin));
    if (index.empty() || t >= last) return bars;
    const double column_cycles = column_cycles_of(window);
    const std::uint64_t column = vta_column(window);
    const auto wide = [&](const Piece& piece) {
        return static_cast<double>(piece.end - piece.begin) >= 1.5 * column_cycles;
    };
    if (!before.empty()) before = before.first(before.size() - 1);
    auto known = before.begin();
    bool found = false; // i and done belong to t
    std::size_t i = 0;
    typename Index::Sums done{};
    while (t < last) {
        while (known != before.end() && known->begin < t) ++known;
        if (known != before.end() && known->begin == t && known->end <= last) {
            bars.push_back(*known);
            t = known->end, found = false;
            continue;
        }
        if (!found) i = index.find(t), done = index.before(t, i), found = true;
        const Piece piece = piece_at(index, i, t);
        if (column <= 1 || wide(piece)) {
            const std::uint64_t end = std::min(piece.end, last);
            if (!piece.gap) {
                bars.push_back(single(index, i, t, end));
                done[static_cast<std::size_t>(category_of(index.items()[i]))] += end - t;
            } else {
                bars.push_back({t, end});
            }
            t = end;
            if (t < last) i = index.find(t);
            continue;
        }
        // Columns end at multiples of their width, so that they stand still when the window moves.
        std::uint64_t end = std::min(last, (t / column + 1) * column);
        std::size_t j = index.find(end);
        if (const Piece next = piece_at(index, j, end);
            end < last && next.begin < end && next.begin > t && wide(next)) {
            end = next.begin;
            j = index.find(end);
        }
        const typename Index::Sums sums = index.before(end, j);
        typename Index::Sums part;
        for (std::size_t c = 0; c < part.size(); ++c) part[c] = sums[c] - done[c];
        VtaBar bar;
        bar.begin = t, bar.end = end, bar.merged = end > piece.end;
        bar.instruction = index.items()[i].instruction;
        add_up(index, part, bar);
        bars.push_back(bar);
        done = sums;
        t = end, i = j;
    }
    return bars;
}

template <class Index> std::optional<VtaBar> bar_at(const Index& index, std::uint64_t cycle) {
    if (index.empty() || cycle >= index.total()) return {};
    const std::size_t i = index.find(cycle);
    const Piece piece = piece_at(index, i, cycle);
    if (piece.gap) return VtaBar{piece.begin, piece.end};
    return single(index, i, piece.begin, piece.end);
}

} // namespace

std::string_view vta_lane_name(VtaLane lane) {
    constexpr std::string_view names[] = {"fetch", "load", "compute", "store", "read port"};
    return names[static_cast<std::size_t>(lane)];
}

std::optional<vta::Module> module_of(VtaLane lane) {
    switch (lane) {
    case VtaLane::Fetch: return vta::Module::Fetch;
    case VtaLane::Load: return vta::Module::Load;
    case VtaLane::Compute: return vta::Module::Compute;
    case VtaLane::Store: return vta::Module::Store;
    case VtaLane::Port: break;
    }
    return {};
}

VtaLane lane_of(vta::Module module) {
    switch (module) {
    case vta::Module::Load: return VtaLane::Load;
    case vta::Module::Compute: return VtaLane::Compute;
    case vta::Module::Store: return VtaLane::Store;
    case vta::Module::Fetch: break;
    }
    return VtaLane::Fetch;
}

std::uint64_t vta_column(const VtaWindow& window) {
    return static_cast<std::uint64_t>(std::max(1.0, std::ceil(column_cycles_of(window))));
}

std::vector<VtaBar> build_vta_bars(const VtaRun& run, VtaLane lane, const VtaWindow& window,
                                   std::span<const VtaBar> before) {
    const auto module = module_of(lane);
    return module ? bars_of(run.lanes[static_cast<std::size_t>(*module)], window, before)
                  : bars_of(run.port, window, before);
}

std::optional<VtaBar> vta_bar_at(const VtaRun& run, VtaLane lane, std::uint64_t cycle) {
    const auto module = module_of(lane);
    return module ? bar_at(run.lanes[static_cast<std::size_t>(*module)], cycle) : bar_at(run.port, cycle);
}

std::optional<VtaBar> vta_next_stall(const VtaRun& run, VtaLane lane, std::uint64_t cycle, int direction,
                                     std::uint64_t least) {
    const auto module = module_of(lane);
    if (!module) return {};
    const VtaLaneIndex& index = run.lanes[static_cast<std::size_t>(*module)];
    if (index.empty()) return {};
    std::array<bool, vta::kCauses> wanted{};
    for (int c = static_cast<int>(vta::Cause::WaitTokenPrev); c < static_cast<int>(vta::Cause::Idle); ++c)
        wanted[static_cast<std::size_t>(c)] = true;
    const std::size_t count = index.items().size();
    std::size_t i = index.find(std::min(cycle, run.total() - 1));
    // The interval at the cycle itself counts only when it begins later, so that "next" always moves on.
    while (true) {
        if (direction < 0 ? i == 0 : i + 1 >= count) return {};
        i = direction < 0 ? i - 1 : i + 1;
        i = index.seek(i, direction, wanted);
        if (i >= count) return {};
        if (index.end(i) - index.items()[i].begin >= least)
            return single(index, i, index.items()[i].begin, index.end(i));
    }
}

std::vector<VtaArrow> build_vta_arrows(const VtaDetails& details, std::uint64_t begin, std::uint64_t end,
                                       std::size_t most) {
    std::vector<VtaArrow> shown;
    const auto& records = details.run->cycles.records;
    for (const auto& arrows : details.arrows) {
        auto it =
            std::ranges::lower_bound(arrows, begin, {}, [&](const vta::TokenArrow& a) { return records[a.to].issued; });
        for (; it != arrows.end() && records[it->from].completed < end; ++it) {
            if (shown.size() == most) return {};
            if (records[it->to].issued == vta::kNever) continue;
            shown.push_back({it->queue, it->from, it->to, records[it->from].completed, records[it->to].issued});
        }
    }
    return shown;
}

std::vector<VtaArrow> vta_arrows_of(const VtaDetails& details, std::uint32_t instruction) {
    std::vector<VtaArrow> found;
    const auto& records = details.run->cycles.records;
    const auto add = [&](const vta::TokenArrow& a) {
        if (records[a.from].completed != vta::kNever && records[a.to].issued != vta::kNever)
            found.push_back({a.queue, a.from, a.to, records[a.from].completed, records[a.to].issued});
    };
    for (const auto& arrows : details.arrows) {
        const auto from = std::ranges::lower_bound(arrows, instruction, {}, &vta::TokenArrow::from);
        if (from != arrows.end() && from->from == instruction) add(*from);
        const auto to = std::ranges::lower_bound(arrows, instruction, {}, &vta::TokenArrow::to);
        if (to != arrows.end() && to->to == instruction) add(*to);
    }
    return found;
}

std::string timeline_text(const VtaRun& run, const VtaWindow& window) {
    std::string out = run.title + "\n";
    for (int l = 0; l < kVtaLanes; ++l) {
        const auto lane = static_cast<VtaLane>(l);
        Table table;
        table.columns = {{std::string(vta_lane_name(lane)), Align::Left, 0},
                         {"from", Align::Right, 0},
                         {"to", Align::Right, 0},
                         {"busy", Align::Right, 0},
                         {"at", Align::Left, 0},
                         {"waits", Align::Right, 0},
                         {"for", Align::Left, 0},
                         {"instruction", Align::Right, 0}};
        for (const VtaBar& bar : build_vta_bars(run, lane, window)) {
            const auto named = [&](vta::Cause cause, std::uint64_t cycles) {
                return cycles == 0 ? std::string() : std::string(vta::cause_name(cause));
            };
            TableRow row;
            const std::string cells[] = {bar.merged ? "several" : "one",
                                         grouped(bar.begin),
                                         grouped(bar.end),
                                         grouped(bar.busy_cycles),
                                         named(bar.busy, bar.busy_cycles),
                                         grouped(bar.stall_cycles),
                                         named(bar.stall, bar.stall_cycles),
                                         bar.instruction == vta::kNoInstruction ? "" : std::to_string(bar.instruction)};
            for (const std::string& cell : cells) row.cells.push_back({cell, 0, -1});
            table.rows.push_back(std::move(row));
        }
        out += "\n" + to_text(table);
    }
    return out;
}

std::string timeline_json(const VtaRun& run, const VtaWindow& window) {
    Json lanes = Json::object();
    for (int l = 0; l < kVtaLanes; ++l) {
        const auto lane = static_cast<VtaLane>(l);
        Json& bars = lanes[std::string(vta_lane_name(lane))] = Json::array();
        for (const VtaBar& bar : build_vta_bars(run, lane, window))
            bars.push_back(
                Json{{"begin", bar.begin},
                     {"end", bar.end},
                     {"busy", bar.busy_cycles},
                     {"busy_cause", vta::cause_name(bar.busy)},
                     {"stall", bar.stall_cycles},
                     {"stall_cause", vta::cause_name(bar.stall)},
                     {"merged", bar.merged},
                     {"instruction", bar.instruction == vta::kNoInstruction ? Json(nullptr) : Json(bar.instruction)}});
    }
    return dump(
        Json{{"view", "vta timeline"}, {"title", run.title}, {"cycles", run.total()}, {"lanes", std::move(lanes)}});
}

} // namespace orrery::views
