#pragma once
// View data of a session's snapshot: one pure function a view.

#include "core/session/point.hpp"
#include "core/session/snapshot.hpp"
#include "core/session/source_map.hpp"
#include "views/model/cost_book.hpp"
#include "views/model/diff_build.hpp"
#include "views/model/graph_view.hpp"
#include "views/model/memory_view.hpp"
#include "views/model/panels.hpp"
#include "views/model/script_view.hpp"
#include "views/model/stages_view.hpp"
#include "views/model/text_view.hpp"
#include "views/model/tune_view.hpp"

#include <optional>
#include <string>
#include <vector>

namespace orrery::views {

/// What is compared while comparisons are shown.
struct DiffOptions {
    bool on = false;                      ///< comparisons are shown
    std::optional<session::Point> pinned; ///< left side; none: the stage before the selected one
    session::SnapshotPtr other;           ///< recipe B, on the right; null: both sides are of one recipe
    bool swapped = false;
};

/// What the scheduler is asked.
struct ScheduleOptions {
    std::string menu;    ///< the place whose primitives are wanted, "conv.oc"; empty for none
    std::string preview; ///< the step, as text, whose outcome is wanted; empty for none
    std::string refusal; ///< why the last edit was not carried out
};

/// What the Access pane looks at.
struct AccessOptions {
    bool on = false;    ///< the pane is shown
    std::string place;  ///< a loop or a block, "conv.ic", "conv"; empty: what tells most
    std::string buffer; ///< by name; empty: the first that is read
};

/// What stands side by side.
struct SideOptions {
    bool on = false; ///< recipes are shown side by side
    std::vector<session::SnapshotPtr> others;
};

/// Two trials of a tuning opened side by side.
struct TrialPair {
    int level = -1;                   ///< 0: programs, 1: LLVM IR, 2: assembly; negative: nothing
    session::SnapshotPtr left, right; ///< recipes with one of the traces each
    std::string function;
};

/// What the panes show of a snapshot; saved with the window, not with the recipe.
struct ViewOptions {
    int graph_step = -1;     ///< index into Snapshot::steps; -1 for the last
    int tensor_step = -1;    ///< index into the shown function's replay; -1 for the last
    bool raw_ir = false;     ///< LLVM IR as generated, not as optimized
    bool att_syntax = false; ///< assembly in AT&T's syntax
    int backend_pass = -1;   ///< LLVM IR after this one of the backend's passes; -1 for the last
    int selected_stage = -1; ///< the id marked in the strip; -1 for the graph's last step
    std::string function;    ///< the tensor program shown; empty for the costliest
    GraphOptions graph;
    bool heat = false;
    bool editor = false; ///< the text of the shown step is wanted
    Selection selection;
    DiffOptions diff;
    SideOptions sides;
    ScheduleOptions schedule;
    bool measure = false; ///< what was measured of the shown function is wanted
    AccessOptions access;
    TuneOptions tune;
    TrialPair pair;
    bool history = false;      ///< the history of the selected value is shown
    std::string history_value; ///< its name at the shown step; empty: what fits the selection best
};

/// The point that a stage of the strip shows.
[[nodiscard]] session::Point point_of_stage(int stage, const std::string& function);
/// What the options ask to compare of a snapshot.
[[nodiscard]] DiffRequest diff_request(const session::SnapshotPtr& snapshot, const ViewOptions& options);

/// The function of that name, else the one that does most work; null when there is none.
[[nodiscard]] session::FunctionPtr shown_function(const session::Snapshot& snapshot, const std::string& name);
/// The step shown; null when nothing is open.
[[nodiscard]] std::shared_ptr<const session::GraphStep> shown_step(const session::Snapshot& snapshot, int graph_step);

[[nodiscard]] StagesViewData build_stages(const session::Snapshot& snapshot, const ViewOptions& options);
struct DescribeOptions {
    GroupBy group_by = GroupBy::Blocks; ///< by kernels or backends: items are in clusters, fused ones taken apart
    CostBook* costs = nullptr;          ///< fills in work and bytes; null: only what the last step's kernels say
};
/// The nodes of a step, before grouping and layout. Times and errors are those of the last run and check, on the last
/// step only.
[[nodiscard]] GraphDescription describe_graph(const session::Snapshot& snapshot, int graph_step,
                                              const DescribeOptions& options = {});
/// "llvm · native · 2 threads".
[[nodiscard]] std::string target_title(const session::Recipe& recipe);
/// The step of `to` that stands for a graph step of `from`: of the same name, the last for the last or for none such.
[[nodiscard]] int same_step(const session::Snapshot& from, int step, const session::Snapshot& to);

/// The items of a side's graph in terms of the first side's model, as `origins` maps them. Nodes without a counterpart
/// there are told apart from those of other sides by `side`, its place among them, from 1. Pre: both have a model.
struct SideStep {
    const session::Snapshot& first;
    const session::Snapshot& other;
    int step = -1; ///< of `other`
    int side = 1;
};
[[nodiscard]] GraphDescription describe_side(const SideStep& what, const session::SourceMap& origins,
                                             const DescribeOptions& options);

[[nodiscard]] TextViewData build_tensor(const session::Snapshot& snapshot, const ViewOptions& options);
enum class CodeView : std::uint8_t { Llvm, Assembly };
/// `tensor` is the view of the same function: links and tints come from it.
[[nodiscard]] TextViewData build_code(const session::Snapshot& snapshot, const ViewOptions& options, CodeView which,
                                      const TextViewData& tensor);
[[nodiscard]] InspectorViewData build_inspector(const session::Snapshot& snapshot, const ViewOptions& options);
[[nodiscard]] MemoryViewData build_memory(const session::Snapshot& snapshot);
/// "no kernel: its elements are written here", or why a kernel copies.
[[nodiscard]] std::string join_text(const lower::LoweredJoin& join);
[[nodiscard]] RunViewData build_run(const session::Snapshot& snapshot);
/// Recipes as command lines, remembered from edit to edit: a history has the same recipes but for a few.
using CommandBook = std::vector<std::pair<std::shared_ptr<const session::Recipe>, std::string>>;
/// `book`, when given, is what the last call left in it, of any snapshot with that host.
[[nodiscard]] ScriptViewData build_script(const session::Snapshot& snapshot, CommandBook* book = nullptr);
[[nodiscard]] EditViewData build_edit(const session::Snapshot& snapshot, const ViewOptions& options);
/// Gives each line that defines something the tint of the block it became.
void tint_links(EditViewData& edit, const TextViewData& tensor);
[[nodiscard]] StatusViewData build_status(const session::Snapshot& snapshot);
/// The built-in networks of `resources/samples.json`; recent files are the window's own.
[[nodiscard]] StartViewData build_start();

/// What stands where kernels would be, when the model's kernels are made while it runs or a pass failed; empty
/// otherwise.
[[nodiscard]] std::string why_no_kernels(const session::Snapshot& snapshot);
/// "    vaddps zmm0, zmm1" as columns: tab, mnemonic, tab, operands.
[[nodiscard]] std::string in_columns(const std::string& line);
/// "conv2d 3×3 /2": the operator and what a reader wants to know of its attributes.
[[nodiscard]] std::string call_title(const graph::CallOp& call);
/// "64×56×56", "i64 1×64"; a leading 1 of four dimensions is left out.
[[nodiscard]] std::string short_type(const graph::Type& type);

} // namespace orrery::views
