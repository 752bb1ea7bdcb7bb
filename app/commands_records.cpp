// `orrery records`: what was measured, taken to another machine or brought from one; the best known of a model.

#include "app/cli_tune.hpp"
#include "backends/llvm/llvm_backend.hpp"
#include "core/base/file.hpp"
#include "core/session/layout_choices.hpp"
#include "core/session/measure.hpp"
#include "core/session/tune.hpp"
#include "core/tuning/record_lines.hpp"
#include "core/tuning/worker.hpp"
#include "core/tuning/worker_listener.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace orrery::app {

namespace {

using Json = nlohmann::ordered_json;
constexpr std::uint64_t kMostLines = std::uint64_t{1} << 30;

Result<std::size_t> export_records(const RecordsArguments& a) {
    ORRERY_TRY(const tuning::Records records, tuning::Records::open(tuning::Records::default_path()));
    std::string text;
    std::size_t count = 0;
    ORRERY_CHECK_OK(records.for_each(a.best, [&](const tuning::Record& record) {
        text += tuning::to_line(record) + "\n";
        ++count;
    }));
    if (a.file.empty() || a.file == "-") {
        std::fwrite(text.data(), 1, text.size(), stdout);
    } else {
        ORRERY_CHECK_OK(write_file(a.file, text));
    }
    return count;
}

Result<std::size_t> import_records(const RecordsArguments& a) {
    ORRERY_TRY(const std::string text, read_file(a.file == "-" ? "/dev/stdin" : a.file, kMostLines));
    std::vector<tuning::Record> all;
    std::size_t at = 0;
    for (int number = 1; at < text.size(); ++number) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view line = std::string_view(text).substr(at, end - at);
        at = end + 1;
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
        Result<tuning::Record> record = tuning::from_line(line);
        if (!record) {
            record.error().locations.push_back(TextPosition{number, 1});
            return std::move(record.error());
        }
        all.push_back(*std::move(record));
    }
    ORRERY_TRY(tuning::Records records, tuning::Records::open(tuning::Records::default_path()));
    return records.import(all);
}

struct Best {
    struct Row {
        std::string function, workload;
        std::optional<tuning::Record> record;
        bool applies = false; ///< its trace
    };
    std::vector<Row> rows;
    std::size_t applied = 0;
};

Result<Best> best_records(const RecordsArguments& a) {
    if (a.model.empty()) return Diagnostic{Code::BadArgument, "no model is named", {}, "orrery records best MODEL"};
    const auto compiler = make_compiler(a);
    ORRERY_TRY(const session::Recipe recipe, make_recipe(a, *compiler));
    tuning::Measurer measurer(std::shared_ptr<const Backend>(compiler, &compiler->backend()));
    ORRERY_TRY(const std::vector<tuning::TuneTask> tasks, session::tuning_tasks(recipe, *compiler, {}));
    ORRERY_TRY(const auto best, session::recorded_schedules(recipe, *compiler, measurer, {}));
    Best out;
    for (const tuning::TuneTask& task : tasks)
        out.rows.push_back({task.function, task.workload,
                            measurer.best_of({task.workload, to_string(recipe.target), measurer.machine(),
                                              session::threads_of(recipe), task.weights_distance}),
                            best.contains(task.workload)});
    out.applied = best.size();
    if (const std::optional<Diagnostic> problem = measurer.records_problem()) return *problem;
    if (!a.output.empty()) ORRERY_CHECK_OK(session::save_recipe(session::with_schedules(recipe, best), a.output));
    return out;
}

