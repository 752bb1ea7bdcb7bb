#include "core/session/session.hpp"

#include "core/base/file.hpp"
#include "core/base/turns.hpp"
#include "core/session/dynamic_model.hpp"
#include "core/session/profile.hpp"
#include "core/session/recipe_common.hpp"
#include "core/session/scratch.hpp"
#include "core/session/tune.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

namespace orrery::session {

namespace {

using Clock = std::chrono::steady_clock;
using RecipePtr = std::shared_ptr<const Recipe>; // a value that the history shares

struct Edit {
    std::string label;
    RecipePtr recipe;
};

/// A background job and the thread that does it.
struct Job {
    std::uint64_t id = 0;
    std::string tag;
    JobStatus status;
    Clock::time_point started = Clock::now();
    std::jthread thread;
    bool done = false;
    bool soon_over = false; ///< it is done before anybody would read how far it is
};

/// So many functions are compiled anew in no time anybody waits for. Source: our choice; one takes some 20 ms.
constexpr std::size_t kFewFunctions = 2;

constexpr const char* kScheduleCheck = "schedule check"; ///< tag of that job

constexpr auto kSoon = std::chrono::milliseconds(200); ///< Source: UX.md, waits over 300 ms show what they do
constexpr auto kProgressInterval = std::chrono::milliseconds(50); ///< at most 20 progress pictures a second

} // namespace

struct Session::State {
    std::shared_ptr<Compiler> compiler;
    mutable std::mutex mutex;
    std::condition_variable idle;
    Listener listener;
    SnapshotPtr published = std::make_shared<Snapshot>();
    Snapshot draft; ///< the next picture; guarded by mutex
    std::vector<Diagnostic> pipeline_problems, schedule_problems, other_problems;
    ScheduleChecker schedule_checker;
    std::vector<Edit> past, future; ///< changed by the thread that edits, under the mutex
    RecipePtr in_force;             ///< the draft's recipe, as the history has it
    std::set<std::string> wanted;
    std::vector<std::unique_ptr<Job>> jobs;
    std::uint64_t next_job = 1;
    bool steps_whole = false;                      ///< the draft's steps are all of the recipe's, and none failed
    std::uint64_t generation = 0;                  ///< of the recipe; results of older ones are dropped
    std::unique_ptr<tuning::Measurer> measurer;    ///< made when something is first measured
    std::shared_ptr<tuning::TuningControl> tuning; ///< of the one that was started last
    Hash measured;                                 ///< the workload whose measurements were asked for last
    Clock::time_point last_progress;

    explicit State(std::shared_ptr<Compiler> c) : compiler(std::move(c)) {}

    /// Hands a new picture to the listener. Pre: `lock` holds the mutex; it is released.
    void publish(std::unique_lock<std::mutex>& lock) {
        draft.revision = published->revision + 1;
        draft.undo_label = past.empty() ? "" : past.back().label;
        draft.redo_label = future.empty() ? "" : future.back().label;
        draft.problems = pipeline_problems;
        draft.problems.insert(draft.problems.end(), schedule_problems.begin(), schedule_problems.end());
        draft.problems.insert(draft.problems.end(), other_problems.begin(), other_problems.end());
        draft.jobs.clear();
        for (const auto& job : jobs) {
            if (job->done) continue;
            draft.jobs.push_back(job->status);
            draft.jobs.back().seconds = std::chrono::duration<double>(Clock::now() - job->started).count();
        }
        published = std::make_shared<Snapshot>(draft);
        const SnapshotPtr picture = published;
        const Listener tell = listener;
        lock.unlock();
        if (tell) tell(picture);
    }

    /// Changes the draft under the lock and publishes, unless the recipe has moved on.
    template <class F> void update(std::uint64_t of_generation, F&& change) {
        std::unique_lock lock(mutex);
        if (of_generation != generation) return;
        change(draft);
        publish(lock);
    }

