#include "views/model/diff_build.hpp"

#include "core/graph/op.hpp"
#include "views/model/diff_statistics.hpp"
#include "views/model/graph_comparison.hpp"
#include "views/model/json.hpp"
#include "views/model/program_diff.hpp"
#include "views/model/session_views.hpp"
#include "views/model/text_diff.hpp"

#include <algorithm>

// Outline: texts of points; the table of changes; the whole.

namespace orrery::views {
namespace {

using graph::NodeChange;
using session::Level;

Diagnostic cancelled() { return {Code::Cancelled, "cancelled", {}, {}}; }

TextLanguage language_of(Level level) {
    switch (level) {
    case Level::Graph: return TextLanguage::Graph;
    case Level::Tensor: return TextLanguage::Tensor;
    case Level::Ir:
    case Level::OptimizedIr: return TextLanguage::Llvm;
    case Level::Assembly: return TextLanguage::Assembly;
    }
    return TextLanguage::Plain;
}

LineChange line_change(NodeChange change) {
    switch (change) {
    case NodeChange::Same: return LineChange::None;
    case NodeChange::Changed: return LineChange::Changed;
    case NodeChange::Moved: return LineChange::Moved;
    case NodeChange::Removed: return LineChange::Removed;
    case NodeChange::Added: return LineChange::Added;
    }
    return LineChange::None;
}

/// Both texts and the pairs of lines that are certain to belong together.
struct Texts {
    DiffText left, right;
    std::vector<SequencePair> certain;
};

// --------------------------------------------------------------------------------------------- graph

DiffText graph_text(const graph::OpenedText& printed) {
    DiffText text;
    text.language = TextLanguage::Graph;
    for (std::size_t i = 0; i < printed.lines.size(); ++i) {
        DiffLine line;
        line.text = printed.lines[i].text;
        line.origins = printed.lines[i].origin;
        line.structured = printed.nodes[i] >= 0;
        text.lines.push_back(std::move(line));
    }
    return text;
}

std::vector<std::int32_t> lines_of_nodes(const graph::OpenedText& printed, std::size_t nodes) {
    std::vector<std::int32_t> lines(nodes, -1);
    for (std::size_t i = 0; i < printed.nodes.size(); ++i)
        if (printed.nodes[i] >= 0) lines[static_cast<std::size_t>(printed.nodes[i])] = static_cast<std::int32_t>(i);
    return lines;
}

Texts graph_texts(const GraphComparison& c) {
    const graph::OpenedText before = graph::print_opened(c.left->module, c.before),
                            after = graph::print_opened(c.right->module, c.after);
    Texts out{graph_text(before), graph_text(after), {}};
    for (DiffLine& line : out.right.lines) line.origins = c.origins(line.origins);
    const std::vector<std::int32_t> left_line = lines_of_nodes(before, c.before.nodes.size()),
                                    right_line = lines_of_nodes(after, c.after.nodes.size());
    for (std::size_t i = 0; i < left_line.size(); ++i) {
        const std::int32_t j = c.match.after_of[i];
        const std::int32_t l = left_line[i], r = j < 0 ? -1 : right_line[static_cast<std::size_t>(j)];
        if (l < 0 || r < 0) continue;
        DiffLine &a = out.left.lines[static_cast<std::size_t>(l)], &b = out.right.lines[static_cast<std::size_t>(r)];
        a.partner = r, b.partner = l;
        a.known = b.known = line_change(c.match.before[i]);
        if ((c.match.differs[i] & graph::kOrder) == 0)
            out.certain.push_back({static_cast<std::uint32_t>(l), static_cast<std::uint32_t>(r)});
    }
    return out;
}

// -------------------------------------------------------------------------------- tensor programs, code

/// The printed program of a point, with statements to recognize lines by.
tensor::PrintedProgram printed(const session::ScheduledFunction& function, const session::Point& point) {
    const auto& programs = function.replay.programs;
    if (point.step < 0 || static_cast<std::size_t>(point.step) + 1 >= programs.size()) return function.printed;
    return tensor::print_program(programs[static_cast<std::size_t>(point.step)]);
}

/// The listing of a point; null while it is not generated.
const Listing* listing_of(const session::Snapshot& snapshot, const session::Point& point, const std::string& function) {
    const auto it = snapshot.code.find(function);
    if (it == snapshot.code.end()) return nullptr;
    return point.level == Level::Ir            ? &it->second->ir
           : point.level == Level::OptimizedIr ? &it->second->optimized_ir
                                               : &it->second->assembly;
}

DiffText code_text(const Listing& listing, const session::ScheduledFunction& function, Level level) {
    DiffText text;
    text.language = language_of(level);
    const auto& lines = function.printed.lines;
    for (const ListingLine& line : listing.lines) {
        DiffLine out;
        out.text = level == Level::Assembly ? in_columns(line.text) : line.text;
        if (line.tensor_line > 0 && static_cast<std::size_t>(line.tensor_line) <= lines.size())
            out.origins = lines[static_cast<std::size_t>(line.tensor_line) - 1].origin;
        text.lines.push_back(std::move(out));
    }
    return text;
}

// ------------------------------------------------------------------------------------ table of changes

class ChangeTable {
  public:
    ChangeTable(const GraphComparison& c, const DiffRequest& request) : c_(c), reasons_(request) {
        table_.columns = {{"Change", Align::Left, 8}, {"Value", Align::Left, 20}, {"Was", Align::Left, 22},
                          {"Is", Align::Left, 22},    {"What", Align::Left, 22},  {"Why", Align::Left, 0}};
        table_.empty_reason = "The two graphs are the same, up to names.";
    }

