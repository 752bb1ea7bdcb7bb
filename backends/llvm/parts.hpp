#pragma once
// A program's functions made into code in parts, each a module of its own, so that parts are compiled at the same time.
// LLVM's passes look at one function at a time: what comes out is what the whole module would have given, line by line.

#include "core/target/backend.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace llvm {
class Module;
} // namespace llvm

namespace orrery::codegen {

/// Parts a program is made in: a longest function leaves little to share out among more.
constexpr std::size_t kParts = 2;

/// The part of each function that has a body, in the module's order. It depends on the module alone, never on the
/// machine. All in part 0 where assembly of several parts cannot be joined.
[[nodiscard]] std::vector<std::size_t> share_out(const llvm::Module& module);

/// Leaves the bodies of one part's functions; the others are only declared.
void keep_part(llvm::Module& module, std::span<const std::size_t> part_of, std::size_t part);

/// Listings that read_ir made of the parts of one module, as one: each function where the whole module has it.
[[nodiscard]] Listing join_ir(std::span<const Listing> parts);
/// Assembly of the parts as one text, labels numbered as the whole module's; without debug information but for lines.
[[nodiscard]] std::string join_assembly(std::span<const std::string> parts, std::span<const std::size_t> part_of);

} // namespace orrery::codegen
