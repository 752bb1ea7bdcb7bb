#include "views/model/loop_view.hpp"

#include "core/schedule/knobs.hpp"
#include "core/session/schedule_edit.hpp"
#include "core/tensor/text.hpp"
#include "core/tensor/visitor.hpp"
#include "views/model/session_views.hpp"

#include <algorithm>
#include <unordered_map>

// Outline: the tree; the trace; selection and dragging.

namespace orrery::views {

namespace {

using tensor::as;
using tensor::Stmt;

// ------------------------------------------------------------------------------------------ the tree

/// For each loop's variable, what blocks do along it.
class Axes final : public tensor::Visitor {
  public:
    std::unordered_map<const tensor::Var*, LoopAxis> of;

  protected:
    void visit_node(const tensor::Block& node) override {
        for (const tensor::BlockIter& iter : node.fields.iters) {
            now_ = iter.kind == tensor::IterKind::Reduce ? LoopAxis::Reduction : LoopAxis::Spatial;
            visit(iter.binding);
            now_ = LoopAxis::None;
        }
        if (node.fields.body) visit(node.fields.body);
    }
    void visit_node(const tensor::Var& node) override {
        if (now_ == LoopAxis::None) return;
        const auto [entry, fresh] = of.try_emplace(&node, now_);
        if (!fresh && entry->second != now_) entry->second = LoopAxis::Mixed;
    }

  private:
    LoopAxis now_ = LoopAxis::None;
};

/// The first block at or below a statement; null when there is none.
class FirstBlock final : public tensor::Visitor {
  public:
    const tensor::Block* found = nullptr;

  protected:
    void visit_node(const tensor::Block& node) override {
        if (found == nullptr) found = &node;
    }
};

std::string joined(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts) text += (text.empty() ? "" : " · ") + part;
    return text;
}

void add_annotations(std::vector<std::string>& facts, const tensor::Annotations& annotations) {
    for (const auto& [key, value] : annotations) facts.push_back("@" + key + (value.empty() ? "" : "=" + value));
}

const char* axis_name(LoopAxis axis) {
    switch (axis) {
    case LoopAxis::None: return "";
    case LoopAxis::Spatial: return "spatial";
    case LoopAxis::Reduction: return "reduction";
    case LoopAxis::Mixed: return "spatial and reduction";
    }
    return "";
}

class Tree {
  public:
    Tree(const tensor::Program& program, const tensor::PrintedProgram& printed) : printed_(printed) {
        axes_.visit(program->body);
        walk(program->body, {});
    }
    std::vector<LoopRow> rows;

  private:
    struct Around {
        int depth = 0, parent = -1;
        int nest = -1; ///< of the loop that holds nothing but this statement
    };

    LoopRow& add(const Stmt& stmt, LoopRowKind kind, const Around& around) {
        LoopRow row;
        row.row = kind, row.depth = around.depth, row.parent = around.parent;
        row.origins = stmt->origin;
        if (const auto line = printed_.line_of.find(stmt.get()); line != printed_.line_of.end()) {
            row.first_line = row.last_line = line->second;
            const auto depth = [&](int at) { return printed_.lines[static_cast<std::size_t>(at) - 1].depth; };
            const int lines = static_cast<int>(printed_.lines.size());
            while (row.last_line < lines && depth(row.last_line + 1) > depth(line->second)) ++row.last_line;
            if (row.last_line > line->second && row.last_line < lines) ++row.last_line; // the closing brace
        }
        return rows.emplace_back(std::move(row));
    }

    void add_loop(const Stmt& stmt, const tensor::For& loop, const Around& around) {
        LoopRow& row = add(stmt, LoopRowKind::Loop, around);
        row.kind = static_cast<LoopStyle>(loop.loop), row.name = loop.var->name,
        row.extent = tensor::to_string(loop.extent);
        row.nest = around.nest >= 0 ? around.nest : nests_++;
        if (const auto axis = axes_.of.find(loop.var.get()); axis != axes_.of.end()) row.axis = axis->second;
        FirstBlock first;
        first.visit(loop.body);
        if (first.found != nullptr) row.place = first.found->fields.name + "." + loop.var->name;
        std::vector<std::string> facts;
        if (loop.loop != tensor::LoopKind::Serial) facts.emplace_back(loop_kind_name(row.kind));
        if (row.axis != LoopAxis::None) facts.emplace_back(axis_name(row.axis));
        add_annotations(facts, loop.annotations);
        row.facts = joined(facts);
        walk(loop.body, {around.depth + 1, last(), row.nest});
    }

