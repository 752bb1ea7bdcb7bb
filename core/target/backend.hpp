#pragma once
// The interface every code generator stands behind.

#include "core/base/progress.hpp"
#include "core/base/result.hpp"
#include "core/runtime/abi.h"
#include "core/target/code_cost.hpp"
#include "core/target/target.hpp"
#include "core/tensor/node.hpp"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace orrery {

/// How to turn a tensor program into code; part of the recipe.
struct BuildOptions {
    int opt_level = 3;          ///< 0 to 3, the backend's own pipeline
    bool contract = true;       ///< allow a*b+c to be rounded once
    bool bounds_checks = false; ///< trap on an index outside its buffer

    friend bool operator==(const BuildOptions&, const BuildOptions&) = default;
    [[nodiscard]] Hash hash() const;
};

/// One compiled tensor program.
struct KernelObject {
    std::string symbol;              ///< the program's name
    std::string object;              ///< relocatable object file
    std::size_t workspace_bytes = 0; ///< see abi.h
    double compile_ms = 0;
};

enum class ListingKind : std::uint8_t { BackendIr, OptimizedIr, Assembly };

/// Generated text, line by line, each with the line of the printed tensor program (text.hpp) it came from.
struct ListingLine {
    std::string text;
    int tensor_line = 0; ///< from 1; 0 when it has none
};
struct Listing {
    std::vector<ListingLine> lines;
};

/// One pass of a backend's own pipeline, over all functions a program became.
struct BackendPass {
    std::string name; ///< "InstCombine"
    double milliseconds = 0;
    bool changed = false;         ///< the IR's text differs afterwards
    std::size_t instructions = 0; ///< after it
};

/// Generated text of one function, all of one compilation.
struct FunctionCode {
    Listing ir, optimized_ir, assembly;
    Listing att;                     ///< the assembly in AT&T's syntax, line by line; empty where there is one syntax
    std::vector<BackendPass> passes; ///< the backend's own, in order
    CodeCost cost;                   ///< of the assembly
    bool cost_pending = false;       ///< `cost` and `att` are still to come
};
using CodeSink = std::function<void(const FunctionCode&)>;

/// Code in this process's memory; lives while any kernel of it may run.
class LoadedCode {
  public:
    virtual ~LoadedCode() = default;
    /// Null when there is no such symbol.
    [[nodiscard]] virtual orrery_kernel find(const std::string& symbol) const = 0;
};

enum class EmitKind : std::uint8_t { Object, Assembly, Ir };

/// Thread: all calls may come from several threads at once.
class Backend {
  public:
    virtual ~Backend() = default;
    [[nodiscard]] virtual std::string name() const = 0;
    /// The machine this process runs on.
    [[nodiscard]] virtual Target host() const = 0;
    /// The target a text names, its gaps filled: this machine where it names no other; the registers of the processor
    /// it names; caches of another architecture as `Target` has them. Errors: BadArgument, also for vectors the
    /// processor lacks; NoTarget for a machine, a processor or a feature that is not known.
    [[nodiscard]] virtual Result<Target> read_target(std::string_view text) const;
    /// Whether this process can run code made for a target. Errors: NoTarget, with why not.
    [[nodiscard]] virtual Result<void> runs_here(const Target& target) const;
    /// Errors: NoTarget, UnsupportedFeature, Cancelled.
    [[nodiscard]] virtual Result<KernelObject> compile(const tensor::Program& program, const Target& target,
                                                       const BuildOptions& options, const Progress& progress) const = 0;
    [[nodiscard]] virtual Result<Listing> list(const tensor::Program& program, const Target& target,
                                               const BuildOptions& options, ListingKind kind) const = 0;
    /// All listings at once: one run of the passes instead of one each. `early`, when given, is called once with the
    /// listings while what they cost is worked out.
    [[nodiscard]] virtual Result<FunctionCode> list_all(const tensor::Program& program, const Target& target,
                                                        const BuildOptions& options, const CodeSink& early = {}) const;
    /// The passes that `compile` runs, in order, each with what it did. A backend that has none says so.
    [[nodiscard]] virtual Result<std::vector<BackendPass>>
    list_passes(const tensor::Program& program, const Target& target, const BuildOptions& options) const;
    /// The IR after the first `pass` + 1 of them. Errors: UnknownName when there are not so many.
    [[nodiscard]] virtual Result<Listing> list_after(const tensor::Program& program, const Target& target,
                                                     const BuildOptions& options, std::size_t pass) const;
    /// Links objects into this process. Pre: the target they were compiled for runs here.
    [[nodiscard]] virtual Result<std::shared_ptr<const LoadedCode>>
    load(std::span<const KernelObject> objects) const = 0;
    /// One file of several programs.
    [[nodiscard]] virtual Result<std::string> assemble(std::span<const tensor::Program> programs, const Target& target,
                                                       const BuildOptions& options, EmitKind kind) const = 0;
};

} // namespace orrery
