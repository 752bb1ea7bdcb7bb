#include "views/model/session_views.hpp"

#include "core/session/scratch.hpp"
#include "views/model/gallery.hpp"
#include "views/model/resource.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

// Memory, run, status, start.

namespace orrery::views {
namespace {

constexpr int kFirstValues = 6;

std::string formatted(const char* format, double value) {
    char text[48];
    std::snprintf(text, sizeof text, format, value);
    return text;
}

std::string ms_text(double ms) {
    if (ms < 0.1) return formatted("%.1f µs", ms * 1000);
    return formatted(ms >= 100 ? "%.0f ms" : ms >= 10 ? "%.1f ms" : "%.2f ms", ms);
}

struct Statistics {
    double low = 0, high = 0, mean = 0;
    std::int64_t not_finite = 0;
};

Statistics statistics_of(const NDArray& value) {
    Statistics s{INFINITY, -INFINITY, 0, 0};
    std::int64_t counted = 0;
    for (std::int64_t i = 0; i < value.size(); ++i) {
        const double v = value.as_double(i);
        if (!std::isfinite(v)) {
            ++s.not_finite;
            continue;
        }
        s.low = std::min(s.low, v), s.high = std::max(s.high, v), s.mean += v;
        ++counted;
    }
    if (counted == 0) return {0, 0, 0, s.not_finite};
    s.mean /= static_cast<double>(counted);
    return s;
}

Table outputs_table(const session::RunResult& run) {
    Table table;
    table.columns = {{"Output", Align::Left, 14}, {"Type", Align::Left, 16}, {"Min", Align::Right, 9},
                     {"Max", Align::Right, 9},    {"Mean", Align::Right, 9}, {"First values", Align::Left, 0}};
    for (std::size_t i = 0; i < run.outputs.size(); ++i) {
        const NDArray& value = run.outputs[i];
        const Statistics s = statistics_of(value);
        std::string first;
        for (std::int64_t k = 0; k < std::min<std::int64_t>(value.size(), kFirstValues); ++k)
            first += (k == 0 ? "" : ", ") + formatted("%.4g", value.as_double(k));
        if (value.size() > kFirstValues) first += ", …";
        if (s.not_finite > 0) first = std::to_string(s.not_finite) + " not finite: " + first;
        TableRow row;
        row.tone = s.not_finite > 0 ? Tone::Warning : Tone::Normal;
        row.cells = {{i < run.output_names.size() ? run.output_names[i] : "output", 0, -1},
                     {type_text(value.dtype(), value.shape()), 0, -1},
                     {formatted("%.4g", s.low), s.low, -1},
                     {formatted("%.4g", s.high), s.high, -1},
                     {formatted("%.4g", s.mean), s.mean, -1},
                     {first, 0, -1}};
        table.rows.push_back(std::move(row));
    }
    return table;
}

/// The largest error of a kernel, in the last column.
void add_check(TableRow& row, const session::CheckResult::Row& checked) {
    const double error = checked.difference.max_rel;
    row.cells[4] = {!checked.agrees ? formatted("differs by %.1e", error)
                    : error == 0    ? std::string("exact")
                                    : formatted("%.1e", error),
                    error, -1};
    if (!checked.agrees) row.tone = Tone::Bad;
}

Table operators_table(const session::Snapshot& snapshot) {
    Table table;
    table.columns = {{"Kernel", Align::Left, 0},
                     {"Time", Align::Right, 9},
                     {"Share", Align::Right, 8},
                     {"GFLOP/s", Align::Right, 8},
                     {"Largest error", Align::Right, 12}};
    const session::RunResult& run = *snapshot.run;
    const session::CompiledModel& model = *snapshot.compiled;
    double total = 0;
    for (const auto& step : run.steps) total += step.microseconds;
    for (std::size_t i = 0; i < run.steps.size(); ++i) {
        const auto& step = run.steps[i];
        if (step.call >= model.model.calls.size()) continue;
        const lower::LoweredCall& call = model.model.calls[step.call];
        const session::ScheduledFunction& function = *model.functions[call.function];
        const double share = total > 0 ? step.microseconds / total : 0;
        const double speed = step.microseconds > 0 ? function.cost.flops / step.microseconds / 1000 : 0;
        TableRow row;
        row.origins = call.origin;
        row.cells = {{function.lowered.name, static_cast<double>(i + 1), -1},
                     {ms_text(step.microseconds / 1000), step.microseconds, -1},
                     {formatted("%.1f %%", 100 * share), share, static_cast<float>(share)},
                     {formatted("%.1f", speed), speed, -1},
                     {"", 0, -1}};
        if (snapshot.check)
            for (const auto& checked : snapshot.check->rows)
                if (call.var && checked.name == call.var->name) add_check(row, checked);
        table.rows.push_back(std::move(row));
    }
    if (!model.dynamic) return table;
    // Its kernels are made while it runs: how long each took is not told apart, what each gave is.
    table.empty_reason = "This model's kernels are made while it runs; a check (Ctrl+K) lists them.";
    for (std::size_t i = 0; snapshot.check && i < snapshot.check->rows.size(); ++i) {
        const session::CheckResult::Row& checked = snapshot.check->rows[i];
        TableRow row;
        row.origins = checked.origin;
        row.cells = {{checked.function, static_cast<double>(i + 1), -1}, {}, {}, {}, {}};
        add_check(row, checked);
        table.rows.push_back(std::move(row));
    }
    return table;
}

/// The sentence on agreement, and how it is to be taken.
std::pair<std::string, Tone> agreement_of(const session::Snapshot& snapshot) {
    if (!snapshot.check) return {"", Tone::Dim};
    const session::CheckResult& check = *snapshot.check;
    if (check.first_wrong >= 0) {
        const auto& row = check.rows[static_cast<std::size_t>(check.first_wrong)];
        return {row.name + " is the first kernel that differs from the reference: " +
                    formatted("%.1e", row.difference.max_rel),
                Tone::Bad};
    }
    return {"checked: all " + std::to_string(check.rows.size()) + " kernels " +
                (check.worst == 0 ? std::string("exactly as the reference")
                                  : "within " + formatted("%.1e", check.worst) + " of the reference"),
            Tone::Good};
}

/// What a value is, and what it is part of.
void add_place(const lower::LoweredModel& model, std::uint32_t id, MemoryBox& box) {
    const lower::LoweredValue& value = model.values[id];
    box.origins = value.origin;
    box.type = type_text(value.dtype, value.shape);
    if (value.host >= 0) box.part_of = model.values[static_cast<std::size_t>(value.host)].name;
    for (const lower::LoweredJoin& join : model.joins)
        if (join.value == id) {
            box.joins = join_text(join);
            box.kind = OperatorKind::Shape;
        }
}

} // namespace

std::string join_text(const lower::LoweredJoin& join) {
    if (join.copies == ops::Copies::Nothing) return "no kernel: its elements are written here";
    return std::string("written by a kernel: ") + ops::to_string(join.copies);
}

MemoryViewData build_memory(const session::Snapshot& snapshot) {
    MemoryViewData data;
    if (!snapshot.compiled || !snapshot.compiled->executable) return data;
    const session::CompiledModel& model = *snapshot.compiled;
    const runtime::Plan& plan = model.executable->plan;
    for (const runtime::Step& step : plan.steps) data.step_names.push_back(step.name);
    const auto name_of = [&](std::int32_t step) {
        return step >= 0 && step < static_cast<int>(plan.steps.size()) ? plan.steps[static_cast<std::size_t>(step)].name
                                                                       : std::string();
    };
    for (std::size_t i = 0; i < plan.values.size(); ++i) {
        const runtime::Value& value = plan.values[i];
        if (value.storage != runtime::Storage::Arena || value.last_step < value.first_step) continue;
        MemoryBox box;
        box.name = value.name, box.offset = value.offset, box.bytes = value.bytes;
        box.first_step = value.first_step, box.last_step = value.last_step;
        box.kind = operator_kind(name_of(value.first_step));
        if (i < model.model.values.size()) add_place(model.model, static_cast<std::uint32_t>(i), box);
        data.boxes.push_back(std::move(box));
    }
    for (std::size_t s = 0; s < plan.steps.size(); ++s) {
        const runtime::Step& step = plan.steps[s];
        if (step.workspace_bytes == 0) continue;
        MemoryBox box;
        box.name = "workspace of " + step.name, box.offset = step.workspace_offset, box.bytes = step.workspace_bytes;
        box.first_step = box.last_step = static_cast<std::int32_t>(s);
        box.workspace = true;
        if (s < model.model.calls.size()) box.origins = model.model.calls[s].origin;
        data.boxes.push_back(std::move(box));
    }
    std::ranges::sort(data.boxes, [](const MemoryBox& a, const MemoryBox& b) {
        return std::tie(a.first_step, a.offset) < std::tie(b.first_step, b.offset);
    });
    data.arena_bytes = plan.arena_bytes;
    data.bound_bytes = plan.live_bytes_bound;
    data.constant_bytes = model.constant_bytes;
    data.empty_reason = model.dynamic ? "This model's shapes are known when it runs: memory is taken then."
                                      : "This model keeps nothing between kernels: there is no arena to plan.";
    summarize(data);
    return data;
}

RunViewData build_run(const session::Snapshot& snapshot) {
    RunViewData data;
    if (!snapshot.run || !snapshot.compiled) return data;
    const session::RunResult& run = *snapshot.run;
    const int threads = snapshot.recipe.threads > 0 ? snapshot.recipe.threads : snapshot.recipe.target.cores;
    const std::string parts = snapshot.compiled->dynamic ? "kernels made on the way"
                              : run.steps.size() == 1    ? "1 kernel"
                                                         : std::to_string(run.steps.size()) + " kernels";
    data.summary = ms_text(run.milliseconds) + " on " + std::to_string(threads) +
                   (threads == 1 ? " thread, " : " threads, ") + parts + ", inputs drawn from a seed";
    std::tie(data.agreement, data.agreement_tone) = agreement_of(snapshot);
    if (data.agreement.empty()) data.agreement = "not yet compared with the reference (Ctrl+K)";
    data.outputs = outputs_table(run);
    data.operators = operators_table(snapshot);
    return data;
}

namespace {

/// What a search for the first wrong pass, or a check of every step, found last; nothing before there was one.
std::pair<std::string, Tone> steps_verdict(const session::Snapshot& snapshot) {
    if (const auto& found = snapshot.bisection) {
        if (found->first_wrong < 0)
            return {"no pass breaks the numbers: " + std::to_string(found->probes.size()) + " runs", Tone::Good};
        return {found->pass + " is the first wrong pass, found in " + std::to_string(found->probes.size()) + " runs",
                Tone::Bad};
    }
    const auto& checks = snapshot.step_checks;
    if (!checks || checks->steps.size() < checks->of.size()) return {};
    if (checks->first_wrong >= 0)
        return {checks->of[static_cast<std::size_t>(checks->first_wrong)]->name + " changes the numbers by " +
                    formatted("%.1e", checks->steps[static_cast<std::size_t>(checks->first_wrong)].from_before.max_rel),
                Tone::Bad};
    return {"checked: all " + std::to_string(checks->steps.size() - 1) + " steps " +
                (checks->worst == 0 ? std::string("exact") : "within " + formatted("%.1e", checks->worst)),
            Tone::Good};
}

/// What the steps of the schedule that was edited last do to the numbers.
std::pair<std::string, Tone> schedule_verdict(const session::Snapshot& snapshot) {
    const auto& check = snapshot.schedule_check;
    if (!check || std::ranges::find(snapshot.functions, check->of) == snapshot.functions.end()) return {};
    const std::string name = check->of->lowered.name;
    if (check->first_wrong >= 0) return {name + ": " + session::problem_of(*check)->message, Tone::Bad};
    const auto known = [](const auto& verdict) { return verdict.has_value(); };
    if (check->steps.empty() || !std::ranges::all_of(check->steps, known)) return {};
    const std::size_t steps = check->steps.size();
    return {name + ": " + std::to_string(steps) + (steps == 1 ? " step keeps" : " steps keep") + " the numbers",
            Tone::Good};
}

} // namespace

StatusViewData build_status(const session::Snapshot& snapshot) {
    StatusViewData data;
    std::tie(data.check, data.check_tone) = agreement_of(snapshot);
    if (auto [text, tone] = steps_verdict(snapshot); !text.empty()) data.check = text, data.check_tone = tone;
    if (auto [text, tone] = schedule_verdict(snapshot); !text.empty() && (tone == Tone::Bad || data.check.empty()))
        data.check = text, data.check_tone = tone;
    if (snapshot.compiled && snapshot.rebuild_ms > 0)
        data.rebuilt = "built " + std::to_string(snapshot.rebuilt_functions) + " of " +
                       std::to_string(snapshot.functions.size()) + " kernels in " + ms_text(snapshot.rebuild_ms);
    if (snapshot.run) {
        const int threads = snapshot.recipe.threads > 0 ? snapshot.recipe.threads : snapshot.recipe.target.cores;
        data.speed = snapshot.title + " " + ms_text(snapshot.run->milliseconds) + " · " + std::to_string(threads) +
                     (threads == 1 ? " thread" : " threads");
    }
    std::vector<session::JobStatus> jobs = snapshot.jobs;
    std::erase_if(jobs, [](const session::JobStatus& job) { return job.quiet; });
    if (jobs.empty() && !snapshot.jobs.empty()) {
        data.job = snapshot.jobs.front().label;
        data.quiet = true;
    } else if (!jobs.empty()) {
        const session::JobStatus& job = jobs.front();
        data.job = job.label + (job.detail.empty() ? "" : ": " + job.detail);
        if (jobs.size() > 1) data.job = std::to_string(jobs.size()) + " jobs · " + data.job;
        data.fraction = job.fraction;
        data.can_cancel = true;
    }
    return data;
}

StartViewData build_start() {
    StartViewData data;
    const auto list = nlohmann::json::parse(resource("samples.json"), nullptr, false);
    if (!list.is_array()) return data;
    for (const auto& entry : list)
        data.samples.push_back({entry.value("name", ""), entry.value("title", ""), entry.value("description", ""),
                                entry.value("figures", ""), entry.value("family", "")});
    for (const GalleryItem& item : gallery())
        data.gallery.push_back({std::string(kGalleryWord) + item.name, item.title, item.description,
                                item.expressions ? "expression" : "tensor IR", "tensor programs"});
    data.new_scratchpad = std::string(session::kScratchWord) + new_scratchpad();
    return data;
}

} // namespace orrery::views
