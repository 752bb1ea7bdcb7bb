#pragma once
// What views see: one immutable picture of a session, partly filled while work goes on.

#include "core/session/recipe.hpp"
#include "core/session/stages.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace orrery::session {

/// A piece of work under way.
struct JobStatus {
    std::uint64_t id = 0;
    std::string label;   ///< "compiling resnet50"
    std::string detail;  ///< "conv2d_add_relu_3, 12 of 25"
    double fraction = 0; ///< [0, 1]; negative when unknown
    double seconds = 0;
};

/// Members are null or empty until their stage is done; what is there belongs to `recipe`.
struct Snapshot {
    std::uint64_t revision = 0; ///< grows with every new snapshot
    Recipe recipe;
    std::string title;                                   ///< the model's file name, or the built-in's
    std::vector<std::shared_ptr<const GraphStep>> steps; ///< [0] is the import
    std::shared_ptr<const lower::LoweredModel> lowered;
    std::vector<FunctionPtr> functions;                              ///< parallel to lowered->functions
    std::map<std::string, std::shared_ptr<const FunctionCode>> code; ///< by function name, those asked for
    std::shared_ptr<const CompiledModel> compiled;
    std::shared_ptr<const RunResult> run;
    std::shared_ptr<const CheckResult> check;
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
