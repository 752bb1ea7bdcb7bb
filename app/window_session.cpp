#include "app/window_session.hpp"

#include "core/base/file.hpp"
#include "core/session/recipe_arguments.hpp"
#include "core/session/schedule_edit.hpp"
#include "core/session/scratch.hpp"
#include "core/transform/passes.hpp"
#include "views/model/gallery.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

// Outline: workers; snapshots to screens; commands; comparing; passes. What writes files is in window_files.cpp, tuning
// in window_tune.cpp.

namespace orrery::app {
namespace {

/// Models up to this work are compared with the interpreter right after a run. Units: floating-point operations.
/// Source: our choice; the interpreter does about 10^8 a second, so the comparison takes a few seconds at most.
constexpr double kCheckedAtOnce = 3e8;

template <class... Ts> struct Cases : Ts... { using Ts::operator()...; };
template <class... Ts> Cases(Ts...) -> Cases<Ts...>;

} // namespace

// ------------------------------------------------------------------------------------------ workers

SessionWorkbench::Worker::Worker(Work work)
    : work_(std::move(work)), thread_([this](const std::stop_token& stop) { loop(stop); }) {}

SessionWorkbench::Worker::~Worker() {
    {
        const std::lock_guard lock(mutex_);
        current_.request_stop();
    }
    thread_.request_stop();
    wake_.notify_all();
}

void SessionWorkbench::Worker::ask(Request request, bool interrupt) {
    {
        const std::lock_guard lock(mutex_);
        next_ = std::move(request);
        if (interrupt) current_.request_stop();
    }
    wake_.notify_all();
}

bool SessionWorkbench::Worker::idle() const {
    const std::lock_guard lock(mutex_);
    return !busy_ && !next_;
}

void SessionWorkbench::Worker::loop(const std::stop_token& stop) {
    while (true) {
        Request request;
        Progress progress;
        {
            std::unique_lock lock(mutex_);
            busy_ = false;
            wake_.wait(lock, stop, [this] { return next_.has_value(); });
            if (stop.stop_requested()) return;
            request = *std::move(next_);
            next_.reset();
            busy_ = true;
            current_ = std::stop_source();
            progress.stop = current_.get_token();
        }
        work_(request, progress);
    }
}

// ------------------------------------------------------------------------------ snapshots to screens

SessionWorkbench::SessionWorkbench(std::shared_ptr<session::Compiler> compiler,
                                   const std::filesystem::path& layout_cache)
    : compiler_(std::move(compiler)), session_(std::make_unique<session::Session>(compiler_)),
      builder_(std::make_shared<layout::LayoutEngine>(layout::Options{.worker = {}, .cache_directory = layout_cache})),
      snapshot_(session_->snapshot()),
      screen_(std::make_shared<const views::Screen>(builder_.build(snapshot_, options_))) {
    screens_ = std::make_unique<Worker>([this](const Request& request, const Progress&) {
        const std::lock_guard lock(building_);
        const std::uint64_t revision = request.snapshot->revision;
        if (auto programs = builder_.build_programs(request.snapshot, request.options))
            QMetaObject::invokeMethod(
                this, [this, revision, programs = *std::move(programs)] { deliver_programs(programs, revision); },
                Qt::QueuedConnection);
        auto screen = std::make_shared<views::Screen>(builder_.build(request.snapshot, request.options));
        QMetaObject::invokeMethod(
            this, [this, revision, screen] { deliver(std::move(*screen), revision); }, Qt::QueuedConnection);
        builder_.free_old();
    });
    graphs_ = std::make_unique<Worker>([this](const Request& request, const Progress& progress) {
        auto graph = builder_.build_graph(request.snapshot, request.options, progress);
        if (!graph) return; // cancelled: a newer request follows
        QMetaObject::invokeMethod(
            this, [this, graph = *graph] { deliver_graph(graph); }, Qt::QueuedConnection);
    });
    details_ = std::make_unique<Worker>([this](const Request& request, const Progress& progress) {
        auto diff = builder_.build_comparison(request.snapshot, request.options, progress);
        if (!diff) return; // cancelled: a newer request follows
        auto history = builder_.build_history(request.snapshot, request.options, progress);
        if (!history) return;
        auto sides = builder_.build_sides(request.snapshot, request.options, progress);
        if (!sides) return;
        auto pair = builder_.build_pair(request.options, progress);
        if (!pair) return;
        QMetaObject::invokeMethod(
            this, [this, details = Details{*diff, *history, *sides, *pair}] { deliver_details(details); },
            Qt::QueuedConnection);
    });
    choices_ = std::make_unique<Worker>([this](const Request& request, const Progress&) {
        QMetaObject::invokeMethod(
            this,
            [this, choices = builder_.build_choices(request.snapshot, request.options)] { deliver_choices(choices); },
            Qt::QueuedConnection);
    });
    access_ = std::make_unique<Worker>([this](const Request& request, const Progress&) {
        QMetaObject::invokeMethod(
            this, [this, access = builder_.build_access(request.snapshot, request.options)] { deliver_access(access); },
            Qt::QueuedConnection);
    });
    session_->set_listener([this](const session::SnapshotPtr& snapshot) {
        if (std::this_thread::get_id() != window_thread_) build_at_once(snapshot);
        // However many snapshots arrive while the window is busy, it takes the last.
        if (!snapshot_pending_.exchange(true))
            QMetaObject::invokeMethod(
                this, [this] { take_snapshot(); }, Qt::QueuedConnection);
    });
}

SessionWorkbench::~SessionWorkbench() {
    session_->set_listener({});
    session_.reset(); // no snapshot arrives after this
    for (Other& other : others_) other.session->set_listener({});
    others_.clear();
    for (TrialSide& side : pair_)
        if (side.session) side.session->set_listener({}), side.session.reset();
    access_.reset();
    choices_.reset();
    details_.reset();
    graphs_.reset();
    screens_.reset();
}

void SessionWorkbench::take_snapshot() {
    snapshot_pending_ = false;
    const session::SnapshotPtr next = session_->snapshot();
    snapshot_ = next;
    if (next->run && next->run != seen_run_ && warm_ != next->compiled) {
        // The first run of new code pays for page faults and waking threads: the second one is what is shown.
        warm_ = next->compiled;
        session_->run(next->recipe.seed);
    } else if (next->run && next->run != seen_run_) {
        options_.heat = options_.heat || !next->run->steps.empty();
        double work = 0;
        for (const session::FunctionPtr& f : next->functions)
            work += f->cost.flops * static_cast<double>(std::max<std::size_t>(1, f->lowered.calls));
        if (!next->check && work <= kCheckedAtOnce) session_->check(next->recipe.seed);
    }
    seen_run_ = next->run;
    run_next();
    if (const session::FunctionPtr function = views::shown_function(*next, options_.function)) {
        const std::string& name = function->lowered.name;
        if (name != wanted_code_ || !next->code.contains(name)) {
            const bool already = name == wanted_code_ && !next->jobs.empty();
            wanted_code_ = name;
            if (!already) session_->want_code(name);
        }
    }
    want_measurements();
    check_schedule();
    request();
}

/// What was measured of the shown function, once for each and each number of threads.
void SessionWorkbench::want_measurements() {
    const session::FunctionPtr function = views::shown_function(*snapshot_, options_.function);
    if (!options_.measure || !function) return;
    const std::string wanted =
        to_string(function->lowered.workload) + " " + std::to_string(threads_of(snapshot_->recipe));
    if (std::exchange(wanted_measurements_, wanted) != wanted) session_->want_measurements(function->lowered.name);
}

/// A schedule of the user's own is checked by itself, once all that waits for its code has it.
void SessionWorkbench::check_schedule() {
    const session::FunctionPtr function = views::shown_function(*snapshot_, options_.function);
    if (!snapshot_->compiled || !function || function->trace_is_default || function == checked_) return;
    checked_ = function;
    if (!function->trace.steps.empty()) session_->check_schedule(function->lowered.name);
}

/// Says what programs are to be made with from now on.
void SessionWorkbench::note_options() {
    views::ScreenBuilder::Key key = views::ScreenBuilder::programs_key(options_);
    if (const auto now = asked(); now && now->key == key) return;
    auto next = std::make_shared<const Asked>(Asked{std::move(key), views::ScreenBuilder::program_options(options_)});
    const std::lock_guard lock(asked_mutex_);
    asked_ = std::move(next);
}

/// What an edit is looked at for is made by the thread that scheduled it, before it goes on to compile: no other thread
/// has to wake up for it. Where a screen is just being built, the next one brings it. Thread: a session's.
void SessionWorkbench::build_at_once(const session::SnapshotPtr& snapshot) {
    const std::unique_lock lock(building_, std::try_to_lock);
    const std::shared_ptr<const Asked> with = asked();
    if (!lock || !with) return;
    if (auto programs = builder_.build_programs(snapshot, with->options))
        QMetaObject::invokeMethod(
            this,
            [this, with, revision = snapshot->revision, programs = *std::move(programs)] {
                if (with == asked()) deliver_programs(programs, revision); // else others are on their way
            },
            Qt::QueuedConnection);
}

void SessionWorkbench::request() {
    note_options();
    screens_->ask({snapshot_, options_}, false);
    if (views::ScreenBuilder::Key key = views::ScreenBuilder::graph_key(snapshot_, options_); key != graph_key_) {
        graph_key_ = std::move(key);
        graphs_->ask({snapshot_, options_}, true);
    }
    if (views::ScreenBuilder::Key key = views::ScreenBuilder::choices_key(snapshot_, options_); key != choices_key_) {
        choices_key_ = std::move(key);
        choices_->ask({snapshot_, options_}, false);
    }
    want_compared_code();
    views::ScreenBuilder::Key diff = views::ScreenBuilder::diff_key(snapshot_, options_),
                              history = views::ScreenBuilder::history_key(snapshot_, options_),
                              sides = views::ScreenBuilder::sides_key(snapshot_, options_),
                              pair = views::ScreenBuilder::pair_key(options_);
    if (diff == diff_key_ && history == history_key_ && sides == sides_key_ && pair == pair_key_) return;
    diff_key_ = std::move(diff), history_key_ = std::move(history), sides_key_ = std::move(sides);
    pair_key_ = std::move(pair);
    details_->ask({snapshot_, options_}, true);
}

void SessionWorkbench::deliver(views::Screen screen, std::uint64_t revision) {
    if (revision < programs_revision_ && screen.tensor->subject == screen_->tensor->subject) {
        // A newer screen follows; its programs are here already.
        screen.tensor = screen_->tensor, screen.loops = screen_->loops;
        screen.llvm = screen_->llvm, screen.assembly = screen_->assembly;
        screen.code_pending = screen_->code_pending;
    }
    programs_revision_ = std::max(programs_revision_, revision);
    screen.graph = screen_->graph, screen.diff = screen_->diff, screen.history = screen_->history;
    screen.sides = screen_->sides, screen.menu = screen_->menu, screen.preview = screen_->preview;
    screen.access = screen_->access, screen.tune_pair = screen_->tune_pair;
    for (const Other& other : others_)
        if (const auto jobs = other.session->snapshot()->jobs; screen.status.job.empty() && !jobs.empty())
            screen.status.job = "compared with: " + jobs.front().label;
    if (!exporting_.empty() && screen.status.job.empty()) screen.status.job = "writing " + exporting_;
    screen_ = std::make_shared<const views::Screen>(std::move(screen));
    const bool tuned = screen_->tune != last_tune_;
    last_tune_ = screen_->tune;
    Q_EMIT changed();
    request_access();
    if (tuned && pair_level_ >= 0) open_pair();
}

/// The same screen with some parts exchanged.
template <class Change> void SessionWorkbench::change_screen(const Change& change) {
    auto next = std::make_shared<views::Screen>(*screen_);
    change(*next);
    screen_ = std::move(next);
    Q_EMIT changed();
}

/// What is looked at after an edit comes before the rest of its screen.
void SessionWorkbench::deliver_programs(const views::ScreenBuilder::Programs& programs, std::uint64_t revision) {
    if (revision < programs_revision_) return;
    programs_revision_ = revision;
    auto next = std::make_shared<views::Screen>(*screen_);
    next->tensor = programs.tensor, next->loops = programs.loops;
    next->llvm = programs.llvm, next->assembly = programs.assembly;
    next->code_pending = programs.code_pending;
    screen_ = std::move(next);
    Q_EMIT programs_changed();
}

/// Only after the program itself is on screen: nobody waits for a footprint.
void SessionWorkbench::request_access() {
    views::ScreenBuilder::Key key = views::ScreenBuilder::access_key(snapshot_, options_);
    if (key == access_key_) return;
    access_key_ = std::move(key);
    access_->ask({snapshot_, options_}, false);
}

void SessionWorkbench::deliver_access(const std::shared_ptr<const views::AccessViewData>& access) {
    if (access != screen_->access) change_screen([&](views::Screen& screen) { screen.access = access; });
}

void SessionWorkbench::deliver_graph(const std::shared_ptr<const views::GraphViewData>& graph) {
    if (graph != screen_->graph) change_screen([&](views::Screen& screen) { screen.graph = graph; });
}

void SessionWorkbench::deliver_details(const Details& details) {
    if (details == Details{screen_->diff, screen_->history, screen_->sides, screen_->tune_pair}) return;
    change_screen([&](views::Screen& screen) {
        screen.diff = details.diff, screen.history = details.history, screen.sides = details.sides;
        screen.tune_pair = details.pair;
    });
}

void SessionWorkbench::deliver_choices(const views::ScreenBuilder::Choices& choices) {
    if (choices == views::ScreenBuilder::Choices{screen_->menu, screen_->preview}) return;
    change_screen([&](views::Screen& screen) { screen.menu = choices.menu, screen.preview = choices.preview; });
}

bool SessionWorkbench::working() const {
    return session_->busy() || std::ranges::any_of(others_, [](const Other& o) { return o.session->busy(); });
}

bool SessionWorkbench::idle() const {
    const bool others_seen =
        !other_pending_ && std::ranges::all_of(others_, [](const Other& o) { return o.seen == o.session->snapshot(); });
    return !working() && others_seen && run_queue_.empty() && !snapshot_pending_ && snapshot_ == session_->snapshot() &&
           exporting_.empty() && screens_->idle() && graphs_->idle() && details_->idle() && choices_->idle() &&
           access_->idle() && pair_at_rest();
}

bool SessionWorkbench::more_soon() const { return !graphs_->idle(); }

// ----------------------------------------------------------------------------------------- commands

void SessionWorkbench::reset_options() {
    views::GraphOptions graph = options_.graph;
    graph.groups = views::GroupState::Automatic;
    graph.toggled.clear();
    const views::ViewOptions kept = options_;
    stop_comparing();
    options_ = {};
    options_.graph = std::move(graph);
    options_.editor = kept.editor, options_.att_syntax = kept.att_syntax;
    options_.diff.on = kept.diff.on, options_.history = kept.history, options_.sides.on = kept.sides.on;
    options_.measure = kept.measure, options_.access.on = kept.access.on;
    options_.tune.on = kept.tune.on, options_.tune.by_time = kept.tune.by_time;
    wanted_code_.clear(), wanted_measurements_.clear();
}

void SessionWorkbench::open_recipe(session::Recipe recipe) {
    reset_options();
    session_->open_recipe(std::move(recipe));
}

void SessionWorkbench::cancel_jobs(const std::string& label) {
    for (const session::JobStatus& job : session_->snapshot()->jobs)
        if (job.label.starts_with(label)) session_->cancel(job.id);
}

void SessionWorkbench::open_sample(const std::string& name) {
    if (std::optional<std::string> text = views::scratch_text(name))
        return open_recipe(session::scratch_recipe(*compiler_, *std::move(text)));
    reset_options();
    session_->open_builtin(name);
}

void SessionWorkbench::submit(const views::Command& command) {
    std::visit(
        Cases{
            [this](const views::OpenFile& c) { reset_options(), session_->open(c.path); },
            [this](const views::OpenSample& c) { open_sample(c.name); },
            [this](const views::CloseModel&) { reset_options(), session_->close(); },
            [this](const views::Reload&) { session_->open_recipe(snapshot_->recipe); },
            [this](const views::RunModel&) { run_all(); },
            [this](const views::CheckModel&) { session_->check(snapshot_->recipe.seed); },
            [this](const views::CancelJobs&) {
                run_queue_.clear();
                session_->cancel();
                for (Other& other : others_) other.session->cancel();
            },
            [this](const views::Undo&) { session_->undo(); },
            [this](const views::Redo&) { session_->redo(); },
            [this](const views::ClearProblems&) { session_->clear_problems(); },
            [this](const views::MeasureFunction&) {
                if (const session::FunctionPtr f = views::shown_function(*snapshot_, options_.function))
                    session_->measure(f->lowered.name);
            },
            [this](const views::CancelMeasuring&) { cancel_jobs("measuring "); },
            [this](const views::Tune& c) { tune(c); },
            [this](const views::ProfileModel& c) {
                c.on ? session_->profile(snapshot_->recipe.seed) : cancel_jobs("profiling ");
            },
            [this](const views::CheckSteps&) { session_->check_steps(snapshot_->recipe.seed); },
            [this](const views::Bisect&) { session_->bisect(snapshot_->recipe.seed); },
            [this](const views::GoToEdit& c) { session_->go_to(static_cast<std::size_t>(std::max(0, c.entry))); },
            [this](const views::EnablePass& c) { enable_pass(c.stage, c.on); },
            [this](const views::InsertPass& c) {
                edit_passes("insert " + c.name, c.at, [&](auto& passes) {
                    const auto at = std::clamp<std::ptrdiff_t>(c.at, 0, std::ssize(passes));
                    passes.insert(passes.begin() + at, {c.name, {}, true});
                });
            },
            [this](const views::RemovePass& c) {
                if (pass_name(c.pass).empty()) return;
                edit_passes("remove " + pass_name(c.pass), std::max(0, c.pass - 1),
                            [&](auto& passes) { passes.erase(passes.begin() + c.pass); });
            },
            [this](const views::MovePass& c) { move_pass(c); },
            [this](const views::SetPassOption& c) { set_option(c); },
            [this](const views::SetLevel& c) {
                edit_passes("pipeline -O" + std::to_string(c.level), -1,
                            [&](auto& passes) { passes = transform::default_pipeline(std::clamp(c.level, 0, 3)); });
            },
            [this](const views::ApplyText& c) { apply_text(c); },
            [this](const views::EditTrace& c) { edit_trace(c.edit); },
            [this](const views::ExportView& c) { export_view(c.path); },
            [this](const views::SetThreads& c) {
                session_->edit(std::to_string(c.count) + (c.count == 1 ? " thread" : " threads"),
                               [&](session::Recipe& r) { r.threads = c.count; });
            },
            [this](const views::ExportCode& c) { export_code(c.path); },
            [this](const views::ExportDiff& c) { export_diff(c.path); },
            [this](const views::CompareWith& c) { compare_with(c); },
            [this](const views::StopComparing&) { stop_comparing(), request(); },
            [this](const views::ChooseOther& c) { choose_other(c.index); },
            [this](const views::CloseOther& c) { close_other(c.index); },
            [this](const views::SaveRecipe& c) {
                const session::Recipe& recipe = session_->recipe();
                const bool text = !recipe.scratch.empty() && session::is_scratch_file(c.path);
                auto saved = text ? write_file(c.path, recipe.scratch) : session::save_recipe(recipe, c.path);
                if (!saved)
                    session_->report(saved.error());
                else
                    Q_EMIT told(tr("Saved %1").arg(QString::fromStdString(c.path)));
            },
            [this, &command](const auto&) { view_command(command), request(); },
        },
        command);
}

/// Commands that change only what is shown.
void SessionWorkbench::view_command(const views::Command& command) {
    if (const auto* c = std::get_if<views::Select>(&command)) options_.selection = c->selection;
    if (const auto* c = std::get_if<views::SelectStage>(&command)) select_stage(c->id);
    if (const auto* c = std::get_if<views::SelectFunction>(&command)) show_function(c->name);
    if (const auto* c = std::get_if<views::ToggleGroup>(&command))
        if (options_.graph.toggled.erase(c->name) == 0) options_.graph.toggled.insert(c->name);
    if (const auto* c = std::get_if<views::OpenAllGroups>(&command)) {
        options_.graph.groups = c->open ? views::GroupState::Open : views::GroupState::Closed;
        options_.graph.toggled.clear();
    }
    if (const auto* c = std::get_if<views::GroupRepeats>(&command)) options_.graph.group_repeats = c->on;
    if (const auto* c = std::get_if<views::ShowConstants>(&command)) options_.graph.show_constants = c->on;
    if (const auto* c = std::get_if<views::ShowHeat>(&command)) options_.heat = c->on;
    if (const auto* c = std::get_if<views::AttSyntax>(&command)) options_.att_syntax = c->on;
    if (const auto* c = std::get_if<views::ShowAccess>(&command)) options_.access = {c->on, c->place, c->buffer};
    if (const auto* c = std::get_if<views::PreviewStep>(&command)) options_.schedule.preview = c->step;
    if (const auto* c = std::get_if<views::ShowMenu>(&command)) options_.schedule = {c->place, {}, {}};
    if (const auto* c = std::get_if<views::ShowDiff>(&command)) options_.diff.on = c->on;
    if (const auto* c = std::get_if<views::ShowSides>(&command)) options_.sides.on = c->on;
    if (std::holds_alternative<views::SwapSides>(command)) options_.diff.swapped = !options_.diff.swapped;
    if (const auto* c = std::get_if<views::PinLeft>(&command)) {
        const session::FunctionPtr function = views::shown_function(*snapshot_, options_.function);
        options_.diff.pinned.reset();
        if (c->on)
            options_.diff.pinned =
                views::point_of_stage(options_.selected_stage, function ? function->lowered.name : std::string());
    }
    if (const auto* c = std::get_if<views::ShowHistory>(&command)) {
        options_.history = c->on;
        options_.history_value = c->value;
    } else if (std::holds_alternative<views::Select>(command)) {
        options_.history_value.clear(); // a newer selection is what the history is of
    }
    if (const auto* c = std::get_if<views::ShowMeasurements>(&command)) {
        options_.measure = c->on;
        want_measurements();
    }
    if (const auto* c = std::get_if<views::ShowEditor>(&command)) options_.editor = c->on;
    if (const auto* c = std::get_if<views::ChooseOverlay>(&command)) {
        options_.graph.overlay = c->overlay;
        options_.heat = true;
    }
    if (const auto* c = std::get_if<views::ChooseGroups>(&command)) {
        options_.graph.group_by = c->by;
        options_.graph.group_repeats = true;
        options_.graph.toggled.clear();
    }
}

void SessionWorkbench::select_stage(int id) {
    options_.selected_stage = id;
    if (id < views::kTensorStages) {
        options_.graph_step = id + 1 >= static_cast<int>(snapshot_->steps.size()) ? -1 : id;
    } else if (id < views::kCodeStages) {
        options_.tensor_step = id - views::kTensorStages;
        const session::FunctionPtr function = views::shown_function(*snapshot_, options_.function);
        if (function && options_.tensor_step + 1 >= static_cast<int>(function->replay.programs.size()))
            options_.tensor_step = -1;
    } else {
        options_.raw_ir = id == views::kCodeStages;
        options_.backend_pass = id >= views::kBackendStages ? id - views::kBackendStages : -1;
        options_.tensor_step = -1;
        const session::FunctionPtr function = views::shown_function(*snapshot_, options_.function);
        if (options_.backend_pass >= 0 && function)
            session_->want_listing(function->lowered.name, static_cast<std::size_t>(options_.backend_pass));
    }
}

void SessionWorkbench::show_function(const std::string& name) {
    if (name == options_.function) return;
    options_.function = name;
    options_.tensor_step = -1;
    options_.schedule = {};
    if (options_.selected_stage >= views::kTensorStages) options_.selected_stage = -1;
    wanted_code_ = name;
    session_->want_code(name);
    want_measurements();
}

void SessionWorkbench::enable_pass(int stage, bool on) {
    const auto index = static_cast<std::size_t>(stage) - 1;
    if (stage < 1 || index >= snapshot_->recipe.passes.size()) return;
    const std::string label = "switch " + pass_name(stage - 1) + (on ? " on" : " off");
    session_->edit(label, [&](session::Recipe& recipe) {
        if (index < recipe.passes.size()) recipe.passes[index].enabled = on;
    });
}

/// An edit that is refused changes nothing and says why where it was asked for.
void SessionWorkbench::edit_trace(const session::TraceEdit& edit) {
    const session::FunctionPtr function = views::shown_function(*snapshot_, options_.function);
    if (!function) return;
    session::Recipe recipe = session_->recipe();
    options_.schedule = {};
    if (const Result<void> done = session::apply(edit, *function, recipe); !done) {
        const std::string hint = views::hint_in_window(done.error().hint);
        options_.schedule.refusal = done.error().message + (hint.empty() ? "" : ": " + hint);
        return request();
    }
    // Work among the first steps goes on there; any other edit is judged by what comes out in the end.
    const bool inside = edit.what == session::TraceEdit::What::Insert && options_.tensor_step >= 0;
    options_.tensor_step = inside ? static_cast<int>(edit.at) + 1 : -1;
    if (options_.selected_stage >= views::kTensorStages && options_.selected_stage < views::kCodeStages)
        options_.selected_stage = inside ? views::kTensorStages + options_.tensor_step : -1;
    note_options();
    const bool changed = session_->edit(session::describe(edit, function->trace),
                                        [&](session::Recipe& now) { now = std::move(recipe); });
    if (!changed) request(); // otherwise the snapshot to come is what is shown next
}

// ---------------------------------------------------------------------------------------- comparing

void SessionWorkbench::compare_with(const views::CompareWith& command) {
    using What = views::CompareWith::What;
    session::Recipe recipe = snapshot_->recipe;
    switch (command.what) {
    case What::File:
    case What::Sample:
        recipe = compiler_->new_recipe({});
        recipe.target = snapshot_->recipe.target;
        recipe.passes = snapshot_->recipe.passes;
        if (command.what == What::Sample) {
            recipe.builtin = command.name;
            return compare_recipe(std::move(recipe), {});
        }
        if (const auto bytes = map_file(command.name); !bytes) {
            return session_->report(bytes.error());
        } else if (!bytes->bytes.empty() && static_cast<char>(bytes->bytes.front()) == '{') {
            auto loaded = session::load_recipe(command.name, compiler_->backend());
            if (!loaded) return session_->report(loaded.error());
            recipe = *std::move(loaded);
        } else if (session::is_scratch_file(command.name)) {
            auto read = session::scratch_recipe(*compiler_, std::filesystem::path(command.name));
            if (!read) return session_->report(read.error());
            recipe = *std::move(read);
        } else {
            recipe.model = command.name;
        }
        return compare_recipe(std::move(recipe), {});
    case What::Frozen: return compare_recipe(std::move(recipe), snapshot_->title + " as it was");
    case What::Unscheduled:
        recipe.rule = session::ScheduleRule::None;
        recipe.schedules.clear();
        return compare_recipe(std::move(recipe), snapshot_->title + " unscheduled");
    case What::Branch: {
        const session::FunctionPtr function = views::shown_function(*snapshot_, options_.function);
        const auto* branches = function ? session::branches_of(recipe, function->lowered) : nullptr;
        if (!branches || !branches->contains(command.name)) return;
        recipe.schedules[to_string(function->lowered.workload)] = branches->at(command.name);
        return compare_recipe(std::move(recipe), snapshot_->title + ", " + command.name);
    }
    case What::Unoptimized:
        recipe.passes = transform::default_pipeline(0);
        return compare_recipe(std::move(recipe), snapshot_->title + " at -O0");
    case What::Target: {
        auto target = compiler_->backend().read_target(command.name);
        if (!target) return session_->report(target.error());
        recipe.target = *std::move(target);
        const std::string name = recipe.target.cpu.empty() ? recipe.target.triple : recipe.target.cpu;
        return compare_recipe(std::move(recipe), snapshot_->title + " for " + name);
    }
    }
}

void SessionWorkbench::compare_recipe(session::Recipe recipe, const std::string& title) {
    constexpr std::size_t kMostOthers = 5; // a pane each. Source: our choice, what a wide screen has room for
    // A variant that is asked for again takes the place of the one before.
    for (std::size_t i = 0; !title.empty() && i < others_.size(); ++i)
        if (others_[i].title == title) close_other(static_cast<int>(i));
    if (others_.size() >= kMostOthers)
        return session_->report({Code::LimitExceeded,
                                 std::to_string(kMostOthers + 1) + " recipes stand side by side already",
                                 {},
                                 "close one of them first"});
    auto session = std::make_unique<session::Session>(compiler_);
    session->set_listener([this](const session::SnapshotPtr&) {
        if (!other_pending_.exchange(true))
            QMetaObject::invokeMethod(
                this, [this] { take_others(); }, Qt::QueuedConnection);
    });
    session->open_recipe(std::move(recipe));
    others_.push_back({std::move(session), nullptr, title});
    choose_other(static_cast<int>(others_.size()) - 1);
}

void SessionWorkbench::stop_comparing() {
    for (Other& other : others_) other.session->set_listener({});
    others_.clear();
    chosen_ = -1;
    run_queue_.clear();
    options_.diff.other = nullptr;
    options_.diff.pinned.reset();
    options_.diff.swapped = false;
    options_.sides.others.clear();
    code_tries_.clear();
}

void SessionWorkbench::choose_other(int index) {
    if (index < 0 || index >= std::ssize(others_)) return;
    chosen_ = index;
    code_tries_.clear();
    options_.diff.swapped = false;
    take_others();
}

void SessionWorkbench::close_other(int index) {
    if (index < 0 || index >= std::ssize(others_)) return;
    if (others_.size() == 1) return stop_comparing(), request();
    run_queue_.clear();
    others_[static_cast<std::size_t>(index)].session->set_listener({});
    others_.erase(others_.begin() + index);
    if (chosen_ > index || chosen_ == std::ssize(others_)) --chosen_;
    code_tries_.clear();
    take_others();
}

void SessionWorkbench::take_others() {
    other_pending_ = false;
    options_.sides.others.clear();
    for (Other& other : others_) {
        const session::SnapshotPtr now = other.session->snapshot();
        other.seen = now;
        session::SnapshotPtr shown = now;
        if (!other.title.empty()) {
            auto named = std::make_shared<session::Snapshot>(*now);
            named->title = other.title;
            shown = std::move(named);
        }
        options_.sides.others.push_back(std::move(shown));
    }
    options_.diff.other =
        chosen_ < 0 || others_.empty() ? nullptr : options_.sides.others[static_cast<std::size_t>(chosen_)];
    run_next();
    request();
}

/// Runs what is open; side by side, the others too, one after another so that none disturbs another's time.
void SessionWorkbench::run_all() {
    run_queue_.clear();
    const Target& host = snapshot_->host;
    // Twice each: the first run of new code pays for page faults and waking threads. Code for other machines is not
    // run.
    for (auto other = others_.rbegin(); options_.sides.on && other != others_.rend(); ++other)
        if (const Target& target = other->session->recipe().target;
            target.triple == host.triple && target.cpu == host.cpu && target.features == host.features)
            run_queue_.insert(run_queue_.end(), 2, other->session.get());
    session_->run(snapshot_->recipe.seed);
}

void SessionWorkbench::run_next() {
    if (run_queue_.empty() || working()) return;
    session::Session* next = run_queue_.back();
    run_queue_.pop_back();
    next->run(snapshot_->recipe.seed);
}

/// Generated code of both sides, where code is what is compared.
void SessionWorkbench::want_compared_code() {
    if (!options_.diff.on) return;
    const views::DiffRequest compared = views::diff_request(snapshot_, options_);
    if (!compared.empty_reason.empty()) return;
    for (const auto& [snapshot, point] :
         {std::pair(&compared.left, &compared.left_point), {&compared.right, &compared.right_point}}) {
        if (point->level < session::Level::Ir) continue;
        const session::FunctionPtr function = session::function_of(*point, **snapshot);
        if (!function || (*snapshot)->code.contains(function->lowered.name)) continue;
        session::Session* owner = *snapshot == snapshot_ ? session_.get()
                                  : chosen_ < 0          ? nullptr
                                                         : others_[static_cast<std::size_t>(chosen_)].session.get();
        if (!owner) continue;
        // A request replaces one that is under way: wait for it, this is called again when it is done.
        const auto jobs = owner->snapshot()->jobs;
        if (std::ranges::any_of(jobs, [](const session::JobStatus& j) { return j.label.starts_with("generating"); }))
            continue;
        constexpr int kTries = 3; // one that fails is not asked for without end
        if (code_tries_[function]++ < kTries) owner->want_code(function->lowered.name);
    }
}

// ------------------------------------------------------------------------------------ list of passes

void SessionWorkbench::edit_passes(const std::string& label, int shown,
                                   const std::function<void(std::vector<transform::PassStep>&)>& change) {
    session_->edit(label, [&](session::Recipe& recipe) { change(recipe.passes); });
    const int count = static_cast<int>(session_->recipe().passes.size());
    options_.selected_stage = shown < 0 ? -1 : std::min(shown + 1, count);
    options_.graph_step = options_.selected_stage >= count ? -1 : options_.selected_stage;
    request();
}

std::string SessionWorkbench::pass_name(int pass) const {
    const auto& passes = session_->recipe().passes;
    return pass >= 0 && pass < std::ssize(passes) ? session::pass_reference(passes, static_cast<std::size_t>(pass))
                                                  : std::string();
}

void SessionWorkbench::move_pass(const views::MovePass& command) {
    const int count = static_cast<int>(session_->recipe().passes.size());
    if (command.from < 0 || command.from >= count || command.to < 0 || command.to >= count) return;
    edit_passes("move " + pass_name(command.from), command.to, [&](auto& passes) {
        const transform::PassStep moved = passes[static_cast<std::size_t>(command.from)];
        passes.erase(passes.begin() + command.from);
        passes.insert(passes.begin() + command.to, moved);
    });
}

/// A shape of the model's inputs: the import's options.
void SessionWorkbench::bind_shape(const std::string& input, std::string text) {
    std::ranges::replace(text, 'x', ',');
    std::erase(text, ' ');
    Shape shape;
    std::stringstream words(text);
    for (std::string word; std::getline(words, word, ',');) {
        std::int64_t extent = -1;
        const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), extent);
        if (code != std::errc{} || end != word.data() + word.size() || extent < 0)
            return session_->report({Code::BadArgument,
                                     "\"" + word + "\" is no extent of " + input,
                                     {},
                                     "write the shape as 1,3,224,224; empty leaves it to the model"});
        shape.push_back(extent);
    }
    session_->edit("shape of " + input, [&](session::Recipe& recipe) {
        if (shape.empty())
            recipe.shapes.erase(input);
        else
            recipe.shapes.insert_or_assign(input, shape);
    });
}

