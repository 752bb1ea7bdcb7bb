#pragma once
// LLVM's model of a processor's pipeline, asked about a listing (the library behind llvm-mca).

#include "backends/llvm/listing.hpp"

#include <string>

namespace llvm {
class TargetMachine;
} // namespace llvm

namespace orrery::codegen {

/// Fills `code.cost`, and `code.att` on x86. `text` is what `assembly` was read from. Loops of more than 2,000
/// instructions, and those beyond the 64th, are found but not simulated.
void describe_machine_code(const std::string& text, const AssemblyListing& assembly, const llvm::TargetMachine& machine,
                           FunctionCode& code);

} // namespace orrery::codegen