    void add_block(const Stmt& stmt, const tensor::Block& block, const Around& around) {
        LoopRow& row = add(stmt, LoopRowKind::Block, around);
        row.name = row.place = block.fields.name;
        std::vector<std::string> facts;
        std::string reduced;
        for (const tensor::BlockIter& iter : block.fields.iters)
            if (iter.kind == tensor::IterKind::Reduce) reduced += (reduced.empty() ? "" : ", ") + iter.var->name;
        if (!reduced.empty()) facts.push_back("reduces " + reduced);
        if (block.fields.predicate) facts.push_back("where " + tensor::to_string(block.fields.predicate));
        add_annotations(facts, block.fields.annotations);
        row.facts = joined(facts);
        walk(block.fields.body, {around.depth + 1, last(), -1});
    }

    void walk(const Stmt& stmt, const Around& around) {
        if (!stmt) return;
        if (const auto* loop = as<tensor::For>(stmt)) return add_loop(stmt, *loop, around);
        if (const auto* block = as<tensor::Block>(stmt)) return add_block(stmt, *block, around);
        const Around beside{around.depth, around.parent, -1};
        if (const auto* seq = as<tensor::Seq>(stmt)) {
            for (const Stmt& one : seq->stmts) walk(one, beside);
        } else if (const auto* let = as<tensor::Let>(stmt)) {
            walk(let->body, beside);
        } else if (const auto* alloc = as<tensor::Alloc>(stmt)) {
            LoopRow& row = add(stmt, LoopRowKind::Buffer, around);
            row.name = alloc->buffer->name;
            row.extent = std::string(to_string(alloc->buffer->dtype)) + "[";
            for (const tensor::Expr& extent : alloc->buffer->shape)
                row.extent += (row.extent.back() == '[' ? "" : ",") + tensor::to_string(extent);
            row.extent += "]";
            constexpr const char* kScopes[] = {"in memory", "on the stack", "in registers"};
            row.facts = kScopes[static_cast<std::size_t>(alloc->buffer->scope)];
            walk(alloc->body, beside);
        } else if (const auto* branch = as<tensor::If>(stmt)) {
            LoopRow& row = add(stmt, LoopRowKind::Condition, around);
            row.name = "if";
            row.facts = tensor::to_string(branch->condition);
            const Around inside{around.depth + 1, last(), -1};
            walk(branch->then_body, inside);
            walk(branch->else_body, inside);
        }
    }
    [[nodiscard]] int last() const { return static_cast<int>(rows.size()) - 1; }

