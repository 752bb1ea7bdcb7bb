#pragma once
// LLVM's text output as listings: noise taken out, each line with the tensor program's line it came from.

#include "core/target/backend.hpp"

#include <string_view>

namespace orrery::codegen {

/// Of a module printed with its debug locations, which are read and left out.
[[nodiscard]] Listing read_ir(std::string_view text);
/// Instructions and labels of assembly, and which line of its text, from 0, each was.
struct AssemblyListing {
    Listing listing;
    std::vector<int> text_lines;
};
/// Of assembly printed with `.loc` directives.
[[nodiscard]] AssemblyListing read_assembly(std::string_view text);
/// "\tvmovups\tzmm0, zmm1" as "    vmovups zmm0, zmm1".
[[nodiscard]] std::string spaced(std::string_view line);

} // namespace orrery::codegen
