// Which two points the window compares.

#include "views/model/session_views.hpp"

#include <algorithm>

namespace orrery::views {
namespace {

using session::Level;
using session::Point;

/// The stage before a point, in its own language; none for the first.
std::optional<Point> before(const Point& point, const session::Snapshot& snapshot) {
    Point left = point;
    switch (point.level) {
    case Level::Graph: {
        const auto last = static_cast<int>(snapshot.steps.size()) - 1;
        const int at = point.step < 0 || point.step > last ? last : point.step;
        if (at <= 0) return std::nullopt;
        left.step = at - 1;
        return left;
    }
    case Level::Tensor: {
        const session::FunctionPtr function = session::function_of(point, snapshot);
        if (!function) return std::nullopt;
        const auto last = static_cast<int>(function->replay.programs.size()) - 1;
        const int at = point.step < 0 || point.step > last ? last : point.step;
        if (at <= 0) return std::nullopt;
        left.step = at - 1;
        return left;
    }
    case Level::OptimizedIr: left.level = Level::Ir; return left;
    case Level::Ir:
    case Level::Assembly: break;
    }
    return std::nullopt;
}

std::string nothing_before(Level level) {
    switch (level) {
    case Level::Graph: return "This is the model as it was imported: no step stands before it.";
    case Level::Tensor: return "This is the program as it was lowered: no step of its schedule stands before it.";
    default:
        return "No step before this one gives text of its kind. Pin another kernel's as the left side (Ctrl+L), or "
               "compare with a second recipe (Ctrl+Shift+O).";
    }
}

/// The same point of another recipe: the step of that name, the function of that name.
Point same_point(const Point& point, const session::Snapshot& from, const session::Snapshot& to) {
    Point out = point;
    if (point.level == Level::Graph) {
        const auto step = session::step_of(point, from);
        if (!step || step == from.steps.back()) return {};
        out.step = -1;
        for (std::size_t i = 0; i < to.steps.size(); ++i)
            if (to.steps[i]->name == step->name) out.step = static_cast<int>(i);
        return out;
    }
    const session::FunctionPtr function = session::function_of(point, from);
    const bool known = function && std::ranges::any_of(to.functions, [&](const session::FunctionPtr& f) {
                           return f->lowered.name == function->lowered.name;
                       });
    out.function = known ? function->lowered.name : std::string();
    if (point.level == Level::Tensor && function && session::function_of(out, to)) {
        // The last step of one is the last of the other, however many there are.
        const auto last = static_cast<int>(function->replay.programs.size()) - 1;
        if (point.step >= last) out.step = -1;
    }
    return out;
}

} // namespace

session::Point point_of_stage(int stage, const std::string& function) {
    if (stage < kTensorStages) return {Level::Graph, stage, {}};
    if (stage < kCodeStages) return {Level::Tensor, stage - kTensorStages, function};
    // Of the backend's own passes, what they did together is compared.
    return {stage == kCodeStages                                  ? Level::Ir
            : stage == kCodeStages + 1 || stage >= kBackendStages ? Level::OptimizedIr
                                                                  : Level::Assembly,
            -1, function};
}

DiffRequest diff_request(const session::SnapshotPtr& snapshot, const ViewOptions& options) {
    DiffRequest request;
    request.left = request.right = snapshot;
    if (!snapshot->has_model()) {
        request.empty_reason = "Open a model: what each step changes appears here.";
        return request;
    }
    const session::FunctionPtr function = shown_function(*snapshot, options.function);
    const std::string name = function ? function->lowered.name : std::string();
    const Point selected = point_of_stage(options.selected_stage, name);
    request.left_point = request.right_point = selected;
    if (options.diff.other) {
        const session::SnapshotPtr& other = options.diff.other;
        request.right = other;
        if (!other->has_model()) {
            request.empty_reason =
                other->problems.empty() ? "Reading " + other->title + "…" : to_string(other->problems.front());
            return request;
        }
        if (options.diff.pinned) request.left_point = *options.diff.pinned;
        request.right_point = same_point(selected, *snapshot, *other);
    } else if (options.diff.pinned) {
        request.left_point = *options.diff.pinned;
    } else if (const auto left = before(selected, *snapshot)) {
        request.left_point = *left;
    } else {
        request.empty_reason = nothing_before(selected.level);
        return request;
    }
    if (options.diff.swapped) {
        std::swap(request.left, request.right);
        std::swap(request.left_point, request.right_point);
    }
    return request;
}

} // namespace orrery::views
