#include "core/tuning/measurer.hpp"

#include "core/tensor/analysis.hpp"
#include "core/tuning/machine.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <list>
#include <map>
#include <mutex>

namespace orrery::tuning {

namespace {

/// Programs up to this work are interpreted to know what they compute. Source: our choice; the interpreter does some
/// 10^7 operations a second of loops it does not recognize. Units: operations and bytes.
constexpr double kInterpreted = 2e6;
/// Difference that is no error, of the largest element: sums of some thousand terms, added in another order.
constexpr double kTolerance = 1e-4;
/// More than last-level caches hold. Source: our choice; those of desktop processors have up to 96 MiB, shared.
constexpr std::int64_t kFlushBytes = std::int64_t{96} << 20;
/// Loops as written may take so many times as long as a schedule is given. Source: our choice.
constexpr double kReferenceTime = 6;
constexpr std::size_t kKeptReferences = 256;
constexpr std::size_t kKeptReferenceBytes = std::size_t{256} << 20; ///< of all together

std::int64_t seconds_since_1970() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", value);
    return text;
}

/// The first result that differs, in words; empty when all agree. `unit`: what roundings of a program may do.
std::string first_difference(const std::vector<NDArray>& actual, const std::vector<NDArray>& expected, double unit) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const Difference difference = compare(actual[i], expected[i]);
        if (difference.same_type && difference.max_rel <= std::max(kTolerance, unit)) continue;
        return "result " + std::to_string(i) + ", element " + std::to_string(difference.worst_index) + " is " +
               number(difference.actual) + " instead of " + number(difference.expected);
    }
    return {};
}

/// The better of two looks at one machine.
Peaks better_of(Peaks a, const Peaks& b) {
    a.gflops = std::max(a.gflops, b.gflops);
    for (std::size_t i = 0; i < a.read.size() && i < b.read.size(); ++i)
        a.read[i].gb_s = std::max(a.read[i].gb_s, b.read[i].gb_s);
    return a;
}

} // namespace

struct Measurer::State {
    std::shared_ptr<const Backend> backend;
    Options options;
    std::mutex working; ///< one measurement at a time
    Worker worker;
    std::string machine = machine_fingerprint();

    mutable std::mutex mutex; ///< guards what follows
    std::optional<Records> records;
    std::optional<Diagnostic> problem;
    bool opened = false;
    std::vector<Record> own; ///< what the database does not hold
    std::map<int, Peaks> own_peaks;
    std::map<int, int> peak_tries; ///< by threads

    /// What a workload computes for a seed.
    struct Reference {
        std::string workload;
        std::uint64_t seed = 0;
        std::vector<NDArray> results;
    };
    std::list<Reference> references; ///< latest first; guarded by `working`

    State(std::shared_ptr<const Backend> b, Options o)
        : backend(std::move(b)), options(std::move(o)), worker(options.worker) {}

    /// The database, opened at its first use. Pre: `mutex` is held.
    Records* database() {
        if (!opened && !options.records.empty()) {
            Result<Records> made = Records::open(options.records);
            if (made)
                records.emplace(*std::move(made));
            else
                problem = std::move(made.error());
        }
        opened = true;
        return records ? &*records : nullptr;
    }

    void keep(Record& record) {
        const std::lock_guard lock(mutex);
        if (Records* kept = database()) {
            const Result<std::int64_t> id = kept->add(record);
            if (id) {
                record.id = *id;
                return;
            }
            problem = id.error();
        }
        own.insert(own.begin(), record);
    }

