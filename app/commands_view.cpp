// dump: what a view shows, from the same view data, with no display.

#include "app/cli.hpp"
#include "core/session/session.hpp"
#include "views/layout/engine.hpp"
#include "views/model/session_views.hpp"

#include <cstdio>

namespace orrery::app {

namespace {

/// Text or JSON of any view data.
template <class Data> std::string form(const Data& data, const std::string& format) {
    return format == "json" ? views::to_json(data) : views::to_text(data);
}

Result<std::string> graph_text(const session::Snapshot& snapshot, const std::string& format) {
    layout::LayoutEngine engine;
    ORRERY_TRY(const views::GraphViewData data,
               views::build_graph_view(views::describe_graph(snapshot, -1), {}, engine, {}));
    return form(data, format);
}

Result<std::string> view_text(const session::Snapshot& snapshot, const DumpArguments& a) {
    views::ViewOptions options;
    options.function = a.function;
    if (a.view == "stages") return form(views::build_stages(snapshot, options), a.format);
    if (a.view == "graph") return graph_text(snapshot, a.format);
    const views::TextViewData tensor = views::build_tensor(snapshot, options);
    if (a.view == "tensor") return form(tensor, a.format);
    if (a.view == "llvm") return form(views::build_code(snapshot, options, views::CodeView::Llvm, tensor), a.format);
    if (a.view == "asm") return form(views::build_code(snapshot, options, views::CodeView::Assembly, tensor), a.format);
    if (a.view == "inspector") {
        // What is inspected without a selection is the function shown.
        if (const session::FunctionPtr function = views::shown_function(snapshot, a.function))
            options.selection.origins = function->lowered.origin;
        return form(views::build_inspector(snapshot, options), a.format);
    }
    if (a.view == "problems") return form(views::build_problems(snapshot.problems), a.format);
    if (a.view == "memory") return form(views::build_memory(snapshot), a.format);
    if (a.view == "run") return form(views::build_run(snapshot), a.format);
    if (a.view == "start") return form(views::build_start(), a.format);
    return Diagnostic{Code::UnknownName,
                      "there is no view named " + a.view,
                      {},
                      "stages, graph, tensor, llvm, asm, inspector, problems, memory, run, start"};
}

/// The picture of a session after everything the view needs is done.
Result<session::SnapshotPtr> picture_for(const DumpArguments& a) {
    const auto compiler = make_compiler(a);
    ORRERY_TRY(const session::Recipe recipe, make_recipe(a, *compiler));
    session::Session session(compiler);
    session.open_recipe(recipe);
    session.wait_idle();
    if (a.view == "llvm" || a.view == "asm") {
        const session::FunctionPtr function = views::shown_function(*session.snapshot(), a.function);
        if (function) session.want_code(function->lowered.name);
    }
    if (a.view == "run") session.run(a.seed);
    session.wait_idle();
    return session.snapshot();
}

} // namespace

int command_dump(const DumpArguments& a) {
    const Result<session::SnapshotPtr> picture = picture_for(a);
    if (!picture) return fail(picture.error(), a.format == "json");
    const Result<std::string> text = view_text(**picture, a);
    if (!text) return fail(text.error(), a.format == "json");
    std::printf("%s", text->c_str());
    if (!text->empty() && text->back() != '\n') std::printf("\n");
    // A view of a model that failed is what there is to see; the exit status still says so.
    return a.view != "problems" && !(*picture)->problems.empty()
               ? fail((*picture)->problems.front(), a.format == "json")
               : kDone;
}

} // namespace orrery::app
