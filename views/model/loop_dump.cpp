// The scheduler's view data as text and JSON.

#include "views/model/json.hpp"
#include "views/model/loop_view.hpp"

#include <algorithm>

namespace orrery::views {

namespace {

constexpr const char* kRowNames[] = {"loop", "block", "buffer", "condition"};

Json row_json(const LoopRow& row) {
    Json json{{"row", kRowNames[static_cast<std::size_t>(row.row)]}, {"depth", row.depth}, {"name", row.name}};
    if (!row.place.empty()) json["place"] = row.place;
    if (!row.extent.empty()) json["extent"] = row.extent;
    if (row.row == LoopRowKind::Loop) json["kind"] = loop_kind_name(row.kind), json["nest"] = row.nest;
    if (!row.facts.empty()) json["facts"] = row.facts;
    json["lines"] = {row.first_line, row.last_line};
    json["origins"] = json_of(row.origins);
    return json;
}

Json row_json(const TraceRow& row) {
    Json json{{"step", row.text}, {"applied", row.applied}};
    if (!row.error.empty()) json["error"] = row.error;
    if (row.verdict != StepVerdict::Unknown) json["right"] = row.verdict == StepVerdict::Right;
    if (!row.wrong.empty()) json["wrong"] = row.wrong;
    for (const TraceNumber& number : row.numbers) {
        if (number.knob.empty()) continue;
        json["knobs"].push_back({{"name", number.knob}, {"value", number.value}, {"candidates", number.candidates}});
    }
    return json;
}

} // namespace

std::string to_text(const LoopViewData& data) {
    if (data.subject.empty()) return data.empty_reason + "\n";
    std::string text = data.subject + ": " + data.note + "\n";
    std::size_t widest = 0;
    const auto head = [](const LoopRow& row) {
        return std::string(static_cast<std::size_t>(2 * row.depth) + 2, ' ') +
               (row.row == LoopRowKind::Loop ? "" : std::string(kRowNames[static_cast<std::size_t>(row.row)]) + " ") +
               row.name;
    };
    for (const LoopRow& row : data.rows) widest = std::max(widest, head(row).size() + 2 + row.extent.size());
    for (const LoopRow& row : data.rows) {
        std::string line = head(row);
        if (!row.extent.empty()) line += "  " + row.extent;
        if (!row.facts.empty()) line += std::string(widest + 2 - std::min(widest, line.size()), ' ') + row.facts;
        text += line + "\n";
    }
    if (data.rows.empty()) text += "  " + data.empty_reason + "\n";
    text += std::string("trace: ") + (data.is_default ? "the default" : "your own") +
            (data.knobs.empty() ? "" : ", " + data.knobs) + "\n";
    for (std::size_t i = 0; i < data.trace.size(); ++i) {
        const TraceRow& row = data.trace[i];
        text += (static_cast<int>(i) + 1 == data.shown ? "> " : "  ") + std::to_string(i + 1) + "  " + row.text;
        if (!row.error.empty())
            text += "  refused: " + row.error;
        else if (!row.applied)
            text += "  not reached";
        if (!row.wrong.empty())
            text += "  wrong: " + row.wrong;
        else if (row.verdict != StepVerdict::Unknown)
            text += row.verdict == StepVerdict::Right ? "  right" : "  wrong";
        text += "\n";
    }
    for (const std::string& branch : data.branches) text += "branch " + branch + "\n";
    return text;
}

std::string to_json(const LoopViewData& data) {
    Json json{{"subject", data.subject}, {"note", data.note},          {"shown", data.shown},
              {"reached", data.reached}, {"default", data.is_default}, {"rows", Json::array()}};
    for (const LoopRow& row : data.rows) json["rows"].push_back(row_json(row));
    json["trace"] = Json::array();
    for (const TraceRow& row : data.trace) json["trace"].push_back(row_json(row));
    json["branches"] = data.branches;
    return dump(json);
}

std::string to_text(const MenuViewData& data) {
    if (data.entries.empty()) return data.empty_reason + "\n";
    std::string text;
    for (const MenuEntry& entry : data.entries)
        text += entry.legal() ? "yes " + entry.step + "\n" : "no  " + entry.primitive + ": " + entry.reason + "\n";
    return text;
}

std::string to_json(const MenuViewData& data) {
    Json json{{"place", data.place}, {"entries", Json::array()}};
    for (const MenuEntry& entry : data.entries) {
        Json row{{"primitive", entry.primitive}, {"legal", entry.legal()}, {"summary", entry.summary}};
        if (entry.legal())
            row["step"] = entry.step;
        else
            row["reason"] = entry.reason;
        json["entries"].push_back(std::move(row));
    }
    return dump(json);
}

std::string to_text(const PreviewViewData& data) {
    if (!data.text) return (data.error.empty() ? "No step is asked for." : data.error) + "\n";
    std::string text = data.step + ": " + data.sentence + "\n";
    constexpr char kSigns[] = {' ', '+', '-', '~', '>', ' '};
    for (int line = 0; line < data.text->line_count(); ++line) {
        text += kSigns[static_cast<std::size_t>(data.text->changes[static_cast<std::size_t>(line)])];
        text += " " + std::string(data.text->line(line)) + "\n";
    }
    return text;
}

std::string to_json(const PreviewViewData& data) {
    Json json{{"step", data.step}, {"sentence", data.sentence}};
    if (!data.error.empty()) json["error"] = data.error;
    if (data.text) json["text"] = Json::parse(to_json(*data.text));
    return dump(json);
}

} // namespace orrery::views
