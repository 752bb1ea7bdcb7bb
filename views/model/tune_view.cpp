#include "views/model/tune_view.hpp"

#include "core/schedule/trace.hpp"
#include "core/session/snapshot.hpp"
#include "core/tuning/tuning.hpp"
#include "views/model/figures.hpp"
#include "views/model/json.hpp"
#include "views/model/measure_view.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

// Outline: words; tables; two trials; plots; the whole; text forms.

namespace orrery::views {

namespace {

using tuning::Outcome;
using tuning::TaskProgress;
using tuning::Trial;
using tuning::TrialKind;
using tuning::TuningPhase;
using tuning::TuningSnapshot;

std::string seconds_text(double s) {
    if (s < 60) return figure("%.1f s", s);
    return std::to_string(static_cast<int>(s) / 60) + figure(" min %02.0f s", std::fmod(std::floor(s), 60));
}

const TableCell kNone{"–", 0, -1};

bool ok(const Trial& t) { return t.outcome == Outcome::Ok && t.times.median_ms > 0; }
double ms(const Trial& t) { return t.times.median_ms; }

TableCell time_cell(double milliseconds) {
    return milliseconds > 0 ? TableCell{duration_text(milliseconds), milliseconds, -1} : kNone;
}

/// What everything is made from: the snapshot and the task that is looked at.
struct Tuned {
    const TuningSnapshot& tuning;
    const TuneOptions& options;
    int task = -1;