    const tensor::PrintedProgram& printed_;
    Axes axes_;
    int nests_ = 0;
};

// ----------------------------------------------------------------------------------------- the trace

std::vector<TraceNumber> numbers_of(const schedule::Trace& trace, std::size_t step) {
    std::vector<TraceNumber> out;
    const schedule::TraceStep& one = trace.steps[step];
    const auto value = [&](std::size_t arg, std::ptrdiff_t item) -> std::int64_t {
        if (const auto* list = std::get_if<std::vector<std::int64_t>>(&one.args[arg]))
            return item < 0 ? 0 : (*list)[static_cast<std::size_t>(item)];
        const auto* number = std::get_if<std::int64_t>(&one.args[arg]);
        return number != nullptr ? *number : 0;
    };
    for (const schedule::TracePlace& place : schedule::closed_numbers(trace))
        if (place.step == step) out.push_back({place.arg, place.item, value(place.arg, place.item), {}, {}});
    for (const schedule::OpenArg& open : one.open)
        out.push_back({open.arg, open.item, value(open.arg, open.item), open.knob.name, open.knob.candidates});
    std::ranges::sort(out, {}, [](const TraceNumber& n) { return std::pair(n.arg, n.item); });
    return out;
}

/// What a check said of a program, wherever that stood in a trace; null when nothing.
const session::ScheduleVerdict* verdict_of(const session::ScheduleCheck* check, const tensor::Program& program) {
    if (check == nullptr) return nullptr;
    const std::vector<tensor::Program>& programs = check->of->replay.programs;
    for (std::size_t i = 0; i < check->steps.size() && i + 1 < programs.size(); ++i)
        if (check->steps[i] && programs[i + 1] == program) return &*check->steps[i];
    return nullptr;
}

void add_verdicts(LoopViewData& data, const session::ScheduledFunction& function, const session::ScheduleCheck* check) {
    int right = 0, wrong = 0;
    for (int i = 0; i < data.reached; ++i) {
        TraceRow& row = data.trace[static_cast<std::size_t>(i)];
        const auto* verdict = verdict_of(check, function.replay.programs[static_cast<std::size_t>(i) + 1]);
        if (verdict == nullptr) continue;
        row.verdict = verdict->right ? StepVerdict::Right : StepVerdict::Wrong;
        (verdict->right ? right : wrong) += 1;
        if (verdict->right || wrong > 1) continue;
        row.wrong = verdict->wrong   ? to_string(*verdict->wrong)
                    : verdict->error ? verdict->error->message
                                     : std::string("its numbers differ");
    }
    if (wrong > 0)
        data.checked = "a step changes the numbers";
    else if (right == data.reached && right > 0)
        data.checked = right == 1 ? "the step keeps the numbers" : "all steps keep the numbers";
    else if (right > 0)
        data.checked = std::to_string(right) + " of " + std::to_string(data.reached) + " steps checked, all right";
}

void add_trace(LoopViewData& data, const session::ScheduledFunction& function) {
    for (std::size_t i = 0; i < function.trace.steps.size(); ++i) {
        TraceRow row;
        row.text = to_string(function.trace.steps[i]);
        row.applied = static_cast<int>(i) < data.reached;
        if (function.error && static_cast<int>(i) == data.reached)
            row.error = function.error->message + (function.error->hint.empty() ? "" : ": " + function.error->hint);
        row.numbers = numbers_of(function.trace, i);
        data.trace.push_back(std::move(row));
    }
    const std::size_t knobs = schedule::knobs_of(function.trace).size();
    if (knobs == 0) return;
    data.knobs = std::to_string(knobs) + (knobs == 1 ? " knob" : " knobs");
    if (const std::uint64_t space = schedule::space_size(function.trace); space > 1)
        data.knobs += ", " + std::to_string(space) + " schedules";
}

std::string counted(const std::vector<LoopRow>& rows) {
    const auto count = [&](LoopRowKind kind) {
        return std::ranges::count_if(rows, [kind](const LoopRow& row) { return row.row == kind; });
    };
    const auto loops = count(LoopRowKind::Loop), blocks = count(LoopRowKind::Block);
    return std::to_string(loops) + (loops == 1 ? " loop, " : " loops, ") + std::to_string(blocks) +
           (blocks == 1 ? " block" : " blocks");
}

} // namespace

const char* loop_kind_name(LoopStyle kind) {
    switch (kind) {
    case LoopStyle::Serial: return "serial";
    case LoopStyle::Parallel: return "parallel";
    case LoopStyle::Vectorized: return "vectorized";
    case LoopStyle::Unrolled: return "unrolled";
    }
    return "";
}

std::size_t shown_program(const session::ScheduledFunction& function, int tensor_step) {
    const std::size_t last = function.replay.programs.size() - 1;
    return tensor_step < 0 ? last : std::min(last, static_cast<std::size_t>(tensor_step));
}

