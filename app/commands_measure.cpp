// `orrery measure`: a kernel of a model run alone, in a process that may crash.
// `orrery profile`: where a whole model's time goes.

#include "app/cli.hpp"
#include "core/session/measure.hpp"
#include "core/session/profile.hpp"
#include "views/model/profile_view.hpp"
#include "views/model/session_views.hpp"

#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

namespace orrery::app {

namespace {

using Json = nlohmann::ordered_json;

struct Measured {
    std::optional<tuning::Record> record; ///< of this call
    session::Measurements known;
    double flops = 0;
};

Result<Measured> do_measure(const MeasureArguments& a) {
    const auto compiler = make_compiler(a);
    ORRERY_TRY(const session::Recipe recipe, make_recipe(a, *compiler));
    ORRERY_TRY(const auto snapshot, snapshot_of(recipe, *compiler));
    if (!snapshot->problems.empty() && snapshot->functions.empty()) return snapshot->problems.front();
    const session::FunctionPtr function = views::shown_function(*snapshot, a.function);
    if (!function || (!a.function.empty() && function->lowered.name != a.function))
        return Diagnostic{Code::UnknownName,
                          "there is no tensor program named \"" + a.function + "\"",
                          {},
                          "orrery show MODEL --at tensor prints them all"};
    if (function->error) return *function->error;
    tuning::Measurer measurer(std::shared_ptr<const Backend>(compiler, &compiler->backend()));
    Measured out;
    out.flops = function->cost.flops;
    if (!a.history) {
        ORRERY_CHECK_OK(compiler->backend().runs_here(recipe.target));
        ORRERY_TRY(const tuning::Candidate candidate, session::candidate_of(recipe, *function));
        tuning::MeasureOptions options;
        options.threads = session::threads_of(recipe);
        options.seconds = a.seconds;
        options.deadline_seconds = a.deadline;
        if (!a.no_peaks) {
            ORRERY_TRY([[maybe_unused]] const tuning::Peaks roofs, measurer.peaks(recipe.target, options.threads, {}));
        }
        ORRERY_TRY(out.record, measurer.measure(candidate, options, {}));
    }
    out.known = session::known_measurements(measurer, recipe, *function);
    return out;
}

double gflops(const tuning::Record& record, double flops) {
    return record.times.median_ms > 0 ? flops / record.times.median_ms / 1e6 : 0;
}

Json json_of(const tuning::Record& r, double flops) {
    Json out{{"id", r.id},           {"function", r.function}, {"workload", r.workload},
             {"trace", r.trace},     {"target", r.target},     {"outcome", tuning::outcome_name(r.outcome)},
             {"reason", r.reason},   {"threads", r.threads},   {"busy_others", r.busy_others},
             {"machine", r.machine}, {"version", r.version},   {"time", r.time}};
    if (r.times.runs > 0) {
        out["median_ms"] = r.times.median_ms;
        out["min_ms"] = r.times.min_ms;
        out["interval_ms"] = {r.times.low_ms, r.times.high_ms};
        out["spread"] = r.times.spread;
        out["runs"] = r.times.runs;
        out["gflops"] = gflops(r, flops);
    }
    return out;
}

void print_json(const Measured& m) {
    Json out = m.record ? json_of(*m.record, m.flops) : Json{{"function", m.known.function}};
    if (m.known.peaks) {
        Json read = Json::array();
        for (const tuning::Bandwidth& b : m.known.peaks->read)
            read.push_back({{"level", b.level}, {"bytes", b.bytes}, {"gb_s", b.gb_s}});
        out["peaks"] = {{"gflops", m.known.peaks->gflops}, {"read", read}};
    }
    if (!m.record) {
        Json rows = Json::array();
        for (const tuning::Record& r : m.known.rows) rows.push_back(json_of(r, m.flops));
        out["measurements"] = rows;
    }
    out["records_problem"] = m.known.problem;
    std::printf("%s\n", out.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

std::string speed(const Measured& m, const tuning::Record& r) {
    char text[160];
    std::snprintf(text, sizeof text, ", %.1f GFLOP/s", gflops(r, m.flops));
    std::string out = text;
    if (m.known.peaks && r.threads == m.known.threads && r.machine == m.known.machine) {
        std::snprintf(text, sizeof text, ", %.0f %% of the peak of %.1f in f32",
                      100 * gflops(r, m.flops) / m.known.peaks->gflops, m.known.peaks->gflops);
        out += text;
    }
    return out;
}

void print_text(const Measured& m) {
    if (m.record) {
        const bool ok = m.record->outcome == tuning::Outcome::Ok;
        std::printf("%s on %d thread%s: %s%s\n", m.record->function.c_str(), m.record->threads,
                    m.record->threads == 1 ? "" : "s", describe(*m.record).c_str(),
                    ok ? speed(m, *m.record).c_str() : "");
        if (ok && m.record->reason.empty()) std::printf("agrees with the loops as written\n");
    }
    for (const tuning::Record& r : m.known.rows) {
        if (m.record) break;
        const std::time_t time = r.time;
        std::tm local{};
        ::localtime_r(&time, &local);
        char when[32];
        std::strftime(when, sizeof when, "%Y-%m-%d %H:%M", &local);
        std::printf("%s  %d thread%s  %s%s\n", when, r.threads, r.threads == 1 ? " " : "s", describe(r).c_str(),
                    r.outcome == tuning::Outcome::Ok ? speed(m, r).c_str() : "");
    }
    if (!m.record && m.known.rows.empty()) std::printf("%s has not been measured yet\n", m.known.function.c_str());
    if (!m.known.problem.empty()) std::fprintf(stderr, "orrery: %s\n", m.known.problem.c_str());
}

} // namespace

int command_measure(const MeasureArguments& a) {
    const Result<Measured> measured = do_measure(a);
    if (!measured) return fail(measured.error(), a.json);
    if (a.json)
        print_json(*measured);
    else
        print_text(*measured);
    return !measured->record || measured->record->outcome == tuning::Outcome::Ok ? kDone : kUserError;
}

int command_profile(const ProfileArguments& a) {
    const auto made = [&]() -> Result<session::Profile> {
        const auto compiler = make_compiler(a);
        ORRERY_TRY(const session::Recipe recipe, make_recipe(a, *compiler));
        tuning::Measurer measurer(std::shared_ptr<const Backend>(compiler, &compiler->backend()));
        return session::profile_recipe(*compiler, measurer, recipe,
                                       {.runs = a.runs, .seed = a.seed, .peaks = !a.no_peaks}, {});
    }();
    if (!made) return fail(made.error(), a.json);
    const views::ProfileViewData data = views::build_profile(*made);
    std::printf("%s", (a.json ? views::to_json(data) + "\n" : views::to_text(data)).c_str());
    return kDone;
}

} // namespace orrery::app
