// The workbench's part in tuning: what is told to it, what is looked at, two trials opened side by side.

#include "app/window_session.hpp"

#include "core/schedule/trace.hpp"
#include "core/session/tune.hpp"

#include <algorithm>

namespace orrery::app {

/// What changes only what is shown.
bool SessionWorkbench::show_tuning(const views::Tune& c) {
    using What = views::Tune::What;
    views::TuneOptions& shown = options_.tune;
    switch (c.what) {
    case What::Show: shown.on = c.number != 0; return true;
    case What::ByTime: shown.by_time = c.number != 0; return true;
    case What::ShowTask:
        if (shown.workload != c.workload) shown.trial = shown.beside = 0;
        shown.workload = c.workload;
        for (const session::FunctionPtr& f : snapshot_->functions)
            if (to_string(f->lowered.workload) == c.workload) show_function(f->lowered.name);
        return true;
    case What::ShowTrial:
    case What::CompareTrial: {
        const auto& tuning = snapshot_->tuning;
        if (!tuning || c.number < 1 || c.number > std::ssize(tuning->trials)) return true;
        // A trial of another kernel: that one is looked at now.
        const tuning::Trial& trial = *tuning->trials[static_cast<std::size_t>(c.number) - 1];
        const std::string& workload = tuning->tasks[trial.task].workload;
        if (shown.workload != workload) shown.trial = shown.beside = 0;
        shown.workload = workload;
        (c.what == What::ShowTrial ? shown.trial : shown.beside) = c.number;
        return true;
    }
    case What::ShowPair: pair_level_ = c.number; return true;
    default: return false;
    }
}

void SessionWorkbench::tune(const views::Tune& c) {
    using What = views::Tune::What;
    if (show_tuning(c)) {
        open_pair();
        return request();
    }
    const std::shared_ptr<tuning::TuningControl> control = session_->tuning_control();
    const views::TuneViewData& data = *screen_->tune;
    const std::string workload =
        !c.workload.empty() || data.task < 0 ? c.workload : data.workloads[static_cast<std::size_t>(data.task)];
    const session::FunctionPtr function = views::shown_function(*snapshot_, options_.function);
    switch (c.what) {
    case What::Start: {
        tuning::TunerOptions options;
        options.trials = std::max(1, c.number);
        options.search = tuning::parse_search(c.search).value_or(tuning::SearchKind::Model);
        options_.tune.workload.clear(), options_.tune.trial = options_.tune.beside = 0;
        session_->tune(options, c.only_shown && function ? function->lowered.name : std::string());
        break;
    }
    case What::Pause:
        if (control) control->pause();
        break;
    case What::Resume:
        if (control) control->resume();
        break;
    case What::Stop:
        if (control) control->stop();
        break;
    case What::Seed:
        if (control && function) control->seed(to_string(function->lowered.workload), function->trace);
        break;
    case What::Pin:
        if (control) control->pin(workload, c.knob, c.value);
        break;
    case What::Free:
        if (control) control->pin(workload, c.knob, std::nullopt);
        break;
    case What::Apply: apply_tuning(); break;
    default: break;
    }
    request();
}

/// Traces that are faster than those in force become the recipe's: one edit, undone at once.
void SessionWorkbench::apply_tuning() {
    if (!snapshot_->tuning) return;
    std::map<std::string, schedule::Trace> best;
    for (const tuning::TaskProgress& task : snapshot_->tuning->tasks) {
        if (task.best_trial == 0 || task.best_ms <= 0 || task.best_ms >= task.before_ms) continue;
        Result<schedule::Trace> trace = schedule::parse_trace(task.best_trace);
        if (!trace) return session_->report(trace.error());
        best.emplace(task.workload, *std::move(trace));
    }
    if (best.empty()) return;
    const std::string label =
        "apply tuning of " + std::to_string(best.size()) + (best.size() == 1 ? " kernel" : " kernels");
    (void)session_->edit(label,
                         [&](session::Recipe& recipe) { recipe = session::with_schedules(std::move(recipe), best); });
}

// --------------------------------------------------------------------------------------- two trials

/// Both trials' recipes, each in a session of its own: what they share is computed once.
void SessionWorkbench::open_pair() {
    const views::TuneViewData& data = *screen_->tune;
    if (pair_level_ < 0 || data.task < 0 || data.chosen == 0 || data.beside == 0) {
        options_.pair = {};
        return;
    }
    const auto task = static_cast<std::size_t>(data.task);
    for (const bool right : {false, true}) {
        TrialSide& side = pair_[right ? 1 : 0];
        const int number = right ? data.chosen : data.beside;
        const std::string& text = right ? data.chosen_trace : data.beside_trace;
        if (side.session && side.trace == text && side.workload == data.workloads[task]) {
            side.number = number;
            continue;
        }
        Result<schedule::Trace> trace = schedule::parse_trace(text);
        if (!trace) return session_->report(trace.error());
        session::Recipe recipe = session_->recipe();
        recipe.schedules[data.workloads[task]] = *std::move(trace);
        if (!side.session) {
            side.session = std::make_unique<session::Session>(compiler_);
            side.session->set_listener([this](const session::SnapshotPtr&) {
                if (!pair_pending_.exchange(true))
                    QMetaObject::invokeMethod(
                        this, [this] { take_pair(); }, Qt::QueuedConnection);
            });
        }
        side.trace = text, side.workload = data.workloads[task], side.number = number, side.code_of = nullptr;
        side.session->open_recipe(std::move(recipe));
    }
    options_.pair.function = data.functions[task];
    options_.pair.level = pair_level_;
    take_pair();
}

void SessionWorkbench::take_pair() {
    pair_pending_ = false;
    if (pair_level_ < 0) return;
    for (const bool right : {false, true}) {
        TrialSide& side = pair_[right ? 1 : 0];
        if (!side.session) return;
        side.seen = side.session->snapshot();
        auto named = std::make_shared<session::Snapshot>(*side.seen);
        named->title = "trial " + std::to_string(side.number);
        (right ? options_.pair.right : options_.pair.left) = std::move(named);
        if (pair_level_ == 0) continue;
        for (const session::FunctionPtr& f : side.seen->functions)
            if (f->lowered.name == options_.pair.function && std::exchange(side.code_of, f) != f)
                side.session->want_code(f->lowered.name);
    }
    request();
}

bool SessionWorkbench::pair_at_rest() const {
    return !pair_pending_ && std::ranges::all_of(pair_, [](const TrialSide& side) {
        return !side.session || (!side.session->busy() && side.seen == side.session->snapshot());
    });
}

} // namespace orrery::app
