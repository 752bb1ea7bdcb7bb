#pragma once
// The stages from model file to running code, as values.

#include "core/base/progress.hpp"
#include "core/base/result.hpp"
#include "core/graph/node.hpp"
#include "core/lower/lower.hpp"
#include "core/pass/record.hpp"
#include "core/runtime/executor.hpp"
#include "core/schedule/trace.hpp"
#include "core/target/backend.hpp"
#include "core/target/region.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/text.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace orrery::session {

/// One graph-level step: the import, or a pass.
struct GraphStep {
    std::string name;     ///< "import", "FoldConstant", ...
    graph::Module module; ///< after the step; its input when it failed
    bool enabled = true;  ///< a disabled pass leaves the module as it was
    bool changed = false;
    double milliseconds = 0;
    std::size_t operators = 0; ///< operator calls in the whole module
    std::vector<pass::Rewrite> rewrites;
    std::optional<Diagnostic> error; ///< later steps are then missing
};

using Steps = std::vector<std::shared_ptr<const GraphStep>>;

/// A distinct tensor program with its schedule applied.
struct ScheduledFunction {
    lower::LoweredFunction lowered;
    schedule::Trace trace;
    bool trace_is_default = true;
    schedule::Replay replay;        ///< programs after each step; [0] is the lowered one
    tensor::PrintedProgram printed; ///< of the result: what debug locations refer to
    tensor::Cost cost;
    double milliseconds = 0;         ///< of scheduling
    std::optional<Diagnostic> error; ///< of the first step that could not be applied; the program before it is used
    [[nodiscard]] const tensor::Program& program() const { return replay.result(); }
};
using FunctionPtr = std::shared_ptr<const ScheduledFunction>;

using orrery::FunctionCode;

/// Milliseconds by stage; "import", "passes", "lower", "schedule", "codegen", "constants" (those that passes put
/// off), "link".
using StageTimes = std::vector<std::pair<std::string, double>>;

class DynamicModel;

/// A model ready to run.
struct CompiledModel {
    /// Set when the model is not one static plan. `model` and `functions` are then empty, and the executable's plan
    /// holds nothing but inputs and outputs, open extents being -1.
    std::shared_ptr<const DynamicModel> dynamic;
    lower::LoweredModel model;
    std::vector<FunctionPtr> functions; ///< parallel to model.functions
    std::vector<KernelObject> objects;  ///< parallel to model.functions; of regions, only name and workspace
    std::vector<std::shared_ptr<const RegionCode>> regions; ///< parallel to model.functions; null for kernels
    std::shared_ptr<const runtime::Executable> executable;
    std::optional<Diagnostic> foreign; ///< why its code cannot run on this machine; the executable has no kernels then
    std::vector<std::string> output_names;
    std::shared_ptr<const std::vector<graph::Source>> sources;
    StageTimes times;
    std::size_t constant_bytes = 0;
    std::size_t functions_from_cache = 0; ///< of the disk cache
};

/// One run of a compiled model.
struct RunResult {
    std::vector<std::string> input_names, output_names;
    std::vector<NDArray> inputs, outputs;
    double milliseconds = 0;
    struct StepTime {
        std::size_t call = 0; ///< index into LoweredModel::calls
        double microseconds = 0;
    };
    std::vector<StepTime> steps;
    std::size_t peak_bytes = 0; ///< arena
};

/// Compiled results against the interpreter's, kernel by kernel.
struct CheckResult {
    struct Row {
        std::string name;     ///< of the binding
        std::string function; ///< of the tensor program
        OriginSet origin;
        Difference difference;
        bool agrees = false;
        double rounding = 0; ///< what the types of its program may lose, see tensor::rounding_unit
    };
    std::vector<Row> rows;           ///< in order of execution
    std::ptrdiff_t first_wrong = -1; ///< index into rows, -1 when all agree
    double worst = 0;                ///< largest max_rel
    double tolerance = 0;
};

} // namespace orrery::session