LoopViewData build_loops(const session::Snapshot& snapshot, const ViewOptions& options) {
    LoopViewData data;
    data.empty_reason = "Open a model: the loops of each kernel appear here.";
    data.refusal = options.schedule.refusal;
    const session::FunctionPtr function = shown_function(snapshot, options.function);
    if (const std::string why = why_no_kernels(snapshot); !why.empty()) data.empty_reason = why;
    if (!function) return data;
    data.subject = function->lowered.name;
    const std::size_t shown = shown_program(*function, options.tensor_step);
    data.reached = static_cast<int>(function->replay.programs.size()) - 1;
    data.shown = static_cast<int>(shown);
    data.linked = data.shown == data.reached;
    data.is_default = function->trace_is_default;
    const tensor::Program& program = function->replay.programs[shown];
    const tensor::PrintedProgram earlier = data.linked ? tensor::PrintedProgram{} : tensor::print_program(program);
    data.rows = Tree(program, data.linked ? function->printed : earlier).rows;
    data.note = data.linked && !function->error ? counted(data.rows)
                : shown == 0                    ? "as lowered"
                                                : "after " + to_string(function->trace.steps[shown - 1]);
    if (!function->lowered.backend.empty())
        data.empty_reason = "This part is left to " + function->lowered.backend + ": it has no loops of ours.";
    else if (data.rows.empty())
        data.empty_reason = "This kernel has no loops.";
    add_trace(data, *function);
    add_verdicts(data, *function, snapshot.schedule_check.get());
    if (const auto* branches = session::branches_of(snapshot.recipe, function->lowered))
        for (const auto& [name, trace] : *branches) data.branches.push_back(name);
    return data;
}

// ------------------------------------------------------------------------------- selection, dragging

int row_of(const LoopViewData& data, const Selection& selection) {
    if (!data.linked || selection.tensor_lines.empty() || selection.function != data.subject) {
        if (selection.origins.empty()) return -1;
        for (std::size_t i = 0; i < data.rows.size(); ++i)
            if (data.rows[i].row == LoopRowKind::Block && data.rows[i].origins.intersects(selection.origins))
                return static_cast<int>(i);
        return -1;
    }
    int best = -1, size = 0;
    for (std::size_t i = 0; i < data.rows.size(); ++i) {
        const LoopRow& row = data.rows[i];
        if (row.first_line > selection.tensor_lines.front() || row.last_line < selection.tensor_lines.back()) continue;
        const int lines = row.last_line - row.first_line;
        if (best < 0 || lines <= size) best = static_cast<int>(i), size = lines;
    }
    return best;
}

Selection select_row(const LoopViewData& data, int row) {
    Selection selection;
    if (row < 0 || row >= static_cast<int>(data.rows.size())) return selection;
    const LoopRow& chosen = data.rows[static_cast<std::size_t>(row)];
    selection.origins = chosen.origins;
    if (!data.linked) return selection;
    selection.function = data.subject;
    for (int line = chosen.first_line; line <= chosen.last_line && line > 0; ++line)
        selection.tensor_lines.push_back(line);
    return selection;
}

std::string reorder_step(const LoopViewData& data, int from, int to, std::string& why) {
    const auto valid = [&](int row) {
        return row >= 0 && row < static_cast<int>(data.rows.size()) &&
               data.rows[static_cast<std::size_t>(row)].row == LoopRowKind::Loop;
    };
    why = "drop a loop on another loop of its nest";
    if (from == to || !valid(from) || !valid(to)) return {};
    const LoopRow &moved = data.rows[static_cast<std::size_t>(from)], &target = data.rows[static_cast<std::size_t>(to)];
    why = moved.name + " and " + target.name + " are not of one nest: something stands between them";
    if (moved.nest != target.nest || moved.place.empty()) return {};
    // Loops of a nest are neighbours in the tree, outermost first.
    std::vector<std::string> order;
    for (int row = std::min(from, to); row <= std::max(from, to); ++row)
        if (row != from) order.push_back(data.rows[static_cast<std::size_t>(row)].place);
    order.insert(to < from ? order.begin() : order.end(), moved.place);
    why.clear();
    return to_string(schedule::TraceStep{"reorder", {order}});
}

} // namespace orrery::views
