#pragma once
// What can be seen of a tuning, and what can be told to it while it runs: plain values, and a mailbox.

#include "core/base/progress.hpp"
#include "core/schedule/trace.hpp"
#include "core/tuning/measurement.hpp"
#include "core/tuning/peaks.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::tuning {

/// How candidates are found.
enum class SearchKind : std::uint8_t {
    Random,  ///< drawn evenly
    Grid,    ///< in order, evenly spaced over each space
    Genetic, ///< bred from the fastest measured
    Model,   ///< bred by what a learned model predicts, the most promising measured
};
/// "random", "grid", "genetic", "model".
[[nodiscard]] const char* search_name(SearchKind kind);
[[nodiscard]] std::optional<SearchKind> parse_search(std::string_view name);

/// A knob's name and its decision.
struct KnobValue {
    std::string name;
    std::int64_t value = 0;
    friend bool operator==(const KnobValue&, const KnobValue&) = default;
};

/// Why a candidate was tried.
enum class TrialKind : std::uint8_t {
    Baseline, ///< the trace in force before
    Known,    ///< the best that records have
    Seed,     ///< a trace of the user's, or of another workload
    Searched,
};
/// "baseline", "known", "seed", "searched".
[[nodiscard]] const char* trial_name(TrialKind kind);

/// One candidate and how it ended. Never changes once it is in a snapshot.
struct Trial {
    int number = 0;               ///< from 1, over all tasks; TuningSnapshot::trials[number - 1]
    std::size_t task = 0;         ///< index into TuningSnapshot::tasks
    std::size_t space = 0;        ///< index into TaskProgress::spaces; no_space for a trace that is in none
    std::vector<KnobValue> knobs; ///< of its space, in the order of SpaceInfo::knobs
    std::string trace;            ///< as text, closed
    TrialKind kind = TrialKind::Searched;
    std::optional<double> predicted_ms; ///< by the model, before it was measured
    Outcome outcome = Outcome::Ok;
    std::string reason;     ///< of an outcome that is not Ok
    Times times;            ///< of one that is Ok or a WrongAnswer; one run only when it was clearly too slow
    bool improved = false;  ///< it became its task's best, in runs by turns with the best before
    double busy_others = 0; ///< cores that other processes kept busy meanwhile
    double at_seconds = 0;  ///< when it was done, since the tuning began
    double compile_seconds = 0, measure_seconds = 0;
    std::int64_t record = 0; ///< its row in the database; 0 for none
    static constexpr std::size_t no_space = static_cast<std::size_t>(-1);
};
using TrialPtr = std::shared_ptr<const Trial>;

/// A knob of a space.
struct KnobInfo {
    std::string name;
    std::vector<std::int64_t> candidates;
    std::optional<std::int64_t> pinned; ///< by the user: no other value is tried
};
struct SpaceInfo {
    std::string name;
    std::uint64_t size = 0; ///< decisions it allows
    std::vector<KnobInfo> knobs;
};

/// The best of a task after a trial that improved on it.
struct BestPoint {
    int trial = 0;           ///< its number
    int own = 0;             ///< how many trials of its task there were by then
    double seconds = 0;      ///< since the tuning began
    double milliseconds = 0; ///< median
};

/// How far one workload is.
struct TaskProgress {
    std::string workload, function; ///< hash in hexadecimal; its first name in the model
    std::size_t calls = 1;          ///< in one run of the model
    double flops = 0, bytes = 0;    ///< of one call: operations; distinct bytes of parameters read and written
    /// Null until it is first searched; a new one when a knob was pinned or a seed opened.
    std::shared_ptr<const std::vector<SpaceInfo>> spaces;
    double before_ms = 0;        ///< of the trace in force before, in runs by turns with the best; 0 until known
    double best_ms = 0;          ///< 0 until there is one
    std::string best_trace;      ///< as text
    int best_trial = 0;          ///< its number; 0 for none
    int trials = 0, failed = 0;  ///< those done; of these, those that are not Ok
    int budget = 0;              ///< trials given to it so far, those under way included
    double seconds = 0;          ///< spent on it
    double expected_gain_ms = 0; ///< of the model's time by its next round: what the budget is split by
    bool exhausted = false;      ///< every candidate was tried
    std::vector<BestPoint> best_so_far;
};

