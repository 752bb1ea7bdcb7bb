#pragma once
// View data from a session's picture: pure functions, called off the window's thread.

#include "core/session/snapshot.hpp"
#include "views/model/graph_view.hpp"
#include "views/model/memory_view.hpp"
#include "views/model/panels.hpp"
#include "views/model/selection.hpp"
#include "views/model/stages_view.hpp"
#include "views/model/text_view.hpp"

#include <optional>
#include <string>

namespace orrery::views {

/// What is looked at, apart from the recipe: kept by the workbench, not undone.
struct ViewState {
    int graph_step = -1;    ///< index into Snapshot::steps; -1 for the last
    int schedule_step = -1; ///< index into the function's replay; -1 for the last
    std::string function;   ///< the tensor program shown; empty for the costliest
    Selection selection;
    friend bool operator==(const ViewState&, const ViewState&) = default;
};

/// Ids of stages in StagesViewData, as SelectStage and EnablePass name them.
inline constexpr int kFirstScheduleStage = 1000; ///< graph steps are below, by index
inline constexpr int kFirstCodeStage = 100000;

/// The function that `state` means; null before there are any.
[[nodiscard]] session::FunctionPtr shown_function(const session::Snapshot& snapshot, const ViewState& state);
/// The graph step that `state` means. Pre: has_model().
[[nodiscard]] const session::GraphStep& shown_step(const session::Snapshot& snapshot, const ViewState& state);
/// The function that computes most of the selected origins; empty when none does.
[[nodiscard]] std::string function_of(const session::Snapshot& snapshot, const OriginSet& origins);

[[nodiscard]] StagesViewData build_stages(const session::Snapshot& snapshot, const ViewState& state);
[[nodiscard]] GraphDescription describe_graph(const session::Snapshot& snapshot, const ViewState& state);
[[nodiscard]] TextViewData build_tensor(const session::Snapshot& snapshot, const ViewState& state);
/// Generated code of the shown function, optimized.
[[nodiscard]] TextViewData build_llvm(const session::Snapshot& snapshot, const ViewState& state);
[[nodiscard]] TextViewData build_assembly(const session::Snapshot& snapshot, const ViewState& state);
[[nodiscard]] InspectorViewData build_inspector(const session::Snapshot& snapshot, const ViewState& state);
[[nodiscard]] MemoryViewData build_memory(const session::Snapshot& snapshot);
[[nodiscard]] RunViewData build_run(const session::Snapshot& snapshot);
[[nodiscard]] StatusViewData build_status(const session::Snapshot& snapshot);

/// "3×224×224": extents, the leading one dropped when it is 1.
[[nodiscard]] std::string extents_text(const graph::Type& type);

} // namespace orrery::views
