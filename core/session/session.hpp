#pragma once
// A recipe being edited: undo and redo, background work, snapshots. The only thing views talk to.

#include "core/session/compiler.hpp"
#include "core/session/snapshot.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace orrery::tuning {
class TuningControl;
struct TunerOptions;
} // namespace orrery::tuning

namespace orrery::session {

/// Thread: commands come from one thread (the window's); the listener is called from worker threads.
/// Commands return at once; their results arrive as snapshots. A newer edit replaces work an older one asked for.
class Session {
  public:
    explicit Session(std::shared_ptr<Compiler> compiler);
    ~Session(); ///< cancels and joins

    using Listener = std::function<void(SnapshotPtr)>;
    void set_listener(Listener listener);
    [[nodiscard]] SnapshotPtr snapshot() const;

    /// Opens a model or a recipe file (by content). Clears the history.
    void open(const std::filesystem::path& path);
    void open_builtin(const std::string& network, std::uint64_t seed = 0);
    void open_recipe(Recipe recipe);
    void close();

    /// Changes the recipe, undoably. `label` is what Undo calls it. False when the change left it as it was: then no
    /// snapshot follows.
    bool edit(std::string label, const std::function<void(Recipe&)>& change);
    void undo();
    void redo();
    /// Undoes or redoes up to that entry of Snapshot::history.
    void go_to(std::size_t entry);
    [[nodiscard]] const Recipe& recipe() const;

    /// Asks for generated code of a function; it appears in `Snapshot::code`.
    void want_code(const std::string& function);
    /// Asks for its IR after one of the backend's passes; it appears in `Snapshot::after_pass`.
    void want_listing(const std::string& function, std::size_t pass);
    /// Runs on inputs of that seed, compiling first when needed.
    void run(std::uint64_t seed = 0);
    /// Runs many times and tells where the time goes: `Snapshot::profile`. `runs` of 0 are as many as take a second.
    void profile(std::uint64_t seed = 0, int runs = 0);
    /// Compares with the interpreter.
    void check(std::uint64_t seed = 0);
    /// Runs the module after each step on the same inputs; rows appear in `Snapshot::step_checks` one by one.
    void check_steps(std::uint64_t seed = 0);
    /// Runs the program after each step of a function's trace, quietly: the next edit ends it. Verdicts appear in
    /// `Snapshot::schedule_check`, a wrong step in `Snapshot::problems`. Programs that were checked are not run again.
    void check_schedule(const std::string& function);
    /// Measures the shown schedule of a function alone, in a process of its own, and keeps the record; what is known of
    /// its workload is then in `Snapshot::measurements`.
    void measure(const std::string& function);
    /// Asks for what is known of a function's workload without measuring.
    void want_measurements(const std::string& function);
    /// Tunes the model's kernels, or one of them, until the budget is spent: `Snapshot::tuning`. `threads` of 0 are the
    /// recipe's. The recipe stays as it is, and may be edited meanwhile.
    void tune(const tuning::TunerOptions& options, const std::string& only_function = {});
    /// What tells the tuning that was started last to pause, stop, pin; null when there was none.
    [[nodiscard]] std::shared_ptr<tuning::TuningControl> tuning_control() const;
    /// Looks for the first pass that breaks the numbers or fails.
    void bisect(std::uint64_t seed = 0);
    /// Stops a job, or all when 0.
    void cancel(std::uint64_t job = 0);
    /// Reports a user error of the window's own (a file that cannot be dropped).
    void report(Diagnostic problem);
    void clear_problems();
    /// Whether work is under way, also such as no snapshot tells of yet.
    [[nodiscard]] bool busy() const;
    /// Waits until no work is left. For tests and the command line.
    void wait_idle();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace orrery::session
