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

void summarize(MemoryViewData& data) {
    data.live_bytes.assign(data.step_names.size(), 0);
    std::size_t values = 0;
    for (const MemoryBox& box : data.boxes) {
        values += box.workspace ? 0 : 1;
        for (std::int32_t s = std::max(0, box.first_step);
             s <= box.last_step && s < static_cast<int>(data.live_bytes.size()); ++s)
            data.live_bytes[static_cast<std::size_t>(s)] += box.bytes;
    }
    if (data.boxes.empty()) return;
    data.summary = bytes_text(data.arena_bytes) + " for " + std::to_string(values) + " values";
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
        row.details = box.name + ": " + (box.workspace ? "workspace" : box.type) + ", " + bytes_text(box.bytes) +
                      " at " + bytes_text(box.offset) + "\nfrom " + step(box.first_step) + " to " + step(box.last_step);
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
