#pragma once
// A model whose shapes are known when it runs: its program, and the regions of it that were compiled so far.

#include "core/graph/node.hpp"
#include "core/graph/symbols.hpp"
#include "core/session/program.hpp"

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace orrery::session {

/// A region, or a single step, for certain shapes: compiled, or interpreted when there is next to nothing to do.
struct SpecializedRegion {
    graph::Function function;                      ///< all types static
    std::shared_ptr<const CompiledModel> compiled; ///< null: interpreted
    std::vector<std::size_t> params;               ///< of a single step: the operands that are its parameters
};
using RegionPtr = std::shared_ptr<const SpecializedRegion>;

/// Thread: any; equal regions may be compiled twice at once, the kernels in them are not.
class DynamicModel {
  public:
    using Compile = std::function<Result<std::shared_ptr<const CompiledModel>>(const graph::Module&, const Progress&)>;
    /// Regions with open types that handle no more elements are interpreted. Source: our choice; compiling takes some
    /// 10 ms, in which the interpreter computes as many elements many times over. What is interpreted depends on shapes
    /// alone, so that a run gives the same every time.
    static constexpr std::int64_t kInterpretedElements = 4096;
    /// `imported` is what the interpreter takes for the model's meaning; `optimized` is what runs.
    DynamicModel(graph::Module imported, const graph::Module& optimized, Compile compile,
                 std::int64_t interpreted_elements = kInterpretedElements);

    [[nodiscard]] const graph::Module& imported() const { return imported_; }
    [[nodiscard]] const Program& program() const { return *program_; }
    /// Errors: those of specialization and of every stage.
    [[nodiscard]] Result<RegionPtr> region(const graph::Function& function, std::span<const NDArray> args,
                                           const Progress& progress) const;
    /// A call whose extents depend on its operands' values. Errors: the same.
    [[nodiscard]] Result<RegionPtr> single(const graph::CallOp& call, std::span<const NDArray> args,
                                           const Progress& progress) const;
    /// How many different regions were specialized.
    [[nodiscard]] std::size_t specialized() const;

  private:
    struct Entry {
        graph::Expr keep_call;
        graph::Function keep; ///< the key is its address
        RegionPtr region;
        std::list<Hash>::iterator use;
    };
    RegionPtr find(const Hash& key) const;
    Result<RegionPtr> finish(SpecializedRegion region, bool open, const Progress& progress) const;
    void put(const Hash& key, Entry entry) const;

    graph::Module imported_;
    ProgramPtr program_;
    Compile compile_;
    std::int64_t interpreted_elements_;
    mutable std::mutex mutex_;
    mutable std::unordered_map<Hash, Entry> regions_;
    mutable std::list<Hash> uses_; ///< most recent first
    mutable std::size_t specialized_ = 0;
};

/// Symbols and unknown extents of a model's inputs, as `x: f32[n,4]`, for messages; empty when all are known.
[[nodiscard]] std::string open_inputs(const graph::Function& main);
/// Why there is no static plan of the model, as a note for those who look for kernels.
[[nodiscard]] Diagnostic why_dynamic(const graph::Module& module);

struct ProgramLimits {
    std::size_t max_bytes = std::size_t{16} << 30; ///< of all values alive at once. Source: our choice
    std::int64_t max_iterations = 1'000'000'000;   ///< of all loops of a run. Source: our choice
};

/// What happens in a run, for those who watch.
struct ProgramObserver {
    /// A specialized region is about to run on these operands.
    std::function<Result<void>(const SpecializedRegion&, std::span<const NDArray>)> region = {};
};

struct ProgramRun {
    std::vector<NDArray> outputs;
    std::size_t peak_bytes = 0; ///< of values and arenas
};
struct ProgramOptions {
    int threads = 1;
    ProgramLimits limits = {};
    ProgramObserver observer = {};
};
/// Errors: BadShape for inputs that do not fit, those of specialization, LimitExceeded, Cancelled.
[[nodiscard]] Result<ProgramRun> run_program(const DynamicModel& model, std::span<const NDArray> inputs,
                                             const ProgramOptions& options, const Progress& progress);

} // namespace orrery::session
