#pragma once
// LLVM's own passes, watched: what each took and whether it changed anything.

#include "core/target/backend.hpp"

#include <cstddef>
#include <vector>

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace orrery::codegen {

/// Runs `optimize` and says what each pass did, summed over the module's functions. A pass that stands twice in the
/// list is there twice; what an adaptor runs besides (loop simplification) has its own row.
[[nodiscard]] std::vector<BackendPass> trace_passes(llvm::Module& module, llvm::TargetMachine& machine, int level);

/// Runs the first `count` of the passes that trace_passes found for the same program.
void run_passes(llvm::Module& module, llvm::TargetMachine& machine, int level, const std::vector<BackendPass>& passes,
                std::size_t count);

} // namespace orrery::codegen