    void progress(Job& job, std::string_view what, double fraction) {
        std::unique_lock lock(mutex);
        job.status.detail = what;
        job.status.fraction = fraction;
        if (Clock::now() - last_progress < kProgressInterval) return;
        if (job.soon_over && Clock::now() - job.started < kSoon) return;
        last_progress = Clock::now();
        publish(lock);
    }

    using Work = std::function<Result<void>(const Progress&)>;

    enum class Announce : std::uint8_t {
        AtOnce,
        WithResult, ///< work that is done before anybody would read of it: its first picture is that of a result
    };

    /// Starts a job; one of the same tag under way is asked to stop, and the new one begins when it has.
    void start(const std::string& tag, const std::string& label, Work work, Announce announce = Announce::AtOnce) {
        // Joined after the lock is gone: a listener may be asking for the snapshot.
        std::vector<std::unique_ptr<Job>> finished;
        std::unique_lock lock(mutex);
        auto owned = std::make_unique<Job>();
        Job* job = owned.get();
        job->id = job->status.id = next_job++;
        job->tag = tag;
        job->status.label = label;
        job->status.fraction = -1;
        job->status.quiet = tag == kScheduleCheck;
        job->soon_over = announce == Announce::WithResult;
        std::vector<std::jthread> before;
        for (const auto& other : jobs)
            if (other->tag == tag && other->thread.joinable()) {
                other->thread.request_stop();
                before.push_back(std::move(other->thread));
            }
        for (auto& other : jobs)
            if (other->done) finished.push_back(std::move(other));
        std::erase(jobs, nullptr);
        job->thread =
            std::jthread([this, job, work = std::move(work), before = std::move(before)](std::stop_token stop) mutable {
                before.clear(); // joins
                run(*job, work, stop);
            });
        jobs.push_back(std::move(owned));
        if (announce == Announce::AtOnce) publish(lock);
    }

    /// The body of a job's thread: one of the two places that catch InternalError.
    void run(Job& job, const Work& work, const std::stop_token& stop) {
        Result<void> outcome;
        const Progress report{stop,
                              [this, &job](std::string_view what, double fraction) { progress(job, what, fraction); }};
        try {
            outcome =
                stop.stop_requested() ? Result<void>(Diagnostic{Code::Cancelled, "cancelled", {}, {}}) : work(report);
        } catch (const std::bad_alloc&) {
            outcome = Diagnostic{Code::OutOfMemory,
                                 job.status.label + ": out of memory",
                                 {},
                                 "close other models or use smaller shapes"};
        } catch (const std::exception& bug) {
            outcome = Diagnostic{Code::Internal,
                                 job.status.label + ": " + bug.what(),
                                 {},
                                 "this is a fault of the program; the recipe is kept"};
        }
        std::unique_lock lock(mutex);
        job.done = true;
        if (!outcome && outcome.error().code != Code::Cancelled)
            (job.tag == "pipeline"       ? pipeline_problems
             : job.tag == kScheduleCheck ? schedule_problems
                                         : other_problems)
                .push_back(std::move(outcome.error()));
        publish(lock);
        idle.notify_all();
    }

    /// What was done so far and what was undone, for the snapshot. Pre: the lock is held.
    void write_history() {
        auto history = std::make_shared<History>();
        std::string label = "open";
        for (const Edit& edit : past) {
            history->entries.push_back({std::move(label), edit.recipe});
            label = edit.label;
        }
        history->current = history->entries.size();
        history->entries.push_back({std::move(label), in_force});
        for (auto edit = future.rbegin(); edit != future.rend(); ++edit)
            history->entries.push_back({edit->label, edit->recipe});
        draft.history = std::move(history);
    }