    static RunRequest request_for(const Candidate& candidate, KernelObject object, const MeasureOptions& options) {
        RunRequest request = request_for(candidate.scheduled, std::move(object), options);
        for (std::size_t i = 0; i < std::min(request.arguments.size(), candidate.weights.size()); ++i)
            request.arguments[i].weights = request.arguments[i].input && candidate.weights[i];
        request.weights_distance = candidate.weights_distance;
        return request;
    }
    static RunRequest request_for(const tensor::Program& program, KernelObject object, const MeasureOptions& options) {
        RunRequest request;
        request.object = std::move(object);
        request.arguments = arguments_of(program);
        request.seed = options.seed;
        request.threads = options.threads;
        request.seconds = options.seconds;
        request.least_runs = options.least_runs;
        if (options.seconds <= 0) request.warm_up_seconds = 0, request.most_runs = options.least_runs;
        request.deadline_seconds = options.deadline_seconds;
        if (options.seconds > 0) request.warm_up_seconds = options.warm_up_seconds;
        request.give_up_ms = options.give_up_ms;
        if (options.flush_caches) request.flush_bytes = kFlushBytes;
        return request;
    }
    /// In the worker. What this process does meanwhile (compiling the next candidate) is no other's work.
    Result<WorkerRun> run_apart(const RunRequest& request, const Progress& progress) {
        const BusyTime before = busy_time();
        const auto begin = std::chrono::steady_clock::now();
        ORRERY_TRY(WorkerRun ran, worker.run(request, progress));
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        if (options.worker.address.empty() && seconds > 0) {
            const double own = (busy_time().own - before.own) / seconds;
            ran.report.busy_others = std::max(0.0, ran.report.busy_others - own);
        }
        return ran;
    }
    void keep_reference(Reference reference) {
        const auto bytes_of = [](const Reference& r) {
            std::size_t bytes = 0;
            for (const NDArray& result : r.results) bytes += result.bytes();
            return bytes;
        };
        if (bytes_of(reference) > kKeptReferenceBytes) return;
        references.push_front(std::move(reference));
        std::size_t all = 0, count = 0;
        auto last = references.begin();
        while (last != references.end() && count < kKeptReferences && all + bytes_of(*last) <= kKeptReferenceBytes)
            all += bytes_of(*last++), ++count;
        references.erase(last, references.end());
    }
    /// Code for other machines is not compiled in vain.
    Result<void> check_target(const Candidate& candidate) const {
        const auto architecture = [](const Target& target) { return target.triple.substr(0, target.triple.find('-')); };
        if (candidate.target.triple.empty() || architecture(candidate.target) == architecture(backend->host()))
            return {};
        return Diagnostic{Code::NoTarget,
                          "code for " + candidate.target.triple + " cannot be measured on this machine",
                          {ProgramPlace{candidate.scheduled->name, ""}},
                          "choose this machine as target"};
    }

    /// What the program as written computes. An empty list with `why` set when that cannot be told.
    Result<std::vector<NDArray>> reference(const Candidate& candidate, const MeasureOptions& options, std::string& why,
                                           const Progress& progress);
    /// Runs the candidate and says how it ended.
    Result<void> run(const Candidate& candidate, const MeasureOptions& options, Record& record,
                     const Progress& progress);
};

Result<std::vector<NDArray>> Measurer::State::reference(const Candidate& candidate, const MeasureOptions& options,
                                                        std::string& why, const Progress& progress) {
    const auto known = std::ranges::find_if(
        references, [&](const Reference& r) { return r.workload == candidate.workload && r.seed == options.seed; });
    if (known != references.end()) return known->results;
    progress.tell("the program as written", 0);
    std::vector<NDArray> results;
    const tensor::Cost cost = tensor::cost_of(candidate.written);
    if (cost.flops + cost.bytes_read + cost.bytes_written <= kInterpreted) {
        const std::vector<Argument> shapes = arguments_of(candidate.written);
        ORRERY_TRY(std::vector<NDArray> arguments, draw_arguments(shapes, options.seed));
        ORRERY_CHECK_OK(tensor::interpret(candidate.written, arguments, {progress.stop, {}}));
        results.assign(arguments.begin() + static_cast<std::ptrdiff_t>(candidate.written->input_count),
                       arguments.end());
    } else {
        ORRERY_TRY(KernelObject object,
                   backend->compile(candidate.written, candidate.target, candidate.build, progress));
        RunRequest once = request_for(candidate.written, std::move(object), options);
        once.want_outputs = true;
        once.warm_up_seconds = 0, once.seconds = 0, once.least_runs = once.most_runs = 1;
        once.give_up_ms = 0, once.flush_bytes = 0;
        once.deadline_seconds = kReferenceTime * options.deadline_seconds;
        Result<WorkerRun> ran = worker.run(once, {progress.stop, {}});
        if (!ran && ran.error().code != Code::LimitExceeded) return std::move(ran.error());
        if (!ran || ran->outcome != Outcome::Ok) {
            why = "not compared: the loops as written " + (ran ? ran->reason : "have results that are too large");
            return results;
        }
        results = std::move(ran->report.outputs);
    }
    keep_reference({candidate.workload, options.seed, results});
    return results;
}

