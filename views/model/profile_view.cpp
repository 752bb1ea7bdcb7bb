#include "views/model/profile_view.hpp"

#include "core/session/profile.hpp"
#include "core/session/snapshot.hpp"
#include "views/model/figures.hpp"
#include "views/model/json.hpp"
#include "views/model/measure_view.hpp"

#include <algorithm>
#include <map>

namespace orrery::views {

namespace {

using session::Profile;
using session::ProfileCall;
using session::ProfileRow;
using session::WhatIf;

constexpr const char* kAttribution =
    "Each call of a kernel is timed by itself, so layers that share a kernel have times of their own. In a kernel that "
    "several operators were fused into, time is divided by what each would take at this machine's peaks. What passes "
    "made of several nodes stays one row.";

/// Three digits of a rate; "–" for none.
TableCell rate_cell(double amount, double us) {
    const double per = us > 0 ? amount / us / 1e3 : 0;
    if (per <= 0) return {"–", 0, -1};
    return {figure(per < 100 ? "%.3g" : "%.0f", per), per, -1};
}

TableCell part_cell(double share) { return {percent_text(share), share, static_cast<float>(std::min(1.0, share))}; }

double run_us(const Profile& profile) { return std::max(1e-9, profile.whole.median_ms * 1e3); }

/// "conv2d: 4.12 ms, 32 % of a run, in 20 calls\n103 GFLOP/s, 8.1 GB/s; 71 % of what FMA allows".
std::string details_of(const Profile& profile, const ProfileRow& row) {
    std::string out = row.name + ": " + duration_text(row.us / 1e3) + ", " + percent_text(row.us / run_us(profile)) +
                      " of a run, in " + counted_text(row.calls, "call") + "\n" + rate_cell(row.flops, row.us).text +
                      " GFLOP/s, " + rate_cell(row.bytes, row.us).text + " GB/s";
    if (row.bound_us > 0 && row.us > 0)
        out += "; " + percent_text(row.bound_us / row.us) + " of what " + row.roof + " allows";
    return out;
}

Table profile_table(const Profile& profile, const std::vector<ProfileRow>& rows, const char* title) {
    Table table;
    table.columns = {{title, Align::Left, 0},      {"Time", Align::Right, 9},    {"Share", Align::Right, 8},
                     {"Calls", Align::Right, 6},   {"GFLOP/s", Align::Right, 8}, {"GB/s", Align::Right, 7},
                     {"Of peak", Align::Right, 8}, {"Bound by", Align::Left, 8}};
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const ProfileRow& r = rows[i];
        const double of_peak = r.us > 0 ? r.bound_us / r.us : 0;
        TableRow row;
        row.origins = r.origins;
        row.cells = {{std::string(2 * static_cast<std::size_t>(r.depth), ' ') + r.name, static_cast<double>(i + 1), -1},
                     {duration_text(r.us / 1e3), r.us, -1},
                     part_cell(r.us / run_us(profile)),
                     {std::to_string(r.calls), static_cast<double>(r.calls), -1},
                     rate_cell(r.flops, r.us),
                     rate_cell(r.bytes, r.us),
                     r.bound_us > 0 ? part_cell(of_peak) : TableCell{"–", 0, -1},
                     {r.bound_us > 0 ? r.roof : "", 0, -1}};
        row.details = details_of(profile, r);
        table.rows.push_back(std::move(row));
    }
    return table;
}

/// "3 kernels, in 7 calls, are 41 % of the time at 38 % of their peak; at 80 % of it the model would take 12.3 ms".
std::string what_if_sentence(const Profile& profile, const WhatIf& row) {
    const std::string then = duration_text((run_us(profile) - row.gain_us) / 1e3);
    if (row.of_bound <= 0)
        return percent_text(row.share) + " of the time passes " + row.what + "; without, the model would take " + then;
    const bool many = row.what.ends_with("kernels");
    std::string out = row.what + ", in " + counted_text(row.calls, "call") + (many ? ", are " : ", is ");
    out += percent_text(row.share) + " of the time at " + percent_text(row.of_bound) +
           (many ? " of their peak" : " of its peak");
    return out + "; at " + figure("%.0f %%", 100 * session::kAim) + " of it the model would take " + then;
}

void add_what_if(const Profile& profile, ProfileViewData& data) {
    Table& table = data.what_if;
    table.columns = {{"What if these reached 80 % of their peak?", Align::Left, 0},
                     {"Share", Align::Right, 8},
                     {"Of peak", Align::Right, 8},
                     {"Model then", Align::Right, 10},
                     {"Gain", Align::Right, 8}};
    table.empty_reason = profile.peaks ? "Every kernel is as fast as this machine allows, or nearly."
                                       : "This machine's peaks are not known: " + profile.no_peaks + ".";
    const std::vector<WhatIf> rows = session::what_if(profile);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const WhatIf& r = rows[i];
        const double then = run_us(profile) - r.gain_us;
        TableRow row;
        row.origins = r.origins;
        row.cells = {{r.what, static_cast<double>(i + 1), -1},
                     part_cell(r.share),
                     r.of_bound > 0 ? part_cell(r.of_bound) : TableCell{"–", 0, -1},
                     {duration_text(then / 1e3), then, -1},
                     {percent_text(r.gain_us / run_us(profile)), r.gain_us, -1}};
        row.details = what_if_sentence(profile, r);
        table.rows.push_back(std::move(row));
    }
    if (!rows.empty()) data.headline = what_if_sentence(profile, rows.front());
}

