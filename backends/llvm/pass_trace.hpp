#pragma once
// LLVM's own passes, watched: what each took and whether it changed anything.

#include "core/target/backend.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace orrery::codegen {

/// Runs `optimize` and says what each pass did, summed over the module's functions. A pass that stands twice in the
/// list is there twice; what an adaptor runs besides (loop simplification) has its own row.
[[nodiscard]] std::vector<BackendPass> trace_passes(llvm::Module& module, llvm::TargetMachine& machine, int level);

/// The same of a part of a program's functions, to be added to that of the others.
struct PassTrace {
    struct Row {
        std::size_t position = 0; ///< in the list of passes
        std::string id;
        BackendPass pass;
        std::ptrdiff_t grown = 0; ///< instructions it added
    };
    std::vector<Row> rows;        ///< by position
    std::size_t instructions = 0; ///< before the first pass

    /// The row of that place; a new one where there is none.
    Row& row(std::size_t position, std::string_view id);
    void add(const PassTrace& other);
    [[nodiscard]] std::vector<BackendPass> list() const;
};
[[nodiscard]] PassTrace trace_part(llvm::Module& module, llvm::TargetMachine& machine, int level);

/// Runs the first `count` of the passes that trace_passes found for the same program.
void run_passes(llvm::Module& module, llvm::TargetMachine& machine, int level, const std::vector<BackendPass>& passes,
                std::size_t count);

} // namespace orrery::codegen
