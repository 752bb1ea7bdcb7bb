#include "core/session/shipped.hpp"

#include "core/session/shipped_lines.hpp"

#include <nlohmann/json.hpp>

namespace orrery::session {

namespace {

std::string key_of(const std::string& workload, const std::string& kind) { return workload + " " + kind; }

} // namespace

std::string target_kind(const Target& target) {
    const std::string architecture = target.triple.substr(0, target.triple.find('-'));
    return architecture + ", " + std::to_string(target.vector_bits) + "-bit vectors, " +
           std::to_string(target.vector_registers) + " registers";
}

ShippedTraces::ShippedTraces(std::string_view lines) {
    for (std::size_t at = 0; at < lines.size();) {
        const std::size_t end = std::min(lines.find('\n', at), lines.size());
        const auto line = nlohmann::json::parse(lines.substr(at, end - at), nullptr, false);
        at = end + 1;
        if (!line.is_object()) continue;
        const auto text = [&line](const char* key) {
            const auto found = line.find(key);
            return found != line.end() && found->is_string() ? found->get<std::string>() : std::string();
        };
        if (!text("workload").empty()) traces_[key_of(text("workload"), text("target"))] = text("trace");
    }
}

const ShippedTraces& ShippedTraces::built_in() {
    static const ShippedTraces all{shipped_lines()};
    return all;
}

std::optional<schedule::Scheduled> ShippedTraces::find(const lower::LoweredFunction& function,
                                                       const Target& target) const {
    const auto found = traces_.find(key_of(to_string(function.workload), target_kind(target)));
    if (found == traces_.end()) return std::nullopt;
    Result<schedule::Trace> trace = schedule::parse_trace(found->second);
    if (!trace) return std::nullopt;
    // Equal workloads may name their loops otherwise.
    Result<schedule::Replay> replay = schedule::replay(function.program, *trace);
    if (!replay) return std::nullopt;
    return schedule::Scheduled{*std::move(trace), *std::move(replay)};
}

RuledTrace ruled_trace(ScheduleRule rule, const lower::LoweredFunction& function, const Target& target) {
    if (rule == ScheduleRule::None || !function.backend.empty()) return {{}, {{function.program}}, false};
    std::optional<schedule::Scheduled> shipped;
    if (rule == ScheduleRule::Default) shipped = ShippedTraces::built_in().find(function, target);
    schedule::Scheduled made = shipped ? *std::move(shipped) : schedule::default_schedule(function.program, target);
    return {std::move(made.trace), std::move(made.replay), shipped.has_value()};
}

} // namespace orrery::session