int print(const Best& best, const RecordsArguments& a) {
    Json rows = Json::array();
    for (const Best::Row& row : best.rows) {
        if (a.json) {
            Json one{{"function", row.function}, {"workload", row.workload}};
            if (row.record)
                one["median_ms"] = row.record->times.median_ms, one["trace"] = row.record->trace,
                one["applies"] = row.applies;
            rows.push_back(std::move(one));
        } else if (row.record) {
            std::printf("%-44s %s%s\n", row.function.c_str(), describe(*row.record).c_str(),
                        row.applies ? "" : "; its trace names loops that this model does not have");
        } else {
            std::printf("%-44s not measured\n", row.function.c_str());
        }
    }
    if (a.json)
        std::printf("%s\n", rows.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    else if (!a.output.empty())
        std::printf("%zu schedules written to %s\n", best.applied, a.output.c_str());
    return kDone;
}

struct Layouts {
    session::LayoutTimes times;
    transform::LayoutReport report;     ///< with them
    double before_ms = 0, after_ms = 0; ///< of the whole model; 0 when it was not run
    bool applied = true;                ///< they are in the recipe that was written
};

/// The whole model by turns, without the times and with them: what is faster alone need not be faster here. Of each the
/// least median.
Result<void> compare_models(session::Compiler& compiler, const session::Recipe& recipe, const session::Recipe& timed,
                            Layouts& out) {
    constexpr int kTurns = 3;
    constexpr double kFaster = 0.99; // our choice: as tuning has it
    for (int turn = 0; turn < kTurns; ++turn) {
        ORRERY_TRY(const double before, model_latency(compiler, recipe));
        ORRERY_TRY(const double after, model_latency(compiler, timed));
        out.before_ms = turn == 0 ? before : std::min(out.before_ms, before);
        out.after_ms = turn == 0 ? after : std::min(out.after_ms, after);
    }
    out.applied = out.after_ms < out.before_ms * kFaster;
    return {};
}

Result<Layouts> recorded_layouts(const RecordsArguments& a) {
    if (a.model.empty()) return Diagnostic{Code::BadArgument, "no model is named", {}, "orrery records layouts MODEL"};
    const auto compiler = make_compiler(a);
    ORRERY_TRY(const session::Recipe recipe, make_recipe(a, *compiler));
    tuning::Measurer measurer(std::shared_ptr<const Backend>(compiler, &compiler->backend()));
    tuning::MeasureOptions options;
    options.threads = session::threads_of(recipe);
    options.seconds = a.seconds;
    Layouts out;
    ORRERY_TRY(out.times, session::layout_times(recipe, *compiler, measurer,
                                                a.measure ? std::optional(options) : std::nullopt, {}));
    if (const std::optional<Diagnostic> problem = measurer.records_problem()) return *problem;
    const session::Recipe timed = session::with_layout_times(recipe, out.times.times);
    ORRERY_TRY(const session::Steps steps, compiler->graph_steps(timed, {}));
    ORRERY_TRY(out.report, session::layout_report(timed, steps));
    if (a.measure) ORRERY_CHECK_OK(compare_models(*compiler, recipe, timed, out));
    if (!a.output.empty()) ORRERY_CHECK_OK(session::save_recipe(out.applied ? timed : recipe, a.output));
    return out;
}

int print(const Layouts& layouts, const RecordsArguments& a) {
    if (a.json) {
        Json rows = Json::array();
        for (const transform::LayoutChoice& choice : layouts.report.choices)
            rows.push_back({{"value", choice.value->name},
                            {"data", choice.data},
                            {"out", choice.out},
                            {"us", choice.us},
                            {"measured", choice.measured}});
        std::printf("%s\n", Json{{"kernels", layouts.times.kernels},
                                 {"known", layouts.times.known},
                                 {"us", layouts.report.us},
                                 {"own_us", layouts.report.own_us},
                                 {"before_ms", layouts.before_ms},
                                 {"after_ms", layouts.after_ms},
                                 {"applied", layouts.applied},
                                 {"choices", std::move(rows)}}
                                .dump(2, ' ', false, Json::error_handler_t::replace)
                                .c_str());
        return kDone;
    }
    std::fputs(session::to_text(layouts.report).c_str(), stdout);
    std::printf("%zu of %zu kernels have a time\n", layouts.times.known, layouts.times.kernels);
    if (a.measure) std::printf("the whole model: %.4g ms, by these times %.4g\n", layouts.before_ms, layouts.after_ms);
    if (!layouts.applied) std::printf("no faster: the recipe stays as it is\n");
    if (!a.output.empty()) std::printf("written to %s\n", a.output.c_str());
    return kDone;
}

} // namespace

int command_records(const RecordsArguments& a) {
    if (a.what == "best") {
        const Result<Best> best = best_records(a);
        return best ? print(*best, a) : fail(best.error(), a.json);
    }
    if (a.what == "layouts") {
        const Result<Layouts> layouts = recorded_layouts(a);
        return layouts ? print(*layouts, a) : fail(layouts.error(), a.json);
    }
    const Result<std::size_t> count = a.what == "export" ? export_records(a) : import_records(a);
    if (!count) return fail(count.error(), a.json);
    std::fprintf(stderr, a.what == "export" ? "%zu records\n" : "%zu new records\n", *count);
    return kDone;
}

int command_worker(const WorkerArguments& a) {
    if (!a.listen.empty()) {
        const Result<void> ended = tuning::listen_worker(
            {{}, a.listen, a.from_outside},
            [](const std::string& text) { std::fprintf(stderr, "orrery: %s\n", text.c_str()); }, {});
        return ended ? kDone : fail(ended.error(), false);
    }
    if (a.socket.empty())
        return fail({Code::BadArgument, "a worker needs an address", {}, "orrery worker --listen 127.0.0.1:9190"},
                    false);
    const std::unique_ptr<Backend> backend = make_llvm_backend();
    const Result<void> served = tuning::serve_worker(*backend, a.socket);
    return served ? kDone : fail(served.error(), false);
}

} // namespace orrery::app
