#pragma once
// LLVM's text output as listings: noise taken out, each line with the tensor program's line it came from.

#include "core/target/backend.hpp"

#include <string_view>

namespace orrery::codegen {

/// Of a module printed with its debug locations, which are read and left out.
[[nodiscard]] Listing read_ir(std::string_view text);
/// Of assembly printed with `.loc` directives: instructions and labels.
[[nodiscard]] Listing read_assembly(std::string_view text);

} // namespace orrery::codegen
