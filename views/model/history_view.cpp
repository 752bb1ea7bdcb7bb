#include "views/model/history_view.hpp"

#include "core/session/history.hpp"
#include "views/model/json.hpp"
#include "views/model/stages_view.hpp"

#include <algorithm>

namespace orrery::views {
namespace {

using session::Fate;

constexpr std::size_t kShownBindings = 6; ///< of one event; a kernel may join dozens

HistorySign sign_of(Fate fate) {
    switch (fate) {
    case Fate::Imported: return HistorySign::Model;
    case Fate::Introduced: return HistorySign::Made;
    case Fate::Rewritten:
    case Fate::Rewired: return HistorySign::Changed;
    case Fate::Merged:
    case Fate::Fused: return HistorySign::Joined;
    case Fate::Folded: return HistorySign::Constant;
    case Fate::Removed: return HistorySign::Gone;
    }
    return HistorySign::Changed;
}

std::string name_of(const std::string& binding) { return binding.substr(0, binding.find(':')); }

/// "@conv2d_relu" of "y: f32[4] = @conv2d_relu(x)".
std::string kernel_of(const std::string& binding) {
    const std::size_t at = binding.find("= @");
    return at == std::string::npos ? std::string() : binding.substr(at + 3, binding.find('(', at) - at - 3);
}

std::string sentence_of(const session::HistoryEvent& event) {
    const std::string after = event.after.empty() ? std::string() : event.after.front();
    switch (event.fate) {
    case Fate::Imported:
        return event.after.size() == 1 ? "stands in the model"
                                       : "comes from " + std::to_string(event.after.size()) + " values of the model";
    case Fate::Introduced:
        return event.before.empty() ? "made by this pass"
                                    : "made by this pass for " + name_of(event.before.front()) +
                                          (event.before.size() > 1 ? " and others" : "");
    case Fate::Rewritten: return "rewritten: another expression gives the value";
    case Fate::Rewired: return "the same operator on other operands";
    case Fate::Merged: return "the value of " + name_of(after) + " stands for it";
    case Fate::Folded: return "computed once, at compile time: a constant from here on";
    case Fate::Fused:
        return "joins the kernel " + kernel_of(after) +
               (event.before.size() > 1 ? " with " + std::to_string(event.before.size() - 1) + " others" : "");
    case Fate::Removed: return "removed: nobody needs it any more";
    }
    return {};
}

std::vector<std::string> shown(const std::vector<std::string>& bindings) {
    std::vector<std::string> out(
        bindings.begin(), bindings.begin() + static_cast<std::ptrdiff_t>(std::min(bindings.size(), kShownBindings)));
    if (bindings.size() > kShownBindings)
        out.push_back("… and " + std::to_string(bindings.size() - kShownBindings) + " more");
    return out;
}

HistoryEntry kernel_entry(const session::HistoryKernel& kernel) {
    HistoryEntry entry;
    entry.sign = HistorySign::Kernel;
    entry.stage = kTensorStages + static_cast<int>(kernel.schedule.size());
    entry.title = "kernel " + kernel.function;
    entry.sentence = kernel.lines.empty() ? "its lines in the tensor program are not known"
                                          : std::to_string(kernel.lines.size()) + " lines of its tensor program, " +
                                                std::to_string(kernel.schedule.size()) + " schedule steps";
    for (std::size_t i = 0; i < kernel.lines.size() && i < 2 * kShownBindings; ++i)
        entry.after.push_back(std::to_string(kernel.lines[i]) + "  " + kernel.texts[i]);
    if (kernel.lines.size() > 2 * kShownBindings)
        entry.after.push_back("… and " + std::to_string(kernel.lines.size() - 2 * kShownBindings) + " more lines");
    return entry;
}

} // namespace

std::string_view to_string(HistorySign sign) {
    static constexpr std::string_view kNames[] = {"model", "made", "changed", "joined", "constant", "gone", "kernel"};
    return kNames[static_cast<std::size_t>(sign)];
}

HistoryViewData build_history(const session::Snapshot& snapshot, const session::ValueHistory& history) {
    HistoryViewData data;
    data.title = history.name;
    data.subtitle = history.text;
    data.origins = history.origin;
    std::size_t passes = 0;
    for (const session::HistoryEvent& event : history.events) {
        HistoryEntry entry;
        entry.sign = sign_of(event.fate);
        entry.stage = static_cast<int>(event.step);
        entry.title = event.step < snapshot.steps.size() ? snapshot.steps[event.step]->name : "";
        entry.sentence = sentence_of(event);
        if (!event.rule.empty())
            entry.rule = "rule “" + event.rule + "”, " + event.file + ":" + std::to_string(event.line);
        entry.before = shown(event.before), entry.after = shown(event.after);
        entry.here = event.step == history.step;
        passes += event.step > 0 ? 1 : 0;
        data.entries.push_back(std::move(entry));
    }
    if (!history.sources.empty()) {
        HistoryEntry entry;
        entry.sign = HistorySign::Model;
        entry.title = "model";
        entry.sentence = history.sources.size() == 1
                             ? "from one node of the model file"
                             : "from " + std::to_string(history.sources.size()) + " nodes of the model file";
        std::vector<std::string> nodes;
        for (const graph::Source& source : history.sources) nodes.push_back(source.op_type + "  " + source.name);
        entry.after = shown(nodes);
        data.entries.insert(data.entries.begin(), std::move(entry));
    }
    for (const session::HistoryKernel& kernel : history.kernels) {
        if (data.function.empty()) data.function = kernel.function;
        data.entries.push_back(kernel_entry(kernel));
    }
    if (history.in_place) {
        HistoryEntry entry;
        entry.sign = HistorySign::Kernel;
        entry.stage = static_cast<int>(history.steps > 0 ? history.steps - 1 : 0);
        entry.title = "no kernel";
        entry.sentence = "its elements are written where they lie in it, by the kernels that make them";
        data.entries.push_back(std::move(entry));
    }
    const std::size_t all = history.steps > 0 ? history.steps - 1 : 0;
    data.summary =
        std::to_string(passes) + " of " + std::to_string(all) + (all == 1 ? " pass" : " passes") + " touched it";
    return data;
}

std::string to_text(const HistoryViewData& data) {
    if (data.title.empty()) return data.empty_reason + "\n";
    std::string out = data.title + "\n" + data.subtitle + "\n" + data.summary + "\n";
    for (const HistoryEntry& entry : data.entries) {
        out += "\n" + entry.title + (entry.here ? " (here)" : "") + " [" + std::string(to_string(entry.sign)) + "]  " +
               entry.sentence + "\n";
        for (const std::string& line : entry.before) out += "  - " + line + "\n";
        for (const std::string& line : entry.after) out += "  + " + line + "\n";
        if (!entry.rule.empty()) out += "  " + entry.rule + "\n";
    }
    return out;
}

std::string to_json(const HistoryViewData& data) {
    Json entries = Json::array();
    for (const HistoryEntry& e : data.entries)
        entries.push_back(Json{{"kind", to_string(e.sign)},
                               {"stage", e.stage},
                               {"title", e.title},
                               {"sentence", e.sentence},
                               {"rule", e.rule},
                               {"before", e.before},
                               {"after", e.after},
                               {"here", e.here}});
    return dump(Json{{"view", "history"},
                     {"value", data.title},
                     {"binding", data.subtitle},
                     {"summary", data.summary},
                     {"function", data.function},
                     {"origins", json_of(data.origins)},
                     {"entries", std::move(entries)}});
}

} // namespace orrery::views
