// What nodes cost: overlays, their legend, the table twin.

#include "views/model/graph_view.hpp"

#include "views/model/memory_view.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <unordered_map>

namespace orrery::views {
namespace {

std::string formatted(const char* format, double value) {
    char text[48];
    std::snprintf(text, sizeof text, format, value);
    return text;
}

std::string time_text(double ms) {
    if (ms < 0.095) return formatted("%.1f µs", ms * 1000);
    return formatted(ms >= 100 ? "%.0f ms" : "%.2f ms", ms);
}

/// "231 MFLOP"; powers of 1000.
std::string count_text(double value, const char* unit) {
    static constexpr std::array<const char*, 5> kPrefix = {" ", " k", " M", " G", " T"};
    std::size_t power = 0;
    while (value >= 999.5 && power + 1 < kPrefix.size()) value /= 1000, ++power;
    return formatted(value >= 100 || power == 0 ? "%.0f" : "%.3g", value) + kPrefix[power] + unit;
}

const char* title_of(Overlay overlay) {
    switch (overlay) {
    case Overlay::Latency: return "Time of the last run";
    case Overlay::Flops: return "Floating-point operations";
    case Overlay::Bytes: return "Bytes read and written";
    case Overlay::Intensity: return "FLOP for each byte";
    case Overlay::Error: return "Error against the interpreter";
    }
    return "";
}

/// Known values are summed, errors are not: the worst stands for all.
void add(NodeValues& sum, const NodeValues& one) {
    const auto plus = [](double& total, double value) {
        if (value >= 0) total = std::max(total, 0.0) + value;
    };
    plus(sum.time_ms, one.time_ms);
    plus(sum.flops, one.flops);
    plus(sum.bytes, one.bytes);
    sum.error = std::max(sum.error, one.error);
}

// Errors are coloured by their logarithm. Source: our choice; float32 rounds at 6e-8, the check tolerates 1e-4.
constexpr double kLeastError = 1e-8, kMostError = 1e-3;

float heat_of(double value, double most, Overlay overlay) {
    if (value < 0) return -1;
    if (overlay == Overlay::Error) {
        if (value <= kLeastError) return 0;
        const double share = std::log10(value / kLeastError) / std::log10(kMostError / kLeastError);
        return static_cast<float>(std::clamp(share, 0.0, 1.0));
    }
    return most <= 0 ? -1 : static_cast<float>(value / most);
}

/// Finds what a box stands for again by its name.
class Members {
  public:
    Members(const GraphViewData& data, const GraphDescription& description) : description_(description) {
        for (const GraphItem& item : description.items) by_name_.emplace(item.name, &item);
        if (!data.group_names.empty()) found_ = find_blocks(description, data.group_by);
        for (const GraphBlock& b : found_) blocks_.emplace(b.name, &b);
    }

    /// Values of a box and the subtitle without them; nothing for a box that stands for no item.
    bool describe(const GraphNode& node, NodeValues& values, std::string& subtitle) const {
        if (const auto it = by_name_.find(node.name); it != by_name_.end()) {
            values = it->second->values();
            subtitle = it->second->subtitle;
            return true;
        }
        return describe_group(node.name, values, subtitle);
    }

    /// What is known of a group as a whole only.
    [[nodiscard]] NodeValues own_values(const std::string& name) const {
        const auto block = blocks_.find(name);
        const int cluster = block == blocks_.end() ? -1 : block->second->cluster;
        return cluster < 0 ? NodeValues{} : description_.clusters[static_cast<std::size_t>(cluster)].values;
    }

    /// The same of a group, by its name.
    bool describe_group(const std::string& name, NodeValues& values, std::string& subtitle) const {
        const auto block = blocks_.find(name);
        if (block == blocks_.end()) return false;
        for (int k = block->second->first; k < block->second->first + block->second->count; ++k) {
            const GraphItem& item = description_.items[static_cast<std::size_t>(k)];
            if (item.kind == OperatorKind::Constant) continue;
            add(values, item.values());
            subtitle = item.subtitle;
        }
        if (const int c = block->second->cluster; c >= 0)
            add(values, description_.clusters[static_cast<std::size_t>(c)].values);
        return true;
    }

