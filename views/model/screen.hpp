#pragma once
// Everything the window shows, as one immutable value.

#include "views/model/access_view.hpp"
#include "views/model/diff_view.hpp"
#include "views/model/graph_view.hpp"
#include "views/model/history_view.hpp"
#include "views/model/loop_view.hpp"
#include "views/model/machine_view.hpp"
#include "views/model/measure_view.hpp"
#include "views/model/memory_view.hpp"
#include "views/model/panels.hpp"
#include "views/model/profile_view.hpp"
#include "views/model/script_view.hpp"
#include "views/model/search_view.hpp"
#include "views/model/selection.hpp"
#include "views/model/sides_view.hpp"
#include "views/model/stages_view.hpp"
#include "views/model/text_view.hpp"
#include "views/model/tune_view.hpp"

#include <memory>
#include <string>
#include <vector>

namespace orrery::views {

/// Parts are shared between screens: what did not change is the same object, which is how a view knows.
/// No part is ever null.
struct Screen {
    std::shared_ptr<const StagesViewData> stages = std::make_shared<StagesViewData>();
    std::shared_ptr<const GraphViewData> graph = std::make_shared<GraphViewData>();
    std::shared_ptr<const TextViewData> tensor = std::make_shared<TextViewData>();
    std::shared_ptr<const TextViewData> llvm = std::make_shared<TextViewData>();
    std::shared_ptr<const TextViewData> assembly = std::make_shared<TextViewData>();
    std::shared_ptr<const LoopViewData> loops = std::make_shared<LoopViewData>();
    std::shared_ptr<const MenuViewData> menu = std::make_shared<MenuViewData>();
    std::shared_ptr<const PreviewViewData> preview = std::make_shared<PreviewViewData>();
    std::shared_ptr<const AccessViewData> access = std::make_shared<AccessViewData>();
    std::shared_ptr<const MachineViewData> machine = std::make_shared<MachineViewData>();
    std::shared_ptr<const MeasureViewData> measure = std::make_shared<MeasureViewData>();
    std::shared_ptr<const InspectorViewData> inspector = std::make_shared<InspectorViewData>();
    std::shared_ptr<const MemoryViewData> memory = std::make_shared<MemoryViewData>();
    std::shared_ptr<const RunViewData> run = std::make_shared<RunViewData>();
    std::shared_ptr<const ProfileViewData> profile = std::make_shared<ProfileViewData>();
    ProfileJob profile_job;
    std::shared_ptr<const TuneViewData> tune = std::make_shared<TuneViewData>();
    std::shared_ptr<const DiffViewData> tune_pair = std::make_shared<DiffViewData>();
    std::shared_ptr<const ProblemsViewData> problems = std::make_shared<ProblemsViewData>();
    std::shared_ptr<const ScriptViewData> script = std::make_shared<ScriptViewData>();
    std::shared_ptr<const EditViewData> edit = std::make_shared<EditViewData>();
    std::shared_ptr<const StartViewData> start = std::make_shared<StartViewData>();
    std::shared_ptr<const DiffViewData> diff = std::make_shared<DiffViewData>();
    std::shared_ptr<const HistoryViewData> history = std::make_shared<HistoryViewData>();
    std::shared_ptr<const SidesViewData> sides = std::make_shared<SidesViewData>();
    std::shared_ptr<const SearchViewData> search = std::make_shared<SearchViewData>();
    StatusViewData status;
    std::vector<std::string> functions; ///< names of all tensor programs, in order of execution
    Selection selection;
    bool has_model = false;
    std::string model_title;            ///< "resnet18.onnx"
    std::string target_title;           ///< "llvm · native · 2 threads"
    std::string undo_title, redo_title; ///< what would be undone, redone; empty when nothing
    int threads = 1, max_threads = 1;
    bool heat = false; ///< whether the overlay is drawn over the graph
    Overlay overlay = Overlay::Latency;
    GroupBy group_by = GroupBy::Blocks;
    std::string other_title;               ///< of the recipe whose texts are compared; empty when none is
    std::vector<std::string> other_titles; ///< of all recipes beside the open one
    int chosen_other = -1;                 ///< index of `other_title` among them
    bool left_pinned = false;
    bool att_syntax = false;
    bool code_pending = false; ///< the code shown is that of the program before: the new one is being generated
    int shown_step = -1;       ///< the graph's
};

} // namespace orrery::views
