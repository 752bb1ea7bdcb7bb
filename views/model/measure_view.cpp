#include "views/model/measure_view.hpp"

#include "core/session/measure.hpp"
#include "views/model/json.hpp"
#include "views/model/session_views.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace orrery::views {

namespace {

using tuning::Outcome;
using tuning::Record;

std::string format(const char* pattern, double value) {
    char text[64];
    std::snprintf(text, sizeof text, pattern, value);
    return text;
}

std::string when(std::int64_t seconds, const char* pattern) {
    const std::time_t time = seconds;
    std::tm local{};
    ::localtime_r(&time, &local);
    char text[32];
    std::strftime(text, sizeof text, pattern, &local);
    return text;
}

double bytes_of(const tensor::Cost& cost) { return cost.bytes_read + cost.bytes_written; }

/// What stands in every row's relation: the function, its work, the roofs.
struct Subject {
    const session::ScheduledFunction& function;
    const session::Measurements& known;
    std::string present; ///< trace, as text
    [[nodiscard]] double gflops(const Record& r) const {
        return r.times.median_ms > 0 ? function.cost.flops / r.times.median_ms / 1e6 : 0;
    }
    /// Comparable with the roofs and with what is shown.
    [[nodiscard]] bool here(const Record& r) const {
        return r.machine == known.machine && r.target == known.target && r.threads == known.threads &&
               r.weights_distance == known.weights_distance;
    }
    [[nodiscard]] double peak() const { return known.peaks ? known.peaks->gflops : 0; }
};

std::string why_elsewhere(const Subject& s, const Record& r) {
    if (r.machine != s.known.machine) return "on another machine: " + r.machine;
    if (r.target != s.known.target) return "for another target: " + r.target;
    if (r.threads != s.known.threads)
        return "with " + std::to_string(r.threads) + (r.threads == 1 ? " thread" : " threads");
    if (r.weights_distance == 0) return "with its weights in the cache";
    return "with weights as in a model with " + std::to_string(r.weights_distance >> 20) + " MiB of them";
}

TableRow row_of(const Subject& s, const Record& r) {
    const bool here = s.here(r), ok = r.outcome == Outcome::Ok, present = here && r.trace == s.present;
    TableRow row;
    const double speed = s.gflops(r), share = here && s.peak() > 0 ? speed / s.peak() : 0;
    const TableCell none{"–", 0, -1};
    const std::string busy = r.busy_others > tuning::kBusyMachine ? " busy" : "";
    row.cells = {{(present ? "▸ " : "") + short_trace(r.trace), static_cast<double>(r.id), -1},
                 ok ? TableCell{duration_text(r.times.median_ms), r.times.median_ms, -1}
                    : TableCell{tuning::outcome_name(r.outcome), 1e300, -1},
                 ok ? TableCell{format(r.times.spread < 0.1 ? "%.1f %%" : "%.0f %%", 100 * r.times.spread) + busy,
                                r.times.spread, -1}
                    : none,
                 ok && speed > 0 ? TableCell{format("%.1f", speed), speed, -1} : none,
                 ok && share > 0
                     ? TableCell{format("%.0f %%", 100 * share), share, static_cast<float>(std::min(1.0, share))}
                     : none,
                 {std::to_string(r.threads), static_cast<double>(r.threads), -1},
                 {when(r.time, "%d %b %H:%M"), static_cast<double>(r.time), -1}};
    row.tone = !here ? Tone::Dim : !ok ? Tone::Bad : present ? Tone::Good : Tone::Normal;
    row.details = when(r.time, "%Y-%m-%d %H:%M") + ": " + describe(r) + (here ? "" : "\n" + why_elsewhere(s, r)) +
                  "\n" + (r.trace.empty() ? "the loops as written\n" : r.trace);
    return row;
}

Roofline roofline_of(const Subject& s, const std::vector<Record>& rows) {
    Roofline out;
    if (!s.known.peaks) {
        out.empty_reason = "This machine's peaks are measured with the first kernel.";
        return out;
    }
    out.roofs = roofs_of(*s.known.peaks);
    const double bytes = bytes_of(s.function.cost);
    if (bytes <= 0 || s.function.cost.flops <= 0) return out; // nothing to place: it only moves data
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const Record& r = rows[i];
        if (!s.here(r) || r.outcome != Outcome::Ok || s.gflops(r) <= 0) continue;
        const std::string title = short_trace(r.trace);
        out.points.push_back(
            {s.function.cost.flops / bytes, s.gflops(r), title,
             title + "\n" + duration_text(r.times.median_ms) + " · " + format("%.1f GFLOP/s", s.gflops(r)) +
                 format(" · %.0f %% of the peak", 100 * s.gflops(r) / s.peak()) + "\n" + when(r.time, "%Y-%m-%d %H:%M"),
             static_cast<int>(i), r.trace == s.present});
    }
    return out;
}

std::string summary_of(const Subject& s, const std::vector<Record>& rows, int present) {
    const Record* best = nullptr;
    for (const Record& r : rows)
        if (s.here(r) && r.outcome == Outcome::Ok && (!best || r.times.median_ms < best->times.median_ms)) best = &r;
    const std::string threads = std::to_string(s.known.threads) + (s.known.threads == 1 ? " thread" : " threads");
    if (!best) return threads + " · nothing measured yet";
    const std::string busy = s.known.peaks && s.known.peaks->busy ? " · peaks of a busy machine" : "";
    std::string out = threads + busy + " · best " + duration_text(best->times.median_ms);
    if (s.gflops(*best) > 0) out += format(", %.1f GFLOP/s", s.gflops(*best));
    if (s.peak() > 0 && s.gflops(*best) > 0) out += format(", %.0f %% of the peak", 100 * s.gflops(*best) / s.peak());
    if (present < 0) return out + " · this trace is not measured";
    const Record& now = rows[static_cast<std::size_t>(present)];
    if (now.outcome != Outcome::Ok) return out + " · this trace: " + tuning::outcome_name(now.outcome);
    return best->trace == now.trace ? out + " · this trace"
                                    : out + " · this trace " + duration_text(now.times.median_ms);
}

