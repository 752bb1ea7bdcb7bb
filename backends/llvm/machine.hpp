#pragma once
// Targets as LLVM knows them.

#include "backends/llvm/emitter.hpp"
#include "core/base/result.hpp"
#include "core/target/target.hpp"

#include <memory>
#include <string_view>

namespace llvm {
class TargetMachine;
} // namespace llvm

namespace orrery::codegen {

struct DeleteMachine {
    void operator()(llvm::TargetMachine* machine) const;
};
using TargetMachinePtr = std::unique_ptr<llvm::TargetMachine, DeleteMachine>;

/// Initializes what LLVM needs for the target, once. Errors: NoTarget for what it has no code for, for a processor or a
/// feature it does not know, and for machines whose memory is in several spaces.
[[nodiscard]] Result<TargetMachinePtr> make_target_machine(const Target& target, int opt_level);
/// Pre: `machine` was made for `target`.
[[nodiscard]] Machine describe(const llvm::TargetMachine& machine, const Target& target);
/// The machine this process runs on, and the cores it may use.
[[nodiscard]] Target host_target();
/// See Backend::read_target.
[[nodiscard]] Result<Target> read_target(std::string_view text);
/// Whether this process can run code made for the target: its architecture and system are this machine's, and this
/// machine has every feature of its processor. Errors: NoTarget, with what is missing.
[[nodiscard]] Result<void> check_runs_here(const Target& target);

} // namespace orrery::codegen
