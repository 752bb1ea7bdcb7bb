#include "core/session/schedule_edit.hpp"

#include "core/session/compiler.hpp"
#include "core/session/shipped.hpp"

#include <algorithm>
#include <mutex>

namespace orrery::session {

namespace {

using schedule::Trace;
using schedule::TraceStep;

Diagnostic bad(Code code, const std::string& message, const std::string& hint = {}) {
    return {code, message, {}, hint};
}

Result<std::size_t> step_at(const Trace& trace, std::ptrdiff_t at) {
    if (at < 0 || at >= std::ssize(trace.steps))
        return bad(Code::BadArgument, "the trace has no step " + std::to_string(at + 1),
                   "it has " + std::to_string(trace.steps.size()));
    return static_cast<std::size_t>(at);
}

Result<TraceStep> parse_step(const std::string& text) {
    ORRERY_TRY(Trace trace, schedule::parse_trace(text));
    if (trace.steps.size() != 1)
        return bad(Code::BadText, "\"" + text.substr(0, 60) + "\" is not one step",
                   "write it as split(conv.oc, [8, 8])");
    return std::move(trace.steps.front());
}

/// What a step makes of a program. An edit is judged by applying it, and applied again when the program it asks for is
/// made, on another thread: that the second time costs nothing. Where a step means something else tomorrow, as an
/// instruction that is declared anew does, nothing is kept.
Result<tensor::Program> program_after(const tensor::Program& before, const TraceStep& step) {
    struct Last {
        tensor::Program before, after;
        TraceStep step;
    };
    static std::mutex mutex;
    static Last last;
    const bool lasting = step.primitive != "tensorize";
    if (lasting) {
        const std::lock_guard lock(mutex);
        if (last.before == before && last.step == step) return last.after;
    }
    ORRERY_TRY(schedule::Rewritten next, schedule::apply_step(before, step));
    if (lasting) {
        const std::lock_guard lock(mutex);
        last = {before, next.program, step};
    }
    return std::move(next.program);
}

/// The step as it stands in `trace`, or why it cannot be applied there.
Result<void> check_step(const Trace& trace, std::size_t at, const ScheduledFunction& function) {
    Trace before;
    before.steps.assign(trace.steps.begin(), trace.steps.begin() + static_cast<std::ptrdiff_t>(at));
    const PartialReplay reached = replay_as_far(function.lowered.program, before, &function);
    if (reached.error) return *reached.error;
    const Result<tensor::Program> done = program_after(reached.replay.result(), trace.steps[at]);
    if (!done) return done.error();
    return {};
}

Result<Trace> with_step(const TraceEdit& edit, Trace trace, const ScheduledFunction& function) {
    ORRERY_TRY(TraceStep step, parse_step(edit.text));
    std::size_t at = trace.steps.size();
    if (edit.what == TraceEdit::What::Replace) {
        ORRERY_TRY(at, step_at(trace, edit.at));
        trace.steps[at] = std::move(step);
    } else {
        if (edit.at >= 0) at = std::min(at, static_cast<std::size_t>(edit.at));
        trace.steps.insert(trace.steps.begin() + static_cast<std::ptrdiff_t>(at), std::move(step));
    }
    ORRERY_CHECK_OK(check_step(trace, at, function));
    return trace;
}

/// The number that an edit means; 1 where there is none, which promoting then says.
std::int64_t number_at(const TraceStep& step, const TraceEdit& edit) {
    if (edit.arg >= step.args.size()) return 1;
    if (const auto* number = std::get_if<std::int64_t>(&step.args[edit.arg])) return *number;
    const auto* list = std::get_if<std::vector<std::int64_t>>(&step.args[edit.arg]);
    const bool there = list != nullptr && edit.item >= 0 && edit.item < std::ssize(*list);
    return there ? (*list)[static_cast<std::size_t>(edit.item)] : 1;
}

/// The trace after an edit that touches nothing but it.
Result<Trace> edited(const TraceEdit& edit, Trace trace, const ScheduledFunction& function) {
    using What = TraceEdit::What;
    switch (edit.what) {
    case What::Insert:
    case What::Replace: return with_step(edit, std::move(trace), function);
    case What::Remove: {
        ORRERY_TRY(const std::size_t at, step_at(trace, edit.at));
        trace.steps.erase(trace.steps.begin() + static_cast<std::ptrdiff_t>(at));
        return trace;
    }
    case What::Move: {
        ORRERY_TRY(const std::size_t from, step_at(trace, edit.at));
        ORRERY_TRY(const std::size_t to, step_at(trace, edit.to));
        TraceStep moved = std::move(trace.steps[from]);
        trace.steps.erase(trace.steps.begin() + static_cast<std::ptrdiff_t>(from));
        trace.steps.insert(trace.steps.begin() + static_cast<std::ptrdiff_t>(to), std::move(moved));
        return trace;
    }
    case What::Rewrite: return schedule::parse_trace(edit.text);
    case What::Promote: {
        ORRERY_TRY(const std::size_t at, step_at(trace, edit.at));
        const std::vector<std::int64_t> numbers =
            edit.numbers.empty() ? likely_candidates(number_at(trace.steps[at], edit)) : edit.numbers;
        return schedule::promote(std::move(trace), {at, edit.arg, edit.item}, edit.text, numbers);
    }
    case What::Fix: return schedule::fix(std::move(trace), edit.text);
    case What::Decide:
        if (edit.numbers.empty()) return bad(Code::BadArgument, "a decision needs a number");
        return schedule::decide(std::move(trace), edit.text, edit.numbers.front());
    default: break;
    }
    fail_internal("the edit is one of the trace");
}

Result<void> edit_branches(const TraceEdit& edit, const std::string& workload, Trace present, Recipe& recipe) {
    using What = TraceEdit::What;
    if (edit.what == What::Keep) {
        if (edit.text.empty()) return bad(Code::BadArgument, "a branch needs a name");
        recipe.branches[workload][edit.text] = std::move(present);
        return {};
    }
    const auto all = recipe.branches.find(workload);
    if (all == recipe.branches.end() || !all->second.contains(edit.text)) {
        std::string names;
        if (all != recipe.branches.end())
            for (const auto& [name, trace] : all->second) names += (names.empty() ? "" : ", ") + name;
        return bad(Code::UnknownName, "there is no branch named " + edit.text,
                   names.empty() ? "none is kept" : "those kept are " + names);
    }
    if (edit.what == What::Take) {
        recipe.schedules[workload] = all->second.at(edit.text);
        return {};
    }
    all->second.erase(edit.text);
    if (all->second.empty()) recipe.branches.erase(all);
    return {};
}

bool same_step(const ScheduledFunction& known, std::size_t i, const TraceStep& step) {
    return i + 1 < known.replay.programs.size() && i < known.trace.steps.size() && known.trace.steps[i] == step;
}

} // namespace

PartialReplay replay_as_far(const tensor::Program& program, const Trace& trace, const ScheduledFunction* known) {
    PartialReplay out;
    out.replay.programs = {program};
    const bool usable = known != nullptr && known->lowered.program == program;
    for (std::size_t i = 0; i < trace.steps.size(); ++i) {
        if (usable && i + 1 == out.replay.programs.size() && same_step(*known, i, trace.steps[i]) &&
            known->replay.programs[i] == out.replay.result()) {
            out.replay.programs.push_back(known->replay.programs[i + 1]);
            continue;
        }
        Result<tensor::Program> next = program_after(out.replay.result(), trace.steps[i]);
        if (!next) {
            next.error().locations.push_back(
                ProgramPlace{program->name, "step " + std::to_string(i + 1) + ": " + to_string(trace.steps[i])});
            out.error = std::move(next.error());
            return out;
        }
        out.replay.programs.push_back(*std::move(next));
    }
    return out;
}

Trace present_trace(const Recipe& recipe, const lower::LoweredFunction& function) {
    const auto own = recipe.schedules.find(to_string(function.workload));
    if (own != recipe.schedules.end()) return own->second;
    return ruled_trace(recipe.rule, function, recipe.target).trace;
}

std::vector<std::int64_t> likely_candidates(std::int64_t value) {
    if (value < 2) return {0, 1};
    std::vector<std::int64_t> out;
    for (const std::int64_t way : {value / 4, value / 2, value, value * 2, value * 4})
        if (way > 0 && (out.empty() || out.back() < way)) out.push_back(way);
    return out;
}

std::string describe(const TraceEdit& edit, const Trace& trace) {
    using What = TraceEdit::What;
    const auto step = [&](std::ptrdiff_t at) {
        return at >= 0 && at < std::ssize(trace.steps) ? to_string(trace.steps[static_cast<std::size_t>(at)])
                                                       : "a step";
    };
    switch (edit.what) {
    case What::Insert: return edit.text;
    case What::Replace: return edit.text + " instead of " + step(edit.at);
    case What::Remove: return "remove " + step(edit.at);
    case What::Move: return "move " + step(edit.at);
    case What::Rewrite: return "another trace";
    case What::Reset: return "the default schedule again";
    case What::Promote: return "open a number of " + step(edit.at) + " as " + edit.text;
    case What::Fix: return "fix " + edit.text;
    case What::Decide:
        return edit.text + " = " + (edit.numbers.empty() ? std::string("?") : std::to_string(edit.numbers.front()));
    case What::Keep: return "keep the trace as " + edit.text;
    case What::Take: return "take the trace " + edit.text;
    case What::Drop: return "forget the trace " + edit.text;
    }
    return {};
}

Result<void> apply(const TraceEdit& edit, const ScheduledFunction& function, Recipe& recipe) {
    using What = TraceEdit::What;
    if (!function.lowered.backend.empty())
        return Diagnostic{Code::IllegalSchedule,
                          function.lowered.name + " is left to " + function.lowered.backend + " and has no schedule",
                          {ProgramPlace{function.lowered.name, ""}},
                          "compile it without --partition to schedule it here"};
    const std::string workload = to_string(function.lowered.workload);
    const bool as_it_was = function.trace_is_default && !recipe.schedules.contains(workload);
    Trace present = as_it_was ? function.trace : present_trace(recipe, function.lowered);
    if (edit.what == What::Keep || edit.what == What::Take || edit.what == What::Drop)
        return edit_branches(edit, workload, std::move(present), recipe);
    if (edit.what == What::Reset) {
        recipe.schedules.erase(workload);
        return {};
    }
    ORRERY_TRY(Trace after, edited(edit, std::move(present), function));
    recipe.schedules[workload] = std::move(after);
    return {};
}

const std::map<std::string, Trace>* branches_of(const Recipe& recipe, const lower::LoweredFunction& function) {
    const auto found = recipe.branches.find(to_string(function.workload));
    return found == recipe.branches.end() ? nullptr : &found->second;
}

Result<void> name_workloads(std::vector<std::string>& schedules, const Recipe& recipe, Compiler& compiler) {
    const auto named = [](const std::string& text) {
        const std::size_t equals = text.find('=');
        return equals != std::string::npos && !is_workload(std::string_view(text).substr(0, equals));
    };
    if (std::ranges::none_of(schedules, named)) return {};
    ORRERY_TRY(const Steps steps, compiler.graph_steps(recipe, {}));
    if (steps.back()->error) return *steps.back()->error;
    ORRERY_TRY(const Compiler::Functions functions, compiler.functions(recipe, steps.back()->module, {}));
    for (std::string& text : schedules) {
        if (!named(text)) continue;
        const std::size_t equals = text.find('=');
        const std::string name = text.substr(0, equals);
        const auto found = std::ranges::find_if(
            functions.functions, [&](const FunctionPtr& function) { return function->lowered.name == name; });
        if (found == functions.functions.end()) {
            std::string names;
            for (const FunctionPtr& function : functions.functions)
                names += (names.empty() ? "" : ", ") + function->lowered.name;
            return bad(Code::UnknownName, "there is no tensor program named " + name, "the recipe gives " + names);
        }
        text = to_string((*found)->lowered.workload) + text.substr(equals);
    }
    return {};
}

Result<void> check_schedules(const Recipe& recipe, Compiler& compiler) {
    const Result<Steps> steps = compiler.graph_steps(recipe, {});
    if (!steps || steps->back()->error) return {};
    const Result<Compiler::Functions> functions = compiler.functions(recipe, steps->back()->module, {});
    if (!functions) return {};
    for (const FunctionPtr& function : functions->functions)
        if (function->error) return *function->error;
    return {};
}

} // namespace orrery::session