void SessionWorkbench::set_option(const views::SetPassOption& command) {
    if (command.pass < 0) return bind_shape(command.name, command.value);
    if (pass_name(command.pass).empty()) return;
    edit_passes("set " + pass_name(command.pass) + "." + command.name, command.pass, [&](auto& passes) {
        transform::PassStep& step = passes[static_cast<std::size_t>(command.pass)];
        const transform::GraphPass* pass = transform::find_pass(step.name);
        const auto spec = std::ranges::find_if(
            pass->options, [&](const pass::OptionSpec& option) { return option.name == command.name; });
        if (spec != pass->options.end() && spec->fallback == command.value)
            step.options.erase(command.name);
        else
            step.options[command.name] = command.value;
    });
}

void SessionWorkbench::apply_text(const views::ApplyText& command) {
    if (!session_->recipe().scratch.empty() && command.stage == 0)
        return void(session_->edit("edit the text", [&](session::Recipe& recipe) {
            recipe.scratch = command.text.empty() ? "\n" : command.text; // empty would be no scratchpad
        }));
    const auto& passes = session_->recipe().passes;
    const auto own = static_cast<std::size_t>(std::max(0, command.stage - 1));
    if (command.stage > 0 && own < passes.size() && passes[own].name == "HandEdit") {
        edit_passes("edit the text", command.stage - 1, [&](auto& list) { list[own].options["text"] = command.text; });
        return;
    }
    edit_passes("edit the text after " + (command.stage == 0 ? "import" : pass_name(command.stage - 1)), command.stage,
                [&](auto& list) {
                    const auto at = std::clamp<std::ptrdiff_t>(command.stage, 0, std::ssize(list));
                    list.insert(list.begin() + at, {"HandEdit", {{"text", command.text}}, true});
                });
}

} // namespace orrery::app
