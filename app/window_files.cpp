// The workbench's part in files: views, code and comparisons written in the background.

#include "app/window_session.hpp"

#include "core/base/file.hpp"
#include "core/session/export_code.hpp"
#include "views/model/diff_html.hpp"
#include "views/model/graph_export.hpp"

namespace orrery::app {

void SessionWorkbench::export_diff(const std::string& path) {
    const auto extension = std::filesystem::path(path).extension();
    // The window's own comparison and picture, as they are shown.
    write_in_background(path, [diff = screen_->diff, graph = screen_->graph, extension]() -> Result<std::string> {
        if (diff->left->line_count() == 0)
            return Diagnostic{Code::BadArgument, "there is no comparison to export: " + diff->empty_reason, {}, {}};
        if (extension == ".json") return views::to_json(*diff);
        if (extension == ".txt") return views::to_text(*diff);
        return views::to_html(*diff, diff->graph ? graph.get() : nullptr);
    });
}

void SessionWorkbench::export_view(const std::string& path) {
    const auto extension = std::filesystem::path(path).extension();
    write_in_background(path, [graph = screen_->graph, extension, heat = options_.heat]() -> Result<std::string> {
        if (extension == ".csv") return views::to_csv(graph->table);
        if (extension == ".dot") return views::to_dot(*graph);
        return views::to_svg(*graph, {false, heat});
    });
}

void SessionWorkbench::export_code(const std::string& path) {
    if (!snapshot_->has_model()) return;
    const Result<EmitKind> kind = session::emit_kind_of(path);
    if (!kind) return session_->report(kind.error());
    write_in_background(path, [kind = *kind, snapshot = snapshot_, compiler = compiler_]() -> Result<std::string> {
        if (const auto& failed = snapshot->steps.back()->error) return *failed;
        return session::export_code(*compiler, snapshot->recipe, snapshot->final_module(), kind);
    });
}

void SessionWorkbench::write_in_background(const std::string& path, std::function<Result<std::string>()> make) {
    if (!exporting_.empty()) return;
    exporting_ = std::filesystem::path(path).filename().string();
    request();
    export_ = std::jthread([this, path, make = std::move(make)] {
        std::optional<Diagnostic> problem;
        if (auto bytes = make(); !bytes)
            problem = bytes.error();
        else if (auto written = write_file(path, *bytes); !written)
            problem = written.error();
        QMetaObject::invokeMethod(
            this,
            [this, problem, path] {
                exporting_.clear();
                problem ? session_->report(*problem) : Q_EMIT told(tr("Wrote %1").arg(QString::fromStdString(path)));
                request();
            },
            Qt::QueuedConnection);
    });
}

} // namespace orrery::app
