#pragma once
// What views see: one immutable picture of a session, partly filled while work goes on.

#include "core/session/check_schedule.hpp"
#include "core/session/check_steps.hpp"
#include "core/session/measure.hpp"
#include "core/session/recipe.hpp"
#include "core/session/stages.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace orrery::tuning {
struct TuningSnapshot;
}

namespace orrery::session {

struct Profile;

/// A piece of work under way.
struct JobStatus {
    std::uint64_t id = 0;
    std::string label;   ///< "compiling resnet50"
    std::string detail;  ///< "conv2d_add_relu_3, 12 of 25"
    double fraction = 0; ///< [0, 1]; negative when unknown
    double seconds = 0;
    bool quiet = false; ///< it was not asked for, and holds nobody up
};

/// The recipe as it was after an action, undone ones included.
struct HistoryEntry {
    std::string label;                    ///< what the action is called; "open" for the first
    std::shared_ptr<const Recipe> recipe; ///< the same object in every history that has the entry
};
struct History {
    std::vector<HistoryEntry> entries;
    std::size_t current = 0; ///< the entry whose recipe is in force
};

/// The backend's IR of one function after one of its own passes.
struct PassListing {
    std::string function;
    std::size_t pass = 0;                   ///< index into FunctionCode::passes
    std::shared_ptr<const Listing> listing; ///< null until it is made
};

/// Members are null or empty until their stage is done; what is there belongs to `recipe`.
struct Snapshot {
    std::uint64_t revision = 0; ///< grows with every new snapshot
    Recipe recipe;
    Target host;                                         ///< this machine: what command lines leave out
    std::string title;                                   ///< the model's file name, or the built-in's
    std::vector<std::shared_ptr<const GraphStep>> steps; ///< [0] is the import
    std::shared_ptr<const lower::LoweredModel> lowered;
    std::vector<FunctionPtr> functions;                              ///< parallel to lowered->functions
    std::map<std::string, std::shared_ptr<const FunctionCode>> code; ///< by function name, those asked for
    PassListing after_pass;                                          ///< the one asked for last
    std::shared_ptr<const CompiledModel> compiled;
    std::shared_ptr<const RunResult> run;
    std::shared_ptr<const Profile> profile;
    std::shared_ptr<const CheckResult> check;
    std::shared_ptr<const StepChecks> step_checks; ///< of `steps`, as far as they are done
    std::shared_ptr<const Bisection> bisection;
    /// Of one function, as far as it is done. It may be of an earlier edit: what it says of a program holds wherever
    /// that program stands in a trace.
    std::shared_ptr<const ScheduleCheck> schedule_check;
    std::shared_ptr<const Measurements> measurements; ///< of the workload asked for last
    /// The last one of this model, running or done. It may be of an earlier edit: workloads tell what it is of.
    std::shared_ptr<const tuning::TuningSnapshot> tuning;
    std::shared_ptr<const History> history = std::make_shared<History>();
    std::vector<Diagnostic> problems;
    std::vector<JobStatus> jobs;
    std::string undo_label, redo_label; ///< empty when there is nothing to undo or redo
    std::size_t rebuilt_functions = 0;  ///< compiled anew by the last edit
    double rebuild_ms = 0;

    [[nodiscard]] bool has_model() const { return !steps.empty(); }
    /// The module shown by default: after the last step. Pre: has_model().
    [[nodiscard]] const graph::Module& final_module() const { return steps.back()->module; }
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

} // namespace orrery::session
