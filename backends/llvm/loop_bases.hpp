#pragma once
// What addresses in a loop start from, hidden from the search for forms of addresses.

namespace llvm {
class LoopInfo;
}

namespace orrery::codegen {

/// Makes what innermost loops take from outside, addresses and numbers added to them, opaque (`freeze`) just before
/// they begin; differences by constants stay known. False when there is nothing of the kind. LLVM's loop strength
/// reduction takes an address apart as far as it sees, through all loops around, and tries sums of the parts: 59 % of
/// the time in which DenseNet-121's code was made, for code that is no faster (docs/performance.md). Comes last: other
/// passes see through less as well.
[[nodiscard]] bool hide_loop_bases(const llvm::LoopInfo& loops);

} // namespace orrery::codegen
