// dump, export: what a view shows, from the same view data, with no display.

#include "app/cli.hpp"
#include "app/named_function.hpp"
#include "app/window_entry.hpp"
#include "core/base/file.hpp"
#include "core/session/history.hpp"
#include "core/session/session.hpp"
#include "core/tuning/tuner.hpp"
#include "views/layout/engine.hpp"
#include "views/model/access_view.hpp"
#include "views/model/diff_build.hpp"
#include "views/model/graph_export.hpp"
#include "views/model/history_view.hpp"
#include "views/model/loop_view.hpp"
#include "views/model/machine_view.hpp"
#include "views/model/measure_view.hpp"
#include "views/model/profile_view.hpp"
#include "views/model/session_views.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace orrery::app {

namespace {

/// Text or JSON of any view data.
template <class Data> std::string form(const Data& data, const std::string& format) {
    return format == "json" ? views::to_json(data) : views::to_text(data);
}

views::GraphOptions graph_options(const std::string& overlay, const std::string& group_by) {
    views::GraphOptions options;
    options.overlay = views::parse_overlay(overlay).value_or(views::Overlay::Latency);
    options.group_repeats = group_by != "none";
    options.group_by = views::parse_group_by(group_by).value_or(views::GroupBy::Blocks);
    return options;
}

Result<views::GraphViewData> graph_data(const session::Snapshot& snapshot, const std::string& after,
                                        const views::GraphOptions& options) {
    if (!snapshot.has_model()) return snapshot.problems.front();
    ORRERY_TRY(const std::size_t step, find_step(snapshot.steps, after));
    layout::LayoutEngine engine;
    views::CostBook costs;
    return views::build_graph_view(views::describe_graph(snapshot, static_cast<int>(step), {options.group_by, &costs}),
                                   options, engine, {});
}

/// The last step that changed something against the one before it.
Result<std::string> diff_text(const session::SnapshotPtr& snapshot, const std::string& format) {
    views::DiffRequest request{snapshot, snapshot, {}, {}, {}};
    for (std::size_t i = 1; i < snapshot->steps.size(); ++i)
        if (snapshot->steps[i]->changed) request.right_point.step = static_cast<int>(i);
    request.left_point.step = std::max(0, request.right_point.step - 1);
    ORRERY_TRY(const views::DiffViewData data, views::build_diff(request, {}));
    return form(data, format);
}

Result<std::string> history_text(const session::Snapshot& snapshot, const std::string& name,
                                 const std::string& format) {
    if (!snapshot.has_model() || name.empty()) return form(views::HistoryViewData{}, format);
    const std::size_t last = snapshot.steps.size() - 1;
    const graph::Var value = session::find_value(snapshot.steps[last]->module, name);
    if (!value) return Diagnostic{Code::UnknownName, "there is no value named " + name, {}, "see --view graph"};
    ORRERY_TRY(const session::ValueHistory history, session::history_of(snapshot, last, value));
    return form(views::build_history(snapshot, history), format);
}

Result<std::string> view_text(const session::SnapshotPtr& picture, const DumpArguments& a) {
    const session::Snapshot& snapshot = *picture;
    views::ViewOptions options;
    options.function = a.function;
    if (a.view == "stages") return form(views::build_stages(snapshot, options), a.format);
    if (a.view == "graph" || a.view == "operators") {
        ORRERY_TRY(const views::GraphViewData data,
                   graph_data(snapshot, a.after, graph_options(a.overlay, a.group_by)));
        if (a.view == "graph") return form(data, a.format);
        return form(data.table, a.format);
    }
    if (a.view == "script") return form(views::build_script(snapshot), a.format);
    if (a.view == "edit") {
        ORRERY_TRY(const std::size_t step, find_step(snapshot.steps, a.after));
        options.graph_step = static_cast<int>(step);
        return form(views::build_edit(snapshot, options), a.format);
    }
    const views::TextViewData tensor = views::build_tensor(snapshot, options);
    if (a.view == "tensor") return form(tensor, a.format);
    if (a.view == "llvm") return form(views::build_code(snapshot, options, views::CodeView::Llvm, tensor), a.format);
    if (a.view == "asm") return form(views::build_code(snapshot, options, views::CodeView::Assembly, tensor), a.format);
    options.access = {a.view == "access", a.value, {}};
    if (a.view == "access") return form(views::build_access(snapshot, options), a.format);
    options.schedule = {a.view == "menu" ? a.value : "", a.view == "preview" ? a.value : "", {}};
    if (a.view == "loops") return form(views::build_loops(snapshot, options), a.format);
    if (a.view == "menu") return form(views::build_menu(snapshot, options), a.format);
    if (a.view == "preview") return form(views::build_preview(snapshot, options), a.format);
    if (a.view == "machine") return form(views::build_machine(snapshot, options), a.format);
    if (a.view == "measure") return form(views::build_measure(snapshot, options), a.format);
    if (a.view == "inspector") {
        // What is inspected without a selection is the function shown.
        if (const session::FunctionPtr function = views::shown_function(snapshot, a.function))
            options.selection.origins = function->lowered.origin;
        return form(views::build_inspector(snapshot, options), a.format);
    }
    if (a.view == "problems") return form(views::build_problems(snapshot.problems), a.format);
    if (a.view == "memory") return form(views::build_memory(snapshot), a.format);
    if (a.view == "profile") return form(views::build_profile(snapshot), a.format);
    if (a.view == "tune") return form(views::build_tune(snapshot, views::TuneOptions{.on = true}), a.format);
    if (a.view == "run") return form(views::build_run(snapshot), a.format);
    if (a.view == "start") return form(views::build_start(), a.format);
    if (a.view == "diff") return diff_text(picture, a.format);
    if (a.view == "history") return history_text(snapshot, a.value, a.format);
    if (a.view == "statistics") { return form(views::build_statistics(snapshot, {}), a.format); }
    return Diagnostic{Code::UnknownName,
                      "there is no view named " + a.view,
                      {},
                      "stages, graph, operators, tensor, loops, menu, preview, llvm, asm, machine, access, "
                      "measure, profile, tune, inspector, "
                      "problems, memory, run, script, "
                      "edit, start, diff, "
                      "history, statistics"};
}

/// As much as a dump has patience for.
tuning::TunerOptions short_tuning() {
    tuning::TunerOptions options;
    options.trials = 8;
    options.threads = 0;
    return options;
}

/// The picture of a session after everything the view needs is done.
Result<session::SnapshotPtr> picture_for(const ModelArguments& a, const std::string& view, const std::string& overlay,
                                         const std::string& shown) {
    const auto compiler = make_compiler(a);
    ORRERY_TRY(const session::Recipe recipe, make_shown_recipe(a, *compiler));
    session::Session session(compiler);
    session.open_recipe(recipe);
    session.wait_idle();
    if (view == "llvm" || view == "asm" || view == "machine" || view == "stages") {
        const session::FunctionPtr function = views::shown_function(*session.snapshot(), shown);
        if (function) session.want_code(function->lowered.name);
    }
    if (view == "measure")
        if (const session::FunctionPtr function = views::shown_function(*session.snapshot(), shown))
            session.want_measurements(function->lowered.name);
    if (view == "run" || overlay == "latency") session.run(a.seed);
    if (view == "tune") session.tune(short_tuning());
    if (view == "profile") session.profile(a.seed);
    session.wait_idle();
    if (overlay == "error") session.check(a.seed);
    session.wait_idle();
    return session.snapshot();
}

Result<std::string> export_content(const ExportArguments& a, const std::string& format,
                                   const session::Snapshot& snapshot) {
    views::GraphOptions options = graph_options(a.overlay, a.group_by.empty() ? "blocks" : a.group_by);
    if (a.open) options.groups = views::GroupState::Open;
    ORRERY_TRY(const views::GraphViewData data, graph_data(snapshot, a.after, options));
    const bool heat = !a.overlay.empty();
    if (format == "csv") return views::to_csv(data.table);
    if (format == "dot") return views::to_dot(data);
    if (format == "svg") return views::to_svg(data, {a.theme == "dark", heat});
    return graph_png(data, heat, a.scale, a.theme == "dark");
}

Result<void> do_export(const ExportArguments& a) {
    std::string format = a.format;
    if (format.empty()) {
        format = std::filesystem::path(a.output).extension().string();
        if (!format.empty()) format.erase(0, 1);
    }
    if (format != "svg" && format != "png" && format != "dot" && format != "csv")
        return Diagnostic{Code::BadArgument,
                          "\"" + a.output + "\" does not say what to write",
                          {},
                          "give --format svg, png, dot or csv, or end the file in one of them"};
    if (a.view == "operators" && format != "csv")
        return Diagnostic{Code::BadArgument, "operators are written as csv", {}, "leave out --view for a picture"};
    ORRERY_TRY(const session::SnapshotPtr picture, picture_for(a, "graph", a.overlay, ""));
    ORRERY_TRY(const std::string content, export_content(a, format, *picture));
    return write_file(a.output, content);
}

} // namespace

int command_export(const ExportArguments& a) {
    const Result<void> done = do_export(a);
    if (!done) return fail(done.error(), a.json);
    std::printf("%s\n", a.output.c_str());
    return kDone;
}

int command_dump(const DumpArguments& given) {
    DumpArguments a = given;
    if (a.json) a.format = "json";
    const Result<session::SnapshotPtr> picture = picture_for(a, a.view, a.overlay, a.function);
    if (!picture) return fail(picture.error(), a.format == "json");
    // A view shows the costliest function when none is asked for; one that is asked for must be there.
    if (!a.function.empty() && !(*picture)->functions.empty())
        if (const auto function = named_function((*picture)->functions, a.function); !function)
            return fail(function.error(), a.format == "json");
    const Result<std::string> text = view_text(*picture, a);
    if (!text) return fail(text.error(), a.format == "json");
    std::fwrite(text->data(), 1, text->size(), stdout);
    if (!text->empty() && text->back() != '\n') std::printf("\n");
    // A view of a model that failed is what there is to see; standard error and the exit status still say so.
    return a.view != "problems" && !(*picture)->problems.empty() ? fail((*picture)->problems.front(), false) : kDone;
}

} // namespace orrery::app
