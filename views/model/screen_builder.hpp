#pragma once
// Screens from snapshots, part by part: what did not change is not built again.

#include "views/layout/engine.hpp"
#include "views/model/screen.hpp"
#include "views/model/session_views.hpp"

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <vector>

namespace orrery::views {

/// Thread: `build` and `build_programs` from one thread at a time, `build_graph` from one at a time; the two may be
/// different.
class ScreenBuilder {
  public:
    explicit ScreenBuilder(std::shared_ptr<layout::LayoutEngine> layouts);

    /// What is looked at after an edit: a fraction of a screen, made of the same parts.
    struct Programs {
        std::shared_ptr<const TextViewData> tensor, llvm, assembly;
        std::shared_ptr<const LoopViewData> loops;
        bool code_pending = false;
        friend bool operator==(const Programs&, const Programs&) = default;
    };
    /// None when they are those of the last screen, or of another model or function than those. Of the options,
    /// `program_options` are enough.
    [[nodiscard]] std::optional<Programs> build_programs(const session::SnapshotPtr& snapshot,
                                                         const ViewOptions& options);
    /// Those that programs are made with, all others as they are by default.
    [[nodiscard]] static ViewOptions program_options(const ViewOptions& options);
    /// Everything but the graph, whose place keeps an empty one. Parts whose inputs are those of the last call are the
    /// same objects as then.
    [[nodiscard]] Screen build(const session::SnapshotPtr& snapshot, const ViewOptions& options);
    /// Frees what older screens were made of: linked code among it, which takes a millisecond to unmap. Thread: that of
    /// `build`, once its screen is on its way.
    void free_old() { old_.clear(); }
    /// The graph of the shown step. What was drawn of this recipe before is the same object again; another step goes on
    /// from the picture of the last call. Errors: Cancelled.
    [[nodiscard]] Result<std::shared_ptr<const GraphViewData>>
    build_graph(const session::SnapshotPtr& snapshot, const ViewOptions& options, const Progress& progress);

    /// The comparison that is asked for; the last one again when nothing it shows has changed. Errors: Cancelled.
    /// Thread: these two from one thread at a time.
    [[nodiscard]] Result<std::shared_ptr<const DiffViewData>>
    build_comparison(const session::SnapshotPtr& snapshot, const ViewOptions& options, const Progress& progress);
    [[nodiscard]] Result<std::shared_ptr<const HistoryViewData>>
    build_history(const session::SnapshotPtr& snapshot, const ViewOptions& options, const Progress& progress);
    /// The recipes side by side: graphs and figures that did not change are the same objects. The first side's graph is
    /// empty: it is that of `build_graph`. Errors: Cancelled. Thread: from the same thread as the two above.
    [[nodiscard]] Result<std::shared_ptr<const SidesViewData>>
    build_sides(const session::SnapshotPtr& snapshot, const ViewOptions& options, const Progress& progress);

    /// What can be done at the place that is asked about, and the step that is previewed: the last ones again when
    /// nothing they show has changed. Thread: from one thread at a time, any.
    struct Choices {
        std::shared_ptr<const MenuViewData> menu;
        std::shared_ptr<const PreviewViewData> preview;
        friend bool operator==(const Choices&, const Choices&) = default;
    };
    [[nodiscard]] Choices build_choices(const session::SnapshotPtr& snapshot, const ViewOptions& options);

    /// What the shown program touches, when that is wanted; the last one again when nothing it shows has changed.
    /// Thread: from one thread at a time, any.
    [[nodiscard]] std::shared_ptr<const AccessViewData> build_access(const session::SnapshotPtr& snapshot,
                                                                     const ViewOptions& options);

    /// Both trials that are opened side by side. Errors: Cancelled. Thread: from the same thread as build_comparison.
    [[nodiscard]] Result<std::shared_ptr<const DiffViewData>> build_pair(const ViewOptions& options,
                                                                         const Progress& progress);

    /// What a part was built from: addresses of shared values and option values. Equal keys mean equal parts, as long
    /// as the snapshot they were taken from lives.
    using Key = std::vector<std::uint64_t>;
    [[nodiscard]] static Key programs_key(const ViewOptions& options); ///< of `program_options`
    [[nodiscard]] static Key graph_key(const session::SnapshotPtr& snapshot, const ViewOptions& options);
    [[nodiscard]] static Key diff_key(const session::SnapshotPtr& snapshot, const ViewOptions& options);
    [[nodiscard]] static Key history_key(const session::SnapshotPtr& snapshot, const ViewOptions& options);
    [[nodiscard]] static Key choices_key(const session::SnapshotPtr& snapshot, const ViewOptions& options);
    [[nodiscard]] static Key pair_key(const ViewOptions& options);
    [[nodiscard]] static Key access_key(const session::SnapshotPtr& snapshot, const ViewOptions& options);
    [[nodiscard]] static Key sides_key(const session::SnapshotPtr& snapshot, const ViewOptions& options);