    Table run() {
        for (const bool weights : {false, true}) {
            for (std::size_t i = 0; i < c_.before.nodes.size(); ++i)
                if (is_weight(c_.before.nodes[i]) == weights && c_.match.before[i] == NodeChange::Removed) removed(i);
            for (std::size_t j = 0; j < c_.after.nodes.size(); ++j) {
                if (is_weight(c_.after.nodes[j]) != weights) continue;
                if (c_.match.after[j] == NodeChange::Added) added(j);
                if (c_.match.after[j] == NodeChange::Changed || c_.match.after[j] == NodeChange::Moved) kept(j);
            }
        }
        return std::move(table_);
    }

    DiffCounts counts() const {
        DiffCounts n;
        for (std::size_t i = 0; i < c_.before.nodes.size(); ++i)
            if (!is_weight(c_.before.nodes[i])) n.removed += c_.match.before[i] == NodeChange::Removed ? 1 : 0;
        for (std::size_t j = 0; j < c_.after.nodes.size(); ++j) {
            if (is_weight(c_.after.nodes[j])) continue;
            n.added += c_.match.after[j] == NodeChange::Added ? 1 : 0;
            n.changed += c_.match.after[j] == NodeChange::Changed ? 1 : 0;
            n.moved += c_.match.after[j] == NodeChange::Moved ? 1 : 0;
        }
        return n;
    }

  private:
    static bool is_weight(const graph::OpenedNode& node) {
        return node.value && node.value->kind == graph::ExprKind::Constant;
    }
    struct Row {
        NodeChange change;
        std::string value, was, is, what, why, details;
        OriginSet origins;
        bool weight = false;
    };
    void add(Row r) {
        TableRow row;
        row.cells = {{graph::to_string(r.change), static_cast<double>(r.change), -1},
                     {r.value, 0, -1},
                     {r.was, 0, -1},
                     {r.is, 0, -1},
                     {r.what, 0, -1},
                     {r.why, 0, -1}};
        row.origins = r.origins;
        row.tone = r.weight ? Tone::Dim : Tone::Normal;
        row.details = std::string(graph::to_string(r.change)) + " " + r.value;
        for (const std::string* part : {&r.was, &r.is, &r.what, &r.why})
            if (!part->empty()) row.details += "\n" + *part;
        if (!r.details.empty()) row.details += "\n" + r.details;
        table_.rows.push_back(std::move(row));
    }
    void removed(std::size_t i) {
        const graph::OpenedNode& node = c_.before.nodes[i];
        std::string details;
        const std::string why = reasons_.gone(node, details);
        add({NodeChange::Removed, node.var->name, node_text(node), "", "", why, details, node.origin, is_weight(node)});
    }
    void added(std::size_t j) {
        const graph::OpenedNode& node = c_.after.nodes[j];
        std::string details;
        const std::string why = reasons_.came(node, c_.after, details);
        add({NodeChange::Added, node.var->name, "", node_text(node), "", why, details, c_.origins(node.origin),
             is_weight(node)});
    }
    void kept(std::size_t j) {
        const auto i = static_cast<std::size_t>(c_.match.before_of[j]);
        const graph::OpenedNode &was = c_.before.nodes[i], &is = c_.after.nodes[j];
        std::string details;
        std::string why = reasons_.gone(was, details), origin_details;
        const std::string origin = reasons_.came(is, c_.after, origin_details);
        // A rule says more than the name of a step.
        if (why.empty() || (details.empty() && !origin_details.empty())) why = origin, details = origin_details;
        const std::string name = was.var->name == is.var->name ? is.var->name : was.var->name + " → " + is.var->name;
        add({c_.match.after[j], name, node_text(was), node_text(is), difference_text(c_, i), why, details,
             unite(was.origin, c_.origins(is.origin)), is_weight(is)});
    }