Result<void> Measurer::State::run(const Candidate& candidate, const MeasureOptions& options, Record& record,
                                  const Progress& progress) {
    if (!candidate.object) progress.tell("compiling " + candidate.scheduled->name, 0);
    Result<KernelObject> object =
        candidate.object ? *candidate.object
                         : backend->compile(candidate.scheduled, candidate.target, candidate.build, progress);
    if (!object) {
        if (object.error().code == Code::Cancelled) return std::move(object.error());
        record.outcome = Outcome::CompileError, record.reason = to_string(object.error());
        return {};
    }
    std::vector<NDArray> expected;
    std::string why;
    if (options.check) { ORRERY_TRY(expected, reference(candidate, options, why, progress)); }
    RunRequest request = request_for(candidate, *std::move(object), options);
    request.want_outputs = !expected.empty();
    ORRERY_TRY(WorkerRun ran, run_apart(request, progress));
    record.outcome = ran.outcome, record.reason = std::move(ran.reason);
    if (ran.outcome != Outcome::Ok) return {};
    record.times = summarize(ran.report.milliseconds);
    record.busy_others = ran.report.busy_others;
    record.reason = why;
    const double unit = tensor::rounding_unit(candidate.scheduled);
    if (std::string wrong = expected.empty() ? "" : first_difference(ran.report.outputs, expected, unit);
        !wrong.empty())
        record.outcome = Outcome::WrongAnswer, record.reason = std::move(wrong);
    return {};
}

Measurer::Measurer(std::shared_ptr<const Backend> backend, Options options)
    : state_(std::make_unique<State>(std::move(backend), std::move(options))) {}
Measurer::~Measurer() = default;

Result<Record> Measurer::measure(const Candidate& candidate, const MeasureOptions& options, const Progress& progress) {
    ORRERY_CHECK_OK(state_->check_target(candidate));
    const std::lock_guard alone(state_->working);
    if (progress.cancelled())
        return Diagnostic{Code::Cancelled, "the measurement was cancelled", {}, {}, Severity::Note};
    Record record;
    record.workload = candidate.workload, record.function = candidate.scheduled->name;
    record.target = to_string(candidate.target), record.trace = candidate.trace;
    record.threads = options.threads, record.weights_distance = candidate.weights_distance;
    ORRERY_CHECK_OK(state_->run(candidate, options, record, progress));
    // A compile error needs no worker: it is this machine's all the same.
    record.machine = state_->machine, record.version = program_version();
    record.time = seconds_since_1970();
    state_->keep(record);
    return record;
}

Result<std::vector<Measurer::Turns>> Measurer::by_turns(std::span<const Candidate> candidates,
                                                        const MeasureOptions& options, int turns,
                                                        const Progress& progress) {
    const std::lock_guard alone(state_->working);
    std::vector<Turns> out(candidates.size());
    std::vector<bool> broken(candidates.size());
    for (int turn = 0; turn < turns; ++turn)
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            if (broken[i]) continue;
            ORRERY_ASSERT(candidates[i].object.has_value(), "candidates by turns are compiled");
            ORRERY_TRY(const WorkerRun ran,
                       state_->run_apart(State::request_for(candidates[i], *candidates[i].object, options), progress));
            broken[i] = ran.outcome != Outcome::Ok;
            const Times times = broken[i] ? Times() : summarize(ran.report.milliseconds);
            const double others = ran.report.busy_others;
            if (broken[i] || turn == 0 || times.median_ms < out[i].times.median_ms) out[i].times = times;
            out[i].busy_others = turn == 0 ? others : std::min(out[i].busy_others, others);
        }
    return out;
}

