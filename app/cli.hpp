#pragma once
// The command line as plain structs, one a subcommand; parsing in cli.cpp, doing in commands_*.cpp.

#include "core/base/result.hpp"
#include "core/session/compiler.hpp"
#include "core/session/recipe.hpp"
#include "core/session/recipe_arguments.hpp"
#include "core/session/snapshot.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace orrery::app {

/// Exit statuses of every subcommand.
enum ExitStatus : int { kDone = 0, kUserError = 1, kInternalError = 2 };

/// What chooses a recipe, shared by most subcommands.
struct ModelArguments {
    /// A model, recipe or tensor program file, a built-in network's name, "gallery:NAME", or "scratch:TEXT".
    std::string model;
    std::vector<std::string> shapes; ///< "name=1,3,224,224"
    std::string target;              ///< as parse_target reads it; empty for the host
    std::string recipe;              ///< a recipe file whose everything but the model is taken
    session::RecipeArguments edits;  ///< -O, --pass and the like
    std::string precision;           ///< "bf16" or "f16", or empty for f32
    std::string partition;           ///< region backend that takes parts of the graph; empty for none
    std::string rule;                ///< "default", "rules", "none" or empty for the recipe's own
    int threads = 0;
    std::uint64_t seed = 0;
    bool no_cache = false; ///< leave the disk cache alone
    bool json = false;
};

struct NewArguments {
    std::string name, output;
    std::uint64_t seed = 0;
    bool json = false;
};
struct ShowArguments : ModelArguments {
    std::string at = "graph", after, function;
};
struct RunArguments : ModelArguments {
    std::vector<std::string> inputs; ///< "NAME=FILE", or FILE for the only input
    std::string output;
    int top = 0;
    std::string labels;
    std::vector<float> mean, deviation;
    std::string layout = "NCHW", order = "RGB";
};
struct CheckArguments : RunArguments {
    double tolerance = 1e-4;
    bool steps = false; ///< the module after each pass instead of each kernel
};
struct BisectArguments : ModelArguments {
    double tolerance = 1e-4;
};
struct BenchArguments : ModelArguments {
    int runs = 20;
};
struct MeasureArguments : ModelArguments {
    std::string function; ///< the costliest when empty
    double seconds = 1;   ///< of timed runs, at most
    double deadline = 30; ///< Units: seconds
    bool history = false; ///< what is known, nothing is run
    bool no_peaks = false;
};
struct ProfileArguments : ModelArguments {
    int runs = 0; ///< 0: as many as take a second
    bool no_peaks = false;
};
struct CompileArguments : ModelArguments {
    std::string output;
};
struct ConformanceArguments {
    std::string folder;
    bool interpreter = false;
    bool json = false;
};
struct DumpArguments : ModelArguments {
    std::string view, format = "text", function, value;
    std::string after, overlay, group_by = "blocks";
};
struct ExportArguments : ModelArguments {
    std::string view = "graph", format, output, after, overlay, group_by, theme = "light";
    double scale = 2;  ///< of .png. Units: pixels a unit
    bool open = false; ///< all groups open
};
struct DiffArguments : ModelArguments {
    std::string other; ///< second model or recipe; empty: two points of one
    std::string other_target, other_rule;
    int other_level = -1;
    std::string at; ///< "STEP..STEP"
    std::string format = "text", output;
};
struct CompareArguments : ModelArguments {
    std::vector<std::string> others;
    bool graphs = false; ///< the graph of each, with what in it stands for which node of the first
};
struct HistoryArguments : ModelArguments {
    std::string value, at = "last";
};
struct ProvenanceArguments : ModelArguments {
    bool kernels = false; ///< a row for each kernel, not only the sums
};
struct CaptureArguments : ModelArguments {
    std::string layout = "Schedule", output, size, theme, function;
};
struct WindowArguments : ModelArguments {
    std::string config;
    bool no_config = false;
};

int command_new(const NewArguments& arguments);
int command_show(const ShowArguments& arguments);
int command_run(const RunArguments& arguments);
int command_check(const CheckArguments& arguments);
int command_check_steps(const CheckArguments& arguments);
int command_bisect(const BisectArguments& arguments);
int command_bench(const BenchArguments& arguments);
int command_measure(const MeasureArguments& arguments);
int command_profile(const ProfileArguments& arguments);
int command_compile(const CompileArguments& arguments);
int command_conformance(const ConformanceArguments& arguments);
int command_gallery(const std::string& name, bool json);
int command_ops(const std::string& name, bool json);
int command_export(const ExportArguments& arguments);
int command_dump(const DumpArguments& arguments);
int command_diff(const DiffArguments& arguments);
int command_compare(const CompareArguments& arguments);
int command_history(const HistoryArguments& arguments);
int command_provenance(const ProvenanceArguments& arguments);
int command_capture(const CaptureArguments& arguments);
int command_window(const WindowArguments& arguments);

/// Parses and does one command line. Thread: main.
int run_command_line(int argc, char** argv);

// -------------------------------------------------------------------- shared by the commands

/// A compiler for this machine with the disk cache the arguments ask for.
[[nodiscard]] std::shared_ptr<session::Compiler> make_compiler(const ModelArguments& arguments);
/// The recipe that the arguments describe. Errors: FileMissing, BadArgument, BadRecipe; that of a schedule on the
/// command line which its function refuses.
[[nodiscard]] Result<session::Recipe> make_recipe(const ModelArguments& arguments, session::Compiler& compiler);
/// The same for views, which show a refused schedule beside what it is of.
[[nodiscard]] Result<session::Recipe> make_shown_recipe(const ModelArguments& arguments, session::Compiler& compiler);
/// Steps, tensor programs and schedules of a recipe, without compiling it. What fails after the import is in
/// `problems`.
[[nodiscard]] Result<std::shared_ptr<session::Snapshot>> snapshot_of(const session::Recipe& recipe,
                                                                     session::Compiler& compiler);
/// Fixes the shapes of inputs that are given as arrays, so that a model with symbolic extents is compiled for them.
/// Errors: those of reading the files.
[[nodiscard]] Result<void> bind_shapes(const RunArguments& arguments, session::Recipe& recipe);
/// Arrays for the model's inputs: files given, the rest drawn from the seed.
[[nodiscard]] Result<std::vector<NDArray>> make_inputs(const RunArguments& arguments,
                                                       const session::CompiledModel& model);
/// The step `after` names ("FuseOps", "FoldConstant#2", "import"): the last of a name without a number; the last step
/// when empty. Errors: UnknownName with the steps there are.
[[nodiscard]] Result<std::size_t> find_step(const session::Steps& steps, const std::string& after);
/// Writes the diagnostic to standard error, or as JSON to standard output; returns kUserError.
int fail(const Diagnostic& error, bool json);

} // namespace orrery::app
