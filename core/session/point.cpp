#include "core/session/point.hpp"

#include <algorithm>
#include <charconv>

namespace orrery::session {

namespace {

std::optional<int> number(std::string_view text) {
    int value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
    return value;
}

Diagnostic unknown(std::string_view text, const std::string& known) {
    return {Code::UnknownName, "there is no step named \"" + std::string(text) + "\"", {}, "the steps are " + known};
}

/// Index of the step of that name: the last, or "NAME#k" for the k-th.
std::optional<int> graph_step(std::string_view text, const Snapshot& snapshot) {
    const auto count = static_cast<int>(snapshot.steps.size());
    if (const auto index = number(text)) return *index < count ? index : std::nullopt;
    if (text == "last" && count > 0) return count - 1;
    const std::size_t hash = text.find('#');
    const std::string_view name = text.substr(0, hash);
    const int wanted = hash == std::string_view::npos ? 0 : number(text.substr(hash + 1)).value_or(-1);
    std::optional<int> found;
    for (int i = 0, seen = 0; i < count; ++i)
        if (snapshot.steps[static_cast<std::size_t>(i)]->name == name && (wanted == 0 || ++seen == wanted)) {
            found = i;
            if (wanted > 0) break;
        }
    return wanted < 0 ? std::nullopt : found;
}

std::string graph_steps_text(const Snapshot& snapshot) {
    std::string text;
    for (const auto& step : snapshot.steps) text += (text.empty() ? "" : ", ") + step->name;
    return text + "; below the graph [FUNCTION@]lower, scheduled, ir, optimized, asm";
}

std::optional<Point> below(std::string_view text, const ScheduledFunction& function) {
    const auto count = static_cast<int>(function.replay.programs.size());
    if (text == "ir") return Point{Level::Ir, -1, {}};
    if (text == "optimized") return Point{Level::OptimizedIr, -1, {}};
    if (text == "asm") return Point{Level::Assembly, -1, {}};
    if (text == "lower") return Point{Level::Tensor, 0, {}};
    if (text == "scheduled") return Point{Level::Tensor, -1, {}};
    if (const auto index = number(text)) {
        if (*index < count) return Point{Level::Tensor, *index, {}};
        return std::nullopt;
    }
    for (auto i = static_cast<int>(function.trace.steps.size()); i-- > 0;)
        if (i + 1 < count && function.trace.steps[static_cast<std::size_t>(i)].primitive == text)
            return Point{Level::Tensor, i + 1, {}};
    return std::nullopt;
}

std::string steps_of(const ScheduledFunction& function) {
    std::string text = "lower";
    for (std::size_t i = 0; i + 1 < function.replay.programs.size() && i < function.trace.steps.size(); ++i)
        text += ", " + function.trace.steps[i].primitive;
    return text + ", scheduled, ir, optimized, asm";
}

} // namespace

FunctionPtr function_of(const Point& point, const Snapshot& snapshot) {
    FunctionPtr best;
    for (const FunctionPtr& f : snapshot.functions) {
        if (f->lowered.name == point.function) return f;
        if (!best || f->cost.flops > best->cost.flops) best = f;
    }
    return point.function.empty() ? best : nullptr;
}

std::shared_ptr<const GraphStep> step_of(const Point& point, const Snapshot& snapshot) {
    if (point.level != Level::Graph || snapshot.steps.empty()) return nullptr;
    const auto last = static_cast<int>(snapshot.steps.size()) - 1;
    return snapshot.steps[static_cast<std::size_t>(point.step < 0 || point.step > last ? last : point.step)];
}

Result<Point> parse_point(std::string_view text, const Snapshot& snapshot) {
    const std::size_t at = text.rfind('@');
    if (at == std::string_view::npos)
        if (const auto step = graph_step(text, snapshot)) return Point{Level::Graph, *step, {}};
    const std::string name = at == std::string_view::npos ? std::string() : std::string(text.substr(0, at));
    const std::string_view rest = at == std::string_view::npos ? text : text.substr(at + 1);
    const FunctionPtr function = function_of({Level::Tensor, -1, name}, snapshot);
    if (!function) {
        if (name.empty()) return unknown(text, graph_steps_text(snapshot));
        std::string names;
        for (const FunctionPtr& f : snapshot.functions) names += (names.empty() ? "" : ", ") + f->lowered.name;
        return Diagnostic{Code::UnknownName, "there is no function named " + name, {}, "the functions are " + names};
    }
    std::optional<Point> point = below(rest, *function);
    if (!point) return unknown(text, name.empty() ? graph_steps_text(snapshot) : steps_of(*function));
    point->function = name;
    return *std::move(point);
}

std::string to_string(const Point& point, const Snapshot& snapshot) {
    if (point.level == Level::Graph) return point.step < 0 ? "last" : std::to_string(point.step);
    const FunctionPtr function = function_of(point, snapshot);
    const std::string head = point.function.empty() ? std::string() : point.function + "@";
    switch (point.level) {
    case Level::Ir: return head + "ir";
    case Level::OptimizedIr: return head + "optimized";
    case Level::Assembly: return head + "asm";
    case Level::Graph:
    case Level::Tensor: break;
    }
    if (point.step == 0) return head + "lower";
    if (point.step < 0) return head + "scheduled";
    return (head.empty() && function ? function->lowered.name + "@" : head) + std::to_string(point.step);
}

std::string describe(const Point& point, const Snapshot& snapshot) {
    if (const auto step = step_of(point, snapshot))
        return step == snapshot.steps.front() ? std::string("imported") : "after " + step->name;
    const FunctionPtr function = function_of(point, snapshot);
    if (!function) return point.function.empty() ? "nothing" : point.function;
    const std::string& name = function->lowered.name;
    const auto last = static_cast<int>(function->replay.programs.size()) - 1;
    switch (point.level) {
    case Level::Ir: return name + ", LLVM IR as generated";
    case Level::OptimizedIr: return name + ", LLVM IR optimized";
    case Level::Assembly: return name + ", assembly";
    case Level::Graph:
    case Level::Tensor: break;
    }
    if (point.step == 0) return name + " as lowered";
    if (point.step < 0 || point.step >= last) return name + " scheduled";
    return name + " after " + schedule::to_string(function->trace.steps[static_cast<std::size_t>(point.step) - 1]);
}

} // namespace orrery::session
