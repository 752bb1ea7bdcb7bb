#pragma once
// Computes stages from a recipe, each cached under the hash of what it was computed from.

#include "core/session/recipe.hpp"
#include "core/session/stages.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace orrery::session {

/// Thread: all calls may come from several threads at once; equal work is done once.
class Compiler {
  public:
    struct Options {
        std::filesystem::path disk_cache;                ///< folder for compiled kernels; empty for none
        std::size_t memory_limit = std::size_t{2} << 30; ///< of cached stages. Units: bytes
        int workers = 0;                                 ///< threads that compile; 0 for all cores
    };
    Compiler(std::shared_ptr<const Backend> backend, Options options);
    ~Compiler();

    [[nodiscard]] const Backend& backend() const;
    /// A recipe for that model with the default pipeline and the host as target.
    [[nodiscard]] Recipe new_recipe(const std::filesystem::path& model) const;

    using StepSink = std::function<void(std::shared_ptr<const GraphStep>)>;
    /// Import and passes. `sink`, when given, sees each step as it is done. A pass that fails ends the list with its
    /// error. Errors: those of the import.
    [[nodiscard]] Result<Steps> graph_steps(const Recipe& recipe, const Progress& progress, const StepSink& sink = {});

    /// Lowered and scheduled programs of a fused module.
    struct Functions {
        std::shared_ptr<const lower::LoweredModel> model;
        std::vector<FunctionPtr> functions; ///< parallel to model->functions
        double lower_ms = 0, schedule_ms = 0;
    };
    [[nodiscard]] Result<Functions> functions(const Recipe& recipe, const graph::Module& fused,
                                              const Progress& progress);

    /// `early`: see Backend::list_all; not called for code that was made before.
    [[nodiscard]] Result<std::shared_ptr<const FunctionCode>> code(const Recipe& recipe, const FunctionPtr& function,
                                                                   const CodeSink& early = {});
    /// The same when it was generated before and is still kept; null otherwise. Never waits.
    [[nodiscard]] std::shared_ptr<const FunctionCode> code_if_ready(const Recipe& recipe, const FunctionPtr& function);
    /// A program as machine code, for the recipe's target; a kernel that was compiled before is taken from the cache.
    [[nodiscard]] Result<std::shared_ptr<const KernelObject>>
    kernel(const Recipe& recipe, const tensor::Program& program, const Progress& progress);
    /// The backend's IR after one of its own passes, an index into FunctionCode::passes.
    [[nodiscard]] Result<std::shared_ptr<const Listing>> code_after(const Recipe& recipe, const FunctionPtr& function,
                                                                    std::size_t pass);
    /// Everything, ready to run. A model that is not static is compiled part by part while it runs: then
    /// CompiledModel::dynamic is set. Errors: those of every stage.
    [[nodiscard]] Result<std::shared_ptr<const CompiledModel>> compile(const Recipe& recipe, const Progress& progress,
                                                                       const StepSink& sink = {});
    /// The same for a module that was imported elsewhere; the recipe's model is not read.
    [[nodiscard]] Result<std::shared_ptr<const CompiledModel>>
    compile_module(const Recipe& recipe, const graph::Module& imported, const Progress& progress);

  private:
    struct State;
    explicit Compiler(std::shared_ptr<State> state) : state_(std::move(state)) {}
    Result<std::shared_ptr<const CompiledModel>> compile_steps(const Recipe& recipe, const Steps& steps,
                                                               const Progress& progress);
    std::shared_ptr<const CompiledModel> compile_dynamic(const Recipe& recipe, const Steps& steps) const;
    std::shared_ptr<State> state_; ///< models that compile while they run share it
};

/// Inputs drawn from a seed: floats uniform in [-1, 1), integers 0 or 1, the same on every machine.
/// Pre: every extent is known.
[[nodiscard]] std::vector<NDArray> seeded_inputs(const runtime::Plan& plan, std::uint64_t seed);
/// The same for a module's parameters. Errors: UnsupportedFeature for one whose shape is not known.
[[nodiscard]] Result<std::vector<NDArray>> seeded_inputs(const graph::FunctionNode& main, std::uint64_t seed);
/// The same for any model. Errors: BadShape naming inputs with open extents, and the option that binds them.
[[nodiscard]] Result<std::vector<NDArray>> drawn_inputs(const CompiledModel& model, std::uint64_t seed);
/// Runs once, timing each kernel. Errors: BadShape, BadType for inputs that do not fit; Cancelled.
[[nodiscard]] Result<RunResult> run(const CompiledModel& model, std::span<const NDArray> inputs, int threads,
                                    const Progress& progress);
/// Runs each kernel of the model on the reference's values and compares. Tolerance is relative to the largest
/// element of each result. Of a dynamic model: the kernels of each part at the shapes it meets first, and the outputs.
[[nodiscard]] Result<CheckResult> check(const CompiledModel& model, std::span<const NDArray> inputs, double tolerance,
                                        const Progress& progress);

} // namespace orrery::session
