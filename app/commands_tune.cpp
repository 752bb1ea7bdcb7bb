// `orrery tune`: better schedules for a model's kernels, found by measuring.

#include "app/cli_tune.hpp"
#include "core/session/measure.hpp"
#include "core/session/tune.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>
#include <unistd.h>

namespace orrery::app {

namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

std::atomic<int> interrupts{0};

/// The first interrupt ends the tuning after the trial under way; the second ends the process.
extern "C" void on_interrupt(int) {
    if (interrupts.fetch_add(1) > 0) ::_exit(130);
}

/// Tells the control of interrupts while it lives.
class InterruptWatch {
  public:
    explicit InterruptWatch(tuning::TuningControl& control)
        : before_(std::signal(SIGINT, on_interrupt)), watch_([&control](const std::stop_token& done) {
              while (!done.stop_requested()) {
                  if (interrupts.load() > 0) control.stop();
                  std::this_thread::sleep_for(std::chrono::milliseconds(50));
              }
          }) {}
    ~InterruptWatch() { std::signal(SIGINT, before_); }
    InterruptWatch(const InterruptWatch&) = delete;
    InterruptWatch& operator=(const InterruptWatch&) = delete;

  private:
    void (*before_)(int);
    std::jthread watch_;
};

/// Prints trials as they end, to standard error.
class Reporter {
  public:
    explicit Reporter(bool quiet) : quiet_(quiet) {}
    void operator()(const tuning::TuningSnapshot& s) {
        if (quiet_) return;
        for (; told_ < s.trials.size(); ++told_) print(s, *s.trials[told_]);
    }

