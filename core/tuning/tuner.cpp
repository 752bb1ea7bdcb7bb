// Outline: time; the tasks' beginnings; one trial; rounds; the end; what is told.
// Each round: the task with the largest expected gain; candidates of it from the search; compiled ahead on cores that
// no kernel is measured on, or all before when there are none; measured one after another. A candidate that seems
// faster than the best runs by turns with it, and takes its place only when it wins.

#include "core/tuning/tuner.hpp"

#include "core/base/parallel.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tuning/budget.hpp"
#include "core/tuning/compile_ahead.hpp"
#include "core/tuning/features.hpp"
#include "core/tuning/machine.hpp"
#include "core/tuning/search.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace orrery::tuning {

namespace {

using Clock = std::chrono::steady_clock;

// Source of these: our choice.
constexpr std::size_t kMostSpaces = 32, kMostSeedSpaces = 8;
constexpr int kMostKnown = 200;         ///< records of a workload that are learned from
constexpr double kPromising = 1.03;     ///< a candidate up to this much slower than the best may be faster
constexpr double kPromisingBusy = 1.25; ///< the same where others were at work
constexpr double kFaster = 0.99;        ///< of the best's time: what counts as an improvement
constexpr double kHopeless = 4;         ///< times the best: not run again
constexpr double kMostWaiting = 0.15;   ///< of all time
constexpr int kTurns = 3, kLastTurns = 4;
constexpr std::size_t kMostSamples = 3000, kLeastSamples = 12;
constexpr auto kPoll = std::chrono::milliseconds(50);

double seconds_between(Clock::time_point a, Clock::time_point b) {
    return std::chrono::duration<double>(b - a).count();
}

/// Adds the time it lives to a sum.
class Stopwatch {
  public:
    explicit Stopwatch(double& sum) : sum_(sum) {}
    ~Stopwatch() { sum_ += seconds_between(begin_, Clock::now()); }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;

  private:
    double& sum_;
    Clock::time_point begin_ = Clock::now();
};

Diagnostic tuning_cancelled() { return {Code::Cancelled, "the tuning was cancelled", {}, {}, Severity::Note}; }

struct Task {
    TuneTask given;
    CandidateSpace space;
    TaskHistory history;
    Search search;
    double least_ms = 0;
    std::optional<Candidate> before, best; ///< compiled
    bool opened = false;                   ///< its spaces are made
    std::vector<schedule::Trace> seeds;
};

/// What is learned from.
struct Learned {
    std::size_t task = 0;
    std::vector<float> features;
    double milliseconds = 0; ///< 0 for one that failed
};

class Tuning {
  public:
    Tuning(const TuneSetting& setting, const TunerOptions& options, const TuningLink& link)
        : setting_(setting), options_(options), link_(link) {
        now_.search = options.search, now_.threads = options.threads;
        now_.trial_budget = options.trials, now_.second_budget = options.seconds;
        patience_ = options.patience_seconds;
    }
    Result<TuneResult> run(std::vector<TuneTask> given);

  private:
    Result<void> begin(std::vector<TuneTask> given);
    void learn_from_records(std::size_t task);
    void open(Task& task, TaskProgress& progress);
    Result<void> all_first_trials();
    Result<void> first_trials(std::size_t task, Proposal baseline, CompileAhead& ahead, std::size_t position);
    Result<void> round(std::size_t task);
    [[nodiscard]] CompileAhead compile_ahead(std::vector<tensor::Program> programs) const;
    [[nodiscard]] int spare_cores() const;
    Result<void> compiled_before(CompileAhead& ahead, const std::string& doing);
    Result<void> try_all(std::size_t task, std::vector<Proposal> proposals, TrialKind kind);
    Result<void> trial(std::size_t task, Proposal& proposal, TrialKind kind, CompileAhead& ahead, std::size_t index);
    Result<double> against_best(const Task& task, const Candidate& candidate);
    void took_the_lead(std::size_t task, Candidate candidate, double milliseconds, int trial);
    void refuse(std::size_t task, const Prepared& prepared, TrialKind kind);
    Result<void> wait_until_quiet();
    Result<void> while_paused();
    Result<void> last_turns();
    TuneResult result();

