#include "core/tuning/record_lines.hpp"

#include <nlohmann/json.hpp>

namespace orrery::tuning {

namespace {
using Json = nlohmann::ordered_json;
constexpr std::size_t kWorkloadDigits = 32;
} // namespace

std::string to_line(const Record& r) {
    const Json out{{"workload", r.workload},
                   {"function", r.function},
                   {"target", r.target},
                   {"threads", r.threads},
                   {"weights_distance", r.weights_distance},
                   {"machine", r.machine},
                   {"version", r.version},
                   {"time", r.time},
                   {"outcome", outcome_name(r.outcome)},
                   {"reason", r.reason},
                   {"median_ms", r.times.median_ms},
                   {"min_ms", r.times.min_ms},
                   {"low_ms", r.times.low_ms},
                   {"high_ms", r.times.high_ms},
                   {"spread", r.times.spread},
                   {"runs", r.times.runs},
                   {"busy_others", r.busy_others},
                   {"trace", r.trace}};
    return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Record> from_line(std::string_view line) {
    const auto bad = [](const std::string& why) {
        return Diagnostic{Code::BadText, "this is no record: " + why, {}, "orrery records export writes some"};
    };
    const Json in = Json::parse(line, nullptr, false);
    if (!in.is_object()) return bad("it is no JSON object");
    Record out;
    std::string wrong, outcome = outcome_name(Outcome::Ok);
    const auto text = [&](const char* key, std::string& value) {
        if (!in.contains(key)) return;
        if (in[key].is_string())
            value = in[key].get<std::string>();
        else
            wrong = key;
    };
    const auto number = [&](const char* key, auto& value) {
        if (!in.contains(key)) return;
        if (in[key].is_number())
            value = in[key].get<std::remove_reference_t<decltype(value)>>();
        else
            wrong = key;
    };
    text("workload", out.workload), text("function", out.function), text("target", out.target);
    text("machine", out.machine), text("version", out.version), text("outcome", outcome);
    text("reason", out.reason), text("trace", out.trace);
    number("threads", out.threads), number("weights_distance", out.weights_distance), number("time", out.time);
    number("median_ms", out.times.median_ms);
    number("min_ms", out.times.min_ms), number("low_ms", out.times.low_ms), number("high_ms", out.times.high_ms);
    number("spread", out.times.spread), number("runs", out.times.runs), number("busy_others", out.busy_others);
    if (!wrong.empty()) return bad("\"" + wrong + "\" has a value of another type");
    if (out.workload.size() != kWorkloadDigits) return bad("its workload is no hash");
    const std::optional<Outcome> known = parse_outcome(outcome);
    if (!known) return bad("there is no outcome \"" + outcome + "\"");
    out.outcome = *known;
    return out;
}

} // namespace orrery::tuning
