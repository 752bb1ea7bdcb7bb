#pragma once
// Every action of the window, from one table: menus, palette, key list and shortcuts are made of it.

#include "views/qt/command_palette.hpp"
#include "views/qt/key_list.hpp"

#include <QAction>
#include <QObject>

#include <span>
#include <unordered_map>
#include <vector>

namespace orrery::app {

enum class ActionId {
    Open,
    NewScratchpad,
    Reload,
    SaveRecipe,
    Export,
    CloseModel,
    Quit,
    Undo,
    Redo,
    InsertPass,
    RemovePass,
    SwitchPass,
    MoveEarlier,
    MoveLater,
    PassOptions,
    EditText,
    CopyCommand,
    Run,
    Profile,
    Tune,
    Check,
    CheckSteps,
    Bisect,
    Cancel,
    FocusGraph,
    FocusTensor,
    FocusLoops,
    FocusCode,
    FocusBottom,
    FocusInspector,
    FocusScratch,
    FocusStages,
    FilterStages,
    ChangedOnly,
    NextPane,
    PreviousPane,
    NextStage,
    PreviousStage,
    NextChanged,
    PreviousChanged,
    Back,
    Forward,
    Find,
    FindNext,
    FindPrevious,
    GoTo,
    GoToFunction,
    Palette,
    Keys,
    FitAll,
    FitSelection,
    ZoomIn,
    ZoomOut,
    ZoomReset,
    Inputs,
    Readers,
    ToggleGroup,
    OpenGroups,
    CloseGroups,
    GroupRepeats,
    ShowConstants,
    Heat,
    OverlayLatency,
    OverlayFlops,
    OverlayBytes,
    OverlayIntensity,
    OverlayError,
    GroupBlocks,
    GroupModules,
    GroupOnlyRepeats,
    GroupKernels,
    GroupBackends,
    ExportGraph,
    ApplyPrimitive,
    EditStep,
    RemoveStep,
    NextStep,
    PreviousStep,
    KeepTrace,
    ResetSchedule,
    Measure,
    AttSyntax,
    FoldAll,
    UnfoldAll,
    ExpandStages,
    LayoutExplore,
    LayoutPasses,
    LayoutSchedule,
    LayoutRun,
    LayoutCompare,
    LayoutScratch,
    LayoutProfile,
    LayoutTune,
    LayoutVta,
    ResetLayout,
    ShowGraph,
    ShowCode,
    ShowBottom,
    ShowInspector,
    ShowOperators,
    ShowScript,
    ShowMachine,
    ShowMeasurements,
    ShowAccess,
    DarkTheme,
    ColourBlind,
    LargerCode,
    SmallerCode,
    CompareFile,
    CompareFrozen,
    CompareUnscheduled,
    CompareUnoptimized,
    StopComparing,
    PinLeft,
    SwapSides,
    NextChange,
    PreviousChange,
    ExportDiff,
    History,
};

struct ActionRow {
    ActionId id;
    const char* section;
    const char* text;
    const char* keys;    ///< portable text; empty for none
    bool canvas = false; ///< the key acts only while a canvas has the focus
    bool checkable = false;
};

/// In the order in which menus and lists show them.
[[nodiscard]] std::span<const ActionRow> action_rows();

/// The QActions of the table, owned by the window.
class Actions {
  public:
    explicit Actions(QWidget* window);
    [[nodiscard]] QAction* operator[](ActionId id) const { return actions_.at(static_cast<int>(id)); }
    void on(ActionId id, std::function<void()> run);
    void on_toggled(ActionId id, std::function<void(bool)> run);
    /// Enables, or disables with the reason that the palette and tooltips give.
    void enable(ActionId id, bool on, const QString& why_not = {});
    [[nodiscard]] std::vector<QAction*> all() const;
    [[nodiscard]] std::vector<qt::PaletteEntry> palette() const;
    [[nodiscard]] std::vector<qt::KeyRow> keys() const;

  private:
    std::unordered_map<int, QAction*> actions_;
};

} // namespace orrery::app