    void learn();
    void listen();
    void weigh();
    [[nodiscard]] bool spent() const;
    [[nodiscard]] int trials_left() const;
    [[nodiscard]] double seconds() const { return seconds_between(begin_, Clock::now()) - paused_; }
    [[nodiscard]] MeasureOptions measure_options(double best_ms) const;
    void tell(TuningPhase phase, const std::string& doing);
    void tell_error(double predicted, double measured);

    const TuneSetting& setting_;
    const TunerOptions& options_;
    const TuningLink& link_;
    Clock::time_point begin_ = Clock::now();
    double paused_ = 0, patience_ = 0, last_busy_ = 0;
    bool looked_ = false;
    std::vector<std::unique_ptr<Task>> tasks_;
    TuningSnapshot now_;
    std::unique_ptr<CostModel> model_;
    std::vector<Learned> learned_;
    std::size_t learned_of_ = 0; ///< samples the model has seen
    std::vector<double> errors_;
};

// ------------------------------------------------------------------------------------ the beginning

Result<void> Tuning::begin(std::vector<TuneTask> given) {
    tell(TuningPhase::Starting, "starting a process to measure in");
    ORRERY_TRY([[maybe_unused]] const WorkerHost host, setting_.measurer.host(link_.progress));
    if (options_.search == SearchKind::Model) {
        Result<std::unique_ptr<CostModel>> made = boosted_trees(options_.seed);
        if (made)
            model_ = *std::move(made);
        else
            now_.search = SearchKind::Genetic, now_.search_note = to_string(made.error());
    }
    if (options_.measure_peaks) {
        tell(TuningPhase::Starting, "measuring this machine's peaks");
        const Result<Peaks> peaks = setting_.measurer.peaks(setting_.target, options_.threads, link_.progress);
        if (!peaks && peaks.error().code == Code::Cancelled) return peaks.error();
        if (peaks) now_.peaks = *peaks;
    }
    for (TuneTask& one : given) {
        const std::size_t index = tasks_.size();
        const tensor::Cost cost = tensor::cost_of(one.program);
        TaskProgress progress;
        progress.workload = one.workload, progress.function = one.function, progress.calls = one.calls;
        progress.flops = cost.flops, progress.bytes = cost.bytes_read + cost.bytes_written;
        CandidateSpace space(one.program, setting_.target, options_.threads);
        std::vector<schedule::Trace> seeds = one.seeds;
        tasks_.push_back(std::make_unique<Task>(Task{std::move(one),
                                                     std::move(space),
                                                     {},
                                                     Search(now_.search, options_.seed + index, model_.get()),
                                                     0,
                                                     {},
                                                     {},
                                                     false,
                                                     std::move(seeds)}));
        if (now_.peaks) tasks_.back()->least_ms = least_ms(progress, *now_.peaks);
        now_.tasks.push_back(std::move(progress));
    }
    return {};
}

/// Candidates that records know are not run again; the model learns from them.
void Tuning::learn_from_records(std::size_t index) {
    Task& task = *tasks_[index];
    if (!options_.warm_start) return;
    const std::string target = to_string(setting_.target);
    int taken = 0;
    for (const Record& record : setting_.measurer.of_workload(task.given.workload)) {
        if (record.target != target || record.threads != options_.threads || taken >= kMostKnown) continue;
        if (record.machine != setting_.measurer.machine()) continue;
        if (record.weights_distance != task.given.weights_distance) continue;
        const Result<schedule::Trace> trace = schedule::parse_trace(record.trace);
        if (!trace) continue;
        const Prepared known = task.space.prepare(*trace);
        if (!known.refused.empty() || !task.history.programs.insert(known.hash).second) continue;
        const double ms = record.outcome == Outcome::Ok ? record.times.median_ms : 0;
        task.history.tried.push_back({task.space.find(known.trace), ms});
        learned_.push_back({index, known.features, ms});
        ++taken;
    }
}

void Tuning::open(Task& task, TaskProgress& progress) {
    if (!task.opened) task.space.add(task.given.before, kMostSpaces);
    task.opened = true;
    progress.spaces = std::make_shared<const std::vector<SpaceInfo>>(task.space.spaces());
}

/// The traces in force, compiled together, and what else is known before anything is searched.
Result<void> Tuning::all_first_trials() {
    std::vector<Proposal> baselines(tasks_.size());
    {
        const Stopwatch watch(now_.searching_seconds);
        parallel_for(tasks_.size(), 0,
                     [&](std::size_t i) { baselines[i].prepared = tasks_[i]->space.prepare(tasks_[i]->given.before); });
    }
    std::vector<tensor::Program> programs;
    for (const Proposal& baseline : baselines)
        if (baseline.prepared.refused.empty()) programs.push_back(baseline.prepared.program);
    CompileAhead ahead = compile_ahead(std::move(programs));
    ORRERY_CHECK_OK(compiled_before(ahead, "compiling the kernels as they are"));
    std::size_t position = 0;
    for (std::size_t i = 0; i < tasks_.size() && !link_.control.stopping(); ++i) {
        const std::size_t at = baselines[i].prepared.refused.empty() ? position++ : position;
        ORRERY_CHECK_OK(first_trials(i, std::move(baselines[i]), ahead, at));
    }
    return {};
}

/// The trace in force, the best of the records.
Result<void> Tuning::first_trials(std::size_t index, Proposal baseline, CompileAhead& ahead, std::size_t position) {
    Task& task = *tasks_[index];
    if (baseline.prepared.refused.empty()) {
        task.history.programs.insert(baseline.prepared.hash);
        ++now_.tasks[index].budget;
        ORRERY_CHECK_OK(while_paused());
        if (link_.progress.cancelled()) return tuning_cancelled();
        tell(TuningPhase::Measuring, now_.tasks[index].function + ": measuring what it is");
        ORRERY_CHECK_OK(trial(index, baseline, TrialKind::Baseline, ahead, position));
    } else {
        refuse(index, baseline.prepared, TrialKind::Baseline);
    }
    task.before = task.best;
    now_.tasks[index].before_ms = now_.tasks[index].best_ms;
    if (!options_.warm_start) return {};
    const RecordKey key{task.given.workload, to_string(setting_.target), setting_.measurer.machine(), options_.threads,
                        task.given.weights_distance};
    const std::optional<Record> best = setting_.measurer.best_of(key);
    const Result<schedule::Trace> trace = schedule::parse_trace(best ? best->trace : "");
    if (!best || !trace || *trace == task.given.before || spent()) return {};
    std::vector<Proposal> known(1);
    known.front().prepared = task.space.prepare(*trace);
    if (!known.front().prepared.refused.empty())
        return refuse(index, known.front().prepared, TrialKind::Known), Result<void>();
    if (task.history.programs.contains(known.front().prepared.hash)) return {};
    return try_all(index, std::move(known), TrialKind::Known);
}

// ---------------------------------------------------------------------------------------- compiling

/// On cores that no kernel is measured on; on all where there are none, or it is measured elsewhere.
CompileAhead Tuning::compile_ahead(std::vector<tensor::Program> programs) const {
    return {{setting_.backend, setting_.target, setting_.build, spare_cores() > 0 ? spare_cores() : usable_cores()},
            std::move(programs)};
}
int Tuning::spare_cores() const {
    return setting_.measurer.remote() ? usable_cores() : usable_cores() - options_.threads;
}

/// Where there are no cores to compile on while kernels are measured, all are compiled before.
Result<void> Tuning::compiled_before(CompileAhead& ahead, const std::string& doing) {
    if (spare_cores() > 0) return {};
    tell(TuningPhase::Compiling, doing);
    const Stopwatch watch(now_.compiling_seconds);
    return ahead.wait_all(link_.progress) ? Result<void>() : tuning_cancelled();
}

// ------------------------------------------------------------------------------------------ trials

MeasureOptions Tuning::measure_options(double best_ms) const {
    MeasureOptions out;
    out.threads = options_.threads, out.seed = options_.seed;
    out.seconds = options_.run_seconds, out.least_runs = 5, out.warm_up_seconds = options_.run_seconds / 5;
    out.deadline_seconds = options_.deadline_seconds;
    out.flush_caches = options_.flush_caches;
    out.give_up_ms = best_ms * kHopeless;
    return out;
}

/// While others are at work there is little to be learned from times.
Result<void> Tuning::wait_until_quiet() {
    if (looked_ && last_busy_ <= kBusyMachine) {
        patience_ = options_.patience_seconds;
        return {};
    }
    // On a machine that is never quiet a tuning does not wait for most of its time.
    if (now_.waiting_seconds > options_.patience_seconds + kMostWaiting * seconds()) return {};
    looked_ = true;
    const Stopwatch watch(now_.waiting_seconds);
    const auto begin = Clock::now();
    while (true) {
        const BusyTime before = busy_time();
        const auto start = Clock::now();
        std::this_thread::sleep_for(2 * kPoll);
        const BusyTime after = busy_time();
        const double others =
            ((after.all - before.all) - (after.own - before.own)) / seconds_between(start, Clock::now());
        if (others <= kBusyMachine) {
            patience_ = options_.patience_seconds;
            return {};
        }
        if (link_.progress.cancelled()) return tuning_cancelled();
        if (seconds_between(begin, Clock::now()) >= patience_ || link_.control.stopping()) break;
        if (now_.phase != TuningPhase::Waiting) tell(TuningPhase::Waiting, "the machine is busy with other work");
    }
    patience_ = std::max(0.1, patience_ / 2); // it may stay so: measure all the same, by turns where it matters
    return {};
}

Result<void> Tuning::while_paused() {
    const Stopwatch watch(paused_);
    if (link_.control.paused()) tell(TuningPhase::Paused, "paused");
    while (link_.control.paused()) {
        if (link_.progress.cancelled()) return tuning_cancelled();
        std::this_thread::sleep_for(kPoll);
    }
    return {};
}

/// A candidate's time as a share of the best's, both run by turns.
Result<double> Tuning::against_best(const Task& task, const Candidate& candidate) {
    MeasureOptions options = measure_options(0);
    options.seconds = options_.run_seconds / kTurns;
    const Candidate both[] = {*task.best, candidate};
    ORRERY_TRY(const std::vector<Measurer::Turns> turns,
               setting_.measurer.by_turns(both, options, kTurns, link_.progress));
    if (turns[1].times.runs == 0) return 1.0;
    if (turns[0].times.runs == 0) return 0.5; // the best crashed: it is the best no more
    return turns[1].times.median_ms / turns[0].times.median_ms;
}

void Tuning::took_the_lead(std::size_t index, Candidate candidate, double milliseconds, int trial) {
    TaskProgress& progress = now_.tasks[index];
    progress.best_ms = tasks_[index]->history.best_ms = milliseconds;
    progress.best_trace = candidate.trace, progress.best_trial = trial;
    progress.best_so_far.push_back({trial, progress.trials, seconds(), milliseconds});
    tasks_[index]->best = std::move(candidate);
}

void Tuning::refuse(std::size_t index, const Prepared& prepared, TrialKind kind) {
    auto trial = std::make_shared<Trial>();
    trial->number = static_cast<int>(now_.trials.size()) + 1;
    trial->task = index, trial->space = Trial::no_space, trial->kind = kind;
    trial->trace = to_string(prepared.trace);
    trial->outcome = Outcome::Refused, trial->reason = prepared.refused;
    trial->at_seconds = seconds();
    now_.trials.push_back(std::move(trial));
    ++now_.tasks[index].trials, ++now_.tasks[index].failed;
}

Result<void> Tuning::trial(std::size_t index, Proposal& proposal, TrialKind kind, CompileAhead& ahead,
                           std::size_t position) {
    Task& task = *tasks_[index];
    TaskProgress& progress = now_.tasks[index];
    const auto start = Clock::now();
    auto trial = std::make_shared<Trial>();
    Candidate candidate{
        task.given.workload, task.given.program, proposal.prepared.program, to_string(proposal.prepared.trace),
        setting_.target,     setting_.build,     task.given.weights,        task.given.weights_distance};
    {
        const Stopwatch watch(now_.compiling_seconds);
        Result<KernelObject> object = ahead.take(position, link_.progress);
        if (!object && object.error().code == Code::Cancelled) return std::move(object.error());
        if (object) trial->compile_seconds = object->compile_ms / 1000, candidate.object = *std::move(object);
    }
    ORRERY_CHECK_OK(wait_until_quiet());
    const auto measuring = Clock::now();
    double lead = 0; ///< its time on the scale of the best so far, whatever the machine's mood is now
    {
        const Stopwatch watch(now_.measuring_seconds);
        ORRERY_TRY(const Record record,
                   setting_.measurer.measure(candidate, measure_options(progress.best_ms), link_.progress));
        trial->outcome = record.outcome, trial->reason = record.reason, trial->times = record.times;
        trial->busy_others = last_busy_ = record.busy_others, trial->record = record.id;
        const double seen = record.times.median_ms, best = progress.best_ms;
        const double promising = record.busy_others > kBusyMachine ? kPromisingBusy : kPromising;
        // What could not be compared is never preferred to what was there.
        const bool good = record.outcome == Outcome::Ok && (record.reason.empty() || kind == TrialKind::Baseline);
        trial->improved = good && (best == 0 || seen < best * promising);
        if (trial->improved && best > 0) {
            ORRERY_TRY(const double share, against_best(task, candidate));
            trial->improved = share < kFaster;
            lead = share * best;
        }
    }
    trial->number = static_cast<int>(now_.trials.size()) + 1;
    trial->task = index, trial->kind = kind, trial->trace = candidate.trace;
    trial->space = Trial::no_space;
    if (proposal.prepared.point) {
        trial->space = proposal.prepared.point->space;
        trial->knobs = task.space.knobs(*proposal.prepared.point);
    }
    trial->predicted_ms = proposal.predicted_ms;
    trial->at_seconds = seconds();
    trial->measure_seconds = seconds_between(measuring, Clock::now());
    const bool ok = trial->outcome == Outcome::Ok;
    ++progress.trials, progress.failed += ok ? 0 : 1;
    progress.seconds += seconds_between(start, Clock::now());
    if (trial->improved)
        took_the_lead(index, std::move(candidate), lead > 0 ? lead : trial->times.median_ms, trial->number);
    const double ms = ok ? trial->times.median_ms : 0;
    task.history.tried.push_back({proposal.prepared.point, ms});
    learned_.push_back({index, std::move(proposal.prepared.features), ms});
    if (ok && trial->predicted_ms) tell_error(*trial->predicted_ms, ms);
    now_.trials.push_back(std::move(trial));
    return {};
}

Result<void> Tuning::try_all(std::size_t index, std::vector<Proposal> proposals, TrialKind kind) {
    TaskProgress& progress = now_.tasks[index];
    progress.budget += static_cast<int>(proposals.size());
    std::vector<tensor::Program> programs;
    for (const Proposal& proposal : proposals) {
        tasks_[index]->history.programs.insert(proposal.prepared.hash);
        programs.push_back(proposal.prepared.program);
    }
    const std::string of = progress.function + ": ", count = std::to_string(proposals.size());
    CompileAhead ahead = compile_ahead(std::move(programs));
    ORRERY_CHECK_OK(compiled_before(ahead, of + "compiling " + count));
    for (std::size_t i = 0; i < proposals.size(); ++i) {
        ORRERY_CHECK_OK(while_paused());
        if (link_.progress.cancelled()) return tuning_cancelled();
        tell(TuningPhase::Measuring, of + "measuring " + std::to_string(i + 1) + " of " + count);
        if (kind == TrialKind::Searched && (spent() || link_.control.told())) {
            progress.budget -= static_cast<int>(proposals.size() - i);
            for (; i < proposals.size(); ++i) tasks_[index]->history.programs.erase(proposals[i].prepared.hash);
            return {};
        }
        ORRERY_CHECK_OK(trial(index, proposals[i], kind, ahead, i));
    }
    return {};
}

// ------------------------------------------------------------------------------------------ rounds

/// The model learns when there is something new.
void Tuning::learn() {
    if (!model_ || learned_.size() < kLeastSamples || learned_.size() == learned_of_) return;
    std::vector<Sample> samples;
    const std::size_t first = learned_.size() - std::min(learned_.size(), kMostSamples);
    for (std::size_t i = first; i < learned_.size(); ++i) {
        const Learned& one = learned_[i];
        const double best = now_.tasks[one.task].best_ms;
        const double score = one.milliseconds > 0 && best > 0 ? std::min(1.0, best / one.milliseconds) : 0;
        samples.push_back({one.features, static_cast<float>(score)});
    }
    model_->learn(samples);
    learned_of_ = learned_.size();
}

Result<void> Tuning::round(std::size_t index) {
    Task& task = *tasks_[index];
    TaskProgress& progress = now_.tasks[index];
    std::vector<Proposal> proposals;
    TrialKind kind = TrialKind::Searched;
    {
        const Stopwatch watch(now_.searching_seconds);
        tell(TuningPhase::Searching, progress.function + ": looking for candidates");
        if (!task.opened) open(task, progress), learn_from_records(index);
        for (const schedule::Trace& seed : std::exchange(task.seeds, {})) {
            Prepared prepared = task.space.prepare(seed);
            kind = TrialKind::Seed;
            if (prepared.refused.empty()) {
                if (!task.space.find(prepared.trace)) task.space.add(seed, kMostSeedSpaces), open(task, progress);
                prepared.point = task.space.find(prepared.trace);
                if (!task.history.programs.contains(prepared.hash))
                    proposals.push_back({std::move(prepared), std::nullopt});
            } else {
                refuse(index, prepared, kind);
            }
        }
        if (proposals.empty()) {
            kind = TrialKind::Searched;
            learn();
            const bool known = learned_of_ >= kLeastSamples;
            task.search.use(known ? model_.get() : nullptr);
            proposals = task.search.propose(task.space, task.history, std::min(options_.round, trials_left()));
        }
    }
    if (proposals.empty()) {
        progress.exhausted = true;
        return {};
    }
    return try_all(index, std::move(proposals), kind);
}

/// What was told since: pins and seeds.
void Tuning::listen() {
    TuningControl::Told told = link_.control.take();
    for (std::size_t i = 0; i < tasks_.size(); ++i)
        for (TuningControl::Seed& seed : told.seeds)
            if (tasks_[i]->given.workload == seed.workload) tasks_[i]->seeds.push_back(seed.trace);
    for (const TuningControl::Pin& pin : told.pins)
        for (std::size_t i = 0; i < tasks_.size(); ++i) {
            if (tasks_[i]->given.workload != pin.workload) continue;
            open(*tasks_[i], now_.tasks[i]);
            tasks_[i]->space.pin(pin.knob, pin.value);
            open(*tasks_[i], now_.tasks[i]);
            now_.tasks[i].exhausted = false;
        }
}

bool Tuning::spent() const {
    if (link_.control.stopping()) return true;
    if (options_.trials > 0 && static_cast<int>(now_.trials.size()) >= options_.trials) return true;
    return options_.seconds > 0 && seconds() >= options_.seconds;
}

int Tuning::trials_left() const {
    if (options_.trials <= 0) return options_.round;
    return std::max(0, options_.trials - static_cast<int>(now_.trials.size()));
}

void Tuning::weigh() {
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
        TaskProgress& task = now_.tasks[i];
        task.expected_gain_ms = expected_gain_ms(task, tasks_[i]->least_ms, options_.round);
        if (!tasks_[i]->seeds.empty()) task.expected_gain_ms = 1e9, task.exhausted = false; // it was asked for
    }
}