    /// The recipe is now `recipe`: forget what no longer belongs to it and compute anew. `change_history` runs under
    /// the lock: jobs tell of the history in every picture they publish.
    void restart(const RecipePtr& recipe, const std::string& label, bool same_model,
                 const std::function<void()>& change_history) {
        std::uint64_t of_generation = 0;
        Steps known;
        Announce announce = Announce::AtOnce;
        {
            const std::lock_guard lock(mutex);
            change_history();
            of_generation = ++generation;
            const Common same = common(draft.recipe, *recipe);
            steps_whole = steps_whole && same_model && same.graph;
            if (steps_whole) known = draft.steps;
            if (steps_whole && same.all_but_schedules) announce = Announce::WithResult;
            in_force = recipe;
            draft.recipe = *recipe;
            draft.title = title_of(*recipe);
            draft.run = nullptr;
            draft.profile = nullptr;
            draft.check = nullptr;
            draft.step_checks = nullptr;
            draft.bisection = nullptr;
            write_history();
            draft.compiled = nullptr;
            pipeline_problems.clear();
            schedule_problems.clear();
            for (const auto& job : jobs)
                if (job->tag == kScheduleCheck) job->thread.request_stop();
            if (!same_model) {
                draft.schedule_check = nullptr;
                draft.steps.clear();
                draft.functions.clear();
                draft.lowered = nullptr;
                draft.code.clear();
                draft.after_pass = {};
                draft.measurements = nullptr;
                draft.tuning = nullptr;
                if (const auto before = std::exchange(tuning, nullptr)) before->stop();
                wanted.clear();
                other_problems.clear();
            }
        }
        start(
            "pipeline", label,
            [this, recipe, of_generation, known = std::move(known)](const Progress& progress) {
                return pipeline(*recipe, of_generation, known, {progress, Clock::now()});
            },
            announce);
    }

    struct Pace {
        const Progress& progress;
        Clock::time_point begin; ///< of the edit
    };
    /// `known` are the graph's steps when an edit left them alone, else empty.
    Result<void> pipeline(const Recipe& recipe, std::uint64_t current, const Steps& known, const Pace& pace) {
        const Progress& progress = pace.progress;
        if (!known.empty()) return pipeline_below(recipe, current, known, pace);
        std::vector<std::shared_ptr<const GraphStep>> steps;
        const auto sink = [&](std::shared_ptr<const GraphStep> step) {
            steps.push_back(std::move(step));
            update(current, [&](Snapshot& next) {
                // Steps of the previous recipe stay on screen until theirs are replaced.
                if (next.steps.size() < steps.size())
                    next.steps = steps;
                else
                    next.steps[steps.size() - 1] = steps.back();
            });
        };
        ORRERY_TRY(const auto all, compiler->graph_steps(recipe, progress, sink));
        update(current, [&](Snapshot& next) {
            next.steps = all;
            steps_whole = !all.back()->error;
        });
        if (all.back()->error) {
            update(current, [](Snapshot& next) {
                next.functions.clear();
                next.lowered = nullptr;
            });
            return *all.back()->error;
        }
        return pipeline_below(recipe, current, all, pace);
    }

    /// From the graph's last step down.
    Result<void> pipeline_below(const Recipe& recipe, std::uint64_t current, const Steps& all, const Pace& pace) {
        const Progress& progress = pace.progress;
        if (!is_static_program(all.front()->module.main)) return open_model(recipe, current, all, progress);
        ORRERY_TRY(const Compiler::Functions functions, compiler->functions(recipe, all.back()->module, progress));
        std::map<std::string, std::shared_ptr<const FunctionCode>> ready;
        const std::set<std::string> names = wanted_now();
        for (const FunctionPtr& function : functions.functions)
            if (names.contains(function->lowered.name))
                if (auto code = compiler->code_if_ready(recipe, function)) ready[function->lowered.name] = code;
        std::set<FunctionPtr> before;
        {
            const std::lock_guard lock(mutex);
            before.insert(draft.functions.begin(), draft.functions.end());
        }
        const auto rebuilt = static_cast<std::size_t>(std::ranges::count_if(
            functions.functions, [&](const FunctionPtr& function) { return !before.contains(function); }));
        update(current, [&](Snapshot& next) {
            std::map<std::string, std::shared_ptr<const FunctionCode>> kept = ready;
            for (const FunctionPtr& function : functions.functions) {
                if (!before.contains(function)) continue;
                if (const auto it = next.code.find(function->lowered.name); it != next.code.end()) kept.insert(*it);
            }
            next.lowered = functions.model;
            next.functions = functions.functions;
            next.code = std::move(kept);
            if (!next.code.contains(next.after_pass.function)) next.after_pass = {};
            for (const FunctionPtr& function : functions.functions)
                if (function->error) pipeline_problems.push_back(*function->error);
        });
        // What an edit is looked at for first is there: what compiles it must not keep it from the screen.
        if (rebuilt <= kFewFunctions) step_back();
        for (const std::string& name : names) ORRERY_CHECK_OK(make_code(recipe, current, name));
        ORRERY_TRY(const std::shared_ptr<const CompiledModel> compiled, compiler->compile(recipe, progress));
        const double elapsed = std::chrono::duration<double, std::milli>(Clock::now() - pace.begin).count();
        update(current, [&](Snapshot& next) {
            next.compiled = compiled;
            next.rebuilt_functions = rebuilt;
            next.rebuild_ms = elapsed;
        });
        return {};
    }

