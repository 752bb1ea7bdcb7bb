#pragma once
// Names of kernels in object files.

#include <string>

namespace orrery::codegen {

/// The symbol of a program's kernel: its name, or name + ".kernel" where the C library has a function of that name
/// that kernels call.
[[nodiscard]] std::string kernel_symbol(const std::string& program);

} // namespace orrery::codegen
