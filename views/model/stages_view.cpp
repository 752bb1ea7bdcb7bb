#include "views/model/stages_view.hpp"

#include "views/model/json.hpp"

#include <algorithm>
#include <cctype>

namespace orrery::views {
namespace {

const char* state_name(StageState state) {
    switch (state) {
    case StageState::Pending: return "pending";
    case StageState::Running: return "running";
    case StageState::Done: return "done";
    case StageState::Failed: return "failed";
    case StageState::Disabled: return "disabled";
    }
    return "";
}

std::string lowered(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

} // namespace

bool passes_filter(const StageStep& step, std::string_view text, bool only_changed) {
    const bool quiet = !step.changed && !step.selected && !step.culprit && step.state == StageState::Done;
    if (only_changed && quiet) return false;
    return text.empty() || lowered(step.name + " " + step.detail).find(lowered(text)) != std::string::npos;
}

std::string to_text(const StagesViewData& data) {
    if (data.sections.empty()) return data.empty_reason + "\n";
    std::string out;
    for (const StageSection& section : data.sections) {
        out += section.title + "\n";
        for (const StageStep& s : section.steps) {
            out += s.selected ? "  > " : "    ";
            out += s.name;
            if (!s.changed) out += " (unchanged)";
            if (s.state != StageState::Done) out += std::string(" [") + state_name(s.state) + "]";
            if (!s.detail.empty()) out += "  " + s.detail;
            if (!s.time.empty()) out += "  " + s.time;
            if (!s.check.empty()) out += "  error " + s.check;
            if (s.culprit) out += "  <- first wrong";
            for (const StageOption& option : s.options)
                if (option.own) out += "  " + option.name + "=" + option.value.substr(0, option.value.find('\n'));
            if (!s.error.empty()) out += "\n        " + s.error;
            out += "\n";
        }
    }
    return data.command.empty() ? out : out + data.command + "\n";
}

std::string to_json(const StagesViewData& data) {
    Json sections = Json::array();
    for (const StageSection& section : data.sections) {
        Json steps = Json::array();
        for (const StageStep& s : section.steps) {
            Json options = Json::array();
            for (const StageOption& option : s.options)
                options.push_back(Json{{"name", option.name}, {"value", option.value}, {"own", option.own}});
            steps.push_back(Json{{"id", s.id},
                                 {"name", s.name},
                                 {"detail", s.detail},
                                 {"time", s.time},
                                 {"changed", s.changed},
                                 {"selected", s.selected},
                                 {"state", state_name(s.state)},
                                 {"check", s.check},
                                 {"culprit", s.culprit},
                                 {"error", s.error},
                                 {"options", std::move(options)}});
        }
        sections.push_back(Json{{"title", section.title}, {"steps", std::move(steps)}});
    }
    return dump(Json{{"view", "stages"}, {"sections", std::move(sections)}, {"command", data.command}});
}

} // namespace orrery::views