    Tuned(const TuningSnapshot& t, const TuneOptions& o) : tuning(t), options(o) {
        for (std::size_t i = 0; i < t.tasks.size() && !o.workload.empty(); ++i)
            if (t.tasks[i].workload == o.workload) task = static_cast<int>(i);
        if (task < 0 && !t.trials.empty()) task = static_cast<int>(t.trials.back()->task);
        if (task < 0 && !t.tasks.empty()) task = 0;
    }
    [[nodiscard]] const TaskProgress* shown() const {
        return task < 0 ? nullptr : &tuning.tasks[static_cast<std::size_t>(task)];
    }
    [[nodiscard]] bool mine(const Trial& t) const { return static_cast<int>(t.task) == task; }
    [[nodiscard]] const Trial* trial(int number) const {
        return number < 1 || number > static_cast<int>(tuning.trials.size())
                   ? nullptr
                   : tuning.trials[static_cast<std::size_t>(number) - 1].get();
    }
    [[nodiscard]] double gflops(const TaskProgress& of, double milliseconds) const {
        return milliseconds > 0 ? of.flops / milliseconds / 1e6 : 0;
    }
    [[nodiscard]] double of_peak(double gflops) const {
        return tuning.peaks && tuning.peaks->gflops > 0 ? gflops / tuning.peaks->gflops : 0;
    }
};

const std::vector<tuning::SpaceInfo>& spaces_of(const TaskProgress& task) {
    static const std::vector<tuning::SpaceInfo> kUnknown;
    return task.spaces ? *task.spaces : kUnknown;
}

std::string knobs_text(const Tuned& s, const Trial& t) {
    if (t.knobs.empty()) return short_trace(t.trace);
    std::string out;
    for (const tuning::KnobValue& k : t.knobs)
        out += (out.empty() ? "" : "  ") + k.name + "=" + std::to_string(k.value);
    const auto& spaces = spaces_of(s.tuning.tasks[t.task]);
    if (spaces.size() > 1 && t.space < spaces.size()) out = spaces[t.space].name + ": " + out;
    return out;
}

std::string outcome_text(const Trial& t) {
    if (t.outcome != Outcome::Ok) return tuning::outcome_name(t.outcome);
    return t.improved ? "best so far" : t.times.runs == 1 ? "too slow" : "ok";
}

// ------------------------------------------------------------------------------------------- tables

/// What its next round is expected to gain; 0 while nothing is known of it. A kernel that has not had a round comes
/// first by a gain no kernel can have.
double known_gain(const TaskProgress& t) {
    return t.before_ms > 0 && t.expected_gain_ms <= t.before_ms * static_cast<double>(t.calls) ? t.expected_gain_ms : 0;
}

TableRow task_row(const Tuned& s, const TaskProgress& t) {
    const double speed = s.gflops(t, t.best_ms), share = s.of_peak(speed);
    const double gain = t.best_ms > 0 && t.before_ms > 0 ? t.before_ms / t.best_ms : 0;
    const int given = std::max(t.budget, t.trials);
    const double all = std::max<double>(1, s.tuning.trial_budget > 0 ? s.tuning.trial_budget
                                                                     : static_cast<double>(s.tuning.trials.size()));
    TableRow row;
    row.cells = {{t.function, 0, -1},
                 {std::to_string(t.calls), static_cast<double>(t.calls), -1},
                 time_cell(t.before_ms),
                 time_cell(t.best_ms),
                 gain > 0 ? TableCell{figure("%.2f×", gain), gain, -1} : kNone,
                 speed > 0 ? TableCell{figure("%.1f", speed), speed, -1} : kNone,
                 share > 0 ? TableCell{percent_text(share), share, static_cast<float>(std::min(1.0, share))} : kNone,
                 {std::to_string(t.trials), static_cast<double>(t.trials), static_cast<float>(given / all)},
                 {t.failed == 0 ? "–" : std::to_string(t.failed), static_cast<double>(t.failed), -1},
                 t.exhausted         ? TableCell{"all tried", 0, -1}
                 : known_gain(t) > 0 ? time_cell(known_gain(t))
                                     : kNone};
    row.tone = gain > 1.005 ? Tone::Good : Tone::Normal;
    row.details = t.function + ", " + std::to_string(t.calls) + (t.calls == 1 ? " call" : " calls") + " in a run\n" +
                  counted_text(static_cast<std::size_t>(t.trials), "trial") + ", " + std::to_string(t.failed) +
                  " failed, " + seconds_text(t.seconds);
    for (const tuning::SpaceInfo& space : spaces_of(t))
        row.details += "\n" + space.name + ": " + figure("%.4g", static_cast<double>(space.size)) + " candidates";
    return row;
}

void add_tasks(const Tuned& s, TuneViewData& data) {
    data.tasks.columns = {{"Kernel", Align::Left, 0},         {"Calls", Align::Right, 6},  {"Before", Align::Right, 9},
                          {"Best", Align::Right, 9},          {"Gain", Align::Right, 7},   {"GFLOP/s", Align::Right, 8},
                          {"Of peak", Align::Right, 8},       {"Trials", Align::Right, 7}, {"Failed", Align::Right, 7},
                          {"Still to gain", Align::Right, 11}};
    for (std::size_t i = 0; i < s.tuning.tasks.size(); ++i) {
        const TaskProgress& task = s.tuning.tasks[i];
        data.tasks.rows.push_back(task_row(s, task));
        data.workloads.push_back(task.workload);
        data.functions.push_back(task.function);
        data.budget.push_back(
            {task.function, task.workload, task.trials, task.failed, known_gain(task), static_cast<int>(i) == s.task});
    }
    data.task = s.task;
}

TableRow trial_row(const Tuned& s, const Trial& t) {
    const TaskProgress& task = s.tuning.tasks[t.task];
    const double speed = ok(t) ? s.gflops(task, ms(t)) : 0, share = s.of_peak(speed);
    TableRow row;
    row.cells = {{std::to_string(t.number), static_cast<double>(t.number), -1},
                 ok(t) ? time_cell(ms(t)) : TableCell{"–", 1e300, -1},
                 speed > 0 ? TableCell{figure("%.1f", speed), speed, -1} : kNone,
                 share > 0 ? TableCell{percent_text(share), share, static_cast<float>(std::min(1.0, share))} : kNone,
                 t.predicted_ms ? time_cell(*t.predicted_ms) : kNone,
                 {outcome_text(t), 0, -1},
                 {tuning::trial_name(t.kind), 0, -1},
                 {seconds_text(t.at_seconds), t.at_seconds, -1},
                 {knobs_text(s, t), 0, -1}};
    row.tone = t.outcome != Outcome::Ok      ? Tone::Bad
               : t.number == task.best_trial ? Tone::Good
               : t.times.runs == 1           ? Tone::Dim
                                             : Tone::Normal;
    row.details = "trial " + std::to_string(t.number) + ", " + tuning::trial_name(t.kind) + ": " + outcome_text(t) +
                  (t.reason.empty() ? "" : ": " + t.reason) + "\n" + knobs_text(s, t) + "\n" + t.trace;
    return row;
}

void add_trials(const Tuned& s, TuneViewData& data) {
    data.trials.columns = {{"Trial", Align::Right, 6},   {"Time", Align::Right, 9},      {"GFLOP/s", Align::Right, 8},
                           {"Of peak", Align::Right, 8}, {"Predicted", Align::Right, 9}, {"Outcome", Align::Left, 11},
                           {"Why", Align::Left, 9},      {"After", Align::Right, 8},     {"Decisions", Align::Left, 0}};
    data.trials.empty_reason = "Every trial of this kernel becomes a row, a point of the plots, and a record.";
    for (auto it = s.tuning.trials.rbegin(); it != s.tuning.trials.rend(); ++it) {
        if (!s.mine(**it)) continue;
        data.trials.rows.push_back(trial_row(s, **it));
        data.numbers.push_back((*it)->number);
    }
}

void add_failures(const Tuned& s, TuneViewData& data) {
    data.failures.columns = {{"Outcome", Align::Left, 14},
                             {"Trials", Align::Right, 7},
                             {"Kernel", Align::Left, 24},
                             {"Reason", Align::Left, 0}};
    data.failures.empty_reason = "No trial has failed.";
    struct Group {
        int count = 0;
        const Trial* last = nullptr;
    };
    std::map<std::string, Group> groups;
    for (const tuning::TrialPtr& t : s.tuning.trials) {
        if (t->outcome == Outcome::Ok) continue;
        Group& group =
            groups[std::string(tuning::outcome_name(t->outcome)) + "\n" + std::to_string(t->task) + "\n" + t->reason];
        ++group.count, group.last = t.get();
    }
    for (const auto& [key, group] : groups) {
        TableRow row;
        row.cells = {{tuning::outcome_name(group.last->outcome), 0, -1},
                     {std::to_string(group.count), static_cast<double>(group.count), -1},
                     {s.tuning.tasks[group.last->task].function, 0, -1},
                     {group.last->reason, 0, -1}};
        row.tone = Tone::Bad;
        row.details =
            group.last->reason + "\nlast in trial " + std::to_string(group.last->number) + "\n" + group.last->trace;
        data.failures.rows.push_back(std::move(row));
    }
}

// -------------------------------------------------------------------------------------------- knobs

/// Lines of all knobs of the task's spaces; a name that several have means the same in all.
std::vector<KnobLine> knob_lines(const TaskProgress& task) {
    std::vector<KnobLine> lines;
    for (const tuning::SpaceInfo& space : spaces_of(task))
        for (const tuning::KnobInfo& knob : space.knobs) {
            auto line = std::ranges::find(lines, knob.name, &KnobLine::name);
            if (line == lines.end()) line = lines.insert(lines.end(), {knob.name, {}});
            for (const std::int64_t value : knob.candidates) {
                auto at = std::ranges::lower_bound(line->cells, value, {}, &KnobCell::value);
                if (at == line->cells.end() || at->value != value)
                    at = line->cells.insert(at, KnobCell{.value = value});
                at->pinned = at->pinned || knob.pinned == value;
            }
        }
    return lines;
}

void add_knobs(const Tuned& s, TuneViewData& data) {
    data.knobs.columns = {{"Knob", Align::Left, 18},          {"Value", Align::Right, 9},
                          {"Best with it", Align::Right, 11}, {"Of the best", Align::Right, 10},
                          {"Trials", Align::Right, 7},        {"", Align::Left, 0}};
    data.knobs.empty_reason = "What a trial may decide is listed here once the tuning has begun.";
    const TaskProgress* task = s.shown();
    if (!task) return;
    data.heat = knob_lines(*task);
    double fastest = 1e300, slowest = 0;
    for (const tuning::TrialPtr& t : s.tuning.trials) {
        if (!s.mine(*t)) continue;
        for (const tuning::KnobValue& k : t->knobs) {
            const auto line = std::ranges::find(data.heat, k.name, &KnobLine::name);
            if (line == data.heat.end()) continue;
            const auto cell = std::ranges::find(line->cells, k.value, &KnobCell::value);
            if (cell == line->cells.end()) continue;
            ++cell->trials;
            cell->best = cell->best || t->number == task->best_trial;
            if (!ok(*t)) continue;
            cell->best_ms = cell->best_ms > 0 ? std::min(cell->best_ms, ms(*t)) : ms(*t);
        }
    }
    for (const KnobLine& line : data.heat)
        for (const KnobCell& cell : line.cells)
            if (cell.best_ms > 0) fastest = std::min(fastest, cell.best_ms), slowest = std::max(slowest, cell.best_ms);
    for (KnobLine& line : data.heat)
        for (KnobCell& cell : line.cells) {
            if (cell.best_ms > 0)
                cell.heat = slowest > fastest * 1.001
                                ? static_cast<float>(std::log(slowest / cell.best_ms) / std::log(slowest / fastest))
                                : 1.f;
            TableRow row;
            const double of = cell.best_ms > 0 ? fastest / cell.best_ms : 0;
            row.cells = {{line.name, 0, -1},
                         {std::to_string(cell.value), static_cast<double>(cell.value), -1},
                         time_cell(cell.best_ms),
                         of > 0 ? TableCell{percent_text(of), of, static_cast<float>(of)} : kNone,
                         {std::to_string(cell.trials), static_cast<double>(cell.trials), -1},
                         {cell.pinned ? "pinned: no other value is tried"
                          : cell.best ? "in the best trial"
                                      : "",
                          0, -1}};
            row.tone = cell.pinned        ? Tone::Warning
                       : cell.best        ? Tone::Good
                       : cell.trials == 0 ? Tone::Dim
                                          : Tone::Normal;
            data.knobs.rows.push_back(std::move(row));
            data.knob_places.push_back({line.name, cell.value, cell.pinned});
        }
}

// --------------------------------------------------------------------------------------- two trials

/// One figure of both; the difference as a share of the first where both are numbers.
void add_figure(Table& table, const std::string& name, const TableCell& a, const TableCell& b) {
    TableRow row;
    const bool numbers = a.sort_key > 0 && b.sort_key > 0 && a.sort_key < 1e299 && b.sort_key < 1e299;
    const double change = numbers ? a.sort_key / b.sort_key - 1 : 0;
    row.cells = {{name, static_cast<double>(table.rows.size() + 1), -1},
                 {a.text, a.sort_key, -1},
                 {b.text, b.sort_key, -1},
                 numbers && std::abs(change) >= 0.0005
                     ? TableCell{(change > 0 ? "+" : "") + percent_text(change), change, -1}
                     : TableCell{"", 0, -1}};
    row.tone = a.text == b.text ? Tone::Dim : Tone::Normal;
    table.rows.push_back(std::move(row));
}

TableCell knob_cell(const Trial& t, const std::string& name) {
    for (const tuning::KnobValue& k : t.knobs)
        if (k.name == name) return {std::to_string(k.value), 0, -1};
    return kNone;
}

std::string trial_title(const Tuned& s, const Trial& t) {
    const bool best = t.number == s.tuning.tasks[t.task].best_trial;
    return "Trial " + std::to_string(t.number) +
           (t.kind == TrialKind::Baseline ? ", as it was"
            : best                        ? ", the best"
                                          : "");
}

/// The trial that was asked for, if it is of the task; the best one or the baseline otherwise.
const Trial* chosen_of(const Tuned& s, int number, bool baseline) {
    if (const Trial* t = s.trial(number); t && s.mine(*t)) return t;
    if (!baseline) return s.trial(s.shown()->best_trial);
    for (const tuning::TrialPtr& t : s.tuning.trials)
        if (s.mine(*t) && t->kind == TrialKind::Baseline) return t.get();
    return nullptr;
}

/// What a trial is held against where it is the baseline itself: the fastest of the others.
const Trial* fastest_but(const Tuned& s, const Trial& chosen) {
    const Trial* best = nullptr;
    for (const tuning::TrialPtr& t : s.tuning.trials)
        if (s.mine(*t) && t.get() != &chosen && ok(*t) && (!best || ms(*t) < ms(*best))) best = t.get();
    return best ? best : &chosen;
}

void add_pair(const Tuned& s, TuneViewData& data) {
    data.pair.empty_reason = "Click a trial, in a table or a plot, to see it beside another.";
    const TaskProgress* task = s.shown();
    const Trial* a = task ? chosen_of(s, s.options.trial, false) : nullptr;
    const Trial* b = task ? chosen_of(s, s.options.beside, true) : nullptr;
    if (a && a == b) b = fastest_but(s, *a);
    if (a) data.chosen = a->number, data.chosen_trace = a->trace;
    if (b) data.beside = b->number, data.beside_trace = b->trace;
    if (!a || !b) return;
    data.pair.columns = {{"Figure", Align::Left, 16},
                         {trial_title(s, *a), Align::Right, 18},
                         {trial_title(s, *b), Align::Right, 18},
                         {"Difference", Align::Right, 10}};
    const auto time = [](const Trial& t) { return ok(t) ? time_cell(ms(t)) : TableCell{outcome_text(t), 0, -1}; };
    const auto rate = [&](const Trial& t) {
        const double speed = ok(t) ? s.gflops(*task, ms(t)) : 0;
        return speed > 0 ? TableCell{figure("%.1f", speed), speed, -1} : kNone;
    };
    const auto peak = [&](const Trial& t) {
        const double share = ok(t) ? s.of_peak(s.gflops(*task, ms(t))) : 0;
        return share > 0 ? TableCell{percent_text(share), share, -1} : kNone;
    };
    const auto interval = [](const Trial& t) {
        return ok(t) ? TableCell{duration_text(t.times.low_ms) + " – " + duration_text(t.times.high_ms), 0, -1} : kNone;
    };
    Table& out = data.pair;
    add_figure(out, "Time", time(*a), time(*b));
    add_figure(out, "95 % in", interval(*a), interval(*b));
    add_figure(out, "Runs", {std::to_string(a->times.runs), 0, -1}, {std::to_string(b->times.runs), 0, -1});
    add_figure(out, "GFLOP/s", rate(*a), rate(*b));
    add_figure(out, "Of peak", peak(*a), peak(*b));
    add_figure(out, "Predicted", a->predicted_ms ? time_cell(*a->predicted_ms) : kNone,
               b->predicted_ms ? time_cell(*b->predicted_ms) : kNone);
    add_figure(out, "Outcome", {outcome_text(*a), 0, -1}, {outcome_text(*b), 0, -1});
    add_figure(out, "Compiling", {seconds_text(a->compile_seconds), a->compile_seconds, -1},
               {seconds_text(b->compile_seconds), b->compile_seconds, -1});
    std::vector<std::string> names;
    for (const Trial* t : {a, b})
        for (const tuning::KnobValue& k : t->knobs)
            if (std::ranges::find(names, k.name) == names.end()) names.push_back(k.name);
    for (const std::string& name : names) add_figure(out, name, knob_cell(*a, name), knob_cell(*b, name));
}

// -------------------------------------------------------------------------------------------- plots

DotKind dot_kind(const Trial& t) {
    return t.kind == TrialKind::Baseline   ? DotKind::Baseline
           : t.kind == TrialKind::Searched ? DotKind::Searched
                                           : DotKind::Seed;
}

/// The range of a plot: what it holds, and a margin. Times of other kernels than the chosen one, decades away, do not
/// squeeze its own.
void fit(Plot& plot) {
    double x0 = 1e300, x1 = -1e300, y0 = 1e300, y1 = -1e300;
    const auto take = [&](const PlotDot& dot) {
        x0 = std::min(x0, dot.x), x1 = std::max(x1, dot.x);
        y0 = std::min(y0, dot.y), y1 = std::max(y1, dot.y);
    };
    const bool chosen = std::ranges::any_of(plot.lines, &PlotLine::chosen);
    for (const PlotLine& line : plot.lines) {
        if (line.chosen || !chosen) std::ranges::for_each(line.dots, take);
        for (const PlotDot& dot : line.dots) x0 = std::min(x0, dot.x), x1 = std::max(x1, dot.x);
    }
    const bool own = std::ranges::any_of(plot.dots, [](const PlotDot& dot) { return dot.kind != DotKind::Other; });
    for (const PlotDot& dot : plot.dots)
        if (dot.kind != DotKind::Other || !own) take(dot);
    if (x0 > x1) return;
    if (plot.diagonal) x0 = y0 = std::min(x0, y0), x1 = y1 = std::max(x1, y1);
    const auto widen = [](double& low, double& high, bool log) {
        if (log) {
            low /= 1.15, high *= 1.15;
        } else {
            const double margin = high > low ? (high - low) * 0.03 : std::max(1.0, std::abs(high) * 0.1);
            low -= low > 0 ? std::min(margin, low) : margin, high += margin;
        }
    };
    widen(x0, x1, plot.log_x), widen(y0, y1, plot.log_y);
    plot.low_x = x0, plot.high_x = x1, plot.low_y = y0, plot.high_y = y1;
}

void add_best(const Tuned& s, Plot& plot) {
    const bool by_time = s.options.by_time;
    plot.title = "Best so far", plot.x_title = by_time ? "seconds" : "trials of the kernel", plot.y_title = "ms";
    plot.log_y = true;
    plot.empty_reason = "The best time of each kernel is drawn here as it falls.";
    for (std::size_t i = 0; i < s.tuning.tasks.size(); ++i) {
        const TaskProgress& task = s.tuning.tasks[i];
        if (task.best_so_far.empty()) continue;
        PlotLine line{task.function, {}, static_cast<int>(i) == s.task};
        for (const tuning::BestPoint& p : task.best_so_far) {
            const Trial* t = s.trial(p.trial);
            line.dots.push_back({by_time ? p.seconds : static_cast<double>(p.own), p.milliseconds, p.trial,
                                 t ? dot_kind(*t) : DotKind::Searched});
        }
        const double end = by_time ? s.tuning.seconds : static_cast<double>(task.trials);
        if (end > line.dots.back().x) line.dots.push_back({end, line.dots.back().y, 0, DotKind::Other});
        plot.lines.push_back(std::move(line));
    }
    // The one that is looked at lies on top.
    std::ranges::stable_partition(plot.lines, [](const PlotLine& line) { return !line.chosen; });
    int own = 0;
    for (const tuning::TrialPtr& t : s.tuning.trials) {
        if (!s.mine(*t)) continue;
        ++own;
        if (ok(*t))
            plot.dots.push_back({by_time ? t->at_seconds : static_cast<double>(own), ms(*t), t->number, dot_kind(*t)});
    }
    fit(plot);
}

void add_predicted(const Tuned& s, Plot& plot) {
    plot.title = "Predicted against measured", plot.x_title = "measured, ms", plot.y_title = "predicted, ms";
    plot.log_x = plot.log_y = plot.diagonal = true;
    plot.empty_reason = s.tuning.search == tuning::SearchKind::Model
                            ? "Once a model has learned from trials, what it predicts is held against what is measured."
                            : "This search predicts nothing; the one named \"model\" does.";
    if (s.tuning.model_error > 0) plot.note = "median error " + percent_text(s.tuning.model_error);
    for (const bool mine : {false, true}) // the kernel that is looked at lies on top
        for (const tuning::TrialPtr& t : s.tuning.trials)
            if (t->predicted_ms && *t->predicted_ms > 0 && ok(*t) && s.mine(*t) == mine)
                plot.dots.push_back({ms(*t), *t->predicted_ms, t->number, mine ? dot_kind(*t) : DotKind::Other});
    fit(plot);
}

void add_roofline(const Tuned& s, TuneViewData& data) {
    data.roofline.empty_reason = "This machine's peaks are measured before the first trial.";
    if (!s.tuning.peaks) return;
    data.roofline.roofs = roofs_of(*s.tuning.peaks);
    for (std::size_t i = 0; i < s.tuning.tasks.size(); ++i) {
        const TaskProgress& t = s.tuning.tasks[i];
        if (static_cast<int>(i) == s.task || t.best_ms <= 0 || t.flops <= 0 || t.bytes <= 0) continue;
        data.roofline.points.push_back({t.flops / t.bytes, s.gflops(t, t.best_ms), t.function,
                                        t.function + "\nits best, " + duration_text(t.best_ms), -2, false});
    }
    const TaskProgress* task = s.shown();
    if (!task || task->flops <= 0 || task->bytes <= 0) return;
    for (std::size_t row = 0; row < data.numbers.size(); ++row) {
        const Trial& t = *s.trial(data.numbers[row]);
        if (!ok(t)) continue;
        const double speed = s.gflops(*task, ms(t));
        data.roofline.points.push_back({task->flops / task->bytes, speed, "trial " + std::to_string(t.number),
                                        "trial " + std::to_string(t.number) + "\n" + duration_text(ms(t)) +
                                            figure(" · %.1f GFLOP/s · ", speed) + percent_text(s.of_peak(speed)) +
                                            " of the peak",
                                        static_cast<int>(row), t.number == task->best_trial});
    }
}

// ---------------------------------------------------------------------------------------- the whole

std::string tuning_summary(const TuningSnapshot& t) {
    std::string out = tuning::phase_name(t.phase);
    out += " · " + std::to_string(t.trials.size());
    out += t.trial_budget > 0     ? " of " + counted_text(static_cast<std::size_t>(t.trial_budget), "trial")
           : t.trials.size() == 1 ? " trial"
                                  : " trials";
    out += " · " + seconds_text(t.seconds);
    if (t.second_budget > 0) out += " of " + seconds_text(t.second_budget);
    if (t.before_ms > 0 && t.estimate_ms > 0)
        out += " · kernels together " + duration_text(t.before_ms) + " → " + duration_text(t.estimate_ms) +
               figure(", %.2f×", t.before_ms / t.estimate_ms);
    const double overhead = t.seconds > 0 ? (t.searching_seconds + t.compiling_seconds) / t.seconds : 0;
    if (overhead > 0) out += " · " + percent_text(overhead) + " of the time not measuring";
    return out;
}

double fraction_of(const TuningSnapshot& t) {
    double done = -1;
    if (t.trial_budget > 0) done = static_cast<double>(t.trials.size()) / t.trial_budget;
    if (t.second_budget > 0) done = std::max(done, t.seconds / t.second_budget);
    return std::min(1.0, done);
}

/// Tasks whose best trace is faster than the one in force, and is not it already.
int improvements_of(const session::Snapshot& snapshot, const TuningSnapshot& t) {
    int count = 0;
    for (const TaskProgress& task : t.tasks) {
        if (task.best_trial == 0 || task.best_ms <= 0 || task.best_ms >= task.before_ms) continue;
        for (const session::FunctionPtr& f : snapshot.functions)
            if (to_string(f->lowered.workload) == task.workload && schedule::to_string(f->trace) != task.best_trace) {
                ++count;
                break;
            }
    }
    return count;
}

bool tuning_now(const session::Snapshot& snapshot) {
    return std::ranges::any_of(snapshot.jobs,
                               [](const session::JobStatus& job) { return job.label.starts_with("tuning "); });
}

} // namespace

TuneViewData build_tune(const TuningSnapshot& tuning, const TuneOptions& options) {
    TuneViewData data;
    const Tuned subject(tuning, options);
    data.summary = tuning_summary(tuning);
    if (tuning.doing != tuning::phase_name(tuning.phase)) data.note = tuning.doing; // the summary says that already
    data.problem = tuning.problem.empty() ? tuning.search_note : tuning.problem;
    data.running = tuning.phase != TuningPhase::Done;
    data.paused = tuning.phase == TuningPhase::Paused;
    data.fraction = fraction_of(tuning);
    add_tasks(subject, data);
    add_trials(subject, data);
    add_knobs(subject, data);
    add_failures(subject, data);
    add_pair(subject, data);
    add_best(subject, data.best);
    add_predicted(subject, data.predicted);
    add_roofline(subject, data);
    return data;
}

TuneViewData build_tune(const session::Snapshot& snapshot, const TuneOptions& options) {
    const TuningSnapshot none;
    TuneViewData data = build_tune(snapshot.tuning ? *snapshot.tuning : none, options);
    data.running = tuning_now(snapshot);
    data.paused = data.paused && data.running;
    data.can_start = !snapshot.functions.empty();
    data.why_not = !snapshot.has_model()        ? "Open a model: its kernels are tuned here."
                   : snapshot.functions.empty() ? "There are no kernels to tune yet."
                                                : "";
    if (snapshot.tuning) {
        data.improvements = improvements_of(snapshot, *snapshot.tuning);
    } else {
        data.summary = data.why_not.empty() ? "Start a tuning: candidates are compiled, run in a process of their own, "
                                              "checked and kept."
                                            : data.why_not;
        data.fraction = -1;
    }
    data.tasks.empty_reason = data.why_not.empty() ? "Each distinct kernel of the model becomes a row." : data.why_not;
    return data;
}

std::string to_text(const TuneViewData& data) {
    std::string out = data.summary + "\n";
    if (!data.note.empty()) out += data.note + "\n";
    if (!data.problem.empty()) out += data.problem + "\n";
    for (const Table* table : {&data.tasks, &data.trials, &data.knobs, &data.failures, &data.pair})
        out += "\n" + to_text(*table);
    for (const Plot* plot : {&data.best, &data.predicted}) {
        out += "\n" + plot->title + (plot->note.empty() ? "" : ", " + plot->note) + ":";
        for (const PlotLine& line : plot->lines) {
            out += "\n  " + line.name + (line.chosen ? " *" : "");
            for (const PlotDot& dot : line.dots) out += figure(" (%.4g,", dot.x) + figure(" %.4g)", dot.y);
        }
        if (!plot->dots.empty()) out += "\n  " + counted_text(plot->dots.size(), "point");
        out += plot->empty() ? " " + plot->empty_reason + "\n" : "\n";
    }
    return out;
}

namespace {

Json plot_json(const Plot& plot) {
    const auto dots = [](const std::vector<PlotDot>& from) {
        Json out = Json::array();
        for (const PlotDot& dot : from) out.push_back({dot.x, dot.y, dot.trial});
        return out;
    };
    Json lines = Json::array();
    for (const PlotLine& line : plot.lines)
        lines.push_back({{"name", line.name}, {"chosen", line.chosen}, {"points", dots(line.dots)}});
    return {
        {"title", plot.title}, {"x", plot.x_title}, {"y", plot.y_title}, {"lines", lines}, {"points", dots(plot.dots)}};
}

} // namespace

std::string to_json(const TuneViewData& data) {
    Json knobs = Json::array();
    for (const KnobLine& line : data.heat)
        for (const KnobCell& cell : line.cells)
            knobs.push_back({{"knob", line.name},
                             {"value", cell.value},
                             {"best_ms", cell.best_ms},
                             {"trials", cell.trials},
                             {"pinned", cell.pinned}});
    return dump(Json{{"view", "tune"},
                     {"summary", data.summary},
                     {"note", data.note},
                     {"problem", data.problem},
                     {"running", data.running},
                     {"improvements", data.improvements},
                     {"tasks", json_of(data.tasks)},
                     {"trials", json_of(data.trials)},
                     {"knobs", knobs},
                     {"failures", json_of(data.failures)},
                     {"pair", json_of(data.pair)},
                     {"best", plot_json(data.best)},
                     {"predicted", plot_json(data.predicted)}});
}

} // namespace orrery::views
