#pragma once

#include "vta-sim/access_checker.hpp"
#include "vta-sim/diagnostic.hpp"
#include "vta-sim/machine.hpp"
#include "vta-sim/watch.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace orrery::vta {

struct FunctionalOptions {
    bool check_accesses = true; ///< look for uninitialized reads, unordered accesses and reuse hazards
    std::uint64_t max_steps = std::uint64_t{1} << 40; ///< GEMM and ALU steps before the run gives up
    std::size_t max_diagnostics = 1000;
    Watch watch = {}; ///< of run(): told instructions done; when it stops the run ends there, as Stopped
};

enum class RunState : std::uint8_t { Ready, Finished, Deadlocked, OutOfSteps, Stopped };

/// Runs a program in data, without time. Instructions of one module run in order; among the modules whose next
/// instruction has been fetched and has its tokens, the one earliest in the program goes first, so a run is
/// deterministic. Token queues are unbounded; command queues have the configured depth, as fetch can block on them.
///
/// An instruction that faults moves no data but takes and gives its tokens, so the rest of the run is still told.
/// A program without unordered accesses ends in the same state in every order the tokens allow.
class FunctionalModel {
  public:
    /// Pre: the configuration is legal; `program` outlives the model.
    explicit FunctionalModel(const Program& program, FunctionalOptions options = {});
    FunctionalModel(Program&&, FunctionalOptions = {}) = delete;
    FunctionalModel(const FunctionalModel&) = delete;
    FunctionalModel& operator=(const FunctionalModel&) = delete;

    /// Runs the next instruction; its index, or empty when the run is over.
    std::optional<std::uint32_t> step();
    RunState run();

    [[nodiscard]] RunState state() const { return state_; }
    [[nodiscard]] const Machine& machine() const { return machine_; }
    /// Findings so far; those about the end of the run are there once `state` is not Ready.
    [[nodiscard]] const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }
    /// Findings beyond max_diagnostics, which are counted and not kept.
    [[nodiscard]] std::uint64_t dropped_diagnostics() const { return dropped_; }
    /// Why nothing can run; empty unless Deadlocked.
    [[nodiscard]] const std::vector<Blocked>& blocked() const { return blocked_; }
    [[nodiscard]] std::uint64_t executed() const { return progress_.executed; }
    [[nodiscard]] std::uint32_t tokens(TokenQueue queue) const;
    /// The instruction a module runs next; kNoInstruction when it has no more.
    [[nodiscard]] std::uint32_t next_of(Module module) const;

    /// Where the run stands, small enough to keep many. Clocks are not part of it, so a model that was put back no
    /// longer checks accesses.
    struct Progress {
        std::array<std::uint32_t, kExecModules> position{};
        std::array<std::uint32_t, kExecModules> waiting{}; ///< fetched and not complete
        std::array<std::uint32_t, kTokenQueues> tokens{};
        std::uint32_t fetched = 0;
        std::uint64_t executed = 0;
        std::uint64_t steps = 0;
        bool operator==(const Progress&) const = default;
    };
    [[nodiscard]] const Progress& progress() const { return progress_; }
    /// Pre: the options do not check accesses.
    void restore(const Progress& progress, const Machine::Chip& chip);
    /// For checkpoints: changed pages are taken from and put back into the machine.
    [[nodiscard]] Machine& mutable_machine() { return machine_; }

  private:
    [[nodiscard]] bool has_tokens(Module module, const Instruction& in) const;
    [[nodiscard]] std::optional<Module> choose() const;
    void execute(Module module, std::uint32_t index);
    void fetch();
    void take_token(TokenQueue queue, Clock& clock);
    void finish_run();
    void find_blocked();
    [[nodiscard]] std::uint32_t next_pusher(TokenQueue queue) const;
    void note_flags(std::uint32_t index, Module module, const Instruction& in);
    void trim_diagnostics();

    const Program& program_;
    FunctionalOptions options_;
    Machine machine_;
    std::vector<Diagnostic> diagnostics_;
    std::uint64_t dropped_ = 0;
    std::unique_ptr<AccessChecker> checker_;
    std::array<std::vector<std::uint32_t>, kExecModules> order_;
    Progress progress_;
    std::array<Clock, kExecModules> clocks_{};
    std::array<std::deque<Clock>, kTokenQueues> token_clocks_;
    std::vector<Blocked> blocked_;
    RunState state_ = RunState::Ready;
};

/// Runs the data effects of `order`, a list of instruction indices, and nothing else: no tokens, no checks.
/// Faulting instructions are passed over.
[[nodiscard]] Machine execute_in_order(const Program& program, std::span<const std::uint32_t> order);

} // namespace orrery::vta