    /// A model whose kernels are made while it runs: it is ready at once, and says what would make it static.
    Result<void> open_model(const Recipe& recipe, std::uint64_t current, const Steps& steps, const Progress& progress) {
        ORRERY_TRY(const std::shared_ptr<const CompiledModel> compiled, compiler->compile(recipe, progress));
        update(current, [&](Snapshot& next) {
            next.functions.clear();
            next.lowered = nullptr;
            next.code.clear();
            next.compiled = compiled;
            pipeline_problems.push_back(why_dynamic(steps.front()->module));
        });
        return {};
    }

    std::set<std::string> wanted_now() {
        const std::lock_guard lock(mutex);
        return wanted;
    }

    Result<void> make_code(const Recipe& recipe, std::uint64_t current, const std::string& name) {
        FunctionPtr function;
        {
            const std::lock_guard lock(mutex);
            const auto it =
                std::ranges::find_if(draft.functions, [&](const FunctionPtr& f) { return f->lowered.name == name; });
            if (it == draft.functions.end() || draft.code.contains(name)) return {};
            function = *it;
        }
        const auto show = [&](const std::shared_ptr<const FunctionCode>& code) {
            update(current, [&](Snapshot& next) {
                if (std::ranges::find(next.functions, function) != next.functions.end()) next.code[name] = code;
            });
        };
        ORRERY_TRY(const std::shared_ptr<const FunctionCode> code,
                   compiler->code(recipe, function, [&show](const FunctionCode& early) {
                       show(std::make_shared<const FunctionCode>(early));
                   }));
        show(code);
        return {};
    }

    tuning::Measurer& measuring() {
        const std::lock_guard lock(mutex);
        // The compiler owns the backend, and lives as long as this does.
        if (!measurer)
            measurer =
                std::make_unique<tuning::Measurer>(std::shared_ptr<const Backend>(compiler, &compiler->backend()));
        return *measurer;
    }

    /// What is known of a function's workload, whatever recipe is in force by now: another schedule has the same.
    void show_measurements(const Recipe& recipe, const ScheduledFunction& function) {
        auto known = std::make_shared<const Measurements>(known_measurements(measuring(), recipe, function));
        std::unique_lock lock(mutex);
        if (measured != function.lowered.workload) return; // another one is looked at by now
        draft.measurements = std::move(known);
        publish(lock);
    }

    void show_tuning(const tuning::TuningControl& of, tuning::TuningSnapshotPtr now) {
        std::unique_lock lock(mutex);
        if (tuning.get() != &of) return; // another one was started, or another model opened
        draft.tuning = std::move(now);
        publish(lock);
    }

