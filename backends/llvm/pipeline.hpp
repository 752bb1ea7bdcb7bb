#pragma once
// What happens to a module after it is written: LLVM's passes, and machine code.

#include "core/base/result.hpp"

#include <cstddef>
#include <functional>
#include <string>

namespace llvm {
class Module;
class PassInstrumentationCallbacks;
class TargetMachine;
} // namespace llvm

namespace orrery::codegen {

/// Passes chosen for kernels whose loops the schedule has already shaped: buffers in registers are promoted, common
/// and invariant code is shared and hoisted; loops are neither vectorized nor unrolled again. Level 0 does nothing.
void optimize(llvm::Module& module, llvm::TargetMachine& machine, int level);

/// Who is told of passes while they run.
struct PassObserver {
    llvm::PassInstrumentationCallbacks* callbacks = nullptr;
    std::function<void(std::size_t)> position; ///< of the pass in the list, before it runs on each function
};
/// The same, observed.
void optimize(llvm::Module& module, llvm::TargetMachine& machine, int level, const PassObserver& observer);

enum class FileKind { Object, Assembly };
/// The module as a file; changes the module. Errors: NoTarget for what the machine has no code for.
[[nodiscard]] Result<std::string> generate(llvm::Module& module, llvm::TargetMachine& machine, FileKind kind);

/// The module as LLVM writes it.
[[nodiscard]] std::string text_of(const llvm::Module& module);

/// LLVM's complaint about a module; empty when it is well-formed.
[[nodiscard]] std::string find_ir_error(const llvm::Module& module);

} // namespace orrery::codegen