Result<WorkerHost> Measurer::host(const Progress& progress) {
    const std::lock_guard alone(state_->working);
    ORRERY_TRY(WorkerHost host, state_->worker.host(progress));
    if (state_->machine != host.machine) state_->machine = host.machine;
    return host;
}

std::optional<Record> Measurer::best_of(const RecordKey& key) {
    const std::lock_guard lock(state_->mutex);
    std::optional<Record> best;
    if (Records* kept = state_->database()) {
        Result<std::optional<Record>> found = kept->best(key);
        if (found)
            best = *std::move(found);
        else
            state_->problem = found.error();
    }
    for (const Record& record : state_->own) {
        const bool same = record.workload == key.workload && record.target == key.target &&
                          record.machine == key.machine && record.threads == key.threads;
        if (!same || record.outcome != Outcome::Ok) continue;
        const auto rank = [&](const Record& r) {
            return std::pair(r.weights_distance != key.weights_distance, r.times.median_ms);
        };
        if (!best || rank(record) < rank(*best)) best = record;
    }
    return best;
}

std::optional<Peaks> Measurer::known_peaks(int threads) {
    const std::lock_guard lock(state_->mutex);
    if (const auto found = state_->own_peaks.find(threads); found != state_->own_peaks.end()) return found->second;
    Records* kept = state_->database();
    if (!kept) return std::nullopt;
    Result<std::optional<Peaks>> known = kept->peaks(state_->machine, threads);
    if (!known) state_->problem = known.error();
    if (!known || !*known) return std::nullopt;
    state_->own_peaks.emplace(threads, **known);
    return **known;
}

Result<Peaks> Measurer::peaks(const Target& target, int threads, const Progress& progress) {
    const std::lock_guard alone(state_->working);
    constexpr int kMostTries = 3; // of a machine that is never quiet
    std::optional<Peaks> known = known_peaks(threads);
    if (known && (!known->busy || state_->peak_tries[threads] >= kMostTries)) return *std::move(known);
    ++state_->peak_tries[threads];
    ORRERY_TRY(Peaks measured, measure_peaks(*state_->backend, state_->worker, target, threads, progress));
    const std::lock_guard lock(state_->mutex);
    if (known && measured.busy) measured = better_of(std::move(measured), *known);
    state_->own_peaks.insert_or_assign(threads, measured);
    if (Records* kept = state_->database())
        if (const Result<void> done = kept->keep_peaks(state_->machine, threads, measured); !done)
            state_->problem = done.error();
    return measured;
}

std::vector<Record> Measurer::of_workload(const std::string& workload) {
    const std::lock_guard lock(state_->mutex);
    std::vector<Record> out;
    for (const Record& record : state_->own)
        if (record.workload == workload) out.push_back(record);
    if (Records* kept = state_->database()) {
        Result<std::vector<Record>> rows = kept->of_workload(workload);
        if (rows)
            out.insert(out.end(), rows->begin(), rows->end());
        else
            state_->problem = rows.error();
    }
    return out;
}

std::optional<Diagnostic> Measurer::records_problem() const {
    const std::lock_guard lock(state_->mutex);
    return state_->problem;
}

bool Measurer::remote() const { return !state_->options.worker.address.empty(); }

const std::string& Measurer::machine() const { return state_->machine; }

std::string describe(const Record& record) {
    if (record.outcome != Outcome::Ok) return std::string(outcome_name(record.outcome)) + ": " + record.reason;
    char text[160];
    std::snprintf(text, sizeof text, "%.4g ms, median of %d runs, known to %.2g %%", record.times.median_ms,
                  record.times.runs, 100 * uncertainty(record.times));
    std::string out = text;
    if (record.weights_distance > 0)
        out += ", weights as in a model with " + std::to_string(record.weights_distance >> 20) + " MiB of them";
    if (record.busy_others > kBusyMachine) {
        std::snprintf(text, sizeof text, "; %.1f cores were busy with other work meanwhile", record.busy_others);
        out += text;
    }
    return record.reason.empty() ? out : out + "; " + record.reason;
}

} // namespace orrery::tuning