  private:
    const GraphDescription& description_;
    std::unordered_map<std::string_view, const GraphItem*> by_name_;
    std::unordered_map<std::string_view, const GraphBlock*> blocks_;
    std::vector<GraphBlock> found_;
};

/// Everything that has values of its own: items, and clusters where those have them.
struct Entry {
    std::string title, name, subtitle, reason;
    OriginSet origins;
    NodeValues values;
};

std::vector<Entry> entries_of(const GraphDescription& description) {
    std::vector<Entry> entries;
    std::vector<int> entry_of_cluster(description.clusters.size(), -1);
    for (const GraphItem& item : description.items) {
        if (is_pill(item.kind)) continue;
        const auto cluster = static_cast<std::size_t>(std::max(0, item.cluster));
        const bool whole = item.cluster >= 0 && !(description.clusters[cluster].values == NodeValues{});
        if (!whole) {
            entries.push_back({item.title, item.name, item.subtitle, item.reason, item.origins, item.values()});
            continue;
        }
        int& at = entry_of_cluster[cluster];
        if (at < 0) {
            const GraphCluster& c = description.clusters[cluster];
            at = static_cast<int>(entries.size());
            entries.push_back({c.title, c.name.substr(c.name.find(':') + 1), {}, {}, {}, c.values});
        }
        Entry& entry = entries[static_cast<std::size_t>(at)];
        entry.origins = unite(entry.origins, item.origins);
        entry.subtitle = item.subtitle;
    }
    return entries;
}

TableCell cell_of(double value, double sum, Overlay overlay, bool with_bar) {
    if (value < 0) return {"", -1, -1};
    return {value_text(value, overlay), value, with_bar && sum > 0 ? static_cast<float>(value / sum) : -1.f};
}

Table table_of(const GraphDescription& description) {
    Table table;
    table.columns = {{"Operator", Align::Left, 0},
                     {"Result", Align::Left, 16},
                     {"Time", Align::Right, 10, "ms"},
                     {"Work", Align::Right, 13, "FLOP"},
                     {"Bytes", Align::Right, 10, "B"},
                     {"Intensity", Align::Right, 13, "FLOP/B"},
                     {"Error", Align::Right, 9, "of the largest element"},
                     {"Name", Align::Left, 26}};
    table.empty_reason = "The operators of the graph that is shown are listed here, with what each costs.";
    const std::vector<Entry> entries = entries_of(description);
    NodeValues most;
    for (const Entry& e : entries) {
        most.time_ms = std::max(most.time_ms, e.values.time_ms);
        most.flops = std::max(most.flops, e.values.flops);
        most.bytes = std::max(most.bytes, e.values.bytes);
    }
    for (const Entry& e : entries) {
        const NodeValues& v = e.values;
        TableRow row;
        row.cells = {{e.title, 0, -1},
                     {e.subtitle, 0, -1},
                     cell_of(v.time_ms, most.time_ms, Overlay::Latency, true),
                     cell_of(v.flops, most.flops, Overlay::Flops, true),
                     cell_of(v.bytes, most.bytes, Overlay::Bytes, true),
                     cell_of(value_of(v, Overlay::Intensity), 0, Overlay::Intensity, false),
                     cell_of(v.error, 0, Overlay::Error, false),
                     {e.name, 0, -1}};
        row.origins = e.origins;
        if (!e.reason.empty()) row.details = e.title + "\t" + e.name + "\t" + e.reason;
        table.rows.push_back(std::move(row));
    }
    return table;
}

} // namespace

std::string_view to_string(Overlay overlay) {
    static constexpr std::array<std::string_view, kOverlays> kNames = {"latency", "flops", "bytes", "intensity",
                                                                       "error"};
    return kNames[static_cast<std::size_t>(overlay)];
}

std::optional<Overlay> parse_overlay(std::string_view name) {
    for (int i = 0; i < kOverlays; ++i)
        if (to_string(static_cast<Overlay>(i)) == name) return static_cast<Overlay>(i);
    return std::nullopt;
}

std::string_view to_string(GroupBy by) {
    static constexpr std::array<std::string_view, kGroupings> kNames = {"blocks", "modules", "repeats", "kernels",
                                                                        "backends"};
    return kNames[static_cast<std::size_t>(by)];
}

std::optional<GroupBy> parse_group_by(std::string_view name) {
    for (int i = 0; i < kGroupings; ++i)
        if (to_string(static_cast<GroupBy>(i)) == name) return static_cast<GroupBy>(i);
    return std::nullopt;
}

double value_of(const NodeValues& values, Overlay overlay) {
    switch (overlay) {
    case Overlay::Latency: return values.time_ms;
    case Overlay::Flops: return values.flops;
    case Overlay::Bytes: return values.bytes;
    case Overlay::Intensity: return values.flops < 0 || values.bytes <= 0 ? -1 : values.flops / values.bytes;
    case Overlay::Error: return values.error;
    }
    return -1;
}

std::string value_text(double value, Overlay overlay) {
    switch (overlay) {
    case Overlay::Latency: return time_text(value);
    case Overlay::Flops: return count_text(value, "FLOP");
    case Overlay::Bytes: return bytes_text(static_cast<std::uint64_t>(value));
    case Overlay::Intensity: return formatted(value >= 100 ? "%.0f FLOP/B" : "%.3g FLOP/B", value);
    case Overlay::Error: return value == 0 ? std::string("exact") : formatted("%.1e", value);
    }
    return {};
}

namespace {

/// Values of open groups; what is known of a whole only counts beside the nodes.
void fill_frames(GraphViewData& out, const Members& members, Overlay overlay, NodeValues& all, double& most) {
    for (GraphFrame& frame : out.frames) {
        const NodeValues own = members.own_values(frame.name);
        add(all, own);
        most = std::max(most, value_of(own, overlay));
        for (int o = 0; o < kOverlays; ++o)
            if (value_of(own, static_cast<Overlay>(o)) >= 0) out.has_overlay[static_cast<std::size_t>(o)] = true;
    }
    for (GraphFrame& frame : out.frames) {
        NodeValues values;
        std::string subtitle;
        frame.value.clear();
        frame.heat = heat_of(value_of(members.own_values(frame.name), overlay), most, overlay);
        if (!members.describe_group(frame.name, values, subtitle)) continue;
        if (const double value = value_of(values, overlay); value >= 0) frame.value = value_text(value, overlay);
    }
}

} // namespace

GraphViewData with_values(const GraphViewData& data, const GraphDescription& description, Overlay overlay) {
    GraphViewData out = data;
    out.overlay = overlay;
    out.has_overlay = {};
    const Members members(out, description);
    std::vector<double> shown(out.nodes.size(), -1);
    double most = 0;
    NodeValues all;
    for (std::size_t i = 0; i < out.nodes.size(); ++i) {
        GraphNode& node = out.nodes[i];
        node.value.clear();
        NodeValues values;
        if (node.stub || !members.describe(node, values, node.subtitle)) continue;
        add(all, values);
        for (int o = 0; o < kOverlays; ++o)
            if (value_of(values, static_cast<Overlay>(o)) >= 0) out.has_overlay[static_cast<std::size_t>(o)] = true;
        shown[i] = value_of(values, overlay);
        most = std::max(most, shown[i]);
        if (shown[i] < 0) continue;
        node.value = value_text(shown[i], overlay);
        node.subtitle += (node.subtitle.empty() ? "" : "  ") + node.value;
    }
    fill_frames(out, members, overlay, all, most);
    for (std::size_t i = 0; i < out.nodes.size(); ++i) out.nodes[i].heat = heat_of(shown[i], most, overlay);
    out.has_times = out.has_overlay[static_cast<std::size_t>(Overlay::Latency)];
    out.legend = {};
    if (out.has_overlay[static_cast<std::size_t>(overlay)]) {
        const bool error = overlay == Overlay::Error, sum = !error && overlay != Overlay::Intensity;
        out.legend = {title_of(overlay), error ? formatted("%.0e", kLeastError) : "0",
                      error ? formatted("%.0e", kMostError) : value_text(most, overlay),
                      sum     ? value_text(value_of(all, overlay), overlay) + " in all"
                      : error ? "worst " + value_text(all.error, overlay)
                              : ""};
    }
    out.table = table_of(description);
    return out;
}

GraphViewData with_times(const GraphViewData& data, const GraphDescription& description) {
    return with_values(data, description, data.overlay);
}

} // namespace orrery::views