    Result<void> measure(const Recipe& recipe, const ScheduledFunction& function, const Progress& progress) {
        ORRERY_TRY(const tuning::Candidate candidate, candidate_of(recipe, function));
        tuning::Measurer& measurer = measuring();
        tuning::MeasureOptions options;
        options.threads = threads_of(recipe);
        ORRERY_TRY([[maybe_unused]] const tuning::Peaks roofs,
                   measurer.peaks(recipe.target, options.threads, progress));
        ORRERY_TRY([[maybe_unused]] const tuning::Record record, measurer.measure(candidate, options, progress));
        show_measurements(recipe, function);
        return {};
    }

    /// The function of that name as it is now, whose measurements are wanted; null when there is none.
    FunctionPtr look_at(const std::string& name) {
        const std::lock_guard lock(mutex);
        const auto it =
            std::ranges::find_if(draft.functions, [&](const FunctionPtr& f) { return f->lowered.name == name; });
        if (it == draft.functions.end()) return nullptr;
        measured = (*it)->lowered.workload;
        return *it;
    }

    void apply(Edit edit, std::vector<Edit>& from, std::vector<Edit>& to) {
        restart(edit.recipe, "compiling", true, [&] {
            to.push_back({std::move(edit.label), in_force});
            from.pop_back();
        });
    }

