#pragma once
// The scheduler's panes: the loops of the shown tensor program as a tree, its trace, what can be done at a place, and
// what that would make of it.

#include "core/base/origin.hpp"
#include "views/model/selection.hpp"
#include "views/model/text_view.hpp"

#include <memory>
#include <string>
#include <vector>

namespace orrery::session {
struct ScheduledFunction;
struct Snapshot;
} // namespace orrery::session

namespace orrery::views {

struct ViewOptions;

/// As tensor::LoopKind has it.
enum class LoopStyle : std::uint8_t { Serial, Parallel, Vectorized, Unrolled };
enum class LoopRowKind : std::uint8_t { Loop, Block, Buffer, Condition };
/// What the blocks inside do along a loop.
enum class LoopAxis : std::uint8_t { None, Spatial, Reduction, Mixed };

struct LoopRow {
    LoopRowKind row = LoopRowKind::Loop;
    LoopStyle kind = LoopStyle::Serial; ///< of a loop
    LoopAxis axis = LoopAxis::None;     ///< of a loop
    int depth = 0;
    std::string place;                 ///< what primitives are asked for: "conv.oc", "conv"; empty where there are none
    std::string name;                  ///< "oc", "conv", "acc"
    std::string extent;                ///< "64"; a buffer's "f32[8,16]"; empty for others
    std::string facts;                 ///< "vectorized · reduction · @pragma": beside the name, quiet
    int nest = -1;                     ///< loops directly inside one another share it; -1 for what is no loop
    int parent = -1;                   ///< index of the row around it
    int first_line = 0, last_line = 0; ///< of the shown program's text, from 1, both included
    OriginSet origins;
    friend bool operator==(const LoopRow&, const LoopRow&) = default;
};

/// A number of a step that is a knob, or could become one.
struct TraceNumber {
    std::size_t arg = 0;
    std::ptrdiff_t item = -1;
    std::int64_t value = 0;
    std::string knob; ///< its name; empty for a closed one
    std::vector<std::int64_t> candidates;
    friend bool operator==(const TraceNumber&, const TraceNumber&) = default;
};

/// Whether the program after a step gives the numbers of the program as lowered.
enum class StepVerdict : std::uint8_t { Unknown, Right, Wrong };

struct TraceRow {
    std::string text;
    bool applied = true; ///< false from the first step on that could not be applied
    std::string error;   ///< why, at that step
    StepVerdict verdict = StepVerdict::Unknown;
    std::string wrong; ///< of the first wrong step: "y[0, 3] is 4 instead of 6"
    std::vector<TraceNumber> numbers;
    friend bool operator==(const TraceRow&, const TraceRow&) = default;
};

struct LoopViewData {
    std::string subject; ///< the function
    std::string note;    ///< "after split(conv.oc, [8, 8])", "9 loops, 2 blocks"
    std::vector<LoopRow> rows;
    std::vector<TraceRow> trace;
    int shown = 0;          ///< steps applied in the program that is shown
    int reached = 0;        ///< steps that could be applied
    bool is_default = true; ///< no edit of the user's
    bool linked = true;     ///< its lines are those of generated code: the last program is shown
    std::string checked;    ///< "all steps keep the numbers"; empty when none was checked
    std::string knobs;      ///< "2 knobs, 12 schedules"; empty when there are none
    std::vector<std::string> branches;
    std::string refusal; ///< why the last edit was not carried out; empty when it was
    std::string empty_reason;
    friend bool operator==(const LoopViewData&, const LoopViewData&) = default;
};
[[nodiscard]] LoopViewData build_loops(const session::Snapshot& snapshot, const ViewOptions& options);

/// The row that a selection means: the smallest that holds all its lines, else the first block that shares an origin;
/// -1 for none.
[[nodiscard]] int row_of(const LoopViewData& data, const Selection& selection);
/// What choosing a row selects: its lines.
[[nodiscard]] Selection select_row(const LoopViewData& data, int row);
/// The step that moves loop `from` to where loop `to` stands; empty with `why` set when both are not of one nest.
[[nodiscard]] std::string reorder_step(const LoopViewData& data, int from, int to, std::string& why);

/// A line of the menu at a place.
struct MenuEntry {
    std::string primitive;
    std::string step;    ///< ready to be applied; empty when it is refused
    std::string summary; ///< what the primitive does
    std::string reason;  ///< of a refusal, with its remedy
    [[nodiscard]] bool legal() const { return !step.empty(); }
    friend bool operator==(const MenuEntry&, const MenuEntry&) = default;
};
struct MenuViewData {
    std::string place;              ///< "conv.oc"; empty when no menu is asked for
    std::vector<MenuEntry> entries; ///< legal ones first
    std::string empty_reason;
    friend bool operator==(const MenuViewData&, const MenuViewData&) = default;
};
[[nodiscard]] MenuViewData build_menu(const session::Snapshot& snapshot, const ViewOptions& options);

/// The shown program as a step would leave it.
struct PreviewViewData {
    std::string step;                         ///< as text; empty when none is asked for
    std::string sentence;                     ///< what it does: "oc becomes oc_o, oc_i · 4 lines added, 2 changed"
    std::string error;                        ///< why it cannot be applied
    std::shared_ptr<const TextViewData> text; ///< lines that change are marked, those that go still stand; null without
    friend bool operator==(const PreviewViewData&, const PreviewViewData&) = default;
};
[[nodiscard]] PreviewViewData build_preview(const session::Snapshot& snapshot, const ViewOptions& options);

/// The shown program of a function and how many steps made it. Pre: function is not null.
[[nodiscard]] std::size_t shown_program(const session::ScheduledFunction& function, int tensor_step);

[[nodiscard]] const char* loop_kind_name(LoopStyle kind); ///< "serial", "parallel", "vectorized", "unrolled"
[[nodiscard]] std::string to_text(const LoopViewData& data);
[[nodiscard]] std::string to_json(const LoopViewData& data);
[[nodiscard]] std::string to_text(const MenuViewData& data);
[[nodiscard]] std::string to_json(const MenuViewData& data);
[[nodiscard]] std::string to_text(const PreviewViewData& data);
[[nodiscard]] std::string to_json(const PreviewViewData& data);

} // namespace orrery::views
