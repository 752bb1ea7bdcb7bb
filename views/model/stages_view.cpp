#include "views/model/stages_view.hpp"

#include "views/model/json.hpp"

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

} // namespace

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
            out += "\n";
        }
    }
    return out;
}

std::string to_json(const StagesViewData& data) {
    Json sections = Json::array();
    for (const StageSection& section : data.sections) {
        Json steps = Json::array();
        for (const StageStep& s : section.steps)
            steps.push_back(Json{{"id", s.id},
                                 {"name", s.name},
                                 {"detail", s.detail},
                                 {"time", s.time},
                                 {"changed", s.changed},
                                 {"selected", s.selected},
                                 {"state", state_name(s.state)}});
        sections.push_back(Json{{"title", section.title}, {"steps", std::move(steps)}});
    }
    return dump(Json{{"view", "stages"}, {"sections", std::move(sections)}});
}

} // namespace orrery::views