void add_job(const session::Snapshot& snapshot, MeasureViewData& data) {
    for (const session::JobStatus& job : snapshot.jobs) {
        if (!job.label.starts_with("measuring ")) continue;
        data.running = job.detail.empty() ? job.label : job.label + ": " + job.detail;
        data.fraction = job.fraction;
    }
}

} // namespace

std::string duration_text(double ms) {
    if (ms < 1e-3) return format("%.3g ns", ms * 1e6);
    if (ms < 0.1) return format("%.3g µs", ms * 1e3);
    return format(ms < 100 ? "%.3g ms" : "%.0f ms", ms);
}

std::vector<Roof> roofs_of(const tuning::Peaks& peaks) {
    std::vector<Roof> out{{"FMA", format("FMA %.0f GFLOP/s", peaks.gflops), peaks.gflops, true}};
    for (const tuning::Bandwidth& b : peaks.read)
        out.push_back({b.level, b.level + format(b.gb_s < 100 ? " %.1f GB/s" : " %.0f GB/s", b.gb_s), b.gb_s, false});
    return out;
}

std::string short_trace(const std::string& trace) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < trace.size();) {
        const std::size_t end = std::min(trace.find('\n', at), trace.size());
        if (end > at) lines.push_back(trace.substr(at, end - at));
        at = end + 1;
    }
    if (lines.empty()) return "the loops as written";
    return std::to_string(lines.size()) + (lines.size() == 1 ? " step · " : " steps · ") + lines.back();
}

MeasureViewData build_measure(const session::Snapshot& snapshot, const ViewOptions& options) {
    MeasureViewData data;
    data.table.columns = {{"Trace", Align::Left, 0},    {"Median", Align::Right, 9},  {"Spread", Align::Right, 9},
                          {"GFLOP/s", Align::Right, 8}, {"Of peak", Align::Right, 7}, {"Threads", Align::Right, 7},
                          {"When", Align::Right, 12}};
    const auto nothing = [&data](const std::string& why) {
        data.table.empty_reason = data.why_not = why;
        return data;
    };
    add_job(snapshot, data);
    const session::FunctionPtr function = shown_function(snapshot, options.function);
    if (!function) {
        const std::string why = why_no_kernels(snapshot);
        return nothing(why.empty() ? "Open a model: what its kernels are measured at appears here." : why);
    }
    data.subject = function->lowered.name;
    if (!function->lowered.backend.empty())
        return nothing(data.subject + " is computed by " + function->lowered.backend +
                       ": it has no schedule to measure. Run the model to see its time.");
    data.present_trace = schedule::to_string(function->trace);
    data.can_measure = !function->error;
    if (function->error) data.why_not = "A step of the trace cannot be applied: correct it first.";
    data.table.empty_reason =
        "Measure this kernel (Ctrl+Shift+M): it is run alone, and every trace you try becomes a row and a point.";
    data.roofline.empty_reason = "This machine's peaks are measured with the first kernel.";
    const std::shared_ptr<const session::Measurements>& known = snapshot.measurements;
    if (!known || known->workload != to_string(function->lowered.workload)) return data;
    const Subject subject{*function, *known, data.present_trace};
    data.problem = known->problem;
    for (std::size_t i = 0; i < known->rows.size(); ++i) {
        const Record& r = known->rows[i];
        if (data.present < 0 && subject.here(r) && r.trace == data.present_trace) data.present = static_cast<int>(i);
        data.table.rows.push_back(row_of(subject, r));
        data.traces.push_back(r.trace);
    }
    data.roofline = roofline_of(subject, known->rows);
    data.summary = summary_of(subject, known->rows, data.present);
    return data;
}

std::string to_text(const MeasureViewData& data) {
    std::string out = data.subject + (data.summary.empty() ? "" : " · " + data.summary) + "\n\n" + to_text(data.table);
    out += "\nroofs:";
    for (const Roof& roof : data.roofline.roofs) out += " " + roof.label + ";";
    if (data.roofline.roofs.empty()) out += " " + data.roofline.empty_reason;
    out += "\n";
    for (const RooflinePoint& point : data.roofline.points)
        out += format("%.3g FLOP a byte, ", point.intensity) + format("%.3g GFLOP/s: ", point.gflops) + point.title +
               (point.present ? " (this trace)\n" : "\n");
    return data.problem.empty() ? out : out + data.problem + "\n";
}

std::string to_json(const MeasureViewData& data) {
    Json roofs = Json::array(), points = Json::array();
    for (const Roof& roof : data.roofline.roofs)
        roofs.push_back({{"name", roof.name}, {"value", roof.value}, {"arithmetic", roof.arithmetic}});
    for (const RooflinePoint& point : data.roofline.points)
        points.push_back({{"intensity", point.intensity},
                          {"gflops", point.gflops},
                          {"title", point.title},
                          {"row", point.row},
                          {"present", point.present}});
    return dump(Json{{"view", "measure"},
                     {"function", data.subject},
                     {"summary", data.summary},
                     {"table", json_of(data.table)},
                     {"present", data.present},
                     {"roofs", roofs},
                     {"points", points},
                     {"problem", data.problem},
                     {"why_not", data.why_not}});
}

} // namespace orrery::views
