// The script of a session, and the text of a step.

#include "core/graph/text.hpp"
#include "core/session/recipe_arguments.hpp"
#include "views/model/json.hpp"
#include "views/model/session_views.hpp"

#include <algorithm>
#include <cstdlib>

namespace orrery::views {

namespace {

/// One line of what may be many.
std::string first_line(const std::string& text) {
    const std::size_t end = text.find('\n');
    return end == std::string::npos ? text : text.substr(0, end) + " …";
}

} // namespace

ScriptViewData build_script(const session::Snapshot& snapshot, CommandBook* book) {
    ScriptViewData data;
    data.table.columns = {{"Step", Align::Right, 5}, {"Action", Align::Left, 34}, {"Command line", Align::Left, 0}};
    data.table.empty_reason =
        "What you do to the passes is listed here, each step as a command line that does the same.";
    if (!snapshot.has_model()) return data;
    const session::History& history = *snapshot.history;
    session::Recipe fresh;
    fresh.target = snapshot.host;
    CommandBook known;
    if (book != nullptr) known.swap(*book);
    CommandBook now;
    for (std::size_t i = 0; i < history.entries.size(); ++i) {
        const std::shared_ptr<const session::Recipe>& recipe = history.entries[i].recipe;
        // Most stand where they stood.
        auto found = i < known.size() && known[i].first == recipe
                         ? known.begin() + static_cast<std::ptrdiff_t>(i)
                         : std::ranges::find(known, recipe, &CommandBook::value_type::first);
        now.emplace_back(recipe, found != known.end() ? found->second : session::command_line(*recipe, fresh, "run"));
        const std::string& command = now.back().second;
        TableRow row;
        row.cells = {{std::to_string(i), static_cast<double>(i), -1},
                     {history.entries[i].label, 0, -1},
                     {first_line(command), 0, -1}};
        row.details = command;
        row.tone = i > history.current ? Tone::Dim : Tone::Normal;
        data.table.rows.push_back(std::move(row));
    }
    data.current = static_cast<int>(history.current);
    data.command = history.current < now.size() ? now[history.current].second
                                                : session::command_line(snapshot.recipe, fresh, "run");
    if (book != nullptr) *book = std::move(now);
    return data;
}

namespace {

/// Which definitions stand on which lines: a scratchpad's sources say so in their types.
std::vector<EditLink> links_of(const session::Snapshot& snapshot) {
    std::vector<EditLink> links;
    if (!snapshot.has_model()) return links;
    const std::vector<graph::Source>& sources = *snapshot.steps.front()->module.sources;
    constexpr std::string_view kLine = "line ";
    for (std::size_t i = 0; i < sources.size(); ++i) {
        if (!sources[i].op_type.starts_with(kLine)) continue;
        const int line = std::atoi(sources[i].op_type.c_str() + kLine.size());
        links.push_back({line, OriginSet(static_cast<SourceId>(i))});
    }
    return links;
}

/// The text itself, broken or not; the panes beside it show the last one that was whole.
EditViewData edit_scratch(const session::Snapshot& snapshot) {
    EditViewData data;
    data.stage = 0;
    data.title = "tensor program";
    data.text = snapshot.recipe.scratch;
    data.live = true;
    const auto& entries = snapshot.history->entries;
    data.opened = entries.empty() ? data.text : entries.front().recipe->scratch;
    data.links = links_of(snapshot);
    for (const Diagnostic& problem : snapshot.problems)
        for (const Location& place : problem.locations)
            if (const auto* at = std::get_if<TextPosition>(&place); at && data.error_line == 0) {
                data.error_line = at->line, data.error_column = at->column;
                data.error = problem.message + (problem.hint.empty() ? "" : "; " + problem.hint);
            }
    return data;
}

} // namespace

EditViewData build_edit(const session::Snapshot& snapshot, const ViewOptions& options) {
    if (!snapshot.recipe.scratch.empty() && options.graph_step <= 0) return edit_scratch(snapshot);
    EditViewData data;
    const auto step = shown_step(snapshot, options.graph_step);
    if (!step) return data;
    const int last = static_cast<int>(snapshot.steps.size()) - 1;
    data.stage = options.graph_step < 0 || options.graph_step > last ? last : options.graph_step;
    data.title = step->name == "import" ? "as imported" : "after " + step->name;
    const auto pass = static_cast<std::size_t>(data.stage) - 1;
    if (data.stage > 0 && pass < snapshot.recipe.passes.size() && snapshot.recipe.passes[pass].name == "HandEdit") {
        const auto& own = snapshot.recipe.passes[pass].options;
        if (const auto text = own.find("text"); text != own.end()) data.text = text->second;
        data.is_edit = true;
        data.title = "your edit";
    }
    if (step->error) {
        data.error = to_string(*step->error);
        for (const Location& place : step->error->locations)
            if (const auto* at = std::get_if<TextPosition>(&place))
                data.error_line = at->line, data.error_column = at->column;
    }
    if (data.text.empty()) data.text = graph::to_string(step->module);
    return data;
}

void tint_links(EditViewData& edit, const TextViewData& tensor) {
    for (EditLink& link : edit.links)
        for (const LineLink& line : tensor.links) // the last block: what was taken out of a definition stands before it
            if (line.tint >= 0 && line.origins == link.origins) link.tint = line.tint;
}

std::string to_text(const ScriptViewData& data) {
    if (data.table.rows.empty()) return data.table.empty_reason + "\n";
    std::string out;
    for (std::size_t i = 0; i < data.table.rows.size(); ++i) {
        const TableRow& row = data.table.rows[i];
        out += (static_cast<int>(i) == data.current ? "> " : "  ") + row.cells[1].text + "\n    " + row.details + "\n";
    }
    return out;
}

std::string to_json(const ScriptViewData& data) {
    Json entries = Json::array();
    for (const TableRow& row : data.table.rows)
        entries.push_back(Json{{"action", row.cells[1].text}, {"command", row.details}});
    return dump(Json{{"view", "script"}, {"entries", std::move(entries)}, {"current", data.current}});
}

std::string to_text(const EditViewData& data) {
    if (data.stage < 0) return data.empty_reason + "\n";
    std::string out = "# " + data.title + "\n";
    if (!data.error.empty()) out += "# line " + std::to_string(data.error_line) + ": " + data.error + "\n";
    return out + data.text;
}

std::string to_json(const EditViewData& data) {
    return dump(Json{{"view", "edit"},
                     {"stage", data.stage},
                     {"title", data.title},
                     {"text", data.text},
                     {"is_edit", data.is_edit},
                     {"live", data.live},
                     {"error_line", data.error_line},
                     {"error", data.error}});
}

} // namespace orrery::views
