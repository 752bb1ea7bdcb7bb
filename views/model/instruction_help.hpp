#pragma once
// What a machine instruction does, in one sentence.

#include <string>
#include <string_view>

namespace orrery::views {

/// "vfmadd231ps" -> "multiplies and adds packed f32 with one rounding". Empty for what is not known. `mnemonic` is
/// lower case and in Intel's syntax. Thread: any.
[[nodiscard]] std::string instruction_help(std::string_view mnemonic);
/// The mnemonic of a line of assembly, past prefixes; empty for labels.
[[nodiscard]] std::string_view mnemonic_of(std::string_view line);

} // namespace orrery::views
