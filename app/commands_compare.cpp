// diff and history: points of recipes compared, one value followed, with no display.

#include "app/cli.hpp"
#include "core/base/file.hpp"
#include "core/session/history.hpp"
#include "core/session/scratch.hpp"
#include "views/layout/engine.hpp"
#include "views/model/diff_build.hpp"
#include "views/model/diff_html.hpp"
#include "views/model/history_view.hpp"
#include "views/model/session_views.hpp"
#include "views/model/sides_view.hpp"

#include <algorithm>
#include <cstdio>

namespace orrery::app {

namespace {

Result<void> add_code(session::Snapshot& snapshot, session::Compiler& compiler, const session::Point& point) {
    if (point.level < session::Level::Ir) return {};
    const session::FunctionPtr function = session::function_of(point, snapshot);
    if (!function) return {};
    ORRERY_TRY(auto code, compiler.code(snapshot.recipe, function));
    snapshot.code[function->lowered.name] = std::move(code);
    return {};
}

/// "A..B", "A" for A against the last point, "..B"; nothing for the first against the last.
Result<std::pair<session::Point, session::Point>> parse_range(const std::string& text, const session::Snapshot& left,
                                                              const session::Snapshot& right) {
    const std::size_t dots = text.find("..");
    std::string from = text.substr(0, dots);
    std::string to = dots == std::string::npos ? (&left == &right ? "" : from) : text.substr(dots + 2);
    if (from.empty()) from = &left == &right ? "import" : "last";
    if (to.empty()) to = "last";
    ORRERY_TRY(const session::Point a, session::parse_point(from, left));
    ORRERY_TRY(const session::Point b, session::parse_point(to, right));
    return std::pair(a, b);
}

Result<std::string> diff_text(const DiffArguments& a) {
    const auto compiler = make_compiler(a);
    ORRERY_TRY(const session::Recipe recipe, make_recipe(a, *compiler));
    ORRERY_TRY(const std::shared_ptr<session::Snapshot> left, snapshot_of(recipe, *compiler));
    std::shared_ptr<session::Snapshot> right = left;
    const bool varied = !a.other.empty() || !a.other_target.empty() || !a.other_rule.empty() || a.other_level >= 0;
    if (varied) {
        ModelArguments other = a;
        if (!a.other.empty()) other.model = a.other;
        if (!a.other_target.empty()) other.target = a.other_target;
        if (!a.other_rule.empty()) other.rule = a.other_rule;
        if (a.other_level >= 0) other.edits.level = a.other_level;
        ORRERY_TRY(const session::Recipe second, make_recipe(other, *compiler));
        ORRERY_TRY(right, snapshot_of(second, *compiler));
    }
    ORRERY_TRY(const auto points, parse_range(a.at, *left, *right));
    views::DiffRequest request{left, right, points.first, points.second, {}};
    ORRERY_CHECK_OK(add_code(*left, *compiler, request.left_point));
    ORRERY_CHECK_OK(add_code(*right, *compiler, request.right_point));
    ORRERY_TRY(const views::DiffViewData data, views::build_diff(request, {}));
    if (data.left->line_count() == 0) return Diagnostic{Code::BadArgument, data.empty_reason, {}, {}};
    if (a.format == "json") return views::to_json(data);
    if (a.format == "text") return views::to_text(data);
    if (!data.graph) return views::to_html(data);
    layout::LayoutEngine engine;
    ORRERY_TRY(const views::GraphViewData graph,
               views::build_graph_view(views::describe_diff(request), {}, engine, {}));
    return views::to_html(data, &graph);
}

/// What the Compare layout shows.
Result<views::SidesViewData> sides_of(const std::vector<session::SnapshotPtr>& snapshots) {
    views::SidesViewData data;
    layout::LayoutEngine engine;
    views::CostBook costs;
    views::GraphOptions options;
    options.groups = views::GroupState::Open;
    std::vector<views::ComparedStep> columns;
    for (std::size_t i = 0; i < snapshots.size(); ++i) {
        const session::Snapshot &first = *snapshots.front(), &other = *snapshots[i];
        const session::SourceMap origins =
            session::map_sources(first.steps.front()->module, other.steps.front()->module);
        const views::GraphDescription description =
            views::describe_side({first, other, -1, static_cast<int>(i)}, origins, {options.group_by, &costs});
        ORRERY_TRY(views::GraphViewData graph, views::build_graph_view(description, options, engine, {}));
        data.sides.push_back({other.title,
                              views::target_title(other.recipe),
                              {},
                              std::make_shared<const views::GraphViewData>(std::move(graph))});
        columns.push_back({snapshots[i]});
    }
    ORRERY_TRY(data.figures, views::compare_figures(columns, {}));
    data.summary = std::to_string(snapshots.size()) + " recipes, after their last passes";
    return data;
}

Result<std::string> compare_text(const CompareArguments& a) {
    const auto compiler = make_compiler(a);
    std::vector<session::SnapshotPtr> snapshots;
    std::vector<std::string> names{a.model};
    names.insert(names.end(), a.others.begin(), a.others.end());
    for (const std::string& name : names) {
        ModelArguments each = a;
        each.model = name;
        ORRERY_TRY(const session::Recipe recipe, make_recipe(each, *compiler));
        ORRERY_TRY(const std::shared_ptr<session::Snapshot> snapshot, snapshot_of(recipe, *compiler));
        if (!snapshot->problems.empty()) return snapshot->problems.front();
        snapshots.push_back(snapshot);
    }
    if (a.graphs) {
        ORRERY_TRY(const views::SidesViewData data, sides_of(snapshots));
        return a.json ? views::to_json(data) : views::to_text(data);
    }
    std::vector<views::ComparedStep> columns;
    for (const session::SnapshotPtr& snapshot : snapshots) columns.push_back({snapshot});
    ORRERY_TRY(const views::Table table, views::compare_figures(columns, {}));
    return a.json ? views::to_json(table) : views::to_text(table);
}

Result<std::string> history_text(const HistoryArguments& a) {
    const auto compiler = make_compiler(a);
    ORRERY_TRY(const session::Recipe recipe, make_recipe(a, *compiler));
    ORRERY_TRY(const std::shared_ptr<session::Snapshot> snapshot, snapshot_of(recipe, *compiler));
    ORRERY_TRY(const session::Point point, session::parse_point(a.at, *snapshot));
    const auto step = session::step_of(point, *snapshot);
    if (!step) return Diagnostic{Code::BadArgument, "a value is named at a step of the graph, not below it", {}, {}};
    const graph::Var value = session::find_value(step->module, a.value);
    if (!value)
        return Diagnostic{Code::UnknownName,
                          "there is no value named " + a.value + " " + session::describe(point, *snapshot),
                          {},
                          "orrery show MODEL --after " + step->name + " lists them"};
    const auto index = std::ranges::find(snapshot->steps, step) - snapshot->steps.begin();
    ORRERY_TRY(const session::ValueHistory history,
               session::history_of(*snapshot, static_cast<std::size_t>(index), value));
    const views::HistoryViewData data = views::build_history(*snapshot, history);
    return a.json ? views::to_json(data) : views::to_text(data);
}

int finish(const Result<std::string>& text, const std::string& output, bool json) {
    if (!text) return fail(text.error(), json);
    if (output.empty()) {
        std::fwrite(text->data(), 1, text->size(), stdout);
        return kDone;
    }
    if (const Result<void> written = write_file(output, *text); !written) return fail(written.error(), json);
    std::printf("%s\n", output.c_str());
    return kDone;
}

} // namespace

Result<std::shared_ptr<session::Snapshot>> snapshot_of(const session::Recipe& recipe, session::Compiler& compiler) {
    auto snapshot = std::make_shared<session::Snapshot>();
    snapshot->recipe = recipe;
    snapshot->title = session::title_of(recipe);
    ORRERY_TRY(snapshot->steps, compiler.graph_steps(recipe, {}));
    if (snapshot->steps.back()->error) {
        snapshot->problems.push_back(*snapshot->steps.back()->error);
        return snapshot; // the steps before it can still be looked at
    }
    Result<session::Compiler::Functions> functions = compiler.functions(recipe, snapshot->steps.back()->module, {});
    if (!functions) {
        snapshot->problems.push_back(functions.error());
        return snapshot;
    }
    snapshot->lowered = functions->model;
    snapshot->functions = functions->functions;
    return snapshot;
}

int command_diff(const DiffArguments& a) { return finish(diff_text(a), a.output, a.format == "json"); }

int command_compare(const CompareArguments& a) { return finish(compare_text(a), {}, a.json); }

int command_history(const HistoryArguments& a) { return finish(history_text(a), {}, a.json); }

} // namespace orrery::app