std::string profile_summary(const Profile& profile) {
    double bound = 0;
    for (const ProfileCall& call : profile.calls) bound += call.bound_us;
    std::string out = duration_text(profile.whole.median_ms) + " on " +
                      counted_text(static_cast<std::size_t>(profile.threads), "thread") + ", median of " +
                      counted_text(static_cast<std::size_t>(profile.whole.runs), "run") + " · " +
                      counted_text(profile.calls.size(), "call");
    if (bound > 0) out += " · " + percent_text(bound / run_us(profile)) + " of what this machine can do";
    const double between = run_us(profile) - profile.calls_us();
    if (between > 0.005 * run_us(profile)) out += " · " + duration_text(between / 1e3) + " between kernels";
    if (profile.busy_others > tuning::kBusyMachine)
        out += figure(" · %.1f cores were busy with other work meanwhile", profile.busy_others);
    return out;
}

/// Kernels as points and calls as segments.
void add_pictures(const Profile& profile, const std::vector<ProfileRow>& kernels, ProfileViewData& data) {
    std::map<std::string, int> row_of;
    for (std::size_t i = 0; i < kernels.size(); ++i) {
        const ProfileRow& r = kernels[i];
        row_of.emplace(r.name, static_cast<int>(i));
        data.kernel_names.push_back(r.name);
        if (!profile.peaks || r.flops <= 0 || r.bytes <= 0 || r.us <= 0) continue;
        data.roofline.points.push_back(
            {r.flops / r.bytes, r.flops / r.us / 1e3, r.name, details_of(profile, r), static_cast<int>(i), false});
    }
    double at = 0;
    const double whole = std::max(profile.calls_us(), 1e-9);
    for (const ProfileCall& call : profile.calls) {
        const auto most = std::ranges::max_element(call.parts, {}, &session::ProfilePart::share);
        ProfileSegment segment{call.value,          {},          at / whole, (at + call.us) / whole,
                               OperatorKind::Other, call.origin, -1};
        if (most != call.parts.end()) segment.kind = operator_kind(most->op);
        segment.kernel = row_of[call.function];
        segment.details = call.value + " · " + call.function + "\n" + duration_text(call.us / 1e3) + ", " +
                          percent_text(call.us / run_us(profile)) + " of a run";
        for (const session::ProfilePart& part : call.parts)
            segment.details += "\n  " + part.op + " " + percent_text(part.share);
        data.segments.push_back(std::move(segment));
        at += call.us;
    }
}

} // namespace

ProfileViewData build_profile(const Profile& profile) {
    ProfileViewData data;
    data.can_profile = true;
    data.summary = profile_summary(profile);
    data.attribution = kAttribution;
    const std::vector<ProfileRow> kernels = session::by_kernel(profile);
    data.operators = profile_table(profile, session::by_operator(profile), "Operator");
    data.layers = profile_table(profile, session::by_layer(profile), "Layer");
    data.nodes = profile_table(profile, session::by_node(profile), "Nodes of the model");
    data.kernels = profile_table(profile, kernels, "Kernel");
    data.roofline.empty_reason = "This machine's peaks are not known: " + profile.no_peaks + ".";
    if (profile.peaks) data.roofline.roofs = roofs_of(*profile.peaks);
    add_pictures(profile, kernels, data);
    add_what_if(profile, data);
    return data;
}

ProfileViewData build_profile(const session::Snapshot& snapshot) {
    if (snapshot.profile) return build_profile(*snapshot.profile);
    ProfileViewData data;
    data.can_profile = snapshot.has_model() && !snapshot.steps.back()->error;
    data.why_not = !snapshot.has_model() ? "Open a model: where its time goes appears here."
                   : data.can_profile    ? "Profile the model (Ctrl+Shift+R) to see where its time goes."
                                         : "A pass failed: correct it first.";
    if (snapshot.compiled && snapshot.compiled->dynamic) {
        data.can_profile = false;
        data.why_not = "This model's kernels are made while it runs: bind its extents in the options of the import.";
    }
    for (Table* table : {&data.operators, &data.layers, &data.nodes, &data.kernels, &data.what_if})
        table->empty_reason = data.why_not;
    data.roofline.empty_reason = data.why_not;
    return data;
}

ProfileJob profile_job(const session::Snapshot& snapshot) {
    for (const session::JobStatus& job : snapshot.jobs)
        if (job.label.starts_with("profiling "))
            return {job.detail.empty() ? job.label : job.label + ": " + job.detail, job.fraction};
    return {};
}

std::string to_text(const ProfileViewData& data) {
    if (data.summary.empty()) return data.why_not + "\n";
    std::string out = data.summary + "\n";
    if (!data.headline.empty()) out += data.headline + "\n";
    for (const Table* table : {&data.operators, &data.layers, &data.nodes, &data.kernels, &data.what_if})
        out += "\n" + to_text(*table);
    return out + "\n" + data.attribution + "\n";
}

std::string to_json(const ProfileViewData& data) {
    Json roofs = Json::array(), calls = Json::array();
    for (const Roof& roof : data.roofline.roofs)
        roofs.push_back({{"name", roof.name}, {"value", roof.value}, {"arithmetic", roof.arithmetic}});
    for (const ProfileSegment& s : data.segments)
        calls.push_back({{"value", s.title},
                         {"kernel", s.kernel < 0 ? "" : data.kernel_names[static_cast<std::size_t>(s.kernel)]},
                         {"from", s.from},
                         {"to", s.to},
                         {"origins", json_of(s.origins)}});
    return dump(Json{{"view", "profile"},
                     {"summary", data.summary},
                     {"headline", data.headline},
                     {"operators", json_of(data.operators)},
                     {"layers", json_of(data.layers)},
                     {"nodes", json_of(data.nodes)},
                     {"kernels", json_of(data.kernels)},
                     {"what_if", json_of(data.what_if)},
                     {"calls", calls},
                     {"roofs", roofs},
                     {"attribution", data.attribution},
                     {"why_not", data.why_not}});
}

} // namespace orrery::views