Result<TuneResult> Tuning::run(std::vector<TuneTask> given) {
    ORRERY_CHECK_OK(begin(std::move(given)));
    ORRERY_CHECK_OK(all_first_trials());
    while (!spent()) {
        ORRERY_CHECK_OK(while_paused());
        listen();
        weigh();
        const std::optional<std::size_t> next = next_task(now_.tasks);
        if (!next) break;
        ORRERY_CHECK_OK(round(*next));
    }
    ORRERY_CHECK_OK(last_turns());
    return result();
}

// ------------------------------------------------------------------------------------------ the end

/// What is won is told from runs by turns, so that nothing is called faster for a change of the machine's mood.
Result<void> Tuning::last_turns() {
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
        Task& task = *tasks_[i];
        TaskProgress& progress = now_.tasks[i];
        if (!task.before || !task.best || task.best->trace == task.before->trace) continue;
        tell(TuningPhase::Measuring, progress.function + ": the best against the trace before");
        const Candidate both[] = {*task.before, *task.best};
        const Stopwatch watch(now_.measuring_seconds);
        MeasureOptions options = measure_options(0);
        ORRERY_TRY(const std::vector<Measurer::Turns> turns,
                   setting_.measurer.by_turns(both, options, kLastTurns, link_.progress));
        if (turns[0].times.runs > 0) progress.before_ms = turns[0].times.median_ms;
        if (turns[1].times.runs > 0) progress.best_ms = turns[1].times.median_ms;
        if (turns[1].times.runs > 0 && progress.best_ms < kFaster * progress.before_ms) continue;
        progress.best_ms = progress.before_ms, progress.best_trace = task.before->trace;
        task.best = task.before;
    }
    return {};
}

