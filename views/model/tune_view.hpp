#pragma once
// A tuning while it runs: tasks, trials, knobs and failures as tables, the same as plots, and two trials side by side.

#include "views/model/roofline.hpp"
#include "views/model/table.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace orrery::session {
struct Snapshot;
}
namespace orrery::tuning {
struct TuningSnapshot;
}

namespace orrery::views {

/// What the dashboard looks at; plain, so that it is saved and compared.
struct TuneOptions {
    bool on = false; ///< it is shown
    std::string workload =
        {};               ///< of the task whose trials are listed; empty: that of the trial under way, else the first
    int trial = 0;        ///< the chosen one's number; 0: the task's best
    int beside = 0;       ///< the one it is compared with; 0: the trace in force before
    bool by_time = false; ///< the curve is drawn over seconds, not over trials
    friend bool operator==(const TuneOptions&, const TuneOptions&) = default;
};

enum class DotKind : std::uint8_t { Searched, Baseline, Seed, Other };
struct PlotDot {
    double x = 0, y = 0;
    int trial = 0; ///< its number; 0 for none
    DotKind kind = DotKind::Searched;
};
struct PlotLine {
    std::string name;
    std::vector<PlotDot> dots; ///< from left to right; the value stays from one to the next
    bool chosen = false;       ///< of the task that is looked at
};
/// Axes are logarithmic where said. Ranges are never empty and hold everything.
struct Plot {
    std::string title, x_title, y_title, note;
    bool log_x = false, log_y = false, diagonal = false;
    double low_x = 0, high_x = 1, low_y = 0, high_y = 1;
    std::vector<PlotLine> lines;
    std::vector<PlotDot> dots;
    std::string empty_reason; ///< when there is nothing to draw
    [[nodiscard]] bool empty() const { return lines.empty() && dots.empty(); }
};

/// One value of a knob, over all trials that had it.
struct KnobCell {
    std::int64_t value = 0;
    double best_ms = 0; ///< 0 until one was Ok
    int trials = 0;
    float heat = -1;                   ///< 1 for the fastest of the task, 0 for the slowest; negative when not known
    bool pinned = false, best = false; ///< the best trial has it
};
struct KnobLine {
    std::string name;
    std::vector<KnobCell> cells; ///< by value
};

struct BudgetBar {
    std::string name, workload;
    int trials = 0, failed = 0;
    double gain_ms = 0; ///< expected of its next round
    bool chosen = false;
};

struct TuneViewData {
    std::string summary; ///< "searching · 24 of 64 trials · 31 s · 4.12 → 2.31 ms estimated"
    std::string note;    ///< what it is doing, or why it ended
    std::string problem; ///< why records are not kept, or why the search is another; empty otherwise
    bool running = false, paused = false;
    bool can_start = false;
    std::string why_not;  ///< when it cannot
    int improvements = 0; ///< traces faster than those in force: what applying changes
    double fraction = -1; ///< of the budget; negative when there is none

    Table tasks;
    std::vector<std::string> workloads, functions; ///< parallel to the tasks' rows
    int task = -1;                                 ///< row that is looked at
    Table trials;                                  ///< of that task, newest first
    std::vector<int> numbers;                      ///< parallel to its rows
    int chosen = 0, beside = 0;                    ///< trial numbers; 0 for none
    Table knobs;                                   ///< a row for each value of each knob of that task
    struct KnobPlace {
        std::string knob;
        std::int64_t value = 0;
        bool pinned = false;
    };
    std::vector<KnobPlace> knob_places; ///< parallel to the knobs' rows
    Table failures;                     ///< of all tasks, by reason
    Table pair;                         ///< the chosen trial beside another: figures, knobs
    std::string chosen_trace, beside_trace;

    Plot best, predicted;
    std::vector<KnobLine> heat;
    std::vector<BudgetBar> budget;
    Roofline roofline; ///< `row` is one of `trials`; -2 for points of other tasks
};

[[nodiscard]] TuneViewData build_tune(const session::Snapshot& snapshot, const TuneOptions& options);
/// Without a session: nothing can be started or applied.
[[nodiscard]] TuneViewData build_tune(const tuning::TuningSnapshot& tuning, const TuneOptions& options);

[[nodiscard]] std::string to_text(const TuneViewData& data);
[[nodiscard]] std::string to_json(const TuneViewData& data);

} // namespace orrery::views
