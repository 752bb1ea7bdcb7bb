#pragma once
// Names of kernels in object files.

#include <string>

namespace orrery::codegen {

/// The symbol of a program's kernel: its name, or name + ".kernel" where the C library has a function of that name
/// that kernels call, or an extern function has it.
[[nodiscard]] std::string kernel_symbol(const std::string& program);

/// The symbol of an extern function: its own, or another one where the C library has a function of that name.
[[nodiscard]] std::string extern_symbol(const std::string& function);

} // namespace orrery::codegen
