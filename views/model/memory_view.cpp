#include "views/model/memory_view.hpp"

#include "views/model/json.hpp"

#include <algorithm>
#include <cstdio>

namespace orrery::views {

std::string bytes_text(std::uint64_t bytes) {
    static constexpr const char* kUnits[] = {"B", "KB", "MB", "GB", "TB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < std::size(kUnits)) value /= 1024, ++unit;
    char text[32];
    std::snprintf(text, sizeof text, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
    return text;
}

std::vector<std::string> place_notes(const MemoryBox& box) {
    std::vector<std::string> notes;
    if (!box.part_of.empty()) notes.push_back("inside " + box.part_of);
    if (!box.joins.empty()) notes.push_back(box.joins);
    return notes;
}

void summarize(MemoryViewData& data) {
    data.live_bytes.assign(data.step_names.size(), 0);
    std::vector<std::uint64_t> counted(data.step_names.size(), 0); // each step's bytes up to here
    std::vector<const MemoryBox*> boxes;
    for (const MemoryBox& box : data.boxes) boxes.push_back(&box);
    std::ranges::stable_sort(boxes, {}, [](const MemoryBox* box) { return box->offset; });
    std::size_t values = 0, parts = 0;
    for (const MemoryBox* box : boxes) {
        values += box->workspace ? 0 : 1, parts += box->part_of.empty() ? 0 : 1;
        const std::uint64_t end = box->offset + box->bytes;
        for (std::int32_t at = std::max(0, box->first_step);
             at <= box->last_step && at < static_cast<int>(data.live_bytes.size()); ++at) {
            const auto s = static_cast<std::size_t>(at);
            const std::uint64_t start = std::max(box->offset, counted[s]);
            if (end > start) data.live_bytes[s] += end - start;
            counted[s] = std::max(counted[s], end);
        }
    }
    if (data.boxes.empty()) return;
    data.summary = bytes_text(data.arena_bytes) + " for " + std::to_string(values) + " values";
    if (parts > 0) data.summary += ", " + std::to_string(parts) + " of them inside others";
    if (data.bound_bytes != 0) {
        const double above =
            100.0 * (static_cast<double>(data.arena_bytes) / static_cast<double>(data.bound_bytes) - 1);
        char text[64];
        std::snprintf(text, sizeof text, above < 0.05 ? ", the least possible" : ", %.1f %% above the least possible",
                      above);
        data.summary += text;
    }
    if (data.constant_bytes != 0) data.summary += " · " + bytes_text(data.constant_bytes) + " of weights";
}

Table memory_table(const MemoryViewData& data) {
    Table table;
    table.columns = {{"Buffer", Align::Left, 0},
                     {"Type", Align::Left, 24},
                     {"Size", Align::Right, 10},
                     {"Offset", Align::Right, 10},
                     {"Steps", Align::Right, 8}};
    table.empty_reason = data.empty_reason;
    const bool parts = std::ranges::any_of(data.boxes, [](const MemoryBox& box) { return !box.part_of.empty(); });
    if (parts) table.columns.push_back({"Part of", Align::Left, 12});
    std::uint64_t largest = 1;
    for (const MemoryBox& box : data.boxes) largest = std::max(largest, box.bytes);
    const auto known = [&](std::int32_t index) {
        return index >= 0 && index < static_cast<int>(data.step_names.size());
    };
    const auto step = [&](std::int32_t index) {
        return known(index) ? std::to_string(index + 1) + " " + data.step_names[static_cast<std::size_t>(index)]
                            : std::string("the model's edge");
    };
    const auto number = [&](std::int32_t index) { return known(index) ? std::to_string(index + 1) : std::string("-"); };
    for (const MemoryBox& box : data.boxes) {
        TableRow row;
        row.origins = box.origins;
        row.tone = box.workspace ? Tone::Dim : Tone::Normal;
        row.cells = {{box.name, 0, -1},
                     {box.workspace ? "workspace" : box.type, 0, -1},
                     {bytes_text(box.bytes), static_cast<double>(box.bytes),
                      static_cast<float>(box.bytes) / static_cast<float>(largest)},
                     {bytes_text(box.offset), static_cast<double>(box.offset), -1},
                     {box.first_step == box.last_step ? number(box.first_step)
                                                      : number(box.first_step) + "–" + number(box.last_step),
                      static_cast<double>(box.first_step + 1), -1}};
        if (parts) row.cells.push_back({box.part_of, 0, -1});
        row.details = box.name + ": " + (box.workspace ? "workspace" : box.type) + ", " + bytes_text(box.bytes) +
                      " at " + bytes_text(box.offset) + "\nfrom " + step(box.first_step) + " to " + step(box.last_step);
        for (const std::string& line : place_notes(box)) row.details += "\n" + line;
        table.rows.push_back(std::move(row));
    }
    return table;
}

std::string to_text(const MemoryViewData& data) {
    if (data.boxes.empty()) return data.empty_reason + "\n";
    return data.summary + "\n" + to_text(memory_table(data));
}

std::string to_json(const MemoryViewData& data) {
    Json boxes = Json::array();
    for (const MemoryBox& b : data.boxes)
        boxes.push_back(Json{{"name", b.name},
                             {"type", b.type},
                             {"offset", b.offset},
                             {"bytes", b.bytes},
                             {"first_step", b.first_step},
                             {"last_step", b.last_step},
                             {"kind", to_string(b.kind)},
                             {"workspace", b.workspace},
                             {"part_of", b.part_of},
                             {"joins", b.joins},
                             {"origins", json_of(b.origins)}});
    return dump(Json{{"view", "memory"},
                     {"arena_bytes", data.arena_bytes},
                     {"bound_bytes", data.bound_bytes},
                     {"constant_bytes", data.constant_bytes},
                     {"steps", data.step_names},
                     {"live_bytes", data.live_bytes},
                     {"boxes", std::move(boxes)}});
}

} // namespace orrery::views