  private:
    static void print(const tuning::TuningSnapshot& s, const tuning::Trial& t) {
        const tuning::TaskProgress& task = s.tasks[t.task];
        std::string outcome = tuning::outcome_name(t.outcome);
        if (t.outcome == tuning::Outcome::Ok) {
            char text[64];
            std::snprintf(text, sizeof text, "%.4g ms", t.times.median_ms);
            outcome = text;
        } else {
            outcome += ": " + t.reason;
        }
        std::fprintf(stderr, "%5d  %6.1f s  %-40s %s%s  (best %.4g ms)\n", t.number, t.at_seconds,
                     task.function.c_str(), outcome.c_str(), t.improved ? "  *" : "", task.best_ms);
    }
    bool quiet_;
    std::size_t told_ = 0;
};

struct Tuned {
    session::ModelTuning tuning;
    double before_ms = 0, after_ms = 0; ///< of the whole model; 0 when it is not one static plan
    std::size_t applied = 0;
};

/// The tasks that were named. Errors: UnknownName.
Result<std::vector<tuning::TuneTask>> chosen(const TuneArguments& a, std::vector<tuning::TuneTask> tasks) {
    if (a.functions.empty()) return tasks;
    std::vector<tuning::TuneTask> out;
    for (const std::string& name : a.functions) {
        const auto found = std::ranges::find(tasks, name, &tuning::TuneTask::function);
        if (found == tasks.end())
            return Diagnostic{Code::UnknownName,
                              "there is no tensor program named \"" + name + "\" that could be tuned",
                              {},
                              "orrery show MODEL --at tensor prints them all"};
        out.push_back(*found);
    }
    return out;
}

Result<Tuned> do_tune(const TuneArguments& a) {
    const auto compiler = make_compiler(a);
    ORRERY_TRY(session::Recipe recipe, make_recipe(a, *compiler));
    tuning::TunerOptions options;
    options.search = *tuning::parse_search(a.search);
    options.trials = a.trials, options.seconds = a.minutes * 60;
    if (a.trials <= 0 && a.minutes <= 0) options.seconds = 600; // our choice: a coffee
    options.threads = session::threads_of(recipe);
    options.seed = a.seed == 0 ? 1 : a.seed;
    options.warm_start = !a.fresh, options.flush_caches = a.flush;
    options.patience_seconds = a.patience, options.measure_peaks = !a.no_peaks;
    tuning::Measurer::Options where;
    where.worker.address = a.worker;
    tuning::Measurer measurer(std::shared_ptr<const Backend>(compiler, &compiler->backend()), where);
    tuning::TuningControl control;
    const InterruptWatch watch(control);
    Reporter report(a.quiet);
    ORRERY_TRY(std::vector<tuning::TuneTask> tasks, session::tuning_tasks(recipe, *compiler, {}));
    ORRERY_TRY(tasks, chosen(a, std::move(tasks)));
    Tuned out;
    ORRERY_TRY(out.tuning, session::tune_tasks(*compiler, recipe, {measurer, std::move(tasks), options},
                                               {control, [&](const tuning::TuningSnapshotPtr& s) { report(*s); }, {}}));
    const session::Recipe tuned = session::with_schedules(recipe, out.tuning.best);
    out.applied = out.tuning.best.size();
    if (a.worker.empty()) {
        ORRERY_TRY(out.before_ms, model_latency(*compiler, recipe));
        ORRERY_TRY(out.after_ms, model_latency(*compiler, tuned));
    }
    if (!a.output.empty()) ORRERY_CHECK_OK(session::save_recipe(tuned, a.output));
    return out;
}

double percent(double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }

void print_text(const Tuned& t, const TuneArguments& a) {
    const tuning::TuningSnapshot& s = *t.tuning.last;
    std::vector<const tuning::TaskProgress*> rows;
    for (const tuning::TaskProgress& task : s.tasks) rows.push_back(&task);
    std::ranges::stable_sort(rows, std::ranges::greater(), [](const tuning::TaskProgress* task) {
        return static_cast<double>(task->calls) * task->before_ms;
    });
    std::printf("%-44s %5s %10s %10s %7s %7s %6s %8s\n", "function", "calls", "before ms", "best ms", "faster",
                "trials", "failed", "GFLOP/s");
    for (const tuning::TaskProgress* task : rows)
        std::printf("%-44s %5zu %10.4g %10.4g %6.2fx %7d %6d %8.1f\n", task->function.c_str(), task->calls,
                    task->before_ms, task->best_ms, task->best_ms > 0 ? task->before_ms / task->best_ms : 1.0,
                    task->trials, task->failed, task->best_ms > 0 ? task->flops / task->best_ms / 1e6 : 0.0);
    std::printf("all kernels: %.4g ms before, %.4g ms with the best of %zu trials in %.0f s (%s)\n", s.before_ms,
                s.estimate_ms, s.trials.size(), s.seconds, s.doing.c_str());
    std::printf("time: %.0f %% measuring, %.0f %% compiling, %.1f %% searching, %.0f %% waiting for a quiet machine\n",
                percent(s.measuring_seconds, s.seconds), percent(s.compiling_seconds, s.seconds),
                percent(s.searching_seconds, s.seconds), percent(s.waiting_seconds, s.seconds));
    if (t.before_ms > 0 && a.functions.empty())
        std::printf("the model: %.4g ms before (kernels said %.4g: %+.0f %%), %.4g ms now (%.4g: %+.0f %%)\n",
                    t.before_ms, s.before_ms, percent(s.before_ms - t.before_ms, t.before_ms), t.after_ms,
                    s.estimate_ms, percent(s.estimate_ms - t.after_ms, t.after_ms));
    else if (t.before_ms > 0)
        std::printf("the model: %.4g ms before, %.4g ms now\n", t.before_ms, t.after_ms);
    if (!s.search_note.empty()) std::fprintf(stderr, "orrery: %s\n", s.search_note.c_str());
    if (!s.problem.empty()) std::fprintf(stderr, "orrery: %s\n", s.problem.c_str());
    if (!a.output.empty()) std::printf("%zu schedules written to %s\n", t.applied, a.output.c_str());
}

Json json_of(const tuning::TuningSnapshot& s, const tuning::Trial& t) {
    Json out{{"number", t.number},
             {"function", s.tasks[t.task].function},
             {"kind", tuning::trial_name(t.kind)},
             {"outcome", tuning::outcome_name(t.outcome)},
             {"reason", t.reason},
             {"median_ms", t.times.median_ms},
             {"improved", t.improved},
             {"at_seconds", t.at_seconds},
             {"compile_seconds", t.compile_seconds},
             {"measure_seconds", t.measure_seconds},
             {"busy_others", t.busy_others},
             {"trace", t.trace}};
    if (t.predicted_ms) out["predicted_ms"] = *t.predicted_ms;
    return out;
}

void print_json(const Tuned& t, const TuneArguments& a) {
    const tuning::TuningSnapshot& s = *t.tuning.last;
    Json tasks = Json::array(), trials = Json::array();
    for (const tuning::TaskProgress& task : s.tasks) {
        Json row{{"function", task.function},   {"workload", task.workload}, {"calls", task.calls},
                 {"before_ms", task.before_ms}, {"best_ms", task.best_ms},   {"trials", task.trials},
                 {"failed", task.failed},       {"flops", task.flops},       {"best_trace", task.best_trace}};
        Json spaces = Json::array();
        if (task.spaces)
            for (const tuning::SpaceInfo& space : *task.spaces)
                spaces.push_back({{"name", space.name}, {"size", space.size}});
        row["spaces"] = spaces;
        Json best = Json::array();
        for (const tuning::BestPoint& point : task.best_so_far)
            best.push_back({{"trial", point.own}, {"seconds", point.seconds}, {"ms", point.milliseconds}});
        row["best_so_far"] = best;
        tasks.push_back(std::move(row));
    }
    for (const tuning::TrialPtr& trial : s.trials) trials.push_back(json_of(s, *trial));
    const Json out{{"tasks", tasks},
                   {"trials", trials},
                   {"before_ms", s.before_ms},
                   {"estimate_ms", s.estimate_ms},
                   {"model_before_ms", t.before_ms},
                   {"model_after_ms", t.after_ms},
                   {"seconds", s.seconds},
                   {"measuring_seconds", s.measuring_seconds},
                   {"compiling_seconds", s.compiling_seconds},
                   {"searching_seconds", s.searching_seconds},
                   {"waiting_seconds", s.waiting_seconds},
                   {"search", tuning::search_name(s.search)},
                   {"search_note", s.search_note},
                   {"model_error", s.model_error},
                   {"ended", s.doing},
                   {"records_problem", s.problem},
                   {"recipe", a.output}};
    std::printf("%s\n", out.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

} // namespace

Result<double> model_latency(session::Compiler& compiler, const session::Recipe& recipe) {
    constexpr double kSeconds = 0.5;
    constexpr std::size_t kLeast = 7, kMost = 200;
    ORRERY_TRY(const auto model, compiler.compile(recipe, {}));
    if (model->dynamic) return 0.0;
    const int threads = session::threads_of(recipe);
    ORRERY_TRY(const std::vector<NDArray> inputs, session::drawn_inputs(*model, 0));
    ORRERY_TRY(session::RunResult first, session::run(*model, inputs, threads, {}));
    runtime::Executor executor(model->executable, threads);
    std::vector<const void*> in;
    std::vector<void*> out;
    for (const NDArray& input : first.inputs) in.push_back(input.data());
    for (NDArray& output : first.outputs) out.push_back(output.mutable_data());
    std::vector<double> times;
    const auto begin = Clock::now();
    const auto since = [](Clock::time_point start) {
        return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    };
    while (times.size() < kLeast || (times.size() < kMost && since(begin) < kSeconds * 1000)) {
        const auto start = Clock::now();
        executor.run(in, out);
        times.push_back(since(start));
    }
    std::ranges::nth_element(times, times.begin() + std::ssize(times) / 2);
    return times[times.size() / 2];
}

int command_tune(const TuneArguments& a) {
    const Result<Tuned> tuned = do_tune(a);
    if (!tuned) return fail(tuned.error(), a.json);
    if (a.json)
        print_json(*tuned, a);
    else
        print_text(*tuned, a);
    return kDone;
}

} // namespace orrery::app