enum class TuningPhase : std::uint8_t {
    Starting,
    Searching, ///< candidates are looked for
    Compiling,
    Measuring,
    Waiting, ///< until the machine is less busy
    Paused,
    Done,
};
/// "starting", "searching", ...
[[nodiscard]] const char* phase_name(TuningPhase phase);

/// A tuning at one moment. Immutable; later ones share what did not change.
struct TuningSnapshot {
    std::uint64_t revision = 0; ///< grows with every snapshot
    TuningPhase phase = TuningPhase::Starting;
    std::string doing;               ///< "conv2d_add_relu_3: measuring 4 of 16"; why it ended, when it is done
    std::vector<TaskProgress> tasks; ///< in the order they were given
    std::vector<TrialPtr> trials;    ///< in the order they ended
    SearchKind search = SearchKind::Model;
    std::string search_note; ///< why the search is not the one asked for; empty when it is
    int threads = 1;
    int trial_budget = 0;     ///< 0 for none
    double second_budget = 0; ///< 0 for none
    double seconds = 0;       ///< since it began, pauses left out
    double measuring_seconds = 0, compiling_seconds = 0, searching_seconds = 0, waiting_seconds = 0;
    double model_error = 0;     ///< of predicted against measured, median of the last trials, as a share; 0: none
    std::optional<Peaks> peaks; ///< this machine's, for the roofline
    double before_ms = 0, estimate_ms = 0; ///< sums over all tasks of calls by time: before, and with the best
    std::string problem;                   ///< why records are not kept; empty when they are
};
using TuningSnapshotPtr = std::shared_ptr<const TuningSnapshot>;

/// Told of every snapshot, in order, by the thread that tunes: it should only hand it on.
using TuningObserver = std::function<void(TuningSnapshotPtr)>;

/// What is told to a running tuning. Thread: any.
class TuningControl {
  public:
    void pause(); ///< after the trial under way
    void resume();
    void stop(); ///< after the trial under way; what was found is the result
    [[nodiscard]] bool paused() const;
    [[nodiscard]] bool stopping() const;
    /// Only this value of a knob is tried from now on, in every space of the workload that has the knob; nullopt frees
    /// it. Unknown names are left aside.
    void pin(const std::string& workload, const std::string& knob, std::optional<std::int64_t> value);
    /// A trace to be tried next; its numbers are opened and searched around.
    void seed(const std::string& workload, schedule::Trace trace);
    /// The last snapshot; null before the first.
    [[nodiscard]] TuningSnapshotPtr latest() const;

    /// For whoever tunes: what was told since the last time.
    struct Pin {
        std::string workload, knob;
        std::optional<std::int64_t> value;
    };
    struct Seed {
        std::string workload;
        schedule::Trace trace;
    };
    struct Told {
        std::vector<Pin> pins;
        std::vector<Seed> seeds;
    };
    [[nodiscard]] bool told() const; ///< whether a pin or a seed was told since the last take()
    [[nodiscard]] Told take();
    void publish(TuningSnapshotPtr snapshot);

  private:
    mutable std::mutex mutex_;
    bool paused_ = false, stopping_ = false;
    Told told_;
    TuningSnapshotPtr latest_;
};

/// Whom a tuning listens to and tells.
struct TuningLink {
    TuningControl& control;
    TuningObserver observer = {}; ///< may be empty
    Progress progress = {};       ///< its stop request ends the tuning at once, with the trial under way lost
};

} // namespace orrery::tuning
