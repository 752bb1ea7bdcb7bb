#include "views/model/panels.hpp"

#include "views/model/json.hpp"

#include <string_view>
#include <utility>

namespace orrery::views {
namespace {

const char* severity_name(Severity severity) {
    switch (severity) {
    case Severity::Note: return "note";
    case Severity::Warning: return "warning";
    case Severity::Error: return "error";
    }
    return "";
}

const char* tone_name(Tone tone) {
    switch (tone) {
    case Tone::Normal: return "normal";
    case Tone::Dim: return "unknown";
    case Tone::Good: return "good";
    case Tone::Warning: return "warning";
    case Tone::Bad: return "bad";
    }
    return "";
}

/// The inputs that a remedy names: "--shape ids=... --shape mask=..." gives "ids, mask".
std::string inputs_named(const std::string& hint) {
    constexpr std::string_view kOption = "--shape ";
    std::string names;
    for (std::size_t at = hint.find(kOption); at != std::string::npos; at = hint.find(kOption, at)) {
        at += kOption.size();
        const std::size_t equals = hint.find('=', at);
        if (equals == std::string::npos || hint.find(' ', at) < equals) continue;
        names += (names.empty() ? "" : ", ") + hint.substr(at, equals - at);
    }
    return names;
}

} // namespace

std::string hint_in_window(const std::string& hint, bool opened) {
    if (hint.find("--shape") != std::string::npos) {
        if (!opened) return hint + ", on the command line, or open a recipe with these shapes";
        const std::string names = inputs_named(hint);
        return "double-click the import stage and give " + (names.empty() ? std::string("the inputs their shapes")
                                                            : names.find(',') == std::string::npos
                                                                ? names + " a shape"
                                                                : names + " their shapes");
    }
    constexpr std::pair<std::string_view, std::string_view> kElsewhere[] = {
        {"compile without --partition, or switch AnnotateTarget off", "switch AnnotateTarget off"},
        {"compile it without --partition", "switch AnnotateTarget off"},
        {"leave out --partition", "switch AnnotateTarget off"}};
    std::string out = hint;
    for (const auto& [option, action] : kElsewhere)
        if (const std::size_t at = out.find(option); at != std::string::npos) out.replace(at, option.size(), action);
    return out;
}

ProblemsViewData build_problems(const std::vector<Diagnostic>& diagnostics, bool opened) {
    ProblemsViewData data;
    data.table.columns = {{"", Align::Left, 8},
                          {"Problem", Align::Left, 0},
                          {"Where", Align::Left, 26},
                          {"What to do", Align::Left, 30},
                          {"Code", Align::Left, 18}};
    data.table.empty_reason = "No problems.";
    for (const Diagnostic& d : diagnostics) {
        TableRow row;
        std::string where;
        for (const Location& location : d.locations) where += (where.empty() ? "" : ", ") + to_string(location);
        row.cells = {{severity_name(d.severity), -static_cast<double>(d.severity), -1},
                     {d.message, 0, -1},
                     {where, 0, -1},
                     {hint_in_window(d.hint, opened), 0, -1},
                     {code_name(d.code), 0, -1}};
        row.tone = d.severity == Severity::Error     ? Tone::Bad
                   : d.severity == Severity::Warning ? Tone::Warning
                                                     : Tone::Dim;
        Diagnostic said = d;
        said.hint = hint_in_window(d.hint, opened);
        row.details = to_string(said);
        data.errors += d.severity == Severity::Error ? 1 : 0;
        data.warnings += d.severity == Severity::Warning ? 1 : 0;
        data.table.rows.push_back(std::move(row));
    }
    return data;
}

std::string to_text(const InspectorViewData& data) {
    if (data.title.empty()) return data.empty_reason + "\n";
    std::string out = data.title + "\n";
    if (!data.subtitle.empty()) out += data.subtitle + "\n";
    for (const InspectorSection& section : data.sections) {
        out += "\n" + section.title + "\n";
        if (!section.body.empty()) out += "  " + section.body + "\n";
        for (const InspectorField& field : section.fields) out += "  " + field.key + ": " + field.value + "\n";
    }
    return out;
}

std::string to_json(const InspectorViewData& data) {
    Json sections = Json::array();
    for (const InspectorSection& section : data.sections) {
        Json fields = Json::object();
        for (const InspectorField& field : section.fields) fields[field.key] = field.value;
        sections.push_back(Json{{"title", section.title}, {"body", section.body}, {"fields", std::move(fields)}});
    }
    return dump(Json{
        {"view", "inspector"}, {"title", data.title}, {"subtitle", data.subtitle}, {"sections", std::move(sections)}});
}

std::string to_text(const RunViewData& data) {
    if (data.summary.empty()) return data.empty_reason + "\n";
    return data.summary + "\n" + data.agreement + "\n\n" + to_text(data.outputs) + "\n" + to_text(data.operators);
}

std::string to_json(const RunViewData& data) {
    return dump(Json{{"view", "run"},
                     {"summary", data.summary},
                     {"agreement", data.agreement},
                     {"agreement_state", tone_name(data.agreement_tone)},
                     {"outputs", json_of(data.outputs)},
                     {"operators", json_of(data.operators)}});
}

std::string to_text(const ProblemsViewData& data) { return to_text(data.table); }

std::string to_json(const ProblemsViewData& data) {
    return dump(Json{
        {"view", "problems"}, {"errors", data.errors}, {"warnings", data.warnings}, {"table", json_of(data.table)}});
}

std::string to_text(const StartViewData& data) {
    std::string out;
    for (const StartSample& s : data.samples) out += s.name + "  " + s.title + "  " + s.figures + "\n";
    for (const StartSample& s : data.gallery) out += s.name + "  " + s.title + "  " + s.figures + "\n";
    for (const StartRecent& r : data.recents) out += r.path + "\n";
    return out;
}

std::string to_json(const StartViewData& data) {
    const auto list = [](const std::vector<StartSample>& from) {
        Json out = Json::array();
        for (const StartSample& s : from)
            out.push_back(
                Json{{"name", s.name}, {"title", s.title}, {"description", s.description}, {"figures", s.figures}});
        return out;
    };
    Json samples = list(data.samples), gallery = list(data.gallery), recents = Json::array();
    for (const StartRecent& r : data.recents) recents.push_back(Json{{"path", r.path}, {"exists", r.exists}});
    return dump(Json{{"view", "start"},
                     {"samples", std::move(samples)},
                     {"gallery", std::move(gallery)},
                     {"recents", std::move(recents)}});
}

} // namespace orrery::views