TuneResult Tuning::result() {
    TuneResult out;
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
        const Task& task = *tasks_[i];
        const TaskProgress& progress = now_.tasks[i];
        TunedTask tuned{task.given.workload, task.given.before, progress.before_ms, progress.best_ms, false};
        const bool other = task.best && (!task.before || task.best->trace != task.before->trace);
        Result<schedule::Trace> best = schedule::parse_trace(other ? task.best->trace : "");
        if (other && best) tuned.best = *std::move(best), tuned.improved = true;
        out.tasks.push_back(std::move(tuned));
    }
    const bool exhausted = std::ranges::all_of(now_.tasks, &TaskProgress::exhausted);
    const bool pinned = std::ranges::any_of(tasks_, [](const auto& task) { return task->space.has_pins(); });
    tell(TuningPhase::Done, link_.control.stopping() ? "stopped"
                            : !exhausted             ? "the budget is spent"
                            : pinned                 ? "every candidate that pinned knobs allow was tried"
                                                     : "every candidate was tried");
    out.last = link_.control.latest();
    return out;
}

// ------------------------------------------------------------------------------------- what is told

void Tuning::tell_error(double predicted, double measured) {
    constexpr std::size_t kLast = 64;
    errors_.push_back(std::abs(predicted - measured) / measured);
    if (errors_.size() > kLast) errors_.erase(errors_.begin());
    std::vector<double> sorted = errors_;
    std::ranges::nth_element(sorted, sorted.begin() + std::ssize(sorted) / 2);
    now_.model_error = sorted[sorted.size() / 2];
}

void Tuning::tell(TuningPhase phase, const std::string& doing) {
    TuningControl& control = link_.control;
    ++now_.revision;
    now_.phase = phase, now_.doing = doing, now_.seconds = seconds();
    now_.before_ms = now_.estimate_ms = 0;
    for (const TaskProgress& task : now_.tasks) {
        now_.before_ms += static_cast<double>(task.calls) * task.before_ms;
        now_.estimate_ms += static_cast<double>(task.calls) * task.best_ms;
    }
    const std::optional<Diagnostic> problem = setting_.measurer.records_problem();
    now_.problem = problem ? to_string(*problem) : std::string();
    auto snapshot = std::make_shared<const TuningSnapshot>(now_);
    control.publish(snapshot);
    if (link_.observer) link_.observer(std::move(snapshot));
}

} // namespace

Result<TuneResult> tune(const TuneSetting& setting, std::vector<TuneTask> tasks, const TunerOptions& options,
                        const TuningLink& link) {
    Tuning tuning(setting, options, link);
    return tuning.run(std::move(tasks));
}

} // namespace orrery::tuning
