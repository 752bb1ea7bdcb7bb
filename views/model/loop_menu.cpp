// What can be done at a place of the loop tree, and what a step would make of the program.

#include "core/schedule/legality.hpp"
#include "views/model/loop_view.hpp"
#include "views/model/program_diff.hpp"
#include "views/model/session_views.hpp"
#include "views/model/text_diff.hpp"

#include "core/tensor/text.hpp"

#include <algorithm>

namespace orrery::views {

namespace {

std::string reason_of(const Diagnostic& refusal) {
    return refusal.message + (refusal.hint.empty() ? "" : ": " + refusal.hint);
}

/// What is done most stands first, what only leaves a note last. Source: our choice.
std::size_t rank_of(const std::string& primitive) {
    constexpr std::string_view kFirst[] = {"split",         "reorder",  "fuse",       "vectorize",
                                           "unroll",        "parallel", "compute_at", "reverse_compute_at",
                                           "compute_inline"};
    constexpr std::string_view kLast[] = {"bind", "virtual_thread", "annotate", "pragma"};
    const auto place = [&](const auto& list) {
        return static_cast<std::size_t>(std::ranges::find(list, primitive) - std::begin(list));
    };
    if (place(kFirst) < std::size(kFirst)) return place(kFirst);
    const std::size_t last = place(kLast);
    return std::size(kFirst) + (last < std::size(kLast) ? last + 1 : 0);
}

struct Marked {
    TextViewData text;
    int added = 0, removed = 0, changed = 0;
};

/// One text: the program afterwards, with what goes still standing where it was.
Marked mark_changes(const tensor::PrintedProgram& before, const tensor::PrintedProgram& after) {
    const DiffText left = diff_text(before), right = diff_text(after);
    Marked out;
    TextViewData& data = out.text;
    data.language = TextLanguage::Tensor;
    data.title = "Tensor program";
    std::string text;
    for (const DiffRow& row : align_lines(left, right, shared_statements(before, after))) {
        const bool gone = row.right < 0;
        const DiffLine& line =
            gone ? left.lines[static_cast<std::size_t>(row.left)] : right.lines[static_cast<std::size_t>(row.right)];
        const auto at = static_cast<std::int32_t>(data.links.size());
        text += line.text + "\n";
        data.links.push_back({line.origins, 0, -1});
        data.numbers.push_back(gone ? 0 : row.right + 1);
        const LineChange change = gone ? LineChange::Removed : row.change;
        data.changes.push_back(change);
        out.added += change == LineChange::Added ? 1 : 0;
        out.removed += change == LineChange::Removed ? 1 : 0;
        out.changed += change == LineChange::Changed || change == LineChange::Moved ? 1 : 0;
        if (row.change != LineChange::Changed || gone || row.left < 0) continue;
        for (const auto& [begin, end] :
             changed_words(left.lines[static_cast<std::size_t>(row.left)].text, line.text).right)
            data.words.push_back({at, begin, end});
    }
    set_text(data, std::move(text));
    return out;
}

std::string what_became(const std::vector<schedule::Forward>& forward) {
    std::string text;
    for (const schedule::Forward& one : forward) {
        std::string after;
        for (const tensor::VarRef& var : one.after) after += (after.empty() ? "" : ", ") + var->name;
        text += (text.empty() ? "" : ", ") + one.before->name + (after.empty() ? " is gone" : " becomes " + after);
    }
    return text;
}

std::string counts(const Marked& marked) {
    std::string text;
    const auto add = [&](int count, const char* word) {
        if (count == 0) return;
        text += (text.empty() ? std::to_string(count) + (count == 1 ? " line " : " lines ")
                              : ", " + std::to_string(count) + " ") +
                word;
    };
    add(marked.added, "added"), add(marked.removed, "removed"), add(marked.changed, "changed");
    return text.empty() ? "nothing changes in the text" : text;
}

} // namespace

MenuViewData build_menu(const session::Snapshot& snapshot, const ViewOptions& options) {
    MenuViewData data;
    data.place = options.schedule.menu;
    data.empty_reason = "Choose a loop or block of the tree.";
    const session::FunctionPtr function = shown_function(snapshot, options.function);
    if (data.place.empty() || !function) return data;
    const tensor::Program& program = function->replay.programs[shown_program(*function, options.tensor_step)];
    const auto found = schedule::legal_primitives(program, data.place);
    if (!found) {
        data.empty_reason = reason_of(found.error());
        return data;
    }
    std::vector<MenuEntry> refused;
    for (const schedule::Legality& line : *found) {
        MenuEntry entry{line.primitive->name, {}, line.primitive->summary, {}};
        if (!line.legal()) {
            entry.reason = reason_of(line.refusal);
            refused.push_back(std::move(entry));
            continue;
        }
        for (const schedule::TraceStep& step : line.steps) {
            entry.step = to_string(step);
            data.entries.push_back(entry);
        }
    }
    for (std::vector<MenuEntry>* part : {&data.entries, &refused})
        std::ranges::stable_sort(*part, {}, [](const MenuEntry& entry) { return rank_of(entry.primitive); });
    data.entries.insert(data.entries.end(), refused.begin(), refused.end());
    return data;
}

PreviewViewData build_preview(const session::Snapshot& snapshot, const ViewOptions& options) {
    PreviewViewData data;
    data.step = options.schedule.preview;
    const session::FunctionPtr function = shown_function(snapshot, options.function);
    if (data.step.empty() || !function) return data;
    const auto trace = schedule::parse_trace(data.step);
    if (!trace || trace->steps.size() != 1) {
        data.error = trace ? "one step is expected, such as split(conv.oc, [8, 8])" : reason_of(trace.error());
        return data;
    }
    const tensor::Program& program = function->replay.programs[shown_program(*function, options.tensor_step)];
    const auto done = schedule::apply_step(program, trace->steps.front());
    if (!done) {
        data.error = reason_of(done.error());
        return data;
    }
    Marked marked = mark_changes(tensor::print_program(program), tensor::print_program(done->program));
    marked.text.subject = function->lowered.name;
    marked.text.note = "preview of " + data.step;
    data.sentence = what_became(done->forward);
    data.sentence += (data.sentence.empty() ? "" : " · ") + counts(marked);
    data.text = std::make_shared<const TextViewData>(std::move(marked.text));
    return data;
}

} // namespace orrery::views