    const GraphComparison& c_;
    Reasons reasons_;
    Table table_;
};

// ------------------------------------------------------------------------------------------ the whole

std::string counted(const DiffCounts& n, const char* none) {
    std::string text;
    const auto add = [&](int count, const char* word) {
        if (count > 0) text += (text.empty() ? "" : " · ") + std::to_string(count) + " " + word;
    };
    add(n.added, "added"), add(n.removed, "removed"), add(n.changed, "changed"), add(n.moved, "moved");
    return text.empty() ? none : text;
}

std::string side_title(const session::Snapshot& snapshot, const session::Point& point, bool two) {
    const std::string title = describe(point, snapshot);
    return two ? snapshot.title + " · " + title : title;
}

void lay_out(DiffViewData& data, Texts texts) {
    texts.left.title = data.left_title, texts.right.title = data.right_title;
    texts.left.subject = texts.right.subject = data.left_title + " | " + data.right_title;
    const std::vector<DiffRow> rows = align_lines(texts.left, texts.right, texts.certain);
    AlignedTexts both = lay_side_by_side(texts.left, texts.right, rows);
    data.left = std::move(both.left), data.right = std::move(both.right);
    data.hunks = std::move(both.hunks);
    data.lines = {both.added, both.removed, both.changed, both.moved};
}

Result<void> compare_levels(DiffViewData& data, const DiffRequest& r) {
    const session::FunctionPtr left = session::function_of(r.left_point, *r.left),
                               right = session::function_of(r.right_point, *r.right);
    const bool two = r.left != r.right;
    for (const auto& [function, point, snapshot] :
         {std::tuple(&left, &r.left_point, r.left.get()), {&right, &r.right_point, r.right.get()}})
        if (!*function) {
            data.empty_reason = (two ? snapshot->title + " has" : std::string("This recipe has")) +
                                " no tensor program named " + point->function + ".";
            return {};
        }
    if (r.left_point.level == Level::Tensor) {
        const tensor::PrintedProgram a = printed(*left, r.left_point), b = printed(*right, r.right_point);
        lay_out(data, {diff_text(a), diff_text(b), shared_statements(a, b)});
    } else {
        const Listing *a = listing_of(*r.left, r.left_point, left->lowered.name),
                      *b = listing_of(*r.right, r.right_point, right->lowered.name);
        if (!a || !b) {
            data.empty_reason = "Generating the code of " + (a ? right : left)->lowered.name + "…";
            return {};
        }
        lay_out(data, {code_text(*a, *left, r.left_point.level), code_text(*b, *right, r.right_point.level), {}});
    }
    data.summary = counted(data.lines, "the same") + (data.lines.none() ? "" : " lines");
    data.identical = data.lines.none();
    return {};
}

} // namespace

Result<DiffViewData> build_diff(const DiffRequest& request, const Progress& progress) {
    DiffViewData data;
    if (!request.empty_reason.empty()) {
        data.empty_reason = data.changes.empty_reason = request.empty_reason;
        return data;
    }
    if (!request.left || !request.right || !request.left->has_model() || !request.right->has_model()) return data;
    const bool two = request.left != request.right;
    data.left_title = side_title(*request.left, request.left_point, two);
    data.right_title = side_title(*request.right, request.right_point, two);
    data.graph = request.left_point.level == Level::Graph && request.right_point.level == Level::Graph;
    if (language_of(request.left_point.level) != language_of(request.right_point.level)) {
        data.empty_reason = "A " + data.left_title + " and a " + data.right_title +
                            " are different languages: choose two points of one level.";
        return data;
    }
    if (data.graph) {
        progress.tell("matching the graphs", 0.1);
        const GraphComparison comparison = compare_graphs(request);
        if (progress.cancelled()) return cancelled();
        progress.tell("aligning the texts", 0.4);
        lay_out(data, graph_texts(comparison));
        ChangeTable changes(comparison, request);
        data.operators = changes.counts();
        data.changes = changes.run();
        data.identical = comparison.match.identical();
        data.summary =
            data.operators.none() && !data.identical ? "only weights differ" : counted(data.operators, "the same");
    } else {
        ORRERY_CHECK_OK(compare_levels(data, request));
    }
    if (progress.cancelled()) return cancelled();
    progress.tell("counting the work", 0.6);
    ORRERY_TRY(data.statistics, compare_statistics(request, progress));
    return data;
}

std::string to_text(const DiffViewData& data) {
    if (data.left->line_count() == 0) return data.empty_reason + "\n";
    std::string out = "--- " + data.left_title + "\n+++ " + data.right_title + "\n" + data.summary + "\n";
    const auto line = [&out](char sign, std::string_view text) { (out += sign) += std::string(text) + "\n"; };
    const auto is_near = [&data](int i) { // a change stands within the context
        for (int k = i - kContextLines; k <= i + kContextLines; ++k)
            if (k >= 0 && k < data.left->line_count() &&
                data.left->changes[static_cast<std::size_t>(k)] != LineChange::None)
                return true;
        return false;
    };
    int shown = -1;
    for (int i = 0; i < data.left->line_count(); ++i) {
        const LineChange l = data.left->changes[static_cast<std::size_t>(i)],
                         r = data.right->changes[static_cast<std::size_t>(i)];
        if (l == LineChange::None) {
            const bool near = is_near(i);
            if (!near) continue;
            if (shown >= 0 && shown + 1 < i) out += "@@ " + std::to_string(i - shown - 1) + " lines alike @@\n";
            shown = i;
            line(' ', data.right->line(i));
            continue;
        }
        if (shown >= 0 && shown + 1 < i) out += "@@ " + std::to_string(i - shown - 1) + " lines alike @@\n";
        shown = i;
        if (l == LineChange::Moved && r == LineChange::Moved) {
            line('>', data.right->line(i));
            continue;
        }
        if (l != LineChange::Filler) line(l == LineChange::Moved ? '<' : '-', data.left->line(i));
        if (r != LineChange::Filler) line(r == LineChange::Moved ? '>' : '+', data.right->line(i));
    }
    if (!data.statistics.rows.empty()) out += "\n" + to_text(data.statistics);
    if (data.graph && !data.changes.rows.empty()) out += "\n" + to_text(data.changes);
    return out;
}

std::string to_json(const DiffViewData& data) {
    static constexpr const char* kWords[] = {"same", "added", "removed", "changed", "moved", "filler"};
    Json rows = Json::array();
    for (int i = 0; i < data.left->line_count(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        const LineChange l = data.left->changes[at], r = data.right->changes[at];
        Json row{{"change", kWords[static_cast<std::size_t>(l == LineChange::Filler ? r : l)]}};
        if (l != LineChange::Filler) row["left"] = {{"line", data.left->numbers[at]}, {"text", data.left->line(i)}};
        if (r != LineChange::Filler) row["right"] = {{"line", data.right->numbers[at]}, {"text", data.right->line(i)}};
        rows.push_back(std::move(row));
    }
    const auto counts = [](const DiffCounts& n) {
        return Json{{"added", n.added}, {"removed", n.removed}, {"changed", n.changed}, {"moved", n.moved}};
    };
    Json out{{"view", "diff"}, {"left", data.left_title}, {"right", data.right_title}, {"summary", data.summary}};
    out["identical"] = data.identical;
    if (data.graph) out["operators"] = counts(data.operators);
    out["lines"] = counts(data.lines);
    if (data.left->line_count() == 0) out["empty_reason"] = data.empty_reason;
    out["statistics"] = json_of(data.statistics);
    if (data.graph) out["changes"] = json_of(data.changes);
    out["rows"] = std::move(rows);
    return dump(out);
}

} // namespace orrery::views