    /// The recipe in force.
    RecipePtr recipe() const {
        const std::lock_guard lock(mutex);
        return in_force;
    }
    /// Nothing is open. Pre: nobody else has the state, or the lock is held.
    void forget_recipe() {
        in_force = std::make_shared<const Recipe>(compiler->new_recipe({}));
        draft.recipe = *in_force;
        draft.host = draft.recipe.target;
    }
    std::uint64_t current_generation() const {
        const std::lock_guard lock(mutex);
        return generation;
    }
};

Session::Session(std::shared_ptr<Compiler> compiler) : state_(std::make_unique<State>(std::move(compiler))) {
    state_->forget_recipe();
    state_->published = std::make_shared<Snapshot>(state_->draft);
}

Session::~Session() {
    cancel();
    std::vector<std::unique_ptr<Job>> jobs;
    {
        const std::lock_guard lock(state_->mutex);
        state_->listener = {};
        jobs = std::move(state_->jobs);
        state_->jobs.clear();
    }
    while (!jobs.empty()) jobs.pop_back(); // joins; the latest first, which joins those that it replaced
}

void Session::set_listener(Listener listener) {
    const std::lock_guard lock(state_->mutex);
    state_->listener = std::move(listener);
}

SnapshotPtr Session::snapshot() const {
    const std::lock_guard lock(state_->mutex);
    return state_->published;
}

void Session::open(const std::filesystem::path& path) {
    if (is_scratch_file(path)) {
        Result<Recipe> recipe = scratch_recipe(*state_->compiler, path);
        return recipe ? open_recipe(*std::move(recipe)) : report(std::move(recipe.error()));
    }
    // A recipe is JSON text; no model format this program reads starts with a brace.
    const Result<MappedFile> file = map_file(path);
    if (file && !file->bytes.empty() && static_cast<char>(file->bytes.front()) == '{') {
        Result<Recipe> recipe = load_recipe(path, state_->compiler->backend());
        if (recipe)
            open_recipe(*std::move(recipe));
        else
            report(std::move(recipe.error()));
        return;
    }
    open_recipe(state_->compiler->new_recipe(std::filesystem::absolute(path)));
}

void Session::open_builtin(const std::string& network, std::uint64_t seed) {
    Recipe recipe = state_->compiler->new_recipe({});
    recipe.builtin = network;
    recipe.seed = seed;
    open_recipe(std::move(recipe));
}

void Session::open_recipe(Recipe recipe) {
    const std::string name = title_of(recipe);
    state_->restart(std::make_shared<const Recipe>(std::move(recipe)), "opening " + name, false, [this] {
        state_->past.clear();
        state_->future.clear();
    });
}

void Session::close() {
    cancel();
    std::unique_lock lock(state_->mutex);
    ++state_->generation;
    state_->past.clear();
    state_->future.clear();
    state_->wanted.clear();
    state_->pipeline_problems.clear();
    state_->schedule_problems.clear();
    state_->other_problems.clear();
    const std::uint64_t revision = state_->draft.revision;
    state_->draft = {};
    state_->draft.revision = revision;
    state_->forget_recipe();
    state_->publish(lock);
}

bool Session::edit(std::string label, const std::function<void(Recipe&)>& change) {
    const RecipePtr before = state_->in_force;
    auto after = std::make_shared<Recipe>(*before);
    change(*after);
    if (*after == *before) return false;
    const bool same_model = after->model == before->model && after->builtin == before->builtin;
    state_->restart(std::move(after), "compiling", same_model, [&] {
        state_->past.push_back({std::move(label), before});
        state_->future.clear();
    });
    return true;
}

void Session::undo() {
    if (!state_->past.empty()) state_->apply(state_->past.back(), state_->past, state_->future);
}

void Session::redo() {
    if (!state_->future.empty()) state_->apply(state_->future.back(), state_->future, state_->past);
}

void Session::go_to(std::size_t entry) {
    std::vector<Edit>&past = state_->past, &future = state_->future;
    if (entry == past.size() || entry > past.size() + future.size()) return;
    const RecipePtr wanted =
        entry < past.size() ? past[entry].recipe : future[past.size() + future.size() - entry].recipe;
    state_->restart(wanted, "compiling", true, [&] {
        RecipePtr recipe = state_->in_force;
        const auto move_last = [&recipe](std::vector<Edit>& from, std::vector<Edit>& to) {
            to.push_back({from.back().label, std::move(recipe)});
            recipe = std::move(from.back().recipe);
            from.pop_back();
        };
        while (past.size() > entry) move_last(past, future);
        while (past.size() < entry) move_last(future, past);
    });
}

const Recipe& Session::recipe() const { return *state_->in_force; }

void Session::want_code(const std::string& function) {
    {
        const std::lock_guard lock(state_->mutex);
        state_->wanted = {function};
        if (state_->draft.code.contains(function)) return;
    }
    const RecipePtr recipe = state_->recipe();
    const std::uint64_t current = state_->current_generation();
    state_->start("code", "generating code of " + function,
                  [state = state_.get(), recipe, current, function](const Progress&) {
                      return state->make_code(*recipe, current, function);
                  });
}

void Session::want_listing(const std::string& function, std::size_t pass) {
    FunctionPtr wanted;
    {
        const std::lock_guard lock(state_->mutex);
        const PassListing& shown = state_->draft.after_pass;
        if (shown.function == function && shown.pass == pass && shown.listing) return;
        state_->draft.after_pass = {function, pass, nullptr};
        for (const FunctionPtr& f : state_->draft.functions)
            if (f->lowered.name == function) wanted = f;
    }
    if (!wanted) return;
    const RecipePtr recipe = state_->recipe();
    const std::uint64_t current = state_->current_generation();
    state_->start("listing", "IR of " + function,
                  [state = state_.get(), recipe, current, wanted, pass](const Progress&) -> Result<void> {
                      ORRERY_TRY(const auto listing, state->compiler->code_after(*recipe, wanted, pass));
                      state->update(current, [&](Snapshot& next) {
                          PassListing& shown = next.after_pass;
                          if (shown.function == wanted->lowered.name && shown.pass == pass) shown.listing = listing;
                      });
                      return {};
                  });
}

void Session::check_steps(std::uint64_t seed) {
    const RecipePtr recipe = state_->recipe();
    const std::uint64_t current = state_->current_generation();
    state_->start(
        "check", "checking every step",
        [state = state_.get(), recipe, current, seed](const Progress& progress) -> Result<void> {
            const auto show = [&](const StepChecks& checks) {
                state->update(current,
                              [&](Snapshot& next) { next.step_checks = std::make_shared<const StepChecks>(checks); });
            };
            StepCheckOptions options;
            options.seed = seed;
            ORRERY_TRY(const StepChecks done, session::check_steps(*state->compiler, *recipe, options, progress, show));
            show(done);
            return {};
        });
}

namespace {

/// The machine that code of a recipe is run on: its target where that is this machine, else this one.
Recipe run_here(Recipe recipe, const Target& host) {
    const Target& target = recipe.target;
    const bool here = target.triple == host.triple && target.cpu == host.cpu && target.features == host.features;
    if (!here) recipe.target = host;
    return recipe;
}

Hash how_of(const Recipe& recipe) {
    Hasher hasher;
    hasher.add(recipe.target.hash()).add(recipe.build.hash());
    return hasher.finish();
}

} // namespace

void Session::check_schedule(const std::string& function) {
    FunctionPtr wanted;
    std::uint64_t current = 0;
    {
        const std::lock_guard lock(state_->mutex);
        current = state_->generation;
        for (const FunctionPtr& f : state_->draft.functions)
            if (f->lowered.name == function) wanted = f;
    }
    if (!wanted || !wanted->lowered.backend.empty()) return;
    const Recipe recipe = run_here(*state_->recipe(), state_->compiler->backend().host());
    state_->start(
        kScheduleCheck, "checking the steps of " + function,
        [state = state_.get(), recipe, current, wanted](const Progress& progress) -> Result<void> {
            step_back();
            Clock::time_point shown;
            bool any = false;
            const auto show = [&](const ScheduleCheck& check) {
                const bool soon = check.ran == 0 || (any && Clock::now() - shown < kProgressInterval);
                if (soon && !check.finished) return;
                any = true, shown = Clock::now();
                state->update(current, [&](Snapshot& next) {
                    next.schedule_check = std::make_shared<const ScheduleCheck>(check);
                    state->schedule_problems.clear();
                    if (std::optional<Diagnostic> problem = problem_of(check))
                        state->schedule_problems.push_back(*std::move(problem));
                });
            };
            ScheduleCheckOptions options;
            options.most_stores = 1.2e9, options.seconds = 3; // see there; the machine is meant for other work
            const ScheduleChecker::Machine machine{
                state->compiler->backend(),
                [&](const tensor::Program& program) { return state->compiler->kernel(recipe, program, progress); },
                how_of(recipe)};
            const Result<ScheduleCheck> done = state->schedule_checker.check(wanted, machine, options, progress, show);
            if (!done) return done.error();
            return {};
        },
        State::Announce::WithResult);
}

void Session::bisect(std::uint64_t seed) {
    const RecipePtr recipe = state_->recipe();
    const std::uint64_t current = state_->current_generation();
    state_->start("check", "looking for the first wrong pass",
                  [state = state_.get(), recipe, current, seed](const Progress& progress) -> Result<void> {
                      StepCheckOptions options;
                      options.seed = seed;
                      ORRERY_TRY(Bisection found, session::bisect(*state->compiler, *recipe, options, progress));
                      state->update(current, [&](Snapshot& next) {
                          next.bisection = std::make_shared<const Bisection>(std::move(found));
                      });
                      return {};
                  });
}

void Session::measure(const std::string& function) {
    const FunctionPtr now = state_->look_at(function);
    if (!now) return;
    state_->start("measure", "measuring " + function,
                  [state = state_.get(), recipe = state_->recipe(), now](const Progress& progress) {
                      return state->measure(*recipe, *now, progress);
                  });
}

void Session::tune(const tuning::TunerOptions& options, const std::string& only_function) {
    const auto control = std::make_shared<tuning::TuningControl>();
    const Recipe recipe = *state_->recipe();
    {
        const std::lock_guard lock(state_->mutex);
        state_->tuning = control;
    }
    state_->start("tune", "tuning " + title_of(recipe),
                  [state = state_.get(), recipe, options, only_function, control](const Progress& progress) {
                      step_back(); // and with it the threads that compile: the window comes first
                      const auto show = [&](tuning::TuningSnapshotPtr now) {
                          state->show_tuning(*control, std::move(now));
                      };
                      return session::tune(*state->compiler, state->measuring(), {recipe, only_function, options},
                                           {*control, show, progress});
                  });
}

std::shared_ptr<tuning::TuningControl> Session::tuning_control() const {
    const std::lock_guard lock(state_->mutex);
    return state_->tuning;
}

void Session::want_measurements(const std::string& function) {
    const FunctionPtr now = state_->look_at(function);
    if (!now) return;
    state_->start("measurements", "reading measurements of " + function,
                  [state = state_.get(), recipe = state_->recipe(), now](const Progress&) -> Result<void> {
                      state->show_measurements(*recipe, *now);
                      return {};
                  });
}

void Session::run(std::uint64_t seed) {
    const RecipePtr recipe = state_->recipe();
    const std::uint64_t current = state_->current_generation();
    state_->start(
        "run", "running", [state = state_.get(), recipe, current, seed](const Progress& progress) -> Result<void> {
            ORRERY_TRY(const auto model, state->compiler->compile(*recipe, progress));
            const int threads = recipe->threads > 0 ? recipe->threads : recipe->target.cores;
            ORRERY_TRY(const std::vector<NDArray> inputs, drawn_inputs(*model, seed));
            // The first run touches memory for the first time; the second is the one whose times mean something.
            ORRERY_TRY(RunResult result, session::run(*model, inputs, threads, progress));
            ORRERY_TRY(result, session::run(*model, inputs, threads, progress));
            state->update(current, [&](Snapshot& next) { next.run = std::make_shared<RunResult>(std::move(result)); });
            return {};
        });
}

void Session::profile(std::uint64_t seed, int runs) {
    const Recipe recipe = *state_->recipe();
    const std::uint64_t current = state_->current_generation();
    state_->start("run", "profiling " + title_of(recipe),
                  [state = state_.get(), recipe, current, seed, runs](const Progress& progress) -> Result<void> {
                      ORRERY_TRY(Profile made, profile_recipe(*state->compiler, state->measuring(), recipe,
                                                              {.runs = runs, .seed = seed}, progress));
                      state->update(current, [&](Snapshot& next) {
                          next.profile = std::make_shared<const Profile>(std::move(made));
                      });
                      return {};
                  });
}

void Session::check(std::uint64_t seed) {
    const RecipePtr recipe = state_->recipe();
    const std::uint64_t current = state_->current_generation();
    state_->start("check", "checking against the interpreter",
                  [state = state_.get(), recipe, current, seed](const Progress& progress) -> Result<void> {
                      ORRERY_TRY(const auto model, state->compiler->compile(*recipe, progress));
                      constexpr double kTolerance =
                          1e-4; // of the largest element: float32 sums of some thousand terms, reordered
                      ORRERY_TRY(const std::vector<NDArray> inputs, drawn_inputs(*model, seed));
                      ORRERY_TRY(CheckResult result, session::check(*model, inputs, kTolerance, progress));
                      state->update(current, [&](Snapshot& next) {
                          next.check = std::make_shared<CheckResult>(std::move(result));
                      });
                      return {};
                  });
}

void Session::cancel(std::uint64_t job) {
    const std::lock_guard lock(state_->mutex);
    for (const auto& each : state_->jobs)
        if (job == 0 || each->id == job) each->thread.request_stop();
}

void Session::report(Diagnostic problem) {
    std::unique_lock lock(state_->mutex);
    state_->other_problems.push_back(std::move(problem));
    state_->publish(lock);
}

void Session::clear_problems() {
    std::unique_lock lock(state_->mutex);
    state_->other_problems.clear();
    state_->publish(lock);
}

bool Session::busy() const {
    const std::lock_guard lock(state_->mutex);
    return std::ranges::any_of(state_->jobs, [](const auto& job) { return !job->done; });
}

void Session::wait_idle() {
    std::unique_lock lock(state_->mutex);
    state_->idle.wait(lock,
                      [this] { return std::ranges::all_of(state_->jobs, [](const auto& job) { return job->done; }); });
}

} // namespace orrery::session