  private:
    template <class T> struct Part {
        Key key;
        std::shared_ptr<const T> data;
    };
    template <class T, class Build> std::shared_ptr<const T> part(Part<T>& kept, Key key, Build&& build);
    /// A part that is gone back to: undone, redone, another step, another kernel. Each keeps what its key points to.
    template <class T> struct RecentParts {
        struct Entry {
            Part<T> part;
            session::SnapshotPtr alive;
        };
        std::list<Entry> entries; ///< most recent first
        [[nodiscard]] std::shared_ptr<const T> last() const {
            return entries.empty() ? nullptr : entries.front().part.data;
        }
    };
    template <class T, class Build>
    std::shared_ptr<const T> recent(RecentParts<T>& kept, Key key, const session::SnapshotPtr& snapshot, Build&& build);
    Programs make_programs(const session::SnapshotPtr& snapshot, const ViewOptions& options);
    void build_code_parts(Screen& screen, const session::SnapshotPtr& snapshot, const ViewOptions& options);
    void follow_compiled(const session::Snapshot& snapshot);

    /// A graph that was drawn before; its snapshots keep the addresses in its key alive.
    struct Drawn {
        Key key;
        std::array<session::SnapshotPtr, 3> alive; ///< shown, and both sides of a comparison
        std::shared_ptr<const GraphViewData> data;
    };
    void keep_drawn(Drawn drawn);

    /// A recipe beside the open one, as it was drawn last.
    struct SidePart {
        Part<GraphViewData> graph;
        Key mapped; ///< the imports that `origins` is of
        session::SourceMap origins;
        std::array<session::SnapshotPtr, 2> alive;
    };
    Result<std::shared_ptr<const GraphViewData>> side_graph(std::size_t index, const session::SnapshotPtr& snapshot,
                                                            const ViewOptions& options, const Progress& progress);

    std::shared_ptr<layout::LayoutEngine> layouts_;
    CostBook costs_;
    std::list<Drawn> drawn_;                          ///< of the current recipe, most recent first
    session::SnapshotPtr last_, last_graph_snapshot_; ///< keep the addresses in keys alive
    /// The compiled model that is drawn: the last one while an edit of the same model is compiled.
    std::shared_ptr<const session::CompiledModel> compiled_;
    std::vector<std::shared_ptr<const void>> old_; ///< to be freed
    Programs programs_;                            ///< of the last screen
    Part<StagesViewData> stages_;
    RecentParts<TextViewData> tensor_, llvm_, assembly_;
    RecentParts<LoopViewData> loops_;
    RecentParts<MachineViewData> machine_;
    Part<MeasureViewData> measure_;
    Part<MenuViewData> menu_;
    Part<PreviewViewData> preview_;
    session::SnapshotPtr choices_alive_;
    Part<AccessViewData> access_;
    session::SnapshotPtr access_alive_;
    Part<InspectorViewData> inspector_;
    Part<MemoryViewData> memory_;
    Part<RunViewData> run_;
    Part<ProfileViewData> profile_;
    Part<TuneViewData> tune_;
    Part<DiffViewData> pair_;
    std::vector<session::SnapshotPtr> pair_alive_;
    Part<SearchViewData> search_;
    Part<ProblemsViewData> problems_;
    Part<ScriptViewData> script_;
    CommandBook commands_;
    Part<EditViewData> edit_;
    Part<GraphViewData> graph_;
    Part<DiffViewData> diff_;
    Part<HistoryViewData> history_;
    Part<SidesViewData> sides_;
    Part<Table> figures_;
    std::vector<SidePart> side_parts_; ///< parallel to SideOptions::others
    std::vector<session::SnapshotPtr> sides_alive_;
    CostBook side_costs_;
    std::vector<session::SnapshotPtr> graph_alive_, diff_alive_;
    session::SnapshotPtr history_alive_;
    std::shared_ptr<const StartViewData> start_;
};

} // namespace orrery::views
