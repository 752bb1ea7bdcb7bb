#pragma once
// What addresses in a loop start from, hidden from the search for forms of addresses.

#include <llvm/IR/PassManager.h>

namespace orrery::codegen {

/// Makes what innermost loops take from outside, addresses and numbers added to them, opaque (`freeze`) just before
/// they begin; differences by constants stay known. LLVM's loop strength reduction takes an address apart as far as it
/// sees, through all loops around, and tries each sum of the parts: for tiles of a dozen rows 59 % of the code
/// generator's time, for the code it finds without (docs/performance.md). Comes last: other passes see through less as
/// well.
class OpaqueBasesPass : public llvm::PassInfoMixin<OpaqueBasesPass> {
  public:
    static llvm::StringRef name() { return "OpaqueBasesPass"; }
    static llvm::PreservedAnalyses run(llvm::Function& function, llvm::FunctionAnalysisManager& analyses);
};

} // namespace orrery::codegen
